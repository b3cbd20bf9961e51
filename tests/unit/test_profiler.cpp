#include "liveness/profiler.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

using liveness::Profiler;
using Stage = Profiler::Stage;
using Counter = Profiler::Counter;
using std::chrono::nanoseconds;

TEST_CASE("percentiles are within 2 % of the exact ones over nine orders of magnitude") {
  Profiler profiler;
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(0, 9.5);
  std::vector<std::int64_t> times;
  for (int i = 0; i < 20001; ++i) times.push_back(static_cast<std::int64_t>(std::pow(10, exponent(random))));
  for (const auto t : times) profiler.record(Stage::kInfer, nanoseconds(t));
  std::sort(times.begin(), times.end());
  const auto exact = [&](double share) {
    return static_cast<double>(
               times[static_cast<std::size_t>(std::ceil(share * static_cast<double>(times.size()))) - 1]) *
           1e-6;
  };
  const auto f = profiler.figures(Stage::kInfer);
  CHECK(f.count == times.size());
  CHECK(f.p50_ms == Approx(exact(0.50)).epsilon(0.02));
  CHECK(f.p90_ms == Approx(exact(0.90)).epsilon(0.02));
  CHECK(f.p99_ms == Approx(exact(0.99)).epsilon(0.02));
  CHECK(f.max_ms == Approx(exact(1)));
  double sum = 0;
  for (const auto t : times) sum += static_cast<double>(t) * 1e-6;
  CHECK(f.total_ms == Approx(sum));
  CHECK(f.mean_ms == Approx(sum / static_cast<double>(times.size())));
}

TEST_CASE("every single time comes back within 2 %, and no percentile passes the maximum") {
  for (const std::int64_t t :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{31}, std::int64_t{32}, std::int64_t{63}, std::int64_t{64},
        std::int64_t{65}, std::int64_t{1000}, std::int64_t{123456789}, (std::int64_t{1} << 40) - 1}) {
    Profiler profiler;
    profiler.record(Stage::kRoi, nanoseconds(t));
    const auto f = profiler.figures(Stage::kRoi);
    CAPTURE(t);
    CHECK(f.p50_ms == Approx(static_cast<double>(t) * 1e-6).epsilon(0.02).margin(1e-12));
    CHECK(f.p99_ms <= f.max_ms);
    CHECK(f.max_ms == Approx(static_cast<double>(t) * 1e-6));
  }
  Profiler profiler;
  profiler.record(Stage::kRoi, nanoseconds(-5));
  profiler.record(Stage::kRoi, std::chrono::hours(2));
  CHECK(profiler.figures(Stage::kRoi).max_ms == Approx(7200e3));
  CHECK(profiler.figures(Stage::kRoi).p50_ms == 0);
}

TEST_CASE("threads record at once and nothing is lost") {
  Profiler profiler;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&profiler, t] {
      for (int i = 0; i < 10000; ++i) {
        profiler.record(Stage::kDetect, nanoseconds(1000 * (t + 1)));
        profiler.add(Counter::kFrames);
        if (i % 1000 == 0) static_cast<void>(profiler.figures(Stage::kDetect));
      }
    });
  for (auto& t : threads) t.join();
  CHECK(profiler.figures(Stage::kDetect).count == 80000);
  CHECK(profiler.figures(Stage::kDetect).total_ms == Approx(10000 * 36e-3));
  CHECK(profiler.figures(Stage::kDetect).max_ms == Approx(8e-3));
  CHECK(profiler.count(Counter::kFrames) == 80000);
}

TEST_CASE("figures by key, as JSON and as a table") {
  Profiler profiler;
  profiler.record(Stage::kTotal, std::chrono::milliseconds(3));
  profiler.add(Counter::kCacheHits, 5);
  for (const auto& key : Profiler::keys()) {
    CAPTURE(key);
    CHECK(profiler.get(key).has_value());
  }
  CHECK(profiler.get("total.count") == 1.0);
  CHECK(*profiler.get("total.mean_ms") == Approx(3));
  CHECK(profiler.get("cache_hits") == 5.0);
  CHECK(profiler.get("roi.p99_ms") == 0.0);
  for (const auto* key : {"", ".", "total", "total.", "total.p98_ms", "nothing.count", "cache_hits.count"}) {
    CAPTURE(key);
    CHECK_FALSE(profiler.get(key).has_value());
  }

  const auto json = nlohmann::json::parse(profiler.to_json());
  CHECK(json.at("counters").at("cache_hits") == 5);
  CHECK(json.at("counters").size() == Profiler::kCounters);
  REQUIRE(json.at("stages").size() == 1);
  CHECK(json.at("stages").at("total").at("count") == 1);
  CHECK(json.at("stages").at("total").at("p99_ms").get<double>() == Approx(3).epsilon(0.02));

  const std::string table = profiler.to_table();
  CHECK(table.find("total") != std::string::npos);
  CHECK(table.find("cache_hits   5") != std::string::npos);
  CHECK(table.find("detect") == std::string::npos);
}

TEST_CASE("reset forgets everything") {
  Profiler profiler;
  profiler.record(Stage::kTotal, nanoseconds(10));
  profiler.add(Counter::kFaces);
  profiler.reset();
  for (const auto& key : Profiler::keys()) {
    CAPTURE(key);
    CHECK(profiler.get(key) == 0.0);
  }
}

TEST_CASE("a scoped timer measures its own life; without a profiler it does nothing") {
  Profiler profiler;
  {
    const Profiler::Timer timer(&profiler, Stage::kRead);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  CHECK(profiler.figures(Stage::kRead).count == 1);
  CHECK(profiler.figures(Stage::kRead).max_ms >= 2);
  const Profiler::Timer off(nullptr, Stage::kRead);
}
