// From the scores of one face over time to a decision: a sequential test with error targets. Header only.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string_view>

#include "liveness/decision.hpp"
#include "liveness/quality.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Wanted error rates of decisions, each in (0, 0.5).
struct DecisionTargets {
  float apcer = 0.01F;  ///< share of attack presentations that may be called LIVE
  float bpcer = 0.03F;  ///< share of bona fide presentations that may be called SPOOF
};

/// The targets of the profiles strict (0.1 %, 5 %), balanced (1 %, 3 %) and lenient (5 %, 1 %); empty for other names.
[[nodiscard]] inline constexpr std::optional<DecisionTargets> targets_of(std::string_view profile) noexcept {
  if (profile == "strict") return DecisionTargets{0.001F, 0.05F};
  if (profile == "balanced") return DecisionTargets{0.01F, 0.03F};
  if (profile == "lenient") return DecisionTargets{0.05F, 0.01F};
  return std::nullopt;
}

/// How much the score of a face counts, 0..1: 1 for a face that is twice as large, sharp and bright as the limits ask,
/// half as much at each limit; less by the part of the crop that lies outside the frame.
[[nodiscard]] inline float quality_weight(const Quality& q, const QualityLimits& limits = {}) noexcept {
  const auto part = [](float value, float limit) {
    return limit > 0 ? std::clamp(value / (2 * limit), 0.0F, 1.0F) : 1.0F;
  };
  const float weight = part(q.face_pixels, limits.min_face_pixels) * part(q.sharpness, limits.min_sharpness) *
                       part(q.luminance, limits.min_luminance) * (1 - std::clamp(q.outside, 0.0F, 1.0F));
  return std::isfinite(weight) ? weight : 0.0F;
}

/// Steadies a series of log-odds: mean and variance over a window, and spikes held back.
class TemporalFilter {
 public:
  static constexpr std::size_t kMaxWindow = 15;

  struct Options {
    int window = 5;    ///< 1..kMaxWindow scores; 1 switches the filter off
    float spike = 3;   ///< log-odds: a score this much above the median of the window before it counts as a spike; one
                       ///< twice as far below does too, for what speaks against a face is believed sooner
    float spread = 2;  ///< standard deviation, log-odds, at which the weight of a score is halved
  };

  struct Step {
    float value = 0;     ///< the log-odds, a spike cut back to the nearest value that is none
    float mean = 0;      ///< of the window, this one included
    float variance = 0;  ///< of the window, unbiased; 0 for a single score
    float weight = 1;    ///< 0..1: 1 / (1 + variance / spread^2)
    bool spike = false;
  };

  explicit TemporalFilter(const Options& options) noexcept : options_(options) {}
  TemporalFilter() noexcept : TemporalFilter(Options()) {}

  Step push(float logit) noexcept {
    Step step;
    step.value = logit;
    const auto window = static_cast<std::size_t>(
        std::clamp(options_.window, 1, static_cast<int>(kMaxWindow)));  // hostile options do no harm
    if (count_ >= 3) {
      std::array<float, kMaxWindow> sorted = values_;
      const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(count_ / 2);
      std::nth_element(sorted.begin(), middle, sorted.begin() + static_cast<std::ptrdiff_t>(count_));
      step.value = std::clamp(logit, *middle - 2 * options_.spike, *middle + options_.spike);
      step.spike = step.value != logit;
    }
    // The window holds what was said, not what was made of it, or a real change would never become the median.
    if (count_ == window) {
      std::copy(values_.begin() + 1, values_.begin() + static_cast<std::ptrdiff_t>(count_), values_.begin());
      --count_;
    }
    values_[count_++] = logit;
    double sum = 0;
    for (std::size_t i = 0; i < count_; ++i) sum += static_cast<double>(values_[i]);
    const double mean = sum / static_cast<double>(count_);
    double squares = 0;
    for (std::size_t i = 0; i < count_; ++i) squares += (values_[i] - mean) * (values_[i] - mean);
    const double variance = count_ > 1 ? squares / static_cast<double>(count_ - 1) : 0;
    step.mean = static_cast<float>(mean);
    step.variance = static_cast<float>(variance);
    const double spread = static_cast<double>(options_.spread);
    step.weight = spread > 0 ? static_cast<float>(1 / (1 + variance / (spread * spread))) : 1.0F;
    return step;
  }

  void reset() noexcept { count_ = 0; }

 private:
  Options options_;
  std::array<float, kMaxWindow> values_{};
  std::size_t count_ = 0;
};

/// Wald's sequential probability ratio test (Wald 1945, "Sequential Tests of Statistical Hypotheses") of bona fide
/// against attack, on log-likelihood ratios that are correlated in time. With error targets a (apcer) and b (bpcer):
///
///     LIVE  at  S >= ln((1 - b) / a),   SPOOF  at  S <= ln(b / (1 - a)).
///
/// The evidence l of one score is gain * (log-odds - neutral), cut to +-max_step. Neighbours in time share most of what
/// they say: as Gaussian scores with correlation r = exp(-dt / correlation_seconds) do, score n adds the exact
/// log-likelihood ratio of what it does not share with the one before it, (l[n] - r l[n-1]) / (1 + r), times its
/// weight; and (1 - r) / (1 + r) to the count of independent scores. `shared` is the part of the variance that does not
/// change within a presentation (this person, this paper): S = sum / (1 + (count - 1) * shared), so that waiting alone
/// never proves anything.
///
/// A decision can be revoked. Evidence against it is summed from its latest low on (Page 1954, "Continuous Inspection
/// Schemes"); when that stretch alone crosses twice the bound of the other side, it becomes the whole evidence.
class SequentialTest {
 public:
  struct Options {
    DecisionTargets targets;
    float neutral = 0;                  ///< log-odds that speak for neither side
    float gain = 1;                     ///< greater than 0: evidence of one unit of log-odds
    float max_step = 4;                 ///< greater than 0: most evidence of one score
    float correlation_seconds = 0.25F;  ///< 0 or more: time in which the correlation of two scores falls to 1/e
    float shared = 0.1F;                ///< 0..1
    int min_frames = 5;                 ///< scores that LIVE takes at least
    float min_seconds = 0.5F;           ///< time from the first score that LIVE takes at least
    float max_seconds = 8;              ///< time from the first push() or wait() after which an open test is UNCERTAIN
  };

  explicit SequentialTest(const Options& options) noexcept
      : options_(options),
        upper_(std::log((1 - static_cast<double>(options.targets.bpcer)) / static_cast<double>(options.targets.apcer))),
        lower_(
            std::log(static_cast<double>(options.targets.bpcer) / (1 - static_cast<double>(options.targets.apcer)))) {}
  SequentialTest() noexcept : SequentialTest(Options()) {}

  /// One more score: its log-odds, its time in seconds (not before the last one's; an earlier one counts as the same
  /// time), its weight 0..1 (0: no evidence). `may_accept`: LIVE may be said now. Returns the verdict so far.
  Verdict push(float logit, double seconds, float weight = 1, bool may_accept = true) noexcept {
    const double most = static_cast<double>(options_.max_step);
    const double l =
        std::isfinite(logit)
            ? std::clamp(static_cast<double>(options_.gain) * (static_cast<double>(logit) - options_.neutral), -most,
                         most)
            : -most;
    wait(seconds);
    if (scores_ == 0) first_ = last_;
    const double w = std::clamp(static_cast<double>(weight), 0.0, 1.0);
    if (w > 0) {
      const double tau = static_cast<double>(options_.correlation_seconds);
      const double r = scores_ == 0 ? 0 : tau > 0 ? std::exp(-std::max(seconds - scored_at_, 0.0) / tau) : 0;
      const double evidence = w * (l - r * previous_) / (1 + r);
      const double independent = w * (1 - r) / (1 + r);
      add(all_, evidence, independent);
      const bool decided = verdict_ == Verdict::kLive || verdict_ == Verdict::kSpoof;
      if (decided) {
        add(against_, evidence, independent);
        const bool favours = verdict_ == Verdict::kLive ? against_.sum >= 0 : against_.sum <= 0;
        if (favours) against_ = {};
      }
      previous_ = l;
      scored_at_ = seconds;
      ++scores_;
      ++against_scores_;
      if (against_.count == 0) {
        against_scores_ = 0;
        against_from_ = seconds;
      }
    }
    decide_now(may_accept);
    return verdict_;
  }

  /// UNCERTAIN while the test is open, and beyond max_seconds.
  [[nodiscard]] Verdict verdict() const noexcept { return verdict_; }
  /// The test has come to an end: a verdict was reached, or the time has run out.
  [[nodiscard]] bool decided() const noexcept { return verdict_ != Verdict::kUncertain || timed_out(); }
  [[nodiscard]] bool timed_out() const noexcept {
    return verdict_ == Verdict::kUncertain && begun_ && last_ - begin_ >= static_cast<double>(options_.max_seconds);
  }
  /// Time passed without a score. The first call of this or of push() begins the test.
  void wait(double seconds) noexcept {
    if (!begun_) begin_ = last_ = seconds;
    begun_ = true;
    last_ = std::max(last_, seconds);
  }
  /// The time limit runs.
  [[nodiscard]] bool begun() const noexcept { return begun_; }
  /// S: the log-likelihood ratio of bona fide against attack, natural logarithm.
  [[nodiscard]] double evidence() const noexcept { return value(all_); }
  [[nodiscard]] double upper() const noexcept { return upper_; }  ///< LIVE at or above
  [[nodiscard]] double lower() const noexcept { return lower_; }  ///< SPOOF at or below
  /// Scores with a weight above 0.
  [[nodiscard]] int scores() const noexcept { return scores_; }
  /// What they are worth in independent scores.
  [[nodiscard]] double independent_scores() const noexcept { return all_.count; }
  /// 0..1: the way from no evidence to the bound of the side that it favours.
  [[nodiscard]] float confidence() const noexcept {
    const double s = evidence();
    return static_cast<float>(std::clamp(s >= 0 ? s / upper_ : s / lower_, 0.0, 1.0));
  }
  [[nodiscard]] const Options& options() const noexcept { return options_; }

  void reset() noexcept { *this = SequentialTest(options_); }

 private:
  struct Sum {
    double sum = 0;
    double count = 0;
  };

  static void add(Sum& to, double evidence, double independent) noexcept {
    to.sum += evidence;
    to.count += independent;
  }
  [[nodiscard]] double value(const Sum& s) const noexcept {
    return s.sum / (1 + std::max(s.count - 1, 0.0) * static_cast<double>(options_.shared));
  }

  void decide_now(bool may_accept) noexcept {
    switch (verdict_) {
      case Verdict::kLive:
        // A LIVE that is no longer allowed (its threshold rose above it) falls back to an open test.
        if (value(against_) <= 2 * lower_)
          turn(Verdict::kSpoof);
        else if (!may_accept)
          verdict_ = Verdict::kUncertain;
        break;
      case Verdict::kSpoof:
        if (value(against_) >= 2 * upper_ && may_accept && against_scores_ >= options_.min_frames &&
            last_ - against_from_ >= static_cast<double>(options_.min_seconds))
          turn(Verdict::kLive);
        break;
      default: {
        const double s = evidence();
        if (s <= lower_) {
          verdict_ = Verdict::kSpoof;
        } else if (s >= upper_ && may_accept && scores_ >= options_.min_frames &&
                   last_ - first_ >= static_cast<double>(options_.min_seconds)) {
          verdict_ = Verdict::kLive;
        }
        if (verdict_ != Verdict::kUncertain) against_ = {};
        break;
      }
    }
  }

  void turn(Verdict to) noexcept {
    verdict_ = to;
    all_ = against_;
    against_ = {};
    against_scores_ = 0;
  }

  Options options_;
  double upper_;
  double lower_;
  Sum all_;
  Sum against_;  // since the evidence against the verdict was last at its least
  int scores_ = 0;
  int against_scores_ = 0;
  double against_from_ = 0;
  double previous_ = 0;
  double scored_at_ = 0;
  bool begun_ = false;
  double begin_ = 0;
  double first_ = 0;  // time of the first score
  double last_ = 0;
  Verdict verdict_ = Verdict::kUncertain;
};

}  // namespace liveness
