// Weights in fewer bits: what rounding to a storage does to them, and the bytes of half floats.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/graph.hpp"

namespace liveness {

// Half floats, IEEE 754 binary16. `to_half` rounds to nearest, ties to even; beyond the range it gives infinity.
[[nodiscard]] std::uint16_t to_half(float value) noexcept;
[[nodiscard]] float from_half(std::uint16_t half) noexcept;

// Rounds the tensor's values to what `storage` can hold and marks it. kInt8: one scale for each index of axis
// `channel`, largest |value| / 127. Throws Error(kModelInvalid) where a value is beyond the range of a half float.
void round_to(Tensor& tensor, Tensor::Storage storage, std::size_t channel);

// The axis of the output channels of this constant operand: 0 for the weight of conv, 1 for that of linear; -1 where
// int8 storage has no meaning.
[[nodiscard]] int channel_axis(Op op, std::size_t operand) noexcept;

// Which channel the element at a place of the row-major array belongs to.
struct ChannelOf {
  std::size_t inner = 1;  // elements from one channel to the next
  std::size_t count = 1;
  ChannelOf(const Shape& shape, std::size_t axis) noexcept : count(static_cast<std::size_t>(shape[axis])) {
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<std::size_t>(shape[i]);
  }
  [[nodiscard]] std::size_t operator()(std::size_t element) const noexcept { return element / inner % count; }
};

}  // namespace liveness
