// Faces, verdicts, profiler.
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "convert.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "liveness.h"
#include "liveness/builtin.hpp"

namespace liveness::capi {
namespace {

std::vector<Model> models_of(liveness_model_t* const* models, std::size_t count) {
  (void)deref(models, "models");
  if (count == 0) fail(Status::kInvalidArgument, "count is 0: at least one model is needed");
  std::vector<Model> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(deref(models[i], item("models", i)).model);
  return all;
}

using AnyPredictor = std::variant<Predictor, Ensemble>;

AnyPredictor make_predictor(std::vector<Model> models, const Ensemble::Options& options) {
  if (models.size() == 1) return Predictor(std::move(models.front()), options);
  return Ensemble(std::move(models), options);
}

const Result& result_of(const liveness_result_t* result) {
  const auto& r = deref(result, "result");
  if (!r.result) fail(r.status, r.error);
  return *r.result;
}

const FaceResult& face_of(const liveness_result_t* result, std::uint32_t index) {
  const auto& faces = result_of(result).faces;
  if (index >= faces.size())
    fail(Status::kInvalidArgument,
         "index is " + std::to_string(index) + ", the result has " + std::to_string(faces.size()) + " faces");
  return faces[index];
}

}  // namespace
}  // namespace liveness::capi

using namespace liveness::capi;  // NOLINT(google-build-using-namespace): this file is that namespace's C face
using liveness::builtin_model;
using liveness::FaceDetector;
using liveness::ImageView;
using liveness::Profiler;
using liveness::Status;

extern "C" {

// ---- pictures and faces

void liveness_image_init(liveness_image_t* image, size_t size, const uint8_t* data, int32_t width, int32_t height,
                         liveness_pixel_format_t format) noexcept {
  liveness_image_t c{};
  c.format = format;
  c.data = data;
  c.width = width;
  c.height = height;
  const bool known = format >= 0 && format <= LIVENESS_PIXEL_FORMAT_NV21;
  c.stride = known ? static_cast<std::int64_t>(width) * bytes_per_pixel(static_cast<liveness::PixelFormat>(format)) : 0;
  init(image, size, c);
}

void liveness_face_init(liveness_face_t* face, size_t size) noexcept {
  init(face, size, default_face());
}

void liveness_detector_options_init(liveness_detector_options_t* options, size_t size) noexcept {
  init(options, size, default_detector_options());
}

liveness_status_t liveness_detector_create(const liveness_model_t* model, const liveness_detector_options_t* options,
                                           liveness_detector_t** detector) noexcept {
  return guard([&] {
    const auto& m = deref(model, "model").model;
    (void)deref(detector, "detector");
    *detector = new liveness_detector_t{FaceDetector(m, from_c(options))};
  });
}

void liveness_detector_destroy(liveness_detector_t* detector) noexcept {
  delete detector;
}

liveness_status_t liveness_detector_detect(const liveness_detector_t* detector, const liveness_image_t* image,
                                           liveness_face_t* const* faces, size_t capacity, size_t* count) noexcept {
  return guard([&] {
    const FaceDetector& d = deref(detector, "detector").detector;
    const ImageView view = from_c(image);
    (void)deref(count, "count");
    if (capacity > 0) (void)deref(faces, "faces");
    for (std::size_t i = 0; i < capacity; ++i) check_out(faces[i], item("faces", i));
    const auto found = d.detect(view);
    const std::size_t n = std::min(capacity, found.size());
    for (std::size_t i = 0; i < n; ++i) write(faces[i], to_c(found[i]));
    *count = n;
  });
}

// ---- profiler

liveness_status_t liveness_profiler_create(liveness_profiler_t** profiler) noexcept {
  return guard([&] {
    (void)deref(profiler, "profiler");
    *profiler = new liveness_profiler_t{std::make_shared<Profiler>()};
  });
}

void liveness_profiler_destroy(liveness_profiler_t* profiler) noexcept {
  delete profiler;
}

liveness_status_t liveness_profiler_get(const liveness_profiler_t* profiler, const char* key, double* value) noexcept {
  return guard([&] {
    const Profiler& p = *deref(profiler, "profiler").profiler;
    (void)deref(key, "key");
    (void)deref(value, "value");
    const auto figure = p.get(key);
    if (!figure) fail(Status::kNotFound, "key \"" + std::string(key) + "\": there is no such figure");
    *value = *figure;
  });
}

liveness_status_t liveness_profiler_json(const liveness_profiler_t* profiler, char* text, size_t capacity,
                                         size_t* size) noexcept {
  return guard([&] { write_text(deref(profiler, "profiler").profiler->to_json(), text, capacity, size); });
}

liveness_status_t liveness_profiler_reset(liveness_profiler_t* profiler) noexcept {
  return guard([&] { deref(profiler, "profiler").profiler->reset(); });
}

// ---- predictor

void liveness_quality_limits_init(liveness_quality_limits_t* limits, size_t size) noexcept {
  init(limits, size, default_quality_limits());
}

void liveness_augmentation_init(liveness_augmentation_t* augmentation, size_t size) noexcept {
  init(augmentation, size, default_augmentation());
}

void liveness_predictor_options_init(liveness_predictor_options_t* options, size_t size) noexcept {
  init(options, size, default_predictor_options());
}

liveness_status_t liveness_predictor_create(liveness_model_t* const* models, size_t count,
                                            const liveness_predictor_options_t* options,
                                            liveness_predictor_t** predictor) noexcept {
  return guard([&] {
    const bool builtin = models == nullptr && count == 0;
    auto members = builtin ? std::vector{builtin_model("pad")} : models_of(models, count);
    (void)deref(predictor, "predictor");
    const auto c =
        options == nullptr ? default_predictor_options() : read(options, default_predictor_options(), "options");
    auto o = from_c(c, members.size());
    if (c.detector != nullptr)
      o.detector = c.detector->model;
    else if (builtin)
      o.detector = builtin_model("detector");
    if (c.calibration != nullptr) o.calibration = c.calibration->calibration;
    const auto profiler = c.profiler != nullptr ? c.profiler->profiler : nullptr;
    o.profiler = profiler.get();
    *predictor = new liveness_predictor_t{profiler, make_predictor(std::move(members), o)};
  });
}

void liveness_predictor_destroy(liveness_predictor_t* predictor) noexcept {
  delete predictor;
}

liveness_status_t liveness_predictor_predict(const liveness_predictor_t* predictor, const liveness_image_t* image,
                                             const liveness_face_t* face, liveness_result_t* result) noexcept {
  return guard([&] {
    const auto& p = deref(predictor, "predictor").predictor;
    const ImageView view = from_c(image);
    auto& r = deref(result, "result");
    r.result = std::visit(
        [&](const auto& any) { return face == nullptr ? any.predict(view) : any.predict(view, from_c(*face)); }, p);
  });
}

liveness_status_t liveness_predictor_predict_batch(const liveness_predictor_t* predictor,
                                                   const liveness_image_t* const* images, const liveness_rect_t* boxes,
                                                   size_t count, int32_t threads,
                                                   liveness_result_t* const* results) noexcept {
  return guard([&] {
    const auto& p = deref(predictor, "predictor").predictor;
    if (count > 0) {
      (void)deref(images, "images");
      (void)deref(results, "results");
    }
    std::vector<ImageView> views;
    std::vector<liveness::Rect> rects;
    for (std::size_t i = 0; i < count; ++i) {
      (void)deref(images[i], item("images", i));
      (void)deref(results[i], item("results", i));
      views.push_back(from_c(images[i]));
      if (boxes != nullptr) rects.push_back(from_c(boxes[i]));
    }
    auto items = std::visit([&](const auto& any) { return any.predict_batch(views, rects, threads); }, p);
    for (std::size_t i = 0; i < count; ++i) {
      results[i]->result = std::move(items[i].result);
      results[i]->status = items[i].status;
      results[i]->error = std::move(items[i].error);
    }
  });
}

// ---- results

liveness_status_t liveness_result_create(liveness_result_t** result) noexcept {
  return guard([&] {
    (void)deref(result, "result");
    *result = new liveness_result_t;
  });
}

void liveness_result_destroy(liveness_result_t* result) noexcept {
  delete result;
}

void liveness_summary_init(liveness_summary_t* summary, size_t size) noexcept {
  init(summary, size, liveness_summary_t{});
}

liveness_status_t liveness_result_summary(const liveness_result_t* result, liveness_summary_t* summary) noexcept {
  return guard([&] {
    const auto& r = result_of(result);
    check_out(summary, "summary");
    write(summary, to_c(r));
  });
}

void liveness_face_result_init(liveness_face_result_t* face, size_t size) noexcept {
  init(face, size, liveness_face_result_t{});
}

liveness_status_t liveness_result_face(const liveness_result_t* result, uint32_t index,
                                       liveness_face_result_t* face) noexcept {
  return guard([&] {
    const auto& f = face_of(result, index);
    check_out(face, "face");
    write(face, to_c(f));
  });
}

liveness_status_t liveness_result_member(const liveness_result_t* result, uint32_t index, uint32_t member, float* score,
                                         float* logit) noexcept {
  return guard([&] {
    const auto& members = face_of(result, index).members;
    if (member >= members.size())
      fail(Status::kInvalidArgument,
           "member is " + std::to_string(member) + ", the face has " + std::to_string(members.size()));
    if (score != nullptr) *score = members[member].score;
    if (logit != nullptr) *logit = members[member].logit;
  });
}

liveness_status_t liveness_result_model(const liveness_result_t* result, char* text, size_t capacity,
                                        size_t* size) noexcept {
  return guard([&] { write_text(result_of(result).model, text, capacity, size); });
}

}  // extern "C"
