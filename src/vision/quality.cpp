#include "liveness/quality.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "liveness/roi.hpp"
#include "vision/resample.hpp"

namespace liveness {

vision::Resample vision::quality_job(const Rect& box, Size frame) {
  const auto inside = [](float v, int limit) {
    return static_cast<int>(std::clamp(v, 0.0F, static_cast<float>(limit)));
  };
  const int x0 = inside(std::floor(box.x), frame.width - 1);
  const int y0 = inside(std::floor(box.y), frame.height - 1);
  Resample job;
  job.region = {x0, y0, std::max(inside(std::ceil(box.x + box.width), frame.width) - x0, 1),
                std::max(inside(std::ceil(box.y + box.height), frame.height) - y0, 1)};
  job.out = {kQualitySide, kQualitySide};
  job.filter = ResizeFilter::kArea;
  job.color = ColorOrder::kGray;
  return job;
}

Quality measure_quality(const ImageView& image, const Face& face) {
  check_image(image);
  const Rect& box = face.box;
  check_box(box, {image.width, image.height});
  const vision::RoiKernels& kernels = vision::roi_kernels(default_isa());

  const vision::Resample job = vision::quality_job(box, {image.width, image.height});
  std::array<float, kQualityPixels> levels;
  vision::resample(kernels, image, job, {levels.data(), kQualitySide, static_cast<std::ptrdiff_t>(kQualityPixels)});
  std::array<std::uint8_t, kQualityPixels> grey;
  for (std::size_t i = 0; i < kQualityPixels; ++i) grey[i] = static_cast<std::uint8_t>(levels[i]);

  Quality q = measure_patch(grey);
  q.face_pixels = std::min(box.width, box.height);
  if (face.has_landmarks) {
    const HeadPose pose = estimate_pose(face.landmarks);
    q.yaw = pose.yaw;
    q.pitch = pose.pitch;
    q.roll = pose.roll;
  }
  return q;
}

}  // namespace liveness
