// Plain values that every part of the library shares. Standard library only.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "liveness/detail/public.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Position in pixels; x to the right, y down, the centre of the top left pixel is (0, 0).
struct Point {
  float x = 0;
  float y = 0;
};

/// Axis-aligned box in pixels of the frame: [x, x + width) by [y, y + height). May lie partly outside the frame.
struct Rect {
  float x = 0;
  float y = 0;
  float width = 0;
  float height = 0;
};

/// Width and height in pixels.
struct Size {
  int width = 0;
  int height = 0;
};

[[nodiscard]] inline constexpr float area(const Rect& r) noexcept {
  return r.width * r.height;
}

[[nodiscard]] inline bool is_finite(const Rect& r) noexcept {
  return std::isfinite(r.x) && std::isfinite(r.y) && std::isfinite(r.width) && std::isfinite(r.height);
}

/// The part that both boxes cover; zero-sized where they do not meet.
[[nodiscard]] inline constexpr Rect intersect(const Rect& a, const Rect& b) noexcept {
  const float x0 = a.x > b.x ? a.x : b.x;
  const float y0 = a.y > b.y ? a.y : b.y;
  const float x1 = a.x + a.width < b.x + b.width ? a.x + a.width : b.x + b.width;
  const float y1 = a.y + a.height < b.y + b.height ? a.y + a.height : b.y + b.height;
  return x1 > x0 && y1 > y0 ? Rect{x0, y0, x1 - x0, y1 - y0} : Rect{x0, y0, 0, 0};
}

/// Intersection over union in 0..1; 0 where either box is empty.
[[nodiscard]] inline constexpr float iou(const Rect& a, const Rect& b) noexcept {
  const float common = area(intersect(a, b));
  const float all = area(a) + area(b) - common;
  return common > 0 && all > 0 ? common / all : 0.0F;
}

/// How the bytes of an image are laid out. All are 8 bits a channel.
enum class PixelFormat : std::uint8_t {
  kBgr,   ///< 3 bytes a pixel, OpenCV's order
  kRgb,   ///< 3 bytes a pixel
  kBgra,  ///< 4 bytes a pixel, alpha ignored
  kRgba,  ///< 4 bytes a pixel, alpha ignored
  kGray,  ///< 1 byte a pixel
  kNv12,  ///< a plane of luma, then a half-size plane of interleaved U, V (BT.601, video range)
  kNv21,  ///< as kNv12 with V before U
};

/// Bytes of one pixel in the first plane.
[[nodiscard]] inline constexpr int bytes_per_pixel(PixelFormat format) noexcept {
  switch (format) {
    case PixelFormat::kBgr:
    case PixelFormat::kRgb: return 3;
    case PixelFormat::kBgra:
    case PixelFormat::kRgba: return 4;
    default: return 1;
  }
}

/// A picture that somebody else owns; it must stay valid and unchanged while a call reads it.
struct ImageView {
  const std::uint8_t* data = nullptr;  ///< first byte of the top row (of luma for NV12 and NV21)
  int width = 0;                       ///< pixels
  int height = 0;                      ///< pixels
  std::ptrdiff_t stride = 0;           ///< bytes from one row to the next; at least width * bytes_per_pixel
  PixelFormat format = PixelFormat::kBgr;
  /// Chroma plane of NV12 and NV21; null means it follows the luma rows directly (data + stride * height).
  const std::uint8_t* chroma = nullptr;
  std::ptrdiff_t chroma_stride = 0;  ///< bytes; 0 means the same as `stride`
};

/// A tightly packed picture (stride = width * bytes of a pixel).
[[nodiscard]] inline constexpr ImageView make_image(const std::uint8_t* data, int width, int height,
                                                    PixelFormat format) noexcept {
  return {data, width, height, static_cast<std::ptrdiff_t>(width) * bytes_per_pixel(format), format, nullptr, 0};
}

/// What the library says of a face or a picture. Zero is never live: an untouched value denies.
enum class Verdict : std::uint8_t {
  kUncertain = 0,  ///< scored, but the evidence does not carry a decision; the reasons say why
  kLive = 1,       ///< bona fide presentation
  kSpoof = 2,      ///< presentation attack
  kNoFace = 3,     ///< no face was found, so nothing was scored
};

/// "LIVE", "SPOOF", "UNCERTAIN" or "NO_FACE".
[[nodiscard]] inline constexpr std::string_view to_string(Verdict v) noexcept {
  switch (v) {
    case Verdict::kLive: return "LIVE";
    case Verdict::kSpoof: return "SPOOF";
    case Verdict::kNoFace: return "NO_FACE";
    default: return "UNCERTAIN";
  }
}

/// A set of `Reason`s, one bit each.
using ReasonMask = std::uint32_t;

/// What speaks against trusting a score. Bits are stable: they go through the C ABI.
enum class Reason : ReasonMask {
  kTooSmall = 1U << 0,
  kBlurred = 1U << 1,
  kDark = 1U << 2,
  kSaturated = 1U << 3,
  kAtBorder = 1U << 4,
  kTurnedAway = 1U << 5,
  kModelsDisagree = 1U << 6,
  kSeveralFaces = 1U << 7,
  kUnstableCrop = 1U << 8,
  kFlatMotion = 1U << 9,
  kFrozen = 1U << 10,
  kFlicker = 1U << 11,
};

inline constexpr int kReasonCount = 12;

[[nodiscard]] inline constexpr ReasonMask mask(Reason r) noexcept {
  return static_cast<ReasonMask>(r);
}
[[nodiscard]] inline constexpr bool has(ReasonMask m, Reason r) noexcept {
  return (m & mask(r)) != 0;
}

/// The machine-readable name of one reason: "too_small", "blurred", ...; "unknown" for anything else.
[[nodiscard]] inline constexpr std::string_view to_string(Reason r) noexcept {
  switch (r) {
    case Reason::kTooSmall: return "too_small";
    case Reason::kBlurred: return "blurred";
    case Reason::kDark: return "dark";
    case Reason::kSaturated: return "saturated";
    case Reason::kAtBorder: return "at_border";
    case Reason::kTurnedAway: return "turned_away";
    case Reason::kModelsDisagree: return "models_disagree";
    case Reason::kSeveralFaces: return "several_faces";
    case Reason::kUnstableCrop: return "unstable_crop";
    case Reason::kFlatMotion: return "flat_motion";
    case Reason::kFrozen: return "frozen";
    case Reason::kFlicker: return "flicker";
  }
  return "unknown";
}

/// One reason as a sentence for the person in front of the camera.
[[nodiscard]] inline constexpr std::string_view sentence(Reason r) noexcept {
  switch (r) {
    case Reason::kTooSmall: return "The face is too small: move closer to the camera.";
    case Reason::kBlurred: return "The face is blurred: hold still, or clean and focus the camera.";
    case Reason::kDark: return "The face is too dark: turn on a light or face the window.";
    case Reason::kSaturated: return "The face is overexposed: move out of the direct light.";
    case Reason::kAtBorder: return "The face is at the edge of the picture: move to the middle.";
    case Reason::kTurnedAway: return "The face is turned away: look straight at the camera.";
    case Reason::kModelsDisagree: return "The models disagree about this face: another picture is needed.";
    case Reason::kSeveralFaces: return "There are several faces in the picture: only one person should be in view.";
    case Reason::kUnstableCrop:
      return "The score changes with small movements of the face box: another picture is needed.";
    case Reason::kFlatMotion: return "The face moves like a flat picture: show your own face, and turn your head.";
    case Reason::kFrozen: return "The picture does not change: check the camera, and show a living face.";
    case Reason::kFlicker: return "The face flickers like a screen: show your own face, under a steady light.";
  }
  return "Unknown reason.";
}

}  // namespace liveness
