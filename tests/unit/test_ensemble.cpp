#include "liveness/ensemble.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

std::vector<MemberScore> scores(std::initializer_list<float> values) {
  std::vector<MemberScore> all;
  for (const float v : values) all.push_back({"m", v, to_logit(v)});
  return all;
}

// Members that need different shades of green: at 150 the first two say LIVE, the third SPOOF.
std::vector<Model> three() {
  TinyPad a, b, c;
  a.name = "easy", a.middle = 100, a.balanced = {0.4F, 0.4F, "made up"};
  b.name = "middling", b.middle = 140, b.balanced = {0.5F, 0.45F, "made up"}, b.size = 16, b.crop_scale = 0.5F;
  c.name = "hard", c.middle = 200, c.balanced = {0.9F, 0.8F, "made up"};
  return {tiny_pad(a), tiny_pad(b), tiny_pad(c)};
}

Scene scene(int green) {
  Scene s;
  s.face(1, 1, green);
  return s;
}

void check_refused(const std::string& part, std::vector<Model> members, const Ensemble::Options& o) {
  CAPTURE(part);
  try {
    Ensemble(std::move(members), o);
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.status() == Status::kInvalidArgument);
    CHECK_THAT(e.what(), Catch::Contains(part));
  }
}

}  // namespace

TEST_CASE("every fusion, worked out by hand") {
  const auto members = scores({0.2F, 0.6F, 0.9F});
  const std::vector<Bounds> bounds = {{0.1F, 0.1F}, {0.7F, 0.5F}, {0.8F, 0.8F}};
  const std::vector<float> weights = {1, 0, 3};
  CHECK(fuse(Fusion::kMean, members, bounds, {}).score == Approx(1.7 / 3));
  CHECK(fuse(Fusion::kMean, members, bounds, {}).logit == Approx(std::log(1.7 / 1.3)));
  CHECK(fuse(Fusion::kWeighted, members, bounds, weights).score == Approx((0.2 + 2.7) / 4));
  const double log_odds = (std::log(0.2 / 0.8) + std::log(0.6 / 0.4) + std::log(0.9 / 0.1)) / 3;
  CHECK(fuse(Fusion::kLogOddsMean, members, bounds, {}).logit == Approx(log_odds));
  CHECK(fuse(Fusion::kLogOddsMean, members, bounds, {}).score == Approx(1 / (1 + std::exp(-log_odds))));
  CHECK(fuse(Fusion::kMajority, members, bounds, {}).score == Approx(2.0 / 3));
  CHECK(fuse(Fusion::kMinimum, members, bounds, {}).score == 0.2F);
  CHECK(fuse(Fusion::kMinimum, members, bounds, {}).logit == Approx(std::log(0.25)));
}

TEST_CASE("the bounds of every fusion follow from the members'") {
  const std::vector<Bounds> members = {{0.4F, 0.2F}, {0.6F, 0.6F}};
  const std::vector<float> weights = {3, 1};
  const auto near = [](const Bounds& b, double live, double spoof) {
    CHECK(b.live == Approx(live));
    CHECK(b.spoof == Approx(spoof));
  };
  near(fuse_bounds(Fusion::kMean, members, {}), 0.5, 0.4);
  near(fuse_bounds(Fusion::kWeighted, members, weights), 0.45, 0.3);
  near(fuse_bounds(Fusion::kLogOddsMean, members, {}), 0.5, 1 / (1 + std::exp(-(std::log(0.25) + std::log(1.5)) / 2)));
  near(fuse_bounds(Fusion::kMinimum, members, {}), 0.6, 0.6);
  const Bounds pair = fuse_bounds(Fusion::kMajority, members, {});
  CHECK(decide(1, pair) == Verdict::kLive);
  CHECK(decide(0.5F, pair) == Verdict::kUncertain);
  CHECK(decide(0, pair) == Verdict::kSpoof);
  const Bounds trio = fuse_bounds(Fusion::kMajority, std::vector<Bounds>(3), {});
  CHECK(decide(2.0F / 3, trio) == Verdict::kLive);
  CHECK(decide(1.0F / 3, trio) == Verdict::kSpoof);
  for (const auto fusion : {Fusion::kMean, Fusion::kLogOddsMean, Fusion::kMinimum}) {
    const Bounds one = fuse_bounds(fusion, std::vector<Bounds>{{0.37F, 0.21F}}, {});
    CHECK(one.live == 0.37F);
    CHECK(one.spoof == 0.21F);
  }
}

TEST_CASE("probabilities and log-odds") {
  CHECK(to_logit(0.5F) == 0);
  CHECK(to_logit(0) == -kMaxLogit);
  CHECK(to_logit(1) == kMaxLogit);
  for (const float p : {0.001F, 0.3F, 0.999F}) CHECK(to_score(to_logit(p)) == Approx(p));
  CHECK(fuse(Fusion::kMean, std::vector<MemberScore>{{"m", 1, 22.5F}}, {}, {}).logit == 22.5F);
}

TEST_CASE("an ensemble fuses its members and tells what each said") {
  Ensemble::Options o;
  o.detector = tiny_detector();
  o.disagreement = 1;
  const Scene s = scene(150);
  for (int f = 0; f < kFusionCount; ++f) {
    o.fusion = static_cast<Fusion>(f);
    o.weights = o.fusion == Fusion::kWeighted ? std::vector<float>{2, 1, 1} : std::vector<float>{};
    CAPTURE(to_string(o.fusion));
    const Ensemble ensemble(three(), o);
    const Result r = ensemble.predict(s.view());
    CHECK(r.model == "easy+middling+hard");
    REQUIRE(r.faces.size() == 1);
    const auto& members = r.faces[0].members;
    REQUIRE(members.size() == 3);
    CHECK(members[0].model == "easy");
    CHECK(members[0].score == Approx(1 / (1 + std::exp(-50.0 / 16))).margin(0.02));
    CHECK(members[1].score == Approx(1 / (1 + std::exp(-10.0 / 16))).margin(0.02));
    CHECK(members[2].score == Approx(1 / (1 + std::exp(50.0 / 16))).margin(0.02));
    const std::vector<Bounds> bounds = {{0.4F, 0.4F}, {0.5F, 0.45F}, {0.9F, 0.8F}};
    CHECK(r.score == fuse(o.fusion, members, bounds, o.weights).score);
    CHECK(r.threshold == fuse_bounds(o.fusion, bounds, o.weights).live);
    CHECK(r.verdict == decide(r.score, fuse_bounds(o.fusion, bounds, o.weights)));
    CHECK(r.reasons == 0U);
  }
}

TEST_CASE("a threshold of one's own replaces the fused one, and for a majority the members'") {
  Ensemble::Options o;
  o.disagreement = 1;
  o.threshold = 0.3F;
  const Scene s = scene(150);
  CHECK(Ensemble(three(), o).predict(s.view(), Scene::box(1, 1)).threshold == 0.3F);
  o.fusion = Fusion::kMajority;
  o.threshold = 0.02F;
  Result r = Ensemble(three(), o).predict(s.view(), Scene::box(1, 1));
  CHECK(r.score == 1);
  CHECK(r.threshold == Approx(2.0 / 3));
  o.threshold = 0.9F;
  r = Ensemble(three(), o).predict(s.view(), Scene::box(1, 1));
  CHECK(r.score == Approx(1.0 / 3));
  CHECK(r.verdict == Verdict::kSpoof);
}

TEST_CASE("members that disagree are a reason to abstain, but only if their verdicts differ") {
  Ensemble::Options o;
  const Scene s = scene(160);
  Result r = Ensemble(three(), o).predict(s.view(), Scene::box(1, 1));
  CHECK(r.reasons == mask(Reason::kModelsDisagree));
  CHECK(r.verdict == Verdict::kUncertain);
  o.abstain = 0;
  CHECK(Ensemble(three(), o).predict(s.view(), Scene::box(1, 1)).verdict == Verdict::kLive);
  o.threshold = 0.01F;  // all three are above it
  CHECK(Ensemble(three(), o).predict(s.view(), Scene::box(1, 1)).reasons == 0U);
}

TEST_CASE("an ensemble of one answers as a predictor does") {
  const Scene s = scene(170);
  Ensemble::Options o;
  o.detector = tiny_detector();
  const Result single = Predictor(tiny_pad(), o).predict(s.view());
  for (const auto fusion : {Fusion::kMean, Fusion::kMinimum}) {
    o.fusion = fusion;
    const Result r = Ensemble({tiny_pad()}, o).predict(s.view());
    CHECK(r.score == single.score);
    CHECK(r.logit == single.logit);
    CHECK(r.verdict == single.verdict);
    CHECK(r.threshold == single.threshold);
  }
}

TEST_CASE("a batch of an ensemble equals single calls") {
  Ensemble::Options o;
  o.detector = tiny_detector();
  const Ensemble ensemble(three(), o);
  std::vector<Scene> scenes;
  for (int i = 0; i < 12; ++i) scenes.push_back(scene(40 + i * 15));
  std::vector<ImageView> views;
  for (const auto& s : scenes) views.push_back(s.view());
  const auto items = ensemble.predict_batch(views, {}, 4);
  for (std::size_t i = 0; i < views.size(); ++i) {
    const Result r = ensemble.predict(views[i]);
    CHECK(items[i].result.value().score == r.score);
    CHECK(items[i].result.value().verdict == r.verdict);
    CHECK(items[i].result.value().reasons == r.reasons);
  }
}

TEST_CASE("ensembles that make no sense are refused by name") {
  Ensemble::Options o;
  check_refused("members: none", {}, o);
  check_refused("'tiny_detector': not a PAD network", {tiny_pad(), tiny_detector()}, o);
  o.weights = {1, 1};
  check_refused("weights: given, but the fusion is mean", {tiny_pad(), tiny_pad()}, o);
  o.fusion = Fusion::kWeighted;
  check_refused("weights: 2 for 3 members", three(), o);
  o.weights = {0, 0};
  check_refused("weights: their sum is 0", {tiny_pad(), tiny_pad()}, o);
  o.weights = {1, -1};
  check_refused("weights[1]", {tiny_pad(), tiny_pad()}, o);
  o.weights = {1, std::nanf("")};
  check_refused("weights[1]", {tiny_pad(), tiny_pad()}, o);
  Ensemble::Options far;
  far.disagreement = 1.5F;
  check_refused("disagreement", {tiny_pad()}, far);
  Ensemble::Options unknown;
  unknown.fusion = static_cast<Fusion>(9);
  check_refused("fusion", {tiny_pad()}, unknown);
}
