// A bar on stderr for long work; silent where nobody watches (stderr is no terminal) and while the work is young.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace liveness::cli {

class Progress {
 public:
  Progress() : on_(isatty(STDERR_FILENO) != 0), start_(Clock::now()), last_(start_) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `share` in 0..1, negative where it is not known.
  void show(double share, std::int64_t done) {
    const auto now = Clock::now();
    if (!on_ || now - start_ < std::chrono::seconds(1) || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    shown_ = true;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    if (share < 0) {
      fmt::print(stderr, "\r\033[K{} pictures, {:.1f} a second", done, static_cast<double>(done) / seconds);
    } else {
      constexpr int kWidth = 30;
      const int full = std::clamp(static_cast<int>(share * kWidth), 0, kWidth);
      fmt::print(stderr, "\r\033[K[{:#>{}}{:.>{}}] {:3.0f} %  {} pictures, {:.0f} s left", "", full, "", kWidth - full,
                 share * 100, done, share > 0 ? seconds / share - seconds : 0.0);
    }
    std::fflush(stderr);
  }
  // Before anything else is written to the terminal.
  void clear() {
    if (shown_) fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
    shown_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool on_;
  bool shown_ = false;
  Clock::time_point start_;
  Clock::time_point last_;
};

}  // namespace liveness::cli
