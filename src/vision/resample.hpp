// One region of a frame to planes of values: the work behind RoiProcessor, the detector's letterbox and the quality
// patch.
#pragma once

#include "liveness/model.hpp"
#include "liveness/roi.hpp"
#include "liveness/types.hpp"
#include "vision/footprint.hpp"
#include "vision/roi_kernels.hpp"
#include "vision/roi_tables.hpp"

namespace liveness::vision {

struct Resample {
  Region region;
  Size out;
  BorderRule border = BorderRule::kReplicate;
  std::uint8_t border_value = 0;
  ResizeFilter filter = ResizeFilter::kBilinear;
  ColorOrder color = ColorOrder::kBgr;
  // Value = grey level * mul + add, by plane of the result.
  float mul[3] = {1, 1, 1};
  float add[3] = {0, 0, 0};
};

// The image is checked, the job makes sense. Scratch belongs to the calling thread and is kept.
void resample(const RoiKernels& kernels, const ImageView& image, const Resample& job, PlanarView out);

// Adds the pixels of a frame of this size that resample() makes its result from.
void rows_read(Size frame, const Resample& job, Footprint& to);

// The pass that measure_quality makes over the part of a face's box that lies in the frame.
[[nodiscard]] Resample quality_job(const Rect& box, Size frame);

}  // namespace liveness::vision
