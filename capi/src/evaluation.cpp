// Evaluation and calibration.
#include "liveness/evaluation.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "liveness.h"
#include "liveness/calibration.hpp"

namespace liveness::capi {
namespace {

static_assert(LIVENESS_UNIT_PICTURE == static_cast<int>(EvaluationUnit::kPicture));
static_assert(LIVENESS_UNIT_CLIP == static_cast<int>(EvaluationUnit::kClip));
static_assert(LIVENESS_UNIT_SUBJECT == static_cast<int>(EvaluationUnit::kSubject));
static_assert(LIVENESS_CALIBRATION_NONE == static_cast<int>(CalibrationMethod::kNone));
static_assert(LIVENESS_CALIBRATION_TEMPERATURE == static_cast<int>(CalibrationMethod::kTemperature));
static_assert(LIVENESS_CALIBRATION_PLATT == static_cast<int>(CalibrationMethod::kPlatt));
static_assert(LIVENESS_CALIBRATION_BETA == static_cast<int>(CalibrationMethod::kBeta));
static_assert(LIVENESS_TARGET_EQUAL == static_cast<int>(ErrorTarget::Kind::kEqual));
static_assert(LIVENESS_TARGET_APCER == static_cast<int>(ErrorTarget::Kind::kApcer));
static_assert(LIVENESS_TARGET_BPCER == static_cast<int>(ErrorTarget::Kind::kBpcer));

static_assert(sizeof(void*) != 8 ||
              (sizeof(liveness_presentations_t) == 48 && sizeof(liveness_evaluation_options_t) == 48 &&
               sizeof(liveness_comparison_options_t) == 40 && sizeof(liveness_error_target_t) == 24 &&
               sizeof(liveness_calibration_options_t) == 56 &&
               offsetof(liveness_calibration_options_t, target_count) == 48));

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

liveness_evaluation_options_t default_evaluation_options() noexcept {
  return {sizeof(liveness_evaluation_options_t), LIVENESS_UNIT_PICTURE, kNone, kNone, 0.95, nullptr, 0};
}

liveness_comparison_options_t default_comparison_options() noexcept {
  const ComparisonOptions d;
  return {sizeof(liveness_comparison_options_t), d.rounds, d.threshold_a, d.threshold_b, d.confidence, d.seed};
}

liveness_error_target_t default_target() noexcept {
  return {sizeof(liveness_error_target_t), LIVENESS_TARGET_EQUAL, "balanced", 0};
}

liveness_calibration_options_t default_calibration_options() noexcept {
  const CalibrationOptions d;
  liveness_calibration_options_t c{};
  c.struct_size = sizeof c;
  c.method = LIVENESS_CALIBRATION_AUTO;
  c.fusion = LIVENESS_FUSION_MEAN;
  c.folds = d.folds;
  c.seed = d.seed;
  c.confidence = d.confidence;
  return c;
}

void check_confidence(double confidence) {
  if (!(confidence > 0 && confidence < 1))
    fail(Status::kInvalidArgument,
         "confidence is " + std::to_string(confidence) + ", expected more than 0, less than 1");
}

std::vector<Presentation> from_c(const liveness_presentations_t* list, const char* name) {
  const auto c = read(list, liveness_presentations_t{}, name);
  const std::string n(name);
  if (c.reserved != 0)
    fail(Status::kInvalidArgument, n + ".reserved is " + std::to_string(c.reserved) + ", expected 0");
  std::vector<Presentation> all;
  if (c.count == 0) return all;
  (void)deref(c.scores, n + ".scores");
  (void)deref(c.species, n + ".species");
  const auto text = [](const char* const* array, std::size_t i) {
    return array == nullptr || array[i] == nullptr ? std::string() : std::string(array[i]);
  };
  for (std::size_t i = 0; i < c.count; ++i)
    all.push_back({c.scores[i], text(c.species, i), text(c.subjects, i), text(c.clips, i)});
  return all;
}

EvaluationOptions from_c(const liveness_evaluation_options_t& c) {
  EvaluationOptions o;
  o.confidence = c.confidence;
  if (!std::isnan(c.live)) o.live = c.live;
  if (!std::isnan(c.spoof)) o.spoof = c.spoof;
  if (c.apcer_target_count > 0) {
    const double& first = deref(c.apcer_targets, "options.apcer_targets");
    o.apcer_targets.assign(&first, &first + c.apcer_target_count);
  }
  return o;
}

CalibrationOptions from_c(const liveness_calibration_options_t& c) {
  CalibrationOptions o;
  if (c.method != LIVENESS_CALIBRATION_AUTO)
    o.method = enumerator<CalibrationMethod>(c.method, kCalibrationMethodCount, "options.method");
  o.folds = c.folds;
  o.seed = c.seed;
  o.confidence = c.confidence;
  if (c.target_count > 0) {
    o.targets.clear();
    (void)deref(c.targets, "options.targets");
    for (std::size_t i = 0; i < c.target_count; ++i) {
      const std::string name = item("options.targets", i);
      const auto t = read(c.targets[i], default_target(), name);
      o.targets[&deref(t.profile, name + ".profile")] = {
          enumerator<ErrorTarget::Kind>(t.kind, LIVENESS_TARGET_BPCER + 1, name + ".kind"), t.rate};
    }
  }
  return o;
}

}  // namespace
}  // namespace liveness::capi

using namespace liveness::capi;  // NOLINT(google-build-using-namespace): this file is that namespace's C face
using liveness::Status;

extern "C" {

liveness_status_t liveness_clopper_pearson(int64_t errors, int64_t count, double confidence, double* low,
                                           double* high) noexcept {
  return guard([&] {
    (void)deref(low, "low");
    (void)deref(high, "high");
    check_confidence(confidence);
    if (count < 0 || errors < 0 || errors > count)
      fail(Status::kInvalidArgument, "errors is " + std::to_string(errors) + " of " + std::to_string(count));
    const auto interval = liveness::clopper_pearson(errors, count, confidence);
    *low = interval.low;
    *high = interval.high;
  });
}

void liveness_presentations_init(liveness_presentations_t* presentations, size_t size) noexcept {
  init(presentations, size, liveness_presentations_t{});
}

void liveness_evaluation_options_init(liveness_evaluation_options_t* options, size_t size) noexcept {
  init(options, size, default_evaluation_options());
}

liveness_status_t liveness_evaluate(const liveness_presentations_t* presentations,
                                    const liveness_evaluation_options_t* options, char* text, size_t capacity,
                                    size_t* size) noexcept {
  return guard([&] {
    const auto all = from_c(presentations, "presentations");
    const auto c =
        options == nullptr ? default_evaluation_options() : read(options, default_evaluation_options(), "options");
    const auto unit = enumerator<liveness::EvaluationUnit>(c.unit, LIVENESS_UNIT_SUBJECT + 1, "options.unit");
    const auto report = liveness::Evaluation(liveness::aggregate(all, unit)).report(from_c(c));
    write_text(to_json(report), text, capacity, size);
  });
}

void liveness_comparison_options_init(liveness_comparison_options_t* options, size_t size) noexcept {
  init(options, size, default_comparison_options());
}

liveness_status_t liveness_compare(const liveness_presentations_t* a, const liveness_presentations_t* b,
                                   const liveness_comparison_options_t* options, char* text, size_t capacity,
                                   size_t* size) noexcept {
  return guard([&] {
    const auto in_a = from_c(a, "a");
    const auto in_b = from_c(b, "b");
    const auto c =
        options == nullptr ? default_comparison_options() : read(options, default_comparison_options(), "options");
    check_confidence(c.confidence);
    liveness::ComparisonOptions o;
    o.threshold_a = c.threshold_a;
    o.threshold_b = c.threshold_b;
    o.rounds = c.rounds;
    o.seed = c.seed;
    o.confidence = c.confidence;
    write_text(to_json(liveness::compare(in_a, in_b, o)), text, capacity, size);
  });
}

liveness_status_t liveness_calibration_load(const char* path, liveness_calibration_t** calibration) noexcept {
  return guard([&] {
    (void)deref(path, "path");
    (void)deref(calibration, "calibration");
    *calibration = new liveness_calibration_t{liveness::Calibration::load(path)};
  });
}

void liveness_calibration_destroy(liveness_calibration_t* calibration) noexcept {
  delete calibration;
}

liveness_status_t liveness_calibration_save(const liveness_calibration_t* calibration, const char* path) noexcept {
  return guard([&] {
    (void)deref(path, "path");
    deref(calibration, "calibration").calibration.save(path);
  });
}

liveness_status_t liveness_calibration_describe(const liveness_calibration_t* calibration, char* text, size_t capacity,
                                                size_t* size) noexcept {
  return guard([&] { write_text(deref(calibration, "calibration").calibration.to_yaml(), text, capacity, size); });
}

liveness_status_t liveness_calibration_apply(const liveness_calibration_t* calibration, float logit,
                                             float* calibrated) noexcept {
  return guard([&] {
    const auto& c = deref(calibration, "calibration").calibration;
    if (std::isnan(logit)) fail(Status::kInvalidArgument, "logit is NaN");
    deref(calibrated, "calibrated") = c.apply(logit);
  });
}

void liveness_error_target_init(liveness_error_target_t* target, size_t size) noexcept {
  init(target, size, default_target());
}

void liveness_calibration_options_init(liveness_calibration_options_t* options, size_t size) noexcept {
  init(options, size, default_calibration_options());
}

liveness_status_t liveness_calibration_fit(const liveness_presentations_t* presentations,
                                           liveness_model_t* const* models, size_t count,
                                           const liveness_calibration_options_t* options,
                                           liveness_calibration_t** calibration) noexcept {
  return guard([&] {
    const auto all = from_c(presentations, "presentations");
    (void)deref(models, "models");
    if (count == 0) fail(Status::kInvalidArgument, "count is 0: at least one model is needed");
    (void)deref(calibration, "calibration");
    const auto c =
        options == nullptr ? default_calibration_options() : read(options, default_calibration_options(), "options");
    const auto fusion = enumerator<liveness::Fusion>(c.fusion, liveness::kFusionCount, "options.fusion");
    auto made = liveness::fit_calibration(all, from_c(c));
    std::vector<liveness::Model> members;
    for (std::size_t i = 0; i < count; ++i) members.push_back(deref(models[i], item("models", i)).model);
    for (const auto& m : members) made.models.push_back({m.contract().name, m.info().identity});
    made.fusion = fusion;
    if (fusion == liveness::Fusion::kWeighted) {
      const float& first = deref(c.weights, "options.weights");
      made.weights.assign(&first, &first + count);
    }
    made.require(members, fusion, made.weights);  // says what no predictor would take
    for (const auto& p : all)
      if (p.bona_fide() && p.responded()) made.reference["logit"].values.push_back(p.score);
    auto reference = liveness::quantiles(std::move(made.reference["logit"].values));
    made.reference.clear();
    if (!reference.values.empty()) made.reference["logit"] = std::move(reference);
    *calibration = new liveness_calibration_t{std::move(made)};
  });
}

}  // extern "C"
