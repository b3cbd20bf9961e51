// This library's own engine as LibTorch operators, for PyTorch programs:
// torch.ops.load_library(".../libliveness_torch.so").
#include <ATen/ops/empty.h>
#include <ATen/ops/softmax.h>
#include <torch/library.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "liveness/error.hpp"
#include "liveness/model.hpp"

namespace liveness::torch_plugin {

namespace {

constexpr const char* kRun = "run(Tensor images, str model, *, str precision=\"auto\", int threads=1) -> Tensor[]";
constexpr const char* kScore = "score(Tensor images, str model, *, str precision=\"auto\", int threads=1) -> Tensor";

Precision precision_of(std::string_view name) {
  for (const Precision p : {Precision::kAuto, Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
    if (name == to_string(p)) return p;
  }
  throw Error(Status::kInvalidArgument,
              "precision: \"" + std::string(name) + "\" is none of auto, fp32, bf16 and int8");
}

// A model is loaded once for the process, as is a library.
const liveness::Model& model_of(std::string_view path, std::string_view precision) {
  static std::mutex mutex;
  static std::unordered_map<std::string, liveness::Model> models;
  thread_local std::string key;  // keeps its capacity
  key.assign(precision).append(1, '\n').append(path);
  const std::lock_guard lock(mutex);
  auto found = models.find(key);
  if (found == models.end()) {
    liveness::Model::Options options;
    options.precision = precision_of(precision);
    found = models.emplace(key, liveness::Model::load(std::string(path), options)).first;
  }
  return found->second;
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text;
  for (const std::int64_t d : shape) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

std::vector<at::Tensor> run_model(const liveness::Model& model, const at::Tensor& images, std::int64_t threads) {
  const InputContract& input = model.contract().input;
  const bool pixels = images.scalar_type() == at::kByte;
  if (!images.device().is_cpu() || (!pixels && images.scalar_type() != at::kFloat)) {
    throw Error(Status::kInvalidArgument, "images: expected float32 or uint8 on the cpu, got " +
                                              std::string(c10::toString(images.scalar_type())) + " on " +
                                              images.device().str());
  }
  const std::vector<std::int64_t> wanted{input.channels(), input.height, input.width};
  if (images.dim() != 4 || images.sizes().slice(1) != at::IntArrayRef(wanted) || images.size(0) > 1 << 20) {
    throw Error(Status::kInvalidArgument,
                "images: expected Nx" + shape_text(wanted) + ", got " + shape_text(images.sizes()));
  }
  if (threads < 1 || threads > 1024) {
    throw Error(Status::kInvalidArgument, "threads: " + std::to_string(threads) + " is not in 1..1024");
  }
  at::Tensor values = images;
  if (pixels) {
    // (pixel / 255 * (high - low) + low - mean) / std.
    values = images.to(at::kFloat).mul_((input.high - input.low) / 255.0F).add_(input.low);
    const auto row = [&](const std::vector<float>& v) {
      at::Tensor t = at::empty({1, static_cast<std::int64_t>(v.size()), 1, 1}, at::kFloat);
      std::copy(v.begin(), v.end(), t.mutable_data_ptr<float>());
      return t;
    };
    values.sub_(row(input.mean)).div_(row(input.std));
  }
  values = values.contiguous();
  const auto batch = static_cast<std::size_t>(images.size(0));
  std::vector<at::Tensor> outputs;
  std::vector<std::span<float>> places;
  for (const TensorInfo& info : model.info().outputs) {
    std::vector<std::int64_t> shape{images.size(0)};
    shape.insert(shape.end(), info.shape.begin(), info.shape.end());
    outputs.push_back(at::empty(shape, at::kFloat));
    places.emplace_back(outputs.back().mutable_data_ptr<float>(), batch * info.elements());
  }
  if (batch == 0) return outputs;
  model.run({values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel())}, places,
            static_cast<int>(images.size(0)), static_cast<int>(threads));
  return outputs;
}

// A PyTorch program gets PyTorch's exception with this library's message.
template <class Work>
auto checked(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const Error& e) {
    TORCH_CHECK(false, "liveness: ", e.what());
  }
}

std::vector<at::Tensor> run(const at::Tensor& images, std::string_view model, std::string_view precision,
                            std::int64_t threads) {
  return checked([&] { return run_model(model_of(model, precision), images, threads); });
}

at::Tensor score(const at::Tensor& images, std::string_view path, std::string_view precision, std::int64_t threads) {
  return checked([&] {
    const liveness::Model& model = model_of(path, precision);
    if (!model.contract().score) {
      throw Error(Status::kInvalidArgument, "model \"" + model.contract().name + "\": not a PAD network");
    }
    const ScoreContract& contract = *model.contract().score;
    const std::vector<at::Tensor> outputs = run_model(model, images, threads);
    const auto& infos = model.info().outputs;
    const auto at =
        std::find_if(infos.begin(), infos.end(), [&](const TensorInfo& i) { return i.name == contract.output; });
    at::Tensor logits = outputs[static_cast<std::size_t>(at - infos.begin())].flatten(1);
    if (contract.softmax_inside) logits = logits.clamp_min(1e-30).log();
    return at::softmax(logits.div(contract.temperature), 1).select(1, contract.live).contiguous();
  });
}

at::Tensor score_shape(const at::Tensor& images, std::string_view, std::string_view, std::int64_t) {
  return at::empty_symint({images.sym_size(0)}, images.options().dtype(at::kFloat));
}

// Registered by hand: TORCH_LIBRARY ends the process where another copy of the plugin has registered them before.
class Registration {
 public:
  Registration() noexcept {
    try {
      c10::Dispatcher& dispatcher = c10::Dispatcher::singleton();
      if (dispatcher.findSchema({"liveness::score", ""})) return;
      library_.emplace(torch::Library::DEF, "liveness", std::nullopt, __FILE__, __LINE__);
      library_->def(kRun);
      library_->def(kScore);
      cpu_.emplace(torch::Library::IMPL, "liveness", c10::DispatchKey::CPU, __FILE__, __LINE__);
      cpu_->impl("run", run);
      cpu_->impl("score", score);
      meta_.emplace(torch::Library::IMPL, "liveness", c10::DispatchKey::Meta, __FILE__, __LINE__);
      meta_->impl("score", score_shape);
    } catch (const std::exception&) {  // the operators are not there then, which LibTorch says when one is called
      library_.reset();
    }
  }

 private:
  std::optional<torch::Library> library_;
  std::optional<torch::Library> cpu_;
  std::optional<torch::Library> meta_;
};

// Never destroyed: LibTorch's own tables may be gone by then.
const Registration& kRegistration = *new Registration;

}  // namespace

}  // namespace liveness::torch_plugin
