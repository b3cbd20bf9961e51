#include "liveness/worker_pool.hpp"

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "liveness/ensemble.hpp"
#include "model/parallel.hpp"
#include "resident.hpp"
#include "same_result.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

// Holds whoever comes until so many are there: they must be different threads.
class Meeting {
 public:
  explicit Meeting(int wanted) : wanted_(wanted) {}
  void join() {
    std::unique_lock lock(mutex_);
    ids_.insert(std::this_thread::get_id());
    if (++here_ >= wanted_) all_here_.notify_all();
    all_here_.wait(lock, [&] { return here_ >= wanted_; });
  }
  [[nodiscard]] const std::set<std::thread::id>& threads() const { return ids_; }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  int wanted_;
  int here_ = 0;
  std::set<std::thread::id> ids_;
};

std::vector<Scene> scenes(std::size_t count) {
  std::vector<Scene> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i].face(static_cast<int>(i % 4), 1, 40 + static_cast<int>(i * 7 % 160));
  return all;
}
std::vector<ImageView> views(const std::vector<Scene>& all) {
  std::vector<ImageView> v;
  for (const auto& s : all) v.push_back(s.view());
  return v;
}

}  // namespace

TEST_CASE("every piece of work is done once, several at a time, on threads that are kept") {
  WorkerPool pool(4);
  CHECK(pool.threads() == 4);
  Meeting first(4);
  pool.run(4, [&](std::size_t) { first.join(); });  // would wait for ever with fewer threads
  CHECK(first.threads().size() == 4);
  CHECK(first.threads().count(std::this_thread::get_id()) == 1);
  for (int round = 0; round < 50; ++round) {
    Meeting again(4);
    pool.run(4, [&](std::size_t) { again.join(); });
    CHECK(again.threads() == first.threads());
  }
  std::vector<std::atomic<int>> done(1000);
  pool.run(done.size(), [&](std::size_t i) { ++done[i]; });
  for (const auto& d : done) CHECK(d == 1);
  pool.run(0, [](std::size_t) { FAIL("there was nothing to do"); });
}

TEST_CASE("work may call the pool again, and callers share it") {
  WorkerPool pool(3);
  std::atomic<int> done{0};
  pool.run(5, [&](std::size_t) { pool.run(7, [&](std::size_t) { ++done; }); });
  CHECK(done == 35);
  done = 0;
  std::vector<std::thread> callers;
  for (int t = 0; t < 6; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 100; ++i) pool.run(9, [&](std::size_t) { ++done; });
    });
  for (auto& c : callers) c.join();
  CHECK(done == 6 * 100 * 9);
}

TEST_CASE("an exception ends the work early and is passed on") {
  WorkerPool alone(1);
  int begun_alone = 0;
  CHECK_THROWS_WITH(alone.run(100000,
                              [&](std::size_t i) {
                                ++begun_alone;
                                if (i == 3) throw std::runtime_error("number three");
                              }),
                    "number three");
  CHECK(begun_alone == 4);
  WorkerPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> begun{0};
    CHECK_THROWS_WITH(pool.run(100000,
                               [&](std::size_t i) {
                                 ++begun;
                                 if (i == 3) throw std::runtime_error("number three");
                                 // The others may not be through before the pool hears of the exception: the thread
                                 // that throws can be kept off the processor for as long as the system likes.
                                 if (i > 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
                               }),
                      "number three");
    CHECK(begun < 100000);
  }
  std::atomic<int> done{0};
  pool.run(10, [&](std::size_t) { ++done; });
  CHECK(done == 10);
}

TEST_CASE("cancel ends what runs, and nothing that comes later") {
  WorkerPool pool(2);
  std::atomic<int> begun{0};
  try {
    pool.run(1000, [&](std::size_t) {
      if (++begun == 10) pool.cancel();
    });
    FAIL("not cancelled");
  } catch (const Error& e) {
    CHECK(e.status() == Status::kCancelled);
  }
  CHECK(begun >= 10);
  CHECK(begun <= 11);  // the other thread may have begun one more
  begun = 0;
  pool.run(5, [&](std::size_t) { ++begun; });
  CHECK(begun == 5);
}

TEST_CASE("a pool of no threads is refused") {
  CHECK_THROWS_WITH(WorkerPool(0), Catch::Contains("threads: expected 1 to 1024, got 0"));
  CHECK_THROWS_WITH(WorkerPool(1025), Catch::Contains("threads"));
}

TEST_CASE("threads that the predictor keeps, a pool, and one thread give the same results") {
  const auto all = scenes(33);
  const auto images = views(all);
  Predictor::Options o;
  o.detector = tiny_detector();
  const Predictor plain(tiny_pad(), o);
  o.pool = std::make_shared<WorkerPool>(3);
  const Predictor pooled(tiny_pad(), o);
  std::vector<Result> single;
  for (const auto& image : images) single.push_back(plain.predict(image));
  const auto equal = [&](const std::vector<Predictor::BatchItem>& items) {
    REQUIRE(items.size() == single.size());
    for (std::size_t i = 0; i < single.size(); ++i) CHECK(same(items[i].result.value(), single[i]));
  };
  for (const int threads : {0, 1, 2, 7, 40}) {
    equal(plain.predict_batch(images, {}, threads));
    equal(pooled.predict_batch(images, {}, threads));
  }
}

TEST_CASE("pictures that were not begun when it was stopped are cancelled, the others have results") {
  const auto all = scenes(40);
  auto images = views(all);
  images[0].data = nullptr;
  Predictor::Options o;
  o.pool = std::make_shared<WorkerPool>(2);
  const Predictor predictor(tiny_pad(), o);
  const std::vector<Rect> boxes(images.size(), Scene::box(1, 1));
  std::stop_source stop;
  stop.request_stop();
  for (const auto& item : predictor.predict_batch(images, boxes, 2, stop.get_token())) {
    CHECK(item.status == Status::kCancelled);
    CHECK_FALSE(item.result.has_value());
    CHECK_FALSE(item.error.empty());
  }
  // Another thread cancels again and again while batches run: each item is one or the other, never neither.
  std::atomic<bool> over{false};
  std::thread canceller([&] {
    while (!over) {
      o.pool->cancel();
      std::this_thread::yield();
    }
  });
  for (int round = 0; round < 50; ++round) {
    const auto items = predictor.predict_batch(images, boxes);
    for (std::size_t i = 1; i < items.size(); ++i)
      CHECK((items[i].status == Status::kOk) == items[i].result.has_value());
    CHECK_FALSE(items[0].result.has_value());
  }
  over = true;
  canceller.join();
  for (std::size_t i = 1; i < images.size(); ++i)
    CHECK(predictor.predict_batch(images, boxes)[i].status == Status::kOk);
}

TEST_CASE("memory stays flat over batches of changing size") {
  if (test::kSanitized) {
    WARN("skipped: a sanitizer keeps freed memory");
    return;
  }
  constexpr int kBatches = 10000;
  const auto all = scenes(17);
  const auto images = views(all);
  Ensemble::Options o;
  o.detector = tiny_detector();
  o.cache = std::make_shared<PredictionCache>(PredictionCache::Options{8 << 10, {}});
  o.augmentation = {2, true, 0.1F, 3};
  TinyPad other;
  other.size = 24;
  const Ensemble ensemble({tiny_pad(), tiny_pad(other)}, o);
  const Ensemble uncached({tiny_pad(), tiny_pad(other)}, [&] {
    auto plain = o;
    plain.cache = nullptr;
    return plain;
  }());
  double before = 0;
  for (int i = 0; i < kBatches; ++i) {
    if (i == kBatches / 5) before = test::resident();
    const std::size_t size = 1 + static_cast<std::size_t>(i) * 7 % images.size();
    const auto& e = i % 2 == 0 ? ensemble : uncached;
    for (const auto& item : e.predict_batch(std::span(images).first(size), {}, 1 + i % 5)) REQUIRE(item.result);
  }
  CHECK(test::resident() - before < 2 << 20);
}
