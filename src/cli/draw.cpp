#include "draw.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <opencv2/imgproc.hpp>

namespace liveness::cli {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
const cv::Scalar kWhite(255, 255, 255);
const cv::Scalar kInk(40, 40, 40);
constexpr int kTileWidth = 400;
constexpr int kPictureHeight = 300;
constexpr int kCaptionLine = 22;
constexpr int kGap = 12;

cv::Scalar color_of(Verdict v) {
  switch (v) {
    case Verdict::kLive: return {60, 160, 40};
    case Verdict::kSpoof: return {50, 50, 210};
    case Verdict::kUncertain: return {20, 140, 230};
    default: return {120, 120, 120};
  }
}

// The strokes know ASCII only.
std::string printable(std::string text) {
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

// White on a coloured bar whose top left corner is wished for at `at`, moved so that the picture shows it. Returns the
// bar's height.
int label(cv::Mat& picture, const std::string& given, cv::Point at, const cv::Scalar& color, double size) {
  const std::string text = printable(given);
  const int thick = std::max(1, static_cast<int>(std::lround(size * 1.6)));
  int below = 0;
  const cv::Size extent = cv::getTextSize(text, kFont, size, thick, &below);
  const int margin = std::max(2, static_cast<int>(size * 8));
  const cv::Size bar(extent.width + 2 * margin, extent.height + below + margin);
  at.x = std::clamp(at.x, 0, std::max(0, picture.cols - bar.width));
  at.y = std::clamp(at.y, 0, std::max(0, picture.rows - bar.height));
  cv::rectangle(picture, {at, bar}, color, cv::FILLED);
  cv::putText(picture, text, {at.x + margin, at.y + margin / 2 + extent.height}, kFont, size, kWhite, thick,
              cv::LINE_AA);
  return bar.height;
}

std::string fitted(std::string text, double size, int width) {
  int below = 0;
  if (cv::getTextSize(text, kFont, size, 1, &below).width <= width) return text;
  while (text.size() > 4 && cv::getTextSize("..." + text, kFont, size, 1, &below).width > width) text.erase(0, 1);
  return "..." + text;
}

}  // namespace

void annotate(cv::Mat& picture, const Record& record, double scale) {
  const double size = std::clamp(std::min(picture.cols, picture.rows) / 900.0, 0.38, 3.0);
  if (!record.result) {
    label(picture, "ERROR", {0, 0}, color_of(Verdict::kNoFace), size);
    return;
  }
  if (record.result->faces.empty()) label(picture, "NO_FACE", {0, 0}, color_of(Verdict::kNoFace), size);
  const int thick = std::max(1, static_cast<int>(std::lround(size * 2.5)));
  for (auto f = record.result->faces.rbegin(); f != record.result->faces.rend(); ++f) {  // the deciding face on top
    const Rect& b = f->face.box;
    const auto at = [&](float v) { return static_cast<int>(std::lround(std::clamp(v * scale, -1e6, 1e6))); };
    const cv::Rect box(at(b.x), at(b.y), std::max(1, at(b.width)), std::max(1, at(b.height)));
    const cv::Scalar color = color_of(f->verdict);
    cv::rectangle(picture, box, color, thick, cv::LINE_AA);
    if (f->face.has_landmarks)
      for (const Point& p : f->face.landmarks)
        cv::circle(picture, {at(p.x), at(p.y)}, thick, color, cv::FILLED, cv::LINE_AA);
    const std::string verdict = f->members.empty() ? std::string(to_string(f->verdict))
                                                   : fmt::format("{} {:.2f}", to_string(f->verdict), f->score);
    const int line = static_cast<int>(std::lround(size * 34));
    label(picture, verdict, {box.x, box.y - line}, color, size);
    int y = box.y + box.height + thick;
    for (const Reason r : reasons_in(f->reasons))
      y += label(picture, std::string(to_string(r)), {box.x, y}, color, size * 0.8);
  }
}

cv::Mat ContactSheet::tile(const cv::Mat& picture, const Record& record) {
  const Verdict verdict = record.result ? record.result->verdict : Verdict::kNoFace;
  cv::Mat tile(kPictureHeight + 3 * kCaptionLine + kGap / 2, kTileWidth, CV_8UC3, kWhite);
  cv::Mat top = tile(cv::Rect(0, 0, kTileWidth, kPictureHeight));
  top.setTo(cv::Scalar(225, 225, 225));
  if (!picture.empty()) {
    const double scale = std::min(1.0 * kTileWidth / picture.cols, 1.0 * kPictureHeight / picture.rows);
    const cv::Size size(std::clamp(static_cast<int>(picture.cols * scale), 1, kTileWidth),
                        std::clamp(static_cast<int>(picture.rows * scale), 1, kPictureHeight));
    cv::Mat small;
    cv::resize(picture, small, size, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
    annotate(small, record, scale);
    small.copyTo(top(cv::Rect({(kTileWidth - size.width) / 2, (kPictureHeight - size.height) / 2}, size)));
  }
  const auto caption = [&](int line, const std::string& text, double size, const cv::Scalar& color, int thick) {
    cv::putText(tile, fitted(printable(text), size, kTileWidth - 8),
                {4, kPictureHeight + (line + 1) * kCaptionLine - 5}, kFont, size, color, thick, cv::LINE_AA);
  };
  std::string head = record.result ? std::string(to_string(verdict)) : "ERROR";
  if (record.result && !record.result->faces.empty() && !record.result->faces[0].members.empty())
    head += fmt::format("   {:.3f}", record.result->score);
  caption(0, head, 0.62, color_of(verdict), 2);
  std::string name = std::filesystem::path(record.input).filename().string();
  if (record.moving) name += fmt::format("  frame {}", record.frame);
  caption(1, name, 0.48, kInk, 1);
  caption(2, record.result ? reason_names(record.result->reasons, ", ") : record.error, 0.44, kInk, 1);
  return tile;
}

bool ContactSheet::add(cv::Mat tile) {
  if (tiles_.size() == kMaxTiles) return false;
  tiles_.push_back(std::move(tile));
  return true;
}

cv::Mat ContactSheet::compose() const {
  const int n = static_cast<int>(tiles_.size());
  const int columns = n <= 3 ? n : std::min(static_cast<int>(std::ceil(std::sqrt(n))), 6);
  const int rows = (n + columns - 1) / columns;
  const cv::Size tile = tiles_.front().size();
  cv::Mat sheet(kGap + rows * (tile.height + kGap), kGap + columns * (tile.width + kGap), CV_8UC3, kWhite);
  for (int i = 0; i < n; ++i)
    tiles_[static_cast<std::size_t>(i)].copyTo(
        sheet(cv::Rect({kGap + i % columns * (tile.width + kGap), kGap + i / columns * (tile.height + kGap)}, tile)));
  return sheet;
}

}  // namespace liveness::cli
