// Pictures with the statistics of photographs of faces, drawn by rule: smooth backgrounds with detail at every scale,
// a head with eyes, brows, nose and mouth, light from one side, sensor noise and the blur of a lens. Nobody's face.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace liveness::test {

// Smooth noise: octaves of a lattice, each half as strong as the one before.
class SmoothNoise {
 public:
  explicit SmoothNoise(std::uint32_t seed) : seed_(seed) {}

  // About -1..1.
  [[nodiscard]] float at(float x, float y, int octaves) const {
    float sum = 0;
    float strength = 0.6F;
    for (int i = 0; i < octaves; ++i) {
      sum += strength * lattice(x, y, static_cast<std::uint32_t>(i));
      strength *= 0.55F;
      x *= 2;
      y *= 2;
    }
    return sum;
  }

 private:
  [[nodiscard]] float corner(int x, int y, std::uint32_t octave) const {
    std::uint32_t h = seed_ + octave * 0x9e3779b9U + static_cast<std::uint32_t>(x) * 0x85ebca6bU +
                      static_cast<std::uint32_t>(y) * 0xc2b2ae35U;
    h = (h ^ (h >> 15)) * 0x2c1b3c6dU;
    h = (h ^ (h >> 12)) * 0x297a2d39U;
    return static_cast<float>(h ^ (h >> 15)) / 2147483648.0F - 1;
  }
  [[nodiscard]] float lattice(float x, float y, std::uint32_t octave) const {
    const int left = static_cast<int>(std::floor(x));
    const int top = static_cast<int>(std::floor(y));
    const auto ease = [](float t) { return t * t * (3 - 2 * t); };
    const float fx = ease(x - static_cast<float>(left));
    const float fy = ease(y - static_cast<float>(top));
    const float above = std::lerp(corner(left, top, octave), corner(left + 1, top, octave), fx);
    const float below = std::lerp(corner(left, top + 1, octave), corner(left + 1, top + 1, octave), fx);
    return std::lerp(above, below, fy);
  }

  std::uint32_t seed_;
};

// Values 0..255, channel by channel (blue, green, red), size x size. `faces` of the crop's width the head is wide.
inline std::vector<float> natural_picture(unsigned seed, int size, float faces) {
  std::mt19937 random(seed);
  const auto uniform = [&](float low, float high) { return std::uniform_real_distribution<float>(low, high)(random); };
  const SmoothNoise ground(static_cast<std::uint32_t>(random()));
  const SmoothNoise skin(static_cast<std::uint32_t>(random()));
  const std::array<float, 3> wall{uniform(30, 220), uniform(30, 220), uniform(30, 220)};
  const float tone = uniform(0.35F, 1);
  const std::array<float, 3> face{uniform(120, 170) * tone, uniform(150, 190) * tone, uniform(200, 250) * tone};
  const std::array<float, 3> hair{uniform(5, 70), uniform(5, 80), uniform(10, 110)};
  const float cx = uniform(0.44F, 0.56F);
  const float cy = uniform(0.46F, 0.56F);
  const float wide = faces * uniform(0.44F, 0.54F);
  const float high = wide * uniform(1.25F, 1.45F);
  const float turn = uniform(-0.25F, 0.25F);
  const float light = uniform(-0.5F, 0.5F);
  const float gain = uniform(0.55F, 1.15F);
  const float grain = uniform(0.5F, 7);
  const float detail = uniform(2, 7);
  std::vector<float> picture(static_cast<std::size_t>(3 * size * size));
  std::normal_distribution<float> noise(0, grain);
  const auto blob = [](float x, float y, float bx, float by, float sx, float sy) {
    const float dx = (x - bx) / sx;
    const float dy = (y - by) / sy;
    return std::exp(-(dx * dx + dy * dy));
  };
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float u = (static_cast<float>(x) + 0.5F) / static_cast<float>(size);
      const float v = (static_cast<float>(y) + 0.5F) / static_cast<float>(size);
      // Coordinates of the head: -1..1 across and down.
      const float dx = (u - cx) / wide;
      const float dy = (v - cy) / high;
      const float hx = dx * std::cos(turn) + dy * std::sin(turn);
      const float hy = dy * std::cos(turn) - dx * std::sin(turn);
      const float inside = 1 / (1 + std::exp((hx * hx + hy * hy - 1) * 18));
      const float crown = 1 / (1 + std::exp((hx * hx / 1.3F + (hy + 0.2F) * (hy + 0.2F) * 0.9F - 1) * 14)) *
                          (hy < -0.35F ? 1.0F : 0.4F);
      const float eyes = blob(hx, hy, -0.38F, -0.12F, 0.17F, 0.08F) + blob(hx, hy, 0.38F, -0.12F, 0.17F, 0.08F);
      const float brows = blob(hx, hy, -0.4F, -0.32F, 0.26F, 0.05F) + blob(hx, hy, 0.4F, -0.32F, 0.26F, 0.05F);
      const float mouth = blob(hx, hy, 0, 0.5F, 0.3F, 0.07F);
      const float nose = blob(hx, hy, 0.06F, 0.16F, 0.1F, 0.22F);
      const float shade = 1 + light * hx - 0.18F * hy * hy + 0.12F * nose;
      const float texture = ground.at(u * detail, v * detail, 6);
      const float pores = skin.at(u * 9, v * 9, 5);
      for (std::size_t c = 0; c < 3; ++c) {
        const float back = wall[c] * (1 + 0.45F * texture);
        float head = face[c] * shade * (1 + 0.05F * pores);
        head *= 1 - 0.75F * std::min(1.0F, eyes) - 0.5F * std::min(1.0F, brows);
        if (c != 2) head *= 1 - 0.4F * mouth;
        const float behind = std::lerp(back, hair[c] * (1 + 0.3F * pores), crown);
        const float value = std::lerp(behind, head, inside) * gain + noise(random);
        picture[(c * static_cast<std::size_t>(size) + static_cast<std::size_t>(y)) * static_cast<std::size_t>(size) +
                static_cast<std::size_t>(x)] = std::nearbyint(std::clamp(value, 0.0F, 255.0F));
      }
    }
  }
  return picture;
}

}  // namespace liveness::test
