#include "liveness/cache.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <limits>
#include <random>
#include <thread>

#include "liveness/ensemble.hpp"
#include "pipeline/hash.hpp"
#include "same_result.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

std::shared_ptr<PredictionCache> make_cache(std::size_t bytes = std::size_t{1} << 20,
                                            std::chrono::milliseconds time_to_live = {}) {
  return std::make_shared<PredictionCache>(PredictionCache::Options{bytes, time_to_live});
}

Predictor::Options cached(std::shared_ptr<PredictionCache> cache) {
  Predictor::Options o;
  o.cache = std::move(cache);
  return o;
}

Scene face_at(int column, int row, int green = 180) {
  Scene scene;
  scene.face(column, row, green);
  return scene;
}

}  // namespace

TEST_CASE("what was scored before is answered from the cache, and equals what was scored") {
  const auto cache = make_cache();
  auto o = cached(cache);
  o.detector = tiny_detector();
  o.all_faces = true;
  Profiler profiler;
  o.profiler = &profiler;
  const Predictor predictor(tiny_pad(), o);
  const Scene scene = face_at(1, 1);
  const Result first = predictor.predict(scene.view());
  CHECK_FALSE(first.from_cache);
  CHECK(first.verdict == Verdict::kLive);
  const Scene copy = scene;
  const Result again = predictor.predict(copy.view());
  CHECK(again.from_cache);
  CHECK(same(first, again));
  CHECK(again.time.infer == 0);
  CHECK(again.time.total > 0);

  // A picture without a face is an answer too, and stays what it was.
  CHECK(predictor.predict(Scene().view()).verdict == Verdict::kNoFace);
  const Result none = predictor.predict(Scene().view());
  CHECK(none.from_cache);
  CHECK(none.verdict == Verdict::kNoFace);

  // With a box it is another question.
  CHECK_FALSE(predictor.predict(scene.view(), Scene::box(1, 1)).from_cache);
  CHECK(predictor.predict(scene.view(), Scene::box(1, 1)).from_cache);
  CHECK_FALSE(predictor.predict(scene.view(), Scene::box(1, 0)).from_cache);

  const auto s = cache->statistics();
  CHECK(s.hits == 3);
  CHECK(s.misses == 4);
  CHECK(s.entries == 4);
  CHECK(s.evictions == 0);
  CHECK(s.bytes > 4 * sizeof(Result));
  CHECK(profiler.get("cache_hits") == 3.0);
  CHECK(profiler.get("cache_misses") == 4.0);
  CHECK(profiler.get("total.count") == 7.0);
  cache->shrink(s.bytes / 2);
  CHECK(cache->statistics().entries >= 1);
  CHECK(cache->statistics().bytes <= s.bytes / 2);
  CHECK(predictor.predict(scene.view(), Scene::box(1, 0)).from_cache);
  cache->shrink(0);
  CHECK(cache->statistics().entries == 0);
  CHECK(cache->statistics().bytes == 0);
  CHECK_FALSE(predictor.predict(scene.view()).from_cache);
}

TEST_CASE("two frames that share their first kilobytes do not collide") {
  auto o = cached(make_cache());
  o.detector = tiny_detector();
  const Predictor predictor(tiny_pad(), o);
  Scene live = face_at(3, 3, 200);
  Scene spoof = face_at(3, 3, 60);
  CHECK(std::equal(live.pixels.begin(), live.pixels.begin() + 200000, spoof.pixels.begin()));
  CHECK(predictor.predict(live.view()).verdict == Verdict::kLive);
  Result r = predictor.predict(spoof.view());
  CHECK_FALSE(r.from_cache);
  CHECK(r.verdict == Verdict::kSpoof);
  // Nor those that differ in one bit of their last byte.
  live.pixels.back() ^= 1;
  CHECK_FALSE(predictor.predict(live.view()).from_cache);
}

TEST_CASE("everything that changes a result makes another key") {
  const auto cache = make_cache();
  const Scene scene = face_at(1, 1);
  Face face;
  face.box = Scene::box(1, 1);
  const auto fresh = [&](const Model& model, const Ensemble::Options& options, const Face& where) {
    auto o = options;
    o.cache = cache;
    const Ensemble ensemble({model}, o);
    CHECK_FALSE(ensemble.predict(scene.view(), where).from_cache);
    CHECK(ensemble.predict(scene.view(), where).from_cache);
  };
  const Ensemble::Options defaults;
  fresh(tiny_pad(), defaults, face);
  TinyPad net;
  net.middle = 129;
  fresh(tiny_pad(net), defaults, face);
  net.name = "other";
  fresh(tiny_pad(net), defaults, face);
  Model::Options isa;
  isa.isa = Isa::kPortable;
  if (default_isa() != Isa::kPortable)
    fresh(Model::from_memory(write_package(tiny_pad_package({})), isa), defaults, face);
  const auto option = [&](auto&& set) {
    Ensemble::Options o;
    set(o);
    fresh(tiny_pad(), o, face);
  };
  option([](auto& o) { o.profile = "strict"; });
  option([](auto& o) { o.threshold = 0.4F; });
  option([](auto& o) { o.fusion = Fusion::kMinimum; });
  option([](auto& o) { o.disagreement = 0.5F; });
  option([](auto& o) { o.limits.max_yaw = 12; });
  option([](auto& o) { o.abstain = 0; });
  option([](auto& o) { o.all_faces = true; });
  option([](auto& o) { o.augmentation.crops = 1; });
  option([](auto& o) { o.augmentation.flip = true; });
  option([](auto& o) { o.augmentation.brightness = 0.1F; });
  option([](auto& o) { o.augmentation.settled = 1; });
  option([](auto& o) { o.detector = tiny_detector(); });
  option([](auto& o) {
    o.detector = tiny_detector();
    o.detection.min_face = 10;
  });
  Face other = face;
  other.score = 0.5F;
  fresh(tiny_pad(), defaults, other);
  other.has_landmarks = true;
  fresh(tiny_pad(), defaults, other);
  other.landmarks[0].x = 100;
  fresh(tiny_pad(), defaults, other);
  // What changes nothing makes no other key: an equal model loaded again, a profiler, a pool.
  Profiler profiler;
  auto o = cached(cache);
  o.profiler = &profiler;
  o.pool = std::make_shared<WorkerPool>(2);
  CHECK(Predictor(tiny_pad(), o).predict(scene.view(), face).from_cache);
}

TEST_CASE("with a cache every answer is the one that scoring gives, wherever a pixel changed") {
  std::mt19937 random(7);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  int hits = 0;
  for (int round = 0; round < 60; ++round) {
    TinyPad net;
    net.size = 8 + below(24);
    net.crop_scale = 0.3F + static_cast<float>(below(40)) / 10;
    net.border = static_cast<BorderRule>(below(4));
    TinyPad second = net;
    second.crop_scale = 1;
    Package one = tiny_pad_package(net);
    one.contract.crop->shrink = static_cast<ResizeFilter>(below(3));
    one.contract.crop->enlarge = static_cast<ResizeFilter>(below(3));
    Ensemble::Options o;
    o.abstain = 0;
    o.augmentation = {below(3), below(2) == 1, 0, 0};
    const std::vector<Model> members = {tiny_model(one), tiny_pad(second)};
    const Ensemble plain(members, o);
    o.cache = make_cache(std::size_t{64} << 20);
    const Ensemble with_cache(members, o);

    const auto format = static_cast<PixelFormat>(round % 7);
    const bool biplanar = format == PixelFormat::kNv12 || format == PixelFormat::kNv21;
    const int width = 40 + below(80);
    const int height = 40 + below(80);
    ImageView image = make_image(nullptr, width, height, format);
    image.stride += below(2) == 0 ? image.stride % 2 : 2 + below(8);  // a row of chroma has an even number of bytes
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(image.stride) * static_cast<std::size_t>(height * 2));
    for (auto& p : pixels) p = static_cast<std::uint8_t>(random());
    image.data = pixels.data();
    const auto used =
        static_cast<std::size_t>(image.stride) * static_cast<std::size_t>(height + (biplanar ? (height + 1) / 2 : 0));
    const Rect box{static_cast<float>(below(width)) - 10.5F, static_cast<float>(below(height)) - 10.25F,
                   11.0F + static_cast<float>(below(60)), 11.0F + static_cast<float>(below(60))};
    for (int change = 0; change < 60; ++change) {
      const Result wanted = plain.predict(image, box);
      const Result got = with_cache.predict(image, box);
      REQUIRE(same(wanted, got));
      hits += got.from_cache ? 1 : 0;
      pixels[static_cast<std::size_t>(random()) % used] ^= 0x80;
    }
  }
  CHECK(hits > 100);  // pixels where nobody looks
}

TEST_CASE("padding between rows is not looked at") {
  const Predictor predictor(tiny_pad(), cached(make_cache()));
  const Scene scene = face_at(1, 1);
  std::vector<std::uint8_t> padded;
  for (int y = 0; y < Scene::kSide; ++y) {
    const auto row = scene.pixels.begin() + y * Scene::kSide * 3;
    padded.insert(padded.end(), row, row + Scene::kSide * 3);
    padded.insert(padded.end(), 5, static_cast<std::uint8_t>(y));
  }
  ImageView view = scene.view();
  view.data = padded.data();
  view.stride += 5;
  CHECK_FALSE(predictor.predict(view, Scene::box(1, 1)).from_cache);
  for (std::size_t i = Scene::kSide * 3; i < padded.size(); i += Scene::kSide * 3 + 5) padded[i] = 99;
  CHECK(predictor.predict(view, Scene::box(1, 1)).from_cache);
}

TEST_CASE("errors are not kept, and never become an answer") {
  TinyPad net;
  net.middle = 0;
  net.slope = 3e38F;
  const auto cache = make_cache();
  const Predictor predictor(tiny_pad(net), cached(cache));
  const Scene scene = face_at(1, 1, 200);
  for (int i = 0; i < 3; ++i) CHECK_THROWS_AS((void)predictor.predict(scene.view(), Scene::box(1, 1)), Error);
  CHECK(cache->statistics().misses == 3);
  CHECK(cache->statistics().entries == 0);
  ImageView bad = scene.view();
  bad.stride = 1;
  CHECK_THROWS_AS((void)predictor.predict(bad, Scene::box(1, 1)), Error);
  CHECK_THROWS_AS((void)predictor.predict(scene.view()), Error);
  CHECK(cache->statistics().misses == 3);
}

TEST_CASE("a face that could not be scored stays uncertain") {
  Package package = tiny_pad_package({});
  package.contract.crop->box = "low";
  package.contract.crop->from["yunet"] = BoxMap{{1, 0}, {0, 1}, {0, 1}};
  auto o = cached(make_cache());
  o.abstain = 0;
  const Predictor predictor(tiny_model(package), o);
  const Scene scene;
  for (const bool hit : {false, true}) {
    const Result r = predictor.predict(scene.view(), Rect{0, 250, 100, 100});
    CHECK(r.from_cache == hit);
    CHECK(r.verdict == Verdict::kUncertain);
    CHECK(r.score == 0);
    CHECK(r.faces.at(0).members.empty());
    CHECK(r.faces.at(0).views == 0);
  }
}

TEST_CASE("the least recently used result goes when the bytes run out") {
  const auto probe = make_cache();
  (void)Predictor(tiny_pad(), cached(probe)).predict(face_at(0, 0).view(), Scene::box(0, 0));
  const std::size_t one = probe->statistics().bytes;
  const auto cache = make_cache(3 * one);
  const Predictor predictor(tiny_pad(), cached(cache));
  const auto hit = [&](int green) {
    return predictor.predict(face_at(0, 0, green).view(), Scene::box(0, 0)).from_cache;
  };
  for (const int green : {60, 90, 120}) CHECK_FALSE(hit(green));
  CHECK(hit(60));  // now 90 is the oldest
  CHECK_FALSE(hit(150));
  CHECK(hit(60));
  CHECK(hit(120));
  CHECK_FALSE(hit(90));
  CHECK(cache->statistics().evictions == 2);
  CHECK(cache->statistics().entries == 3);
  CHECK(cache->statistics().bytes <= 3 * one);

  const auto small = make_cache(1);
  const Predictor hopeless(tiny_pad(), cached(small));
  for (int i = 0; i < 2; ++i) CHECK_FALSE(hopeless.predict(face_at(0, 0).view(), Scene::box(0, 0)).from_cache);
  CHECK(small->statistics().entries == 0);
}

TEST_CASE("results grow old") {
  using namespace std::chrono_literals;
  const auto cache = make_cache(1 << 20, 1ms);
  const Predictor predictor(tiny_pad(), cached(cache));
  const Scene scene = face_at(0, 0);
  (void)predictor.predict(scene.view(), Scene::box(0, 0));
  const auto born = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - born < 3ms) std::this_thread::yield();
  CHECK_FALSE(predictor.predict(scene.view(), Scene::box(0, 0)).from_cache);
  CHECK(cache->statistics().evictions == 1);
  CHECK(cache->statistics().entries == 1);

  const auto patient = make_cache(1 << 20, 1h);
  const Predictor again(tiny_pad(), cached(patient));
  CHECK_FALSE(again.predict(scene.view(), Scene::box(0, 0)).from_cache);
  CHECK(again.predict(scene.view(), Scene::box(0, 0)).from_cache);
}

TEST_CASE("bad options of a cache are refused") {
  CHECK_THROWS_WITH(make_cache(0), Catch::Contains("bytes"));
  CHECK_THROWS_WITH(make_cache(1, std::chrono::milliseconds(-1)), Catch::Contains("time_to_live"));
}

TEST_CASE("eight threads on one small cache get what scoring gives") {
  std::vector<Scene> scenes;
  for (int i = 0; i < 40; ++i) scenes.push_back(face_at(i % 4, i / 10, 40 + 4 * i));
  const auto cache = make_cache(16 << 10);
  const Predictor plain(tiny_pad());
  const Predictor predictor(tiny_pad(), cached(cache));
  std::vector<Result> wanted;
  for (int i = 0; i < 40; ++i)
    wanted.push_back(plain.predict(scenes[static_cast<std::size_t>(i)].view(), Scene::box(i % 4, i / 10)));
  std::array<int, 8> wrong{};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int n = 0; n < 2000; ++n) {
        const auto i = random() % 40;
        const auto k = static_cast<int>(i);
        if (!same(predictor.predict(scenes[i].view(), Scene::box(k % 4, k / 10)), wanted[i])) ++wrong[t];
      }
    });
  for (auto& t : threads) t.join();
  for (const int w : wrong) CHECK(w == 0);
  const auto s = cache->statistics();
  CHECK(s.hits + s.misses == 8 * 2000);
  CHECK(s.hits > 0);
  CHECK(s.evictions > 0);
  CHECK(s.bytes <= 16 << 10);
}

TEST_CASE("the hash is the same on every instruction set, and depends on every byte and on the secret") {
  std::mt19937 random(1);
  Secret secret{};
  for (auto& b : secret) b = static_cast<std::byte>(random());
  for (const std::size_t size : {0, 1, 16, 17, 200, 240, 241, 1000, 1024, 5000}) {
    std::vector<std::uint8_t> data(size + 1);
    for (auto& d : data) d = static_cast<std::uint8_t>(random());
    const Hash h = hash_portable(data.data(), size, secret);
    for (const Isa isa : available_isas()) CHECK(hash_function(isa)(data.data(), size, secret) == h);
    for (std::size_t i = 0; i < size; i += 1 + size / 97) {
      data[i] ^= 1;
      CHECK_FALSE(hash_portable(data.data(), size, secret) == h);
      data[i] ^= 1;
    }
    Secret other = secret;
    for (auto& b : other) b = static_cast<std::byte>(random());
    if (size > 0) CHECK_FALSE(hash_portable(data.data(), size, other) == h);
  }
}
