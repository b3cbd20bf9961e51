// Which instruction sets this machine can run.
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/isa.hpp"
#include "liveness/error.hpp"
#include "liveness/model.hpp"

namespace liveness {

namespace {

// The builtins look at CPUID and at what the operating system saves (XGETBV).
bool machine_has(Isa isa) {
#ifdef LIVENESS_X86
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  if (isa == Isa::kAvx2) return avx2;
  if (isa == Isa::kAvx512) {
    return avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  }
#endif
  return isa == Isa::kPortable;
}

}  // namespace

std::string_view to_string(Isa isa) noexcept {
  switch (isa) {
    case Isa::kAuto: return "auto";
    case Isa::kPortable: return "portable";
    case Isa::kAvx2: return "avx2";
    case Isa::kAvx512: return "avx512";
  }
  return "unknown";
}

std::vector<Isa> available_isas() {
  std::vector<Isa> found;
  for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512}) {
    if (machine_has(isa)) found.push_back(isa);
  }
  return found;
}

Isa default_isa() {
  const char* wanted = std::getenv("LIVENESS_ISA");
  if (wanted == nullptr || *wanted == '\0') return available_isas().back();
  for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512}) {
    if (to_string(isa) != wanted) continue;
    if (!machine_has(isa)) {
      throw Error(Status::kUnsupported,
                  "LIVENESS_ISA=" + std::string(wanted) + ": this machine lacks that instruction set");
    }
    return isa;
  }
  throw Error(Status::kInvalidArgument, "LIVENESS_ISA=" + std::string(wanted) + ": expected portable, avx2 or avx512");
}

bool engine::has_vnni([[maybe_unused]] Isa isa) noexcept {
#ifdef LIVENESS_X86
  if (isa == Isa::kAvx512) return __builtin_cpu_supports("avx512vnni") != 0;
  if (isa == Isa::kAvx2) return __builtin_cpu_supports("avxvnni") != 0;
#endif
  return false;
}

bool engine::has_bf16([[maybe_unused]] Isa isa) noexcept {
#ifdef LIVENESS_X86
  if (isa == Isa::kAvx512) return has_vnni(isa) && __builtin_cpu_supports("avx512bf16") != 0;
#endif
  return false;
}

std::vector<Precision> fast_precisions(Isa isa) {
  std::vector<Precision> fast;
  if (isa == Isa::kAvx2 || isa == Isa::kAvx512) fast.push_back(Precision::kInt8);
  if (engine::has_bf16(isa)) fast.push_back(Precision::kBf16);
  return fast;
}

}  // namespace liveness
