// Views of OpenCV pictures. Opt-in: needs liveness::opencv.
#pragma once

#include <opencv2/core/mat.hpp>
#include <string>

#include "liveness/error.hpp"
#include "liveness/types.hpp"

namespace liveness {

/// A view of an 8-bit matrix with 1 (grey), 3 (BGR) or 4 (BGRA) channels; give `format` where the order is another.
/// The matrix must outlive the view. Throws Error(kInvalidArgument) for anything else.
[[nodiscard]] inline ImageView view(const cv::Mat& image) {
  PixelFormat format = PixelFormat::kBgr;
  switch (image.type()) {
    case CV_8UC1: format = PixelFormat::kGray; break;
    case CV_8UC3: break;
    case CV_8UC4: format = PixelFormat::kBgra; break;
    default:
      throw Error(Status::kInvalidArgument,
                  "image: expected 8-bit with 1, 3 or 4 channels, got OpenCV type " + std::to_string(image.type()));
  }
  return {image.data, image.cols, image.rows, static_cast<std::ptrdiff_t>(image.step), format, nullptr, 0};
}

[[nodiscard]] inline ImageView view(const cv::Mat& image, PixelFormat format) {
  ImageView v = view(image);
  if (bytes_per_pixel(format) != image.channels())
    throw Error(Status::kInvalidArgument,
                "image: " + std::to_string(image.channels()) + " channels do not fit the pixel format");
  v.format = format;
  if (format == PixelFormat::kNv12 || format == PixelFormat::kNv21) v.height = image.rows * 2 / 3;
  return v;
}

}  // namespace liveness
