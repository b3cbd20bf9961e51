#include "torch/row_kernels.hpp"

#include <algorithm>

// One version for each kind of vectors, chosen when the plugin is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LIVENESS_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LIVENESS_CLONES
#endif

namespace liveness::torch_plugin {

namespace {

// The compiler makes one loop of each combination, for the flags are constants where it is called.
template <bool kPRelu, int kResidual>
[[gnu::always_inline]] inline float finish(float v, std::size_t c, const float* residual, const Epilogue& e) {
  if constexpr (kResidual == 1) v += residual[c];
  if constexpr (kPRelu) {
    v = v < 0 ? v * e.slope[c] : v;
  } else {
    v = std::min(std::max(v, e.low), e.high);
  }
  if constexpr (kResidual == 2) v += residual[c];
  return v;
}

template <bool kPRelu, int kResidual>
[[gnu::always_inline]] inline void activate(float* x, std::size_t rows, std::size_t channels, const Epilogue& e) {
  for (std::size_t r = 0; r < rows; ++r) {
    float* row = x + r * channels;
    const float* residual = kResidual == 0 ? nullptr : e.residual + r * channels;
#pragma GCC ivdep
    for (std::size_t c = 0; c < channels; ++c) row[c] = finish<kPRelu, kResidual>(row[c], c, residual, e);
  }
}

struct Sums {
  const std::int32_t* sums;
  const float* step;
  const float* low;
  const float* weight_scale;
  const float* weight_sum;
};

template <bool kPRelu, int kResidual>
[[gnu::always_inline]] inline void dequantize(const Sums& s, float* y, std::size_t rows, std::size_t channels,
                                              const Epilogue& e) {
  for (std::size_t r = 0; r < rows; ++r) {
    const std::int32_t* from = s.sums + r * channels;
    float* to = y + r * channels;
    const float* residual = kResidual == 0 ? nullptr : e.residual + r * channels;
    const float step = s.step[r];
    const float low = s.low[r];
#pragma GCC ivdep
    for (std::size_t c = 0; c < channels; ++c) {
      const float v = static_cast<float>(from[c]) * (step * s.weight_scale[c]) + (low * s.weight_sum[c] + e.bias[c]);
      to[c] = finish<kPRelu, kResidual>(v, c, residual, e);
    }
  }
}

int residual_kind(const Epilogue& e) {
  if (e.residual == nullptr) return 0;
  return e.residual_first ? 1 : 2;
}

}  // namespace

LIVENESS_CLONES void activate_rows(float* x, std::size_t rows, std::size_t channels, const Epilogue& e) {
  const int residual = residual_kind(e);
  if (e.slope != nullptr) {
    if (residual == 0) return activate<true, 0>(x, rows, channels, e);
    if (residual == 1) return activate<true, 1>(x, rows, channels, e);
    return activate<true, 2>(x, rows, channels, e);
  }
  if (residual == 0) return activate<false, 0>(x, rows, channels, e);
  if (residual == 1) return activate<false, 1>(x, rows, channels, e);
  return activate<false, 2>(x, rows, channels, e);
}

LIVENESS_CLONES void quantize_rows(float* x, std::uint8_t* q, float* step, float* low, std::size_t rows,
                                   std::size_t channels, const Epilogue* before) {
  for (std::size_t r = 0; r < rows; ++r) {
    float* row = x + r * channels;
    // Row by row, so that it is still in the nearest cache.
    if (before != nullptr && before->slope != nullptr) {
      activate<true, 0>(row, 1, channels, *before);
    } else if (before != nullptr) {
      activate<false, 0>(row, 1, channels, *before);
    }
    std::uint8_t* to = q + r * channels;
    // A single minimum would be a chain that the compiler may not reorder.
    constexpr std::size_t kLanes = 16;
    float lows[kLanes];
    float highs[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) lows[i] = highs[i] = row[0];
    const std::size_t whole = channels / kLanes * kLanes;
    for (std::size_t c = 0; c < whole; c += kLanes) {
      for (std::size_t i = 0; i < kLanes; ++i) {
        lows[i] = row[c + i] < lows[i] ? row[c + i] : lows[i];
        highs[i] = row[c + i] > highs[i] ? row[c + i] : highs[i];
      }
    }
    for (std::size_t c = whole; c < channels; ++c) {
      lows[0] = std::min(lows[0], row[c]);
      highs[0] = std::max(highs[0], row[c]);
    }
    float least = lows[0];
    float most = highs[0];
    for (std::size_t i = 1; i < kLanes; ++i) {
      least = std::min(least, lows[i]);
      most = std::max(most, highs[i]);
    }
    const float range = most - least;
    const float factor = range > 0 ? 255.0F / range : 0.0F;
    step[r] = range / 255.0F;
    low[r] = least;
#pragma GCC ivdep
    for (std::size_t c = 0; c < channels; ++c) {
      to[c] = static_cast<std::uint8_t>(static_cast<int>((row[c] - least) * factor + 0.5F));
    }
  }
}

LIVENESS_CLONES void finish_rows(const std::int32_t* sums, float* y, const float* step, const float* low,
                                 const float* weight_scale, const float* weight_sum, std::size_t rows,
                                 std::size_t channels, const Epilogue& e) {
  const Sums s{sums, step, low, weight_scale, weight_sum};
  const int residual = residual_kind(e);
  if (e.slope != nullptr) {
    if (residual == 0) return dequantize<true, 0>(s, y, rows, channels, e);
    if (residual == 1) return dequantize<true, 1>(s, y, rows, channels, e);
    return dequantize<true, 2>(s, y, rows, channels, e);
  }
  if (residual == 0) return dequantize<false, 0>(s, y, rows, channels, e);
  if (residual == 1) return dequantize<false, 1>(s, y, rows, channels, e);
  return dequantize<false, 2>(s, y, rows, channels, e);
}

}  // namespace liveness::torch_plugin
