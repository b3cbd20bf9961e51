// Measures of a face picture, and the reasons that follow from them. Header only but for `measure_quality`.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

#include "liveness/detector.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Measured on the face box of one frame.
struct Quality {
  float face_pixels = 0;   ///< shorter side of the face box, pixels
  float sharpness = 0;     ///< variance of the Laplacian of the face scaled to 64 x 64 grey levels
  float luminance = 0;     ///< mean grey level of the face, 0..255
  float overexposed = 0;   ///< share of pixels at 250 and above, 0..1
  float underexposed = 0;  ///< share of pixels at 5 and below, 0..1
  float outside = 0;       ///< largest share of a model's crop outside the frame, 0..1
  float yaw = 0;           ///< degrees from the landmarks, positive to the person's left; 0 without landmarks
  float pitch = 0;         ///< degrees, positive up
  float roll = 0;          ///< degrees in the image plane, positive clockwise as seen in the picture
};

/// Bounds beyond which a quality value becomes a reason. docs/roi_and_detector.md says where the defaults come from.
struct QualityLimits {
  float min_face_pixels = 48;
  float min_sharpness = 15;
  float min_luminance = 40;
  float max_overexposed = 0.25F;
  float max_outside = 0.35F;  ///< of the crop
  float max_yaw = 40;
  float max_pitch = 35;
};

/// Side of the grey picture of a face on which exposure and sharpness are measured.
inline constexpr int kQualitySide = 64;
inline constexpr std::size_t kQualityPixels = std::size_t{kQualitySide} * kQualitySide;

/// Sharpness, luminance, over- and underexposure of a grey face of kQualitySide rows and columns; all other fields are
/// 0.
[[nodiscard]] inline Quality measure_patch(std::span<const std::uint8_t, kQualityPixels> grey) noexcept {
  std::int64_t sum = 0;
  int over = 0;
  int under = 0;
  for (const std::uint8_t v : grey) {
    sum += v;
    over += v >= 250 ? 1 : 0;
    under += v <= 5 ? 1 : 0;
  }
  std::int64_t edge_sum = 0;
  std::int64_t edge_squares = 0;
  for (int y = 1; y < kQualitySide - 1; ++y) {
    const std::uint8_t* row = grey.data() + std::ptrdiff_t{y} * kQualitySide;
    int line_sum = 0;
    int line_squares = 0;  // at most 62 * 1020^2: fits
    for (int x = 1; x < kQualitySide - 1; ++x) {
      const int edge = row[x - 1] + row[x + 1] + row[x - kQualitySide] + row[x + kQualitySide] - 4 * row[x];
      line_sum += edge;
      line_squares += edge * edge;
    }
    edge_sum += line_sum;
    edge_squares += line_squares;
  }
  constexpr double kPixels = kQualityPixels;
  constexpr double kInner = double{kQualitySide - 2} * (kQualitySide - 2);
  const double edge_mean = static_cast<double>(edge_sum) / kInner;
  Quality q;
  q.sharpness = static_cast<float>(static_cast<double>(edge_squares) / kInner - edge_mean * edge_mean);
  q.luminance = static_cast<float>(static_cast<double>(sum) / kPixels);
  q.overexposed = static_cast<float>(over / kPixels);
  q.underexposed = static_cast<float>(under / kPixels);
  return q;
}

/// Direction of a head in degrees, signs as in Quality.
struct HeadPose {
  float yaw = 0;
  float pitch = 0;
  float roll = 0;
};

/// Approximate: from five landmarks and the proportions of an average face, good to about 10 degrees up to 45.
/// Zero where the points do not span a face (all in one place, not finite).
[[nodiscard]] inline HeadPose estimate_pose(const std::array<Point, 5>& landmarks) noexcept {
  // Of an average face, in distances between the eyes: how far the tip of the nose stands out of the plane of eyes and
  // mouth, from the eyes down to the mouth, and from the eyes down to the nose.
  constexpr float kNoseDepth = 0.45F;
  constexpr float kMouthDrop = 1.15F;
  constexpr float kNoseDrop = 0.57F;
  constexpr float kDegrees = 180 / std::numbers::pi_v<float>;
  const auto& [right_eye, left_eye, nose, right_mouth, left_mouth] = landmarks;
  const float dx = left_eye.x - right_eye.x + left_mouth.x - right_mouth.x;
  const float dy = left_eye.y - right_eye.y + left_mouth.y - right_mouth.y;
  const float length = std::hypot(dx, dy);
  if (!(length > 0) || !std::isfinite(length)) return {};
  // Turned upright: u runs from the right eye to the left one, v from the eyes to the mouth.
  const float c = dx / length;
  const float s = dy / length;
  const auto u = [c, s](const Point& p) { return p.x * c + p.y * s; };
  const auto v = [c, s](const Point& p) { return p.y * c - p.x * s; };
  const float eyes_u = (u(right_eye) + u(left_eye)) / 2;
  const float eyes_v = (v(right_eye) + v(left_eye)) / 2;
  const float mouth_u = (u(right_mouth) + u(left_mouth)) / 2;
  const float mouth_v = (v(right_mouth) + v(left_mouth)) / 2;
  const float width = u(left_eye) - u(right_eye);
  const float height = mouth_v - eyes_v;
  if (!(height > 0) || !std::isfinite(height) || !std::isfinite(u(nose)) || !std::isfinite(v(nose))) return {};
  const float down = kNoseDrop / kMouthDrop;
  const float side_shift = u(nose) - (eyes_u + (mouth_u - eyes_u) * down);
  const float up_shift = eyes_v + height * down - v(nose);
  HeadPose pose;
  pose.yaw = kDegrees * std::atan2(side_shift, kNoseDepth * std::max(width, 0.0F));
  pose.pitch = kDegrees * std::atan2(up_shift, kNoseDepth / kMouthDrop * height);
  pose.roll = kDegrees * std::atan2(dy, dx);
  return pose;
}

/// The reasons that the values give: too small, blurred, dark, saturated, at the border, turned away. A value that is
/// not a number counts as beyond its bound.
[[nodiscard]] inline ReasonMask reasons_of(const Quality& q, const QualityLimits& limits = {}) noexcept {
  ReasonMask m = 0;
  if (!(q.face_pixels >= limits.min_face_pixels)) m |= mask(Reason::kTooSmall);
  if (!(q.sharpness >= limits.min_sharpness)) m |= mask(Reason::kBlurred);
  if (!(q.luminance >= limits.min_luminance)) m |= mask(Reason::kDark);
  if (!(q.overexposed <= limits.max_overexposed)) m |= mask(Reason::kSaturated);
  if (!(q.outside <= limits.max_outside)) m |= mask(Reason::kAtBorder);
  if (!(std::fabs(q.yaw) <= limits.max_yaw && std::fabs(q.pitch) <= limits.max_pitch)) m |= mask(Reason::kTurnedAway);
  return m;
}

/// Everything but `outside`, which depends on the networks' crops: one pass over the part of the face box that lies in
/// the frame (area filter to 64 x 64 grey levels), and the pose where the face has landmarks. Grey is OpenCV's
/// BGR2GRAY; of NV12 and NV21 it is the luma scaled to full range. Throws Error(kInvalidArgument) as check_image and
/// check_box do.
[[nodiscard]] Quality measure_quality(const ImageView& image, const Face& face);

}  // namespace liveness
