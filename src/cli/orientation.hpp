// Which way up a phone held the camera.
#pragma once

#include <opencv2/core/mat.hpp>
#include <optional>
#include <string>

namespace liveness::cli {

// Degrees clockwise by which the pictures of a video must be turned to stand upright: 0, 90, 180 or 270, from the
// display matrix of the first video track of an MP4 or QuickTime file (ISO/IEC 14496-12, 8.3.2). Empty where the file
// is none, or its matrix is no such turn.
[[nodiscard]] std::optional<int> orientation_of(const std::string& file);

// Turns a picture clockwise by such an angle.
void turn(cv::Mat& picture, int degrees);

}  // namespace liveness::cli
