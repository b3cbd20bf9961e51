// Kernels for AVX-512 (F, BW, DQ, VL).
#include <immintrin.h>

#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

#include "engine/vectors_avx512.hpp"

inline constexpr int kMaxVectors = 4;
inline constexpr int kRegisters = 32;
// Sums and weights fit the 32 registers; a single vector column multiplies straight from memory.
constexpr int tile_rows(int vectors) {
  return vectors == 1 ? 24 : vectors == 2 ? 12 : vectors == 3 ? 8 : 6;
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

// In assembly for another reason too: GCC 12 spills the sums of _mm512_dpbusd_epi32.
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
#include "engine/kernels_low_impl.hpp"

}  // namespace

constinit const Kernels kAvx512Kernels = make_kernels();
constinit const LowKernels kAvx512Low = make_low_kernels<Shorts>(nullptr);
constinit const LowKernels kAvx512VnniLow = make_low_kernels<Bytes>(nullptr);
constinit const LowKernels kAvx512Bf16Low = make_low_kernels<Bytes>(bordered<conv_bf16>);

}  // namespace liveness::engine
