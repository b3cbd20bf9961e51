// Which pixels of a frame somebody reads: what a cache's key has to cover.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "liveness/roi.hpp"
#include "liveness/types.hpp"

namespace liveness::vision {

// Columns [begin, end) of a row; nothing where end is 0.
struct Columns {
  int begin = 0;
  int end = 0;
};

// Rows of a frame and the columns that are read of each. A resize that looks at two rows of seven leaves the other five
// out.
class Footprint {
 public:
  // Nothing of a frame of this size.
  void reset(Size frame);

  // `begin` is below `end`.
  void add(int row, int begin, int end) noexcept {
    first_ = last_ == 0 ? row : std::min(first_, row);
    last_ = std::max(last_, row + 1);
    Columns& c = rows_[static_cast<std::size_t>(row)];
    c = c.end == 0 ? Columns{begin, end} : Columns{std::min(c.begin, begin), std::max(c.end, end)};
  }
  void add_everything();
  // What RoiProcessor reads for the crop of a face, and measure_quality for the face; both boxes are checked.
  void add_crop(const Rect& face, const RoiSpec& spec);
  void add_face(const Rect& box);

  // Rows [first(), last()) hold all that is read.
  [[nodiscard]] int first() const noexcept { return first_; }
  [[nodiscard]] int last() const noexcept { return last_; }
  [[nodiscard]] Columns operator[](int row) const noexcept { return rows_[static_cast<std::size_t>(row)]; }

 private:
  Size frame_;
  int first_ = 0;
  int last_ = 0;
  std::vector<Columns> rows_;
};

}  // namespace liveness::vision
