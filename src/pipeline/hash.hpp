// XXH3 in 128 bits, once for each instruction set; the result is the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "liveness/model.hpp"

namespace liveness {

struct Hash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const Hash&, const Hash&) = default;
};

// Random bytes that every hash depends on.
using Secret = std::array<std::byte, 192>;

using HashFunction = Hash (*)(const void* data, std::size_t size, const Secret& secret);
[[nodiscard]] HashFunction hash_function(Isa isa) noexcept;

Hash hash_portable(const void* data, std::size_t size, const Secret& secret);
Hash hash_avx2(const void* data, std::size_t size, const Secret& secret);
Hash hash_avx512(const void* data, std::size_t size, const Secret& secret);

}  // namespace liveness
