// Verdicts drawn onto pictures.
#pragma once

#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "record.hpp"

namespace liveness::cli {

// Boxes, verdicts, scores and reasons onto a picture of `scale` times the size that was scored.
void annotate(cv::Mat& picture, const Record& record, double scale = 1);

// Tiles of annotated pictures with a caption each, for a glance over many inputs.
class ContactSheet {
 public:
  static constexpr std::size_t kMaxTiles = 48;

  // Can be called from any thread; `picture` may be empty where there was an error.
  [[nodiscard]] static cv::Mat tile(const cv::Mat& picture, const Record& record);
  // False where the sheet is full and the tile was left out.
  bool add(cv::Mat tile);
  [[nodiscard]] bool empty() const { return tiles_.empty(); }
  [[nodiscard]] cv::Mat compose() const;

 private:
  std::vector<cv::Mat> tiles_;
};

}  // namespace liveness::cli
