// The vectors of AVX-512 (F, BW, DQ, VL) for kernels; included by their translation units in an unnamed namespace
// inside liveness::engine, after <immintrin.h>.

using V = __m512;
using Int = int __attribute__((vector_size(64)));
inline constexpr int kLanes = 16;
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

// In assembly, as other instructions beyond those four are: the compiler would need to be told that every function here
// has them.
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
