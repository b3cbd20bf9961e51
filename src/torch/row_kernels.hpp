// What LibTorch has no single operator for, over rows of pixels in memory order. No torch header.
#pragma once

#include <cstddef>
#include <cstdint>

namespace liveness::torch_plugin {

// Of one layer's epilogue. Sums are scaled, shifted, then added to `residual` before or after the activation.
struct Epilogue {
  const float* bias = nullptr;      // one a channel
  const float* slope = nullptr;     // PReLU: one a channel; null: clip to low..high
  const float* residual = nullptr;  // rows x channels, or null
  bool residual_first = false;
  float low = 0;
  float high = 0;
};

// In place: x + residual, PReLU or clip, x + residual. `bias` is not used.
void activate_rows(float* x, std::size_t rows, std::size_t channels, const Epilogue& epilogue);

// Each row to 0..255 in steps of its own from its lowest value on, as the native engine does: a value is low + step *
// q.
// Where `before` is given, its activation comes first, in place.
void quantize_rows(float* x, std::uint8_t* q, float* step, float* low, std::size_t rows, std::size_t channels,
                   const Epilogue* before = nullptr);

// y = sums * step[row] * weight_scale[c] + low[row] * weight_sum[c] + bias[c], then the rest of the epilogue;
// `weight_sum`: of the channel's weights, scaled.
void finish_rows(const std::int32_t* sums, float* y, const float* step, const float* low, const float* weight_scale,
                 const float* weight_sum, std::size_t rows, std::size_t channels, const Epilogue& epilogue);

}  // namespace liveness::torch_plugin
