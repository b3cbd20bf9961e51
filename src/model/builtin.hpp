// The packages that the build put into the library.
#pragma once

#include <cstddef>
#include <span>

#include "liveness/model.hpp"

namespace liveness {

class ByteSource;

// Generated (cmake/LivenessEmbed.cmake); a program of its own, such as a test, may bring another.
[[nodiscard]] std::span<const std::span<const std::byte>> embedded_packages() noexcept;

// The contract of a package alone; graph and weights are neither read nor checked (package.cpp).
[[nodiscard]] Contract read_package_contract(const ByteSource& source);

}  // namespace liveness
