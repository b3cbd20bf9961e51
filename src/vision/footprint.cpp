#include "vision/footprint.hpp"

#include <algorithm>

#include "vision/resample.hpp"
#include "vision/roi_tables.hpp"

namespace liveness::vision {

void Footprint::reset(Size frame) {
  std::fill(rows_.begin() + first_, rows_.begin() + last_, Columns());
  const auto rows = static_cast<std::size_t>(frame.height);
  if (rows_.size() < rows) rows_.resize(rows);
  frame_ = frame;
  first_ = last_ = 0;
}

void Footprint::add_everything() {
  for (int y = 0; y < frame_.height; ++y) add(y, 0, frame_.width);
}

void Footprint::add_crop(const Rect& face, const RoiSpec& spec) {
  Resample job;
  job.region = crop_region(frame_, face, spec.crop, nullptr);
  job.out = {spec.input.width, spec.input.height};
  job.border = spec.crop.border;
  job.filter = choose_filter(spec.crop, {job.region.width, job.region.height}, job.out);
  rows_read(frame_, job, *this);
}

void Footprint::add_face(const Rect& box) {
  rows_read(frame_, quality_job(box, frame_), *this);
}

}  // namespace liveness::vision
