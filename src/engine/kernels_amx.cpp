// Convolutions below fp32 on AMX. A tile of sums is 16 pixels by 16 outputs; one product adds to it 64 bytes of values
// a pixel. Pixels are brought into a scratch buffer first, each from a cache line's border on: a row of a tile that
// straddles two lines costs six times as much to fetch.
#include <immintrin.h>

#include "engine/kernels.hpp"

namespace liveness::engine {

namespace {

#include "engine/vectors_avx512.hpp"

#include "engine/kernels_common.hpp"

// May stand for whatever the scratch buffer and the packed weights hold.
using Unit = int __attribute__((may_alias));

inline constexpr int kTile = 16;  // rows of a tile, and 32-bit units a row
inline constexpr int kTileArea = kTile * kTile;
inline constexpr int kTileChunk = 64;          // pixels of a 1x1 convolution in scratch at once
inline constexpr int kTileBeyond = kTile - 1;  // pixels behind a line that its last tile reads
inline constexpr float kSteps = 255.0F;

// ------------------------------------------------------------------------------------------------ tiles

// All eight tiles are whole ones, always: a line's last pixels share theirs with what lies behind them, whose sums
// nobody reads.
struct alignas(64) TileShapes {
  unsigned char palette = 1;
  unsigned char reserved[15] = {};
  unsigned short row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  unsigned char rows[16] = {kTile, kTile, kTile, kTile, kTile, kTile, kTile, kTile};
};
constexpr TileShapes kTileShapes;

void enter() {
  asm volatile("ldtilecfg %0" ::"m"(kTileShapes));
}
// A thread that holds no tiles is switched away from faster.
void leave() {
  asm volatile("tilerelease" ::: "memory");
}

// In assembly, because the compilers' own functions take a tile's number as text or need the whole translation unit's
// consent. Tiles 0 to 3 are sums, 4 and 5 pixels, 6 and 7 weights.
template <int kNumber>
LIVENESS_INLINE void clear_tile() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kNumber));
}
template <int kNumber>
LIVENESS_INLINE void load_tile(const Unit* from, Index units) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(units * Index{sizeof(Unit)}), "i"(kNumber) : "memory");
}
template <int kNumber>
LIVENESS_INLINE void store_tile(float* to) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(Index{kTile * sizeof(float)}), "i"(kNumber) : "memory");
}

struct Floats16 {
  static constexpr bool kWhole = false;
  template <int kSum, int kPixels, int kWeights>
  LIVENESS_INLINE static void add() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kPixels), "i"(kWeights));
  }
};

struct Bytes {
  static constexpr bool kWhole = true;
  template <int kSum, int kPixels, int kWeights>
  LIVENESS_INLINE static void add() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kPixels), "i"(kWeights));
  }
};

// ------------------------------------------------------------------------------------------------ sums to outputs

// A line of output pixels, as LowTile is one tile of them.
struct Line {
  const Operation* op = nullptr;
  const Unit* const* segments = nullptr;
  Index a_step = 0;       // units from one pixel's values to the next one's
  float* sums = nullptr;  // four tiles
  float* out = nullptr;
  const float* residual = nullptr;
  const float* gate = nullptr;
  const float* step = nullptr;  // int8: value = low + step * number, one each a pixel
  const float* low = nullptr;
};

// One or two tiles of sums that lie below each other: pixels of a line, 16 of its outputs.
struct Pair {
  int pixel = 0;
  int pixels = 0;
  const ConvBlock* block = nullptr;
};

enum class Residual { kNone, kFirst, kAfter };

template <class Dot, Act kAct, Residual kResidual>
void finish_tile(const Line& line, const float* sums, int pixel, int pixels, int channel) {
  const Operation& op = *line.op;
  const V one = splat(1.0F);
  const V gate = line.gate != nullptr ? load(line.gate + channel) : one;
  const V bias = load(op.bias + channel) * gate;
  const V scale = Dot::kWhole ? load(op.scale + channel) * gate : gate;
  const V weights = Dot::kWhole ? load(op.weight + channel) : one;
  const V slope = kAct == Act::kPRelu ? load(op.slope + channel) : one;
  const V lowest_value = splat(op.act_a);
  const V highest_value = splat(op.act_b);
  const Index step = op.out.stride;
  const Index residual_step = op.b.stride;
  float* out = line.out + pixel * step + channel;
  const float* residual = kResidual == Residual::kNone ? nullptr : line.residual + pixel * residual_step + channel;
  _Pragma("GCC unroll 4") for (int m = 0; m < pixels; ++m) {
    V y = load(sums + m * kTile);
    if constexpr (Dot::kWhole) {
      // sum of weight * value = (weight's step) * (pixel's step * whole sum + pixel's low * sum of the whole weights).
      y = fma(splat(line.low[pixel + m]), weights, splat(line.step[pixel + m]) * to_float(__builtin_bit_cast(Int, y)));
    }
    y = fma(y, scale, bias);
    if constexpr (kResidual == Residual::kFirst) y = y + load(residual);
    if constexpr (kAct == Act::kPRelu) {
      y = prelu(y, slope);
    } else if constexpr (kAct == Act::kClip) {
      y = clip(y, lowest_value, highest_value);
    } else if constexpr (kAct != Act::kNone) {
      y = activate_any(op, y);
    }
    if constexpr (kResidual == Residual::kAfter) y = y + load(residual);
    store(out, y);
    out += step;
    if constexpr (kResidual != Residual::kNone) residual += residual_step;
  }
}

using FinishTile = void (*)(const Line& line, const float* sums, int pixel, int pixels, int channel);

template <class Dot, Residual kResidual>
LIVENESS_INLINE FinishTile choose_finish(Act act) {
  switch (act) {
    case Act::kNone: return finish_tile<Dot, Act::kNone, kResidual>;
    case Act::kPRelu: return finish_tile<Dot, Act::kPRelu, kResidual>;
    case Act::kClip: return finish_tile<Dot, Act::kClip, kResidual>;
    default: return finish_tile<Dot, Act::kSigmoid, kResidual>;  // any other one
  }
}

template <class Dot>
LIVENESS_INLINE FinishTile choose_finish(const Operation& op) {
  if (!op.has_b) return choose_finish<Dot, Residual::kNone>(op.act);
  return op.residual_first ? choose_finish<Dot, Residual::kFirst>(op.act)
                           : choose_finish<Dot, Residual::kAfter>(op.act);
}

LIVENESS_INLINE void finish_pair(const Line& line, FinishTile finish, const Pair& pair, const float* sums) {
  const int channel = pair.block->first * kLanes;
  finish(line, sums, pair.pixel, smaller(kTile, pair.pixels), channel);
  if (pair.pixels > kTile) finish(line, sums + kTileArea, pair.pixel + kTile, pair.pixels - kTile, channel);
}

// ------------------------------------------------------------------------------------------------ products

// Sums are in the tiles kFirst and, where there are two, the next one.
template <class Dot, int kFirst, bool kTwo>
LIVENESS_INLINE void multiply(const Line& line, const Pair& pair) {
  const Operation& op = *line.op;
  clear_tile<kFirst>();
  if constexpr (kTwo) clear_tile<kFirst + 1>();
  const auto* w = reinterpret_cast<const Unit*>(pair.block->weight);
  const Index step = line.a_step;
  for (int s = 0; s < op.segments; ++s) {
    const Unit* a = line.segments[s] + pair.pixel * step;
    for (int k = 0; k < op.depth; k += kTile) {
      load_tile<6>(w, kTile);
      load_tile<4>(a, step);
      Dot::template add<kFirst, 4, 6>();
      if constexpr (kTwo) {
        load_tile<5>(a + kTile * step, step);
        Dot::template add<kFirst + 1, 5, 6>();
      }
      w += kTileArea;
      a += kTile;
    }
  }
}

template <int kFirst>
LIVENESS_INLINE void store_pair(const Pair& pair, float* sums) {
  store_tile<kFirst>(sums);
  if (pair.pixels > kTile) store_tile<kFirst + 1>(sums + kTileArea);
}

// A tile's sums can neither be stored while they are computed nor computed while they are stored, so two pairs of tiles
// take turns; and what has been stored rests for a turn before it is read.
template <class Dot>
class Pipeline {
 public:
  LIVENESS_INLINE explicit Pipeline(const Line& line) : line_(line), finish_(choose_finish<Dot>(*line.op)) {}

  template <int kFirst>
  LIVENESS_INLINE void push(const Pair& pair) {
    if (pair.pixels > kTile) {
      multiply<Dot, kFirst, true>(line_, pair);
    } else {
      multiply<Dot, kFirst, false>(line_, pair);
    }
    turn<kFirst>();
    computed_ = pair;
  }
  LIVENESS_INLINE void drain(bool odd) {
    odd ? turn<2>() : turn<0>();
    computed_.pixels = 0;
    odd ? turn<0>() : turn<2>();
  }

 private:
  // kFirst: the tiles that are being computed.
  template <int kFirst>
  LIVENESS_INLINE void turn() {
    float* const place = line_.sums + kFirst * kTileArea;
    float* const other = line_.sums + (2 - kFirst) * kTileArea;
    if (computed_.pixels > 0) store_pair<2 - kFirst>(computed_, other);
    if (stored_.pixels > 0) finish_pair(line_, finish_, stored_, place);
    stored_ = computed_;
  }

  const Line& line_;
  const FinishTile finish_;
  Pair computed_;  // by the other tiles
  Pair stored_;
};

template <class Dot>
void multiply_line(const Line& line, int pixels) {
  const Operation& op = *line.op;
  Pipeline<Dot> pipeline(line);
  bool odd = false;
  for (int j = 0; j < op.block_count; ++j) {
    for (int x = 0; x < pixels; x += 2 * kTile, odd = !odd) {
      const Pair pair{x, smaller(2 * kTile, pixels - x), &op.blocks[j]};
      odd ? pipeline.template push<2>(pair) : pipeline.template push<0>(pair);
    }
  }
  pipeline.drain(odd);
}

// ------------------------------------------------------------------------------------------------ pixels into units

// Pairs of bfloat16, with zeros up to whole rows of tiles: what has no meaning is finite, but 0 times what an earlier
// layer left behind need not be.
LIVENESS_INLINE void round_pixels(const float* from, Index stride, int channels, int pixels, Unit* to, int units) {
  for (int x = 0; x < pixels; ++x) {
    for (int c = 0; c < channels; c += 2 * kLanes) {
      const V second = c + kLanes < channels ? load(from + c + kLanes) : V{};
      Bf16::pack_two(to + c / 2, load(from + c), second);
    }
    from += stride;
    to += units;
  }
}

// The extreme lane of each of 16 vectors; vector 4 (p % 4) + p / 4 gives lane p.
template <V (*kExtreme)(V, V)>
LIVENESS_INLINE V reduce_sixteen(V (&v)[kTile]) {
  LIVENESS_UNROLL for (int i = 0; i < 8; ++i) {
    v[i] = kExtreme(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x44),
                    _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xee));
  }
  LIVENESS_UNROLL for (int i = 0; i < 4; ++i) {
    v[i] = kExtreme(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x88),
                    _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xdd));
  }
  LIVENESS_UNROLL for (int i = 0; i < 2; ++i) {
    v[i] = kExtreme(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]), _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
  }
  return kExtreme(_mm512_shuffle_ps(v[0], v[1], 0x44), _mm512_shuffle_ps(v[0], v[1], 0xee));
}

// As whole numbers of each pixel's own step, from its lowest value on; 16 pixels together. `lows` and `steps` have room
// for whole vectors.
LIVENESS_INLINE void quantize_pixels(const float* from, Index stride, int channels, int pixels, Unit* to, int units,
                                     float* steps, float* lows) {
  const int whole = channels / kLanes * kLanes;
  const auto rest = static_cast<Mask>((1U << (channels - whole)) - 1);
  const Int order_of_lanes = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  const auto order = __builtin_bit_cast(__m512i, order_of_lanes);
  for (int first = 0; first < pixels; first += kTile, from += kTile * stride, to += kTile * units) {
    const int count = smaller(kTile, pixels - first);
    V low[kTile];
    V high[kTile];
    for (int i = 0; i < kTile; ++i) {
      const int p = i % 4 * 4 + i / 4;
      const float* pixel = from + smaller(p, count - 1) * stride;
      V least = splat(pixel[0]);
      V most = least;
      for (int c = 0; c < whole; c += kLanes) {
        const V v = load(pixel + c);
        least = lowest(least, v);
        most = highest(most, v);
      }
      if (whole < channels) {
        // What lies beyond the channels has no meaning.
        const V v = _mm512_mask_loadu_ps(least, rest, pixel + whole);
        least = lowest(least, v);
        most = highest(most, v);
      }
      low[i] = least;
      high[i] = most;
    }
    const V least = reduce_sixteen<lowest>(low);
    const V range = reduce_sixteen<highest>(high) - least;
    store(lows + first, least);
    store(steps + first, range * splat(1 / kSteps));
    alignas(64) float factors[kTile];
    store(factors, _mm512_maskz_div_ps(_mm512_cmp_ps_mask(range, V{}, _CMP_GT_OQ), splat(kSteps), range));
    for (int p = 0; p < count; ++p) {
      const float* pixel = from + p * stride;
      const V factor = splat(factors[p]);
      const V offset = splat(lows[first + p]);
      for (int c = 0; c < channels; c += 4 * kLanes) {
        __m512i whole_numbers[4];
        LIVENESS_UNROLL for (int i = 0; i < 4; ++i) {
          const bool inside = c + i * kLanes < channels;
          whole_numbers[i] = inside ? _mm512_cvtps_epi32((load(pixel + c + i * kLanes) - offset) * factor) : __m512i{};
        }
        const __m512i bytes = _mm512_packus_epi16(_mm512_packus_epi32(whole_numbers[0], whole_numbers[1]),
                                                  _mm512_packus_epi32(whole_numbers[2], whole_numbers[3]));
        _mm512_storeu_si512(to + p * units + c / 4, _mm512_permutexvar_epi32(order, bytes));
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------ convolutions

// Scratch: two groups of sums, steps and lowest values of a chunk, then pixels.
struct Scratch {
  float* sums;
  float* steps;
  float* lows;
  Unit* units;
};

LIVENESS_INLINE Scratch scratch_of(const Operation& op, float* arena) {
  float* const sums = arena + op.scratch;
  float* const steps = sums + 4 * kTileArea;
  return {sums, steps, steps + kTileChunk, reinterpret_cast<Unit*>(steps + 2 * kTileChunk)};
}

LIVENESS_INLINE Line line_of(const Operation& op, float* arena, float* sums) {
  Line line;
  line.op = &op;
  line.sums = sums;
  if (op.has_c) line.gate = arena + op.c.offset;
  return line;
}

// 1x1 of stride 1.
template <class Dot>
void conv_lines(const Operation& op, float* arena, int y0, int y1) {
  const Scratch scratch = scratch_of(op, arena);
  const Unit* segment = scratch.units;
  Line line = line_of(op, arena, scratch.sums);
  line.segments = &segment;
  line.a_step = op.depth;
  line.step = scratch.steps;
  line.low = scratch.lows;
  for (int y = y0; y < y1;) {
    const int rows = rows_in_line(op, y, y1);
    const int pixels = rows * op.out.width;
    for (int x = 0; x < pixels; x += kTileChunk) {
      const int count = smaller(kTileChunk, pixels - x);
      const float* from = row(op.a, arena, y) + x * op.a.stride;
      if constexpr (Dot::kWhole) {
        quantize_pixels(from, op.a.stride, op.a.channels, count, scratch.units, op.depth, scratch.steps, scratch.lows);
      } else {
        round_pixels(from, op.a.stride, op.a.channels, count, scratch.units, op.depth);
      }
      line.out = row(op.out, arena, y) + x * op.out.stride;
      if (op.has_b) line.residual = row(op.b, arena, y) + x * op.b.stride;
      multiply_line<Dot>(line, count);
    }
    y += rows;
  }
}

// Any window: the rows that it covers are kept as units, with the columns of zeros beside them, and each is made once.
void conv_windows(const Operation& op, float* arena, int y0, int y1) {
  const Scratch scratch = scratch_of(op, arena);
  const int pixel = op.depth / (op.segments == op.kernel_h ? op.kernel_w : 1);
  const int columns = op.a.pad_left + op.a.width + op.a.pad_right;
  const int ring = (op.kernel_h - 1) * op.dilation_h + 1;
  const Index pitch = static_cast<Index>(columns + kTileBeyond * op.stride_w) * pixel;
  const int across = op.segments / op.kernel_h;
  const Unit* segments[kMaxSegments];
  Line line = line_of(op, arena, scratch.sums);
  line.segments = segments;
  line.a_step = static_cast<Index>(op.stride_w) * pixel;
  int made = y0 * op.stride_h - op.pad_top;
  for (int y = y0; y < y1; ++y) {
    const int top = y * op.stride_h - op.pad_top;
    const auto place = [&](int line_number) {
      return scratch.units + (line_number + ring * op.pad_top) % ring * pitch;
    };
    for (made = larger(made, top); made < top + ring; ++made) {
      const bool inside = made >= 0 && made < op.a.height;
      const float* from = inside ? row(op.a, arena, made) - op.a.pad_left * op.a.stride : arena + op.zeros;
      round_pixels(from, op.a.stride, op.a.channels, columns, place(made), pixel);
    }
    for (int ky = 0; ky < op.kernel_h; ++ky) {
      const Unit* from = place(top + ky * op.dilation_h) + (op.a.pad_left - op.pad_left) * pixel;
      for (int kx = 0; kx < across; ++kx) segments[ky * across + kx] = from + kx * op.dilation_w * pixel;
    }
    line.out = row(op.out, arena, y);
    if (op.has_b) line.residual = row(op.b, arena, y);
    multiply_line<Floats16>(line, op.out.width);
  }
}

void conv_bf16(const Operation& op, float* arena, int y0, int y1) {
  const bool plain = op.kernel_h == 1 && op.kernel_w == 1 && op.stride_h == 1 && op.stride_w == 1 && op.pad_top == 0 &&
                     op.pad_left == 0 && op.a.height == op.out.height && op.a.width == op.out.width;
  plain ? conv_lines<Floats16>(op, arena, y0, y1) : conv_windows(op, arena, y0, y1);
}

}  // namespace

constinit const LowKernels kAmxLow = {
    .conv_bf16 = bordered<conv_bf16>,
    .conv_int8 = bordered<conv_lines<Bytes>>,
    .int8_per_unit = 4,
    // Products cost so little that only many of them make up for what int8 needs before and after.
    .int8_inputs = 128,
    .int8_outputs = 64,
    .wide_vectors = 1,
    .depth_multiple = kTile,
    .chunk = kTileChunk,
    .beyond = kTileBeyond,
    .sums = 4 * kTileArea,
    .gates = true,
    .enter = enter,
    .leave = leave,
};

}  // namespace liveness::engine
