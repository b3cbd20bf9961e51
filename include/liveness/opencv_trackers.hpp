// OpenCV's trackers as followers of boxes for FaceTracker. Opt-in and header only: needs OpenCV's imgproc, video and
// tracking (contrib).
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/tracking.hpp>
#include <opencv2/video/tracking.hpp>
#include <string>
#include <vector>

#include "liveness/error.hpp"
#include "liveness/tracker.hpp"

namespace liveness {
namespace opencv_detail {

// A matrix on the caller's pixels; grey of NV12 and NV21.
inline cv::Mat matrix(const ImageView& image) {
  const int type = CV_8UC(bytes_per_pixel(image.format));
  return {image.height, image.width, type, const_cast<std::uint8_t*>(image.data),
          static_cast<std::size_t>(image.stride)};
}

inline cv::Mat grey(const ImageView& image) {
  const cv::Mat from = matrix(image);
  cv::Mat to;
  switch (image.format) {
    case PixelFormat::kBgr: cv::cvtColor(from, to, cv::COLOR_BGR2GRAY); break;
    case PixelFormat::kRgb: cv::cvtColor(from, to, cv::COLOR_RGB2GRAY); break;
    case PixelFormat::kBgra: cv::cvtColor(from, to, cv::COLOR_BGRA2GRAY); break;
    case PixelFormat::kRgba: cv::cvtColor(from, to, cv::COLOR_RGBA2GRAY); break;
    default: to = from.clone(); break;
  }
  return to;
}

inline cv::Mat colour(const ImageView& image) {
  const cv::Mat from = matrix(image);
  cv::Mat to;
  switch (image.format) {
    case PixelFormat::kBgr:
    case PixelFormat::kRgb: return from;
    case PixelFormat::kBgra:
    case PixelFormat::kRgba: cv::cvtColor(from, to, cv::COLOR_BGRA2BGR); break;
    default: cv::cvtColor(from, to, cv::COLOR_GRAY2BGR); break;
  }
  return to;
}

// CSRT and KCF. They say only whether they have the box: quality is 1 or 0, and FaceTracker compares the pixels.
class Contrib final : public BoxFollower {
 public:
  explicit Contrib(bool csrt) : csrt_(csrt) {}
  void start(const ImageView& image, const Rect& box) override {
    const cv::Rect whole(0, 0, image.width, image.height);
    const cv::Rect inside = cv::Rect(cvRound(box.x), cvRound(box.y), cvRound(box.width), cvRound(box.height)) & whole;
    tracker_.release();
    if (inside.width < 8 || inside.height < 8) return;
    if (csrt_) {
      tracker_ = cv::TrackerCSRT::create();
    } else {
      tracker_ = cv::TrackerKCF::create();
    }
    tracker_->init(colour(image), inside);
  }
  Step follow(const ImageView& image) override {
    cv::Rect box;
    if (tracker_.empty() || !tracker_->update(colour(image), box)) return {};
    return {{static_cast<float>(box.x), static_cast<float>(box.y), static_cast<float>(box.width),
             static_cast<float>(box.height)},
            1};
  }

 private:
  bool csrt_;
  cv::Ptr<cv::Tracker> tracker_;
};

// Corners followed by pyramidal Lucas-Kanade (Bouguet 2001) to the frame and back (Kalal, Mikolajczyk, Matas 2010,
// "Forward-Backward Error"): those that do not come back within a pixel are dropped. The box takes the median shift and
// the median scale; quality is the part of the corners that came back.
class Flow final : public BoxFollower {
 public:
  void start(const ImageView& image, const Rect& box) override {
    last_ = grey(image);
    box_ = box;
    seed();
  }
  Step follow(const ImageView& image) override {
    const cv::Mat now = grey(image);
    if (points_.size() < 8 || now.size() != last_.size()) return {};
    std::vector<cv::Point2f> there;
    std::vector<cv::Point2f> back;
    std::vector<unsigned char> forth_ok;
    std::vector<unsigned char> back_ok;
    std::vector<float> error;
    const cv::Size side(15, 15);
    cv::calcOpticalFlowPyrLK(last_, now, points_, there, forth_ok, error, side, 3);
    cv::calcOpticalFlowPyrLK(now, last_, there, back, back_ok, error, side, 3);
    std::vector<cv::Point2f> from;
    std::vector<cv::Point2f> to;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      if (forth_ok[i] == 0 || back_ok[i] == 0 || cv::norm(back[i] - points_[i]) > 1) continue;
      from.push_back(points_[i]);
      to.push_back(there[i]);
    }
    const float quality = static_cast<float>(from.size()) / static_cast<float>(points_.size());
    if (from.size() < 6) return {};
    std::vector<float> dx;
    std::vector<float> dy;
    std::vector<float> scales;
    for (std::size_t i = 0; i < from.size(); ++i) {
      dx.push_back(to[i].x - from[i].x);
      dy.push_back(to[i].y - from[i].y);
      const std::size_t j = (i + from.size() / 2) % from.size();
      const double before = cv::norm(from[i] - from[j]);
      if (before > 4) scales.push_back(static_cast<float>(cv::norm(to[i] - to[j]) / before));
    }
    const float scale = scales.empty() ? 1.0F : median(scales);
    box_ = {box_.x + median(dx) + box_.width * (1 - scale) / 2, box_.y + median(dy) + box_.height * (1 - scale) / 2,
            box_.width * scale, box_.height * scale};
    last_ = now;
    points_ = to;
    if (points_.size() < kPoints / 2) seed();
    return {box_, quality};
  }

 private:
  static constexpr int kPoints = 60;

  static float median(std::vector<float>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  void seed() {
    const cv::Rect inner(cvRound(box_.x + box_.width / 6), cvRound(box_.y + box_.height / 6),
                         cvRound(box_.width * 2 / 3), cvRound(box_.height * 2 / 3));
    const cv::Rect inside = inner & cv::Rect(0, 0, last_.cols, last_.rows);
    points_.clear();
    if (inside.area() == 0) return;
    cv::goodFeaturesToTrack(last_(inside), points_, kPoints, 0.01, 3);
    for (cv::Point2f& p : points_) p += cv::Point2f(inside.tl());
  }

  cv::Mat last_;
  Rect box_;
  std::vector<cv::Point2f> points_;
};

}  // namespace opencv_detail

/// For FaceTracker::Options::follower, with the same `method` there. Throws Error(kUnsupported) for a method that
/// follows no boxes (redetect, none).
[[nodiscard]] inline std::function<std::unique_ptr<BoxFollower>()> opencv_follower(TrackMethod method) {
  switch (method) {
    case TrackMethod::kFlow: return [] { return std::make_unique<opencv_detail::Flow>(); };
    case TrackMethod::kCsrt: return [] { return std::make_unique<opencv_detail::Contrib>(true); };
    case TrackMethod::kKcf: return [] { return std::make_unique<opencv_detail::Contrib>(false); };
    default: break;
  }
  throw Error(Status::kUnsupported, "method \"" + std::string(to_string(method)) + "\" needs no follower");
}

}  // namespace liveness
