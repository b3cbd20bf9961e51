// How faces move from frame to frame: motion model, association, likeness of pictures. Header only.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "liveness/detector.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// One coordinate that moves with nearly constant velocity: the Kalman filter of the white-noise acceleration model
/// (Bar-Shalom, Li, Kirubarajan 2001, "Estimation with Applications to Tracking and Navigation", 6.2). It has no lag
/// under constant velocity. A measurement beyond three standard deviations makes the covariance grow until it lies at
/// three (a fading memory, 8.5), so that a sudden turn is followed within a frame or two.
class MotionAxis {
 public:
  /// At rest at `position`; standard deviations in pixels and pixels a second.
  void start(double position, double deviation, double speed_deviation) noexcept {
    x_ = position;
    v_ = 0;
    p00_ = deviation * deviation;
    p01_ = 0;
    p11_ = speed_deviation * speed_deviation;
  }

  /// `seconds` later, 0 or more; `acceleration` is the standard deviation of the acceleration, pixels a second squared.
  void predict(double seconds, double acceleration) noexcept {
    const double q = acceleration * acceleration;
    const double t2 = seconds * seconds;
    x_ += v_ * seconds;
    p00_ += seconds * (2 * p01_ + seconds * p11_) + q * t2 * t2 / 4;
    p01_ += seconds * p11_ + q * t2 * seconds / 2;
    p11_ += q * t2;
  }

  /// A measured position with its standard deviation, greater than 0.
  void correct(double measured, double deviation) noexcept {
    const double r = deviation * deviation;
    const double innovation = measured - x_;
    const double most = innovation * innovation / 9;  // variance at which the innovation is three deviations
    if (most > p00_ + r && p00_ > 0) {
      const double grow = (most - r) / p00_;
      p00_ *= grow;
      p01_ *= grow;
      p11_ *= grow;
    }
    const double s = p00_ + r;
    const double k0 = p00_ / s;
    const double k1 = p01_ / s;
    x_ += k0 * innovation;
    v_ += k1 * innovation;
    p11_ -= k1 * p01_;
    p01_ -= k0 * p01_;
    p00_ -= k0 * p00_;
  }

  [[nodiscard]] double position() const noexcept { return x_; }
  [[nodiscard]] double velocity() const noexcept { return v_; }
  [[nodiscard]] double deviation() const noexcept { return std::sqrt(std::max(p00_, 0.0)); }

 private:
  double x_ = 0;
  double v_ = 0;
  double p00_ = 0;
  double p01_ = 0;
  double p11_ = 0;
};

/// What FaceMotion expects of faces and detectors, in sizes of the face (mean of its width and height).
struct MotionNoise {
  float measurement = 0.015F;  ///< standard deviation of a measured coordinate; more smooths more
  float acceleration = 4;      ///< per second squared; more follows turns faster and smooths less
};

/// A face under constant velocity: centre, width, height and landmarks, each a MotionAxis.
class FaceMotion {
 public:
  void start(const Face& face, const MotionNoise& noise = {}) noexcept {
    noise_ = noise;
    has_landmarks_ = face.has_landmarks;
    const auto values = coordinates(face);
    const double size = size_of(face.box);
    for (std::size_t i = 0; i < axes_.size(); ++i) axes_[i].start(values[i], noise.measurement * size, size);
  }

  void predict(double seconds) noexcept {
    const double size = size_of(box());
    for (MotionAxis& axis : axes_) axis.predict(seconds, noise_.acceleration * size);
  }

  void correct(const Face& face) noexcept {
    const auto values = coordinates(face);
    const double deviation = noise_.measurement * size_of(face.box);
    const bool points = face.has_landmarks && has_landmarks_;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      if (i < 4 || points) {
        axes_[i].correct(values[i], deviation);
      } else if (face.has_landmarks) {
        axes_[i].start(values[i], deviation, size_of(face.box));
      }
    }
    has_landmarks_ = face.has_landmarks;
  }

  [[nodiscard]] Rect box() const noexcept {
    const double w = std::max(axes_[2].position(), 1.0);
    const double h = std::max(axes_[3].position(), 1.0);
    return {static_cast<float>(axes_[0].position() - w / 2), static_cast<float>(axes_[1].position() - h / 2),
            static_cast<float>(w), static_cast<float>(h)};
  }

  /// The filtered face; `score` is 0.
  [[nodiscard]] Face face() const noexcept {
    Face f;
    f.box = box();
    f.has_landmarks = has_landmarks_;
    for (std::size_t i = 0; i < f.landmarks.size() && has_landmarks_; ++i)
      f.landmarks[i] = {static_cast<float>(axes_[4 + 2 * i].position()),
                        static_cast<float>(axes_[5 + 2 * i].position())};
    return f;
  }

  /// Of the centre, pixels a second.
  [[nodiscard]] Point velocity() const noexcept {
    return {static_cast<float>(axes_[0].velocity()), static_cast<float>(axes_[1].velocity())};
  }

 private:
  static constexpr std::size_t kAxes = 14;

  [[nodiscard]] static double size_of(const Rect& box) noexcept {
    return std::max((static_cast<double>(box.width) + box.height) / 2, 1.0);
  }
  [[nodiscard]] static std::array<double, kAxes> coordinates(const Face& face) noexcept {
    std::array<double, kAxes> all{};
    all[0] = face.box.x + face.box.width / 2;
    all[1] = face.box.y + face.box.height / 2;
    all[2] = face.box.width;
    all[3] = face.box.height;
    for (std::size_t i = 0; i < face.landmarks.size(); ++i) {
      all[4 + 2 * i] = face.landmarks[i].x;
      all[5 + 2 * i] = face.landmarks[i].y;
    }
    return all;
  }

  std::array<MotionAxis, kAxes> axes_;
  MotionNoise noise_;
  bool has_landmarks_ = false;
};

/// The pairing of rows with columns of least total cost (Kuhn 1955, "The Hungarian method for the assignment problem";
/// shortest augmenting paths, cubic time). `cost` has rows x columns entries, row by row; a pair whose cost is not
/// finite is never made. Returns for each row its column, or -1.
[[nodiscard]] inline std::vector<int> assign(std::span<const double> cost, std::size_t rows, std::size_t columns) {
  // Dearer than any pairing of allowed pairs, so that as many of those are made as can be.
  double all = 1;
  for (const double c : cost)
    if (std::isfinite(c)) all += std::fabs(c);
  const std::size_t n = std::max(rows, columns);
  const auto at = [&](std::size_t i, std::size_t j) {
    return i < rows && j < columns && std::isfinite(cost[i * columns + j]) ? cost[i * columns + j] : all;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> u(n + 1, 0);
  std::vector<double> v(n + 1, 0);
  std::vector<std::size_t> row_of(n + 1, 0);  // by column, both counted from 1; 0 is none
  std::vector<std::size_t> way(n + 1, 0);
  for (std::size_t i = 1; i <= n; ++i) {
    row_of[0] = i;
    std::size_t j0 = 0;
    std::vector<double> least(n + 1, kInfinity);
    std::vector<bool> used(n + 1, false);
    do {
      used[j0] = true;
      const std::size_t i0 = row_of[j0];
      double delta = kInfinity;
      std::size_t j1 = 0;
      for (std::size_t j = 1; j <= n; ++j) {
        if (used[j]) continue;
        const double reduced = at(i0 - 1, j - 1) - u[i0] - v[j];
        if (reduced < least[j]) {
          least[j] = reduced;
          way[j] = j0;
        }
        if (least[j] < delta) {
          delta = least[j];
          j1 = j;
        }
      }
      for (std::size_t j = 0; j <= n; ++j) {
        if (used[j]) {
          u[row_of[j]] += delta;
          v[j] -= delta;
        } else {
          least[j] -= delta;
        }
      }
      j0 = j1;
    } while (row_of[j0] != 0);
    do {
      row_of[j0] = row_of[way[j0]];
      j0 = way[j0];
    } while (j0 != 0);
  }
  std::vector<int> column_of(rows, -1);
  for (std::size_t j = 1; j <= columns; ++j) {
    const std::size_t i = row_of[j];
    if (i >= 1 && i <= rows && std::isfinite(cost[(i - 1) * columns + j - 1]))
      column_of[i - 1] = static_cast<int>(j) - 1;
  }
  return column_of;
}

/// A small grey picture by which a face or a whole frame is known again.
inline constexpr int kPatchSide = 16;
using Patch = std::array<std::uint8_t, std::size_t{kPatchSide} * kPatchSide>;

/// Likeness of two patches, -1..1: correlation after mean and contrast are taken out (zero-mean normalised
/// cross-correlation), so that light does not matter. 1 for two flat patches, 0 where only one is flat.
[[nodiscard]] inline float likeness(const Patch& a, const Patch& b) noexcept {
  std::int64_t sa = 0;
  std::int64_t sb = 0;
  std::int64_t saa = 0;
  std::int64_t sbb = 0;
  std::int64_t sab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sa += a[i];
    sb += b[i];
    saa += a[i] * a[i];
    sbb += b[i] * b[i];
    sab += a[i] * b[i];
  }
  const auto n = static_cast<std::int64_t>(a.size());
  const auto va = static_cast<double>(n * saa - sa * sa);
  const auto vb = static_cast<double>(n * sbb - sb * sb);
  // Below a deviation of one grey level there is nothing to compare but noise.
  const auto flat = static_cast<double>(n * n);
  if (va < flat || vb < flat) return va < flat && vb < flat ? 1.0F : 0.0F;
  return static_cast<float>(static_cast<double>(n * sab - sa * sb) / std::sqrt(va * vb));
}

/// Mean difference of two patches in grey levels.
[[nodiscard]] inline float difference(const Patch& a, const Patch& b) noexcept {
  int sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(int{a[i]} - int{b[i]});
  return static_cast<float>(sum) / static_cast<float>(a.size());
}

}  // namespace liveness
