// Kernels for AVX-512 (F, BW, DQ, VL).
#include <immintrin.h>

#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

using V = __m512;
using Int = int __attribute__((vector_size(64)));
inline constexpr int kLanes = 16;
inline constexpr int kMaxVectors = 4;
inline constexpr bool kKeepWeights = true;
// Sums and weights fit the 32 registers; a single vector column multiplies straight from memory.
constexpr int tile_rows(int vectors) {
  return vectors == 1 ? 24 : vectors == 2 ? 12 : vectors == 3 ? 8 : 6;
}

__attribute__((always_inline)) inline V load(const float* p) {
  return _mm512_loadu_ps(p);
}
__attribute__((always_inline)) inline void store(float* p, V v) {
  _mm512_storeu_ps(p, v);
}
__attribute__((always_inline)) inline V splat(float x) {
  return _mm512_set1_ps(x);
}
__attribute__((always_inline)) inline V fma(V a, V b, V c) {
  return _mm512_fmadd_ps(a, b, c);
}
__attribute__((always_inline)) inline V lowest(V a, V b) {
  return _mm512_min_ps(a, b);
}
__attribute__((always_inline)) inline V highest(V a, V b) {
  return _mm512_max_ps(a, b);
}
__attribute__((always_inline)) inline V prelu(V x, V s) {
  return _mm512_mask_mul_ps(x, _mm512_movepi32_mask(_mm512_castps_si512(x)), x, s);
}

#include "engine/kernels_impl.hpp"

}  // namespace

constinit const Kernels kAvx512Kernels = make_kernels();

}  // namespace liveness::engine
