// The whole stream: decisions on tracks, events, and what must never happen.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "liveness/error.hpp"
#include "liveness/verifier.hpp"
#include "made_up_face.hpp"
#include "refusal.hpp"
#include "shared_models.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using test::Scene;
using test::Sprite;
using test::Stage;

namespace {

constexpr double kFrame = 1.0 / 30;

template <class Call>
void check_refusal(const Call& call, Status status, const std::string& name) {
  CHECK_THAT(test::refusal(status, call), Catch::Contains(name));
}

// Tiny networks on a grid: detection in every frame, no smoothing of scores.
Verifier::Options tiny_options() {
  Verifier::Options o;
  o.tracking.method = TrackMethod::kNone;
  o.tracking.birth = 1;
  o.pace.score_every = 1;
  o.scoring.limits = {0, 0, 0, 1, 1, 180, 180};
  return o;
}

Verifier tiny_verifier(const Verifier::Options& options = tiny_options()) {
  return Verifier({test::tiny_pad()}, test::tiny_detector(), options);
}

// Faces with a pixel of their own in every frame: a camera's pictures are never equal.
struct LivingScene : Scene {
  ImageView view() {
    for (int y = 0; y < kSide; ++y)
      for (int x = 0; x < kSide; ++x) {
        std::uint8_t& green = pixels[static_cast<std::size_t>(y * kSide + x) * 3 + 1];
        green = static_cast<std::uint8_t>(green ^ ((x * 7 + y * 13 + tick) % 3 == 0 ? 1 : 0));
      }
    ++tick;
    return Scene::view();
  }
  int tick = 0;
};

std::vector<EventKind> kinds(const StreamUpdate& update) {
  std::vector<EventKind> all;
  for (const Event& e : update.events) all.push_back(e.kind);
  return all;
}

bool has_event(const StreamUpdate& update, EventKind kind) {
  for (const Event& e : update.events)
    if (e.kind == kind) return true;
  return false;
}

}  // namespace

TEST_CASE("A bona fide face is decided LIVE with time, an attack SPOOF at once", "[verifier]") {
  Verifier verifier = tiny_verifier();
  LivingScene scene;
  scene.face(1, 1, 190);
  int decided = -1;
  for (int i = 0; i < 60 && decided < 0; ++i) {
    const StreamUpdate update = verifier.push(scene.view(), i * kFrame);
    REQUIRE(update.tracks.size() == 1);
    const TrackResult& t = update.tracks[0];
    CHECK(update.frame == static_cast<std::uint64_t>(i));
    CHECK(update.verdict == t.verdict);
    CHECK(t.id == 1);
    CHECK(t.scored);
    if (i == 0) CHECK(kinds(update) == std::vector<EventKind>{EventKind::kNewTrack});
    if (t.verdict == Verdict::kLive) {
      decided = i;
      CHECK(kinds(update) == std::vector<EventKind>{EventKind::kDecided});
      CHECK(update.events[0].verdict == Verdict::kLive);
      CHECK(t.state == TrackState::kDecided);
      CHECK(t.score > t.threshold);
      CHECK(t.confidence == 1);
      CHECK(t.decided == Approx(i * kFrame));
    } else {
      CHECK(t.verdict == Verdict::kUncertain);
      CHECK(t.state == TrackState::kCollecting);
    }
  }
  CHECK(decided * kFrame >= 0.5);

  Verifier second = tiny_verifier();
  LivingScene attack;
  attack.face(1, 1, 40);
  const StreamUpdate update = second.push(attack.view(), 0);
  REQUIRE(update.tracks.size() == 1);
  CHECK(update.verdict == Verdict::kSpoof);
  CHECK(kinds(update) == std::vector<EventKind>{EventKind::kNewTrack, EventKind::kDecided});

  // Nobody there: NO_FACE, and the track that was ends.
  Stage empty(320, 320);
  Verifier third = tiny_verifier();
  CHECK(third.push(LivingScene().view(), 0).verdict == Verdict::kNoFace);
}

TEST_CASE("A verdict is kept under its track, not under the face's place in a list", "[verifier][regression]") {
  // A bona fide face and an attack; then a third, larger face appears, so that every index changes.
  Verifier::Options options = tiny_options();
  options.all_faces = true;
  options.tracking.same_scene = -1;
  Verifier verifier = tiny_verifier(options);
  LivingScene scene;
  scene.face(0, 0, 190);
  scene.face(2, 0, 40);
  std::map<std::uint64_t, Rect> place;
  for (int i = 0; i < 90; ++i) {
    if (i == 45) scene.face(1, 2, 190, 60);
    const StreamUpdate update = verifier.push(scene.view(), i * kFrame);
    CHECK(update.tracks.size() == (i < 45 ? 2U : 3U));
    for (const TrackResult& t : update.tracks) {
      const Rect first = place.try_emplace(t.id, t.face.box).first->second;
      CHECK(iou(first, t.face.box) > 0.9F);
      const bool attack = t.face.box.x > 140 && t.face.box.y < 60;
      if (t.verdict == Verdict::kLive) CHECK_FALSE(attack);
      if (t.verdict == Verdict::kSpoof && t.id < 3) CHECK(attack);
      // A newcomer starts with nothing.
      if (i == 45 && t.id == 3) CHECK(t.state != TrackState::kDecided);
    }
    if (i == 44) {
      CHECK(update.tracks[0].state == TrackState::kDecided);
      CHECK(update.tracks[1].state == TrackState::kDecided);
    }
    if (i == 45) CHECK(update.tracks[0].id == 3);  // the largest is the deciding one
  }
}

TEST_CASE("A face that turns into another, however slowly, is scored again", "[verifier][regression]") {
  // A photo slides over a face that was LIVE: from frame to frame next to nothing changes, and the scores are not
  // looked at again before rescore_every. The sum of the changes must reopen the verdict.
  Verifier::Options options = tiny_options();
  options.early_exit = true;
  options.rescore_every = 3000;
  options.decision.max_seconds = 60;
  options.tracking.same_scene = -1;
  Verifier verifier = tiny_verifier(options);
  LivingScene scene;
  scene.face(1, 1, 190);
  for (int y = 80; y < 160; ++y)  // features that a small picture of the face still shows
    for (int x = 80; x < 160; ++x)
      scene.pixels[static_cast<std::size_t>(y * Scene::kSide + x) * 3 + 1] =
          static_cast<std::uint8_t>((x / 10 + y / 10) % 2 == 0 ? 240 : 140);
  double time = 0;
  Verdict verdict = Verdict::kUncertain;
  for (int i = 0; i < 40; ++i) {
    const StreamUpdate update = verifier.push(scene.view(), time += kFrame);
    verdict = update.verdict;
  }
  REQUIRE(verdict == Verdict::kLive);
  bool reopened = false;
  for (int row = 0; row < 80; ++row) {
    // The photo: dark green with a pattern of its own, one more row of it in every frame.
    for (int x = 80; x < 160; ++x) {
      std::uint8_t* p = &scene.pixels[static_cast<std::size_t>((80 + row) * Scene::kSide + x) * 3];
      p[1] = static_cast<std::uint8_t>(((x + 2 * row) / 11) % 2 == 0 ? 70 : 10);
    }
    const StreamUpdate update = verifier.push(scene.view(), time += kFrame);
    REQUIRE(update.tracks.size() == 1);
    for (const Event& e : update.events)
      reopened = reopened || (e.kind == EventKind::kChanged && e.previous == Verdict::kLive);
    verdict = update.verdict;
    CHECK(update.tracks[0].id == 1);  // from frame to frame it is one face
  }
  CHECK(reopened);
  CHECK(verdict == Verdict::kSpoof);
}

TEST_CASE("Another face in the same place starts from nothing", "[verifier]") {
  const std::string file = "yunet_s_320_320.onnx";
  if (!test::have_model(file)) return;
  Model::Options load;
  load.contract = std::string(LIVENESS_SOURCE_DIR) + "/models/contracts/yunet_320.yaml";
  const Model yunet = Model::load(test::shared_models() / file, load);
  const Sprite faces[2] = {Sprite(test::first_person()), Sprite(test::second_person())};
  test::TinyPad pad;
  pad.slope = 0.5F;
  // The first face is greener than the middle of the two, the second is not.
  Predictor::Options whole;
  whole.detector = yunet;
  const Predictor predictor(test::tiny_pad(pad), whole);
  float logits = 0;
  for (const Sprite& face : faces) {
    Stage still;
    still.paint(face, {320, 240, 200});
    logits += predictor.predict(still.shoot()).logit;
  }
  pad.middle += logits / 2 / pad.slope;
  Verifier::Options options;
  options.pace.score_every = 3;
  options.early_exit = true;
  options.scoring.limits.min_sharpness = 0;  // drawn faces are smooth
  Verifier verifier({test::tiny_pad(pad)}, yunet, options);
  Stage stage;
  std::uint64_t first = 0;
  int lost = 0;
  for (int i = 0; i < 90; ++i) {
    stage.clear();
    stage.paint(faces[i < 45 ? 0 : 1], {320, 240, 200});
    const StreamUpdate update = verifier.push(stage.shoot(), i * kFrame);
    if (i == 44) {
      INFO("logits " << logits << ", score " << update.tracks.at(0).score << ", scores " << update.tracks[0].scores
                     << ", reasons " << update.tracks[0].reasons << ", evidence " << update.tracks[0].evidence);
      REQUIRE(update.verdict == Verdict::kLive);
      first = update.tracks[0].id;
      CHECK(update.tracks[0].scores >= 5);
    }
    if (i >= 45) {
      CHECK(update.verdict != Verdict::kLive);
      for (const TrackResult& t : update.tracks) CHECK(t.id != first);
    }
    for (const Event& e : update.events)
      if (e.kind == EventKind::kLost && e.track == first) {
        ++lost;
        CHECK(e.verdict == Verdict::kLive);
      }
    if (i == 89) CHECK(update.verdict == Verdict::kSpoof);
  }
  CHECK(lost == 1);
}

TEST_CASE("Pace: scoring every M, skipping, early exit", "[verifier]") {
  Verifier::Options options = tiny_options();
  options.pace.score_every = 4;
  options.pace.skip = 1;
  Verifier verifier = tiny_verifier(options);
  LivingScene scene;
  scene.face(1, 1, 190);
  for (int i = 0; i < 32; ++i) {
    const StreamUpdate update = verifier.push(scene.view(), i * kFrame);
    CAPTURE(i);
    CHECK(update.skipped == (i % 2 == 1));
    REQUIRE(update.tracks.size() == 1);
    CHECK(update.tracks[0].scored == (i % 8 == 0));  // every fourth that is looked at
  }
  verifier.set_pace({30, 1, 0});
  CHECK(verifier.pace().score_every == 1);
  verifier.push(scene.view(), 2);
  CHECK(verifier.push(scene.view(), 2.1).tracks[0].scored);
  check_refusal([&] { verifier.set_pace({0, 1, 0}); }, Status::kInvalidArgument, "pace.detect_every");
  CHECK(verifier.pace().detect_every == 30);

  Verifier::Options early = tiny_options();
  early.early_exit = true;
  early.rescore_every = 20;
  Verifier saving = tiny_verifier(early);
  LivingScene attack;
  attack.face(1, 1, 40);
  int scored = 0;
  for (int i = 0; i < 60; ++i) scored += saving.push(attack.view(), i * kFrame).tracks.at(0).scored ? 1 : 0;
  CHECK(scored == 3);
}

TEST_CASE("An undecided face is UNCERTAIN when the time has run out", "[verifier]") {
  Verifier::Options options = tiny_options();
  options.decision.max_seconds = 2;
  Verifier verifier = tiny_verifier(options);
  LivingScene scene;
  scene.face(1, 1, 128);  // says neither
  int told = 0;
  for (int i = 0; i < 90; ++i) {
    const StreamUpdate update = verifier.push(scene.view(), i * kFrame);
    CHECK(update.verdict == Verdict::kUncertain);
    if (has_event(update, EventKind::kDecided)) {
      ++told;
      CHECK(i * kFrame >= 2);
      CHECK(update.tracks[0].state == TrackState::kDecided);
    }
  }
  CHECK(told == 1);
}

TEST_CASE("A face that cannot be scored and a still picture are UNCERTAIN when the time has run out", "[verifier]") {
  enum class Kind { kDark, kStill, kSecond };
  for (const Kind kind : {Kind::kDark, Kind::kStill, Kind::kSecond}) {
    CAPTURE(static_cast<int>(kind));
    Verifier::Options options = tiny_options();
    if (kind == Kind::kDark) options.scoring.limits.min_luminance = 200;  // every score abstains
    Verifier verifier = tiny_verifier(options);
    LivingScene scene;
    scene.face(1, 1, kind == Kind::kSecond ? 40 : 190);
    if (kind == Kind::kSecond) scene.face(3, 3, 190, 0);
    const Scene still = scene;
    std::map<std::uint64_t, double> told;
    for (int i = 0; i < 300; ++i) {
      const StreamUpdate update = verifier.push(kind == Kind::kStill ? still.view() : scene.view(), i * kFrame);
      for (const Event& e : update.events)
        if (e.kind == EventKind::kDecided) {
          CHECK(told.try_emplace(e.track, e.seconds).second);
          if (kind == Kind::kSecond) continue;
          CHECK(e.verdict == Verdict::kUncertain);
          CHECK_THAT(e.text, Catch::Contains("time"));
        }
      if (kind == Kind::kStill && i > 0) CHECK(has(update.tracks.at(0).reasons, Reason::kFrozen));
      if (kind == Kind::kDark) CHECK(has(update.tracks.at(0).reasons, Reason::kDark));
    }
    REQUIRE(told.size() == 1);  // a face that is not the deciding one is never waited for
    if (kind != Kind::kSecond) CHECK(told.begin()->second == Approx(8).margin(kFrame));
  }
}

TEST_CASE("Reasons: what abstains is no evidence; frozen frames are none either", "[verifier]") {
  Verifier::Options options = tiny_options();
  options.scoring.limits.min_luminance = 200;
  Verifier dark = tiny_verifier(options);
  LivingScene scene;
  scene.face(1, 1, 190);
  for (int i = 0; i < 60; ++i) {
    const StreamUpdate update = dark.push(scene.view(), i * kFrame);
    CHECK(update.verdict == Verdict::kUncertain);
    CHECK(has(update.tracks[0].reasons, Reason::kDark));
  }

  Verifier verifier = tiny_verifier();
  const Scene still = scene;
  int scored = 0;
  for (int i = 0; i < 60; ++i) {
    const StreamUpdate update = verifier.push(still.view(), i * kFrame);
    scored += update.tracks.at(0).scored ? 1 : 0;
    CHECK(update.verdict == Verdict::kUncertain);
    CHECK(has(update.tracks[0].reasons, Reason::kFrozen) == (i > 0));
    CHECK(has_event(update, EventKind::kFrozen) == (i == 1));
  }
  CHECK(scored == 1);
  CHECK(has_event(verifier.push(scene.view(), 3), EventKind::kResumed));
}

TEST_CASE("Faults of a stream are events; time that runs backwards is an error", "[verifier]") {
  Verifier verifier = tiny_verifier();
  LivingScene scene;
  scene.face(1, 1, 190);
  for (int i = 0; i < 30; ++i) verifier.push(scene.view(), i * kFrame);
  check_refusal([&] { verifier.push(scene.view(), 0.5); }, Status::kInvalidArgument, "runs backwards");
  check_refusal([&] { verifier.push(scene.view(), NAN); }, Status::kInvalidArgument, "seconds");
  check_refusal([&] { verifier.push(make_image(scene.pixels.data(), 0, 0, PixelFormat::kBgr), 1); },
                Status::kInvalidArgument, "image");
  // None of these harmed the track.
  CHECK(verifier.push(scene.view(), 1).tracks.at(0).id == 1);

  const StreamUpdate gap = verifier.push(scene.view(), 100);
  CHECK(kinds(gap) == std::vector<EventKind>{EventKind::kGap, EventKind::kLost, EventKind::kNewTrack});
  CHECK(gap.tracks.at(0).state != TrackState::kDecided);

  ImageView grey = scene.view();
  grey.format = PixelFormat::kBgra;  // the same bytes as half as many rows of another format
  grey.height = Scene::kSide / 2;
  grey.stride = Scene::kSide * 4;
  CHECK(has_event(verifier.push(grey, 100.1), EventKind::kFormat));
  verifier.reset();
  CHECK(verifier.push(scene.view(), 100.2).tracks.at(0).id > 2);

  // A clock that jumps ahead for one frame and comes back: refused until the stream is told to begin anew.
  CHECK(has_event(verifier.push(scene.view(), 1e6), EventKind::kGap));
  check_refusal([&] { verifier.push(scene.view(), 100.3); }, Status::kInvalidArgument, "runs backwards");
  verifier.reset();
  const StreamUpdate back = verifier.push(scene.view(), 100.3);
  CHECK(kinds(back) == std::vector<EventKind>{EventKind::kNewTrack});
  CHECK(verifier.push(scene.view(), 100.4).tracks.at(0).id == back.tracks.at(0).id);
}

TEST_CASE("The adaptive threshold is told, and stays off in strict", "[verifier]") {
  for (const bool strict : {false, true}) {
    Verifier::Options options = tiny_options();
    options.adaptive.enabled = true;
    options.adaptive.luminance = 255;
    options.adaptive.per_step = 1;
    if (strict) options.scoring.profile = "strict";
    Verifier verifier = tiny_verifier(options);
    LivingScene scene;
    scene.face(1, 1, 150);
    bool told = false;
    for (int i = 0; i < 90; ++i)
      for (const Event& e : verifier.push(scene.view(), i * kFrame).events)
        if (e.kind == EventKind::kThreshold) {
          told = true;
          CHECK_THAT(e.text, Catch::Contains("dark"));
        }
    CHECK(told == !strict);
    CHECK(verifier.threshold_log().empty() == strict);
  }
}

TEST_CASE("Asynchronous: the oldest frame is dropped and counted, order kept, a slow callback harms nothing",
          "[verifier][threads]") {
  Verifier::Options options = tiny_options();
  options.queue = 2;
  Verifier verifier = tiny_verifier(options);
  LivingScene scene;
  scene.face(1, 1, 190);
  check_refusal([&] { verifier.submit(scene.view(), 0); }, Status::kInvalidState, "off");
  check_refusal([&] { verifier.start({}); }, Status::kInvalidArgument, "callback");

  std::mutex mutex;
  std::condition_variable changed;
  bool held = true;
  std::vector<double> seen;
  verifier.start([&](const StreamUpdate& update) {
    std::unique_lock lock(mutex);
    seen.push_back(update.seconds);
    changed.notify_all();
    changed.wait(lock, [&] { return !held; });
  });
  check_refusal([&] { verifier.push(scene.view(), 0); }, Status::kInvalidState, "asynchronous");
  check_refusal([&] { verifier.start([](const StreamUpdate&) {}); }, Status::kInvalidState, "asynchronous");
  verifier.submit(scene.view(), 0);
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return seen.size() == 1; });
  }
  // The worker is in the callback: of these, two fit.
  for (int i = 1; i <= 7; ++i) verifier.submit(scene.view(), i * kFrame);
  CHECK(verifier.dropped() == 5);
  check_refusal([&] { verifier.submit(scene.view(), 0.01); }, Status::kInvalidArgument, "runs backwards");
  {
    std::unique_lock lock(mutex);
    held = false;
    changed.notify_all();
    changed.wait(lock, [&] { return seen.size() == 3; });
  }
  verifier.stop();
  CHECK(seen == std::vector<double>{0, 6 * kFrame, 7 * kFrame});
  verifier.stop();
  verifier.push(scene.view(), 1);  // synchronous again, the stream goes on
}

TEST_CASE("Asynchronous: a callback that stalls for ten seconds of the stream", "[verifier][threads]") {
  Verifier verifier = tiny_verifier();
  LivingScene scene;
  scene.face(1, 1, 190);
  std::mutex mutex;
  std::condition_variable changed;
  bool stall = false;
  std::vector<StreamUpdate> seen;
  verifier.start([&](const StreamUpdate& update) {
    std::unique_lock lock(mutex);
    seen.push_back(update);
    changed.notify_all();
    changed.wait(lock, [&] { return !stall; });
  });
  const auto submit_and_wait = [&](double seconds, std::size_t count) {
    verifier.submit(scene.view(), seconds);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return seen.size() == count; });
  };
  for (int i = 0; i < 30; ++i) submit_and_wait(i * kFrame, static_cast<std::size_t>(i + 1));
  {
    const std::lock_guard lock(mutex);
    REQUIRE(seen.back().verdict == Verdict::kLive);
    stall = true;
  }
  submit_and_wait(1, 31);  // its callback does not come back
  for (int i = 1; i <= 300; ++i) verifier.submit(scene.view(), 1 + i * kFrame);
  CHECK(verifier.dropped() == 298);  // the queue holds two; submit() never waited
  {
    std::unique_lock lock(mutex);
    stall = false;
    changed.notify_all();
    changed.wait(lock, [&] { return seen.size() == 33; });
  }
  verifier.stop();
  // The time that was lost is told, and no verdict is carried over it.
  const StreamUpdate& after = seen[31];
  CHECK(after.seconds == Approx(1 + 299 * kFrame));
  CHECK(kinds(after) == std::vector<EventKind>{EventKind::kGap, EventKind::kLost, EventKind::kNewTrack});
  CHECK(after.verdict == Verdict::kUncertain);
  CHECK(after.frame == 31);
  CHECK(seen[32].tracks.at(0).id == after.tracks.at(0).id);
}

TEST_CASE("Asynchronous: stop under load, callbacks that throw, changes of pace meanwhile", "[verifier][threads]") {
  for (int round = 0; round < 5; ++round) {
    Verifier verifier = tiny_verifier();
    std::atomic<int> updates{0};
    std::atomic<int> complaints{0};
    std::atomic<bool> refused{false};
    verifier.start([&](const StreamUpdate& update) {
      ++updates;
      for (const Event& e : update.events)
        if (e.kind == EventKind::kError) ++complaints;
      try {
        verifier.stop();
      } catch (const Error&) {
        refused = true;
      }
      throw std::runtime_error("thrown by a test");
    });
    std::atomic<bool> done{false};
    std::thread capture([&] {
      LivingScene scene;
      scene.face(1, 1, 190);
      for (int i = 0; !done; ++i) {
        try {
          verifier.submit(scene.view(), i * kFrame);
        } catch (const Error& e) {
          if (e.status() == Status::kInvalidState) return;
          throw;
        }
      }
    });
    while (updates < 20) {
      verifier.set_pace({30, 1 + round, 0});
      static_cast<void>(verifier.dropped());
      std::this_thread::yield();
    }
    verifier.stop();
    const int after = updates;
    done = true;
    capture.join();
    CHECK(updates == after);
    CHECK(complaints >= 10);
    CHECK(refused);
  }
}

TEST_CASE("Several verifiers share one model", "[verifier][threads]") {
  const Model pad = test::tiny_pad();
  const Model detector = test::tiny_detector();
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int v = 0; v < 4; ++v)
    threads.emplace_back([&, v] {
      Verifier verifier({pad}, detector, tiny_options());
      LivingScene scene;
      scene.face(1, 1, v % 2 == 0 ? 190 : 40);
      Verdict verdict = Verdict::kUncertain;
      for (int i = 0; i < 60; ++i) verdict = verifier.push(scene.view(), i * kFrame).verdict;
      right += verdict == (v % 2 == 0 ? Verdict::kLive : Verdict::kSpoof) ? 1 : 0;
    });
  for (std::thread& t : threads) t.join();
  CHECK(right == 4);
}

TEST_CASE("Options out of range are refused by name", "[verifier]") {
  const auto refused = [](auto change, const std::string& name) {
    Verifier::Options o = tiny_options();
    change(o);
    CAPTURE(name);
    check_refusal([&] { tiny_verifier(o); }, Status::kInvalidArgument, name);
  };
  refused([](auto& o) { o.pace.score_every = 0; }, "pace.score_every");
  refused([](auto& o) { o.pace.skip = 31; }, "pace.skip");
  refused([](auto& o) { o.targets = DecisionTargets{0, 0.1F}; }, "targets.apcer");
  refused([](auto& o) { o.decision.max_seconds = 0; }, "decision.max_seconds");
  refused([](auto& o) { o.decision.gain = std::numeric_limits<float>::quiet_NaN(); }, "decision.gain");
  refused([](auto& o) { o.smoothing.window = 16; }, "smoothing.window");
  refused([](auto& o) { o.adaptive.memory = 1; }, "adaptive.memory");
  refused([](auto& o) { o.cues.frames = 7; }, "cues.frames");
  refused([](auto& o) { o.rescore_every = 0; }, "rescore_every");
  refused([](auto& o) { o.changed_face = 2; }, "changed_face");
  refused([](auto& o) { o.queue = 0; }, "queue");
  refused([](auto& o) { o.scoring.profile = "lax"; }, "lax");
  refused([](auto& o) { o.tracking.death = 0; }, "tracking.death");
  check_refusal([] { Verifier({test::tiny_pad()}, test::tiny_pad(), tiny_options()); }, Status::kInvalidArgument,
                "tiny_pad");
  check_refusal([] { Verifier({}, test::tiny_detector(), tiny_options()); }, Status::kInvalidArgument, "members");
}
