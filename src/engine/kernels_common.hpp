// What all kernels share: rows, activations, borders. Included by kernels_impl.hpp, and where that is not needed alone,
// after the vectors that it asks for.

#define LIVENESS_UNROLL _Pragma("GCC unroll 64")

LIVENESS_INLINE int smaller(int a, int b) {
  return a < b ? a : b;
}
LIVENESS_INLINE int larger(int a, int b) {
  return a > b ? a : b;
}

LIVENESS_INLINE float* row(const Rows& r, float* arena, int y) {
  return arena + r.offset + (y < r.ring ? y : y % r.ring) * r.pitch;  // most values are kept whole: no division
}

// ------------------------------------------------------------------------------------------------ activations

// Cephes' polynomial; within 2 units in the last place.
LIVENESS_INLINE V exponential(V x) {
  x = highest(splat(-87.0F), lowest(splat(88.0F), x));
  const V magic = splat(12582912.0F);  // 1.5 * 2^23: adding it rounds to a whole number and leaves that in the low bits
  const V shifted = fma(x, splat(1.44269504088896341F), magic);
  const V whole = shifted - magic;
  V r = fma(whole, splat(-0.693359375F), x);
  r = fma(whole, splat(2.12194440e-4F), r);
  V p = splat(1.9875691500e-4F);
  p = fma(p, r, splat(1.3981999507e-3F));
  p = fma(p, r, splat(8.3334519073e-3F));
  p = fma(p, r, splat(4.1665795894e-2F));
  p = fma(p, r, splat(1.6666665459e-1F));
  p = fma(p, r, splat(5.0000001201e-1F));
  p = fma(p, r * r, r) + splat(1.0F);
  const Int power = (__builtin_bit_cast(Int, shifted) << 23) + 0x3f800000;
  return p * __builtin_bit_cast(V, power);
}

LIVENESS_INLINE V clip(V x, V low, V high) {
  return lowest(high, highest(low, x));
}

// Everything but what the hot loops spell out themselves.
V activate_any(const Operation& op, V x) {
  const V one = splat(1.0F);
  switch (op.act) {
    case Act::kNone:
    case Act::kPRelu: return x;
    case Act::kClip: return clip(x, splat(op.act_a), splat(op.act_b));
    case Act::kHardSigmoid: return clip(fma(x, splat(op.act_a), splat(op.act_b)), splat(0.0F), one);
    case Act::kHardSwish: return x * clip(fma(x, splat(op.act_a), splat(op.act_b)), splat(0.0F), one);
    case Act::kSigmoid: return one / (one + exponential(splat(0.0F) - x));
    case Act::kTanh: return one - splat(2.0F) / (exponential(x + x) + one);
  }
  return x;
}

// For channels from c on.
LIVENESS_INLINE V activate_at(const Operation& op, V x, int c) {
  return op.act == Act::kPRelu ? prelu(x, load(op.slope + c)) : activate_any(op, x);
}

// ------------------------------------------------------------------------------------------------ rows

LIVENESS_INLINE bool tight(const Rows& r) {
  return r.pitch == r.width * r.stride;
}
// Rows from y on that lie one after the other.
LIVENESS_INLINE int unwrapped(const Rows& r, int y) {
  return r.ring - y % r.ring;
}

// Rows from y on that lie in one line for a 1x1 convolution of stride 1.
LIVENESS_INLINE int rows_in_line(const Operation& op, int y, int y1) {
  if (!tight(op.a) || !tight(op.out) || (op.has_b && !tight(op.b))) return 1;
  int rows = smaller(y1 - y, smaller(unwrapped(op.a, y), unwrapped(op.out, y)));
  if (op.has_b) rows = smaller(rows, unwrapped(op.b, y));
  return rows;
}

// Columns of zeros beside each row that was written.
template <Kernel kKernel>
void bordered(const Operation& op, float* arena, int y0, int y1) {
  kKernel(op, arena, y0, y1);
  if (op.out.pad_left == 0 && op.out.pad_right == 0) return;
  const int channels = (op.out.channels + kLanes - 1) / kLanes * kLanes;
  for (int y = y0; y < y1; ++y) {
    for (int x = -op.out.pad_left; x < op.out.width + op.out.pad_right; ++x) {
      if (x == 0) x = op.out.width;
      float* pixel = row(op.out, arena, y) + x * op.out.stride;
      if (x < op.out.width + op.out.pad_right) {
        for (int c = 0; c < channels; c += kLanes) store(pixel + c, splat(0.0F));
      }
    }
  }
}
