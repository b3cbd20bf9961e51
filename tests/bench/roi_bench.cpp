// The ROI pass against OpenCV's chain of calls, in turn, one thread. Every pair is compared before it is timed.
// liveness_roi_bench [rounds] : one JSON object on stdout, rows as `./dev bench` writes them, medians in microseconds.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <random>
#include <string>
#include <vector>

#include "liveness/quality.hpp"
#include "liveness/roi.hpp"

namespace {

using namespace liveness;
using Clock = std::chrono::steady_clock;

constexpr int kWidth = 640;
constexpr int kHeight = 480;

struct Row {
  std::string name;
  std::string baseline_name;
  std::function<void()> ours;
  std::function<void()> baseline;
  float tolerance = 1;  // in values as the network takes them
  std::size_t values = 0;
  std::vector<double> us_ours{};
  std::vector<double> us_baseline{};
};

// As aligned as an engine's input is.
alignas(64) std::array<float, 3 * 320 * 320> mine;
alignas(64) std::array<float, 3 * 320 * 320> theirs;

cv::Rect shifted_box(cv::Size frame, cv::Rect face, double want) {
  const double s = std::min({(frame.height - 1) / double(face.height), (frame.width - 1) / double(face.width), want});
  const double cx = face.x + face.width / 2.0;
  const double cy = face.y + face.height / 2.0;
  double l = cx - face.width * s / 2, t = cy - face.height * s / 2, r = cx + face.width * s / 2,
         b = cy + face.height * s / 2;
  if (l < 0) r -= l, l = 0;
  if (t < 0) b -= t, t = 0;
  if (r > frame.width - 1) l -= r - frame.width + 1, r = frame.width - 1;
  if (b > frame.height - 1) t -= b - frame.height + 1, b = frame.height - 1;
  return {int(l), int(t), int(r) - int(l) + 1, int(b) - int(t) + 1};
}

cv::Mat bordered_crop(const cv::Mat& frame, cv::Rect face, double scale, int border) {
  const double side = std::max(face.width, face.height) * scale;
  const cv::Rect want(int(face.x + face.width / 2.0 - side / 2), int(face.y + face.height / 2.0 - side / 2), int(side),
                      int(side));
  const cv::Rect inside = want & cv::Rect(0, 0, frame.cols, frame.rows);
  cv::Mat out;
  cv::copyMakeBorder(frame(inside), out, inside.y - want.y, want.br().y - inside.br().y, inside.x - want.x,
                     want.br().x - inside.br().x, border);
  return out;
}

void to_planes(const cv::Mat& crop, cv::Size size, int filter, bool rgb, double gain) {
  cv::Mat resized, as_float;
  cv::resize(crop, resized, size, 0, 0, filter);
  if (rgb) cv::cvtColor(resized, resized, cv::COLOR_BGR2RGB);
  resized.convertTo(as_float, CV_32F, gain);
  std::vector<cv::Mat> planes;
  for (std::size_t c = 0; c < 3; ++c)
    planes.emplace_back(size, CV_32F, theirs.data() + c * static_cast<std::size_t>(size.area()));
  cv::split(as_float, planes);
}

RoiSpec make_spec(int size, float scale, bool rgb01, bool square, BorderRule border, ResizeFilter enlarge,
                  ResizeFilter shrink) {
  RoiSpec s;
  s.input = {size, size, rgb01 ? ColorOrder::kRgb : ColorOrder::kBgr, 0, rgb01 ? 1.0F : 255.0F, {0, 0, 0}, {1, 1, 1}};
  s.crop.scale = scale;
  s.crop.square = square;
  s.crop.border = border;
  s.crop.enlarge = enlarge;
  s.crop.shrink = shrink;
  return s;
}

double quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  return v[std::min(v.size() - 1, static_cast<std::size_t>(q * static_cast<double>(v.size())))];
}

}  // namespace

int main(int argc, char** argv) {
  cv::setNumThreads(1);
  const int rounds = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 1000;

  // Smooth colour noise; the filters do not look at what is in a picture.
  cv::Mat frame, small(30, 40, CV_8UC3);
  cv::RNG(7).fill(small, cv::RNG::UNIFORM, 0, 256);
  cv::resize(small, frame, {kWidth, kHeight}, 0, 0, cv::INTER_CUBIC);
  cv::Mat nv12(kHeight * 3 / 2, kWidth, CV_8UC1), small_nv12(45, 40, CV_8UC1);
  cv::RNG(9).fill(small_nv12, cv::RNG::UNIFORM, 0, 256);
  cv::resize(small_nv12, nv12, nv12.size(), 0, 0, cv::INTER_CUBIC);
  const ImageView view = make_image(frame.data, kWidth, kHeight, PixelFormat::kBgr);
  const ImageView view_nv12 = make_image(nv12.data, kWidth, kHeight, PixelFormat::kNv12);

  struct Case {
    const char* name;
    const char* baseline;
    RoiSpec spec;
    bool is_nv12;
  };
  const auto bilinear = ResizeFilter::kBilinear;
  const auto reflect = BorderRule::kReflect101;
  const std::vector<Case> cases = {
      {"plain80", "OpenCV crop, resize, convertTo, split",
       make_spec(80, 2.7F, false, false, BorderRule::kShift, bilinear, bilinear), false},
      {"plain80_x4", "OpenCV crop, resize, convertTo, split",
       make_spec(80, 4.0F, false, false, BorderRule::kShift, bilinear, bilinear), false},
      {"border80", "OpenCV copyMakeBorder, resize, convertTo, split",
       make_spec(80, 2.7F, false, true, reflect, bilinear, bilinear), false},
      {"border80_x4", "OpenCV copyMakeBorder, resize, convertTo, split",
       make_spec(80, 4.0F, false, true, reflect, bilinear, bilinear), false},
      {"area128", "OpenCV copyMakeBorder, resize INTER_AREA, cvtColor, convertTo, split",
       make_spec(128, 1.5F, true, true, reflect, ResizeFilter::kLanczos, ResizeFilter::kArea), false},
      {"nv12", "OpenCV cvtColor NV12, crop, resize, convertTo, split",
       make_spec(80, 2.7F, false, false, BorderRule::kShift, bilinear, bilinear), true},
      {"nv12_area128", "OpenCV cvtColor NV12, copyMakeBorder, resize INTER_AREA, cvtColor, convertTo, split",
       make_spec(128, 1.5F, true, true, reflect, ResizeFilter::kLanczos, ResizeFilter::kArea), true},
  };
  const std::pair<const char*, cv::Rect> faces[] = {{"face160", {240, 160, 160, 160}},
                                                    {"face64", {300, 200, 64, 64}},
                                                    {"face96", {272, 192, 96, 96}},
                                                    {"face160edge", {30, 20, 160, 160}},
                                                    {"face240", {200, 120, 240, 240}}};

  std::vector<RoiProcessor> processors;
  for (const Case& c : cases) processors.emplace_back(std::vector<RoiSpec>{c.spec});
  std::vector<Row> rows;
  for (std::size_t i = 0; i < cases.size(); ++i)
    for (const auto& [face_name, face] : faces) {
      const Case& c = cases[i];
      const int size = c.spec.input.width;
      const double scale = std::round(c.spec.crop.scale * 10.0) / 10;
      const bool rgb = c.spec.input.color == ColorOrder::kRgb;
      const double gain = rgb ? 1 / 255.0 : 1.0;
      const Rect box{static_cast<float>(face.x), static_cast<float>(face.y), static_cast<float>(face.width),
                     static_cast<float>(face.height)};
      Row row;
      // The first face is the one that the figures speak of.
      row.name = std::string("roi/") + c.name + (face_name == faces[0].first ? "" : std::string("/") + face_name);
      row.baseline_name = c.baseline;
      row.tolerance = static_cast<float>(gain) * 1.01F;
      row.values = static_cast<std::size_t>(3 * size * size);
      const ImageView& source = c.is_nv12 ? view_nv12 : view;
      row.ours = [&processors, &source, i, box, size] {
        processors[i].extract(source, box, 0, {mine.data(), size, std::ptrdiff_t{size} * size});
      };
      row.baseline = [&frame, &nv12, &c, face = face, size, scale, rgb, gain] {
        cv::Mat bgr = frame;
        if (c.is_nv12) {
          bgr = cv::Mat();
          cv::cvtColor(nv12, bgr, cv::COLOR_YUV2BGR_NV12);
        }
        if (c.spec.crop.border == BorderRule::kShift) {
          to_planes(bgr(shifted_box(bgr.size(), face, scale)), {size, size}, cv::INTER_LINEAR, rgb, gain);
        } else {
          const cv::Mat crop = bordered_crop(bgr, face, scale, cv::BORDER_REFLECT_101);
          const int filter = !rgb ? cv::INTER_LINEAR : crop.cols < size ? cv::INTER_LANCZOS4 : cv::INTER_AREA;
          to_planes(crop, {size, size}, filter, rgb, gain);
        }
      };
      rows.push_back(std::move(row));
    }

  const RoiProcessor detector({make_spec(320, 1, false, false, BorderRule::kConstant, bilinear, bilinear)});
  cv::Mat letterboxed;
  Row letterbox;
  letterbox.name = "roi/letterbox320";
  letterbox.baseline_name = "OpenCV resize, copyMakeBorder, blobFromImage";
  letterbox.values = 3 * 320 * 320;
  letterbox.ours = [&] { detector.letterbox(view, {mine.data(), 320, 320 * 320}); };
  letterbox.baseline = [&] {
    cv::Mat half, padded, blob;
    cv::resize(frame, half, {320, 240});
    cv::copyMakeBorder(half, padded, 0, 80, 0, 0, cv::BORDER_CONSTANT);
    cv::dnn::blobFromImage(padded, blob);
    letterboxed = blob;
  };
  rows.push_back(letterbox);

  Face face;
  face.box = {240, 160, 160, 160};
  Quality quality, quality_theirs;
  Row measure;
  measure.name = "roi/quality";
  measure.baseline_name = "OpenCV resize INTER_AREA, cvtColor, Laplacian, meanStdDev, countNonZero";
  measure.ours = [&] { quality = measure_quality(view, face); };
  measure.baseline = [&] {
    cv::Mat grey, edges;
    cv::resize(frame(cv::Rect(240, 160, 160, 160)), grey, {kQualitySide, kQualitySide}, 0, 0, cv::INTER_AREA);
    cv::cvtColor(grey, grey, cv::COLOR_BGR2GRAY);
    cv::Laplacian(grey, edges, CV_16S, 1);
    cv::Scalar mean, deviation;
    cv::meanStdDev(edges, mean, deviation);
    quality_theirs.sharpness = static_cast<float>(deviation[0] * deviation[0]);
    quality_theirs.luminance = static_cast<float>(cv::mean(grey)[0]);
    quality_theirs.overexposed = static_cast<float>(cv::countNonZero(grey >= 250)) / kQualityPixels;
    quality_theirs.underexposed = static_cast<float>(cv::countNonZero(grey <= 5)) / kQualityPixels;
  };
  rows.push_back(measure);

  for (Row& row : rows) {
    row.ours();
    row.baseline();
    if (!letterboxed.empty()) std::copy_n(letterboxed.ptr<float>(), theirs.size(), theirs.data());
    letterboxed.release();
    std::size_t differ = 0;
    for (std::size_t i = 0; i < row.values; ++i) differ += std::fabs(mine[i] - theirs[i]) > row.tolerance ? 1 : 0;
    if (differ * 1000 > row.values) {
      std::fprintf(stderr, "%s: %zu of %zu values differ from OpenCV's by more than a grey level\n", row.name.c_str(),
                   differ, row.values);
      return 1;
    }
  }

  // Each side on its own in a new random order every round: neither finds the caches warmed by the other.
  struct Run {
    const std::function<void()>* run;
    std::vector<double>* us;
  };
  std::vector<Run> order;
  for (Row& row : rows) {
    order.push_back({&row.ours, &row.us_ours});
    order.push_back({&row.baseline, &row.us_baseline});
  }
  std::mt19937 shuffler(1);
  for (int i = -50; i < rounds; ++i) {
    std::shuffle(order.begin(), order.end(), shuffler);
    for (const Run& r : order) {
      const auto start = Clock::now();
      (*r.run)();
      const double us = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
      if (i >= 0) r.us->push_back(us);
    }
  }
  std::printf("{\"baseline\": \"OpenCV %s\", \"isa\": \"%s\", \"rounds\": %d, \"rows\": [\n", CV_VERSION,
              std::string(to_string(default_isa())).c_str(), rounds);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& r = rows[i];
    const double ours = quantile(r.us_ours, 0.5);
    const double base = quantile(r.us_baseline, 0.5);
    std::printf(
        "  {\"name\": \"%s\", \"unit\": \"us\", \"ours\": %.2f, \"baseline\": %.2f, \"baseline_name\": \"%s\", "
        "\"ratio\": %.2f, "
        "\"p99_ours\": %.2f, \"p99_baseline\": %.2f}%s\n",
        r.name.c_str(), ours, base, r.baseline_name.c_str(), base / ours, quantile(r.us_ours, 0.99),
        quantile(r.us_baseline, 0.99), i + 1 < rows.size() ? "," : "");
  }
  std::printf("]}\n");
  return 0;
}
