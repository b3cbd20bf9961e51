// A model's scores fitted to one's own camera: what `liveness calibrate` finds and every predictor can take.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "liveness/decision.hpp"
#include "liveness/evaluation.hpp"
#include "liveness/model.hpp"

namespace liveness LIVENESS_PUBLIC {

/// How log-odds x of P(live) become calibrated ones. All rise with x, so that the order of scores, and with it the AUC,
/// stays.
enum class CalibrationMethod : std::uint8_t {
  kNone,         ///< x
  kTemperature,  ///< x / T (Guo et al., "On calibration of modern neural networks", 2017)
  kPlatt,        ///< a x + b (Platt, "Probabilistic outputs for support vector machines", 1999)
  kBeta,         ///< a ln p - b ln(1 - p) + c with p = P(live) (Kull et al., "Beta calibration", 2017)
};
inline constexpr int kCalibrationMethodCount = 4;

/// "none", "temperature", "platt" or "beta".
[[nodiscard]] inline constexpr std::string_view to_string(CalibrationMethod method) noexcept {
  switch (method) {
    case CalibrationMethod::kNone: return "none";
    case CalibrationMethod::kTemperature: return "temperature";
    case CalibrationMethod::kPlatt: return "platt";
    case CalibrationMethod::kBeta: return "beta";
  }
  return "unknown";
}

/// What a method takes: nothing, {T}, {a, b} or {a, b, c}.
[[nodiscard]] inline constexpr std::size_t parameter_count(CalibrationMethod method) noexcept {
  return static_cast<std::size_t>(method);
}

/// Calibrated log-odds, clamped to +-kMaxLogit; `parameters` as parameter_count() says.
[[nodiscard]] inline double calibrated(CalibrationMethod method, std::span<const double> parameters,
                                       double logit) noexcept {
  double x = std::clamp(logit, -static_cast<double>(kMaxLogit), static_cast<double>(kMaxLogit));
  switch (method) {
    case CalibrationMethod::kNone: break;
    case CalibrationMethod::kTemperature: x /= parameters[0]; break;
    case CalibrationMethod::kPlatt: x = parameters[0] * x + parameters[1]; break;
    case CalibrationMethod::kBeta:
      x = -parameters[0] * std::log1p(std::exp(-x)) + parameters[1] * std::log1p(std::exp(x)) + parameters[2];
      break;
  }
  return std::clamp(x, -static_cast<double>(kMaxLogit), static_cast<double>(kMaxLogit));
}

/// Even steps through a sorted sample.
struct Quantiles {
  std::int64_t count = 0;      ///< of the values that they stand for
  std::vector<double> values;  ///< from the smallest to the largest, at least 2
};

/// At most `most` (at least 2) quantiles of values that are no NaN; `values` is sorted by it. Empty for fewer than 2.
[[nodiscard]] inline Quantiles quantiles(std::vector<double> values, std::size_t most = 51) {
  Quantiles q;
  if (values.size() < 2) return q;
  std::sort(values.begin(), values.end());
  q.count = static_cast<std::int64_t>(values.size());
  const std::size_t n = std::min(most, values.size());
  for (std::size_t i = 0; i < n; ++i) {
    const double at = static_cast<double>(i) * static_cast<double>(values.size() - 1) / static_cast<double>(n - 1);
    const auto below = std::min(static_cast<std::size_t>(at), values.size() - 2);
    const double part = at - static_cast<double>(below);
    q.values.push_back(values[below] + part * (values[below + 1] - values[below]));
  }
  return q;
}

/// How far a sample lies from a reference.
struct Drift {
  std::string name;     ///< "logit", "luminance", "sharpness", "face_pixels"
  double distance = 0;  ///< largest difference of the distribution functions (Kolmogorov and Smirnov), 0..1
  double chance = 1;    ///< of such a distance where nothing changed
  double median_then = 0;
  double median_now = 0;
  std::int64_t count = 0;  ///< values seen now
  /// A distance of at least 0.35 whose chance is below 1 in 1000. The two bounds together: pictures of one clip are no
  /// independent samples, so that the chance alone would raise the alarm for nothing; the distance alone would for few
  /// pictures.
  bool drifted = false;
};

inline constexpr std::size_t kLeastForDrift = 10;

/// Compares values with the reference; at least kLeastForDrift of each are needed for `drifted`.
[[nodiscard]] inline Drift drift(std::string name, const Quantiles& reference, std::vector<double> now) {
  Drift d;
  d.name = std::move(name);
  d.count = static_cast<std::int64_t>(now.size());
  if (reference.values.size() < 2 || now.empty()) return d;
  std::sort(now.begin(), now.end());
  const auto& q = reference.values;
  const auto median = [](const std::vector<double>& v) { return (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2; };
  d.median_then = median(q);
  d.median_now = median(now);
  // Distribution function of the reference, linear between its quantiles; before a step and at it.
  const auto then = [&](double x, bool at) {
    const auto found = at ? std::upper_bound(q.begin(), q.end(), x) : std::lower_bound(q.begin(), q.end(), x);
    if (found == q.begin()) return 0.0;
    if (found == q.end()) return 1.0;
    const auto i = static_cast<double>(found - q.begin() - 1);
    const double low = *(found - 1);
    const double part = *found > low ? (x - low) / (*found - low) : 0.0;
    return (i + part) / static_cast<double>(q.size() - 1);
  };
  const auto n = static_cast<double>(now.size());
  for (std::size_t i = 0; i < now.size();) {
    std::size_t j = i;
    while (j < now.size() && now[j] == now[i]) ++j;
    d.distance = std::max(d.distance, std::fabs(static_cast<double>(j) / n - then(now[i], true)));
    d.distance = std::max(d.distance, std::fabs(static_cast<double>(i) / n - then(now[i], false)));
    i = j;
  }
  const double m = static_cast<double>(reference.count);
  const double root = std::sqrt(n * m / (n + m));
  // Stephens' correction makes the limit's distribution hold for small samples.
  d.chance = detail::kolmogorov_survival((root + 0.12 + 0.11 / root) * d.distance);
  d.drifted = now.size() >= kLeastForDrift && reference.count >= static_cast<std::int64_t>(kLeastForDrift) &&
              d.distance >= 0.35 && d.chance < 0.001;
  return d;
}

/// A calibration with what it rests on. Applies to the fused score of exactly the models that it names.
struct Calibration {
  struct ModelId {
    std::string name;      ///< contract().name
    std::string identity;  ///< ModelInfo::identity
    [[nodiscard]] bool operator==(const ModelId&) const = default;
  };
  /// Error counts of a threshold profile on presentations that neither the method's parameters nor the threshold had
  /// seen.
  struct HeldOut {
    std::string species;  ///< with the highest APCER; empty without attacks
    std::int64_t apcer_errors = 0;
    std::int64_t apcer_total = 0;
    std::int64_t bpcer_errors = 0;
    std::int64_t bpcer_total = 0;
  };

  std::vector<ModelId> models;  ///< in the order of the ensemble
  Fusion fusion = Fusion::kMean;
  std::vector<float> weights;  ///< kWeighted: one a model, else empty
  CalibrationMethod method = CalibrationMethod::kNone;
  std::vector<double> parameters;  ///< see parameter_count(); T and a, b of kBeta > 0, a of kPlatt > 0
  std::map<std::string, ThresholdProfile> profiles;  ///< on the calibrated P(live); at least "balanced"

  std::int64_t bona_fide = 0;                   ///< presentations with a score that it was made from
  std::map<std::string, std::int64_t> attacks;  ///< the same by species
  std::int64_t groups = 0;                      ///< subjects or clips that they came from
  /// Mean held-out loss (nats; both classes weigh the same) by method; empty without attacks.
  std::map<std::string, double> losses;
  std::map<std::string, HeldOut> held_out;     ///< by profile
  std::map<std::string, Quantiles> reference;  ///< of the bona fide presentations, for drift()
  std::vector<std::string> notes;              ///< what it cannot promise, in sentences

  /// Calibrated log-odds, clamped to +-kMaxLogit.
  [[nodiscard]] float apply(float logit) const noexcept {
    return static_cast<float>(calibrated(method, parameters, static_cast<double>(logit)));
  }

  /// Throws Error(kInvalidArgument) that names the difference where the calibration was made for other models, another
  /// order or fusion.
  void require(std::span<const Model> of, Fusion how, std::span<const float> how_weighted) const;

  /// A file as to_yaml() writes it; .json works too. Throws Error: kNotFound, kIo, kConfigInvalid
  /// (FILE:LINE:COLUMN: FIELD: what is wrong; unknown keys too), kUnsupported (YAML, and the library was built
  /// without).
  [[nodiscard]] static Calibration load(const std::filesystem::path& path);
  /// The same from text; `origin` names the source in messages. JSON where the text begins with '{'.
  [[nodiscard]] static Calibration parse(std::string_view text, std::string_view origin);
  [[nodiscard]] std::string to_yaml() const;
  /// Writes to_yaml() (JSON where the name ends in .json); the file appears whole or not at all. Throws Error(kIo).
  void save(const std::filesystem::path& path) const;
};

/// Which error a threshold profile is to hold.
struct ErrorTarget {
  enum class Kind : std::uint8_t {
    kEqual,  ///< the larger of APCER (worst species) and BPCER as small as it gets
    kApcer,  ///< the lowest threshold with APCER (worst species) at most `rate`
    kBpcer,  ///< the highest threshold with BPCER at most `rate`
  };
  Kind kind = Kind::kEqual;
  double rate = 0;  ///< 0..1; not used for kEqual
};

struct CalibrationOptions {
  std::optional<CalibrationMethod> method;  ///< default: the one with the smallest held-out loss
  /// By profile. Without attacks only kBpcer can be met: "balanced" becomes BPCER <= 5 %, the others are left out with
  /// a note.
  std::map<std::string, ErrorTarget> targets = {{"strict", {ErrorTarget::Kind::kApcer, 0.01}},
                                                {"balanced", {ErrorTarget::Kind::kEqual, 0}},
                                                {"lenient", {ErrorTarget::Kind::kBpcer, 0.01}}};
  int folds = 5;           ///< 2..100; fewer where there are fewer subjects or clips
  std::uint64_t seed = 1;  ///< of the folds
  double confidence = 0.95;
};

/// Fits a calibration to presentations whose scores are log-odds of P(live), uncalibrated. Cross-validated by subject,
/// where those have no name by clip, otherwise by single presentation. The models, `fusion`, `weights` and `reference`
/// of the result are the caller's to fill. Throws Error: kInvalidArgument (an option), kInvalidState (no bona fide
/// presentation has a score).
[[nodiscard]] Calibration fit_calibration(std::span<const Presentation> presentations,
                                          const CalibrationOptions& options = {});

}  // namespace liveness
