#include "vision/roi_kernels.hpp"

#include "vision/roi_kernels_generic.hpp"
#include "vision/roi_kernels_x86.hpp"

namespace liveness::vision {
namespace {

void prepare_linear(LinearRow&) {}
void prepare_fir(FirRow& row) {
  row.planar = false;
}

void accumulate(const FirRow& row, const std::uint8_t* const* pixels, const float* weights, int rows, float base,
                int count, bool more, float* buffer) {
  generic::accumulate(pixels, weights, rows, base, count * row.pixel.bytes, more, buffer);
}

void linear(const LinearRow& row, const LinearLine* lines, int count, const float* mul, const float* add,
            float* const* out, std::ptrdiff_t out_stride) {
  generic::linear(row, lines, count, mul, add, out, out_stride);
}
void reduce(const FirRow& row, const float* buffer, float* scratch, const float* mul, const float* add,
            float* const* out) {
  generic::reduce(row, buffer, scratch, mul, add, out);
}
void nv12_row(const std::uint8_t* luma, const std::uint8_t* chroma, int count, bool swapped, std::uint8_t* out) {
  generic::nv12_row(luma, chroma, count, swapped, out);
}
void luma_row(const std::uint8_t* luma, int count, std::uint8_t* out) {
  generic::luma_row(luma, count, out);
}
void grey_row(const float* blue, const float* green, const float* red, int count, float mul, float add, float* out) {
  generic::grey_row(blue, green, red, count, mul, add, out);
}
void scale_row(const float* levels, int count, float mul, float add, float* out) {
  generic::scale_row(levels, count, mul, add, out);
}

constexpr RoiKernels kPortable = {prepare_linear, linear,   prepare_fir, accumulate, reduce,
                                  nv12_row,       luma_row, grey_row,    scale_row};

}  // namespace

const RoiKernels& roi_kernels(Isa isa) noexcept {
#ifdef LIVENESS_ROI_X86
  if (isa >= Isa::kAvx512 && has_byte_permutes()) return kRoiAvx512;
  if (isa >= Isa::kAvx2) return kRoiAvx2;
#endif
  static_cast<void>(isa);
  return kPortable;
}

}  // namespace liveness::vision
