// Kernels of the ROI pass for x86-64.
#pragma once

#include "vision/roi_kernels.hpp"

#if defined(__x86_64__)
#define LIVENESS_ROI_X86 1
namespace liveness::vision {
extern const RoiKernels kRoiAvx2;
extern const RoiKernels kRoiAvx512;  // needs VBMI beside what Isa::kAvx512 stands for
[[nodiscard]] bool has_byte_permutes() noexcept;
}  // namespace liveness::vision
#endif
