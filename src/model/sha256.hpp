// SHA-256 (FIPS 180-4): names a file or a model by its content.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace liveness {

class Sha256 {
 public:
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  // 64 hexadecimal digits; nothing may be added afterwards.
  [[nodiscard]] std::string finish();

 private:
  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{};  // bytes that do not fill a block yet
  std::size_t filled_ = 0;
  std::uint64_t total_ = 0;
};

[[nodiscard]] std::string sha256(std::span<const std::byte> bytes);

}  // namespace liveness
