// Eight streams on one model for a long time: 4,000 frames, 200,000 with LIVENESS_LONG_TESTS.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "liveness/cache.hpp"
#include "liveness/error.hpp"
#include "liveness/resources.hpp"
#include "liveness/verifier.hpp"
#include "made_up_face.hpp"
#include "resident.hpp"
#include "shared_models.hpp"

using namespace liveness;
using test::Sprite;
using test::Stage;

namespace {

constexpr int kStreams = 8;
constexpr int kWidth = 320;
constexpr int kHeight = 240;
constexpr std::size_t kFilm = 12;  // frames, played round and round

Model load(const std::string& file, const std::string& contract) {
  Model::Options options;
  options.contract = std::string(LIVENESS_SOURCE_DIR) + "/models/contracts/" + contract + ".yaml";
  return Model::load(test::shared_models() / file, options);
}

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);  // Catch's own checks are for one thread
}

using Film = std::vector<std::vector<std::uint8_t>>;

// Ends where it begins.
Film film(const Sprite* left, const Sprite* right) {
  Stage stage(kWidth, kHeight);
  Film frames;
  for (std::size_t i = 0; i < kFilm; ++i) {
    const float t = 6.2831853F * static_cast<float>(i) / static_cast<float>(kFilm);
    const bool both = left != nullptr && right != nullptr;
    stage.clear();
    if (left != nullptr)
      stage.paint(*left, {(both ? 85.0F : 160.0F) + 6 * std::sin(t), 115 + 4 * std::cos(t), both ? 90.0F : 120.0F});
    if (right != nullptr)
      stage.paint(*right, {(both ? 235.0F : 160.0F) + 6 * std::sin(t), 115 + 4 * std::cos(t), both ? 90.0F : 120.0F});
    const ImageView view = stage.shoot();
    frames.emplace_back(view.data, view.data + view.stride * view.height);
  }
  return frames;
}

// What all cameras show, in turns of 60 frames: two people, the first, nobody, the first frozen, the second, the second
// as luma alone.
class Films {
 public:
  Films() {
    const Sprite first(test::first_person());
    const Sprite second(test::second_person());
    films_ = {film(&first, &second), film(&first, nullptr), film(nullptr, nullptr), film(nullptr, &second)};
    for (const auto& frame : films_[3]) {
      std::vector<std::uint8_t> luma(static_cast<std::size_t>(kWidth * kHeight) * 3 / 2, 128);
      for (std::size_t i = 0; i < static_cast<std::size_t>(kWidth * kHeight); ++i) luma[i] = frame[i * 3 + 1];
      luma_.push_back(std::move(luma));
    }
  }
  [[nodiscard]] ImageView at(int i) const {
    const auto frame = static_cast<std::size_t>(i) % kFilm;
    const auto colour = [](const std::vector<std::uint8_t>& f) {
      return make_image(f.data(), kWidth, kHeight, PixelFormat::kBgr);
    };
    switch (i / 60 % 6) {
      case 0: return colour(films_[0][frame]);
      case 1: return colour(films_[1][frame]);
      case 2: return colour(films_[2][frame]);
      case 3: return colour(films_[1][0]);
      case 4: return colour(films_[3][frame]);
      default: return make_image(luma_[frame].data(), kWidth, kHeight, PixelFormat::kNv12);
    }
  }

 private:
  std::array<Film, 4> films_;
  Film luma_;
};

// One camera that misbehaves as cameras do: it shows the films, is unplugged now and then, and sends broken frames.
class Camera {
 public:
  Camera(const Films& films, int number) : films_(films), at_(number * 37) {}
  ImageView next() {
    ++at_;
    seconds_ += at_ % 997 == 0 ? 5 : 1.0 / 30;
    return films_.at(at_);
  }
  [[nodiscard]] double seconds() const { return seconds_; }
  [[nodiscard]] bool broken() const { return at_ % 211 == 0; }
  [[nodiscard]] int at() const { return at_; }

 private:
  const Films& films_;
  int at_;
  double seconds_ = 0;
};

// What a stream must show whatever it sees.
struct Watch {
  int updates = 0;
  int decided = 0;
  std::set<std::uint64_t> ended;

  void look(const StreamUpdate& update) {
    ++updates;
    for (const Event& e : update.events) {
      decided += e.kind == EventKind::kDecided ? 1 : 0;
      if (e.kind == EventKind::kLost) require(ended.insert(e.track).second, "a track ended twice");
      if (e.kind == EventKind::kNewTrack) require(ended.count(e.track) == 0, "an id was used again");
    }
    for (const TrackResult& t : update.tracks) require(ended.count(t.id) == 0, "a track lives that has ended");
    if (ended.size() > 1000) ended.erase(ended.begin());  // ids only grow
  }
};

Verifier::Options options_of(int stream) {
  Verifier::Options o;
  o.scoring.limits.min_sharpness = 0;  // drawn faces are smooth
  o.all_faces = stream % 2 == 1;
  o.adaptive.enabled = stream % 3 == 1;
  o.cues.enabled = stream % 3 == 2;
  o.early_exit = stream == 4;
  o.tracking.method = stream == 3 ? TrackMethod::kNone : TrackMethod::kRedetect;
  return o;
}

void push_stream(Verifier& verifier, Camera& camera, int frames, Watch& watch, std::atomic<int>& done) {
  for (int i = 0; i < frames; ++i) {
    const ImageView image = camera.next();
    if (camera.broken()) {
      ImageView bad = image;
      bad.width = 0;
      bool refused = false;
      try {
        static_cast<void>(verifier.push(bad, camera.seconds()));
      } catch (const Error&) {
        refused = true;
      }
      require(refused, "a frame without a width was taken");
    }
    if (camera.at() % 401 == 0) verifier.set_pace({camera.at() % 7 + 1, camera.at() % 4 + 1, camera.at() % 2});
    if (camera.at() % 1999 == 0) verifier.reset();
    watch.look(verifier.push(image, camera.seconds()));
    ++done;
  }
}

void submit_stream(Verifier& verifier, Camera& camera, int frames, Watch& watch, std::atomic<int>& done) {
  std::atomic<int> seen{0};
  std::atomic<bool> right{true};
  const auto callback = [&](const StreamUpdate& update) {
    try {
      watch.look(update);
    } catch (const std::exception&) {
      right = false;
    }
    ++seen;
  };
  int given = 0;
  verifier.start(callback);
  for (int i = 0; i < frames; ++i) {
    verifier.submit(camera.next(), camera.seconds());
    ++given;
    ++done;
    // Sometimes faster than it can look: then the oldest frames go.
    const auto waiting = [&] { return given - seen - static_cast<int>(verifier.dropped()); };
    while (i % 50 >= 5 && waiting() > 1) std::this_thread::sleep_for(std::chrono::microseconds(100));
    if (i % 1000 == 999) {
      verifier.stop();
      seen = given = 0;
      verifier.start(callback);
    }
  }
  verifier.stop();
  require(right, "an update of the asynchronous mode is wrong");
}

// Stills through a cache that wants more than it may have.
void cached_stills(const Ensemble::Options& base, const std::vector<Model>& pad, const Films& films,
                   const std::atomic<bool>& over) {
  constexpr std::size_t kCap = 8'000;
  MemoryManager memory(kCap);
  Ensemble::Options options = base;
  options.cache = std::make_shared<PredictionCache>(PredictionCache::Options{1'000'000, {}});
  const auto cache = options.cache;
  const auto held = memory.add(
      "results", [&] { return cache->statistics().bytes; }, [&](std::size_t bytes) { cache->shrink(bytes); });
  const Ensemble ensemble(pad, options);
  Face face;
  std::size_t most = 0;
  for (int i = 0; !over || i < 200; ++i) {
    face.box = {100.0F + static_cast<float>(i % 97), 60.0F + static_cast<float>(i % 31), 90, 110};
    static_cast<void>(ensemble.predict(films.at(i), face));
    most = std::max(most, memory.used());
    if (i % 50 != 49) continue;
    memory.trim();
    require(memory.used() <= kCap, "the cap on the caches was not kept");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  require(most > kCap, "the cache never wanted more than it may have");
}

}  // namespace

TEST_CASE("Eight streams on one model: memory stays flat, every stream goes on deciding", "[soak][threads]") {
  if (!test::have_model("yunet_s_320_320.onnx") || !test::have_model("minifasnet_v2_80_scale2.7.onnx")) return;
  const bool long_run = std::getenv("LIVENESS_LONG_TESTS") != nullptr;
  const int each = (long_run ? 200'000 : 4'000) / kStreams;
  const Model detector = load("yunet_s_320_320.onnx", "yunet_320");
  const std::vector<Model> pad = {load("minifasnet_v2_80_scale2.7.onnx", "minifasnet_v2_80")};
  const Films films;

  std::array<Watch, kStreams> watches;
  std::array<std::string, kStreams + 1> complaints;
  std::atomic<int> done{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int s = 0; s < kStreams; ++s)
    threads.emplace_back([&, s] {
      const auto at = static_cast<std::size_t>(s);
      try {
        Verifier verifier(pad, detector, options_of(s));
        Camera camera(films, s);
        (s >= 6 ? submit_stream : push_stream)(verifier, camera, each, watches[at], done);
      } catch (const std::exception& e) {
        complaints[at] = e.what();
        done += each;  // the others are not waited for in vain
      }
    });
  std::thread stills([&] {
    try {
      cached_stills(options_of(0).scoring, pad, films, over);
    } catch (const std::exception& e) {
      complaints[kStreams] = e.what();
    }
  });

  // Once every stream has met everything once, nothing grows any more.
  std::vector<double> memory;
  constexpr int kSamples = 20;
  for (int next = 1; next <= kSamples; ++next) {
    while (done < each * kStreams / kSamples * next) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    memory.push_back(test::resident());
    if (long_run) {
      std::printf("%d frames: %.1f MB resident\n", done.load(), memory.back() / 1e6);
      std::fflush(stdout);
    }
  }
  over = true;
  for (std::thread& t : threads) t.join();
  stills.join();

  for (const std::string& complaint : complaints) CHECK(complaint == "");
  for (const Watch& w : watches) {
    CHECK(w.decided > 0);
    CHECK(w.updates > each / 4);
  }
  if (!test::kSanitized)
    CHECK(*std::max_element(memory.begin() + kSamples / 2, memory.end()) - memory[kSamples / 4] <= 4e6);
}
