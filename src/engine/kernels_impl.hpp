// The kernels, written once. A translation unit for one instruction set includes this after it has defined, in an
// unnamed namespace inside liveness::engine (so that nothing here is ever merged with another unit's copy):
//   V, kLanes            a vector of kLanes floats, with + - * / and comparison as GCC and clang have them; Int of
//   equal width load, store, splat   unaligned fma(a, b, c)         a * b + c lowest(a, b), highest(a, b)   b where
//   either is NaN prelu(x, s)          x < 0 ? x * s : x kMaxVectors, tile_rows(n)     widest tile, and how many pixels
//   a tile of n vectors has at most kRegisters           vector registers
// No standard header here: an inline function of it, compiled with these flags, could be the copy that all other code
// gets.

#include "engine/kernels_common.hpp"

// ------------------------------------------------------------------------------------------------ convolution

// One register tile: R pixels by N vectors of output channels.
struct Tile {
  const Operation* op = nullptr;
  const ConvBlock* block = nullptr;
  const float* const* segments = nullptr;
  Index a_offset = 0;  // added to every segment's pointer
  Index a_step = 0;    // floats from one pixel's values to the next one's
  float* out = nullptr;
  Index out_step = 0;
  const float* residual = nullptr;
  Index residual_step = 0;
  const float* gate = nullptr;  // multiplies the sums
};

using TileKernel = void (*)(const Tile& tile);

// Activation and residual of a finished tile, where they are not among the common ones.
void finish_tile(const Tile& t, int rows, int vectors) {
  const Operation& op = *t.op;
  for (int m = 0; m < rows; ++m) {
    for (int n = 0; n < vectors; ++n) {
      V y = load(t.out + m * t.out_step + n * kLanes);
      if (t.residual != nullptr && op.residual_first) y = y + load(t.residual + m * t.residual_step + n * kLanes);
      y = activate_at(op, y, (t.block->first + n) * kLanes);
      if (t.residual != nullptr && !op.residual_first) y = y + load(t.residual + m * t.residual_step + n * kLanes);
      store(t.out + m * t.out_step + n * kLanes, y);
    }
  }
}

// The half vectors of a tile: `vector` is the half one, pixels go in pairs. A last one without a partner is its own.
template <int R, class Half>
LIVENESS_INLINE void finish_halves(const Tile& t, int vector, const V* sum) {
  const Operation& op = *t.op;
  const int channel = vector * kLanes;
  const int bias = t.block->first * kLanes + channel;
  LIVENESS_UNROLL for (int m = 0; m < R; m += 2) {
    const Index next = m + 1 < R ? 1 : 0;
    V y = sum[m / 2];
    if (t.gate != nullptr) y = y * Half::load_twice(t.gate + channel);
    if (op.act == Act::kClip) y = clip(y, splat(op.act_a), splat(op.act_b));
    if (op.act == Act::kPRelu) y = prelu(y, Half::load_twice(op.slope + bias));
    if (t.residual != nullptr) {
      const float* r = t.residual + m * t.residual_step + channel;
      y = y + Half::load(r, r + next * t.residual_step);
    }
    float* out = t.out + m * t.out_step + channel;
    Half::store(out, out + next * t.out_step, y);
  }
}

struct NoHalf {
  static constexpr bool kOn = false;
};

// Depth and step are compile-time figures where they are not 0: the first layer has three taps a segment, one or two
// apart. Half: N vectors and half a one.
template <int R, int N, int kDepth, int kStep, class Half = NoHalf>
void tile(const Tile& t) {
  const Operation& op = *t.op;
  const int first = t.block->first * kLanes;
  V sum[R][N];
  LIVENESS_UNROLL for (int n = 0; n < N; ++n) {
    const V bias = load(op.bias + first + n * kLanes);
    LIVENESS_UNROLL for (int m = 0; m < R; ++m) sum[m][n] = bias;
  }
  constexpr int kWeights = N + (Half::kOn ? 1 : 0);
  V pair[(R + 1) / 2];
  if constexpr (Half::kOn) {
    const V bias = Half::load_twice(op.bias + first + N * kLanes);
    LIVENESS_UNROLL for (V& p : pair) p = bias;
  }
  const float* w = t.block->weight;
  const Index step = kStep != 0 ? kStep : t.a_step;
  const int segments = op.segments;
  for (int s = 0; s < segments; ++s) {
    const float* a = t.segments[s] + t.a_offset;
    // Opaque to the compiler, which would otherwise keep one offset a pixel, in memory, for the sake of this addition.
    asm("" : "+r"(a));
    if constexpr (kDepth != 0 && R * N + kDepth * N < kRegisters) {
      // Windows overlap: each value is fetched once for all pixels that it belongs to.
      V wv[kDepth][N];
      LIVENESS_UNROLL for (int k = 0; k < kDepth; ++k) {
        LIVENESS_UNROLL for (int n = 0; n < N; ++n) wv[k][n] = load(w + (k * N + n) * kLanes);
      }
      w += kDepth * N * kLanes;
      LIVENESS_UNROLL for (int j = 0; j < (R - 1) * kStep + kDepth; ++j) {
        const V x = splat(a[j]);
        LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
          const int k = j - m * kStep;
          if (k < 0 || k >= kDepth) continue;
          LIVENESS_UNROLL for (int n = 0; n < N; ++n) sum[m][n] = fma(x, wv[k][n], sum[m][n]);
        }
      }
    } else if constexpr (kDepth != 0) {
      LIVENESS_UNROLL for (int k = 0; k < kDepth; ++k) {
        // Again: values that windows share would be kept, and sums sent to memory to make room for them.
        asm("" : "+r"(a));
        V wv[N];
        LIVENESS_UNROLL for (int n = 0; n < N; ++n) wv[n] = load(w + n * kLanes);
        w += N * kLanes;
        LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
          const V x = splat(a[m * step + k]);
          LIVENESS_UNROLL for (int n = 0; n < N; ++n) sum[m][n] = fma(x, wv[n], sum[m][n]);
        }
      }
    } else {
      // Three pixels share a pointer: more pointers would not fit the registers, and one needs products of the step.
      constexpr int kPointers = (R + 2) / 3;
      const float* p[kPointers];
      LIVENESS_UNROLL for (int g = 0; g < kPointers; ++g) p[g] = a + 3 * g * step;
      for (int k = op.depth; k > 0; --k) {
        V wv[kWeights];
        LIVENESS_UNROLL for (int n = 0; n < kWeights; ++n) wv[n] = load(w + n * kLanes);
        w += kWeights * kLanes;
        V before = wv[0];  // the pixel before, where it is the first of a pair
        LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
          const V x = splat(p[m / 3][(m % 3) * step]);
          LIVENESS_UNROLL for (int n = 0; n < N; ++n) sum[m][n] = fma(x, wv[n], sum[m][n]);
          if constexpr (Half::kOn) {
            if (m % 2 == 1) pair[m / 2] = fma(Half::join(before, x), wv[N], pair[m / 2]);
            if (m % 2 == 0 && m == R - 1) pair[m / 2] = fma(x, wv[N], pair[m / 2]);
            before = x;
          }
        }
        LIVENESS_UNROLL for (int g = 0; g < kPointers; ++g)++ p[g];
      }
    }
  }
  if constexpr (Half::kOn) finish_halves<R, Half>(t, N, pair);
  if (t.gate != nullptr) {
    LIVENESS_UNROLL for (int n = 0; n < N; ++n) {
      const V gate = load(t.gate + n * kLanes);
      LIVENESS_UNROLL for (int m = 0; m < R; ++m) sum[m][n] = sum[m][n] * gate;
    }
  }
  float* out = t.out;
  if (op.act == Act::kClip && t.residual == nullptr) {
    const V low = splat(op.act_a);
    const V high = splat(op.act_b);
    const bool open = op.act_b == __builtin_huge_valf();
    LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
      LIVENESS_UNROLL for (int n = 0; n < N; ++n) {
        V y = highest(low, sum[m][n]);
        if (!open) y = lowest(high, y);
        store(out + n * kLanes, y);
      }
      out += t.out_step;
    }
    return;
  }
  if (op.act == Act::kPRelu && t.residual == nullptr) {
    LIVENESS_UNROLL for (int n = 0; n < N; ++n) {
      const V slope = load(op.slope + first + n * kLanes);
      LIVENESS_UNROLL for (int m = 0; m < R; ++m) sum[m][n] = prelu(sum[m][n], slope);
    }
  } else if (op.act == Act::kNone && t.residual != nullptr) {
    const float* r = t.residual;
    LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
      LIVENESS_UNROLL for (int n = 0; n < N; ++n) sum[m][n] = sum[m][n] + load(r + n * kLanes);
      r += t.residual_step;
    }
  }
  LIVENESS_UNROLL for (int m = 0; m < R; ++m) {
    LIVENESS_UNROLL for (int n = 0; n < N; ++n) store(out + n * kLanes, sum[m][n]);
    out += t.out_step;
  }
  const bool plain = t.residual == nullptr ? op.act == Act::kPRelu : false;
  const bool done = plain || op.act == Act::kNone;
  if (!done) finish_tile(t, R, N);
}

// A build for size has tiles of few heights and works a remainder off in more of them; otherwise there are all.
#ifdef LIVENESS_SMALL_KERNELS
inline constexpr bool kEveryTile = false;
#else
inline constexpr bool kEveryTile = true;
#endif
constexpr bool has_tile(int vectors, int rows) {
  return kEveryTile || rows == tile_rows(vectors) || rows == 4 || rows == 1;
}
// The largest tile there is of at most so many pixels.
LIVENESS_INLINE int largest_tile(int vectors, int pixels) {
  int rows = pixels < tile_rows(vectors) ? pixels : tile_rows(vectors);
  while (!has_tile(vectors, rows)) --rows;
  return rows;
}

// tile<1..R, N> as a table: every count of pixels up to the largest has its own, so no remainder is computed twice.
inline constexpr int kMaxTileRows = 24;
struct TileTable {
  TileKernel at[kMaxVectors][kMaxTileRows + 1];
};

template <int N, int R, int kDepth, int kStep>
constexpr void fill_tiles(TileTable& table) {
  if constexpr (has_tile(N, R)) table.at[N - 1][R] = tile<R, N, kDepth, kStep>;
  if constexpr (R > 1) fill_tiles<N, R - 1, kDepth, kStep>(table);
}

template <int N, int kDepth, int kStep>
constexpr void fill_columns(TileTable& table) {
  fill_tiles<N, tile_rows(N), kDepth, kStep>(table);
  if constexpr (N > 1) fill_columns<N - 1, kDepth, kStep>(table);
}

template <int kDepth, int kStep>
constexpr TileTable make_tiles() {
  TileTable table{};
  fill_columns<kMaxVectors, kDepth, kStep>(table);
  return table;
}

template <class Half, int N, int R>
constexpr void fill_half_tiles(TileTable& table) {
  table.at[N - 1][R] = tile<R, N - 1, 0, 0, Half>;
  if constexpr (R > 1) {
    fill_half_tiles<Half, N, R - 1>(table);
  } else if constexpr (N > 2) {
    fill_half_tiles<Half, N - 1, Half::rows(N - 1)>(table);
  }
}

template <class Half>
constexpr TileTable make_half_tiles() {
  TileTable table{};
  if constexpr (Half::kOn && kEveryTile) fill_half_tiles<Half, kMaxVectors, Half::rows(kMaxVectors)>(table);
  return table;
}

constexpr TileTable kTiles = make_tiles<0, 0>();
constexpr TileTable kHalfTiles = make_half_tiles<Halves>();
constexpr TileTable kPlaneTiles1 = make_tiles<3, 1>();
constexpr TileTable kPlaneTiles2 = make_tiles<3, 2>();

// `pixels` pixels in a line as tiles of nearly equal size.
template <class Half = NoHalf>
LIVENESS_INLINE void tile_line(const TileTable& table, Tile t, int pixels) {
  const int vectors = t.block->vectors;
  int most = tile_rows(vectors);
  if constexpr (Half::kOn) most = Half::rows(vectors);
  int left = pixels;
  int tiles = (pixels + most - 1) / most;
  while (left > 0) {
    int rows = kEveryTile ? (left + tiles - 1) / tiles : largest_tile(vectors, left);
    if constexpr (Half::kOn) rows = smaller(left, rows + rows % 2);  // pairs
    table.at[vectors - 1][rows](t);
    t.a_offset += rows * t.a_step;
    t.out += rows * t.out_step;
    if (t.residual != nullptr) t.residual += rows * t.residual_step;
    left -= rows;
    --tiles;
  }
}

template <class Half>
LIVENESS_INLINE void tile_block_of(const Tile& t, int pixels) {
  if constexpr (Half::kOn && kEveryTile) {
    if (t.block->half) return tile_line<Half>(kHalfTiles, t, pixels);
  }
  tile_line(kTiles, t, pixels);
}
LIVENESS_INLINE void tile_block(const Tile& t, int pixels) {
  tile_block_of<Halves>(t, pixels);
}

// The tile of a block that starts with row y of the output; whoever calls it says what it reads.
LIVENESS_INLINE Tile tile_at(const Operation& op, const ConvBlock& block, float* arena, int y) {
  Tile t;
  t.op = &op;
  t.block = &block;
  t.out = row(op.out, arena, y) + block.first * kLanes;
  t.out_step = op.out.stride;
  if (op.has_b) {
    t.residual = row(op.b, arena, y) + block.first * kLanes;
    t.residual_step = op.b.stride;
  }
  if (op.has_c) t.gate = arena + op.c.offset + block.first * kLanes;
  return t;
}

// A 1x1 convolution of stride 1 sees only a line of pixels, over several rows where nothing lies between them.
void conv_lines(const Operation& op, float* arena, int y0, int y1) {
  const bool whole = tight(op.a) && tight(op.out) && (!op.has_b || tight(op.b));
  for (int y = y0; y < y1;) {
    int rows = 1;
    if (whole) {
      rows = smaller(y1 - y, smaller(unwrapped(op.a, y), unwrapped(op.out, y)));
      if (op.has_b) rows = smaller(rows, unwrapped(op.b, y));
    }
    for (int j = 0; j < op.block_count; ++j) {
      const ConvBlock& block = op.blocks[j];
      const float* segment = row(op.a, arena, y) + block.channel;
      Tile t = tile_at(op, block, arena, y);
      t.segments = &segment;
      t.a_step = op.a.stride;
      tile_block(t, rows * op.out.width);
    }
    y += rows;
  }
}

void conv(const Operation& op, float* arena, int y0, int y1) {
  if (op.kernel_h == 1 && op.kernel_w == 1 && op.stride_h == 1 && op.stride_w == 1 && op.pad_top == 0 &&
      op.pad_left == 0 && op.a.height == op.out.height && op.a.width == op.out.width) {
    conv_lines(op, arena, y0, y1);
    return;
  }
  const int across = op.segments / op.kernel_h;  // segments of one kernel row
  const float* segments[kMaxSegments];
  for (int j = 0; j < op.block_count; ++j) {
    const ConvBlock& block = op.blocks[j];
    for (int y = y0; y < y1; ++y) {
      for (int ky = 0; ky < op.kernel_h; ++ky) {
        const int iy = y * op.stride_h - op.pad_top + ky * op.dilation_h;
        const float* from =
            iy >= 0 && iy < op.a.height ? row(op.a, arena, iy) : arena + op.zeros + op.a.pad_left * op.a.stride;
        from += block.channel - op.pad_left * op.a.stride;
        for (int kx = 0; kx < across; ++kx) segments[ky * across + kx] = from + kx * op.dilation_w * op.a.stride;
      }
      Tile t = tile_at(op, block, arena, y);
      t.segments = segments;
      t.a_step = op.stride_w * op.a.stride;
      tile_block(t, op.out.width);
    }
  }
}

void conv_planes(const Operation& op, float* arena, int y0, int y1) {
  const TileTable& table = op.depth == 3 && op.stride_w == 1   ? kPlaneTiles1
                           : op.depth == 3 && op.stride_w == 2 ? kPlaneTiles2
                                                               : kTiles;
  const int per_plane = op.segments / op.a.channels;
  const int across = per_plane / op.kernel_h;
  const float* segments[kMaxSegments];
  for (int y = y0; y < y1; ++y) {
    for (int c = 0; c < op.a.channels; ++c) {
      for (int ky = 0; ky < op.kernel_h; ++ky) {
        const int iy = y * op.stride_h - op.pad_top + ky * op.dilation_h;
        const float* from =
            (iy >= 0 && iy < op.a.height ? row(op.a, arena, iy) + c * op.a.plane : arena + op.zeros + op.a.pad_left) -
            op.pad_left;
        for (int kx = 0; kx < across; ++kx) segments[c * per_plane + ky * across + kx] = from + kx * op.dilation_w;
      }
    }
    for (int j = 0; j < op.block_count; ++j) {
      Tile t = tile_at(op, op.blocks[j], arena, y);
      t.segments = segments;
      t.a_step = op.stride_w;
      tile_line(table, t, op.out.width);
    }
  }
}

// ------------------------------------------------------------------------------------------------ depthwise

// X output pixels of one vector of channels. `p` points at the first column of each of the window's K rows; columns
// beside the image are read too (the arena has room there) and masked to zero.
template <int K, int S, int X>
LIVENESS_INLINE void depthwise_sums(const float* const* rows, Index stride, int column, int width, const V* weight,
                                    V* sum) {
  constexpr int kColumns = (X - 1) * S + K;
  const float* p[K];
  LIVENESS_UNROLL for (int ky = 0; ky < K; ++ky) p[ky] = rows[ky] + column * stride;
  LIVENESS_UNROLL for (int j = 0; j < kColumns; ++j) {
    const bool edge = j < K - 1 || j > kColumns - K;
    const Mask mask = make_mask(column + j >= 0 && column + j < width);
    LIVENESS_UNROLL for (int ky = 0; ky < K; ++ky) {
      V v = edge ? load_masked(p[ky], mask) : load(p[ky]);
      keep(v);
      LIVENESS_UNROLL for (int x = 0; x < X; ++x) {
        const int kx = j - x * S;
        if (kx >= 0 && kx < K) sum[x] = fma(v, weight[ky * K + kx], sum[x]);
      }
      // One pointer a row, moved along: the compiler would rather keep one a column, in memory.
      p[ky] += stride;
      asm("" : "+r"(p[ky]));
    }
  }
}

template <int K, int S, int X>
LIVENESS_INLINE void depthwise_pixels(const Operation& op, const float* const* rows, int x, const V* weight, V bias,
                                      V slope, V low, V high, float* out) {
  V sum[X];
  LIVENESS_UNROLL for (int i = 0; i < X; ++i) sum[i] = bias;
  depthwise_sums<K, S, X>(rows, op.a.stride, x * S - op.pad_left, op.a.width, weight, sum);
  const Index step = op.out.stride;
  float* to = out + x * step;
  if (op.act == Act::kPRelu) {
    LIVENESS_UNROLL for (int i = 0; i < X; ++i) {
      store(to, prelu(sum[i], slope));
      to += step;
    }
  } else if (op.act == Act::kClip && op.act_b == __builtin_huge_valf()) {
    LIVENESS_UNROLL for (int i = 0; i < X; ++i) {
      store(to, highest(low, sum[i]));
      to += step;
    }
  } else if (op.act == Act::kClip) {
    LIVENESS_UNROLL for (int i = 0; i < X; ++i) {
      store(to, clip(sum[i], low, high));
      to += step;
    }
  } else {
    LIVENESS_UNROLL for (int i = 0; i < X; ++i) store(to + i * step, sum[i]);
    if (op.act == Act::kNone) return;
    for (int i = 0; i < X; ++i) store(to + i * step, activate_any(op, load(to + i * step)));
  }
}

// X columns of `count` rows, all channels. The rows are the inner loop: weights stay in registers, and what one row has
// fetched is still in the nearest cache for the next one. A whole row of one vector of channels would not be: where
// pixels are a power of two apart, its cache lines all fall on the same few places.
template <int K, int S, int X>
LIVENESS_INLINE void depthwise_columns(const Operation& op, const float* const* from, float* const* to, int count,
                                       int x) {
  const V low = splat(op.act_a);
  const V high = splat(op.act_b);
  for (int c = 0; c < op.depth; c += kLanes) {
    V weight[K * K];
    LIVENESS_UNROLL for (int k = 0; k < K * K; ++k) weight[k] = load(op.weight + k * op.depth + c);
    const V bias = load(op.bias + c);
    const V slope = op.slope != nullptr ? load(op.slope + c) : bias;
    for (int i = 0; i < count; ++i) {
      const float* rows[K];
      LIVENESS_UNROLL for (int ky = 0; ky < K; ++ky) rows[ky] = from[i * S + ky] + c;
      depthwise_pixels<K, S, X>(op, rows, x, weight, bias, slope, low, high, to[i] + c);
    }
  }
}

template <int K, int S>
void depthwise_rows(const Operation& op, float* arena, int y0, int y1) {
  constexpr int kRows = 16;  // output rows whose input rows are looked up at once
  constexpr int kInputs = (kRows - 1) * S + K;
  constexpr int kWide = 8;
  const int width = op.out.width;
  // Blocks of five leave no rest at the usual widths that are no multiple of eight.
  const bool fives = width % kWide != 0 && width % 5 == 0;
  for (int y = y0; y < y1; y += kRows) {
    const int count = smaller(kRows, y1 - y);
    const float* from[kInputs];
    float* to[kRows];
    for (int i = 0; i < (count - 1) * S + K; ++i) {
      const int iy = y * S - op.pad_top + i;
      from[i] = iy >= 0 && iy < op.a.height ? row(op.a, arena, iy) : arena + op.zeros + op.a.pad_left * op.a.stride;
    }
    for (int i = 0; i < count; ++i) to[i] = row(op.out, arena, y + i);
    int x = 0;
    if (!fives) {
      for (; x + kWide <= width; x += kWide) depthwise_columns<K, S, kWide>(op, from, to, count, x);
    }
    for (; x + 5 <= width; x += 5) depthwise_columns<K, S, 5>(op, from, to, count, x);
    for (; x + 2 <= width; x += 2) depthwise_columns<K, S, 2>(op, from, to, count, x);
    if (x < width) depthwise_columns<K, S, 1>(op, from, to, count, x);
  }
}

// Any kernel, stride and dilation; only the taps that meet the image are read.
template <int N>
void depthwise_any_vectors(const Operation& op, float* arena, int y, int x, int c) {
  V sum[N];
  LIVENESS_UNROLL for (int n = 0; n < N; ++n) sum[n] = load(op.bias + c + n * kLanes);
  for (int ky = 0; ky < op.kernel_h; ++ky) {
    const int iy = y * op.stride_h - op.pad_top + ky * op.dilation_h;
    if (iy < 0 || iy >= op.a.height) continue;
    const float* from = row(op.a, arena, iy) + c;
    for (int kx = 0; kx < op.kernel_w; ++kx) {
      const int ix = x * op.stride_w - op.pad_left + kx * op.dilation_w;
      if (ix < 0 || ix >= op.a.width) continue;
      const float* p = from + ix * op.a.stride;
      const float* w = op.weight + (ky * op.kernel_w + kx) * op.depth + c;
      LIVENESS_UNROLL for (int n = 0; n < N; ++n) sum[n] = fma(load(p + n * kLanes), load(w + n * kLanes), sum[n]);
    }
  }
  float* to = row(op.out, arena, y) + x * op.out.stride + c;
  LIVENESS_UNROLL for (int n = 0; n < N; ++n) {
    store(to + n * kLanes, activate_at(op, sum[n], c + n * kLanes));
  }
}

void depthwise_any(const Operation& op, float* arena, int y0, int y1) {
  constexpr int kWide = 4;
  for (int y = y0; y < y1; ++y) {
    for (int x = 0; x < op.out.width; ++x) {
      int c = 0;
      for (; c + kWide * kLanes <= op.depth; c += kWide * kLanes) depthwise_any_vectors<kWide>(op, arena, y, x, c);
      for (; c < op.depth; c += kLanes) depthwise_any_vectors<1>(op, arena, y, x, c);
    }
  }
}

void depthwise(const Operation& op, float* arena, int y0, int y1) {
  const bool plain = op.kernel_h == op.kernel_w && op.stride_h == op.stride_w && op.dilation_h == 1 &&
                     op.dilation_w == 1 && op.pad_left < op.kernel_w && op.pad_right < op.kernel_w && op.out.width > 1;
  if (plain && op.kernel_h == 3 && op.stride_h == 1) return depthwise_rows<3, 1>(op, arena, y0, y1);
  if (plain && op.kernel_h == 3 && op.stride_h == 2) return depthwise_rows<3, 2>(op, arena, y0, y1);
  if (plain && op.kernel_h == 5 && op.stride_h == 1) return depthwise_rows<5, 1>(op, arena, y0, y1);
  if (plain && op.kernel_h == 5 && op.stride_h == 2) return depthwise_rows<5, 2>(op, arena, y0, y1);
  depthwise_any(op, arena, y0, y1);
}

// ------------------------------------------------------------------------------------------------ pooling

void pool_any(const Operation& op, float* arena, int y0, int y1) {
  for (int y = y0; y < y1; ++y) {
    const int top = y * op.stride_h - op.pad_top;
    for (int x = 0; x < op.out.width; ++x) {
      const int left = x * op.stride_w - op.pad_left;
      int count = 0;
      for (int ky = 0; ky < op.kernel_h; ++ky) {
        for (int kx = 0; kx < op.kernel_w; ++kx) {
          const int iy = top + ky * op.dilation_h;
          const int ix = left + kx * op.dilation_w;
          const bool inside = iy >= 0 && iy < op.a.height && ix >= 0 && ix < op.a.width;
          const bool padded = iy < op.a.height + op.pad_bottom && ix < op.a.width + op.pad_right;
          count += inside || (op.include_pad && padded) ? 1 : 0;
        }
      }
      const V scale = splat(op.maximum || count == 0 ? 1.0F : 1.0F / static_cast<float>(count));
      float* to = row(op.out, arena, y) + x * op.out.stride;
      for (int c = 0; c < op.out.channels; c += kLanes) {
        V value = splat(op.maximum ? -__builtin_huge_valf() : 0.0F);
        for (int ky = 0; ky < op.kernel_h; ++ky) {
          const int iy = top + ky * op.dilation_h;
          if (iy < 0 || iy >= op.a.height) continue;
          const float* from = row(op.a, arena, iy) + c;
          for (int kx = 0; kx < op.kernel_w; ++kx) {
            const int ix = left + kx * op.dilation_w;
            if (ix < 0 || ix >= op.a.width) continue;
            const V v = load(from + ix * op.a.stride);
            value = op.maximum ? highest(value, v) : value + v;
          }
        }
        store(to + c, activate_at(op, value * scale, c));
      }
    }
  }
}

void pool(const Operation& op, float* arena, int y0, int y1) {
  const bool pairs = op.maximum && op.kernel_h == 2 && op.kernel_w == 2 && op.stride_h == 2 && op.stride_w == 2 &&
                     op.dilation_h == 1 && op.dilation_w == 1 && op.pad_top == 0 && op.pad_left == 0 &&
                     2 * op.out.height <= op.a.height && 2 * op.out.width <= op.a.width && op.act == Act::kNone;
  if (!pairs) return pool_any(op, arena, y0, y1);
  const Index step = op.a.stride;
  for (int y = y0; y < y1; ++y) {
    const float* upper = row(op.a, arena, 2 * y);
    const float* lower = row(op.a, arena, 2 * y + 1);
    float* to = row(op.out, arena, y);
    for (int x = 0; x < op.out.width; ++x) {
      for (int c = 0; c < op.out.channels; c += kLanes) {
        const V above = highest(load(upper + c), load(upper + step + c));
        const V below = highest(load(lower + c), load(lower + step + c));
        store(to + c, highest(above, below));
      }
      upper += 2 * step;
      lower += 2 * step;
      to += op.out.stride;
    }
  }
}

// Adds up row by row, so that it can follow the layer before it; y0 and y1 are rows of the input here.
void global_pool(const Operation& op, float* arena, int y0, int y1) {
  float* to = row(op.out, arena, 0);
  const V scale = splat(1.0F / static_cast<float>(op.a.height * op.a.width));
  for (int c = 0; c < op.out.channels; c += kLanes) {
    V value[4];
    value[0] = y0 > 0 ? load(to + c) : splat(op.maximum ? -__builtin_huge_valf() : 0.0F);
    for (int i = 1; i < 4; ++i) value[i] = splat(op.maximum ? -__builtin_huge_valf() : 0.0F);
    for (int y = y0; y < y1; ++y) {
      const float* from = row(op.a, arena, y) + c;
      int x = 0;
      if (op.maximum) {
        for (; x < op.a.width; ++x) value[0] = highest(value[0], load(from + x * op.a.stride));
        continue;
      }
      for (; x + 4 <= op.a.width; x += 4) {
        LIVENESS_UNROLL for (int i = 0; i < 4; ++i) value[i] = value[i] + load(from + (x + i) * op.a.stride);
      }
      for (; x < op.a.width; ++x) value[0] = value[0] + load(from + x * op.a.stride);
    }
    V sum = value[0];
    if (!op.maximum) sum = (value[0] + value[1]) + (value[2] + value[3]);
    if (y1 == op.a.height) sum = activate_at(op, op.maximum ? sum : sum * scale, c);
    store(to + c, sum);
  }
}

// ------------------------------------------------------------------------------------------------ element by element

template <Pointwise P>
LIVENESS_INLINE V combine(const Operation& op, V x, const float* b, int c) {
  if constexpr (P == Pointwise::kAffine) return fma(x, load(op.weight + c), load(op.bias + c));
  if constexpr (P == Pointwise::kAdd) return x + load(b + c);
  if constexpr (P == Pointwise::kSub) return x - load(b + c);
  if constexpr (P == Pointwise::kMul) return x * load(b + c);
  if constexpr (P == Pointwise::kDiv) return x / load(b + c);
  return x;
}

template <Pointwise P>
void pointwise_rows(const Operation& op, float* arena, int y0, int y1) {
  const V low = splat(op.act_a);
  const V high = splat(op.act_b);
  const int channels = op.out.channels;
  const bool after = op.has_c && !op.residual_first;
  for (int y = y0; y < y1; ++y) {
    const float* a = row(op.a, arena, y);
    const float* b = op.has_b ? row(op.b, arena, op.b_vector ? 0 : y) : a;
    const Index b_step = op.b_vector ? 0 : op.b.stride;
    const float* r = op.has_c ? row(op.c, arena, y) : a;
    float* out = row(op.out, arena, y);
    for (int x = 0; x < op.out.width; ++x) {
      for (int c = 0; c < channels; c += kLanes) {
        V v = combine<P>(op, load(a + c), b, c);
        if (op.has_c && op.residual_first) v = v + load(r + c);
        if (op.act == Act::kClip) {
          v = clip(v, low, high);
        } else if (op.act != Act::kNone) {
          v = activate_at(op, v, c);
        }
        if (after) v = v + load(r + c);
        store(out + c, v);
      }
      a += op.a.stride;
      b += b_step;
      r += op.c.stride;
      out += op.out.stride;
    }
  }
}

void pointwise(const Operation& op, float* arena, int y0, int y1) {
  switch (op.pointwise) {
    case Pointwise::kIdentity: return pointwise_rows<Pointwise::kIdentity>(op, arena, y0, y1);
    case Pointwise::kAffine: return pointwise_rows<Pointwise::kAffine>(op, arena, y0, y1);
    case Pointwise::kAdd: return pointwise_rows<Pointwise::kAdd>(op, arena, y0, y1);
    case Pointwise::kSub: return pointwise_rows<Pointwise::kSub>(op, arena, y0, y1);
    case Pointwise::kMul: return pointwise_rows<Pointwise::kMul>(op, arena, y0, y1);
    case Pointwise::kDiv: return pointwise_rows<Pointwise::kDiv>(op, arena, y0, y1);
  }
}

void resize(const Operation& op, float* arena, int y0, int y1) {
  for (int y = y0; y < y1; ++y) {
    const float* upper = row(op.a, arena, op.map_y[2 * y]);
    const float* lower = row(op.a, arena, op.map_y[2 * y + 1]);
    float* out = row(op.out, arena, y);
    for (int x = 0; x < op.out.width; ++x) {
      const Index left = op.map_x[2 * x] * op.a.stride;
      const Index right = op.map_x[2 * x + 1] * op.a.stride;
      if (!op.linear) {
        for (int c = 0; c < op.out.channels; c += kLanes) store(out + c, load(upper + left + c));
      } else {
        const V fx = splat(op.lerp_x[x]);
        const V fy = splat(op.lerp_y[y]);
        for (int c = 0; c < op.out.channels; c += kLanes) {
          const V ul = load(upper + left + c);
          const V ll = load(lower + left + c);
          const V above = fma(fx, load(upper + right + c) - ul, ul);
          const V below = fma(fx, load(lower + right + c) - ll, ll);
          store(out + c, fma(fy, below - above, above));
        }
      }
      out += op.out.stride;
    }
  }
}

// ------------------------------------------------------------------------------------------------ copies between
// layouts

void from_planes(const Operation& op, float* arena, int y0, int y1) {
  for (int y = y0; y < y1; ++y) {
    float* out = row(op.out, arena, y);
    for (int c = 0; c < op.out.channels; ++c) {
      const float* from = row(op.a, arena, y) + c * op.a.plane;
      for (int x = 0; x < op.out.width; ++x) out[x * op.out.stride + c] = from[x];
    }
    for (int c = op.out.channels; c < static_cast<int>(op.out.stride); ++c) {
      for (int x = 0; x < op.out.width; ++x) out[x * op.out.stride + c] = 0;
    }
  }
}

// A dense array of n values in place; the end, which fills no vector, goes through one of its own.
void activate_array(const Operation& op, float* data, int n) {
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) store(data + i, activate_any(op, load(data + i)));
  if (i == n) return;
  float last[kLanes] = {};
  for (int j = 0; i + j < n; ++j) last[j] = data[i + j];
  store(last, activate_any(op, load(last)));
  for (int j = 0; i + j < n; ++j) data[i + j] = last[j];
}

void to_dense(const Operation& op, float* arena, int y0, int y1) {
  const int channels = op.out.channels;
  const int width = op.a.width;
  float* dense = arena + op.out.offset;
  for (int y = y0; y < y1; ++y) {
    const float* from = row(op.a, arena, y) + op.channel;
    if (op.channels_last) {
      float* to = dense + static_cast<Index>(y) * width * channels;
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < channels; ++c) to[x * channels + c] = from[x * op.a.stride + c];
      }
      if (op.act != Act::kNone) activate_array(op, to, width * channels);
    } else {
      for (int c = 0; c < channels; ++c) {
        float* to = dense + (static_cast<Index>(c) * op.a.height + y) * width;
        for (int x = 0; x < width; ++x) to[x] = from[x * op.a.stride + c];
        if (op.act != Act::kNone) activate_array(op, to, width);
      }
    }
  }
}

void from_dense(const Operation& op, float* arena, int y0, int y1) {
  const int channels = op.out.channels;
  const int width = op.out.width;
  const float* dense = arena + op.a.offset;
  for (int y = y0; y < y1; ++y) {
    float* out = row(op.out, arena, y);
    for (int x = 0; x < width; ++x) {
      float* to = out + x * op.out.stride;
      const Index pixel = static_cast<Index>(y) * width + x;
      const Index plane = static_cast<Index>(op.out.height) * width;
      for (int c = 0; c < channels; ++c)
        to[c] = op.channels_last ? dense[pixel * channels + c] : dense[c * plane + pixel];
      for (int c = channels; c < static_cast<int>(op.out.stride); ++c) to[c] = 0;
    }
  }
}

// The narrower side has the count; `channel` is where it lies in the wider one.
void concat(const Operation& op, float* arena, int y0, int y1) {
  const bool widen = op.out.channels >= op.a.channels;
  const int channels = widen ? op.a.channels : op.out.channels;
  for (int y = y0; y < y1; ++y) {
    const float* from = row(op.a, arena, y) + (widen ? 0 : op.channel);
    float* to = row(op.out, arena, y) + (widen ? op.channel : 0);
    for (int x = 0; x < op.out.width; ++x) {
      for (int c = 0; c < channels; ++c) to[c] = from[c];
      from += op.a.stride;
      to += op.out.stride;
    }
  }
}

constexpr Kernels make_kernels() {
  return {kLanes,
          kMaxVectors,
          Halves::kOn && kEveryTile,
          bordered<conv>,
          bordered<conv_planes>,
          bordered<depthwise>,
          bordered<pool>,
          global_pool,
          bordered<pointwise>,
          bordered<resize>,
          bordered<from_planes>,
          to_dense,
          bordered<from_dense>,
          bordered<concat>};
}
