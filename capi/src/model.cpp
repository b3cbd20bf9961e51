// Models: load, ask, run, convert.
#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "convert.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "liveness.h"
#include "liveness/builtin.hpp"

namespace liveness::capi {
namespace {

using Json = nlohmann::json;

Json to_json(const std::vector<TensorInfo>& tensors) {
  Json all = Json::array();
  for (const auto& t : tensors) all.push_back({{"name", t.name}, {"shape", t.shape}});
  return all;
}

std::string describe(const Model& model) {
  const ModelInfo& info = model.info();
  Json nodes = Json::array();
  for (const auto& n : info.nodes)
    nodes.push_back({{"name", n.name},
                     {"type", n.type},
                     {"shape", n.output_shape},
                     {"macs", n.macs},
                     {"parameters", n.parameters}});
  const Json all = {{"contract", Json::parse(contract_to_json(model.contract()))},
                    {"identity", info.identity},
                    {"isa", std::string(to_string(info.isa))},
                    {"backend", std::string(to_string(info.backend))},
                    {"precision", std::string(to_string(info.precision))},
                    {"device", info.device},
                    {"fallback", info.fallback},
                    {"macs", info.macs},
                    {"parameters", info.parameters},
                    {"weight_bytes", info.weight_bytes},
                    {"workspace_bytes", info.workspace_bytes},
                    {"inputs", to_json(info.inputs)},
                    {"outputs", to_json(info.outputs)},
                    {"nodes", nodes}};
  // Names come from files and may be anything; the text must be UTF-8 all the same.
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string list_builtin() {
  Json all = Json::array();
  for (const BuiltinModel& m : builtin_models())
    all.push_back({{"name", m.name},
                   {"task", m.task == Task::kPad        ? "pad"
                            : m.task == Task::kDetector ? "detector"
                                                        : "other"},
                   {"licence", m.licence},
                   {"bytes", m.package.size()}});
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Of values or of pixels.
template <class T>
void run(const liveness_model_t* model, std::span<const T> input, float* const* outputs, const size_t* output_counts,
         size_t output_count, int32_t batch, int32_t threads) {
  const Model& m = deref(model, "model").model;
  (void)deref(outputs, "outputs");
  (void)deref(output_counts, "output_counts");
  if (output_count != m.info().outputs.size())
    fail(Status::kInvalidArgument, "output_count is " + std::to_string(output_count) + ", the model has " +
                                       std::to_string(m.info().outputs.size()) + " outputs");
  std::vector<std::span<float>> spans;
  spans.reserve(output_count);
  for (std::size_t i = 0; i < output_count; ++i)
    spans.emplace_back(&deref(outputs[i], item("outputs", i)), output_counts[i]);
  m.run(input, spans, batch, threads);
}

}  // namespace
}  // namespace liveness::capi

using namespace liveness::capi;  // NOLINT(google-build-using-namespace): this file is that namespace's C face
using liveness::builtin_model;
using liveness::Model;
using liveness::Status;

extern "C" {

void liveness_model_options_init(liveness_model_options_t* options, size_t size) noexcept {
  init(options, size, default_model_options());
}

liveness_status_t liveness_model_load(const char* path, const liveness_model_options_t* options,
                                      liveness_model_t** model) noexcept {
  return guard([&] {
    (void)deref(path, "path");
    (void)deref(model, "model");
    *model = new liveness_model_t{Model::load(path, from_c(options))};
  });
}

liveness_status_t liveness_model_load_memory(const void* package, size_t size, const liveness_model_options_t* options,
                                             liveness_model_t** model) noexcept {
  return guard([&] {
    const auto* bytes = static_cast<const std::byte*>(package);
    (void)deref(bytes, "package");
    (void)deref(model, "model");
    *model = new liveness_model_t{Model::from_memory(std::span(bytes, size), from_c(options))};
  });
}

liveness_status_t liveness_model_builtin(const char* name, const liveness_model_options_t* options,
                                         liveness_model_t** model) noexcept {
  return guard([&] {
    (void)deref(name, "name");
    (void)deref(model, "model");
    *model = new liveness_model_t{builtin_model(name, from_c(options))};
  });
}

liveness_status_t liveness_builtin_models(char* text, size_t capacity, size_t* size) noexcept {
  return guard([&] { write_text(list_builtin(), text, capacity, size); });
}

void liveness_model_destroy(liveness_model_t* model) noexcept {
  delete model;
}

void liveness_model_info_init(liveness_model_info_t* info, size_t size) noexcept {
  init(info, size, liveness_model_info_t{});
}

liveness_status_t liveness_model_info(const liveness_model_t* model, liveness_model_info_t* info) noexcept {
  return guard([&] {
    const Model& m = deref(model, "model").model;
    check_out(info, "info");
    write(info, to_c(m));
  });
}

liveness_status_t liveness_model_describe(const liveness_model_t* model, char* text, size_t capacity,
                                          size_t* size) noexcept {
  return guard([&] { write_text(describe(deref(model, "model").model), text, capacity, size); });
}

liveness_status_t liveness_model_verify(const liveness_model_t* model, float* worst) noexcept {
  return guard([&] {
    const float difference = deref(model, "model").model.verify();
    if (worst != nullptr) *worst = difference;
  });
}

liveness_status_t liveness_model_output_size(const liveness_model_t* model, uint32_t index, size_t* values) noexcept {
  return guard([&] {
    const auto& outputs = deref(model, "model").model.info().outputs;
    if (index >= outputs.size())
      fail(Status::kInvalidArgument,
           "index is " + std::to_string(index) + ", the model has " + std::to_string(outputs.size()) + " outputs");
    deref(values, "values") = outputs[index].elements();
  });
}

liveness_status_t liveness_model_run(const liveness_model_t* model, const float* input, size_t input_count,
                                     float* const* outputs, const size_t* output_counts, size_t output_count,
                                     int32_t batch, int32_t threads) noexcept {
  return guard([&] {
    (void)deref(input, "input");
    run(model, std::span(input, input_count), outputs, output_counts, output_count, batch, threads);
  });
}

liveness_status_t liveness_model_run_pixels(const liveness_model_t* model, const uint8_t* pixels, size_t pixel_count,
                                            float* const* outputs, const size_t* output_counts, size_t output_count,
                                            int32_t batch, int32_t threads) noexcept {
  return guard([&] {
    (void)deref(pixels, "pixels");
    run(model, std::span(pixels, pixel_count), outputs, output_counts, output_count, batch, threads);
  });
}

liveness_status_t liveness_convert(const char* onnx, const char* contract, const char* package,
                                   int32_t goldens) noexcept {
  return guard([&] {
    (void)deref(onnx, "onnx");
    (void)deref(contract, "contract");
    (void)deref(package, "package");
    if (goldens < 0 || goldens > 64)
      fail(Status::kInvalidArgument, "goldens is " + std::to_string(goldens) + ", expected 0 to 64");
    liveness::convert_onnx(onnx, contract, package, goldens);
  });
}

}  // extern "C"
