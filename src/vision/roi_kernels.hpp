// The inner loops of the ROI pass, one set an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "liveness/model.hpp"

namespace liveness::vision {

// Rows of scratch memory hold a multiple of this many values.
inline constexpr int kLanes = 16;
[[nodiscard]] constexpr int padded(int n) noexcept {
  return (n + kLanes - 1) / kLanes * kLanes;
}

// Tables on whole cache lines: a vector that straddles two costs two loads.
template <class T>
struct OnCacheLines {
  using value_type = T;
  OnCacheLines() = default;
  template <class U>
  OnCacheLines(const OnCacheLines<U>&) noexcept {}
  [[nodiscard]] T* allocate(std::size_t n) {
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64}));
  }
  void deallocate(T* p, std::size_t) noexcept { ::operator delete (p, std::align_val_t{64}); }
  friend bool operator==(const OnCacheLines&, const OnCacheLines&) noexcept { return true; }
};
template <class T>
using Table = std::vector<T, OnCacheLines<T>>;

// Pixels of the rows that are read, and the planes made of them.
struct PixelLayout {
  int bytes = 3;             // of one pixel: 1, 3 or 4
  int planes = 3;            // 1 where bytes is 1, else 3
  int order[3] = {0, 1, 2};  // which byte of the pixel goes to a plane
};

// The bilinear filter along a row: where each result comes from.
struct LinearRow {
  PixelLayout pixel;
  int width = 0;                // results a row; the tables hold padded(width) entries
  int readable = 0;             // bytes of a row that may be read
  int second = 0;               // bytes from the first tap to the second; 0 where the frame is one pixel wide
  Table<std::int32_t> offset;   // of the first tap, bytes from the start of the row
  Table<std::int16_t> weights;  // pairs, in 1/2048
  Table<std::int32_t> bias;     // 2048 times what the constant border adds; empty: nothing

  // What the instruction set's own `prepare_linear` adds.
  enum class Reach : std::uint8_t {
    kSixteen,  // 128 bytes hold sixteen neighbouring results' pixels
    kEight,    // 128 bytes hold eight results' pixels
    kWide,     // 256 bytes do
    kFar,      // they are further apart
  };
  Reach reach = Reach::kFar;
  Table<std::int32_t> base;  // first byte of each such block
  Table<std::uint8_t>
      index;  // kSixteen: first byte of each result in its block, as 32 bits twice 16; else all eight bytes
  Table<std::int32_t> origin;  // `offset`, moved so that eight bytes can be read
  Table<std::int64_t> shift;   // by this many bits
};

// Horizontal half of the float filter. The row buffer holds `length` pixels, interleaved as in the frame or in planes.
struct FirRow {
  PixelLayout pixel;
  int width = 0;
  int taps = 0;
  Table<std::int32_t> start;  // padded(width) entries
  Table<float> weight;        // `taps` a result

  bool planar = false;           // the row buffer's layout, chosen by `prepare_fir`
  std::size_t plane_stride = 0;  // floats from one plane of the buffer to the next, where it is planar
  int span = 0;                  // pixels of the buffer that sixteen neighbouring results touch at most
  Table<float> transposed;       // weights by tap, padded(width) a tap
};

// The two rows that a row of results lies between, and their weights in 1/2048.
struct LinearLine {
  const std::uint8_t* upper = nullptr;
  const std::uint8_t* lower = nullptr;
  std::int32_t upper_weight = 0;
  std::int32_t lower_weight = 0;
};

struct RoiKernels {
  void (*prepare_linear)(LinearRow& row);
  // Rows of values from two rows of pixels each: grey level (rounded in both directions as OpenCV does) * mul[c] +
  // add[c]. out[c] is the first row of plane c, `out_stride` floats from one row to the next.
  void (*linear)(const LinearRow& row, const LinearLine* lines, int count, const float* mul, const float* add,
                 float* const* out, std::ptrdiff_t out_stride);

  void (*prepare_fir)(FirRow& row);
  // Weighted sum of `rows` rows of `count` pixels, plus `base`, into the row buffer; `more` adds to what is there.
  void (*accumulate)(const FirRow& row, const std::uint8_t* const* pixels, const float* weights, int rows, float base,
                     int count, bool more, float* buffer);
  // The row buffer to a row of values: grey level (rounded half to even, 0..255) * mul[c] + add[c].
  void (*reduce)(const FirRow& row, const float* buffer, float* scratch, const float* mul, const float* add,
                 float* const* out);

  // `count` pixels of NV12 to 4 bytes B, G, R, 0 each; the first pixel is an even one. `swapped`: V before U.
  void (*nv12_row)(const std::uint8_t* luma, const std::uint8_t* chroma, int count, bool swapped, std::uint8_t* out);
  // Luma scaled to full range.
  void (*luma_row)(const std::uint8_t* luma, int count, std::uint8_t* out);
  // Planes of grey levels to grey levels * mul + add.
  void (*grey_row)(const float* blue, const float* green, const float* red, int count, float mul, float add,
                   float* out);
  void (*scale_row)(const float* levels, int count, float mul, float add, float* out);
};

// The kernels for an instruction set that the machine has (not kAuto).
[[nodiscard]] const RoiKernels& roi_kernels(Isa isa) noexcept;

}  // namespace liveness::vision
