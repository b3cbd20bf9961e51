#include "vision/roi_tables.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>

#include "liveness/error.hpp"

namespace liveness::vision {
namespace {

// Half to even, as OpenCV rounds; |v| < 2^22.
float round_even(float v) noexcept {
  constexpr float kMagic = 12582912.0F;
  return (v + kMagic) - kMagic;
}

// The scale is a decimal that people wrote; 2.7F is 2.7000000477, which moves crop edges that fall on a whole pixel.
double decimal(float v) noexcept {
  return std::round(static_cast<double>(v) * 1e6) / 1e6;
}

int clamped(double v, int low, int high) noexcept {
  return static_cast<int>(std::clamp(v, static_cast<double>(low), static_cast<double>(high)));
}

}  // namespace

Region crop_region(Size frame, const Rect& face, const CropContract& crop, float* outside) {
  double w = face.width;
  double h = face.height;
  const double cx = w / 2 + face.x;
  const double cy = h / 2 + face.y;
  if (crop.square) w = h = std::max(w, h);
  const double scale = decimal(crop.scale);

  const double want_w = w * scale;
  const double want_h = h * scale;
  if (outside != nullptr) {
    const double in_w = std::min(cx + want_w / 2, double{1} * frame.width) - std::max(cx - want_w / 2, 0.0);
    const double in_h = std::min(cy + want_h / 2, double{1} * frame.height) - std::max(cy - want_h / 2, 0.0);
    *outside =
        static_cast<float>(std::clamp(1 - std::max(in_w, 0.0) * std::max(in_h, 0.0) / (want_w * want_h), 0.0, 1.0));
  }

  if (crop.border != BorderRule::kShift) {
    if (want_w > kMaxSide || want_h > kMaxSide)
      throw Error(Status::kInvalidArgument, "box: its crop of " + std::to_string(want_w) + " x " +
                                                std::to_string(want_h) + " pixels is larger than " +
                                                std::to_string(kMaxSide) + " a side");
    // Sides and corner are cut to whole pixels towards zero, as the publisher's int() does.
    return {clamped(cx - want_w / 2, -kMaxSide, kMaxSide), clamped(cy - want_h / 2, -kMaxSide, kMaxSide),
            clamped(want_w, 1, kMaxSide), clamped(want_h, 1, kMaxSide)};
  }
  const double right = frame.width - 1;
  const double bottom = frame.height - 1;
  const double s = std::min({bottom / h, right / w, scale});
  double x0 = cx - w * s / 2;
  double y0 = cy - h * s / 2;
  double x1 = cx + w * s / 2;
  double y1 = cy + h * s / 2;
  if (x0 < 0) {
    x1 -= x0;
    x0 = 0;
  }
  if (y0 < 0) {
    y1 -= y0;
    y0 = 0;
  }
  if (x1 > right) {
    x0 -= x1 - right;
    x1 = right;
  }
  if (y1 > bottom) {
    y0 -= y1 - bottom;
    y1 = bottom;
  }
  const int left = clamped(x0, 0, frame.width - 1);
  const int top = clamped(y0, 0, frame.height - 1);
  return {left, top, clamped(x1, left, frame.width - 1) - left + 1, clamped(y1, top, frame.height - 1) - top + 1};
}

Size letterbox_size(Size frame, Size input) noexcept {
  const double scale =
      std::min(static_cast<double>(input.width) / frame.width, static_cast<double>(input.height) / frame.height);
  return {clamped(std::round(frame.width * scale), 1, input.width),
          clamped(std::round(frame.height * scale), 1, input.height)};
}

ResizeFilter choose_filter(const CropContract& crop, Size region, Size out) noexcept {
  const bool enlarged = region.width <= out.width && region.height <= out.height &&
                        (region.width < out.width || region.height < out.height);
  return enlarged ? crop.enlarge : crop.shrink;
}

int Axis::begin() const noexcept {
  return std::clamp(origin, 0, frame - 1);
}
int Axis::end() const noexcept {
  return std::clamp(origin + length, begin() + 1, frame);
}

int Axis::source(int i) const noexcept {
  const int low = begin();
  const int count = end() - low;
  const int p = origin + i - low;
  if (p >= 0 && p < count) return low + p;
  if (border == BorderRule::kConstant) return -1;
  if (border != BorderRule::kReflect101) return low + std::clamp(p, 0, count - 1);
  if (count == 1) return low;
  const int period = 2 * (count - 1);
  int q = p % period;
  if (q < 0) q += period;
  return low + (q < count ? q : period - q);
}

void linear_taps(const Axis& axis, Along along, bool like_area, std::vector<LinearTap>& taps) {
  taps.resize(static_cast<std::size_t>(axis.out));
  const double inverse = static_cast<double>(axis.out) / axis.length;
  const double scale = 1.0 / inverse;
  for (int i = 0; i < axis.out; ++i) {
    int index = 0;
    float part = 0;
    if (like_area) {
      index = static_cast<int>(i * scale);
      part = static_cast<float>((i + 1) - (index + 1) * inverse);
      part = part <= 0 ? 0.0F : part - std::floor(part);
    } else {
      const auto at = static_cast<float>((i + 0.5) * scale - 0.5);
      index = static_cast<int>(at);
      if (at < static_cast<float>(index)) --index;
      part = at - static_cast<float>(index);
    }
    if (along == Along::kRow && (index < 0 || index >= axis.length - 1)) {
      index = std::clamp(index, 0, axis.length - 1);
      part = 0;
    }
    LinearTap& tap = taps[static_cast<std::size_t>(i)];
    tap.index = index;
    tap.first = static_cast<std::int16_t>(round_even((1 - part) * 2048));
    tap.second = static_cast<std::int16_t>(round_even(part * 2048));
  }
}

void area_taps(int length, int out, Fir& fir) {
  const double scale = static_cast<double>(length) / out;
  fir.taps = static_cast<int>(std::ceil(scale)) + 1;
  const auto taps = static_cast<std::size_t>(fir.taps);
  fir.start.resize(static_cast<std::size_t>(out));
  fir.weight.assign(static_cast<std::size_t>(out) * taps, 0.0F);
  for (int i = 0; i < out; ++i) {
    const double from = i * scale;
    const double to = std::min(from + scale, static_cast<double>(length));
    const double cell = to - from;
    // A sliver of less than a thousandth of a pixel counts for nothing, as in OpenCV.
    int first = static_cast<int>(from);
    if (first + 1 - from <= 1e-3) ++first;
    int last = static_cast<int>(to);
    if (to - last <= 1e-3) --last;
    first = std::clamp(first, 0, length - 1);
    last = std::clamp(last, first, std::min(first + fir.taps, length) - 1);
    const int start = std::min(first, std::max(length - fir.taps, 0));
    fir.start[static_cast<std::size_t>(i)] = start;
    float* weight = fir.weight.data() + static_cast<std::size_t>(i) * taps;
    for (int p = first; p <= last; ++p) {
      const double part = std::min(p + 1.0, to) - std::max(static_cast<double>(p), from);
      weight[p - start] = static_cast<float>(std::min(part > 1 - 1e-3 ? 1.0 : part, cell) / cell);
    }
  }
}

void lanczos_taps(int length, int out, Fir& fir) {
  constexpr int kTaps = 8;
  fir.taps = kTaps;
  fir.start.resize(static_cast<std::size_t>(out));
  fir.weight.assign(static_cast<std::size_t>(out) * kTaps, 0.0F);
  const double scale = 1.0 / (static_cast<double>(out) / length);
  for (int i = 0; i < out; ++i) {
    const auto at = static_cast<float>((i + 0.5) * scale - 0.5);
    const auto floor = static_cast<int>(std::floor(at));
    const double part = at - static_cast<float>(floor);
    std::array<double, kTaps> value{};
    double sum = 0;
    for (int k = 0; k < kTaps; ++k) {
      const double d = part + 3 - k;
      if (std::fabs(d) < 1e-6) {  // the result falls on a pixel
        value.fill(0);
        value[static_cast<std::size_t>(k)] = sum = 1;
        break;
      }
      const double x = std::numbers::pi * d;
      value[static_cast<std::size_t>(k)] = std::sin(x) * std::sin(x / 4) / (x * x);
      sum += value[static_cast<std::size_t>(k)];
    }
    // Weights are whole 1/2048 as in OpenCV; what falls outside the crop repeats its edge.
    const int start = std::clamp(floor - 3, 0, std::max(length - kTaps, 0));
    fir.start[static_cast<std::size_t>(i)] = start;
    float* weight = fir.weight.data() + static_cast<std::size_t>(i) * kTaps;
    for (int k = 0; k < kTaps; ++k) {
      const int p = std::clamp(floor - 3 + k, 0, length - 1);
      const auto exact = static_cast<float>(value[static_cast<std::size_t>(k)] / sum);
      weight[p - start] += round_even(exact * 2048) / 2048;
    }
  }
}

}  // namespace liveness::vision
