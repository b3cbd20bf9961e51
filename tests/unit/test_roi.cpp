// The ROI pass without OpenCV: geometry, borders, values, and inputs that must be refused. Agreement with OpenCV itself
// is tests/golden/test_roi_opencv.cpp.
#include "liveness/roi.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "refusal.hpp"
#include "roi_spec.hpp"

using namespace liveness;
using liveness::test::make_spec;
using liveness::test::refusal;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr PixelFormat kFormats[] = {PixelFormat::kBgr,  PixelFormat::kRgb,  PixelFormat::kBgra, PixelFormat::kRgba,
                                    PixelFormat::kGray, PixelFormat::kNv12, PixelFormat::kNv21};
constexpr BorderRule kBorders[] = {BorderRule::kShift, BorderRule::kConstant, BorderRule::kReplicate,
                                   BorderRule::kReflect101};
constexpr ResizeFilter kFilters[] = {ResizeFilter::kBilinear, ResizeFilter::kArea, ResizeFilter::kLanczos};

// A picture in memory that ends with its last pixel, so that a sanitizer sees every byte read behind it.
struct Picture {
  std::unique_ptr<std::uint8_t[]> bytes;
  ImageView view;
};
Picture make_picture(PixelFormat format, int width, int height, unsigned seed = 1) {
  const bool biplanar = format == PixelFormat::kNv12 || format == PixelFormat::kNv21;
  const std::size_t row = static_cast<std::size_t>(width) * static_cast<std::size_t>(bytes_per_pixel(format));
  const std::size_t chroma_row = static_cast<std::size_t>((width + 1) / 2) * 2;
  const std::size_t luma = row * static_cast<std::size_t>(height);
  const std::size_t all = luma + (biplanar ? chroma_row * static_cast<std::size_t>((height + 1) / 2) : 0);
  Picture p{std::make_unique<std::uint8_t[]>(all), make_image(nullptr, width, height, format)};
  std::mt19937 random(seed);
  std::generate_n(p.bytes.get(), all, [&] { return static_cast<std::uint8_t>(random()); });
  p.view.data = p.bytes.get();
  if (biplanar) {
    p.view.chroma = p.bytes.get() + luma;
    p.view.chroma_stride = static_cast<std::ptrdiff_t>(chroma_row);
  }
  return p;
}

std::vector<float> extract(const RoiSpec& spec, const ImageView& image, const Rect& box, CropInfo* info = nullptr) {
  const int area = spec.input.width * spec.input.height;
  std::vector<float> out(static_cast<std::size_t>(spec.input.channels() * area), kNaN);
  const CropInfo found = RoiProcessor({spec}).extract(image, box, 0, {out.data(), spec.input.width, area});
  if (info != nullptr) *info = found;
  return out;
}

class UseIsa {
 public:
  explicit UseIsa(Isa isa) { setenv("LIVENESS_ISA", std::string(to_string(isa)).c_str(), 1); }
  ~UseIsa() { unsetenv("LIVENESS_ISA"); }
};

}  // namespace

TEST_CASE("the publisher's rule shrinks and shifts a crop into the frame", "[roi]") {
  RoiSpec spec = make_spec(80, 80, BorderRule::kShift);
  spec.crop.scale = 2.7F;
  const RoiProcessor roi({spec});
  const auto region = [&](const Rect& face) { return roi.region({640, 480}, face, 0); };

  // Worked out by hand: 432 x 432 around (320, 240), last pixel included.
  CropInfo c = region({240, 160, 160, 160});
  CHECK(c.region.x == 104);
  CHECK(c.region.y == 24);
  CHECK(c.region.width == 433);
  CHECK(c.region.height == 433);
  CHECK(c.outside == 0);

  // Centre (80, 80): 136 pixels to the left and above are missing.
  c = region({0, 0, 160, 160});
  CHECK(c.region.x == 0);
  CHECK(c.region.y == 0);
  CHECK(c.region.width == 433);
  CHECK(c.outside == Approx(1 - (296.0 * 296.0) / (432.0 * 432.0)).epsilon(1e-4));

  // Too large for the frame: the scale is what 479 / 300 allows.
  c = region({170, 90, 300, 300});
  CHECK(c.region.y == 0);
  CHECK(c.region.height == 480);
  CHECK(c.region.x == 80);
  CHECK(c.region.width == 480);
}

TEST_CASE("padded crops are cut to whole pixels towards zero", "[roi]") {
  RoiSpec spec = make_spec(128, 128, BorderRule::kReflect101);
  spec.crop.scale = 1.5F;
  spec.crop.square = true;
  const CropInfo c = RoiProcessor({spec}).region({640, 480}, {10, 20, 101, 81}, 0);
  CHECK(c.region.x == -15);  // 60.5 - 75.75 = -15.25
  CHECK(c.region.y == -15);  // 60.5 - 75.75
  CHECK(c.region.width == 151);
  CHECK(c.region.height == 151);
  CHECK(c.outside > 0.15F);
}

TEST_CASE("values are (pixel / 255 * (high - low) + low - mean) / std in the network's colour order", "[roi]") {
  RoiSpec spec = make_spec(2, 2, BorderRule::kShift, ResizeFilter::kBilinear, ColorOrder::kRgb);
  spec.input.low = -1;
  spec.input.high = 1;
  spec.input.mean = {0.5F, 0.25F, 0};
  spec.input.std = {2, 1, 0.5F};
  const std::uint8_t bgr[] = {10, 20, 30, 10, 20, 30, 10, 20, 30, 10, 20, 30};
  const std::vector<float> got = extract(spec, make_image(bgr, 2, 2, PixelFormat::kBgr), {0, 0, 2, 2});
  const auto value = [](float pixel, float mean, float std) { return (pixel / 255 * 2 - 1 - mean) / std; };
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(got[i] == Approx(value(30, 0.5F, 2)).epsilon(1e-5));
    CHECK(got[4 + i] == Approx(value(20, 0.25F, 1)).epsilon(1e-5));
    CHECK(got[8 + i] == Approx(value(10, 0, 0.5F)).epsilon(1e-5));
  }
}

TEST_CASE("what lies outside the frame follows the border rule", "[roi]") {
  // One row of five grey pixels; the crop takes three more on each side, pixel by pixel.
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < 5; ++y)
    for (const int v : {10, 20, 30, 40, 50}) pixels.push_back(static_cast<std::uint8_t>(v));
  const ImageView image = make_image(pixels.data(), 5, 5, PixelFormat::kGray);
  const auto middle_row = [&](BorderRule border, ResizeFilter filter) {
    RoiSpec spec = make_spec(11, 11, border, filter, ColorOrder::kGray);
    spec.crop.scale = 2.2F;
    spec.crop.border_value = 7;
    const std::vector<float> got = extract(spec, image, {0, 0, 5, 5});
    return std::vector<float>(got.begin() + 5 * 11, got.begin() + 6 * 11);
  };
  for (const Isa isa : available_isas()) {
    const UseIsa use(isa);
    for (const ResizeFilter filter : kFilters) {
      CAPTURE(to_string(isa), static_cast<int>(filter));
      CHECK(middle_row(BorderRule::kConstant, filter) == std::vector<float>{7, 7, 7, 10, 20, 30, 40, 50, 7, 7, 7});
      CHECK(middle_row(BorderRule::kReplicate, filter) ==
            std::vector<float>{10, 10, 10, 10, 20, 30, 40, 50, 50, 50, 50});
      CHECK(middle_row(BorderRule::kReflect101, filter) ==
            std::vector<float>{40, 30, 20, 10, 20, 30, 40, 50, 40, 30, 20});
    }
  }
}

TEST_CASE("instruction sets agree to the grey level", "[roi]") {
  for (const PixelFormat format : kFormats) {
    const Picture picture = make_picture(format, 311, 207);
    for (const ResizeFilter filter : kFilters) {
      RoiSpec spec = make_spec(61, 43, BorderRule::kReflect101, filter);
      spec.crop.scale = 2;
      std::vector<std::vector<float>> results;
      for (const Isa isa : available_isas()) {
        const UseIsa use(isa);
        results.push_back(extract(spec, picture.view, {20, 30, 150, 90}));
      }
      for (const auto& r : results) {
        std::size_t differ = 0;
        float most = 0;
        for (std::size_t i = 0; i < r.size(); ++i) {
          most = std::max(most, std::fabs(r[i] - results[0][i]));
          differ += r[i] != results[0][i] ? 1 : 0;
        }
        CAPTURE(static_cast<int>(format), static_cast<int>(filter));
        CHECK(most <= 1);
        CHECK(differ * 1000 <= r.size());
      }
    }
  }
}

TEST_CASE("several crops of one face equal the crops one by one", "[roi]") {
  const Picture picture = make_picture(PixelFormat::kBgr, 320, 240);
  RoiSpec near = make_spec(80, 80, BorderRule::kShift);
  near.crop.scale = 2.7F;
  RoiSpec far = make_spec(64, 48, BorderRule::kReflect101, ResizeFilter::kArea, ColorOrder::kRgb);
  far.crop.scale = 4;
  const RoiProcessor roi({near, far});
  CHECK(roi.size() == 2);
  std::vector<float> a(3 * 80 * 80), b(3 * 64 * 48);
  const PlanarView outputs[] = {{a.data(), 80, 6400}, {b.data(), 64, 64 * 48}};
  CropInfo infos[2];
  const Rect face{100, 80, 70, 90};
  roi.extract(picture.view, face, outputs, infos);
  CropInfo info;
  CHECK(a == extract(near, picture.view, face, &info));
  CHECK(infos[0].region.width == info.region.width);
  CHECK(b == extract(far, picture.view, face, &info));
  CHECK(infos[1].outside == info.outside);
}

TEST_CASE("rows are written where the view says and nowhere else", "[roi]") {
  const Picture picture = make_picture(PixelFormat::kBgr, 100, 90);
  for (const Isa isa : available_isas()) {
    const UseIsa use(isa);
    for (const ResizeFilter filter : kFilters) {
      const RoiSpec spec = make_spec(37, 21, BorderRule::kReplicate, filter);
      const int row = 41;
      const int plane = row * 21 + 13;
      std::vector<float> out(static_cast<std::size_t>(3 * plane), -1.0F);
      RoiProcessor({spec}).extract(picture.view, {10, 10, 70, 60}, 0, {out.data(), row, plane});
      const std::vector<float> dense = extract(spec, picture.view, {10, 10, 70, 60});
      int wrong = 0;
      for (int c = 0; c < 3; ++c)
        for (int i = 0; i < plane; ++i) {
          const bool inside = i / row < 21 && i % row < 37;
          const float want = inside ? dense[static_cast<std::size_t>((c * 21 + i / row) * 37 + i % row)] : -1.0F;
          wrong += out[static_cast<std::size_t>(c * plane + i)] != want ? 1 : 0;
        }
      CAPTURE(to_string(isa), static_cast<int>(filter));
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("any frame that can be read gives a crop, however small or odd", "[roi]") {
  std::mt19937 random(5);
  const auto between = [&](int a, int b) { return std::uniform_int_distribution<int>(a, b)(random); };
  for (const Isa isa : available_isas()) {
    const UseIsa use(isa);
    for (const PixelFormat format : kFormats)
      for (const ResizeFilter filter : kFilters)
        for (const BorderRule border : kBorders)
          for (int i = 0; i < 12; ++i) {
            const int width = i < 2 ? 1 : between(1, 60);
            const int height = i % 2 == 0 ? 1 : between(1, 60);
            const Picture picture = make_picture(format, width, height);
            RoiSpec spec = make_spec(between(1, 40), between(1, 40), border, filter);
            spec.crop.scale = static_cast<float>(between(1, 60)) / 10;
            spec.crop.square = i % 3 == 0;
            const float size = i == 3 ? 0.01F : static_cast<float>(between(1, 90));
            const Rect box{static_cast<float>(between(-40, width - 1)) + (i == 3 ? 40.0F : 0), 0.25F, size + 40, size};
            if (box.x >= static_cast<float>(width) || box.x + box.width <= 0) continue;
            const std::vector<float> got = extract(spec, picture.view, box);
            const bool levels =
                std::all_of(got.begin(), got.end(), [](float v) { return v >= 0 && v <= 255 && v == std::round(v); });
            CAPTURE(to_string(isa), static_cast<int>(format), static_cast<int>(filter), static_cast<int>(border), width,
                    height, box.x, box.width, spec.crop.scale);
            REQUIRE(levels);
          }
  }
}

TEST_CASE("a crop that misses the frame takes its nearest pixels, or the constant", "[roi]") {
  const std::vector<std::uint8_t> pixels(100, 90);
  const ImageView image = make_image(pixels.data(), 10, 10, PixelFormat::kGray);
  for (const BorderRule border : {BorderRule::kConstant, BorderRule::kReplicate, BorderRule::kReflect101}) {
    RoiSpec spec = make_spec(4, 4, border, ResizeFilter::kArea, ColorOrder::kGray);
    spec.crop.scale = 0.1F;
    spec.crop.border_value = 3;
    CropInfo info;
    const std::vector<float> got = extract(spec, image, {9, 9, 100, 100}, &info);
    CHECK(info.outside == 1);
    CHECK(got == std::vector<float>(16, border == BorderRule::kConstant ? 3.0F : 90.0F));
  }
}

TEST_CASE("pictures that cannot be read safely are refused by field", "[roi]") {
  const std::vector<std::uint8_t> pixels(10000, 1);
  const ImageView good = make_image(pixels.data(), 40, 40, PixelFormat::kBgr);
  const auto said = [](const ImageView& v) { return refusal(Status::kInvalidArgument, [&] { check_image(v); }); };
  check_image(good);
  ImageView v = good;
  v.data = nullptr;
  CHECK_THAT(said(v), Catch::Contains("data is null"));
  for (const int side : {0, -1, 1 << 17, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    v = good;
    v.width = side;
    CHECK_THAT(said(v), Catch::Contains("size"));
    v = good;
    v.height = side;
    CHECK_THAT(said(v), Catch::Contains("size"));
  }
  v = good;
  v.stride = 119;
  CHECK_THAT(said(v), Catch::Contains("stride of 119"));
  v.stride = -120;
  CHECK_THAT(said(v), Catch::Contains("stride of -120"));
  v.stride = std::numeric_limits<std::ptrdiff_t>::max();
  CHECK_THAT(said(v), Catch::Contains("too large"));
  v = good;
  v.format = static_cast<PixelFormat>(99);
  CHECK_THAT(said(v), Catch::Contains("format 99"));
  v = make_image(pixels.data(), 41, 40, PixelFormat::kNv12);  // 42 bytes of chroma do not fit a row of 41
  CHECK_THAT(said(v), Catch::Contains("chroma_stride"));
  v.chroma_stride = 42;
  check_image(v);
}

TEST_CASE("boxes that are no boxes are refused", "[roi]") {
  const Size frame{100, 80};
  const auto said = [&](const Rect& r) { return refusal(Status::kInvalidArgument, [&] { check_box(r, frame); }); };
  check_box({-10, -10, 11, 11}, frame);
  check_box({99, 79, 500, 500}, frame);
  for (const float bad : {kNaN, kInf, -kInf}) {
    CHECK_THAT(said({bad, 0, 10, 10}), Catch::Contains("not finite"));
    CHECK_THAT(said({0, bad, 10, 10}), Catch::Contains("not finite"));
    CHECK_THAT(said({0, 0, bad, 10}), Catch::Contains("not finite"));
    CHECK_THAT(said({0, 0, 10, bad}), Catch::Contains("not finite"));
  }
  CHECK_THAT(said({0, 0, 0, 10}), Catch::Contains("empty"));
  CHECK_THAT(said({0, 0, 10, -1}), Catch::Contains("empty"));
  CHECK_THAT(said({100, 0, 10, 10}), Catch::Contains("outside the frame"));
  CHECK_THAT(said({0, -10, 10, 10}), Catch::Contains("outside the frame"));

  // Beyond reason: a crop of a padded rule is bounded, a shifted one always fits.
  const std::vector<std::uint8_t> pixels(8000, 1);
  const ImageView image = make_image(pixels.data(), 100, 80, PixelFormat::kGray);
  CHECK_THAT(refusal(Status::kInvalidArgument,
                     [&] {
                       extract(make_spec(8, 8, BorderRule::kReplicate), image, {-1e6F, -1e6F, 3e6F, 3e6F});
                     }),
             Catch::Contains("larger than"));
  CHECK(extract(make_spec(8, 8, BorderRule::kShift), image, {-1e30F, -1e30F, 3e30F, 3e30F})[0] == 1);
}

TEST_CASE("specs and outputs that do not fit are refused by name", "[roi]") {
  const auto said = [](const RoiSpec& s) {
    return refusal(Status::kInvalidArgument, [&] { RoiProcessor({make_spec(8, 8, BorderRule::kShift), s}); });
  };
  const RoiSpec good = make_spec(8, 8, BorderRule::kShift);
  RoiSpec s = good;
  s.input.width = 0;
  CHECK_THAT(said(s), Catch::Contains("spec 1") && Catch::Contains("0 x 8"));
  s = good;
  s.input.mean = {0};
  CHECK_THAT(said(s), Catch::Contains("input.mean"));
  s = good;
  s.input.std[1] = 0;
  CHECK_THAT(said(s), Catch::Contains("input.std"));
  s = good;
  s.input.high = kNaN;
  CHECK_THAT(said(s), Catch::Contains("input.high"));
  for (const float scale : {0.0F, -1.0F, kNaN, kInf}) {
    s = good;
    s.crop.scale = scale;
    CHECK_THAT(said(s), Catch::Contains("crop.scale"));
  }

  const RoiProcessor roi({good});
  const Picture picture = make_picture(PixelFormat::kBgr, 20, 20);
  std::vector<float> out(192);
  const PlanarView view{out.data(), 8, 64};
  const PlanarView two[] = {view, view};
  const auto refused = [](auto&& call) { return refusal(Status::kInvalidArgument, call); };
  CHECK_THAT(refused([&] { roi.extract(picture.view, {0, 0, 9, 9}, two); }), Catch::Contains("outputs: 2 for 1"));
  CHECK_THAT(refused([&] { roi.extract(picture.view, {0, 0, 9, 9}, 1, view); }), Catch::Contains("crop 1 of 1"));
  CHECK_THAT(refused([&] { roi.extract(picture.view, {0, 0, 9, 9}, 0, PlanarView{}); }), Catch::Contains("null"));
  CHECK_THAT(refused([&] { static_cast<void>(roi.spec(1)); }), Catch::Contains("crop 1 of 1"));
  CHECK_THAT(refused([&] { static_cast<void>(roi.region({0, 5}, {0, 0, 9, 9}, 0)); }), Catch::Contains("frame"));
  CHECK_THAT(refused([&] { RoiProcessor({}).letterbox(picture.view, view); }), Catch::Contains("crop 0 of 0"));
}

TEST_CASE("letterbox scales to fit, at the top left, and fills the rest", "[roi]") {
  const std::vector<std::uint8_t> pixels(200 * 50, 100);
  RoiSpec spec = make_spec(64, 64, BorderRule::kConstant, ResizeFilter::kBilinear, ColorOrder::kGray);
  spec.crop.border_value = 9;
  std::vector<float> out(64 * 64, kNaN);
  const float scale =
      RoiProcessor({spec}).letterbox(make_image(pixels.data(), 200, 50, PixelFormat::kGray), {out.data(), 64, 4096});
  CHECK(scale == Approx(0.32));
  CHECK(std::all_of(out.begin(), out.begin() + 16 * 64, [](float v) { return v == 100; }));
  CHECK(std::all_of(out.begin() + 16 * 64, out.end(), [](float v) { return v == 9; }));
}

TEST_CASE("threads share a processor", "[roi]") {
  const Picture picture = make_picture(PixelFormat::kNv12, 320, 240);
  const RoiSpec spec = make_spec(80, 80, BorderRule::kReflect101, ResizeFilter::kArea);
  const RoiProcessor roi({spec});
  const std::vector<float> want = extract(spec, picture.view, {50, 40, 200, 180});
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      std::vector<float> out(want.size());
      for (int i = 0; i < 50; ++i) {
        roi.extract(picture.view, {50, 40, 200, 180}, 0, {out.data(), 80, 6400});
        wrong[t] += out != want ? 1 : 0;
      }
    });
  for (auto& t : threads) t.join();
  CHECK(wrong == std::vector<int>(4, 0));
}
