// Kernels for AVX-512 (F, BW, DQ, VL).
#include <immintrin.h>

#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

using V = __m512;
using Int = int __attribute__((vector_size(64)));
inline constexpr int kLanes = 16;
inline constexpr int kMaxVectors = 4;
inline constexpr int kRegisters = 32;
// Sums and weights fit the 32 registers; a single vector column multiplies straight from memory.
constexpr int tile_rows(int vectors) {
  return vectors == 1 ? 24 : vectors == 2 ? 12 : vectors == 3 ? 8 : 6;
}

LIVENESS_INLINE V load(const float* p) {
  return _mm512_loadu_ps(p);
}
LIVENESS_INLINE void store(float* p, V v) {
  _mm512_storeu_ps(p, v);
}
LIVENESS_INLINE V splat(float x) {
  return _mm512_set1_ps(x);
}
// Fetched once and then in a register: the compiler would rather fetch it again for every multiplication.
LIVENESS_INLINE void keep(V& v) {
  asm("" : "+v"(v));
}
LIVENESS_INLINE V fma(V a, V b, V c) {
  return _mm512_fmadd_ps(a, b, c);
}
LIVENESS_INLINE V lowest(V a, V b) {
  return _mm512_min_ps(a, b);
}
LIVENESS_INLINE V highest(V a, V b) {
  return _mm512_max_ps(a, b);
}
LIVENESS_INLINE V prelu(V x, V s) {
  return _mm512_mask_mul_ps(x, _mm512_movepi32_mask(_mm512_castps_si512(x)), x, s);
}
using Mask = __mmask16;
LIVENESS_INLINE Mask make_mask(bool on) {
  return static_cast<Mask>(on ? 0xffff : 0);
}
LIVENESS_INLINE V load_masked(const float* p, Mask mask) {
  return _mm512_maskz_loadu_ps(mask, p);
}

// Two pixels in one register, where eight output channels or fewer are left over.
struct Halves {
  static constexpr bool kOn = true;
  static constexpr int rows(int vectors) { return vectors == 2 ? 16 : vectors == 3 ? 10 : 6; }
  LIVENESS_INLINE static V join(V lower, V upper) { return _mm512_mask_blend_ps(0xff00, lower, upper); }
  LIVENESS_INLINE static V load_twice(const float* p) { return _mm512_broadcast_f32x8(_mm256_loadu_ps(p)); }
  LIVENESS_INLINE static V load(const float* lower, const float* upper) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(lower)), _mm256_loadu_ps(upper), 1);
  }
  LIVENESS_INLINE static void store(float* lower, float* upper, V v) {
    _mm256_storeu_ps(lower, _mm512_castps512_ps256(v));
    _mm256_storeu_ps(upper, _mm512_extractf32x8_ps(v, 1));
  }
};

#include "engine/kernels_impl.hpp"

LIVENESS_INLINE Int to_int(V x) {
  return __builtin_bit_cast(Int, _mm512_cvtps_epi32(x));
}
LIVENESS_INLINE V to_float(Int x) {
  return _mm512_cvtepi32_ps(__builtin_bit_cast(__m512i, x));
}
LIVENESS_INLINE Int load_units(const int __attribute__((may_alias)) * p) {
  return __builtin_bit_cast(Int, _mm512_loadu_si512(p));
}
LIVENESS_INLINE Int splat_unit(const int __attribute__((may_alias)) * p) {
  return __builtin_bit_cast(Int, _mm512_set1_epi32(*p));
}
LIVENESS_INLINE float lowest_lane(V x) {
  return _mm512_reduce_min_ps(x);
}
LIVENESS_INLINE float highest_lane(V x) {
  return _mm512_reduce_max_ps(x);
}

struct Shorts {
  using Sum = Int;
  static constexpr bool kWhole = true;
  static constexpr int kBytes = 2;
  static constexpr int kPerUnit = 2;
  LIVENESS_INLINE static Int add(Int sum, Int x, Int w) {
    return sum +
           __builtin_bit_cast(Int, _mm512_madd_epi16(__builtin_bit_cast(__m512i, x), __builtin_bit_cast(__m512i, w)));
  }
  LIVENESS_INLINE static void pack(char* to, Int x) {
    const __m256i shorts = _mm512_cvtepi32_epi16(__builtin_bit_cast(__m512i, x));
    __builtin_memcpy(to, &shorts, sizeof shorts);
  }
};

// VNNI and BF16 in assembly: the compiler would need to be told that every function here has them, and GCC 12 spills
// the sums of _mm512_dpbusd_epi32.
struct Bytes {
  using Sum = Int;
  static constexpr bool kWhole = true;
  static constexpr int kBytes = 1;
  static constexpr int kPerUnit = 4;
  LIVENESS_INLINE static Int add(Int sum, Int x, Int w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
  LIVENESS_INLINE static void pack(char* to, Int x) {
    const __m128i bytes = _mm512_cvtepi32_epi8(__builtin_bit_cast(__m512i, x));
    __builtin_memcpy(to, &bytes, sizeof bytes);
  }
};

#define LIVENESS_HAS_BF16
struct Bf16 {
  using Sum = V;
  static constexpr bool kWhole = false;
  LIVENESS_INLINE static V add(V sum, Int x, Int w) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
  LIVENESS_INLINE static void pack(void* to, V x) {
    __m256i pairs;
    asm("vcvtneps2bf16 %1, %0" : "=v"(pairs) : "v"(x));
    __builtin_memcpy(to, &pairs, sizeof pairs);
  }
  LIVENESS_INLINE static void pack_two(void* to, V first, V second) {
    __m512i pairs;
    asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(pairs) : "v"(first), "v"(second));
    __builtin_memcpy(to, &pairs, sizeof pairs);
  }
};

#include "engine/kernels_low_impl.hpp"

}  // namespace

constinit const Kernels kAvx512Kernels = make_kernels();
constinit const LowKernels kAvx512Low = make_low_kernels<Shorts>(nullptr);
constinit const LowKernels kAvx512VnniLow = make_low_kernels<Bytes>(nullptr);
constinit const LowKernels kAvx512Bf16Low = make_low_kernels<Bytes>(bordered<conv_bf16>);

}  // namespace liveness::engine
