// Kernels for AVX2 with FMA.
#include <immintrin.h>

#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

using V = __m256;
using Int = int __attribute__((vector_size(32)));
inline constexpr int kLanes = 8;
inline constexpr int kMaxVectors = 3;
inline constexpr bool kKeepWeights = false;
// Sums, weights and the value that multiplies them fill the 16 registers.
constexpr int tile_rows(int vectors) {
  return vectors == 1 ? 12 : vectors == 2 ? 6 : 4;
}

__attribute__((always_inline)) inline V load(const float* p) {
  return _mm256_loadu_ps(p);
}
__attribute__((always_inline)) inline void store(float* p, V v) {
  _mm256_storeu_ps(p, v);
}
__attribute__((always_inline)) inline V splat(float x) {
  return _mm256_set1_ps(x);
}
__attribute__((always_inline)) inline V fma(V a, V b, V c) {
  return _mm256_fmadd_ps(a, b, c);
}
__attribute__((always_inline)) inline V lowest(V a, V b) {
  return _mm256_min_ps(a, b);
}
__attribute__((always_inline)) inline V highest(V a, V b) {
  return _mm256_max_ps(a, b);
}
__attribute__((always_inline)) inline V prelu(V x, V s) {
  return _mm256_blendv_ps(x, _mm256_mul_ps(x, s), x);
}

#include "engine/kernels_impl.hpp"

}  // namespace

constinit const Kernels kAvx2Kernels = make_kernels();

}  // namespace liveness::engine
