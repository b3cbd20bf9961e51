// Smaller packages, and the way back to ONNX.
#include "liveness/optimize.hpp"

#include <string>
#include <utility>

#include "convert.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "liveness.h"

struct liveness_samples_t {
  liveness::Samples samples;
};

struct liveness_report_t {
  std::string json;
};

namespace liveness::capi {
namespace {

static_assert(LIVENESS_LABEL_ATTACK == static_cast<int>(Label::kAttack));
static_assert(LIVENESS_LABEL_BONA_FIDE == static_cast<int>(Label::kBonaFide));
static_assert(LIVENESS_STORAGE_FP16 == static_cast<int>(Storage::kFp16));
static_assert(LIVENESS_STORAGE_INT8 == static_cast<int>(Storage::kInt8));
static_assert(sizeof(void*) != 8 ||
              (sizeof(liveness_quantize_options_t) == 72 && offsetof(liveness_quantize_options_t, reserved) == 68));
static_assert(sizeof(void*) != 8 ||
              (sizeof(liveness_prune_options_t) == 40 && offsetof(liveness_prune_options_t, samples) == 32));
static_assert(sizeof(void*) != 8 ||
              (sizeof(liveness_export_options_t) == 24 && offsetof(liveness_export_options_t, activations) == 16));

liveness_quantize_options_t default_quantize_options() noexcept {
  const QuantizeOptions d;
  liveness_quantize_options_t c{};
  c.struct_size = sizeof c;
  c.storage = static_cast<std::int32_t>(d.storage);
  for (const Precision p : d.qualify) (p == Precision::kInt8 ? c.qualify_int8 : c.qualify_bf16) = 1;
  c.max_acer = d.gate.acer;
  c.max_flips = d.gate.flips;
  c.max_score = d.gate.score;
  c.sensitive = d.sensitive;
  return c;
}

liveness_prune_options_t default_prune_options() noexcept {
  const PruneOptions d;
  liveness_prune_options_t c{};
  c.struct_size = sizeof c;
  c.per_layer = d.per_layer ? 1 : 0;
  c.ratio = d.ratio;
  c.multiple = d.multiple;
  return c;
}

liveness_export_options_t default_export_options() noexcept {
  const ExportOptions d;
  liveness_export_options_t c{};
  c.struct_size = sizeof c;
  c.opset = d.opset;
  c.quantized = d.quantized ? 1 : 0;
  return c;
}

template <class Number>
void check_reserved(Number value) {
  if (value != 0) fail(Status::kInvalidArgument, "options.reserved is " + std::to_string(value) + ", expected 0");
}

std::int32_t in_range(std::int32_t value, std::int32_t last, const char* name) {
  if (value < 0 || value > last) {
    fail(Status::kInvalidArgument,
         std::string(name) + " is " + std::to_string(value) + ", expected 0 to " + std::to_string(last));
  }
  return value;
}

const Samples* samples_of(const liveness_samples_t* samples) {
  return samples == nullptr ? nullptr : &samples->samples;
}

void give(liveness_report_t** report, std::string json) {
  if (report != nullptr) *report = new liveness_report_t{std::move(json)};
}

}  // namespace
}  // namespace liveness::capi

using namespace liveness::capi;  // NOLINT(google-build-using-namespace): this file is that namespace's C face
using liveness::Status;

extern "C" {

liveness_status_t liveness_samples_create(const liveness_model_t* model, liveness_samples_t** samples) noexcept {
  return guard([&] {
    const auto& contract = deref(model, "model").model.contract();
    (void)deref(samples, "samples");
    *samples = new liveness_samples_t{liveness::Samples(contract)};
  });
}

void liveness_samples_destroy(liveness_samples_t* samples) noexcept {
  delete samples;
}

liveness_status_t liveness_samples_add(liveness_samples_t* samples, const liveness_image_t* image,
                                       const liveness_rect_t* face, const char* box_convention,
                                       liveness_label_t label) noexcept {
  return guard([&] {
    auto& to = deref(samples, "samples").samples;
    const auto shown = static_cast<liveness::Label>(in_range(label, LIVENESS_LABEL_ATTACK, "label"));
    if (face == nullptr) {
      to.add(from_c(image), shown);
    } else {
      to.add(from_c(image), from_c(*face), box_convention == nullptr ? "yunet" : box_convention, shown);
    }
  });
}

void liveness_report_destroy(liveness_report_t* report) noexcept {
  delete report;
}

liveness_status_t liveness_report_json(const liveness_report_t* report, char* text, size_t capacity,
                                       size_t* size) noexcept {
  return guard([&] { write_text(deref(report, "report").json, text, capacity, size); });
}

void liveness_quantize_options_init(liveness_quantize_options_t* options, size_t size) noexcept {
  init(options, size, default_quantize_options());
}

liveness_status_t liveness_quantize(const char* package, const char* out, const liveness_quantize_options_t* options,
                                    liveness_report_t** report) noexcept {
  return guard([&] {
    (void)deref(package, "package");
    (void)deref(out, "out");
    const auto c =
        options == nullptr ? default_quantize_options() : read(options, default_quantize_options(), "options");
    check_reserved(c.reserved);
    liveness::QuantizeOptions o;
    o.storage = static_cast<liveness::Storage>(in_range(c.storage, LIVENESS_STORAGE_INT8, "options.storage"));
    o.qualify.clear();
    if (c.qualify_bf16 != 0) o.qualify.push_back(liveness::Precision::kBf16);
    if (c.qualify_int8 != 0) o.qualify.push_back(liveness::Precision::kInt8);
    o.gate = {c.max_acer, c.max_flips, c.max_score};
    o.sensitive = c.sensitive;
    o.samples = samples_of(c.samples);
    if (c.keep_count > 0) (void)deref(c.keep, "options.keep");
    for (std::uint32_t i = 0; i < c.keep_count; ++i) o.keep.emplace_back(&deref(c.keep[i], item("options.keep", i)));
    give(report, to_json(liveness::quantize(package, out, o)));
  });
}

void liveness_prune_options_init(liveness_prune_options_t* options, size_t size) noexcept {
  init(options, size, default_prune_options());
}

liveness_status_t liveness_prune(const char* package, const char* out, const liveness_prune_options_t* options,
                                 liveness_report_t** report) noexcept {
  return guard([&] {
    (void)deref(package, "package");
    (void)deref(out, "out");
    const auto c = options == nullptr ? default_prune_options() : read(options, default_prune_options(), "options");
    check_reserved(c.reserved);
    liveness::PruneOptions o;
    o.ratio = c.ratio;
    o.per_layer = c.per_layer != 0;
    o.multiple = c.multiple;
    if (c.gradients != nullptr) o.gradients = c.gradients;
    o.samples = samples_of(c.samples);
    give(report, to_json(liveness::prune(package, out, o)));
  });
}

void liveness_export_options_init(liveness_export_options_t* options, size_t size) noexcept {
  init(options, size, default_export_options());
}

liveness_status_t liveness_export_onnx(const char* package, const char* onnx,
                                       const liveness_export_options_t* options) noexcept {
  return guard([&] {
    (void)deref(package, "package");
    (void)deref(onnx, "onnx");
    const auto c = options == nullptr ? default_export_options() : read(options, default_export_options(), "options");
    check_reserved(c.reserved);
    liveness::ExportOptions o;
    o.opset = c.opset;
    o.quantized = c.quantized != 0;
    o.activations = samples_of(c.activations);
    liveness::export_onnx(package, onnx, o);
  });
}

}  // extern "C"
