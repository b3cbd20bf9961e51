// Where the time goes: per-stage timers and counters. Header only.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "liveness/detail/public.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Collects times per stage in log-scale histograms (percentiles are within 1.6 % of the exact ones) and counts events.
/// Any number of threads may record and read at once: recording is three relaxed atomic operations, without a lock and
/// without allocation. Neither copied nor moved; about 70 KB.
class Profiler {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Stage : std::uint8_t {
    kRead,     ///< decoding a picture or a video frame (recorded by the program, not by the library)
    kDetect,   ///< one face detection
    kRoi,      ///< one crop into one network's input
    kInfer,    ///< one pass of one PAD network
    kQuality,  ///< quality measures of one face
    kDecide,   ///< fusion, verdict and reasons of one face
    kTotal,    ///< one whole predict() that did not throw
  };
  static constexpr std::size_t kStages = 7;

  enum class Counter : std::uint8_t {
    kFrames,       ///< pictures given to predict()
    kFaces,        ///< faces scored
    kNoFace,       ///< pictures without a face
    kErrors,       ///< pictures that ended in an exception
    kCacheHits,    ///< answers taken from a cache
    kCacheMisses,  ///< answers that a cache did not have
    kSkipped,      ///< frames left out to save time
  };
  static constexpr std::size_t kCounters = 7;

  /// Figures of one stage; milliseconds. All zero where nothing was recorded.
  struct Figures {
    std::uint64_t count = 0;
    double total_ms = 0;
    double mean_ms = 0;
    double p50_ms = 0;
    double p90_ms = 0;
    double p99_ms = 0;
    double max_ms = 0;
  };

  /// Times its own life. With a null profiler it reads no clock.
  class Timer {
   public:
    Timer(Profiler* profiler, Stage stage) noexcept : profiler_(profiler), stage_(stage) {
      if (profiler_ != nullptr) start_ = Clock::now();
    }
    ~Timer() {
      if (profiler_ != nullptr) profiler_->record(stage_, Clock::now() - start_);
    }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

   private:
    Profiler* profiler_;
    Stage stage_;
    Clock::time_point start_;
  };

  Profiler() = default;
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  [[nodiscard]] static constexpr std::string_view name(Stage stage) noexcept {
    constexpr std::array<std::string_view, kStages> kNames = {"read",    "detect", "roi",  "infer",
                                                              "quality", "decide", "total"};
    return kNames[static_cast<std::size_t>(stage)];
  }
  [[nodiscard]] static constexpr std::string_view name(Counter counter) noexcept {
    constexpr std::array<std::string_view, kCounters> kNames = {"frames",     "faces",        "no_face", "errors",
                                                                "cache_hits", "cache_misses", "skipped"};
    return kNames[static_cast<std::size_t>(counter)];
  }

  /// Adds one time; a negative one counts as zero.
  void record(Stage stage, std::chrono::nanoseconds time) noexcept {
    const std::uint64_t ns = time.count() > 0 ? static_cast<std::uint64_t>(time.count()) : 0;
    Histogram& h = stages_[static_cast<std::size_t>(stage)];
    h.buckets[bucket_of(ns)].fetch_add(1, std::memory_order_relaxed);
    h.sum.fetch_add(ns, std::memory_order_relaxed);
    std::uint64_t seen = h.max.load(std::memory_order_relaxed);
    while (seen < ns && !h.max.compare_exchange_weak(seen, ns, std::memory_order_relaxed)) {
    }
  }

  void add(Counter counter, std::uint64_t n = 1) noexcept {
    counters_[static_cast<std::size_t>(counter)].fetch_add(n, std::memory_order_relaxed);
  }

  [[nodiscard]] Figures figures(Stage stage) const noexcept {
    const Histogram& h = stages_[static_cast<std::size_t>(stage)];
    Figures f;
    for (const auto& bucket : h.buckets) f.count += bucket.load(std::memory_order_relaxed);
    if (f.count == 0) return f;
    const std::uint64_t max = h.max.load(std::memory_order_relaxed);
    f.total_ms = static_cast<double>(h.sum.load(std::memory_order_relaxed)) * 1e-6;
    f.mean_ms = f.total_ms / static_cast<double>(f.count);
    f.max_ms = static_cast<double>(max) * 1e-6;
    // The smallest value that at least this share of the values does not exceed.
    const std::array<std::uint64_t, 3> percent = {50, 90, 99};
    const std::array<double*, 3> target = {&f.p50_ms, &f.p90_ms, &f.p99_ms};
    std::uint64_t passed = 0;
    std::size_t next = 0;
    for (std::size_t i = 0; i < kBuckets && next < percent.size(); ++i) {
      passed += h.buckets[i].load(std::memory_order_relaxed);
      for (; next < percent.size() && passed * 100 >= percent[next] * f.count; ++next) {
        const std::uint64_t value = value_of(i);
        *target[next] = static_cast<double>(value < max ? value : max) * 1e-6;
      }
    }
    return f;
  }

  [[nodiscard]] std::uint64_t count(Counter counter) const noexcept {
    return counters_[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
  }

  /// A figure by its key, one of keys(): a counter ("frames"), or a stage's figure ("infer.p99_ms"). Empty for any
  /// other key.
  [[nodiscard]] std::optional<double> get(std::string_view key) const {
    for (std::size_t c = 0; c < kCounters; ++c)
      if (key == name(static_cast<Counter>(c))) return static_cast<double>(count(static_cast<Counter>(c)));
    const std::size_t dot = key.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    for (std::size_t s = 0; s < kStages; ++s) {
      if (key.substr(0, dot) != name(static_cast<Stage>(s))) continue;
      const auto values = listed(figures(static_cast<Stage>(s)));
      for (std::size_t i = 0; i < values.size(); ++i)
        if (key.substr(dot + 1) == kFigureNames[i]) return values[i];
    }
    return std::nullopt;
  }

  /// Every key that get() knows, counters first.
  [[nodiscard]] static std::vector<std::string> keys() {
    std::vector<std::string> all;
    for (std::size_t c = 0; c < kCounters; ++c) all.emplace_back(name(static_cast<Counter>(c)));
    for (std::size_t s = 0; s < kStages; ++s)
      for (const auto figure : kFigureNames)
        all.push_back(std::string(name(static_cast<Stage>(s))) + "." + std::string(figure));
    return all;
  }

  /// {"counters":{"frames":1,...},"stages":{"detect":{"count":1,"total_ms":...,...},...}}; stages without a record are
  /// left out.
  [[nodiscard]] std::string to_json() const {
    std::string text = "{\"counters\":{";
    for (std::size_t c = 0; c < kCounters; ++c) {
      if (c > 0) text += ',';
      text += quoted(name(static_cast<Counter>(c))) + ':' + std::to_string(count(static_cast<Counter>(c)));
    }
    text += "},\"stages\":{";
    bool first = true;
    for (std::size_t s = 0; s < kStages; ++s) {
      const Figures f = figures(static_cast<Stage>(s));
      if (f.count == 0) continue;
      if (!first) text += ',';
      first = false;
      text += quoted(name(static_cast<Stage>(s))) + ":{\"count\":" + std::to_string(f.count);
      const auto values = listed(f);
      for (std::size_t i = 1; i < values.size(); ++i)
        text += ',' + quoted(kFigureNames[i]) + ':' + number(values[i], 6);
      text += '}';
    }
    return text + "}}";
  }

  /// The same for people: one line a stage, times in milliseconds, then the counters that are not zero.
  [[nodiscard]] std::string to_table() const {
    std::string text = left("stage", 8);
    for (const auto title : {"count", "mean ms", "p50", "p90", "p99", "max"}) text += right(title, 10);
    text += '\n';
    for (std::size_t s = 0; s < kStages; ++s) {
      const Figures f = figures(static_cast<Stage>(s));
      if (f.count == 0) continue;
      text += left(name(static_cast<Stage>(s)), 8) + right(std::to_string(f.count), 10);
      for (const double v : {f.mean_ms, f.p50_ms, f.p90_ms, f.p99_ms, f.max_ms}) text += right(number(v, 3), 10);
      text += '\n';
    }
    for (std::size_t c = 0; c < kCounters; ++c)
      if (const auto n = count(static_cast<Counter>(c)); n > 0)
        text += left(name(static_cast<Counter>(c)), 13) + std::to_string(n) + '\n';
    return text;
  }

  /// Forgets everything. What other threads record meanwhile may be kept or lost.
  void reset() noexcept {
    for (auto& h : stages_) {
      for (auto& bucket : h.buckets) bucket.store(0, std::memory_order_relaxed);
      h.sum.store(0, std::memory_order_relaxed);
      h.max.store(0, std::memory_order_relaxed);
    }
    for (auto& c : counters_) c.store(0, std::memory_order_relaxed);
  }

 private:
  // Nanoseconds below 2^5 have a bucket each; above, every power of two is cut into 2^5 equal buckets, so that the
  // middle of a bucket is at most 1/64 from any value in it. The last one takes everything from 2^40 ns (18 minutes)
  // on.
  static constexpr int kSubBits = 5;
  static constexpr int kMaxBits = 40;
  static constexpr std::size_t kBuckets = std::size_t{kMaxBits - kSubBits + 1} << kSubBits;

  [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t ns) noexcept {
    if (ns < (std::uint64_t{1} << kSubBits)) return static_cast<std::size_t>(ns);
    if (ns >= (std::uint64_t{1} << kMaxBits)) return kBuckets - 1;
    const int shift = static_cast<int>(std::bit_width(ns)) - 1 - kSubBits;
    return (static_cast<std::size_t>(shift) << kSubBits) + static_cast<std::size_t>(ns >> shift);
  }
  [[nodiscard]] static constexpr std::uint64_t value_of(std::size_t bucket) noexcept {
    if (bucket < (std::size_t{2} << kSubBits)) return bucket;
    const std::size_t shift = (bucket >> kSubBits) - 1;
    const std::uint64_t low = std::uint64_t{bucket - (shift << kSubBits)} << shift;
    return low + (std::uint64_t{1} << shift) / 2;
  }

  static constexpr std::array<std::string_view, 7> kFigureNames = {"count",  "total_ms", "mean_ms", "p50_ms",
                                                                   "p90_ms", "p99_ms",   "max_ms"};
  [[nodiscard]] static std::array<double, 7> listed(const Figures& f) noexcept {
    return {static_cast<double>(f.count), f.total_ms, f.mean_ms, f.p50_ms, f.p90_ms, f.p99_ms, f.max_ms};
  }

  [[nodiscard]] static std::string number(double value, int digits) {  // to_chars: never a comma, whatever the locale
    std::array<char, 64> buffer;
    const auto end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, digits);
    return {buffer.data(), end.ptr};
  }
  [[nodiscard]] static std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }
  [[nodiscard]] static std::string left(std::string_view text, std::size_t width) {
    return std::string(text) + std::string(text.size() < width ? width - text.size() : 0, ' ');
  }
  [[nodiscard]] static std::string right(std::string_view text, std::size_t width) {
    return std::string(text.size() < width ? width - text.size() : 0, ' ') + std::string(text);
  }

  struct Histogram {
    std::array<std::atomic<std::uint64_t>, kBuckets> buckets{};
    std::atomic<std::uint64_t> sum{0};
    std::atomic<std::uint64_t> max{0};
  };
  std::array<Histogram, kStages> stages_{};
  std::array<std::atomic<std::uint64_t>, kCounters> counters_{};
};

}  // namespace liveness
