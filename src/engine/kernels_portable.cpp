// Kernels in plain C++ on the compiler's own vectors of four floats: SSE2 on x86-64, NEON on ARM, scalars elsewhere.
#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

using V = float __attribute__((vector_size(16)));
using Int = int __attribute__((vector_size(16)));
inline constexpr int kLanes = 4;
inline constexpr int kMaxVectors = 2;
constexpr int tile_rows(int vectors) {
  return vectors == 1 ? 8 : 5;
}

LIVENESS_INLINE V load(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
LIVENESS_INLINE void store(float* p, V v) {
  __builtin_memcpy(p, &v, sizeof v);
}
LIVENESS_INLINE V splat(float x) {
  return V{x, x, x, x};
}
LIVENESS_INLINE V fma(V a, V b, V c) {
  return a * b + c;
}
LIVENESS_INLINE V lowest(V a, V b) {
  return a < b ? a : b;
}
LIVENESS_INLINE V highest(V a, V b) {
  return a > b ? a : b;
}
LIVENESS_INLINE V prelu(V x, V s) {
  return x < splat(0.0F) ? x * s : x;
}
using Mask = Int;
LIVENESS_INLINE Mask make_mask(bool on) {
  return Int{} - (on ? 1 : 0);
}
LIVENESS_INLINE V load_masked(const float* p, Mask mask) {
  return __builtin_bit_cast(V, __builtin_bit_cast(Int, load(p)) & mask);
}

#include "engine/kernels_impl.hpp"

}  // namespace

constinit const Kernels kPortableKernels = make_kernels();

}  // namespace liveness::engine
