// Kernels for AVX2 with FMA.
#include <immintrin.h>

#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

using V = __m256;
using Int = int __attribute__((vector_size(32)));
inline constexpr int kLanes = 8;
inline constexpr int kMaxVectors = 3;
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

#include "engine/kernels_impl.hpp"

}  // namespace

constinit const Kernels kAvx2Kernels = make_kernels();

}  // namespace liveness::engine
