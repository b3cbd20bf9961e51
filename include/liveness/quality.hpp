// Measures of a face picture, and the reasons that follow from them. Header only.
#pragma once

#include <cstdint>

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
  float roll = 0;          ///< degrees in the image plane
};

/// Bounds beyond which a quality value becomes a reason.
struct QualityLimits {
  float min_face_pixels = 48;
  float min_sharpness = 15;
  float min_luminance = 40;
  float max_overexposed = 0.25F;
  float max_outside = 0.35F;  ///< of the crop
  float max_yaw = 40;
  float max_pitch = 35;
};

}  // namespace liveness
