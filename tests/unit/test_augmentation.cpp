#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "liveness/ensemble.hpp"
#include "same_result.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

const ReasonMask kNone = 0;
const Rect kBox{100, 100, 100, 100};

// The face is a square in a black frame: a larger crop is less live.
Scene lonely(int green = 180) {
  Scene scene;
  scene.paint(100, 100, 100, 100, 0, green, 120, 20);
  return scene;
}

FaceResult score(const Scene& scene, const Augmentation& augmentation, const Predictor::Options& options,
                 const TinyPad& net) {
  Predictor::Options o = options;
  o.augmentation = augmentation;
  return Predictor(tiny_pad(net), o).predict(scene.view(), kBox).faces.at(0);
}
FaceResult score(const Scene& scene, const Augmentation& augmentation, const Predictor::Options& options) {
  return score(scene, augmentation, options, TinyPad());
}
FaceResult score(const Scene& scene, const Augmentation& augmentation) {
  const Predictor::Options defaults;
  return score(scene, augmentation, defaults);
}

// A network that looks at the left half of its crop alone.
Model left_looking() {
  Package p = tiny_pad_package({});
  Graph& g = p.graph;
  g.nodes.clear();
  g.tensors.clear();
  g.values.resize(1);  // the image
  const int image = g.inputs[0];
  const int pooled =
      add_node(g, Op::kAveragePool, "halves", {operand(image)}, {1, 3, 1, 2},
               {{"kernel", std::vector<std::int64_t>{8, 4}}, {"strides", std::vector<std::int64_t>{8, 4}}});
  const int flat =
      add_node(g, Op::kReshape, "flat", {operand(pooled)}, {1, 6}, {{"shape", std::vector<std::int64_t>{1, 6}}});
  std::vector<float> weight(6 * 2, 0.0F);
  weight[2 * 2 + 1] = 1.0F / 16;  // green on the left, class 1
  const Operand w = add_tensor(g, "weight", {6, 2}, weight);
  const Operand b = add_tensor(g, "bias", {2}, {0, -8});
  g.outputs = {add_node(g, Op::kLinear, "scores", {operand(flat), w, b}, {1, 2})};
  p.contract.score->output = "scores";
  p.contract.score->classes = {"attack", "live"};
  return tiny_model(p);
}

}  // namespace

TEST_CASE("without augmentation there is one view and no spread") {
  const FaceResult f = score(lonely(), {});
  CHECK(f.views == 1);
  CHECK(f.spread == 0);
}

TEST_CASE("the log-odds are averaged over the views, and their standard deviation is reported") {
  const Scene scene = lonely(150);
  Augmentation all;
  all.crops = 6;
  all.settled = 0;
  const FaceResult f = score(scene, all);
  REQUIRE(f.views == 7);
  std::vector<double> logits = {static_cast<double>(score(scene, {}).logit)};
  for (int i = 0; i < 6; ++i)
    logits.push_back(
        static_cast<double>(Predictor(tiny_pad()).predict(scene.view(), jittered(kBox, i)).faces.at(0).logit));
  double mean = 0;
  for (const double l : logits) mean += l / 7;
  double squares = 0;
  for (const double l : logits) squares += (l - mean) * (l - mean);
  CHECK(f.logit == Approx(mean).epsilon(1e-5));
  CHECK(f.score == Approx(1 / (1 + std::exp(-mean))).epsilon(1e-5));
  CHECK(f.spread == Approx(std::sqrt(squares / 6)).epsilon(1e-5));
  CHECK(f.members.at(0).logit == f.logit);
}

TEST_CASE("a mirrored view sees the other side") {
  Scene scene;
  scene.paint(100, 100, 50, 100, 0, 200, 120, 20);
  scene.paint(150, 100, 50, 100, 0, 80, 120, 20);
  Scene mirrored;
  mirrored.paint(100, 100, 50, 100, 0, 80, 120, 20);
  mirrored.paint(150, 100, 50, 100, 0, 200, 120, 20);
  Predictor::Options o;
  const float own = Predictor(left_looking(), o).predict(scene.view(), kBox).logit;
  const float other = Predictor(left_looking(), o).predict(mirrored.view(), kBox).logit;
  CHECK(own > other + 5);
  o.augmentation.flip = true;
  const FaceResult f = Predictor(left_looking(), o).predict(scene.view(), kBox).faces.at(0);
  CHECK(f.views == 2);
  CHECK(f.logit == Approx((own + other) / 2).margin(0.1));
  CHECK(f.spread == Approx(std::fabs(own - other) / std::sqrt(2.0)).margin(0.1));
}

TEST_CASE("lighter and darker views multiply the grey levels, which stay within their range") {
  for (const float mean : {0.0F, 28.0F}) {  // black is 0 for the network, or -28
    TinyPad net;
    net.middle -= mean;
    Package p = tiny_pad_package(net);
    p.contract.input.mean = {mean, mean, mean};
    Predictor::Options o;
    o.augmentation.brightness = 0.25F;
    const Predictor predictor(tiny_model(p), o);
    Scene scene;
    scene.paint(0, 0, Scene::kSide, Scene::kSide, 0, 120, 120, 0);
    // (120 - 128) / 16, and at 0.75 and 1.25 times 120.
    FaceResult f = predictor.predict(scene.view(), kBox).faces.at(0);
    REQUIRE(f.views == 1);  // blurred: nothing can change the verdict any more
    o.abstain = 0;
    f = Predictor(tiny_model(p), o).predict(scene.view(), kBox).faces.at(0);
    REQUIRE(f.views == 3);
    CHECK(f.logit == Approx(-0.5).margin(0.01));
    CHECK(f.spread == Approx(30.0 / 16).margin(0.01));
    scene.paint(0, 0, Scene::kSide, Scene::kSide, 0, 240, 120, 0);
    f = Predictor(tiny_model(p), o).predict(scene.view(), kBox).faces.at(0);
    CHECK(f.logit == Approx(((240 - 128) + (180 - 128) + (255 - 128)) / 16.0 / 3).margin(0.01));
  }
}

TEST_CASE("views of which one is live and another not make the crop unstable") {
  const Scene scene = lonely();
  Predictor::Options o;
  const float own = score(scene, {}, o).score;
  o.threshold = own;
  CHECK(score(scene, {}, o).verdict == Verdict::kLive);
  FaceResult f = score(scene, {1, false, 0, 3}, o);
  CHECK(f.reasons == mask(Reason::kUnstableCrop));
  CHECK(f.verdict == Verdict::kUncertain);
  CHECK(f.score < own);
  o.threshold = 0.01F;
  f = score(scene, {kJitterCount, false, 0, 0}, o);
  CHECK(f.reasons == kNone);
  CHECK(f.verdict == Verdict::kLive);
  CHECK(f.views == 1 + kJitterCount);
}

TEST_CASE("views that cannot change the verdict are left out") {
  const Augmentation everything{kJitterCount, true, 0.1F, 3};
  SECTION("the mean is far from the bounds") {
    Predictor::Options o;
    o.threshold = 0.01F;
    const FaceResult f = score(lonely(), everything, o);
    CHECK(f.verdict == Verdict::kLive);
    CHECK(f.views >= 3);
    CHECK(f.views < 8);
  }
  SECTION("it is near") {
    Predictor::Options o;
    o.abstain = 0;
    o.threshold = score(lonely(), {2, false, 0, 0}, o).score;  // where the mean of the first three is
    CHECK(score(lonely(), {kJitterCount, false, 0, 3}, o).views > 3);
  }
  SECTION("the views contradict each other") {
    Predictor::Options o;
    o.threshold = score(lonely(), {}, o).score;
    const FaceResult f = score(lonely(), everything, o);
    CHECK(has(f.reasons, Reason::kUnstableCrop));
    CHECK(f.views < 5);
    o.abstain = 0;
    CHECK(score(lonely(), {kJitterCount, false, 0, 0}, o).views == 1 + kJitterCount);
  }
  SECTION("a reason decides already") {
    Scene blurred;
    blurred.paint(100, 100, 100, 100, 0, 180, 120, 0);
    const FaceResult f = score(blurred, everything);
    CHECK(has(f.reasons, Reason::kBlurred));
    CHECK(f.views == 1);
    Augmentation whole = everything;
    whole.settled = 0;
    CHECK(score(blurred, whole).views == kJitterCount + 4);
  }
}

TEST_CASE("an ensemble averages each member by itself, then fuses") {
  TinyPad a, b;
  a.name = "a", b.name = "b", b.middle = 150;
  Ensemble::Options o;
  o.fusion = Fusion::kMinimum;
  o.augmentation = {4, false, 0, 0};
  const Scene scene = lonely();
  const FaceResult both = Ensemble({tiny_pad(a), tiny_pad(b)}, o).predict(scene.view(), kBox).faces.at(0);
  REQUIRE(both.members.size() == 2);
  const Predictor::Options defaults;
  const FaceResult alone = score(scene, o.augmentation, defaults, b);
  CHECK(both.members[0].logit == score(scene, o.augmentation, defaults, a).logit);
  CHECK(both.members[1].logit == alone.logit);
  CHECK(both.logit == alone.logit);
  CHECK(both.spread == alone.spread);
}
