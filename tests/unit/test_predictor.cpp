#include "liveness/predictor.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <thread>

#include "same_result.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const ReasonMask kNone = 0;

Predictor::Options with_detector() {
  Predictor::Options o;
  o.detector = tiny_detector();
  return o;
}

// The score of a crop whose green channel has this mean, by the tiny network's rule.
float expected(float green, const TinyPad& net = {}) {
  return 1 / (1 + std::exp(-(green - net.middle) * net.slope / net.temperature));
}

template <class Call>
void check_error(Status status, const std::string& part, Call&& call) {
  CAPTURE(part);
  try {
    call();
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.status() == status);
    CHECK_THAT(e.what(), Catch::Contains(part));
  }
}

}  // namespace

TEST_CASE("a face is found and scored; the score is P(live), the logit its log-odds") {
  const Predictor predictor(tiny_pad(), with_detector());
  for (const auto& [green, verdict] : {std::pair{180, Verdict::kLive}, {60, Verdict::kSpoof}}) {
    Scene scene;
    scene.face(1, 1, green);
    const Result r = predictor.predict(scene.view());
    CHECK(r.verdict == verdict);
    CHECK(r.score == Approx(expected(static_cast<float>(green))).margin(0.02));
    CHECK(r.logit == Approx(std::log(r.score / (1 - r.score))).epsilon(0.01));
    CHECK(r.threshold == 0.5F);
    CHECK(r.reasons == kNone);
    CHECK(r.model == "tiny_pad");
    REQUIRE(r.faces.size() == 1);
    CHECK(iou(r.faces[0].face.box, Scene::box(1, 1)) > 0.95F);
    CHECK(r.faces[0].face.has_landmarks);
    REQUIRE(r.faces[0].members.size() == 1);
    CHECK(r.faces[0].members[0].model == "tiny_pad");
    CHECK(r.faces[0].members[0].score == r.score);
    CHECK(r.faces[0].members[0].logit == r.logit);
    CHECK(r.time.total >= r.time.detect + r.time.roi + r.time.infer);
    CHECK(r.time.infer > 0);
  }
}

TEST_CASE("without a face there is no verdict on liveness") {
  const Predictor predictor(tiny_pad(), with_detector());
  const Result r = predictor.predict(Scene().view());
  CHECK(r.verdict == Verdict::kNoFace);
  CHECK(r.score == 0);
  CHECK(r.faces.empty());
}

TEST_CASE("the contract decides which class is live, whether softmax is inside, and the temperature") {
  Scene scene;
  scene.paint(80, 80, 80, 80, 0, 150, 255, 20);
  const float plain = Predictor(tiny_pad()).predict(scene.view(), Scene::box(1, 1)).score;
  CHECK(plain == Approx(expected(150)).margin(0.01));
  for (int live = 0; live < 3; ++live) {
    TinyPad net;
    net.live = live;
    CHECK(Predictor(tiny_pad(net)).predict(scene.view(), Scene::box(1, 1)).score == Approx(plain).margin(1e-6));
    net.softmax_inside = true;
    CHECK(Predictor(tiny_pad(net)).predict(scene.view(), Scene::box(1, 1)).score == Approx(plain).margin(1e-5));
  }
  TinyPad two;
  two.classes = 2;
  two.live = 0;
  CHECK(Predictor(tiny_pad(two)).predict(scene.view(), Scene::box(1, 1)).score == Approx(plain).margin(1e-6));
  two.temperature = 3;
  const float soft = Predictor(tiny_pad(two)).predict(scene.view(), Scene::box(1, 1)).score;
  CHECK(soft == Approx(expected(150, two)).margin(0.01));
  two.softmax_inside = true;
  CHECK(Predictor(tiny_pad(two)).predict(scene.view(), Scene::box(1, 1)).score == Approx(soft).margin(1e-5));
}

TEST_CASE("log-odds stay finite where the score saturates") {
  TinyPad net;
  net.slope = 10;
  Scene scene;
  scene.paint(80, 80, 80, 80, 0, 220, 255, 20);
  const Predictor predictor(tiny_pad(net));
  Result r = predictor.predict(scene.view(), Scene::box(1, 1));
  CHECK(r.score == 1);
  CHECK(r.logit == kMaxLogit);
  scene.paint(80, 80, 80, 80, 0, 30, 255, 20);
  r = predictor.predict(scene.view(), Scene::box(1, 1));
  CHECK(r.logit == -kMaxLogit);
  CHECK(r.verdict == Verdict::kSpoof);
}

TEST_CASE("threshold profiles, the band between their bounds, and a threshold of one's own") {
  TinyPad net;
  net.balanced = {0.7F, 0.3F, "made up"};
  Scene scene;
  scene.face(0, 0, 128);  // about 0.5
  scene.face(1, 0, 180);  // about 0.96
  scene.face(2, 0, 150);  // about 0.8
  scene.face(3, 0, 90);   // about 0.09
  const auto verdict = [&](int column, const Predictor::Options& o) {
    return Predictor(tiny_pad(net), o).predict(scene.view(), Scene::box(column, 0)).verdict;
  };
  Predictor::Options o;
  CHECK(verdict(0, o) == Verdict::kUncertain);
  CHECK(verdict(2, o) == Verdict::kLive);
  CHECK(verdict(3, o) == Verdict::kSpoof);
  o.profile = "strict";
  CHECK(verdict(2, o) == Verdict::kSpoof);
  CHECK(verdict(1, o) == Verdict::kLive);
  o.threshold = 0.05F;
  CHECK(verdict(3, o) == Verdict::kLive);
  CHECK(Predictor(tiny_pad(net), o).predict(scene.view(), Scene::box(3, 0)).threshold == 0.05F);
  o.threshold = 1;
  CHECK(verdict(1, o) == Verdict::kSpoof);
}

TEST_CASE("a score of zero is never live, and what is no score is uncertain") {
  CHECK(decide(0, {0, 0}) != Verdict::kLive);
  CHECK(decide(1e-30F, {0, 0}) == Verdict::kLive);
  CHECK(decide(kNaN, {0, 0}) == Verdict::kUncertain);
  CHECK(decide(2, {0.5F, 0.5F}) == Verdict::kUncertain);
  CHECK(decide(0.5F, {kNaN, kNaN}) == Verdict::kUncertain);
  CHECK(Result().verdict != Verdict::kLive);
  CHECK(FaceResult().verdict != Verdict::kLive);
}

TEST_CASE("a network whose output is not finite gives an error, not a verdict") {
  TinyPad net;
  net.middle = 0;
  net.slope = 3e38F;
  Scene scene;
  scene.face(1, 1, 200);
  Profiler profiler;
  Predictor::Options o;
  o.profiler = &profiler;
  const Predictor predictor(tiny_pad(net), o);
  check_error(Status::kModelInvalid, "output 'scores'[1] is not finite",
              [&] { (void)predictor.predict(scene.view(), Scene::box(1, 1)); });
  CHECK(profiler.count(Profiler::Counter::kErrors) == 1);
}

TEST_CASE("the largest face decides; the others are a reason, and are scored on demand") {
  TinyPad net;
  net.middle = 80;  // the large face has a dark rim
  Scene scene;
  scene.face(0, 0, 60);
  scene.face(3, 3, 60);
  scene.face(1, 2, 200, 100);  // larger than its neighbours, and live
  auto o = with_detector();
  Result r = Predictor(tiny_pad(net), o).predict(scene.view());
  CHECK(r.verdict == Verdict::kLive);
  CHECK(has(r.reasons, Reason::kSeveralFaces));
  REQUIRE(r.faces.size() == 1);
  CHECK(r.faces[0].face.box.width > 90);

  o.all_faces = true;
  r = Predictor(tiny_pad(net), o).predict(scene.view());
  CHECK(r.verdict == Verdict::kLive);
  REQUIRE(r.faces.size() == 3);
  CHECK(r.faces[0].verdict == Verdict::kLive);
  CHECK(r.faces[1].verdict == Verdict::kSpoof);
  CHECK(r.faces[2].verdict == Verdict::kSpoof);

  o.abstain |= mask(Reason::kSeveralFaces);
  CHECK(Predictor(tiny_pad(net), o).predict(scene.view()).verdict == Verdict::kUncertain);
}

TEST_CASE("every reason of quality is given, and abstains where it is told to") {
  Scene scene;
  Face face;
  face.box = {100, 100, 100, 100};
  Predictor::Options o;
  Reason reason{};
  SECTION("too small") {
    scene.paint(100, 100, 40, 40, 0, 200, 120, 20);
    face.box = {100, 100, 40, 40};
    reason = Reason::kTooSmall;
  }
  SECTION("blurred") {
    scene.paint(100, 100, 100, 100, 0, 200, 120, 0);
    reason = Reason::kBlurred;
  }
  SECTION("dark") {
    scene.paint(100, 100, 100, 100, 0, 42, 0, 25);
    o.threshold = 1e-6F;
    reason = Reason::kDark;
  }
  SECTION("saturated") {
    scene.paint(100, 100, 100, 100, 255, 230, 255, 25);
    scene.paint(100, 100, 100, 40, 255, 255, 255, 0);
    reason = Reason::kSaturated;
  }
  SECTION("turned away") {
    scene.paint(100, 100, 100, 100, 0, 200, 120, 20);
    face.has_landmarks = true;
    face.landmarks = {Point{130, 130}, {170, 130}, {190, 155}, {135, 175}, {165, 175}};
    reason = Reason::kTurnedAway;
  }
  const Result r = Predictor(tiny_pad(), o).predict(scene.view(), face);
  CHECK(r.reasons == mask(reason));
  CHECK(r.verdict == Verdict::kUncertain);
  o.abstain &= ~mask(reason);
  const Result without = Predictor(tiny_pad(), o).predict(scene.view(), face);
  CHECK(without.reasons == mask(reason));
  CHECK(without.verdict == Verdict::kLive);
  CHECK(without.score == r.score);
}

TEST_CASE("a crop that leaves the frame is a reason, and what cannot be cropped is not scored") {
  Scene scene;
  scene.paint(0, 0, 100, 100, 0, 200, 120, 20);
  TinyPad net;
  net.crop_scale = 4;
  net.border = BorderRule::kReplicate;
  Predictor::Options o;
  o.abstain |= mask(Reason::kAtBorder);
  Result r = Predictor(tiny_pad(net), o).predict(scene.view(), Rect{0, 0, 100, 100});
  CHECK(has(r.reasons, Reason::kAtBorder));
  CHECK(r.verdict == Verdict::kUncertain);
  REQUIRE(r.faces.size() == 1);
  CHECK(r.faces[0].quality.outside == Approx(1 - 250.0 * 250.0 / (400.0 * 400.0)).margin(0.02));
  CHECK(r.faces[0].members.size() == 1);

  // The network was trained on boxes that lie one height below the caller's: of this one nothing is left in the frame.
  Package package = tiny_pad_package({});
  package.contract.crop->box = "low";
  package.contract.crop->from["yunet"] = BoxMap{{1, 0}, {0, 1}, {0, 1}};
  o.abstain = 0;
  r = Predictor(tiny_model(package), o).predict(scene.view(), Rect{0, 250, 100, 100});
  CHECK(r.verdict == Verdict::kUncertain);
  CHECK(has(r.reasons, Reason::kAtBorder));
  CHECK(r.score == 0);
  REQUIRE(r.faces.size() == 1);
  CHECK(r.faces[0].members.empty());
  CHECK(r.faces[0].quality.outside == 1);
}

TEST_CASE("boxes are mapped from the convention that they come in") {
  Scene scene;
  scene.paint(0, 0, 320, 160, 0, 60, 120, 20);
  scene.paint(0, 160, 320, 160, 0, 200, 120, 20);
  Package package = tiny_pad_package({});
  package.contract.crop->box = "low";
  package.contract.crop->from["high"] = BoxMap{{1, 0}, {0, 1}, {0, 1}};  // centre one height further down
  Predictor::Options o;
  o.box_convention = "low";
  CHECK(Predictor(tiny_model(package), o).predict(scene.view(), Rect{100, 60, 100, 100}).verdict == Verdict::kSpoof);
  o.box_convention = "high";
  CHECK(Predictor(tiny_model(package), o).predict(scene.view(), Rect{100, 60, 100, 100}).verdict == Verdict::kLive);
  o.box_convention = "martian";
  check_error(Status::kUnsupported, "martian", [&] { Predictor(tiny_model(package), o); });
  // With a detector it is the detector's convention that has to be known.
  o = with_detector();
  check_error(Status::kUnsupported, "yunet", [&] { Predictor(tiny_model(package), o); });
}

TEST_CASE("the jittered boxes are different, and none is the box itself") {
  const Rect box{10, 20, 100, 200};
  for (int i = 0; i < kJitterCount; ++i) {
    const Rect a = jittered(box, i);
    CHECK(std::fabs(a.width / box.width - 1) <= 0.1001F);
    CHECK(a.width / box.width == Approx(a.height / box.height));
    CHECK(std::fabs(a.x + a.width / 2 - 60) <= 5.001F);
    CHECK(std::fabs(a.y + a.height / 2 - 120) <= 10.001F);
    CHECK_FALSE((a.x == box.x && a.y == box.y && a.width == box.width));
    for (int j = 0; j < i; ++j) {
      const Rect b = jittered(box, j);
      CHECK_FALSE(
          (std::fabs(a.x - b.x) < 1e-3F && std::fabs(a.y - b.y) < 1e-3F && std::fabs(a.width - b.width) < 1e-3F));
    }
  }
}

TEST_CASE("a batch gives what single calls give, whatever the number of threads, and an error loses no other picture") {
  std::vector<Scene> scenes(23);
  for (std::size_t i = 0; i < scenes.size(); ++i)
    for (int f = 0; f < static_cast<int>(i % 4); ++f) scenes[i].face(f, f, 30 + static_cast<int>(i) * 8, f * 60);
  std::vector<ImageView> views;
  for (const auto& s : scenes) views.push_back(s.view());
  views[5].data = nullptr;
  views[11].stride = 3;
  auto o = with_detector();
  o.all_faces = true;
  o.augmentation = {3, true, 0.2F, 0};
  const Predictor predictor(tiny_pad(), o);
  for (const int threads : {1, 2, 5, 64}) {
    const auto items = predictor.predict_batch(views, {}, threads);
    REQUIRE(items.size() == views.size());
    for (std::size_t i = 0; i < views.size(); ++i) {
      CAPTURE(i, threads);
      if (i == 5 || i == 11) {
        CHECK_FALSE(items[i].result.has_value());
        CHECK(items[i].status == Status::kInvalidArgument);
        CHECK_FALSE(items[i].error.empty());
      } else {
        REQUIRE(items[i].result.has_value());
        CHECK(items[i].status == Status::kOk);
        CHECK(same(*items[i].result, predictor.predict(views[i])));
      }
    }
  }

  std::vector<Rect> boxes(views.size(), Rect{40, 40, 90, 90});
  boxes[7].width = kNaN;
  const auto items = predictor.predict_batch(views, boxes, 3);
  CHECK_FALSE(items[7].result.has_value());
  CHECK(same(items[8].result.value(), predictor.predict(views[8], boxes[8])));
  CHECK(predictor.predict_batch({}).empty());
  boxes.pop_back();
  check_error(Status::kInvalidArgument, "boxes: 22 for 23 images",
              [&] { (void)predictor.predict_batch(views, boxes); });
  check_error(Status::kInvalidArgument, "threads", [&] { (void)predictor.predict_batch(views, {}, -1); });
}

TEST_CASE("eight threads on one predictor: ten thousand predictions equal those of one thread") {
  std::vector<Scene> scenes(8);
  for (std::size_t i = 0; i < scenes.size(); ++i)
    for (int f = 0; f <= static_cast<int>(i % 3); ++f)
      scenes[i].face(f + 1, 2 - f, 40 + static_cast<int>(i) * 23, f * 50);
  Profiler profiler;
  auto o = with_detector();
  o.all_faces = true;
  o.profiler = &profiler;
  const Predictor predictor(tiny_pad(), o);
  std::vector<Result> single;
  for (const auto& s : scenes) single.push_back(predictor.predict(s.view()));

  constexpr int kThreads = 8;
  constexpr int kEach = 1250;
  std::array<int, kThreads> wrong{};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const auto k = static_cast<std::size_t>(i + t) % scenes.size();
        if (!same(predictor.predict(scenes[k].view()), single[k])) ++wrong[static_cast<std::size_t>(t)];
      }
    });
  for (auto& t : threads) t.join();
  for (const int w : wrong) CHECK(w == 0);
  CHECK(profiler.count(Profiler::Counter::kFrames) == kThreads * kEach + scenes.size());
  CHECK(profiler.figures(Profiler::Stage::kTotal).count == kThreads * kEach + scenes.size());
}

TEST_CASE("the profiler sees every stage, and counts frames, faces and empty pictures") {
  Profiler profiler;
  auto o = with_detector();
  o.profiler = &profiler;
  o.augmentation.crops = 2;
  const Predictor predictor(tiny_pad(), o);
  Scene scene;
  scene.face(2, 2, 150);
  (void)predictor.predict(scene.view());
  (void)predictor.predict(Scene().view());
  CHECK(profiler.get("frames") == 2.0);
  CHECK(profiler.get("faces") == 1.0);
  CHECK(profiler.get("no_face") == 1.0);
  CHECK(profiler.get("errors") == 0.0);
  CHECK(profiler.get("detect.count") == 2.0);
  CHECK(profiler.get("roi.count") == 3.0);
  CHECK(profiler.get("infer.count") == 3.0);
  CHECK(profiler.get("quality.count") == 1.0);
  CHECK(profiler.get("decide.count") == 1.0);
  CHECK(profiler.get("total.count") == 2.0);
}

TEST_CASE("bad options are refused by name") {
  const auto refused = [](const std::string& part, auto&& set) {
    Predictor::Options o;
    set(o);
    check_error(Status::kInvalidArgument, part, [&] { Predictor(tiny_pad(), o); });
  };
  refused("profile: 'loose' is not in model 'tiny_pad', which has: balanced, strict",
          [](auto& o) { o.profile = "loose"; });
  refused("threshold: expected 0 to 1, got 1.5", [](auto& o) { o.threshold = 1.5F; });
  refused("threshold: expected 0 to 1, got nan", [](auto& o) { o.threshold = kNaN; });
  refused("augmentation.crops: expected 0 to 26, got -1", [](auto& o) { o.augmentation.crops = -1; });
  refused("augmentation.crops", [](auto& o) { o.augmentation.crops = kJitterCount + 1; });
  refused("augmentation.brightness", [](auto& o) { o.augmentation.brightness = 1; });
  refused("augmentation.brightness", [](auto& o) { o.augmentation.brightness = kNaN; });
  refused("augmentation.settled", [](auto& o) { o.augmentation.settled = -1; });
  refused("abstain", [](auto& o) { o.abstain = 1U << 20; });
  refused("limits.max_yaw", [](auto& o) { o.limits.max_yaw = kNaN; });
  refused("limits.min_face_pixels", [](auto& o) { o.limits.min_face_pixels = -1; });
  refused("limits.max_outside", [](auto& o) { o.limits.max_outside = 2; });
  refused("detector: model 'tiny_pad' is not a detector", [](auto& o) { o.detector = tiny_pad(); });
  check_error(Status::kInvalidArgument, "'tiny_detector': not a PAD network", [] { Predictor{tiny_detector()}; });
}

TEST_CASE("bad pictures and boxes are refused") {
  Scene scene;
  const Predictor predictor(tiny_pad());
  check_error(Status::kInvalidState, "detector", [&] { (void)predictor.predict(scene.view()); });
  ImageView bad = scene.view();
  bad.width = 0;
  check_error(Status::kInvalidArgument, "", [&] { (void)predictor.predict(bad, Scene::box(0, 0)); });
  for (const Rect box : {Rect{kNaN, 0, 10, 10}, Rect{0, 0, 0, 10}, Rect{0, 0, 10, -1}, Rect{400, 0, 10, 10}})
    check_error(Status::kInvalidArgument, "", [&] { (void)predictor.predict(scene.view(), box); });
  Face face;
  face.box = Scene::box(1, 1);
  face.has_landmarks = true;
  face.landmarks[2].y = kNaN;
  check_error(Status::kInvalidArgument, "landmarks", [&] { (void)predictor.predict(scene.view(), face); });
}

TEST_CASE("a predictor can be moved and tells what it was made of") {
  Predictor::Options o;
  o.threshold = 0.25F;
  Predictor a(tiny_pad(), o);
  Predictor b = std::move(a);
  CHECK(b.options().threshold == 0.25F);
  CHECK(b.model().contract().name == "tiny_pad");
}
