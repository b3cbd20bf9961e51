// What the plan hands to the kernels. Plain data only: this header is compiled with different instruction sets, so it
// must hold no function that a linker could merge across them.
#pragma once

#include <cstddef>
#include <cstdint>

#define LIVENESS_INLINE __attribute__((always_inline)) inline

namespace liveness::engine {

using Index = std::ptrdiff_t;

// Where a tensor's rows lie in the arena: NHWC, `stride` floats a pixel (channels rounded up to whole vectors; what is
// beyond `channels` is finite but has no meaning). A ring shorter than `height` keeps only the latest rows.
struct Rows {
  Index offset = 0;  // of pixel (0, 0), in floats from the arena's start
  Index pitch = 0;   // floats from row to row
  Index stride = 0;  // floats from pixel to pixel
  Index plane = 0;   // planes only: floats from plane to plane (stride is then 1)
  int ring = 1;
  int height = 1;
  int width = 1;
  int channels = 1;
  int pad_left = 0;  // columns of zeros that whoever writes a row keeps beside it
  int pad_right = 0;
};

enum class Act : std::uint8_t {
  kNone,
  kClip,         // a = lowest, b = highest
  kPRelu,        // slope a channel
  kHardSigmoid,  // clip(a x + b, 0, 1)
  kHardSwish,    // x clip(a x + b, 0, 1)
  kSigmoid,
  kTanh,
};

enum class Pointwise : std::uint8_t {
  kIdentity,  // x
  kAffine,    // x weight[c] + bias[c]
  kAdd,       // x + y, and so on
  kSub,
  kMul,
  kDiv,
};

// Output channels that one tile column computes: `vectors` registers from register `first` on, reading input channels
// from `channel` on.
struct ConvBlock {
  int first = 0;
  int vectors = 1;
  int channel = 0;
  const float* weight = nullptr;
  // Of the last vector only the lower half is used: two pixels share a register then, and its weights are there twice.
  bool half = false;
};

// One layer, ready to run. Only the fields that its kernel reads are set.
struct Operation {
  Rows a;  // input
  Rows b;  // second operand: a residual of a convolution, the right-hand side of a pointwise step
  Rows c;  // residual of a pointwise step; the gate of a convolution: a pixel that multiplies every pixel of the sums
  Rows out;
  bool has_b = false;
  bool has_c = false;
  bool b_vector = false;        // b is one pixel, used for all
  bool residual_first = false;  // add before the activation instead of after it
  bool maximum = false;         // pooling: of the window, instead of the mean
  bool include_pad = false;     // average pooling divides by the whole window
  bool linear = false;          // resize: interpolate
  bool channels_last = false;   // dense copies: order H, W, C instead of C, H, W
  Act act = Act::kNone;
  Pointwise pointwise = Pointwise::kIdentity;
  float act_a = 0;
  float act_b = 0;
  int kernel_h = 1;
  int kernel_w = 1;
  int stride_h = 1;
  int stride_w = 1;
  int dilation_h = 1;
  int dilation_w = 1;
  int pad_top = 0;
  int pad_left = 0;
  int pad_bottom = 0;  // pooling only
  int pad_right = 0;
  int depth = 0;      // convolution: values a segment holds
  int segments = 0;   // convolution: runs of `depth` contiguous values that make up one output's window
  int channel = 0;    // dense copies and concatenation: first channel of the wide side
  Index zeros = 0;    // arena offset of a row of zeros
  Index scratch = 0;  // arena offset of what a convolution below fp32 makes of its input
  const ConvBlock* blocks = nullptr;
  int block_count = 0;
  const float* weight = nullptr;  // convolution in int8: the sum of each output's whole weights
  const float* scale = nullptr;   // convolution in int8: the step of each output's weights
  const float* bias = nullptr;
  const float* slope = nullptr;
  const int* map_y = nullptr;  // resize: two source rows an output row, then two source columns an output column
  const int* map_x = nullptr;
  const float* lerp_y = nullptr;  // weight of the second
  const float* lerp_x = nullptr;
};

using Kernel = void (*)(const Operation& op, float* arena, int y0, int y1);  // makes rows [y0, y1) of the output

inline constexpr int kMaxSegments = 1024;
inline constexpr int kMaxBlockVectors = 4;

struct Kernels {
  int lanes;           // floats a vector
  int wide_vectors;    // vectors a convolution block holds at most
  bool halves;         // conv can do with half a vector
  Kernel conv;         // dense and grouped, from NHWC
  Kernel conv_planes;  // from the input's planes
  Kernel depthwise;
  Kernel pool;
  Kernel global_pool;
  Kernel pointwise;
  Kernel resize;
  Kernel from_planes;
  Kernel to_dense;    // out.offset is a dense array
  Kernel from_dense;  // a.offset is a dense array
  Kernel concat;      // copies a's channels to `channel` of the output, or from `channel` of a where out is narrower
};

// Convolutions below fp32. Weights are packed as 32-bit units: [segment][unit of the depth][output of the block][value
// of the unit], signed bytes or 16-bit numbers for int8, bfloat16 for bf16. `depth` counts units. Scratch holds `sums`
// floats; then, of a 1x1 convolution of stride 1, steps and lowest values of `chunk` pixels and the pixels; of another,
// the rows that its window covers, each with `beyond` times its stride in pixels and a vector behind it.
struct LowKernels {
  Kernel conv_bf16;   // null: no instructions for it
  Kernel conv_int8;   // 1x1 of stride 1
  int int8_per_unit;  // 4: bytes; 2: 16-bit numbers
  int int8_inputs;    // fewest channels with which int8 gains time over bf16
  int int8_outputs;
  int wide_vectors;    // vectors a block holds at most
  int depth_multiple;  // units of a pixel are filled up with zeros to a multiple of this
  int chunk;
  int beyond;
  int sums;
  bool gates;       // both can multiply their sums with a pixel
  void (*enter)();  // what a thread calls before the first of these kernels in a pass; or null
  void (*leave)();  // and after the last
};
inline constexpr int kBf16PerUnit = 2;

extern const Kernels kPortableKernels;
extern const LowKernels kPortableLow;
#ifdef LIVENESS_X86
extern const Kernels kAvx2Kernels;
extern const LowKernels kAvx2Low;
extern const LowKernels kAvx2VnniLow;
extern const Kernels kAvx512Kernels;
extern const LowKernels kAvx512Low;
extern const LowKernels kAvx512VnniLow;
extern const LowKernels kAvx512Bf16Low;  // and VNNI, which every CPU with AVX512-BF16 has
extern const LowKernels kAmxLow;         // beside kAvx512Kernels
#endif

}  // namespace liveness::engine
