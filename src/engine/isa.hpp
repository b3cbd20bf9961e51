// What the CPU has beside the instruction sets that users choose from.
#pragma once

#include "liveness/model.hpp"

namespace liveness::engine {

// Products of bytes (AMX, AVX512-VNNI, AVX-VNNI) and of bfloat16 (AMX, AVX512-BF16) for plans of this instruction set.
[[nodiscard]] bool has_vnni(Isa isa) noexcept;
[[nodiscard]] bool has_bf16(Isa isa) noexcept;

}  // namespace liveness::engine
