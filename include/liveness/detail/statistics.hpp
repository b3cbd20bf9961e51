// The little of mathematical statistics that error rates need. Standard library only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace liveness::detail {

/// Logarithm of the gamma function for x > 0, by Stirling's series; std::lgamma writes a global variable.
[[nodiscard]] inline double log_gamma(double x) noexcept {
  double product = 1;
  double below = 0;
  // The series needs a large argument: gamma(x) = gamma(x + 1) / x.
  while (x < 15) {
    product *= x;
    if (product > 1e200) below += std::log(product), product = 1;
    x += 1;
  }
  below += std::log(product);
  const double i = 1 / x;
  const double i2 = i * i;
  const double series = i * (1.0 / 12 + i2 * (-1.0 / 360 + i2 * (1.0 / 1260 + i2 * (-1.0 / 1680 + i2 / 1188.0))));
  return (x - 0.5) * std::log(x) - x + 0.91893853320467274178 + series - below;
}

/// Continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
[[nodiscard]] inline double beta_fraction(double a, double b, double x) noexcept {
  constexpr double kTiny = 1e-300;
  const auto away = [](double v) { return std::fabs(v) < kTiny ? kTiny : v; };
  double c = 1;
  double d = 1 / away(1 - (a + b) * x / (a + 1));
  double f = d;
  for (int m = 1; m < 100000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    f *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    const double step = d * c;
    f *= step;
    if (std::fabs(step - 1) < 1e-15) break;
  }
  return f;
}

/// Regularised incomplete beta function I_x(a, b) for a, b > 0 and 0 <= x <= 1: the distribution function of
/// Beta(a, b).
[[nodiscard]] inline double incomplete_beta(double a, double b, double x) noexcept {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log1p(-x));
  // Of the two forms the one whose fraction converges fast.
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/// The x for which I_x(a, b) = p.
[[nodiscard]] inline double incomplete_beta_inverse(double a, double b, double p) noexcept {
  if (!(p > 0)) return 0;
  if (p >= 1) return 1;
  double low = 0;
  double high = 1;
  double x = a / (a + b);
  const double scale = log_gamma(a + b) - log_gamma(a) - log_gamma(b);
  // Newton's steps, halved where they would leave the bracket.
  for (int i = 0; i < 200; ++i) {
    const double miss = incomplete_beta(a, b, x) - p;
    (miss > 0 ? high : low) = x;
    const double slope = std::exp(scale + (a - 1) * std::log(x) + (b - 1) * std::log1p(-x));
    double next = x - miss / slope;
    if (!(next > low && next < high)) next = low + (high - low) / 2;
    if (std::fabs(next - x) <= 1e-16 * x || next == low || next == high) return next;
    x = next;
  }
  return x;
}

/// The next of a sequence of 64 bits (SplitMix64): the same everywhere, which the standard's distributions are not.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  [[nodiscard]] std::uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, bound), bound > 0.
  [[nodiscard]] std::size_t below(std::size_t bound) noexcept {
    const std::uint64_t n = bound;
    const std::uint64_t skip = (0 - n) % n;  // 2^64 mod n: those would favour small numbers
    std::uint64_t value = next();
    while (value < skip) value = next();
    return static_cast<std::size_t>(value % n);
  }

 private:
  std::uint64_t state_;
};

/// Survival function of Kolmogorov's distribution: the chance that sqrt(n) D exceeds x.
[[nodiscard]] inline double kolmogorov_survival(double x) noexcept {
  if (x < 0.2) return 1;
  double sum = 0;
  for (int k = 1; k < 100; ++k) {
    const double term = std::exp(-2.0 * k * k * x * x);
    sum += k % 2 == 1 ? term : -term;
    if (term < 1e-17) break;
  }
  return std::clamp(2 * sum, 0.0, 1.0);
}

}  // namespace liveness::detail
