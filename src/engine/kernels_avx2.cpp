// Kernels for AVX2 with FMA.
#include <immintrin.h>

#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

using V = __m256;
using Int = int __attribute__((vector_size(32)));
inline constexpr int kLanes = 8;
inline constexpr int kMaxVectors = 3;
inline constexpr int kRegisters = 16;
// Sums, weights and the value that multiplies them fill the 16 registers.
constexpr int tile_rows(int vectors) {
  return vectors == 1 ? 12 : vectors == 2 ? 6 : 4;
}

LIVENESS_INLINE V load(const float* p) {
  return _mm256_loadu_ps(p);
}
LIVENESS_INLINE void store(float* p, V v) {
  _mm256_storeu_ps(p, v);
}
LIVENESS_INLINE V splat(float x) {
  return _mm256_set1_ps(x);
}
// Fetched once and then in a register: the compiler would rather fetch it again for every multiplication.
LIVENESS_INLINE void keep(V& v) {
  asm("" : "+x"(v));
}
LIVENESS_INLINE V fma(V a, V b, V c) {
  return _mm256_fmadd_ps(a, b, c);
}
LIVENESS_INLINE V lowest(V a, V b) {
  return _mm256_min_ps(a, b);
}
LIVENESS_INLINE V highest(V a, V b) {
  return _mm256_max_ps(a, b);
}
LIVENESS_INLINE V prelu(V x, V s) {
  return _mm256_blendv_ps(x, _mm256_mul_ps(x, s), x);
}
using Mask = __m256;
LIVENESS_INLINE Mask make_mask(bool on) {
  return _mm256_castsi256_ps(_mm256_set1_epi32(on ? -1 : 0));
}
LIVENESS_INLINE V load_masked(const float* p, Mask mask) {
  return _mm256_and_ps(_mm256_loadu_ps(p), mask);
}

struct Halves {
  static constexpr bool kOn = false;  // few channels are left over
};

#include "engine/kernels_impl.hpp"

LIVENESS_INLINE Int to_int(V x) {
  return __builtin_bit_cast(Int, _mm256_cvtps_epi32(x));
}
LIVENESS_INLINE V to_float(Int x) {
  return _mm256_cvtepi32_ps(__builtin_bit_cast(__m256i, x));
}
LIVENESS_INLINE Int load_units(const int __attribute__((may_alias)) * p) {
  Int v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
LIVENESS_INLINE Int splat_unit(const int __attribute__((may_alias)) * p) {
  return __builtin_bit_cast(Int, _mm256_set1_epi32(*p));
}
LIVENESS_INLINE float lowest_lane(V x) {
  __m128 y = _mm_min_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_min_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_min_ss(y, _mm_movehdup_ps(y)));
}
LIVENESS_INLINE float highest_lane(V x) {
  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
LIVENESS_INLINE __m128i to_shorts(Int x) {
  const __m256i wide = __builtin_bit_cast(__m256i, x);
  return _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
}

// Sums of two products in 32 bits: nothing saturates, as sums of bytes in 16 bits would.
struct Shorts {
  using Sum = Int;
  static constexpr bool kWhole = true;
  static constexpr int kBytes = 2;
  static constexpr int kPerUnit = 2;
  LIVENESS_INLINE static Int add(Int sum, Int x, Int w) {
    return sum +
           __builtin_bit_cast(Int, _mm256_madd_epi16(__builtin_bit_cast(__m256i, x), __builtin_bit_cast(__m256i, w)));
  }
  LIVENESS_INLINE static void pack(char* to, Int x) {
    const __m128i shorts = to_shorts(x);
    __builtin_memcpy(to, &shorts, sizeof shorts);
  }
};

// AVX-VNNI, in assembly: the compiler would need to be told that every function here has it.
struct Bytes {
  using Sum = Int;
  static constexpr bool kWhole = true;
  static constexpr int kBytes = 1;
  static constexpr int kPerUnit = 4;
  LIVENESS_INLINE static Int add(Int sum, Int x, Int w) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w));
    return sum;
  }
  LIVENESS_INLINE static void pack(char* to, Int x) {
    const __m128i bytes = _mm_packus_epi16(to_shorts(x), _mm_setzero_si128());
    __builtin_memcpy(to, &bytes, 8);
  }
};

#include "engine/kernels_low_impl.hpp"

}  // namespace

constinit const Kernels kAvx2Kernels = make_kernels();
constinit const LowKernels kAvx2Low = make_low_kernels<Shorts>(nullptr);
constinit const LowKernels kAvx2VnniLow = make_low_kernels<Bytes>(nullptr);

}  // namespace liveness::engine
