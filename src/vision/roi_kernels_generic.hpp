// The ROI pass's loops in plain C++ with vectors of four and eight, which every compiler maps to what it has. Included
// by each set of kernels and inlined there, so that the same text is compiled once an instruction set.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vision/roi_kernels.hpp"

#define LIVENESS_INLINE inline __attribute__((always_inline))

namespace liveness::vision::generic {

typedef float Float4 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));
typedef std::uint8_t Byte8 __attribute__((vector_size(8)));

template <class V>
LIVENESS_INLINE void load(const void* from, V& v) noexcept {
  std::memcpy(&v, from, sizeof v);
}

// Grey level of a weighted sum: half to even, 0..255.
LIVENESS_INLINE float level(float v) noexcept {
  constexpr float kMagic = 12582912.0F;  // at 1.5 * 2^23 the unit of a float is 1
  return std::min(std::max((v + kMagic) - kMagic, 0.0F), 255.0F);
}

// OpenCV's fixed point: sums along the row are cut to 1/128 of a grey level, both rows to 1/4, then rounded.
LIVENESS_INLINE void linear(const LinearRow& row, const LinearLine* lines, int count, const float* mul,
                            const float* add, float* const* out, std::ptrdiff_t out_stride) noexcept {
  const std::int32_t* offset = row.offset.data();
  const std::int16_t* weights = row.weights.data();
  const std::int32_t* bias = row.bias.empty() ? nullptr : row.bias.data();
  for (int y = 0; y < count; ++y) {
    const LinearLine& line = lines[y];
    for (int c = 0; c < row.pixel.planes; ++c) {
      const std::uint8_t* above = line.upper + row.pixel.order[c];
      const std::uint8_t* below = line.lower + row.pixel.order[c];
      float* to = out[c] + out_stride * y;
      for (int x = 0; x < row.width; ++x) {
        const int first = weights[2 * x];
        const int second = weights[2 * x + 1];
        const std::int32_t at = offset[x];
        // Where the first tap is the frame's last pixel, the second has no weight and must not be read.
        const std::int32_t next = second == 0 ? at : at + row.second;
        const int more = bias != nullptr ? bias[x] : 0;
        const int a = (above[at] * first + above[next] * second + more) >> 4;
        const int b = (below[at] * first + below[next] * second + more) >> 4;
        const int sum = ((a * line.upper_weight) >> 16) + ((b * line.lower_weight) >> 16);
        to[x] = static_cast<float>((sum + 2) >> 2) * mul[c] + add[c];
      }
    }
  }
}

// Interleaved row buffer: every byte of the row becomes a float.
LIVENESS_INLINE void accumulate(const std::uint8_t* const* pixels, const float* weights, int rows, float base,
                                int bytes, bool more, float* buffer) noexcept {
  constexpr int kBlock = 32;
  int x = 0;
  for (; x + kBlock <= bytes; x += kBlock) {
    float* out = buffer + x;
    Float8 a, b, c, d;
    if (more) {
      load(out, a);
      load(out + 8, b);
      load(out + 16, c);
      load(out + 24, d);
    } else {
      a = b = c = d = Float8{} + base;
    }
    for (int r = 0; r < rows; ++r) {
      const std::uint8_t* p = pixels[r] + x;
      const float w = weights[r];
      Byte8 v;
      load(p, v);
      a += __builtin_convertvector(v, Float8) * w;
      load(p + 8, v);
      b += __builtin_convertvector(v, Float8) * w;
      load(p + 16, v);
      c += __builtin_convertvector(v, Float8) * w;
      load(p + 24, v);
      d += __builtin_convertvector(v, Float8) * w;
    }
    std::memcpy(out, &a, sizeof a);
    std::memcpy(out + 8, &b, sizeof b);
    std::memcpy(out + 16, &c, sizeof c);
    std::memcpy(out + 24, &d, sizeof d);
  }
  for (; x < bytes; ++x) {
    float sum = more ? buffer[x] : base;
    for (int r = 0; r < rows; ++r) sum += static_cast<float>(pixels[r][x]) * weights[r];
    buffer[x] = sum;
  }
}

LIVENESS_INLINE void reduce(const FirRow& row, const float* buffer, float* scratch, const float* mul, const float* add,
                            float* const* out) noexcept {
  const int taps = row.taps;
  const float* weight = row.weight.data();
  if (row.pixel.planes == 1) {
    for (int x = 0; x < row.width; ++x, weight += taps) {
      const float* p = buffer + row.start[static_cast<std::size_t>(x)];
      float sum = 0;
      for (int k = 0; k < taps; ++k) sum += p[k] * weight[k];
      out[0][x] = level(sum) * mul[0] + add[0];
    }
    return;
  }
  const std::ptrdiff_t bytes = row.pixel.bytes;
  for (int x = 0; x < row.width; ++x, weight += taps) {
    const float* p = buffer + row.start[static_cast<std::size_t>(x)] * bytes;
    Float4 sum{};
    for (int k = 0; k < taps; ++k) {
      Float4 v;
      load(p + k * bytes, v);
      sum += v * weight[k];
    }
    std::memcpy(scratch + std::ptrdiff_t{4} * x, &sum, sizeof sum);
  }
  for (int c = 0; c < 3; ++c) {
    const float* plane = scratch + row.pixel.order[c];
    float* to = out[c];
    const float m = mul[c];
    const float a = add[c];
    for (int x = 0; x < row.width; ++x) to[x] = level(plane[std::ptrdiff_t{4} * x]) * m + a;
  }
}

// BT.601 from video range in 1/2^20, rounded as OpenCV does.
inline constexpr int kLuma = 1220542;
inline constexpr int kBlueU = 2116026;
inline constexpr int kGreenU = -409993;
inline constexpr int kGreenV = -852492;
inline constexpr int kRedV = 1673527;
inline constexpr int kHalf = 1 << 19;

LIVENESS_INLINE std::uint8_t byte(int v) noexcept {
  return static_cast<std::uint8_t>(std::clamp(v >> 20, 0, 255));
}

LIVENESS_INLINE void nv12_row(const std::uint8_t* luma, const std::uint8_t* chroma, int count, bool swapped,
                              std::uint8_t* out) noexcept {
  for (int x = 0; x < count; ++x) {
    const int u = chroma[(x & ~1) + (swapped ? 1 : 0)] - 128;
    const int v = chroma[(x & ~1) + (swapped ? 0 : 1)] - 128;
    const int y = std::max(luma[x] - 16, 0) * kLuma + kHalf;
    out[4 * x] = byte(y + kBlueU * u);
    out[4 * x + 1] = byte(y + kGreenU * u + kGreenV * v);
    out[4 * x + 2] = byte(y + kRedV * v);
    out[4 * x + 3] = 0;
  }
}

LIVENESS_INLINE void luma_row(const std::uint8_t* luma, int count, std::uint8_t* out) noexcept {
  for (int x = 0; x < count; ++x) out[x] = byte(std::max(luma[x] - 16, 0) * kLuma + kHalf);
}

// BT.601 weights in 1/2^15.
LIVENESS_INLINE void grey_row(const float* blue, const float* green, const float* red, int count, float mul, float add,
                              float* out) noexcept {
  for (int x = 0; x < count; ++x) {
    const int sum =
        static_cast<int>(blue[x]) * 3735 + static_cast<int>(green[x]) * 19235 + static_cast<int>(red[x]) * 9798;
    out[x] = static_cast<float>((sum + (1 << 14)) >> 15) * mul + add;
  }
}

LIVENESS_INLINE void scale_row(const float* levels, int count, float mul, float add, float* out) noexcept {
  for (int x = 0; x < count; ++x) out[x] = levels[x] * mul + add;
}

}  // namespace liveness::vision::generic
