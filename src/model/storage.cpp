#include "model/storage.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "liveness/error.hpp"

namespace liveness {

namespace {

constexpr std::uint32_t kSign = 0x80000000U;
constexpr std::uint32_t kHalfInfinity = 0x7c00U;

}  // namespace

std::uint16_t to_half(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits & kSign) >> 16;
  const std::uint32_t magnitude = bits & ~kSign;
  if (magnitude > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);
  if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | kHalfInfinity);  // 65520 rounds up
  if (magnitude < 0x38800000U) {
    // Below the smallest normal half float: adding 0.5 leaves its multiple of 2^-24 in the low bits, rounded to even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
  }
  const std::uint32_t odd = (magnitude >> 13) & 1U;
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000U + 0xfffU + odd) >> 13));
}

float from_half(std::uint16_t half) noexcept {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t magnitude = half & 0x7fffU;
  if (magnitude >= kHalfInfinity) return std::bit_cast<float>(sign | 0x7f800000U | (magnitude & 0x3ffU) << 13);
  // The exponent's offset goes by a multiplication, which is exact for what is below the smallest normal number too.
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | sign);
}

void round_to(Tensor& tensor, Tensor::Storage storage, std::size_t channel) {
  tensor.storage = storage;
  tensor.scale.clear();
  if (storage == Tensor::Storage::kFp16) {
    for (float& value : tensor.data) {
      const float rounded = from_half(to_half(value));
      if (!std::isfinite(rounded)) {
        throw Error(Status::kModelInvalid,
                    "tensor \"" + tensor.name + "\": " + std::to_string(value) + " is beyond the range of half floats");
      }
      value = rounded;
    }
  }
  if (storage != Tensor::Storage::kInt8) return;
  const ChannelOf channel_of(tensor.shape, channel);
  tensor.scale.assign(channel_of.count, 0.0F);
  for (std::size_t i = 0; i < tensor.data.size(); ++i) {
    float& largest = tensor.scale[channel_of(i)];
    largest = std::max(largest, std::abs(tensor.data[i]));
  }
  // A channel of zeros has any scale; a normal number, so that dividing by it stays finite.
  for (float& scale : tensor.scale) scale = std::max(scale / 127.0F, 0x1p-100F);
  for (std::size_t i = 0; i < tensor.data.size(); ++i) {
    const float scale = tensor.scale[channel_of(i)];
    tensor.data[i] = std::clamp(std::nearbyint(tensor.data[i] / scale), -127.0F, 127.0F) * scale;
  }
}

int channel_axis(Op op, std::size_t operand) noexcept {
  if (operand != 1) return -1;
  return op == Op::kConv ? 0 : op == Op::kLinear ? 1 : -1;
}

}  // namespace liveness
