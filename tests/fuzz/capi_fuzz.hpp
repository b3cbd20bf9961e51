// What the fuzzers of the C entry points share: arguments out of the fuzzer's bytes, in memory of exactly the size that
// the library may read.
#pragma once

#include <liveness.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace liveness::test {

inline void require(bool condition) {
  if (!condition) std::abort();
}

// Numbers out of the input; zeros when it is used up.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  template <class T>
  T take() {
    T value{};
    const std::size_t n = std::min(size_, sizeof value);
    if (n > 0) std::memcpy(&value, data_, n);
    data_ += n;
    size_ -= n;
    return value;
  }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // Mostly a small number that makes sense, sometimes anything.
  std::int32_t number(std::int32_t most) {
    const auto kind = take<std::uint8_t>();
    return kind < 16 ? take<std::int32_t>() : static_cast<std::int32_t>(take<std::uint16_t>()) % (most + 1);
  }
  // Mostly a coordinate near the picture, sometimes any bits.
  float coordinate() {
    const auto kind = take<std::uint8_t>();
    return kind < 16 ? take<float>() : static_cast<float>(take<std::int16_t>()) / 256;
  }
  std::string text(std::size_t most) {
    std::string s(take<std::uint8_t>() % (most + 1), '\0');
    for (auto& c : s) c = take<char>();
    return s;
  }
  [[nodiscard]] const std::uint8_t* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

// A failure has a message.
inline liveness_status_t told(liveness_status_t status) {
  require(status == LIVENESS_STATUS_OK || liveness_last_error()[0] != '\0');
  require(status != LIVENESS_STATUS_INTERNAL);
  return status;
}

// A picture whose memory is as large as its fields say, where they make sense at all.
struct Picture {
  liveness_image_t image;
  std::unique_ptr<std::uint8_t[]> pixels;

  explicit Picture(Bytes& in) {
    const std::int32_t width = in.number(96);
    const std::int32_t height = in.number(96);
    const std::int32_t format = in.number(7);
    liveness_image_init(&image, sizeof image, nullptr, width, height, format);
    if (in.take<std::uint8_t>() < 64) image.stride += in.number(40);
    if (in.take<std::uint8_t>() < 8) image.stride = in.take<std::int64_t>();
    if (in.take<std::uint8_t>() < 8)
      image.struct_size = in.take<std::uint32_t>() % (sizeof image + 1);  // the memory is no longer
    const bool sane = width > 0 && width <= 96 && height > 0 && height <= 96 && image.stride >= width &&
                      image.stride < 4096 && format >= 0 && format <= LIVENESS_PIXEL_FORMAT_NV21;
    const bool planes = format >= LIVENESS_PIXEL_FORMAT_NV12;
    const auto bytes = sane ? static_cast<std::size_t>(image.stride) *
                                  static_cast<std::size_t>(planes ? height + (height + 1) / 2 : height)
                            : 1;
    pixels = std::make_unique<std::uint8_t[]>(bytes);
    const auto shade = in.take<std::uint32_t>();
    for (std::size_t i = 0; i < bytes; ++i) pixels[i] = static_cast<std::uint8_t>(shade >> (8 * (i % 3)));
    // Where the fields make no sense, the library must see that before it reads; where they do, but ask for more memory
    // than a fuzzer has, there is none.
    const bool large = width > 96 || height > 96 || image.stride >= 4096;
    image.data = large || in.take<std::uint8_t>() < 4 ? nullptr : pixels.get();
  }
};

inline liveness_rect_t rect(Bytes& in) {
  return {in.coordinate(), in.coordinate(), in.coordinate(), in.coordinate()};
}

// A struct in memory of its own, as long as its struct_size says: mostly whole, sometimes that of an older header,
// sometimes of a newer one whose tail is zero or not.
template <class T>
class Sized {
 public:
  Sized(const T& value, Bytes& in) {
    const auto kind = in.take<std::uint8_t>();
    std::size_t size = sizeof value;
    if (kind < 12) size = std::max<std::size_t>(8, in.take<std::uint8_t>() % sizeof value / 8 * 8);  // whole pointers
    if (kind >= 12 && kind < 24) size += std::size_t{8} * (in.take<std::uint8_t>() % 9);
    memory_.reset(static_cast<unsigned char*>(std::calloc(1, size)));
    require(memory_ != nullptr);
    std::memcpy(memory_.get(), &value, std::min(size, sizeof value));
    if (kind == 12 && size > sizeof value) memory_.get()[size - 1] = 1;
    auto stored = static_cast<std::uint32_t>(size);
    if (kind == 255) stored = in.take<std::uint8_t>() % 8;  // cannot be: too short to hold itself
    std::memcpy(memory_.get(), &stored, sizeof stored);
  }
  [[nodiscard]] T* get() const { return reinterpret_cast<T*>(memory_.get()); }

 private:
  struct Free {
    void operator()(unsigned char* p) const { std::free(p); }
  };
  std::unique_ptr<unsigned char, Free> memory_;
};

inline void check_result(const liveness_result_t* result) {
  liveness_summary_t summary;
  liveness_summary_init(&summary, sizeof summary);
  if (told(liveness_result_summary(result, &summary)) != LIVENESS_STATUS_OK) {
    require(summary.verdict == LIVENESS_VERDICT_UNCERTAIN && summary.total_ms == 0);
    return;
  }
  require(summary.score >= 0 && summary.score <= 1 && summary.reasons >> 9 == 0);
  require(summary.verdict != LIVENESS_VERDICT_LIVE || (summary.score > 0 && summary.face_count > 0));
  require((summary.verdict == LIVENESS_VERDICT_NO_FACE) == (summary.face_count == 0));
  for (std::uint32_t i = 0; i <= summary.face_count; ++i) {
    liveness_face_result_t face;
    liveness_face_result_init(&face, sizeof face);
    const auto status = told(liveness_result_face(result, i, &face));
    require((status == LIVENESS_STATUS_OK) == (i < summary.face_count));
    float score = -1;
    for (std::uint32_t m = 0; m <= face.member_count; ++m)
      require((told(liveness_result_member(result, i, m, &score, nullptr)) == LIVENESS_STATUS_OK) ==
              (m < face.member_count));
  }
}

}  // namespace liveness::test
