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

void linear_taps(const Axis& axis, Along along, bool like_area, LinearTaps& taps) {
  const int out = axis.out;
  const int last = axis.length - 1;
  taps.index.resize(static_cast<std::size_t>(out));
  taps.weights.resize(2 * static_cast<std::size_t>(out));
  std::int32_t* const index = taps.index.data();
  std::int16_t* const weights = taps.weights.data();
  const double inverse = static_cast<double>(out) / axis.length;
  const double scale = 1.0 / inverse;
  const auto put = [weights](int i, float part) {
    weights[2 * i] = static_cast<std::int16_t>(static_cast<int>(round_even((1 - part) * 2048)));
    weights[2 * i + 1] = static_cast<std::int16_t>(static_cast<int>(round_even(part * 2048)));
  };
  if (like_area) {
    for (int i = 0; i < out; ++i) {
      index[i] = static_cast<int>(i * scale);
      const auto part = static_cast<float>((i + 1) - (index[i] + 1) * inverse);
      put(i, part <= 0 ? 0.0F : part - std::floor(part));
    }
  } else {
    for (int i = 0; i < out; ++i) {  // without branches, so that it becomes vectors
      const auto at = static_cast<float>((i + 0.5) * scale - 0.5);
      const int down = static_cast<int>(at + 1) - 1;  // at is above -1
      const int index_i = down + (at - static_cast<float>(down) >= 1 ? 1 : 0);
      index[i] = index_i;
      put(i, at - static_cast<float>(index_i));
    }
  }
  if (along == Along::kColumn) return;
  const auto edge = [&](int i, int at) {
    index[i] = at;
    put(i, 0);
  };
  for (int i = 0; i < out && index[i] < 0; ++i) edge(i, 0);
  for (int i = out - 1; i >= 0 && index[i] >= last; --i) edge(i, last);
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
    // sin(x) * sin(x / 4) / x^2 at x = pi * (part + 3 - k). The first sine only changes its sign from tap to tap, the
    // second turns by an eighth of a circle; factors that all taps share are left out.
    std::array<double, kTaps> value{};
    double sum = 0;
    if (part < 1e-6 || part > 1 - 1e-6) {  // the result falls on a pixel
      value[part < 0.5 ? 3 : 4] = sum = 1;
    } else {
      const double angle = std::numbers::pi / 4 * part;
      const double s = std::sin(angle);
      const double c = std::cos(angle);
      constexpr double kRoot = std::numbers::sqrt2 / 2;
      const std::array<double, 4> turned = {kRoot * (c - s), s, kRoot * (c + s), c};  // +135, 0, +45, +90 degrees
      const std::array<double, kTaps> sines = {turned[0],  turned[3],  turned[2],  turned[1],
                                               -turned[0], -turned[3], -turned[2], -turned[1]};
      for (std::size_t k = 0; k < kTaps; ++k) {
        const double d = part + 3 - static_cast<double>(k);
        value[k] = (k % 2 == 0 ? 1 : -1) * sines[k] / (d * d);
        sum += value[k];
      }
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
