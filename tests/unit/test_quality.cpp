// Quality measures on pictures whose values can be worked out, and poses from a face in space.
#include "liveness/quality.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "refusal.hpp"

using namespace liveness;
using liveness::test::refusal;

namespace {

std::array<std::uint8_t, kQualityPixels> patch(int even, int odd) {
  std::array<std::uint8_t, kQualityPixels> p{};
  for (int y = 0; y < kQualitySide; ++y)
    for (int x = 0; x < kQualitySide; ++x)
      p[static_cast<std::size_t>(y * kQualitySide + x)] = static_cast<std::uint8_t>((x + y) % 2 == 0 ? even : odd);
  return p;
}

// Landmarks of a face in space (eyes 64 mm apart), turned and seen from far away.
std::array<Point, 5> turned(double yaw, double pitch, double roll) {
  const double points[5][3] = {{-32, 0, 0}, {32, 0, 0}, {0, 36.5, 29}, {-25, 73.5, 0}, {25, 73.5, 0}};
  const double unit = std::numbers::pi / 180;
  std::array<Point, 5> out{};
  for (std::size_t i = 0; i < 5; ++i) {
    const auto& p = points[i];
    const double x = p[0] * std::cos(yaw * unit) + p[2] * std::sin(yaw * unit);
    const double z = p[2] * std::cos(yaw * unit) - p[0] * std::sin(yaw * unit);
    const double y = p[1] * std::cos(pitch * unit) - z * std::sin(pitch * unit);
    out[i] = {static_cast<float>(300 + x * std::cos(roll * unit) - y * std::sin(roll * unit)),
              static_cast<float>(200 + x * std::sin(roll * unit) + y * std::cos(roll * unit))};
  }
  return out;
}

}  // namespace

TEST_CASE("a checkerboard's Laplacian is known", "[quality]") {
  const Quality q = measure_patch(patch(110, 90));
  CHECK(q.sharpness == Approx(80.0 * 80.0));  // every pixel differs by 20 from its four neighbours
  CHECK(q.luminance == 100);
  CHECK(q.overexposed == 0);
  CHECK(q.underexposed == 0);
  CHECK(measure_patch(patch(77, 77)).sharpness == 0);
}

TEST_CASE("exposure counts the ends of the scale", "[quality]") {
  const Quality q = measure_patch(patch(250, 5));
  CHECK(q.overexposed == 0.5F);
  CHECK(q.underexposed == 0.5F);
  const Quality inner = measure_patch(patch(249, 6));
  CHECK(inner.overexposed == 0);
  CHECK(inner.underexposed == 0);
}

TEST_CASE("poses come back from a face in space", "[quality]") {
  for (const double yaw : {-40.0, -20.0, 0.0, 15.0, 40.0})
    for (const double roll : {-30.0, 0.0, 90.0}) {
      const HeadPose pose = estimate_pose(turned(yaw, 0, roll));
      CAPTURE(yaw, roll);
      CHECK(pose.yaw == Approx(yaw).margin(3));
      CHECK(pose.pitch == Approx(0).margin(3));
      CHECK(pose.roll == Approx(roll).margin(1));
    }
  for (const double pitch : {-30.0, -15.0, 20.0, 30.0}) {
    CAPTURE(pitch);
    CHECK(estimate_pose(turned(0, pitch, 0)).pitch == Approx(pitch).margin(4));
    CHECK(estimate_pose(turned(0, pitch, 0)).yaw == Approx(0).margin(1));
  }
}

TEST_CASE("points that span no face have no pose", "[quality]") {
  const std::array<Point, 5> same{};
  CHECK(estimate_pose(same).yaw == 0);
  CHECK(estimate_pose(same).pitch == 0);
  auto broken = turned(10, 10, 10);
  broken[2].x = std::numeric_limits<float>::quiet_NaN();
  CHECK(estimate_pose(broken).yaw == 0);
  broken = turned(10, 10, 10);
  broken[0].y = std::numeric_limits<float>::infinity();
  CHECK(estimate_pose(broken).roll == 0);
}

TEST_CASE("each bound has its reason, and what is no number is beyond it", "[quality]") {
  Quality good;
  good.face_pixels = 100;
  good.sharpness = 200;
  good.luminance = 120;
  REQUIRE(reasons_of(good) == 0U);
  const auto with = [&](float Quality::*field, float value) {
    Quality q = good;
    q.*field = value;
    return reasons_of(q);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const QualityLimits l;
  CHECK(with(&Quality::face_pixels, l.min_face_pixels) == 0U);
  CHECK(with(&Quality::face_pixels, l.min_face_pixels - 1) == mask(Reason::kTooSmall));
  CHECK(with(&Quality::sharpness, l.min_sharpness - 1) == mask(Reason::kBlurred));
  CHECK(with(&Quality::luminance, l.min_luminance - 1) == mask(Reason::kDark));
  CHECK(with(&Quality::overexposed, l.max_overexposed + 0.1F) == mask(Reason::kSaturated));
  CHECK(with(&Quality::outside, l.max_outside + 0.1F) == mask(Reason::kAtBorder));
  CHECK(with(&Quality::yaw, -l.max_yaw - 1) == mask(Reason::kTurnedAway));
  CHECK(with(&Quality::pitch, l.max_pitch + 1) == mask(Reason::kTurnedAway));
  CHECK(with(&Quality::sharpness, nan) == mask(Reason::kBlurred));
  CHECK(with(&Quality::yaw, nan) == mask(Reason::kTurnedAway));
}

TEST_CASE("a face is measured on its part inside the frame, in any format", "[quality]") {
  for (const PixelFormat format : {PixelFormat::kBgr, PixelFormat::kRgba, PixelFormat::kGray, PixelFormat::kNv12}) {
    // The left half of the frame is dark, the right one bright.
    const int pixel = bytes_per_pixel(format);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(200 * 150 * pixel), 128);
    for (int y = 0; y < 100; ++y)
      for (int x = 0; x < 200; ++x)
        std::fill_n(bytes.begin() + (y * 200 + x) * pixel, pixel, static_cast<std::uint8_t>(x < 100 ? 30 : 180));
    const ImageView image = make_image(bytes.data(), 200, 100, format);
    const auto full = [&](int v) { return format == PixelFormat::kNv12 ? std::round((v - 16) * 1.164) : v; };
    Face face;
    face.box = {-50, -20, 150, 100};
    face.landmarks = turned(20, 0, 0);
    CAPTURE(static_cast<int>(format));
    Quality q = measure_quality(image, face);
    CHECK(q.luminance == Approx(full(30)));
    CHECK(q.face_pixels == 100);
    CHECK(q.yaw == 0);
    face.box = {50, 10, 100, 80};
    face.has_landmarks = true;
    q = measure_quality(image, face);
    CHECK(q.luminance == Approx((full(30) + full(180)) / 2).margin(1));
    CHECK(q.sharpness > 15);
    CHECK(q.yaw == Approx(20).margin(3));
    CHECK(q.outside == 0);
  }
}

TEST_CASE("blur lowers sharpness below its limit", "[quality]") {
  const auto sharpness = [](double wave) {
    std::vector<std::uint8_t> grey(160 * 160);
    for (int y = 0; y < 160; ++y)
      for (int x = 0; x < 160; ++x)
        grey[static_cast<std::size_t>(y * 160 + x)] =
            static_cast<std::uint8_t>(128 + 50 * std::sin(x / wave) * std::cos(y / wave));
    Face face;
    face.box = {0, 0, 160, 160};
    return measure_quality(make_image(grey.data(), 160, 160, PixelFormat::kGray), face).sharpness;
  };
  CHECK(sharpness(3) > 10 * QualityLimits{}.min_sharpness);
  CHECK(sharpness(30) < QualityLimits{}.min_sharpness);
}

TEST_CASE("faces that cannot be measured are refused", "[quality]") {
  const std::vector<std::uint8_t> grey(100, 9);
  Face face;
  face.box = {0, 0, 4, 4};
  CHECK_THAT(refusal(Status::kInvalidArgument, [&] { static_cast<void>(measure_quality({}, face)); }),
             Catch::Contains("image"));
  face.box = {20, 0, 4, 4};
  CHECK_THAT(
      refusal(Status::kInvalidArgument,
              [&] { static_cast<void>(measure_quality(make_image(grey.data(), 10, 10, PixelFormat::kGray), face)); }),
      Catch::Contains("outside the frame"));
  face.box = {9.5F, 9.5F, 0.1F, 1e30F};
  CHECK(measure_quality(make_image(grey.data(), 10, 10, PixelFormat::kGray), face).luminance == 9);
}
