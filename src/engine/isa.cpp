// Which instruction sets this machine can run.
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#ifdef LIVENESS_X86
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

#include "engine/isa.hpp"
#include "liveness/error.hpp"
#include "liveness/model.hpp"

namespace liveness {

namespace {

constexpr Isa kAll[] = {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAmx};

#ifdef LIVENESS_X86

// clang 14's builtin does not know it.
bool has_avx_vnni() {
  constexpr unsigned kInLeaf7 = 1U << 4;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & kInLeaf7) != 0;
}

// Products of tiles in bf16 and bytes: the CPU has them, the system saves the tiles, and lets this process use them.
bool may_use_tiles() {
#ifdef __linux__
  constexpr unsigned kTilesInLeaf7 = 1U << 22 | 1U << 24 | 1U << 25;  // bf16, tiles, int8
  constexpr unsigned kTilesSaved = 1U << 17 | 1U << 18;
  constexpr unsigned kXgetbv = 1U << 27;
  constexpr long kAskPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kXgetbv) == 0) return false;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTilesInLeaf7) != kTilesInLeaf7) return false;
  asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  if ((a & kTilesSaved) != kTilesSaved) return false;
  return ::syscall(SYS_arch_prctl, kAskPermission, kTileData) == 0;
#else
  return false;
#endif
}

#endif

// The builtins look at CPUID and at what the operating system saves (XGETBV).
bool machine_has(Isa isa) {
#ifdef LIVENESS_X86
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  if (isa == Isa::kAvx2) return avx2;
  if (isa == Isa::kAvx512) return avx512;
  if (isa == Isa::kAmx) {
    if (!avx512 || __builtin_cpu_supports("avx512bf16") == 0) return false;
    static const bool tiles = may_use_tiles();  // the answer holds for the whole process
    return tiles;
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
    case Isa::kAmx: return "amx";
  }
  return "unknown";
}

std::vector<Isa> available_isas() {
  std::vector<Isa> found;
  std::copy_if(std::begin(kAll), std::end(kAll), std::back_inserter(found), machine_has);
  return found;
}

Isa default_isa() {
  const char* wanted = std::getenv("LIVENESS_ISA");
  if (wanted == nullptr || *wanted == '\0') return available_isas().back();
  for (const Isa isa : kAll) {
    if (to_string(isa) != wanted) continue;
    if (!machine_has(isa)) {
      throw Error(Status::kUnsupported,
                  "LIVENESS_ISA=" + std::string(wanted) + ": this machine lacks that instruction set");
    }
    return isa;
  }
  throw Error(Status::kInvalidArgument,
              "LIVENESS_ISA=" + std::string(wanted) + ": expected portable, avx2, avx512 or amx");
}

bool engine::has_vnni([[maybe_unused]] Isa isa) noexcept {
#ifdef LIVENESS_X86
  if (isa == Isa::kAmx) return true;
  if (isa == Isa::kAvx512) return __builtin_cpu_supports("avx512vnni") != 0;
  if (isa == Isa::kAvx2) return has_avx_vnni();
#endif
  return false;
}

bool engine::has_bf16([[maybe_unused]] Isa isa) noexcept {
#ifdef LIVENESS_X86
  if (isa == Isa::kAmx) return true;
  if (isa == Isa::kAvx512) return has_vnni(isa) && __builtin_cpu_supports("avx512bf16") != 0;
#endif
  return false;
}

std::vector<Precision> fast_precisions(Isa isa) {
  std::vector<Precision> fast;
  if (engine::has_vnni(isa)) fast.push_back(Precision::kInt8);
  bool fast_bf16 = isa == Isa::kAmx;
#ifdef LIVENESS_X86
  // AMD's AVX512-BF16 multiplies twice as fast as fp32, Intel's half as fast.
  fast_bf16 = fast_bf16 || (engine::has_bf16(isa) && __builtin_cpu_is("amd") != 0);
#endif
  if (fast_bf16) fast.push_back(Precision::kBf16);
  return fast;
}

}  // namespace liveness
