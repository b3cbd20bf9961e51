// Convolutions on fewer bits, written once; included after kernels_impl.hpp by the same translation units, which define
// beside what that asks for:
//   to_int(V), to_float(Int)       rounded to nearest, ties to even
//   load_units, splat_unit         a vector of 32-bit units, one unit in all lanes
//   pack_bytes(void*, Int)         the low byte of each lane, one after the other; pack_shorts likewise, 16 bits
//   highest_lane(V), lowest_lane(V)
//   Shorts                         a unit holds two 16-bit numbers: sum + x0 * w0 + x1 * w1
// and, where the instruction set has them, Bytes (four unsigned times four signed bytes) and Bf16 (two bfloat16).
//
// Pixels are brought into a scratch buffer as units first; what surrounds the product is fp32.

// May stand for whatever the scratch buffer and the packed weights hold.
using Unit = int __attribute__((may_alias));

inline constexpr float kSteps = 255.0F;
inline constexpr int kLowChunk = 48;  // a multiple of all large tiles

// One register tile, as Tile is; steps of `a` are in units.
struct LowTile {
  const Operation* op = nullptr;
  const ConvBlock* block = nullptr;
  const Unit* const* segments = nullptr;
  Index a_offset = 0;
  Index a_step = 0;
  float* out = nullptr;
  Index out_step = 0;
  const float* residual = nullptr;
  Index residual_step = 0;
  const float* step = nullptr;  // int8: value = low + step * number, one each a pixel
  const float* low = nullptr;
};

using LowTileKernel = void (*)(const LowTile& tile);

// Activation and residual, the common ones in registers. Places are copied out of `t`: the compiler takes every store
// for one that may have changed them.
template <int R, int N>
LIVENESS_INLINE void finish_low_tile(const LowTile& t, V (&sum)[R][N]) {
  const Operation& op = *t.op;
  const int first = t.block->first * kLanes;
  const Act act = op.act;
  const bool rare = act != Act::kPRelu && act != Act::kClip && act != Act::kNone;
  const bool residual_first = op.residual_first;
  float* const out = t.out;
  const Index out_step = t.out_step;
  const float* const residual = t.residual;
  const Index residual_step = t.residual_step;
  const auto add_residual = [&] {
    const float* from = residual;
    LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
      LIVENESS_UNROLL for (int n = 0; n < N; ++n) sum[m][n] = sum[m][n] + load(from + n * kLanes);
      from += residual_step;
    }
  };
  if (residual != nullptr && residual_first) add_residual();
  if (act == Act::kPRelu) {
    LIVENESS_UNROLL for (int n = 0; n < N; ++n) {
      const V slope = load(op.slope + first + n * kLanes);
      LIVENESS_UNROLL for (int m = 0; m < R; ++m) sum[m][n] = prelu(sum[m][n], slope);
    }
  } else if (act == Act::kClip) {
    const V low = splat(op.act_a);
    const V high = splat(op.act_b);
    LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
      LIVENESS_UNROLL for (int n = 0; n < N; ++n) sum[m][n] = clip(sum[m][n], low, high);
    }
  }
  const bool add = residual != nullptr && !residual_first;
  if (add && !rare) add_residual();
  float* to = out;
  LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
    LIVENESS_UNROLL for (int n = 0; n < N; ++n) store(to + n * kLanes, sum[m][n]);
    to += out_step;
  }
  if (!rare) return;
  for (int m = 0; m < R; ++m) {
    for (int n = 0; n < N; ++n) {
      float* place = out + m * out_step + n * kLanes;
      V y = activate_any(op, load(place));
      if (add) y = y + load(residual + m * residual_step + n * kLanes);
      store(place, y);
    }
  }
}

template <class Dot, int R, int N>
void low_tile(const LowTile& t) {
  const Operation& op = *t.op;
  const int first = t.block->first * kLanes;
  typename Dot::Sum sum[R][N];
  LIVENESS_UNROLL for (int n = 0; n < N; ++n) {
    LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
      if constexpr (Dot::kWhole) {
        sum[m][n] = typename Dot::Sum{};
      } else {
        sum[m][n] = load(op.bias + first + n * kLanes);
      }
    }
  }
  const Unit* w = reinterpret_cast<const Unit*>(t.block->weight);
  const Index step = t.a_step;
  for (int s = 0; s < op.segments; ++s) {
    const Unit* a = t.segments[s] + t.a_offset;
    asm("" : "+r"(a));
    constexpr int kPointers = (R + 2) / 3;
    const Unit* p[kPointers];
    LIVENESS_UNROLL for (int g = 0; g < kPointers; ++g) p[g] = a + 3 * g * step;
    const auto multiply = [&](int k) {
      Int wv[N];
      LIVENESS_UNROLL for (int n = 0; n < N; ++n) wv[n] = load_units(w + (k * N + n) * kLanes);
      LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
        const Int x = splat_unit(p[m / 3] + (m % 3) * step + k);
        LIVENESS_UNROLL for (int n = 0; n < N; ++n) sum[m][n] = Dot::add(sum[m][n], x, wv[n]);
      }
    };
    constexpr int kTogether = 2;  // a turn of one unit is too short to hide its counting
    for (int k = op.depth; k >= kTogether; k -= kTogether) {
      LIVENESS_UNROLL for (int i = 0; i < kTogether; ++i) multiply(i);
      w += kTogether * N * kLanes;
      LIVENESS_UNROLL for (int g = 0; g < kPointers; ++g) p[g] += kTogether;
    }
    if (op.depth % kTogether != 0) {
      multiply(0);
      w += N * kLanes;
    }
  }
  if constexpr (Dot::kWhole) {
    // sum of weight * value = (weight's step) * (pixel's step * whole sum + pixel's low * sum of the whole weights).
    V y[R][N];
    LIVENESS_UNROLL for (int n = 0; n < N; ++n) {
      const V scale = load(op.scale + first + n * kLanes);
      const V weights = load(op.weight + first + n * kLanes);
      const V bias = load(op.bias + first + n * kLanes);
      LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
        const V whole = fma(splat(t.low[m]), weights, splat(t.step[m]) * to_float(sum[m][n]));
        y[m][n] = fma(whole, scale, bias);
      }
    }
    finish_low_tile<R, N>(t, y);
  } else {
    finish_low_tile<R, N>(t, sum);
  }
}

struct LowTileTable {
  LowTileKernel at[kMaxVectors][kMaxTileRows + 1];
};

template <class Dot, int N, int R>
constexpr void fill_low_tiles(LowTileTable& table) {
  if constexpr (has_tile(N, R)) table.at[N - 1][R] = low_tile<Dot, R, N>;
  if constexpr (R > 1) fill_low_tiles<Dot, N, R - 1>(table);
}

template <class Dot, int N>
constexpr void fill_low_columns(LowTileTable& table) {
  fill_low_tiles<Dot, N, tile_rows(N)>(table);
  if constexpr (N > 1) fill_low_columns<Dot, N - 1>(table);
}

template <class Dot>
constexpr LowTileTable make_low_tiles() {
  LowTileTable table{};
  fill_low_columns<Dot, kMaxVectors>(table);
  return table;
}

template <class Dot>
inline constexpr LowTileTable kLowTiles = make_low_tiles<Dot>();

template <class Dot>
LIVENESS_INLINE void low_tile_line(LowTile t, int pixels) {
  const int vectors = t.block->vectors;
  const int most = tile_rows(vectors);
  int left = pixels;
  int tiles = (pixels + most - 1) / most;
  while (left > 0) {
    const int rows = kEveryTile ? (left + tiles - 1) / tiles : largest_tile(vectors, left);
    kLowTiles<Dot>.at[vectors - 1][rows](t);
    t.a_offset += rows * t.a_step;
    t.out += rows * t.out_step;
    if (t.residual != nullptr) t.residual += rows * t.residual_step;
    if constexpr (Dot::kWhole) {
      t.step += rows;
      t.low += rows;
    }
    left -= rows;
    --tiles;
  }
}

// ------------------------------------------------------------------------------------------------ pixels into units

inline constexpr int kMaxLanes = 16;
inline constexpr int kLaneNumbers[kMaxLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// Lanes that are among the first `count`.
LIVENESS_INLINE Int first_lanes(int count) {
  return load_units(kLaneNumbers) < Int{} + count;
}

// `pixels` pixels as whole numbers of their own step, from their lowest value on. Writes up to a vector past the last.
template <class Dot>
LIVENESS_INLINE void quantize_pixels(const float* from, Index stride, int channels, int pixels, Unit* to, int units,
                                     float* steps, float* lows) {
  const int whole = channels / kLanes * kLanes;
  const Int rest = first_lanes(channels - whole);
  for (int x = 0; x < pixels; ++x) {
    V low = splat(from[0]);
    V high = low;
    for (int c = 0; c < whole; c += kLanes) {
      const V v = load(from + c);
      low = lowest(low, v);
      high = highest(high, v);
    }
    if (whole < channels) {
      // What lies beyond the channels has no meaning.
      const V v = rest ? load(from + whole) : low;
      low = lowest(low, v);
      high = highest(high, v);
    }
    const float least = lowest_lane(low);
    const float range = highest_lane(high) - least;
    const float scale = range > 0 ? kSteps / range : 0.0F;
    steps[x] = range * (1 / kSteps);
    lows[x] = least;
    const V factor = splat(scale);
    const V offset = splat(least);
    Unit* line = to + static_cast<Index>(x) * units;
    for (int c = 0; c < channels; c += kLanes) {
      Dot::pack(reinterpret_cast<char*>(line) + c * Dot::kBytes, to_int((load(from + c) - offset) * factor));
    }
    from += stride;
  }
}

LIVENESS_INLINE void low_blocks(const Operation& op, float* arena, LowTile t, int y, int x, int pixels,
                                void (*line)(LowTile t, int pixels)) {
  for (int j = 0; j < op.block_count; ++j) {
    t.block = &op.blocks[j];
    const int first = t.block->first * kLanes;
    t.out = row(op.out, arena, y) + x * op.out.stride + first;
    if (op.has_b) t.residual = row(op.b, arena, y) + x * op.b.stride + first;
    line(t, pixels);
  }
}

template <class Dot>
void low_line(LowTile t, int pixels) {
  low_tile_line<Dot>(t, pixels);
}

// 1x1 of stride 1. Scratch: kLowChunk pixels, their steps and lowest values.
template <class Dot>
void conv_whole(const Operation& op, float* arena, int y0, int y1) {
  float* steps = arena + op.scratch;
  float* lows = steps + kLowChunk;
  Unit* units = reinterpret_cast<Unit*>(lows + kLowChunk);
  const Unit* segment = units;
  LowTile t;
  t.op = &op;
  t.segments = &segment;
  t.a_step = op.depth;
  t.out_step = op.out.stride;
  t.residual_step = op.b.stride;
  t.step = steps;
  t.low = lows;
  for (int y = y0; y < y1;) {
    const int rows = rows_in_line(op, y, y1);
    const int pixels = rows * op.out.width;
    const float* from = row(op.a, arena, y);
    for (int x = 0; x < pixels; x += kLowChunk) {
      const int count = smaller(kLowChunk, pixels - x);
      quantize_pixels<Dot>(from + x * op.a.stride, op.a.stride, op.a.channels, count, units, op.depth, steps, lows);
      low_blocks(op, arena, t, y, x, count, low_line<Dot>);
    }
    y += rows;
  }
}

#ifdef LIVENESS_HAS_BF16

// Pixels as pairs of bfloat16; an odd channel's neighbour has weight 0.
LIVENESS_INLINE void round_pixels(const float* from, Index stride, int channels, int pixels, Unit* to, int units) {
  if (stride == channels && 2 * units == channels) {  // no gaps: one long pixel
    channels *= pixels;
    pixels = 1;
  }
  for (int x = 0; x < pixels; ++x) {
    Unit* line = to + static_cast<Index>(x) * units;
    int c = 0;
    for (; c + 2 * kLanes <= channels; c += 2 * kLanes) {
      Bf16::pack_two(line + c / 2, load(from + c), load(from + c + kLanes));
    }
    for (; c < channels; c += kLanes) Bf16::pack(line + c / 2, load(from + c));
    from += stride;
  }
}

void conv_bf16_lines(const Operation& op, float* arena, int y0, int y1) {
  Unit* units = reinterpret_cast<Unit*>(arena + op.scratch);
  const Unit* segment = units;
  LowTile t;
  t.op = &op;
  t.segments = &segment;
  t.a_step = op.depth;
  t.out_step = op.out.stride;
  t.residual_step = op.b.stride;
  for (int y = y0; y < y1;) {
    const int rows = rows_in_line(op, y, y1);
    const int pixels = rows * op.out.width;
    const float* from = row(op.a, arena, y);
    for (int x = 0; x < pixels; x += kLowChunk) {
      const int count = smaller(kLowChunk, pixels - x);
      round_pixels(from + x * op.a.stride, op.a.stride, op.a.channels, count, units, op.depth);
      low_blocks(op, arena, t, y, x, count, low_line<Bf16>);
    }
    y += rows;
  }
}

// Any window: the rows that it covers are kept as units, with the columns of zeros beside them, and each is made once.
void conv_bf16(const Operation& op, float* arena, int y0, int y1) {
  if (op.kernel_h == 1 && op.kernel_w == 1 && op.stride_h == 1 && op.stride_w == 1 && op.pad_top == 0 &&
      op.pad_left == 0 && op.a.height == op.out.height && op.a.width == op.out.width) {
    conv_bf16_lines(op, arena, y0, y1);
    return;
  }
  Unit* units = reinterpret_cast<Unit*>(arena + op.scratch);
  const int pixel = (op.a.channels + 1) / 2;
  const int columns = op.a.pad_left + op.a.width + op.a.pad_right;
  const int ring = (op.kernel_h - 1) * op.dilation_h + 1;
  const Index pitch = static_cast<Index>(columns) * pixel + kLanes;
  const int across = op.segments / op.kernel_h;
  const Unit* segments[kMaxSegments];
  LowTile t;
  t.op = &op;
  t.segments = segments;
  t.a_step = op.stride_w * pixel;
  t.out_step = op.out.stride;
  t.residual_step = op.b.stride;
  int made = y0 * op.stride_h - op.pad_top;
  for (int y = y0; y < y1; ++y) {
    const int top = y * op.stride_h - op.pad_top;
    for (made = larger(made, top); made < top + ring; ++made) {
      const bool inside = made >= 0 && made < op.a.height;
      const float* from = inside ? row(op.a, arena, made) - op.a.pad_left * op.a.stride : arena + op.zeros;
      round_pixels(from, op.a.stride, op.a.channels, columns, units + (made + ring * op.pad_top) % ring * pitch, pixel);
    }
    for (int ky = 0; ky < op.kernel_h; ++ky) {
      const Unit* from =
          units + (top + ky * op.dilation_h + ring * op.pad_top) % ring * pitch + (op.a.pad_left - op.pad_left) * pixel;
      for (int kx = 0; kx < across; ++kx) segments[ky * across + kx] = from + kx * op.dilation_w * pixel;
    }
    low_blocks(op, arena, t, y, 0, op.out.width, low_line<Bf16>);
  }
}

#endif

template <class Dot>
constexpr LowKernels make_low_kernels(Kernel bf16) {
  return {
      .conv_bf16 = bf16,
      .conv_int8 = bordered<conv_whole<Dot>>,
      .int8_per_unit = Dot::kPerUnit,
      .int8_inputs = 32,
      .int8_outputs = 32,
      .wide_vectors = kMaxVectors,
      .depth_multiple = 1,
      .chunk = kLowChunk,
      .beyond = 0,
      .sums = 0,
      .gates = false,
      .enter = nullptr,
      .leave = nullptr,
  };
}
