#include "vision/roi_kernels_x86.hpp"

#ifdef LIVENESS_ROI_X86

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 warns of its own intrinsics, whose masked forms take an undefined source on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "vision/roi_kernels_generic.hpp"

// The instruction set is an attribute of each function and not of the file: what the file takes from headers stays
// compiled for every machine.
#define LIVENESS_AVX2 __attribute__((target("avx2,fma")))
#define LIVENESS_AVX512 __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi")))

namespace liveness::vision {
namespace {

// ---------------------------------------------------------------- tables

// Moves the place of each result's pixels back from the end of the row, so that eight bytes can be read from it.
void prepare_eight_bytes(LinearRow& row) {
  const std::size_t n = row.offset.size();
  row.origin.resize(n);
  row.shift.resize(n);
  for (std::size_t x = 0; x < n; ++x) {
    row.origin[x] = std::min(row.offset[x], row.readable - 8);
    row.shift[x] = std::int64_t{8} * (row.offset[x] - row.origin[x]);
  }
}

void prepare_linear_avx2(LinearRow& row) {
  if (row.readable >= 8) prepare_eight_bytes(row);
}

// The bytes that `results` neighbouring results touch at most.
int widest(const LinearRow& row, std::size_t results) {
  int span = 0;
  for (std::size_t x = 0; x < row.offset.size(); x += results) {
    const auto [low, high] = std::minmax_element(row.offset.data() + x, row.offset.data() + x + results);
    span = std::max(span, *high - *low + 2 * row.pixel.bytes);
  }
  return span;
}

LIVENESS_AVX512 void prepare_linear_avx512(LinearRow& row) {
  using Reach = LinearRow::Reach;
  if (row.readable < 8) return;
  row.reach = Reach::kFar;
  if (row.readable >= 128 && widest(row, 16) <= 128) {
    row.reach = Reach::kSixteen;
  } else if (row.readable >= 128) {
    const int span = widest(row, 8);
    if (span <= 128) {
      row.reach = Reach::kEight;
    } else if (span <= 256 && row.readable >= 256) {
      row.reach = Reach::kWide;
    }
  }
  if (row.reach == Reach::kFar) {
    prepare_eight_bytes(row);
    return;
  }
  const std::size_t results = row.reach == Reach::kSixteen ? 16 : 8;
  const int block = row.reach == Reach::kWide ? 256 : 128;
  row.base.resize(row.offset.size() / results);
  row.index.resize(row.offset.size() * 8);
  for (std::size_t g = 0; g < row.base.size(); ++g) {
    const std::int32_t* offset = row.offset.data() + results * g;
    row.base[g] = std::min(*std::min_element(offset, offset + results), row.readable - block);
    const __m512i base = _mm512_set1_epi32(row.base[g]);
    __m512i index;
    if (results == 16) {
      index = _mm512_mullo_epi32(_mm512_sub_epi32(_mm512_loadu_si512(offset), base), _mm512_set1_epi32(0x00010001));
    } else {
      const __m256i at =
          _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(offset)), _mm512_castsi512_si256(base));
      index = _mm512_add_epi8(_mm512_mullo_epi64(_mm512_cvtepi32_epi64(at), _mm512_set1_epi64(0x0101010101010101)),
                              _mm512_set1_epi64(0x0706050403020100));
    }
    _mm512_storeu_si512(row.index.data() + 64 * g, index);
  }
}

// ---------------------------------------------------------------- bilinear, AVX2

LIVENESS_AVX2 inline __m128i two_pixels(const std::uint8_t* a, const std::uint8_t* b) {
  return _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(a)),
                            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(b)));
}

// Both taps of eight results, eight bytes a result: results 0, 1, 4, 5 and 2, 3, 6, 7, so that the halves of each lane
// are neighbours once a channel's words are put together.
struct Eight {
  __m256i even;
  __m256i odd;
};
LIVENESS_AVX2 inline Eight eight_pixels(const LinearRow& row, const std::uint8_t* pixels, int x) {
  const std::int32_t* o = row.origin.data() + x;
  const __m256i* s = reinterpret_cast<const __m256i*>(row.shift.data() + x);
  const __m256i shift0 = _mm256_loadu_si256(s);
  const __m256i shift1 = _mm256_loadu_si256(s + 1);
  const __m256i even = _mm256_inserti128_si256(_mm256_castsi128_si256(two_pixels(pixels + o[0], pixels + o[1])),
                                               two_pixels(pixels + o[4], pixels + o[5]), 1);
  const __m256i odd = _mm256_inserti128_si256(_mm256_castsi128_si256(two_pixels(pixels + o[2], pixels + o[3])),
                                              two_pixels(pixels + o[6], pixels + o[7]), 1);
  return {_mm256_srlv_epi64(even, _mm256_permute2x128_si256(shift0, shift1, 0x20)),
          _mm256_srlv_epi64(odd, _mm256_permute2x128_si256(shift0, shift1, 0x31))};
}

LIVENESS_AVX2 inline __m256i row_sum(const Eight& p, __m256i low, __m256i high, __m256i weights, __m256i bias) {
  const __m256i taps = _mm256_or_si256(_mm256_shuffle_epi8(p.even, low), _mm256_shuffle_epi8(p.odd, high));
  return _mm256_srli_epi32(_mm256_add_epi32(_mm256_madd_epi16(taps, weights), bias), 4);
}

LIVENESS_AVX2 void linear_avx2(const LinearRow& row, const LinearLine* lines, int count, const float* mul,
                               const float* add, float* const* out, std::ptrdiff_t out_stride) {
  if (row.readable < 8) {
    generic::linear(row, lines, count, mul, add, out, out_stride);
    return;
  }
  // A channel's four bytes of a lane's two pixels go to words in the lower or the upper half.
  __m256i low[3];
  __m256i high[3];
  for (int c = 0; c < row.pixel.planes; ++c) {
    alignas(32) std::int8_t index[32];
    std::fill_n(index, 32, std::int8_t{-1});
    for (int lane = 0; lane < 32; lane += 16)
      for (int p = 0; p < 2; ++p)
        for (int tap = 0; tap < 2; ++tap)
          index[lane + 4 * p + 2 * tap] = static_cast<std::int8_t>(8 * p + row.pixel.order[c] + tap * row.second);
    low[c] = _mm256_load_si256(reinterpret_cast<const __m256i*>(index));
    high[c] = _mm256_permute4x64_epi64(low[c], 0xB1);
  }
  const __m256i two = _mm256_set1_epi32(2);
  const __m256i lane = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  for (int y = 0; y < count; ++y) {
    const LinearLine& line = lines[y];
    const __m256i above = _mm256_set1_epi32(line.upper_weight);
    const __m256i below = _mm256_set1_epi32(line.lower_weight);
    for (int x = 0; x < row.width; x += 8) {
      const Eight a = eight_pixels(row, line.upper, x);
      const Eight b = eight_pixels(row, line.lower, x);
      const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.weights.data() + 2 * x));
      const __m256i bias = row.bias.empty() ? _mm256_setzero_si256()
                                            : _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.bias.data() + x));
      const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(row.width - x), lane);
      for (int c = 0; c < row.pixel.planes; ++c) {
        const __m256i sum = _mm256_add_epi32(_mm256_mulhi_epu16(row_sum(a, low[c], high[c], weights, bias), above),
                                             _mm256_mulhi_epu16(row_sum(b, low[c], high[c], weights, bias), below));
        const __m256 level = _mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_add_epi32(sum, two), 2));
        _mm256_maskstore_ps(out[c] + out_stride * y + x, mask,
                            _mm256_fmadd_ps(level, _mm256_set1_ps(mul[c]), _mm256_set1_ps(add[c])));
      }
    }
  }
}

// ---------------------------------------------------------------- bilinear, AVX-512

LIVENESS_AVX512 inline __mmask16 low_bits(int n) {
  return static_cast<__mmask16>(n >= 16 ? 0xFFFFU : n <= 0 ? 0U : (1U << n) - 1);
}

using Reach = LinearRow::Reach;

// Both taps of eight results, eight bytes a result. `index`: where they are in the block, or how far to shift.
template <Reach kReach>
LIVENESS_AVX512 inline __m512i eight_results(const LinearRow& row, const std::uint8_t* pixels, std::size_t group,
                                             __m512i index) {
  if constexpr (kReach == Reach::kFar) {
    const __m256i origin = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.origin.data() + 8 * group));
    return _mm512_srlv_epi64(_mm512_i32gather_epi64(origin, pixels, 1), index);
  } else {
    const std::uint8_t* p = pixels + row.base[group];
    const __m512i near = _mm512_permutex2var_epi8(_mm512_loadu_si512(p), index, _mm512_loadu_si512(p + 64));
    if constexpr (kReach == Reach::kEight) {
      return near;
    } else {
      const __m512i far = _mm512_permutex2var_epi8(_mm512_loadu_si512(p + 128), index, _mm512_loadu_si512(p + 192));
      return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), near, far);
    }
  }
}

// The sums of one channel along both rows, between them, and to a value.
template <bool kBias>
LIVENESS_AVX512 inline __m512 between(__m512i upper_taps, __m512i lower_taps, __m512i weights, __m512i bias,
                                      __m512i above, __m512i below, __m512 gain, __m512 shift) {
  __m512i a = _mm512_madd_epi16(upper_taps, weights);
  __m512i b = _mm512_madd_epi16(lower_taps, weights);
  if constexpr (kBias) {
    a = _mm512_add_epi32(a, bias);
    b = _mm512_add_epi32(b, bias);
  }
  a = _mm512_mulhi_epu16(_mm512_srli_epi32(a, 4), above);
  b = _mm512_mulhi_epu16(_mm512_srli_epi32(b, 4), below);
  const __m512i level = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_set1_epi32(2)), 2);
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(level), gain, shift);
}

template <Reach kReach, int kPlanes, bool kBias>
LIVENESS_AVX512 void linear_reach(const LinearRow& row, const LinearLine* lines, int count, const float* mul,
                                  const float* add, float* const* out, std::ptrdiff_t out_stride) {
  constexpr bool kNear = kReach == Reach::kSixteen;
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  __m512i channel[3];
  __m512 gain[3];
  __m512 shift[3];
  for (int c = 0; c < kPlanes; ++c) {
    const int first = row.pixel.order[c];
    const __m512i taps = _mm512_set1_epi32(first | ((first + row.second) << 16));
    channel[c] = kNear ? taps : _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(0x00080008)), taps);
    gain[c] = _mm512_set1_ps(mul[c]);
    shift[c] = _mm512_set1_ps(add[c]);
  }
  const std::uint8_t* index =
      kReach == Reach::kFar ? reinterpret_cast<const std::uint8_t*>(row.shift.data()) : row.index.data();
  const std::int32_t* base = row.base.data();
  const std::int16_t* weight = row.weights.data();
  const std::int32_t* bias = row.bias.data();
  const int width = row.width;
  const int extent = *std::max_element(row.offset.begin(), row.offset.end());
  constexpr __mmask64 kWords = 0x5555555555555555;
  for (int y = 0; y < count; ++y) {
    const std::uint8_t* upper = lines[y].upper;
    const std::uint8_t* lower = lines[y].lower;
    if (y + 1 < count) {  // rows of a crop are too far apart for the machine to foresee the next
      for (int i = 0; i <= extent; i += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(lines[y + 1].upper + i), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char*>(lines[y + 1].lower + i), _MM_HINT_T0);
      }
    }
    const __m512i above = _mm512_set1_epi32(lines[y].upper_weight);
    const __m512i below = _mm512_set1_epi32(lines[y].lower_weight);
    float* const out0 = out[0] + out_stride * y;
    float* const out1 = kPlanes == 3 ? out[1] + out_stride * y : nullptr;
    float* const out2 = kPlanes == 3 ? out[2] + out_stride * y : nullptr;
    for (int x = 0; x < width; x += 16) {
      __m512i a0, a1, b0, b1, at0, at1, at2;
      if constexpr (kNear) {
        const std::int32_t from = base[x / 16];
        a0 = _mm512_loadu_si512(upper + from);
        a1 = _mm512_loadu_si512(upper + from + 64);
        b0 = _mm512_loadu_si512(lower + from);
        b1 = _mm512_loadu_si512(lower + from + 64);
        const __m512i at = _mm512_loadu_si512(index + 4 * x);
        at0 = _mm512_add_epi32(at, channel[0]);
        at1 = kPlanes == 3 ? _mm512_add_epi32(at, channel[1]) : at0;
        at2 = kPlanes == 3 ? _mm512_add_epi32(at, channel[2]) : at0;
      } else {
        const auto group = static_cast<std::size_t>(x / 8);
        const __m512i index0 = _mm512_loadu_si512(index + 64 * group);
        const __m512i index1 = _mm512_loadu_si512(index + 64 * group + 64);
        a0 = eight_results<kReach>(row, upper, group, index0);
        a1 = eight_results<kReach>(row, upper, group + 1, index1);
        b0 = eight_results<kReach>(row, lower, group, index0);
        b1 = eight_results<kReach>(row, lower, group + 1, index1);
        at0 = channel[0];
        at1 = channel[kPlanes == 3 ? 1 : 0];
        at2 = channel[kPlanes == 3 ? 2 : 0];
      }
      const __m512i w = _mm512_loadu_si512(weight + 2 * x);
      const __m512i more = kBias ? _mm512_loadu_si512(bias + x) : _mm512_setzero_si512();
      const __mmask16 mask = low_bits(width - x);
      _mm512_mask_storeu_ps(out0 + x, mask,
                            between<kBias>(_mm512_maskz_permutex2var_epi8(kWords, a0, at0, a1),
                                           _mm512_maskz_permutex2var_epi8(kWords, b0, at0, b1), w, more, above, below,
                                           gain[0], shift[0]));
      if constexpr (kPlanes == 3) {
        _mm512_mask_storeu_ps(out1 + x, mask,
                              between<kBias>(_mm512_maskz_permutex2var_epi8(kWords, a0, at1, a1),
                                             _mm512_maskz_permutex2var_epi8(kWords, b0, at1, b1), w, more, above, below,
                                             gain[1], shift[1]));
        _mm512_mask_storeu_ps(out2 + x, mask,
                              between<kBias>(_mm512_maskz_permutex2var_epi8(kWords, a0, at2, a1),
                                             _mm512_maskz_permutex2var_epi8(kWords, b0, at2, b1), w, more, above, below,
                                             gain[2], shift[2]));
      }
    }
  }
}

template <Reach kReach>
LIVENESS_AVX512 void linear_rows(const LinearRow& row, const LinearLine* lines, int count, const float* mul,
                                 const float* add, float* const* out, std::ptrdiff_t out_stride) {
  const auto kernel = row.pixel.planes == 3
                          ? (row.bias.empty() ? linear_reach<kReach, 3, false> : linear_reach<kReach, 3, true>)
                          : (row.bias.empty() ? linear_reach<kReach, 1, false> : linear_reach<kReach, 1, true>);
  kernel(row, lines, count, mul, add, out, out_stride);
}

LIVENESS_AVX512 void linear_avx512(const LinearRow& row, const LinearLine* lines, int count, const float* mul,
                                   const float* add, float* const* out, std::ptrdiff_t out_stride) {
  if (row.readable < 8) {
    generic::linear(row, lines, count, mul, add, out, out_stride);
    return;
  }
  const auto kernel = row.reach == Reach::kSixteen ? linear_rows<Reach::kSixteen>
                      : row.reach == Reach::kEight ? linear_rows<Reach::kEight>
                      : row.reach == Reach::kWide  ? linear_rows<Reach::kWide>
                                                   : linear_rows<Reach::kFar>;
  kernel(row, lines, count, mul, add, out, out_stride);
}

// ---------------------------------------------------------------- float filter, AVX-512

// The buffer is planar where sixteen neighbouring results read from at most four registers.
void prepare_fir_avx512(FirRow& row) {
  row.span = 0;
  for (int x = 0; x < row.width; x += 16) {
    const int last = row.start[static_cast<std::size_t>(std::min(x + 15, row.width - 1))];
    row.span = std::max(row.span, last + row.taps - row.start[static_cast<std::size_t>(x)]);
  }
  row.planar = row.span <= 64;
  if (!row.planar) return;
  const auto n = static_cast<std::size_t>(padded(row.width));
  const auto taps = static_cast<std::size_t>(row.taps);
  row.transposed.assign(n * taps, 0.0F);
  for (std::size_t x = 0; x < static_cast<std::size_t>(row.width); ++x)
    for (std::size_t k = 0; k < taps; ++k) row.transposed[k * n + x] = row.weight[x * taps + k];
}

template <bool kWhole>
LIVENESS_AVX512 inline __m512 sixteen_floats(const std::uint8_t* p, int left) {
  const __m128i v =
      kWhole ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)) : _mm_maskz_loadu_epi8(low_bits(left), p);
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(v));
}

// Weighted sum of sixteen pixels, to planes. `bytes`: how many may be read, 16 * kBytes unless the row ends.
// The sums have names and are no array, which the compiler would keep in memory.
template <int kBytes, bool kWhole>
LIVENESS_AVX512 inline void accumulate_sixteen(const std::uint8_t* const* pixels, std::ptrdiff_t at, int bytes,
                                               const float* weights, int rows, float base, bool more,
                                               std::size_t plane_stride, float* out) {
  __m512 s0 = _mm512_set1_ps(base);
  __m512 s1 = s0;
  __m512 s2 = s0;
  __m512 s3 = s0;
  for (int r = 0; r < rows; ++r) {
    const __m512 w = _mm512_set1_ps(weights[r]);
    const std::uint8_t* p = pixels[r] + at;
    s0 = _mm512_fmadd_ps(sixteen_floats<kWhole>(p, bytes), w, s0);
    if constexpr (kBytes >= 3) {
      s1 = _mm512_fmadd_ps(sixteen_floats<kWhole>(p + 16, bytes - 16), w, s1);
      s2 = _mm512_fmadd_ps(sixteen_floats<kWhole>(p + 32, bytes - 32), w, s2);
    }
    if constexpr (kBytes == 4) s3 = _mm512_fmadd_ps(sixteen_floats<kWhole>(p + 48, bytes - 48), w, s3);
  }
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  for (int c = 0; c < std::min(kBytes, 3); ++c) {
    __m512 plane = s0;
    if constexpr (kBytes == 3) {
      const __m512i index = _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(3)), _mm512_set1_epi32(c));
      plane = _mm512_permutex2var_ps(s0, index, s1);
      plane = _mm512_mask_permutexvar_ps(plane, _mm512_cmpge_epi32_mask(index, _mm512_set1_epi32(32)), index, s2);
    } else if constexpr (kBytes == 4) {
      const __m512i index = _mm512_add_epi32(_mm512_slli_epi32(lane, 2), _mm512_set1_epi32(c));
      plane =
          _mm512_mask_blend_ps(0xFF00, _mm512_permutex2var_ps(s0, index, s1), _mm512_permutex2var_ps(s2, index, s3));
    }
    float* to = out + static_cast<std::size_t>(c) * plane_stride;
    if (more) plane = _mm512_add_ps(plane, _mm512_loadu_ps(to));
    _mm512_storeu_ps(to, plane);
  }
}

template <int kBytes>
LIVENESS_AVX512 void accumulate_planar(const std::uint8_t* const* pixels, const float* weights, int rows, float base,
                                       int count, bool more, std::size_t plane_stride, float* buffer) {
  if (more) base = 0;
  int x = 0;
  for (; x + 16 <= count; x += 16)
    accumulate_sixteen<kBytes, true>(pixels, std::ptrdiff_t{x} * kBytes, 0, weights, rows, base, more, plane_stride,
                                     buffer + x);
  if (x < count)
    accumulate_sixteen<kBytes, false>(pixels, std::ptrdiff_t{x} * kBytes, (count - x) * kBytes, weights, rows, base,
                                      more, plane_stride, buffer + x);
}

LIVENESS_AVX512 void accumulate_avx512(const FirRow& row, const std::uint8_t* const* pixels, const float* weights,
                                       int rows, float base, int count, bool more, float* buffer) {
  if (!row.planar)
    generic::accumulate(pixels, weights, rows, base, count * row.pixel.bytes, more, buffer);
  else if (row.pixel.bytes == 3)
    accumulate_planar<3>(pixels, weights, rows, base, count, more, row.plane_stride, buffer);
  else if (row.pixel.bytes == 4)
    accumulate_planar<4>(pixels, weights, rows, base, count, more, row.plane_stride, buffer);
  else
    accumulate_planar<1>(pixels, weights, rows, base, count, more, row.plane_stride, buffer);
}

// Pixels of one plane of the row buffer that sixteen neighbouring results read from.
template <bool kWide>
struct Window {
  __m512 a, b, c, d;
  LIVENESS_AVX512 explicit Window(const float* p)
      : a(_mm512_loadu_ps(p)),
        b(_mm512_loadu_ps(p + 16)),
        c(kWide ? _mm512_loadu_ps(p + 32) : a),
        d(kWide ? _mm512_loadu_ps(p + 48) : b) {}
  [[nodiscard]] LIVENESS_AVX512 __m512 at(__m512i index, __mmask16 far) const {
    const __m512 v = _mm512_permutex2var_ps(a, index, b);
    return kWide ? _mm512_mask_blend_ps(far, v, _mm512_permutex2var_ps(c, index, d)) : v;
  }
};

LIVENESS_AVX512 inline __m512 finished(__m512 sum, float mul, float add) {
  sum = _mm512_roundscale_ps(sum, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  sum = _mm512_min_ps(_mm512_max_ps(sum, _mm512_setzero_ps()), _mm512_set1_ps(255));
  return _mm512_fmadd_ps(sum, _mm512_set1_ps(mul), _mm512_set1_ps(add));
}

template <int kPlanes, bool kWide>
LIVENESS_AVX512 void reduce_planes(const FirRow& row, const float* buffer, const float* mul, const float* add,
                                   float* const* out) {
  const auto n = static_cast<std::size_t>(padded(row.width));
  const int taps = row.taps;
  const __m512i one = _mm512_set1_epi32(1);
  const float* plane0 = buffer + static_cast<std::size_t>(row.pixel.order[0]) * row.plane_stride;
  const float* plane1 = buffer + static_cast<std::size_t>(row.pixel.order[1]) * row.plane_stride;
  const float* plane2 = buffer + static_cast<std::size_t>(row.pixel.order[2]) * row.plane_stride;
  for (int x = 0; x < row.width; x += 16) {
    const int base = row.start[static_cast<std::size_t>(x)];
    __m512i index = _mm512_sub_epi32(_mm512_loadu_si512(row.start.data() + x), _mm512_set1_epi32(base));
    const float* weight = row.transposed.data() + x;
    const Window<kWide> w0(plane0 + base);
    const Window<kWide> w1(kPlanes == 3 ? plane1 + base : plane0 + base);
    const Window<kWide> w2(kPlanes == 3 ? plane2 + base : plane0 + base);
    __m512 s0 = _mm512_setzero_ps();
    __m512 s1 = s0;
    __m512 s2 = s0;
    for (int k = 0; k < taps; ++k) {
      const __m512 w = _mm512_loadu_ps(weight);
      const __mmask16 far = kWide ? _mm512_test_epi32_mask(index, _mm512_set1_epi32(32)) : static_cast<__mmask16>(0);
      s0 = _mm512_fmadd_ps(w0.at(index, far), w, s0);
      if constexpr (kPlanes == 3) {
        s1 = _mm512_fmadd_ps(w1.at(index, far), w, s1);
        s2 = _mm512_fmadd_ps(w2.at(index, far), w, s2);
      }
      index = _mm512_add_epi32(index, one);
      weight += n;
    }
    const __mmask16 mask = low_bits(row.width - x);
    _mm512_mask_storeu_ps(out[0] + x, mask, finished(s0, mul[0], add[0]));
    if constexpr (kPlanes == 3) {
      _mm512_mask_storeu_ps(out[1] + x, mask, finished(s1, mul[1], add[1]));
      _mm512_mask_storeu_ps(out[2] + x, mask, finished(s2, mul[2], add[2]));
    }
  }
}

LIVENESS_AVX512 void reduce_avx512(const FirRow& row, const float* buffer, float* scratch, const float* mul,
                                   const float* add, float* const* out) {
  if (!row.planar)
    generic::reduce(row, buffer, scratch, mul, add, out);
  else if (row.pixel.planes == 1)
    row.span > 32 ? reduce_planes<1, true>(row, buffer, mul, add, out)
                  : reduce_planes<1, false>(row, buffer, mul, add, out);
  else
    row.span > 32 ? reduce_planes<3, true>(row, buffer, mul, add, out)
                  : reduce_planes<3, false>(row, buffer, mul, add, out);
}

// ---------------------------------------------------------------- NV12, AVX-512

LIVENESS_AVX512 void nv12_row_avx512(const std::uint8_t* luma, const std::uint8_t* chroma, int count, bool swapped,
                                     std::uint8_t* out) {
  const __m128i first = _mm_set_epi8(14, 14, 12, 12, 10, 10, 8, 8, 6, 6, 4, 4, 2, 2, 0, 0);
  const __m128i second = _mm_add_epi8(first, _mm_set1_epi8(1));
  const __m128i u_index = swapped ? second : first;
  const __m128i v_index = swapped ? first : second;
  const __m512i half = _mm512_set1_epi32(generic::kHalf);
  const __m512i centre = _mm512_set1_epi32(128);
  const __m512i zero = _mm512_setzero_si512();
  const __m512i top = _mm512_set1_epi32(255);
  int x = 0;
  for (; x + 16 <= count; x += 16) {
    const __m128i uv = _mm_loadu_si128(reinterpret_cast<const __m128i*>(chroma + x));
    const __m512i u = _mm512_sub_epi32(_mm512_cvtepu8_epi32(_mm_shuffle_epi8(uv, u_index)), centre);
    const __m512i v = _mm512_sub_epi32(_mm512_cvtepu8_epi32(_mm_shuffle_epi8(uv, v_index)), centre);
    const __m128i bright =
        _mm_subs_epu8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(luma + x)), _mm_set1_epi8(16));
    const __m512i y =
        _mm512_add_epi32(_mm512_mullo_epi32(_mm512_cvtepu8_epi32(bright), _mm512_set1_epi32(generic::kLuma)), half);
    const __m512i b = _mm512_add_epi32(y, _mm512_mullo_epi32(u, _mm512_set1_epi32(generic::kBlueU)));
    const __m512i g = _mm512_add_epi32(_mm512_add_epi32(y, _mm512_mullo_epi32(u, _mm512_set1_epi32(generic::kGreenU))),
                                       _mm512_mullo_epi32(v, _mm512_set1_epi32(generic::kGreenV)));
    const __m512i r = _mm512_add_epi32(y, _mm512_mullo_epi32(v, _mm512_set1_epi32(generic::kRedV)));
    const __m512i blue = _mm512_min_epi32(_mm512_max_epi32(_mm512_srai_epi32(b, 20), zero), top);
    const __m512i green = _mm512_min_epi32(_mm512_max_epi32(_mm512_srai_epi32(g, 20), zero), top);
    const __m512i red = _mm512_min_epi32(_mm512_max_epi32(_mm512_srai_epi32(r, 20), zero), top);
    const __m512i pixel =
        _mm512_or_si512(_mm512_or_si512(blue, _mm512_slli_epi32(green, 8)), _mm512_slli_epi32(red, 16));
    _mm512_storeu_si512(out + std::ptrdiff_t{4} * x, pixel);
  }
  generic::nv12_row(luma + x, chroma + x, count - x, swapped, out + std::ptrdiff_t{4} * x);
}

// ---------------------------------------------------------------- NV12, AVX2

LIVENESS_AVX2 inline __m128i eight_bytes(const std::uint8_t* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
LIVENESS_AVX2 inline __m256i times(__m256i v, int factor) {
  return _mm256_mullo_epi32(v, _mm256_set1_epi32(factor));
}

LIVENESS_AVX2 void nv12_row_avx2(const std::uint8_t* luma, const std::uint8_t* chroma, int count, bool swapped,
                                 std::uint8_t* out) {
  const __m128i first = _mm_set_epi8(-1, -1, -1, -1, -1, -1, -1, -1, 6, 6, 4, 4, 2, 2, 0, 0);
  const __m128i second = _mm_set_epi8(-1, -1, -1, -1, -1, -1, -1, -1, 7, 7, 5, 5, 3, 3, 1, 1);
  const __m128i u_index = swapped ? second : first;
  const __m128i v_index = swapped ? first : second;
  const __m256i half = _mm256_set1_epi32(generic::kHalf);
  const __m256i centre = _mm256_set1_epi32(128);
  int x = 0;
  for (; x + 8 <= count; x += 8) {
    const __m128i uv = eight_bytes(chroma + x);
    const __m256i u = _mm256_sub_epi32(_mm256_cvtepu8_epi32(_mm_shuffle_epi8(uv, u_index)), centre);
    const __m256i v = _mm256_sub_epi32(_mm256_cvtepu8_epi32(_mm_shuffle_epi8(uv, v_index)), centre);
    const __m128i bright = _mm_subs_epu8(eight_bytes(luma + x), _mm_set1_epi8(16));
    const __m256i y = _mm256_add_epi32(times(_mm256_cvtepu8_epi32(bright), generic::kLuma), half);
    const __m256i b = _mm256_srai_epi32(_mm256_add_epi32(y, times(u, generic::kBlueU)), 20);
    const __m256i g = _mm256_srai_epi32(
        _mm256_add_epi32(_mm256_add_epi32(y, times(u, generic::kGreenU)), times(v, generic::kGreenV)), 20);
    const __m256i r = _mm256_srai_epi32(_mm256_add_epi32(y, times(v, generic::kRedV)), 20);
    // Packing cuts to 0..255; of a lane's sixteen bytes then four each are blue, green, red and zero.
    const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(b, g), _mm256_packs_epi32(r, _mm256_setzero_si256()));
    const __m256i pixels = _mm256_shuffle_epi8(
        bytes, _mm256_broadcastsi128_si256(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + std::ptrdiff_t{4} * x), pixels);
  }
  generic::nv12_row(luma + x, chroma + x, count - x, swapped, out + std::ptrdiff_t{4} * x);
}

// ---------------------------------------------------------------- the plain loops, compiled for each

void interleaved(FirRow& row) {
  row.planar = false;
}

LIVENESS_AVX2 void accumulate_avx2(const FirRow& row, const std::uint8_t* const* pixels, const float* weights, int rows,
                                   float base, int count, bool more, float* buffer) {
  generic::accumulate(pixels, weights, rows, base, count * row.pixel.bytes, more, buffer);
}
LIVENESS_AVX2 void reduce_avx2(const FirRow& row, const float* buffer, float* scratch, const float* mul,
                               const float* add, float* const* out) {
  generic::reduce(row, buffer, scratch, mul, add, out);
}
LIVENESS_AVX2 void luma_row_avx2(const std::uint8_t* luma, int count, std::uint8_t* out) {
  generic::luma_row(luma, count, out);
}
LIVENESS_AVX2 void grey_row_avx2(const float* blue, const float* green, const float* red, int count, float mul,
                                 float add, float* out) {
  generic::grey_row(blue, green, red, count, mul, add, out);
}
LIVENESS_AVX2 void scale_row_avx2(const float* levels, int count, float mul, float add, float* out) {
  generic::scale_row(levels, count, mul, add, out);
}

}  // namespace

constinit const RoiKernels kRoiAvx2 = {prepare_linear_avx2, linear_avx2,   interleaved,   accumulate_avx2, reduce_avx2,
                                       nv12_row_avx2,       luma_row_avx2, grey_row_avx2, scale_row_avx2};
constinit const RoiKernels kRoiAvx512 = {prepare_linear_avx512, linear_avx512, prepare_fir_avx512,
                                         accumulate_avx512,     reduce_avx512, nv12_row_avx512,
                                         luma_row_avx2,         grey_row_avx2, scale_row_avx2};

bool has_byte_permutes() noexcept {
  return __builtin_cpu_supports("avx512vbmi") != 0;
}

}  // namespace liveness::vision

#endif
