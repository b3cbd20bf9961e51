// Faces that nobody has, drawn from ellipses, which YuNet takes for faces; and frames with known truth made of them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "liveness/types.hpp"

namespace liveness::test {

using Colour = std::array<float, 3>;  // blue, green, red

struct Person {
  Colour skin{130, 165, 215};
  Colour hair{30, 35, 45};
  float eyes = 0.19F;   // half their distance, in face sizes
  float mouth = 0.34F;  // how far down
  bool beard = false;
};

inline Person first_person() {
  return {};
}
inline Person second_person() {
  return {{70, 95, 150}, {90, 140, 190}, 0.165F, 0.37F, true};
}

// A picture of a face with transparency. In face sizes: x from -0.8 to 0.8, y from -0.8 to 1.1 around the middle.
class Sprite {
 public:
  static constexpr float kLeft = -0.8F;
  static constexpr float kTop = -0.8F;
  static constexpr int kScale = 200;  // pixels of the sprite a face size
  static constexpr int kWidth = 320;
  static constexpr int kHeight = 380;

  explicit Sprite(const Person& p) : pixels_(std::size_t{kWidth} * kHeight) {
    for (int j = 0; j < kHeight; ++j)
      for (int i = 0; i < kWidth; ++i)
        pixels_[static_cast<std::size_t>(j * kWidth + i)] =
            shade(p, kLeft + static_cast<float>(i) / kScale, kTop + static_cast<float>(j) / kScale);
  }

  // Bilinear; blue, green, red and opacity 0..1.
  [[nodiscard]] std::array<float, 4> at(float u, float v) const {
    const float x = (u - kLeft) * kScale;
    const float y = (v - kTop) * kScale;
    if (!(x >= 0 && y >= 0 && x < kWidth - 1 && y < kHeight - 1)) return {0, 0, 0, 0};
    const int i = static_cast<int>(x);
    const int j = static_cast<int>(y);
    const float a = x - static_cast<float>(i);
    const float b = y - static_cast<float>(j);
    std::array<float, 4> sum{};
    for (int dj = 0; dj < 2; ++dj)
      for (int di = 0; di < 2; ++di) {
        const float w = (di == 1 ? a : 1 - a) * (dj == 1 ? b : 1 - b);
        const auto& p = pixels_[static_cast<std::size_t>((j + dj) * kWidth + i + di)];
        for (std::size_t c = 0; c < 4; ++c) sum[c] += w * p[c];
      }
    return sum;
  }

 private:
  static float inside(float distance, float softness) { return 1 / (1 + std::exp(distance / softness)); }
  static float ellipse(float u, float v, float cu, float cv, float a, float b) {
    return std::hypot((u - cu) / a, (v - cv) / b) - 1;
  }

  static std::array<float, 4> shade(const Person& p, float u, float v) {
    const auto scaled = [](const Colour& c, float by) { return Colour{c[0] * by, c[1] * by, c[2] * by}; };
    Colour face = scaled(p.skin, 1 - 1.4F * u * u - 0.28F * v * v + 0.12F * u);
    const auto put = [](Colour& on, float opacity, const Colour& c) {
      for (std::size_t k = 0; k < 3; ++k) on[k] += opacity * (c[k] - on[k]);
    };
    for (const float side : {-1.0F, 1.0F}) {
      const float eye = side * p.eyes;
      put(face, 0.45F * inside(ellipse(u, v, eye, -0.10F, 0.135F, 0.085F), 0.25F), scaled(p.skin, 0.55F));
      put(face, inside(ellipse(u, v, eye, -0.10F, 0.075F, 0.036F), 0.12F), {225, 228, 230});
      put(face, inside(ellipse(u, v, eye, -0.10F, 0.036F, 0.036F), 0.12F), {45, 35, 30});
      put(face, 0.9F * inside(ellipse(u, v, eye, -0.205F, 0.11F, 0.022F), 0.3F), p.hair);
      put(face, 0.35F * inside(ellipse(u, v, side * 0.26F, 0.16F, 0.12F, 0.10F), 0.4F), scaled(p.skin, 1.1F));
    }
    put(face, 0.35F * inside(ellipse(u, v, 0.05F, 0.06F, 0.035F, 0.14F), 0.4F), scaled(p.skin, 0.7F));
    put(face, 0.4F * inside(ellipse(u, v, -0.01F, 0.05F, 0.025F, 0.13F), 0.4F), scaled(p.skin, 1.2F));
    put(face, 0.55F * inside(ellipse(u, v, 0, 0.17F, 0.085F, 0.035F), 0.3F), scaled(p.skin, 0.6F));
    for (const float side : {-1.0F, 1.0F})
      put(face, 0.7F * inside(ellipse(u, v, side * 0.04F, 0.175F, 0.018F, 0.012F), 0.3F), scaled(p.skin, 0.3F));
    if (p.beard) put(face, 0.8F * inside(ellipse(u, v, 0, p.mouth + 0.08F, 0.3F, 0.2F), 0.15F), scaled(p.hair, 0.4F));
    put(face, 0.85F * inside(ellipse(u, v, 0, p.mouth, 0.14F, 0.045F), 0.15F), {85, 80, 165});
    put(face, 0.8F * inside(ellipse(u, v, 0, p.mouth, 0.13F, 0.008F), 0.5F), {40, 30, 70});
    put(face, 0.3F * inside(ellipse(u, v, 0, p.mouth + 0.09F, 0.08F, 0.02F), 0.4F), scaled(p.skin, 0.6F));

    const float hair = inside(ellipse(u, v, 0, -0.12F, 0.54F, 0.60F), 0.04F);
    const float neck = inside(std::max(std::fabs(u) - 0.26F, std::fabs(v - 0.7F) - 0.35F) / 0.3F, 0.05F);
    const float fringe = inside((v + 0.36F - 0.10F * std::cos(5 * u)) / 0.02F, 1.0F);
    Colour all = p.hair;
    put(all, neck, scaled(p.skin, 0.7F));
    put(all, inside(ellipse(u, v, 0, 0.05F, 0.47F, 0.62F), 0.03F) * (1 - fringe), face);
    return {all[0], all[1], all[2],
            std::max(hair, std::max(neck, inside(ellipse(u, v, 0, 0.05F, 0.47F, 0.62F), 0.03F)))};
  }

  std::vector<std::array<float, 4>> pixels_;
};

// Where a face is in a frame.
struct Pose {
  float x = 0;  // of its middle, pixels
  float y = 0;
  float size = 150;  // pixels; its detected box is about 0.9 by 1.1 of it
  float turned = 0;  // radians in the plane of the picture
  float gain = 1;    // of its light
};

// A BGR frame: a room of soft patches, faces, noise.
class Stage {
 public:
  explicit Stage(int width = 640, int height = 480, unsigned seed = 1) : width_(width), height_(height) {
    std::mt19937 random(seed);
    std::vector<float> patches(std::size_t{7} * 9 * 3);
    for (float& p : patches) p = std::uniform_real_distribution<float>(60, 170)(random);
    room_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const float u = static_cast<float>(x) * 7.99F / static_cast<float>(width);
        const float v = static_cast<float>(y) * 5.99F / static_cast<float>(height);
        const int i = static_cast<int>(u);
        const int j = static_cast<int>(v);
        const float a = u - static_cast<float>(i);
        const float b = v - static_cast<float>(j);
        for (int c = 0; c < 3; ++c) {
          const auto p = [&](int di, int dj) {
            return patches[static_cast<std::size_t>(((j + dj) * 9 + i + di) * 3 + c)];
          };
          room_[static_cast<std::size_t>((y * width + x) * 3 + c)] =
              (p(0, 0) * (1 - a) + p(1, 0) * a) * (1 - b) + (p(0, 1) * (1 - a) + p(1, 1) * a) * b;
        }
      }
    clear();
  }

  void clear() { frame_ = room_; }

  void paint(const Sprite& face, const Pose& at) {
    const float reach = 1.4F * at.size;
    const float c = std::cos(at.turned) / at.size;
    const float s = std::sin(at.turned) / at.size;
    const auto bound = [](float v, int limit) { return std::clamp(static_cast<int>(v), 0, limit); };
    for (int y = bound(at.y - reach, height_); y < bound(at.y + reach, height_); ++y)
      for (int x = bound(at.x - reach, width_); x < bound(at.x + reach, width_); ++x) {
        const float dx = static_cast<float>(x) - at.x;
        const float dy = static_cast<float>(y) - at.y;
        const auto p = face.at(dx * c + dy * s, dy * c - dx * s);
        float* to = &frame_[static_cast<std::size_t>((y * width_ + x) * 3)];
        for (std::size_t k = 0; k < 3; ++k) to[k] += p[3] * (at.gain * p[k] - to[k]);
      }
  }
  // A flat board.
  void cover(int x0, int y0, int width, int height, float level) {
    for (int y = std::max(y0, 0); y < std::min(y0 + height, height_); ++y)
      for (int x = std::max(x0, 0); x < std::min(x0 + width, width_); ++x)
        for (int c = 0; c < 3; ++c) frame_[static_cast<std::size_t>((y * width_ + x) * 3 + c)] = level;
  }
  void light(float gain) {
    for (float& v : frame_) v *= gain;
  }

  // The frame in 8 bits with noise of this deviation; valid until the next call.
  ImageView shoot(float noise = 2) {
    bytes_.resize(frame_.size());
    // Sums of uniform numbers do for noise, and cost a fraction of normal ones.
    for (std::size_t i = 0; i < frame_.size(); ++i) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      const auto bits = static_cast<std::uint32_t>(state_ >> 32);
      const float sum = static_cast<float>(bits & 0xFF) + static_cast<float>(bits >> 8 & 0xFF) +
                        static_cast<float>(bits >> 16 & 0xFF) + static_cast<float>(bits >> 24);
      bytes_[i] = static_cast<std::uint8_t>(std::clamp(frame_[i] + noise * (sum - 510) / 148 + 0.5F, 0.0F, 255.0F));
    }
    return make_image(bytes_.data(), width_, height_, PixelFormat::kBgr);
  }

 private:
  int width_;
  int height_;
  std::vector<float> room_;
  std::vector<float> frame_;
  std::vector<std::uint8_t> bytes_;
  std::uint64_t state_ = 88172645463325252ULL;
};

}  // namespace liveness::test
