// Kernels for AVX-512 (F, BW, DQ, VL).
#include <immintrin.h>

#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

using V = __m512;
using Int = int __attribute__((vector_size(64)));
inline constexpr int kLanes = 16;
inline constexpr int kMaxVectors = 4;
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

#include "engine/kernels_impl.hpp"

}  // namespace

constinit const Kernels kAvx512Kernels = make_kernels();

}  // namespace liveness::engine
