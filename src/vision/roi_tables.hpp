// The arithmetic of a crop: which part of the frame, which pixels of it make which pixel of the result, with what
// weights.
#pragma once

#include <cstdint>
#include <vector>

#include "liveness/model.hpp"
#include "liveness/roi.hpp"
#include "liveness/types.hpp"
#include "vision/roi_kernels.hpp"

namespace liveness::vision {

// Part of a frame in whole pixels; may reach outside.
struct Region {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

// Sides of regions and frames are bounded, so that no size or offset can overflow and no box can ask for hours of work.
inline constexpr int kMaxSide = 1 << 16;

// The region of a crop and the share of the wanted one that lies outside. The box is checked.
// Throws Error(kInvalidArgument) where the region is larger than kMaxSide.
[[nodiscard]] Region crop_region(Size frame, const Rect& face, const CropContract& crop, float* outside);

// Size of a frame that was scaled to fit inside `input`.
[[nodiscard]] Size letterbox_size(Size frame, Size input) noexcept;

// How the filter works on a region of this size.
[[nodiscard]] ResizeFilter choose_filter(const CropContract& crop, Size region, Size out) noexcept;

// One axis of a crop: `length` pixels from `origin` on become `out` pixels; `frame` pixels are there.
struct Axis {
  int origin = 0;
  int length = 0;
  int frame = 0;
  int out = 0;
  BorderRule border = BorderRule::kReplicate;

  // The part of the crop inside the frame, as frame coordinates [begin, end); where the crop misses the frame, the
  // nearest pixel.
  [[nodiscard]] int begin() const noexcept;
  [[nodiscard]] int end() const noexcept;
  // The pixel of the frame that stands at position `i` of the crop; -1 for the constant.
  [[nodiscard]] int source(int i) const noexcept;
};

// Two neighbours of each result and their weights in 1/2048, as OpenCV rounds them.
struct LinearTaps {
  std::vector<std::int32_t> index;    // of the first, in the crop; the second is the next one
  std::vector<std::int16_t> weights;  // pairs
};

// `like_area`: the weights that INTER_AREA uses where it enlarges. Across a row, a result near the edge takes the edge
// pixel alone (index in 0..length - 1, weight of the second 0); down the columns the index may be -1 or length - 1 with
// both weights, and rows outside repeat the edge. The sums are the same, their rounding is not; OpenCV does it so.
enum class Along : std::uint8_t { kRow, kColumn };
void linear_taps(const Axis& axis, Along along, bool like_area, LinearTaps& taps);

// Any number of neighbours: result i is the sum of weight[i * taps + k] * source[start[i] + k]. Positions in the crop;
// start + taps stays inside it (or start is 0 and weights behind the end are 0).
struct Fir {
  int taps = 0;
  Table<std::int32_t> start;
  Table<float> weight;
};
void area_taps(int length, int out, Fir& fir);
void lanczos_taps(int length, int out, Fir& fir);

}  // namespace liveness::vision
