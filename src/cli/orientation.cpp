#include "orientation.hpp"

#include <array>
#include <cstdint>
#include <fstream>
#include <opencv2/core.hpp>
#include <string_view>

namespace liveness::cli {
namespace {

// Boxes of the file, each a size, a name and what is in it. Nothing is trusted: every read is checked, every box lies
// within the one around it.
class Mp4 {
 public:
  explicit Mp4(const std::string& file) : in_(file, std::ios::binary | std::ios::ate) {
    end_ = in_ ? static_cast<std::uint64_t>(in_.tellg()) : 0;
  }

  std::optional<int> orientation() {
    std::optional<int> found;
    each(0, end_, [&](std::string_view name, std::uint64_t from, std::uint64_t to) {
      if (name != "moov") return true;
      each(from, to, [&](std::string_view inner, std::uint64_t track, std::uint64_t track_end) {
        if (inner == "trak" && is_video(track, track_end)) found = angle(track, track_end);
        return !found;
      });
      return false;
    });
    return found;
  }

 private:
  // Calls visit(name, first byte of the content, end) for every box until it says false.
  template <class Visit>
  void each(std::uint64_t from, std::uint64_t to, const Visit& visit) {
    for (int boxes = 0; boxes < kMaxBoxes && from + 8 <= to; ++boxes) {
      std::uint64_t size = number(from, 4);
      std::array<char, 4> name{};
      read(from + 4, name.data(), name.size());
      std::uint64_t header = 8;
      if (size == 1) {
        size = number(from + 8, 8);
        header = 16;
      } else if (size == 0) {
        size = to - from;
      }
      if (!in_ || size < header || size > to - from) return;
      if (!visit(std::string_view(name.data(), name.size()), from + header, from + size)) return;
      from += size;
    }
  }

  bool is_video(std::uint64_t from, std::uint64_t to) {
    bool video = false;
    each(from, to, [&](std::string_view name, std::uint64_t inner, std::uint64_t inner_end) {
      if (name == "mdia")
        each(inner, inner_end, [&](std::string_view leaf, std::uint64_t at, std::uint64_t at_end) {
          if (leaf == "hdlr" && at + 12 <= at_end) video = number(at + 8, 4) == 0x76696465;  // "vide"
          return leaf != "hdlr";
        });
      return name != "mdia";
    });
    return video;
  }

  std::optional<int> angle(std::uint64_t from, std::uint64_t to) {
    std::optional<int> found;
    each(from, to, [&](std::string_view name, std::uint64_t at, std::uint64_t at_end) {
      if (name != "tkhd") return true;
      // Version 1 has 64-bit times; the matrix follows the same fields after them.
      const std::uint64_t matrix = at + (number(at, 1) == 1 ? 52 : 40);
      if (matrix + 36 > at_end) return false;
      const auto one = [&](int index) {  // 16.16 fixed point, of the rows (a, b, u), (c, d, v), (x, y, w)
        const auto value = static_cast<std::int32_t>(number(matrix + static_cast<std::uint64_t>(index) * 4, 4));
        return value / 65536;
      };
      const std::array<int, 4> abcd = {one(0), one(1), one(3), one(4)};
      if (abcd == std::array{1, 0, 0, 1}) found = 0;
      if (abcd == std::array{0, 1, -1, 0}) found = 90;
      if (abcd == std::array{-1, 0, 0, -1}) found = 180;
      if (abcd == std::array{0, -1, 1, 0}) found = 270;
      return false;
    });
    return in_ ? found : std::nullopt;
  }

  std::uint64_t number(std::uint64_t at, int bytes) {
    std::array<char, 8> raw{};
    read(at, raw.data(), static_cast<std::size_t>(bytes));
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(raw[static_cast<std::size_t>(i)]);
    return value;
  }

  void read(std::uint64_t at, char* into, std::size_t bytes) {
    if (at > end_ || bytes > end_ - at) {
      in_.setstate(std::ios::failbit);
      return;
    }
    in_.seekg(static_cast<std::streamoff>(at));
    in_.read(into, static_cast<std::streamsize>(bytes));
  }

  static constexpr int kMaxBoxes = 10000;
  std::ifstream in_;
  std::uint64_t end_ = 0;
};

}  // namespace

std::optional<int> orientation_of(const std::string& file) {
  return Mp4(file).orientation();
}

void turn(cv::Mat& picture, int degrees) {
  if (degrees == 90) cv::rotate(picture, picture, cv::ROTATE_90_CLOCKWISE);
  if (degrees == 180) cv::rotate(picture, picture, cv::ROTATE_180);
  if (degrees == 270) cv::rotate(picture, picture, cv::ROTATE_90_COUNTERCLOCKWISE);
}

}  // namespace liveness::cli
