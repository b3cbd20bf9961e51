// The ROI pass against OpenCV's chain of calls: convert, crop or pad, resize, cvtColor, convertTo, split.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <random>
#include <string>
#include <vector>

#include "liveness/quality.hpp"
#include "liveness/roi.hpp"
#include "roi_spec.hpp"

using namespace liveness;
using liveness::test::make_spec;

namespace {

constexpr PixelFormat kFormats[] = {PixelFormat::kBgr,  PixelFormat::kRgb,  PixelFormat::kBgra, PixelFormat::kRgba,
                                    PixelFormat::kGray, PixelFormat::kNv12, PixelFormat::kNv21};
const char* const kFormatNames[] = {"bgr", "rgb", "bgra", "rgba", "gray", "nv12", "nv21"};
constexpr BorderRule kBorders[] = {BorderRule::kShift, BorderRule::kConstant, BorderRule::kReplicate,
                                   BorderRule::kReflect101};
constexpr ResizeFilter kFilters[] = {ResizeFilter::kBilinear, ResizeFilter::kArea, ResizeFilter::kLanczos};

// A frame in one format, with rows further apart than they need to be, and what OpenCV makes of it in BGR.
struct Frame {
  std::vector<std::uint8_t> bytes;
  ImageView view;
  cv::Mat bgr;
};

Frame make_frame(PixelFormat format, int width, int height, bool smooth, std::mt19937& random) {
  Frame f;
  const bool biplanar = format == PixelFormat::kNv12 || format == PixelFormat::kNv21;
  const int pixel = bytes_per_pixel(format);
  const int stride = width * pixel + (biplanar ? 2 : 5);
  const int rows = biplanar ? height * 3 / 2 : height;
  f.bytes.resize(static_cast<std::size_t>(stride) * static_cast<std::size_t>(rows));
  cv::Mat all(rows, width, CV_8UC(pixel), f.bytes.data(), static_cast<std::size_t>(stride));
  cv::RNG noise(random());
  if (smooth) {
    cv::Mat small(std::max(rows / 12, 2), std::max(width / 12, 2), CV_8UC(pixel));
    noise.fill(small, cv::RNG::UNIFORM, 0, 256);
    cv::Mat large;
    cv::resize(small, large, all.size(), 0, 0, cv::INTER_CUBIC);
    large.copyTo(all);
  } else {
    noise.fill(all, cv::RNG::UNIFORM, 0, 256);
  }
  f.view = {f.bytes.data(), width, height, stride, format, nullptr, 0};
  switch (format) {
    case PixelFormat::kBgr: f.bgr = all; break;
    case PixelFormat::kRgb: cv::cvtColor(all, f.bgr, cv::COLOR_RGB2BGR); break;
    case PixelFormat::kBgra: cv::cvtColor(all, f.bgr, cv::COLOR_BGRA2BGR); break;
    case PixelFormat::kRgba: cv::cvtColor(all, f.bgr, cv::COLOR_RGBA2BGR); break;
    case PixelFormat::kGray: cv::cvtColor(all, f.bgr, cv::COLOR_GRAY2BGR); break;
    case PixelFormat::kNv12: cv::cvtColor(all, f.bgr, cv::COLOR_YUV2BGR_NV12); break;
    case PixelFormat::kNv21: cv::cvtColor(all, f.bgr, cv::COLOR_YUV2BGR_NV21); break;
  }
  return f;
}

// The publishers' rules, written once more: MiniFASNet's shift, and the padded crop around the same centre.
cv::Mat reference_crop(const cv::Mat& frame, const Rect& box, const CropContract& crop, double scale) {
  double w = box.width;
  double h = box.height;
  const double cx = box.x + w / 2;
  const double cy = box.y + h / 2;
  if (crop.square) w = h = std::max(w, h);
  if (crop.border == BorderRule::kShift) {
    const double s = std::min(std::min((frame.rows - 1) / h, (frame.cols - 1) / w), scale);
    double left = cx - w * s / 2, right = cx + w * s / 2, top = cy - h * s / 2, bottom = cy + h * s / 2;
    if (left < 0) right -= left, left = 0;
    if (top < 0) bottom -= top, top = 0;
    if (right > frame.cols - 1) left -= right - (frame.cols - 1), right = frame.cols - 1;
    if (bottom > frame.rows - 1) top -= bottom - (frame.rows - 1), bottom = frame.rows - 1;
    const cv::Point a(static_cast<int>(left), static_cast<int>(top));
    const cv::Point b(static_cast<int>(right), static_cast<int>(bottom));
    return frame(cv::Rect(a.x, a.y, b.x - a.x + 1, b.y - a.y + 1)).clone();
  }
  const cv::Rect want(static_cast<int>(cx - w * scale / 2), static_cast<int>(cy - h * scale / 2),
                      std::max(static_cast<int>(w * scale), 1), std::max(static_cast<int>(h * scale), 1));
  const cv::Rect have = want & cv::Rect(0, 0, frame.cols, frame.rows);
  const int type = crop.border == BorderRule::kConstant    ? cv::BORDER_CONSTANT
                   : crop.border == BorderRule::kReplicate ? cv::BORDER_REPLICATE
                                                           : cv::BORDER_REFLECT_101;
  cv::Mat out;
  cv::copyMakeBorder(frame(have), out, have.y - want.y, want.br().y - have.br().y, have.x - want.x,
                     want.br().x - have.br().x, type | cv::BORDER_ISOLATED, cv::Scalar::all(crop.border_value));
  return out;
}

int interpolation(ResizeFilter filter) {
  return filter == ResizeFilter::kBilinear ? cv::INTER_LINEAR
         : filter == ResizeFilter::kArea   ? cv::INTER_AREA
                                           : cv::INTER_LANCZOS4;
}

cv::Mat to_network(const cv::Mat& crop, cv::Size size, ResizeFilter filter, ColorOrder color) {
  cv::Mat out;
  cv::resize(crop, out, size, 0, 0, interpolation(filter));
  if (color == ColorOrder::kRgb) cv::cvtColor(out, out, cv::COLOR_BGR2RGB);
  if (color == ColorOrder::kGray) cv::cvtColor(out, out, cv::COLOR_BGR2GRAY);
  return out;
}

struct Tally {
  std::size_t values = 0;
  std::size_t equal = 0;
  std::size_t beyond_one = 0;
};

// Compares planes of grey levels.
void count(const cv::Mat& want, const std::vector<float>& got, Tally& tally) {
  const int channels = want.channels();
  for (int y = 0; y < want.rows; ++y)
    for (int x = 0; x < want.cols; ++x)
      for (int c = 0; c < channels; ++c) {
        const float v = got[static_cast<std::size_t>((c * want.rows + y) * want.cols + x)];
        const float d = std::fabs(v - static_cast<float>(want.ptr<std::uint8_t>(y)[x * channels + c]));
        ++tally.values;
        tally.equal += d < 1e-3F ? 1 : 0;
        tally.beyond_one += d > 1.001F ? 1 : 0;
      }
}

// Makes processors for one instruction set.
class UseIsa {
 public:
  explicit UseIsa(Isa isa) { setenv("LIVENESS_ISA", std::string(to_string(isa)).c_str(), 1); }
  ~UseIsa() { unsetenv("LIVENESS_ISA"); }
};

}  // namespace

TEST_CASE("crops agree with OpenCV's chain", "[roi][opencv]") {
  cv::setNumThreads(1);
  const float scales[] = {1.0F, 1.5F, 2.7F, 4.0F};
  for (const Isa isa : available_isas()) {
    const UseIsa use(isa);
    for (const ResizeFilter filter : kFilters)
      for (const BorderRule border : kBorders)
        for (std::size_t f = 0; f < std::size(kFormats); ++f) {
          const PixelFormat format = kFormats[f];
          std::mt19937 random(
              static_cast<unsigned>(f * 1000 + 7 * static_cast<unsigned>(border) + static_cast<unsigned>(filter)));
          const auto between = [&](int a, int b) { return std::uniform_int_distribution<int>(a, b)(random); };
          Tally tally;
          for (int i = 0; i < 12; ++i) {
            const int width = 2 * between(i < 2 ? 1 : 20, i < 4 ? 50 : 330);
            const int height = 2 * between(i < 2 ? 1 : 20, i < 4 ? 50 : 250);
            const Frame frame = make_frame(format, width, height, i % 3 != 0, random);
            RoiSpec spec = make_spec(between(i < 6 ? 1 : 30, 140), between(i < 6 ? 1 : 30, 140), border, filter,
                                     between(0, 4) == 0 ? ColorOrder::kRgb : ColorOrder::kBgr);
            const float scale = scales[between(0, 3)];
            spec.crop.scale = scale;
            spec.crop.square = between(0, 1) == 1;
            spec.crop.border_value = static_cast<std::uint8_t>(between(0, 255));
            Rect box{static_cast<float>(between(-20, width - 2)), static_cast<float>(between(-20, height - 2)),
                     static_cast<float>(between(22, 22 + width / 2)), static_cast<float>(between(22, 22 + height / 2))};
            if (i % 4 == 1) {  // wholly inside, no border
              box = {static_cast<float>(width) * 0.4F, static_cast<float>(height) * 0.4F,
                     static_cast<float>(width) * 0.15F + 1, static_cast<float>(height) * 0.15F + 1};
            }
            const RoiProcessor roi({spec});
            std::vector<float> got(static_cast<std::size_t>(3 * spec.input.width * spec.input.height), -1.0F);
            const CropInfo info =
                roi.extract(frame.view, box, 0, {got.data(), spec.input.width, spec.input.width * spec.input.height});
            const cv::Mat crop = reference_crop(frame.bgr, box, spec.crop, std::round(scale * 10.0) / 10);
            INFO("isa " << to_string(isa) << " filter " << static_cast<int>(filter) << " border "
                        << static_cast<int>(border) << " format " << kFormatNames[f] << " frame " << width << "x"
                        << height << " box " << box.x << "," << box.y << "," << box.width << "," << box.height
                        << " scale " << scale << " square " << spec.crop.square << " to " << spec.input.width << "x"
                        << spec.input.height);
            REQUIRE(info.region.width == static_cast<float>(crop.cols));
            REQUIRE(info.region.height == static_cast<float>(crop.rows));
            const Tally before = tally;
            count(to_network(crop, {spec.input.width, spec.input.height}, filter, spec.input.color), got, tally);
            INFO("differ " << (tally.values - before.values) - (tally.equal - before.equal) << " beyond one "
                           << tally.beyond_one);
            CHECK(tally.beyond_one * 1000 <= tally.values);
            CHECK(tally.equal * 100 >= tally.values * 98);
          }
        }
  }
}

TEST_CASE("grey networks get OpenCV's grey", "[roi][opencv]") {
  for (const Isa isa : available_isas()) {
    const UseIsa use(isa);
    for (std::size_t f = 0; f < std::size(kFormats); ++f) {
      // Of NV12 the luma is used as it is, which differs where colours beyond the cube are clipped: not in a grey
      // picture.
      const bool biplanar = f >= 5;
      for (const ResizeFilter filter : kFilters) {
        std::mt19937 random(static_cast<unsigned>(f));
        Frame frame = make_frame(kFormats[f], 200, 160, true, random);
        if (biplanar) {
          std::fill(frame.bytes.begin() + frame.view.stride * 160, frame.bytes.end(), std::uint8_t{128});
          cv::cvtColor(cv::Mat(240, 200, CV_8UC1, frame.bytes.data(), static_cast<std::size_t>(frame.view.stride)),
                       frame.bgr, cv::COLOR_YUV2BGR_NV12);
        }
        const RoiSpec spec = make_spec(70, 50, BorderRule::kReflect101, filter, ColorOrder::kGray);
        std::vector<float> got(70 * 50, -1.0F);
        const Rect box{30, 20, 120, 90};
        static_cast<void>(RoiProcessor({spec}).extract(frame.view, box, 0, {got.data(), 70, 70 * 50}));
        Tally tally;
        count(to_network(frame.bgr(cv::Rect(30, 20, 120, 90)), {70, 50}, filter, ColorOrder::kGray), got, tally);
        INFO("isa " << to_string(isa) << " format " << kFormatNames[f] << " filter " << static_cast<int>(filter));
        CHECK(tally.beyond_one == 0);
        CHECK(tally.equal * 100 >= tally.values * 98);
      }
    }
  }
}

TEST_CASE("letterbox agrees with OpenCV's resize", "[roi][opencv]") {
  struct Shape {
    int width, height, in_width, in_height;
  };
  const Shape shapes[] = {
      {640, 480, 320, 320}, {1280, 720, 320, 320}, {500, 700, 320, 320}, {100, 60, 128, 128}, {640, 480, 320, 240}};
  for (const Isa isa : available_isas()) {
    const UseIsa use(isa);
    for (const Shape& s : shapes)
      for (const PixelFormat format : {PixelFormat::kBgr, PixelFormat::kRgba, PixelFormat::kNv12}) {
        std::mt19937 random(3);
        const Frame frame = make_frame(format, s.width, s.height, true, random);
        RoiSpec spec = make_spec(s.in_width, s.in_height, BorderRule::kConstant);
        spec.crop.border_value = 17;
        const int row = s.in_width + 3;
        std::vector<float> got(static_cast<std::size_t>(3 * row * s.in_height), -1.0F);
        const double ratio =
            std::min(s.in_width / static_cast<double>(s.width), s.in_height / static_cast<double>(s.height));
        const float scale = RoiProcessor({spec}).letterbox(frame.view, {got.data(), row, row * s.in_height});
        CHECK(scale == Approx(ratio));
        cv::Mat want(s.in_height, s.in_width, CV_8UC3, cv::Scalar::all(17));
        cv::Mat scaled;
        const cv::Size size(cvRound(s.width * ratio), cvRound(s.height * ratio));
        cv::resize(frame.bgr, scaled, size, 0, 0, cv::INTER_LINEAR);
        scaled.copyTo(want(cv::Rect({0, 0}, size)));
        std::vector<float> dense;
        bool untouched = true;
        for (int r = 0; r < 3 * s.in_height; ++r) {
          dense.insert(dense.end(), got.begin() + r * row, got.begin() + r * row + s.in_width);
          for (int x = s.in_width; x < row; ++x)
            untouched = untouched && got[static_cast<std::size_t>(r * row + x)] == -1.0F;
        }
        Tally tally;
        count(want, dense, tally);
        INFO("isa " << to_string(isa) << " " << s.width << "x" << s.height);
        CHECK(tally.equal == tally.values);
        CHECK(untouched);
      }
  }
}

TEST_CASE("sharpness and exposure are those that OpenCV measures", "[quality][opencv]") {
  std::mt19937 random(11);
  for (const PixelFormat format : {PixelFormat::kBgr, PixelFormat::kRgba, PixelFormat::kGray}) {
    const Frame frame = make_frame(format, 300, 260, true, random);
    Face face;
    face.box = {60, 40, 160, 170};
    const Quality q = measure_quality(frame.view, face);
    cv::Mat grey, edges;
    cv::resize(frame.bgr(cv::Rect(60, 40, 160, 170)), grey, {64, 64}, 0, 0, cv::INTER_AREA);
    cv::cvtColor(grey, grey, cv::COLOR_BGR2GRAY);
    cv::Laplacian(grey, edges, CV_64F, 1);
    cv::Scalar mean, deviation;
    cv::meanStdDev(edges(cv::Rect(1, 1, 62, 62)), mean, deviation);
    CHECK(q.sharpness == Approx(deviation[0] * deviation[0]).epsilon(0.01));
    CHECK(q.luminance == Approx(cv::mean(grey)[0]).margin(0.05));
    CHECK(q.overexposed == Approx(cv::countNonZero(grey >= 250) / 4096.0).margin(0.001));
    CHECK(q.underexposed == Approx(cv::countNonZero(grey <= 5) / 4096.0).margin(0.001));
    CHECK(q.face_pixels == 160);
  }
}
