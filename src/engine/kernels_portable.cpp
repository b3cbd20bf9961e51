// Kernels in plain C++ on the compiler's own vectors of four floats: SSE2 on x86-64, NEON on ARM, scalars elsewhere.
#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

using V = float __attribute__((vector_size(16)));
using Int = int __attribute__((vector_size(16)));
inline constexpr int kLanes = 4;
inline constexpr int kMaxVectors = 2;
inline constexpr int kRegisters = 16;
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
LIVENESS_INLINE void keep(V&) {}
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

struct Halves {
  static constexpr bool kOn = false;  // few channels are left over
};

#include "engine/kernels_impl.hpp"

// Adding 1.5 * 2^23 rounds to a whole number, which is then the difference of the bits.
LIVENESS_INLINE Int to_int(V x) {
  const V magic = splat(12582912.0F);
  return __builtin_bit_cast(Int, x + magic) - __builtin_bit_cast(Int, magic);
}
LIVENESS_INLINE V to_float(Int x) {
  return __builtin_convertvector(x, V);
}
LIVENESS_INLINE Int load_units(const int __attribute__((may_alias)) * p) {
  Int v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
LIVENESS_INLINE Int splat_unit(const int __attribute__((may_alias)) * p) {
  return Int{} + *p;
}
LIVENESS_INLINE float lowest_lane(V x) {
  const V y = lowest(x, V{x[2], x[3], x[0], x[1]});
  return y[0] < y[1] ? y[0] : y[1];
}
LIVENESS_INLINE float highest_lane(V x) {
  const V y = highest(x, V{x[2], x[3], x[0], x[1]});
  return y[0] > y[1] ? y[0] : y[1];
}

struct Shorts {
  using Sum = Int;
  static constexpr bool kWhole = true;
  static constexpr int kBytes = 2;
  static constexpr int kPerUnit = 2;
  LIVENESS_INLINE static Int add(Int sum, Int x, Int w) {
    return sum + ((x << 16) >> 16) * ((w << 16) >> 16) + (x >> 16) * (w >> 16);
  }
  LIVENESS_INLINE static void pack(char* to, Int x) {
    using Narrow = short __attribute__((vector_size(8)));
    const Narrow narrow = __builtin_convertvector(x, Narrow);
    __builtin_memcpy(to, &narrow, sizeof narrow);
  }
};

#include "engine/kernels_low_impl.hpp"

}  // namespace

constinit const Kernels kPortableKernels = make_kernels();
constinit const LowKernels kPortableLow = make_low_kernels<Shorts>(nullptr);

}  // namespace liveness::engine
