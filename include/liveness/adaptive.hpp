// The score that LIVE takes, raised where the place or the stream calls for it. Header only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "liveness/decision.hpp"
#include "liveness/quality.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Why a threshold moved.
enum class ThresholdCause : std::uint8_t {
  kDark,      ///< the face is darker than the reference
  kBlurred,   ///< less sharp than the reference
  kSmall,     ///< smaller than the reference
  kBonaFide,  ///< bona fide faces of this stream score well above the calibrated threshold: so must a newcomer
  kRelaxed,   ///< a cause of before has gone
};
inline constexpr int kThresholdCauseCount = 5;

/// "dark", "blurred", "small", "bona_fide" or "relaxed".
[[nodiscard]] inline constexpr std::string_view to_string(ThresholdCause cause) noexcept {
  switch (cause) {
    case ThresholdCause::kDark: return "dark";
    case ThresholdCause::kBlurred: return "blurred";
    case ThresholdCause::kSmall: return "small";
    case ThresholdCause::kBonaFide: return "bona_fide";
    case ThresholdCause::kRelaxed: return "relaxed";
  }
  return "unknown";
}

/// The threshold on the log-odds of one stream. It is the calibrated one plus a raise of 0..max_raise, so it is never
/// below the calibrated one. The raise is the larger of two:
///
/// * the environment's: per_step log-odds for every halving of luminance, sharpness or face size below its reference,
///   the largest of the three (networks are calibrated on faces that can be seen);
/// * the stream's: mean - deviations * standard deviation of the log-odds of faces that were decided LIVE here, minus
///   the calibrated threshold. Mean and variance are exponentially weighted with `memory` scores (West 1979); nothing
///   is learned before there are that many.
///
/// The threshold moves by at most max_speed log-odds a second. Every change of at least 0.1 is logged with its cause.
class AdaptiveThreshold {
 public:
  struct Options {
    bool enabled = false;
    float max_raise = 1.5F;  ///< 0..10 log-odds
    float per_step = 0.5F;   ///< 0..10 log-odds
    float luminance = 90;    ///< references: grey level of the face,
    float sharpness = 60;    ///< variance of the Laplacian as in Quality,
    float face_pixels = 96;  ///< shorter side of the face box
    float deviations = 3;    ///< 0..10
    int memory = 200;        ///< 10..100000 scores
    float max_speed = 0.5F;  ///< greater than 0: log-odds a second
  };

  struct Change {
    double seconds = 0;
    float from = 0;  ///< log-odds
    float to = 0;
    ThresholdCause cause = ThresholdCause::kRelaxed;
  };
  /// Changes that are kept; the oldest go first.
  static constexpr std::size_t kMaxLog = 256;

  /// `floor`: the calibrated threshold, log-odds.
  AdaptiveThreshold(float floor, const Options& options) noexcept
      : options_(options), floor_(floor), value_(floor), logged_(floor) {}

  /// What a scored face looks like, and when; moves the threshold.
  void observe(const Quality& quality, double seconds) {
    if (!options_.enabled) return;
    const float dark = steps(quality.luminance, options_.luminance);
    const float blurred = steps(quality.sharpness, options_.sharpness);
    const float small = steps(quality.face_pixels, options_.face_pixels);
    float raise = 0;
    ThresholdCause cause = ThresholdCause::kRelaxed;
    const auto offer = [&](float by, ThresholdCause why) {
      if (by > raise) {
        raise = by;
        cause = why;
      }
    };
    offer(options_.per_step * dark, ThresholdCause::kDark);
    offer(options_.per_step * blurred, ThresholdCause::kBlurred);
    offer(options_.per_step * small, ThresholdCause::kSmall);
    if (count_ >= options_.memory)
      offer(static_cast<float>(mean_ - static_cast<double>(options_.deviations) * std::sqrt(variance_)) - floor_,
            ThresholdCause::kBonaFide);
    const float wanted = floor_ + std::clamp(raise, 0.0F, options_.max_raise);
    const double passed = started_ ? std::clamp(seconds - last_, 0.0, 1.0) : 0.0;
    last_ = started_ ? std::max(last_, seconds) : seconds;
    started_ = true;
    const float most = options_.max_speed * static_cast<float>(passed);
    value_ = std::max(floor_, value_ + std::clamp(wanted - value_, -most, most));
    if (std::fabs(value_ - logged_) < 0.1F && !(value_ == floor_ && logged_ != floor_)) return;
    if (log_.size() == kMaxLog) log_.erase(log_.begin());
    log_.push_back({seconds, logged_, value_, value_ < logged_ ? ThresholdCause::kRelaxed : cause});
    logged_ = value_;
  }

  /// The log-odds of a face whose track is decided LIVE.
  void learn(float logit) noexcept {
    if (!options_.enabled || !std::isfinite(logit)) return;
    ++count_;
    const double weight = 1.0 / static_cast<double>(std::min(count_, std::max(options_.memory, 1)));
    count_ = std::min(count_, options_.memory + 1);
    const double delta = static_cast<double>(logit) - mean_;
    mean_ += weight * delta;
    variance_ = (1 - weight) * (variance_ + weight * delta * delta);
  }

  /// Log-odds that LIVE takes now; never below floor().
  [[nodiscard]] float value() const noexcept { return value_; }
  [[nodiscard]] float floor() const noexcept { return floor_; }
  [[nodiscard]] const std::vector<Change>& log() const noexcept { return log_; }

 private:
  [[nodiscard]] static float steps(float value, float reference) noexcept {
    // A value that is no number is as bad as can be.
    return value > 0 ? std::max(std::log2(reference / value), 0.0F) : 16.0F;
  }

  Options options_;
  float floor_;
  float value_;
  float logged_;
  double last_ = 0;
  bool started_ = false;
  double mean_ = 0;
  double variance_ = 0;
  int count_ = 0;
  std::vector<Change> log_;
};

}  // namespace liveness
