// From members' scores to one score, from a score to a verdict. Header only.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Log-odds are clamped to +- this.
inline constexpr float kMaxLogit = 30;

/// What one network said of one face.
struct MemberScore {
  std::string model;  ///< contract().name
  float score = 0;    ///< P(live), 0..1
  float logit = 0;    ///< log-odds of the score, clamped to +-kMaxLogit
};

/// How members' scores become one. The bounds of an ensemble follow from those of its members (see fuse_bounds).
enum class Fusion : std::uint8_t {
  kMean,         ///< mean of P(live), the rule of the published MiniFASNet pair
  kWeighted,     ///< weighted mean of P(live)
  kLogOddsMean,  ///< mean of the log-odds
  kMajority,     ///< share of members at or above their own threshold
  kMinimum,      ///< the most suspicious member decides
};
inline constexpr int kFusionCount = 5;

/// "mean", "weighted", "log_odds_mean", "majority" or "minimum".
[[nodiscard]] inline constexpr std::string_view to_string(Fusion fusion) noexcept {
  switch (fusion) {
    case Fusion::kMean: return "mean";
    case Fusion::kWeighted: return "weighted";
    case Fusion::kLogOddsMean: return "log_odds_mean";
    case Fusion::kMajority: return "majority";
    case Fusion::kMinimum: return "minimum";
  }
  return "unknown";
}

/// Two bounds on P(live), spoof <= live: LIVE at or above `live`, SPOOF below `spoof`, UNCERTAIN between them.
struct Bounds {
  float live = 0.5F;
  float spoof = 0.5F;
};

/// Log-odds of a probability, clamped to +-kMaxLogit.
[[nodiscard]] inline float to_logit(float p) noexcept {
  const double x = std::log(static_cast<double>(p)) - std::log1p(-static_cast<double>(p));
  return static_cast<float>(std::clamp(x, -static_cast<double>(kMaxLogit), static_cast<double>(kMaxLogit)));
}

/// The probability that has these log-odds.
[[nodiscard]] inline float to_score(float logit) noexcept {
  return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(logit))));
}

/// The verdict that the score alone gives. A score of 0 is never LIVE, whatever the bounds; what is no score (NaN, or
/// outside 0..1) is UNCERTAIN.
[[nodiscard]] inline constexpr Verdict decide(float score, const Bounds& bounds) noexcept {
  if (!(score >= 0 && score <= 1)) return Verdict::kUncertain;
  if (score >= bounds.live && score > 0) return Verdict::kLive;
  return score < bounds.spoof ? Verdict::kSpoof : Verdict::kUncertain;
}

/// One score from at least one member's; `bounds` (kMajority) and `weights` (kWeighted) have one entry a member.
/// `model` of the result is empty.
[[nodiscard]] inline MemberScore fuse(Fusion fusion, std::span<const MemberScore> members,
                                      std::span<const Bounds> bounds, std::span<const float> weights) {
  MemberScore all;
  const auto n = static_cast<double>(members.size());
  double sum = 0;
  switch (fusion) {
    case Fusion::kMean:
      for (const auto& m : members) sum += m.score;
      all.score = static_cast<float>(sum / n);
      break;
    case Fusion::kWeighted: {
      double weight = 0;
      for (std::size_t i = 0; i < members.size(); ++i) {
        sum += static_cast<double>(weights[i]) * members[i].score;
        weight += weights[i];
      }
      all.score = static_cast<float>(sum / weight);
      break;
    }
    case Fusion::kLogOddsMean:
      for (const auto& m : members) sum += m.logit;
      all.logit = static_cast<float>(sum / n);
      all.score = to_score(all.logit);
      return all;
    case Fusion::kMajority:
      for (std::size_t i = 0; i < members.size(); ++i)
        if (decide(members[i].score, bounds[i]) == Verdict::kLive) sum += 1;
      all.score = static_cast<float>(sum / n);
      break;
    case Fusion::kMinimum: {
      const auto least = std::min_element(members.begin(), members.end(),
                                          [](const auto& a, const auto& b) { return a.logit < b.logit; });
      all.score = least->score;
      all.logit = least->logit;
      return all;
    }
  }
  // A saturated score has lost its log-odds; where one member alone speaks, they are known.
  all.logit = members.size() == 1 && fusion != Fusion::kMajority ? members[0].logit : to_logit(all.score);
  return all;
}

/// Bounds on the fused score, from the members'. kMean, kWeighted: the same mean of their bounds. kLogOddsMean: mean of
/// the bounds' log-odds. kMinimum: the strictest member's, so that LIVE means LIVE for every member. kMajority: more
/// than half for LIVE, less than half for SPOOF, so that a tie is UNCERTAIN.
[[nodiscard]] inline Bounds fuse_bounds(Fusion fusion, std::span<const Bounds> members,
                                        std::span<const float> weights) {
  const auto mean = [&](auto&& of) {
    double sum = 0;
    double weight = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const double w = fusion == Fusion::kWeighted ? static_cast<double>(weights[i]) : 1.0;
      sum += w * static_cast<double>(of(members[i]));
      weight += w;
    }
    return static_cast<float>(sum / weight);
  };
  Bounds all;
  switch (fusion) {
    case Fusion::kMean:
    case Fusion::kWeighted:
      all.live = mean([](const Bounds& b) { return b.live; });
      all.spoof = mean([](const Bounds& b) { return b.spoof; });
      break;
    case Fusion::kLogOddsMean:
      // One member keeps its bound exactly: to the log-odds and back would round it.
      if (members.size() == 1) return members[0];
      all.live = to_score(mean([](const Bounds& b) { return to_logit(b.live); }));
      all.spoof = to_score(mean([](const Bounds& b) { return to_logit(b.spoof); }));
      break;
    case Fusion::kMajority: {
      const std::size_t half = members.size() / 2;
      all.live = static_cast<float>(static_cast<double>(half + 1) / static_cast<double>(members.size()));
      break;
    }
    case Fusion::kMinimum:
      all = {0, 0};
      for (const auto& b : members) all = {std::max(all.live, b.live), std::max(all.spoof, b.spoof)};
      break;
  }
  return all;
}

/// How many different jittered boxes there are.
inline constexpr int kJitterCount = 26;

/// Box i (0 <= i < kJitterCount) of a fixed set around a box: every combination of scale (-10 %, 0, +10 %) and shift in
/// x and y
/// (-5 %, 0, +5 % of its size) but the box itself. The six along one axis come first, then the eight extreme ones.
[[nodiscard]] inline Rect jittered(const Rect& box, int i) noexcept {
  static constexpr std::array<std::array<signed char, 3>, kJitterCount> kSteps = {{
      {1, 0, 0},    {-1, 0, 0},  {0, 1, 0},  {0, -1, 0}, {0, 0, 1},   {0, 0, -1},  {1, 1, 1},
      {-1, -1, -1}, {1, -1, -1}, {-1, 1, 1}, {1, 1, -1}, {-1, -1, 1}, {1, -1, 1},  {-1, 1, -1},
      {0, 1, 1},    {0, -1, -1}, {0, 1, -1}, {0, -1, 1}, {1, 1, 0},   {-1, -1, 0}, {1, 0, 1},
      {-1, 0, -1},  {1, -1, 0},  {-1, 1, 0}, {1, 0, -1}, {-1, 0, 1},
  }};
  const auto& step = kSteps[static_cast<std::size_t>(i)];
  const float scale = 1 + 0.1F * static_cast<float>(step[0]);
  const float width = box.width * scale;
  const float height = box.height * scale;
  return {box.x + (box.width - width) / 2 + 0.05F * static_cast<float>(step[1]) * box.width,
          box.y + (box.height - height) / 2 + 0.05F * static_cast<float>(step[2]) * box.height, width, height};
}

}  // namespace liveness
