// What the motion of a face says against it: reasons to deny, never to accept. Header only.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "liveness/motion.hpp"
#include "liveness/quality.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Where `p` goes by the homography that takes the four points `from` to `to` (in the same order around the
/// quadrilateral). False where there is none: three of the points in a line, or `p` at infinity.
[[nodiscard]] inline bool map_by_homography(const std::array<Point, 4>& from, const std::array<Point, 4>& to, Point p,
                                            Point& mapped) noexcept {
  // Eight equations for eight unknowns (Hartley and Zisserman 2004, 4.1, with h33 = 1), Gauss with pivoting.
  std::array<std::array<double, 9>, 8> m{};
  for (std::size_t i = 0; i < 4; ++i) {
    const double x = from[i].x;
    const double y = from[i].y;
    const double u = to[i].x;
    const double v = to[i].y;
    m[2 * i] = {x, y, 1, 0, 0, 0, -u * x, -u * y, u};
    m[2 * i + 1] = {0, 0, 0, x, y, 1, -v * x, -v * y, v};
  }
  for (std::size_t c = 0; c < 8; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c + 1; r < 8; ++r)
      if (std::fabs(m[r][c]) > std::fabs(m[pivot][c])) pivot = r;
    if (!(std::fabs(m[pivot][c]) > 1e-9)) return false;
    std::swap(m[c], m[pivot]);
    for (std::size_t r = 0; r < 8; ++r) {
      if (r == c) continue;
      const double f = m[r][c] / m[c][c];
      for (std::size_t k = c; k < 9; ++k) m[r][k] -= f * m[c][k];
    }
  }
  std::array<double, 8> h{};
  for (std::size_t i = 0; i < 8; ++i) h[i] = m[i][8] / m[i][i];
  const double w = h[6] * p.x + h[7] * p.y + 1;
  if (!(std::fabs(w) > 1e-9)) return false;
  mapped = {static_cast<float>((h[0] * p.x + h[1] * p.y + h[2]) / w),
            static_cast<float>((h[3] * p.x + h[4] * p.y + h[5]) / w)};
  return std::isfinite(mapped.x) && std::isfinite(mapped.y);
}

/// Watches one track. Three cues, each of which raises its reason while it holds:
///
/// * kFlatMotion: eyes and corners of the mouth move out of the picture's plane (the homography between two frames is
///   no similarity), and the tip of the nose, which stands out of their plane on a head, goes where that homography
///   takes a point of the plane. A print that is turned does so; a head does not.
/// * kFrozen: the face moves and its pixels, brought back to the same place, do not change at all.
/// * kFlicker: the brightness of the face swings from frame to frame, up and down in turn, as a screen under a rolling
///   shutter does, while the rest of the picture does not.
class MotionCues {
 public:
  struct Options {
    bool enabled = false;
    float least_turn = 0.12F;  ///< part by which width over height of the eyes-and-mouth shape must change
    float flat = 0.03F;        ///< nose off the plane, in eye distances, up to which the motion is flat
    float still = 0.6F;        ///< mean difference of two aligned faces, grey levels, up to which nothing lives in it
    float least_move = 0.1F;   ///< way, in face sizes, that a face must go before it can be frozen
    float flicker = 2;         ///< grey levels: mean size of alternating swings
    int frames = 24;           ///< 8..64: over which swings and stillness are watched
  };

  explicit MotionCues(const Options& options) noexcept : options_(options) {}

  /// One frame of the track: where the detector found the face (not smoothed), what it looks like, mean grey level of
  /// the face and of the whole frame. Returns the reasons that hold now.
  ReasonMask push(const Face& face, const Patch& patch, float face_level, float frame_level) noexcept {
    if (!options_.enabled) return 0;
    ReasonMask reasons = 0;
    if (flat(face)) reasons |= mask(Reason::kFlatMotion);
    if (frozen(face, patch)) reasons |= mask(Reason::kFrozen);
    if (flickers(face_level - frame_level)) reasons |= mask(Reason::kFlicker);
    return reasons;
  }

 private:
  // Four points in order around: eyes, then mouth from the left to the right corner.
  [[nodiscard]] static std::array<Point, 4> outline(const Face& f) noexcept {
    return {f.landmarks[0], f.landmarks[1], f.landmarks[4], f.landmarks[3]};
  }
  [[nodiscard]] static float distance(const Point& a, const Point& b) noexcept {
    return std::hypot(a.x - b.x, a.y - b.y);
  }
  [[nodiscard]] static float aspect(const Face& f) noexcept {
    const Point eyes{(f.landmarks[0].x + f.landmarks[1].x) / 2, (f.landmarks[0].y + f.landmarks[1].y) / 2};
    const Point mouth{(f.landmarks[3].x + f.landmarks[4].x) / 2, (f.landmarks[3].y + f.landmarks[4].y) / 2};
    const float height = distance(eyes, mouth);
    return height > 0 ? distance(f.landmarks[0], f.landmarks[1]) / height : 0;
  }

  [[nodiscard]] bool flat(const Face& face) noexcept {
    if (!face.has_landmarks) return flat_;
    if (!has_reference_) {
      reference_ = face;
      has_reference_ = true;
      return flat_;
    }
    const float before = aspect(reference_);
    const float now = aspect(face);
    if (!(before > 0 && now > 0)) return flat_;
    if (std::fabs(now / before - 1) < options_.least_turn) return flat_;
    Point nose;
    if (!map_by_homography(outline(reference_), outline(face), reference_.landmarks[2], nose)) return flat_;
    const float eyes = std::max(distance(face.landmarks[0], face.landmarks[1]), 1.0F);
    const bool is_flat = distance(nose, face.landmarks[2]) <= options_.flat * eyes;
    // One frame may be chance: the measured points jitter.
    flat_turns_ = is_flat ? std::min(flat_turns_ + 1, 3) : 0;
    flat_ = flat_turns_ == 3;
    return flat_;
  }

  [[nodiscard]] bool frozen(const Face& face, const Patch& patch) noexcept {
    if (started_ && difference(patch, last_) <= options_.still) {
      still_ = std::min(still_ + 1, 1000);
    } else {
      still_ = 0;
      from_ = face.box;
    }
    started_ = true;
    last_ = patch;
    const float size = std::max((face.box.width + face.box.height) / 2, 1.0F);
    const float way = std::hypot(face.box.x + face.box.width / 2 - from_.x - from_.width / 2,
                                 face.box.y + face.box.height / 2 - from_.y - from_.height / 2);
    return still_ >= frames() && way >= options_.least_move * size;
  }

  [[nodiscard]] bool flickers(float level) noexcept {
    const auto n = static_cast<std::size_t>(frames());
    if (levels_ == n) {
      std::copy(level_.begin() + 1, level_.begin() + static_cast<std::ptrdiff_t>(n), level_.begin());
      --levels_;
    }
    level_[levels_++] = level;
    if (levels_ < n) return false;
    int turns = 0;
    double swing = 0;
    for (std::size_t i = 2; i < n; ++i) {
      const double a = static_cast<double>(level_[i - 1]) - level_[i - 2];
      const double b = static_cast<double>(level_[i]) - level_[i - 1];
      turns += a * b < 0 ? 1 : 0;
      swing += std::fabs(b);
    }
    const auto steps = static_cast<double>(n - 2);
    return turns >= static_cast<int>(0.8 * steps) && swing / steps >= static_cast<double>(options_.flicker);
  }

  [[nodiscard]] int frames() const noexcept { return std::clamp(options_.frames, 8, 64); }

  Options options_;
  Face reference_;
  bool has_reference_ = false;
  int flat_turns_ = 0;
  bool flat_ = false;
  Patch last_{};
  Rect from_;
  bool started_ = false;
  int still_ = 0;
  std::array<float, 64> level_{};
  std::size_t levels_ = 0;
};

}  // namespace liveness
