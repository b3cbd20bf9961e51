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
  row.block = 0;
  if (row.readable >= 8) prepare_eight_bytes(row);
}

LIVENESS_AVX512 void prepare_linear_avx512(LinearRow& row) {
  row.block = 0;
  if (row.readable < 8) return;
  const int bytes = row.pixel.bytes;
  const std::size_t groups = row.offset.size() / 8;
  row.base.resize(groups);
  int span = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    const auto [low, high] = std::minmax_element(row.offset.data() + 8 * g, row.offset.data() + 8 * g + 8);
    row.base[g] = *low;
    span = std::max(span, *high - *low + 2 * bytes);
  }
  for (const int block : {128, 256}) {
    if (row.block == 0 && span <= block && row.readable >= block) row.block = block;
  }
  if (row.block == 0) {
    prepare_eight_bytes(row);
    return;
  }
  row.index.resize(row.offset.size() * 8);
  const __m512i spread = _mm512_set1_epi64(0x0101010101010101);
  const __m512i eight = _mm512_set1_epi64(0x0706050403020100);
  for (std::size_t g = 0; g < groups; ++g) {
    row.base[g] = std::min(row.base[g], row.readable - row.block);
    const __m256i at = _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.offset.data() + 8 * g)),
                                        _mm256_set1_epi32(row.base[g]));
    const __m512i index = _mm512_add_epi8(_mm512_mullo_epi64(_mm512_cvtepi32_epi64(at), spread), eight);
    _mm512_storeu_si512(row.index.data() + 64 * g, index);
  }
}

// ---------------------------------------------------------------- bilinear, AVX2

LIVENESS_AVX2 inline __m128i two_pixels(const std::uint8_t* a, const std::uint8_t* b) {
  return _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(a)),
                            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(b)));
}

LIVENESS_AVX2 void interpolate_avx2(const LinearRow& row, const std::uint8_t* pixels, std::uint16_t* out) {
  if (row.readable < 8) {
    generic::interpolate(row, pixels, out);
    return;
  }
  const int n = padded(row.width);
  // A lane holds two pixels of eight bytes each; a channel's four bytes go to words in the lower or the upper half.
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
  const std::int32_t* at = row.origin.data();
  for (int x = 0; x < n; x += 8) {
    const std::int32_t* o = at + x;
    const __m256i* s = reinterpret_cast<const __m256i*>(row.shift.data() + x);
    const __m256i shift0 = _mm256_loadu_si256(s);
    const __m256i shift1 = _mm256_loadu_si256(s + 1);
    // Results 0, 1, 4, 5 and 2, 3, 6, 7, so that the halves of each lane are neighbours.
    __m256i a = _mm256_inserti128_si256(_mm256_castsi128_si256(two_pixels(pixels + o[0], pixels + o[1])),
                                        two_pixels(pixels + o[4], pixels + o[5]), 1);
    __m256i b = _mm256_inserti128_si256(_mm256_castsi128_si256(two_pixels(pixels + o[2], pixels + o[3])),
                                        two_pixels(pixels + o[6], pixels + o[7]), 1);
    a = _mm256_srlv_epi64(a, _mm256_permute2x128_si256(shift0, shift1, 0x20));
    b = _mm256_srlv_epi64(b, _mm256_permute2x128_si256(shift0, shift1, 0x31));
    const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.weights.data() + 2 * x));
    const __m256i bias = row.bias.empty() ? _mm256_setzero_si256()
                                          : _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.bias.data() + x));
    for (int c = 0; c < row.pixel.planes; ++c) {
      const __m256i taps = _mm256_or_si256(_mm256_shuffle_epi8(a, low[c]), _mm256_shuffle_epi8(b, high[c]));
      const __m256i sum = _mm256_srli_epi32(_mm256_add_epi32(_mm256_madd_epi16(taps, weights), bias), 4);
      const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + std::ptrdiff_t{c} * n + x), words);
    }
  }
}

// ---------------------------------------------------------------- bilinear, AVX-512

template <int kBlock>
LIVENESS_AVX512 inline __m512i eight_pixels(const LinearRow& row, const std::uint8_t* pixels, std::size_t group) {
  if constexpr (kBlock == 0) {
    const __m256i origin = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.origin.data() + 8 * group));
    return _mm512_srlv_epi64(_mm512_i32gather_epi64(origin, pixels, 1),
                             _mm512_loadu_si512(row.shift.data() + 8 * group));
  } else {
    const std::uint8_t* p = pixels + row.base[group];
    const __m512i index = _mm512_loadu_si512(row.index.data() + 64 * group);
    const __m512i near = _mm512_permutex2var_epi8(_mm512_loadu_si512(p), index, _mm512_loadu_si512(p + 64));
    if constexpr (kBlock == 128) {
      return near;
    } else {
      const __m512i far = _mm512_permutex2var_epi8(_mm512_loadu_si512(p + 128), index, _mm512_loadu_si512(p + 192));
      return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), near, far);
    }
  }
}

template <int kBlock>
LIVENESS_AVX512 void interpolate_blocks(const LinearRow& row, const std::uint8_t* pixels, std::uint16_t* out) {
  const int n = padded(row.width);
  const int planes = row.pixel.planes;
  const __m512i result = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                                            _mm512_set1_epi32(0x00080008));
  __m512i index[3];
  for (int c = 0; c < 3; ++c) {
    const int first = row.pixel.order[c < planes ? c : 0];
    index[c] = _mm512_add_epi32(result, _mm512_set1_epi32(first | ((first + row.second) << 16)));
  }
  constexpr __mmask64 kWords = 0x5555555555555555;
  for (int x = 0; x < n; x += 16) {
    const auto group = static_cast<std::size_t>(x / 8);
    const __m512i a = eight_pixels<kBlock>(row, pixels, group);
    const __m512i b = eight_pixels<kBlock>(row, pixels, group + 1);
    const __m512i weights = _mm512_loadu_si512(row.weights.data() + 2 * x);
    const __m512i bias = row.bias.empty() ? _mm512_setzero_si512() : _mm512_loadu_si512(row.bias.data() + x);
    const auto one = [&](int c)
        __attribute__((always_inline, target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi"))) {
      const __m512i taps = _mm512_maskz_permutex2var_epi8(kWords, a, index[c], b);
      const __m512i sum = _mm512_srli_epi32(_mm512_add_epi32(_mm512_madd_epi16(taps, weights), bias), 4);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + std::ptrdiff_t{c} * n + x), _mm512_cvtepi32_epi16(sum));
    };
    one(0);
    if (planes == 3) {
      one(1);
      one(2);
    }
  }
}

LIVENESS_AVX512 void interpolate_avx512(const LinearRow& row, const std::uint8_t* pixels, std::uint16_t* out) {
  if (row.readable < 8)
    generic::interpolate(row, pixels, out);
  else if (row.block == 128)
    interpolate_blocks<128>(row, pixels, out);
  else if (row.block == 256)
    interpolate_blocks<256>(row, pixels, out);
  else
    interpolate_blocks<0>(row, pixels, out);
}

LIVENESS_AVX512 void blend_avx512(const std::uint16_t* upper, const std::uint16_t* lower, int upper_weight,
                                  int lower_weight, int count, float mul, float add, float* out) {
  const __m512i u = _mm512_set1_epi16(static_cast<short>(upper_weight));
  const __m512i l = _mm512_set1_epi16(static_cast<short>(lower_weight));
  const __m512i two = _mm512_set1_epi16(2);
  const __m512 m = _mm512_set1_ps(mul);
  const __m512 s = _mm512_set1_ps(add);
  for (int x = 0; x < count; x += 32) {
    __m512i sum = _mm512_add_epi16(_mm512_mulhi_epu16(_mm512_loadu_si512(upper + x), u),
                                   _mm512_mulhi_epu16(_mm512_loadu_si512(lower + x), l));
    sum = _mm512_srli_epi16(_mm512_add_epi16(sum, two), 2);
    const __m512 a = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(sum)));
    const __m512 b = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(sum, 1)));
    const int left = count - x;
    const __mmask16 first = left >= 16 ? 0xFFFF : static_cast<__mmask16>((1U << left) - 1);
    const __mmask16 second = left >= 32 ? 0xFFFF : left > 16 ? static_cast<__mmask16>((1U << (left - 16)) - 1) : 0;
    _mm512_mask_storeu_ps(out + x, first, _mm512_add_ps(_mm512_mul_ps(a, m), s));
    _mm512_mask_storeu_ps(out + x + 16, second, _mm512_add_ps(_mm512_mul_ps(b, m), s));
  }
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

LIVENESS_AVX512 inline __m512 sixteen_floats(const std::uint8_t* p, __mmask16 mask) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, p)));
}

LIVENESS_AVX512 inline __mmask16 low_bits(int n) {
  return n >= 16  ? static_cast<__mmask16>(0xFFFF)
         : n <= 0 ? static_cast<__mmask16>(0)
                  : static_cast<__mmask16>((1U << n) - 1);
}

template <int kBytes>
LIVENESS_AVX512 void accumulate_planar(const std::uint8_t* const* pixels, const float* weights, int rows, float base,
                                       int count, bool more, std::size_t plane_stride, float* buffer) {
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  for (int x = 0; x < count; x += 16) {
    const int bytes = (count - x) * kBytes;
    __mmask16 mask[kBytes];
    __m512 sum[kBytes];
    for (int i = 0; i < kBytes; ++i) {
      mask[i] = low_bits(bytes - 16 * i);
      sum[i] = _mm512_set1_ps(more ? 0.0F : base);
    }
    const std::ptrdiff_t at = std::ptrdiff_t{x} * kBytes;
    for (int r = 0; r < rows; ++r) {
      const __m512 w = _mm512_set1_ps(weights[r]);
      const std::uint8_t* p = pixels[r] + at;
      for (int i = 0; i < kBytes; ++i) sum[i] = _mm512_fmadd_ps(sixteen_floats(p + 16 * i, mask[i]), w, sum[i]);
    }
    for (int c = 0; c < std::min(kBytes, 3); ++c) {
      __m512 plane = sum[0];
      if constexpr (kBytes == 3) {
        const __m512i index = _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(3)), _mm512_set1_epi32(c));
        plane = _mm512_permutex2var_ps(sum[0], index, sum[1]);
        const __mmask16 third = _mm512_cmpge_epi32_mask(index, _mm512_set1_epi32(32));
        plane = _mm512_mask_permutexvar_ps(plane, third, index, sum[2]);
      } else if constexpr (kBytes == 4) {
        const __m512i index = _mm512_add_epi32(_mm512_slli_epi32(lane, 2), _mm512_set1_epi32(c));
        plane = _mm512_mask_blend_ps(0xFF00, _mm512_permutex2var_ps(sum[0], index, sum[1]),
                                     _mm512_permutex2var_ps(sum[2], index, sum[3]));
      }
      float* out = buffer + static_cast<std::size_t>(c) * plane_stride + x;
      if (more) plane = _mm512_add_ps(plane, _mm512_loadu_ps(out));
      _mm512_storeu_ps(out, plane);
    }
  }
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

template <bool kWide>
LIVENESS_AVX512 void reduce_planes(const FirRow& row, const float* buffer, const float* mul, const float* add,
                                   float* const* out) {
  const auto n = static_cast<std::size_t>(padded(row.width));
  for (int x = 0; x < row.width; x += 16) {
    const int base = row.start[static_cast<std::size_t>(x)];
    const __m512i from = _mm512_sub_epi32(_mm512_loadu_si512(row.start.data() + x), _mm512_set1_epi32(base));
    const float* weight = row.transposed.data() + x;
    for (int c = 0; c < row.pixel.planes; ++c) {
      const float* p = buffer + static_cast<std::size_t>(row.pixel.order[c]) * row.plane_stride + base;
      const __m512 a = _mm512_loadu_ps(p);
      const __m512 b = _mm512_loadu_ps(p + 16);
      const __m512 d = kWide ? _mm512_loadu_ps(p + 32) : a;
      const __m512 e = kWide ? _mm512_loadu_ps(p + 48) : b;
      __m512 sum = _mm512_setzero_ps();
      __m512i index = from;
      for (int k = 0; k < row.taps; ++k) {
        __m512 v = _mm512_permutex2var_ps(a, index, b);
        if constexpr (kWide)
          v = _mm512_mask_blend_ps(_mm512_test_epi32_mask(index, _mm512_set1_epi32(32)), v,
                                   _mm512_permutex2var_ps(d, index, e));
        sum = _mm512_fmadd_ps(v, _mm512_loadu_ps(weight + static_cast<std::size_t>(k) * n), sum);
        index = _mm512_add_epi32(index, _mm512_set1_epi32(1));
      }
      sum = _mm512_roundscale_ps(sum, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      sum = _mm512_min_ps(_mm512_max_ps(sum, _mm512_setzero_ps()), _mm512_set1_ps(255));
      sum = _mm512_add_ps(_mm512_mul_ps(sum, _mm512_set1_ps(mul[c])), _mm512_set1_ps(add[c]));
      _mm512_mask_storeu_ps(out[c] + x, low_bits(row.width - x), sum);
    }
  }
}

LIVENESS_AVX512 void reduce_avx512(const FirRow& row, const float* buffer, float* scratch, const float* mul,
                                   const float* add, float* const* out) {
  if (!row.planar)
    generic::reduce(row, buffer, scratch, mul, add, out);
  else if (row.span > 32)
    reduce_planes<true>(row, buffer, mul, add, out);
  else
    reduce_planes<false>(row, buffer, mul, add, out);
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

// ---------------------------------------------------------------- the plain loops, compiled for each

void interleaved(FirRow& row) {
  row.planar = false;
}

LIVENESS_AVX2 void accumulate_avx2(const FirRow& row, const std::uint8_t* const* pixels, const float* weights, int rows,
                                   float base, int count, bool more, float* buffer) {
  generic::accumulate(pixels, weights, rows, base, count * row.pixel.bytes, more, buffer);
}
LIVENESS_AVX2 void blend_avx2(const std::uint16_t* upper, const std::uint16_t* lower, int upper_weight,
                              int lower_weight, int count, float mul, float add, float* out) {
  generic::blend(upper, lower, upper_weight, lower_weight, count, mul, add, out);
}
LIVENESS_AVX2 void reduce_avx2(const FirRow& row, const float* buffer, float* scratch, const float* mul,
                               const float* add, float* const* out) {
  generic::reduce(row, buffer, scratch, mul, add, out);
}
LIVENESS_AVX2 void nv12_row_avx2(const std::uint8_t* luma, const std::uint8_t* chroma, int count, bool swapped,
                                 std::uint8_t* out) {
  generic::nv12_row(luma, chroma, count, swapped, out);
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

constinit const RoiKernels kRoiAvx2 = {prepare_linear_avx2, interpolate_avx2, blend_avx2,    interleaved,
                                       accumulate_avx2,     reduce_avx2,      nv12_row_avx2, luma_row_avx2,
                                       grey_row_avx2,       scale_row_avx2};
constinit const RoiKernels kRoiAvx512 = {prepare_linear_avx512, interpolate_avx512, blend_avx512,    prepare_fir_avx512,
                                         accumulate_avx512,     reduce_avx512,      nv12_row_avx512, luma_row_avx2,
                                         grey_row_avx2,         scale_row_avx2};

bool has_byte_permutes() noexcept {
  return __builtin_cpu_supports("avx512vbmi") != 0;
}

}  // namespace liveness::vision

#endif
