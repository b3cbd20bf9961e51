// Kernels in plain C++ on the compiler's own vectors of four floats: SSE2 on x86-64, NEON on ARM, scalars elsewhere.
#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

using V = float __attribute__((vector_size(16)));
using Int = int __attribute__((vector_size(16)));
inline constexpr int kLanes = 4;
inline constexpr int kMaxVectors = 2;
inline constexpr bool kKeepWeights = false;
constexpr int tile_rows(int vectors) {
  return vectors == 1 ? 8 : 5;
}

__attribute__((always_inline)) inline V load(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
__attribute__((always_inline)) inline void store(float* p, V v) {
  __builtin_memcpy(p, &v, sizeof v);
}
__attribute__((always_inline)) inline V splat(float x) {
  return V{x, x, x, x};
}
__attribute__((always_inline)) inline V fma(V a, V b, V c) {
  return a * b + c;
}
__attribute__((always_inline)) inline V lowest(V a, V b) {
  return a < b ? a : b;
}
__attribute__((always_inline)) inline V highest(V a, V b) {
  return a > b ? a : b;
}
__attribute__((always_inline)) inline V prelu(V x, V s) {
  return x < splat(0.0F) ? x * s : x;
}

#include "engine/kernels_impl.hpp"

}  // namespace

constinit const Kernels kPortableKernels = make_kernels();

}  // namespace liveness::engine
