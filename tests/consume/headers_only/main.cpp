// What is arithmetic on small data works without a library to link; two files include it, so that it is one definition.
#include <array>
#include <cmath>
#include <liveness/liveness.hpp>

float other_overlap(const liveness::Rect& a, const liveness::Rect& b);

int main() {
  using namespace liveness;
  const Rect a{0, 0, 10, 10};
  const Rect b{5, 0, 10, 10};
  const bool geometry = std::abs(iou(a, b) - 1.0F / 3) < 1e-6F && other_overlap(a, b) == iou(a, b);

  const std::array<MemberScore, 2> members = {MemberScore{"a", 0.9F, to_logit(0.9F)}, MemberScore{"b", 0.5F, 0}};
  const std::array<Bounds, 2> bounds{};
  const auto fused = fuse(Fusion::kMean, members, bounds, {});
  const bool decision = std::abs(fused.score - 0.7F) < 1e-6F && decide(fused.score, bounds[0]) == Verdict::kLive &&
                        decide(0, Bounds{0, 0}) != Verdict::kLive;

  static Profiler profiler;
  { const Profiler::Timer timer(&profiler, Profiler::Stage::kInfer); }
  profiler.add(Profiler::Counter::kFrames);
  const bool figures = profiler.get("infer.count") == 1 && profiler.get("frames") == 1;

  std::array<std::uint8_t, kQualityPixels> grey{};
  grey.fill(128);
  const Quality quality = measure_patch(grey);
  const bool measures = quality.luminance == 128 && has(reasons_of(quality), Reason::kBlurred);

  const bool rates = clopper_pearson(0, 20).high < 0.1685 && mcnemar(0, 0) == 1;

  return rates && geometry && decision && figures && measures && !sentence(Reason::kDark).empty() ? 0 : 1;
}
