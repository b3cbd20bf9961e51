#include "liveness/calibration.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <limits>

#include "evaluation_tables.hpp"
#include "liveness/config.hpp"
#include "liveness/ensemble.hpp"
#include "liveness/verifier.hpp"
#include "model/package.hpp"
#include "pipeline/calibration_fit.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

// Roughly normal, the same everywhere.
double normal(detail::Random& random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random.below(1000001)) / 1e6;
  return sum;
}

// Scores whose log-odds are too sure by `scale` and moved by `shift`: Platt's parameters are 1 / scale, -shift / scale.
std::vector<Presentation> camera(int subjects, int each, double scale, double shift, std::uint64_t seed = 1,
                                 bool attacks = true) {
  detail::Random random(seed);
  std::vector<Presentation> all;
  for (int s = 0; s < subjects; ++s)
    for (int i = 0; i < each; ++i) {
      const std::string name = "subject" + std::to_string(s);
      // Normals at +-1 of deviation 1 have log-odds 2 x.
      all.push_back({scale * 2 * (1 + normal(random)) + shift, "", name, name + "-live"});
      if (attacks)
        all.push_back(
            {scale * 2 * (-1 + normal(random)) + shift, i % 2 == 0 ? "print" : "screen", name, name + "-attack"});
    }
  return all;
}

Calibration small(const Model& model) {
  Calibration c;
  c.models = {{model.contract().name, model.info().identity}};
  c.method = CalibrationMethod::kPlatt;
  c.parameters = {0.5, -1.0 / 3};
  c.profiles["balanced"] = {0.75F, 0.25F, "made \"up\": täglich"};
  c.profiles["strict"] = {0.9F, 0.9F, "made up"};
  c.bona_fide = 3;
  c.attacks = {{"print", 2}, {"a: b", 1}};
  c.groups = 2;
  c.losses = {{"none", 0.5}, {"platt", 0.25}};
  c.held_out["balanced"] = {"print", 0, 2, 1, 3};
  c.reference["logit"] = {10, {-1, 0, 0, 2.5}};
  c.notes = {"one", "two\nlines"};
  return c;
}

void check_equal(const Calibration& a, const Calibration& b) {
  CHECK(a.models == b.models);
  CHECK(a.to_yaml() == b.to_yaml());
  CHECK(a.parameters == b.parameters);
  CHECK(a.profiles.at("balanced").live == b.profiles.at("balanced").live);
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("what each method does to log-odds") {
  CHECK(calibrated(CalibrationMethod::kNone, {}, 3) == 3);
  CHECK(calibrated(CalibrationMethod::kTemperature, std::vector<double>{2}, 3) == 1.5);
  CHECK(calibrated(CalibrationMethod::kPlatt, std::vector<double>{2, -1}, 3) == 5);
  // a = b = 1 and c = 0 is the identity, since ln p - ln(1 - p) is x.
  CHECK(calibrated(CalibrationMethod::kBeta, std::vector<double>{1, 1, 0.25}, 3) == Approx(3.25));
  const double p = 1 / (1 + std::exp(1.0));
  CHECK(calibrated(CalibrationMethod::kBeta, std::vector<double>{2, 3, 0}, -1) ==
        Approx(2 * std::log(p) - 3 * std::log(1 - p)));
  CHECK(calibrated(CalibrationMethod::kPlatt, std::vector<double>{5, 0}, 29) == 30);
  CHECK(calibrated(CalibrationMethod::kNone, {}, HUGE_VAL) == 30);
}

TEST_CASE("Platt's fit is scikit-learn's logistic regression") {
  for (const Platt& t : kPlatt) {
    std::vector<FitSample> samples;
    for (const double x : *t.bona_fide) samples.push_back({x, 1, 0.5 / static_cast<double>(t.bona_fide->size())});
    for (const double x : *t.attacks) samples.push_back({x, 0, 0.5 / static_cast<double>(t.attacks->size())});
    const auto fit = fit_parameters(CalibrationMethod::kPlatt, samples);
    CHECK(fit[0] == Approx(std::max(t.a, 1e-3)).epsilon(1e-4));
    if (t.a > 1e-3) CHECK(fit[1] == Approx(t.b).epsilon(1e-4).margin(1e-6));
    if (t.a > 1e-3) CHECK(cross_entropy(CalibrationMethod::kPlatt, fit, samples) == Approx(t.loss).epsilon(1e-9));
    // More freedom explains at least as much.
    const auto beta = fit_parameters(CalibrationMethod::kBeta, samples);
    const auto temperature = fit_parameters(CalibrationMethod::kTemperature, samples);
    const double loss = cross_entropy(CalibrationMethod::kPlatt, fit, samples);
    CHECK(cross_entropy(CalibrationMethod::kBeta, beta, samples) <= loss + 1e-9);
    CHECK(cross_entropy(CalibrationMethod::kTemperature, temperature, samples) >= loss - 1e-9);
  }
}

TEST_CASE("the method that held-out likelihood prefers is the one that made the data") {
  const auto straight = fit_calibration(camera(20, 10, 1, 0));
  CHECK(straight.losses.size() == 4);
  CHECK(straight.losses.at("platt") > straight.losses.at("none") - 0.01);

  const auto sure = fit_calibration(camera(20, 10, 4, 0));
  CHECK(sure.method != CalibrationMethod::kNone);
  CHECK(sure.losses.at("temperature") < sure.losses.at("none") - 0.1);
  CalibrationOptions options;
  options.method = CalibrationMethod::kTemperature;
  CHECK(fit_calibration(camera(20, 10, 4, 0), options).parameters[0] == Approx(4).epsilon(0.2));

  const auto moved = fit_calibration(camera(20, 10, 3, 6));
  CHECK((moved.method == CalibrationMethod::kPlatt || moved.method == CalibrationMethod::kBeta));
  options.method = CalibrationMethod::kPlatt;
  const auto platt = fit_calibration(camera(20, 10, 3, 6), options);
  CHECK(platt.parameters[0] == Approx(1.0 / 3).epsilon(0.2));
  CHECK(platt.parameters[1] == Approx(-2).epsilon(0.2));
  CHECK(moved.losses.at("platt") < moved.losses.at("temperature"));
}

TEST_CASE("thresholds hold their targets on the samples, and held-out errors are counted once each") {
  const auto all = camera(20, 10, 3, 6);
  const auto c = fit_calibration(all);
  REQUIRE(c.profiles.size() == 3);
  std::vector<Presentation> after = all;
  for (auto& p : after) p.score = static_cast<double>(c.apply(static_cast<float>(p.score)));
  const auto at = [&](const char* profile) {
    EvaluationOptions options;
    options.live = static_cast<double>(to_logit(c.profiles.at(profile).live));
    return Evaluation(after).report(options);
  };
  CHECK(at("strict").apcer.value <= 0.011);
  CHECK(at("lenient").bpcer.value <= 0.011);
  CHECK(std::fabs(at("balanced").apcer.value - at("balanced").bpcer.value) < 0.03);
  CHECK(c.profiles.at("balanced").live == Approx(0.5).margin(0.15));
  for (const auto& [name, h] : c.held_out) {
    CHECK(h.bpcer_total == 200);
    CHECK(h.apcer_total == 100);  // of one species
  }
  CHECK(c.held_out.size() == 3);
  CHECK((c.bona_fide == 200 && c.groups == 20 && c.attacks.at("print") == 100));
}

TEST_CASE("too few samples for what is asked is said, with how many it takes") {
  const auto c = fit_calibration(camera(5, 4, 1, 0));
  const auto noted = [&](const std::string& part) {
    return std::any_of(c.notes.begin(), c.notes.end(),
                       [&](const auto& n) { return n.find(part) != std::string::npos; });
  };
  CHECK(noted("strict: APCER of 'print' <= 1 % cannot be shown with 10 presentations"));
  CHECK(noted("interval is 30.8 %; it takes 368"));
  CHECK(noted("lenient: BPCER <= 1 % cannot be shown with 20 presentations"));
  CHECK(noted("interval is 16.8 %"));
  CHECK(noted("40 presentations come from 5 subjects"));
  CHECK(noted("other than those shown (print, screen)"));
}

TEST_CASE("bona fide alone give a floor and say what that does not promise") {
  const auto all = camera(4, 25, 1, 0, 7, false);
  const auto c = fit_calibration(all);
  CHECK(c.method == CalibrationMethod::kNone);
  CHECK(c.profiles.count("strict") == 0);
  CHECK(c.losses.empty());
  std::int64_t rejected = 0;
  for (const auto& p : all)
    rejected += to_score(c.apply(static_cast<float>(p.score))) < c.profiles.at("balanced").live ? 1 : 0;
  CHECK(rejected == 5);
  CHECK(c.profiles.at("balanced").target.find("no attack was shown") != std::string::npos);
  CHECK(c.notes.back().find("nothing about how many attacks pass") != std::string::npos);
}

TEST_CASE("one subject, one clip, or hardly anything") {
  const auto one = fit_calibration(camera(1, 12, 1, 0));
  CHECK(one.losses.size() == 4);
  CHECK(one.notes.front().find("one subject or clip only") != std::string::npos);
  const std::vector<Presentation> two = {{1, "", "", ""}, {-1, "print", "", ""}};
  const auto least = fit_calibration(two);
  CHECK(least.losses.empty());
  CHECK(least.held_out.empty());
  CHECK(least.profiles.at("balanced").live == Approx(0.5).margin(0.01));
  // Separable: finite all the same.
  CalibrationOptions options;
  options.method = CalibrationMethod::kPlatt;
  const auto apart = fit_calibration(
      std::vector<Presentation>{{25, "", "a", ""}, {28, "", "b", ""}, {-25, "print", "c", ""}, {-20, "print", "d", ""}},
      options);
  CHECK((apart.parameters[0] > 0 && apart.parameters[0] < 1));
  // Upside down: no method may turn scores around.
  for (int i = 1; i < kCalibrationMethodCount; ++i) {
    options.method = static_cast<CalibrationMethod>(i);
    auto wrong = camera(6, 5, -1, 0);
    const auto c = fit_calibration(wrong, options);
    CHECK(c.apply(2) > c.apply(1));
  }
}

TEST_CASE("options that cannot be are refused by name") {
  const auto all = camera(4, 4, 1, 0);
  const auto refused = [&](auto&& change) {
    CalibrationOptions o;
    change(o);
    return refusal(Status::kInvalidArgument, [&] { static_cast<void>(fit_calibration(all, o)); });
  };
  CHECK_THAT(refused([](auto& o) { o.folds = 1; }), Catch::Contains("folds"));
  CHECK_THAT(refused([](auto& o) { o.confidence = 1; }), Catch::Contains("confidence"));
  CHECK_THAT(refused([](auto& o) { o.targets.erase("balanced"); }), Catch::Contains("balanced"));
  CHECK_THAT(refused([](auto& o) { o.targets["strict"].rate = 0; }), Catch::Contains("targets.strict"));
  CHECK_THAT(refusal(Status::kInvalidState, [] { static_cast<void>(fit_calibration({})); }),
             Catch::Contains("no bona fide"));
}

TEST_CASE("files: YAML and JSON come back as they were") {
  const Model model = tiny_pad();
  const Calibration c = small(model);
  const TemporaryFolder folder;
  for (const char* name : {"c.yaml", "c.json"}) {
    c.save(folder / name);
    check_equal(Calibration::load(folder / name), c);
  }
  CHECK(refusal(Status::kNotFound, [&] {
          static_cast<void>(Calibration::load(folder / "none.yaml"));
        }).find("none.yaml") != std::string::npos);
}

TEST_CASE("files that do not check out are refused with file, line and column") {
  const std::string good = small(tiny_pad()).to_yaml();
  struct Bad {
    std::string from, to, message;
  };
  for (const Bad& b : {
           Bad{"method: \"platt\"", "method: \"plat\"", "f.yaml:7:1: method: \"plat\" is none of"},
           Bad{"method:", "metod:", "f.yaml:7:1: metod: unknown key; did you mean \"method\"?"},
           Bad{"parameters: [0.5,", "parameters: [0.5,0.5,", "parameters: 3 for method platt"},
           Bad{"parameters: [0.5,", "parameters: [-0.5,", "parameters: number 1 is -0.5"},
           Bad{"parameters: [0.5,", "parameters: [.nan,", "parameters[0]: expected a number"},
           Bad{"liveness_calibration: 1", "liveness_calibration: 2",
               "f.yaml:2:1: liveness_calibration: 2 is not in 1..1"},
           Bad{"\"live\":0.75", "\"live\":1.75", "profiles.balanced.live: 1.75 is not in"},
           Bad{"\"spoof\":0.25", "\"spoof\":0.85", "profiles.balanced.spoof: 0.85 is not in 0.0..0.75"},
           Bad{"\"balanced\": {\"live\"", "\"middle\": {\"live\"", "profiles.balanced: missing"},
           Bad{"[-1.0,0.0", "[0.5,0.0", "reference.logit.quantiles[1]: is below the one before"},
           Bad{"fusion: \"mean\"", "fusion: \"weighted\"", "weights: 0 for 1 models"},
           Bad{"\"identity\"", "\"identty\"", "unknown key; did you mean \"identity\""},
           Bad{"\"apcer\":[0,2]", "\"apcer\":[3,2]", "held_out.balanced.apcer[0]: 3 is not in 0..2"},
       }) {
    CAPTURE(b.to);
    const std::string text = with(good, b.from, b.to);
    CHECK_THAT(refusal(Status::kConfigInvalid, [&] { static_cast<void>(Calibration::parse(text, "f.yaml")); }),
               Catch::Contains(b.message));
  }
  CHECK_THAT(
      refusal(Status::kConfigInvalid, [&] { static_cast<void>(Calibration::parse("{\"method\": 1}", "f.json")); }),
      Catch::Contains("f.json:1:"));
  CHECK_THAT(refusal(Status::kConfigInvalid, [&] { static_cast<void>(Calibration::parse("", "f.yaml")); }),
             Catch::Contains("f.yaml"));
}

TEST_CASE("a predictor gives the calibrated score and takes the calibration's profiles") {
  const Model model = tiny_pad();
  Scene scene;
  scene.face(1, 1, 160);
  const Rect box = Scene::box(1, 1);
  const Result plain = Predictor(model).predict(scene.view(), box);
  Predictor::Options options;
  options.calibration = small(model);
  const Result r = Predictor(model, options).predict(scene.view(), box);
  CHECK(r.logit == Approx(0.5F * plain.logit - 1.0F / 3));
  CHECK(r.score == Approx(to_score(r.logit)));
  CHECK(r.threshold == 0.75F);
  CHECK(r.faces[0].members[0].logit == plain.logit);
  options.profile = "strict";
  CHECK(Predictor(model, options).predict(scene.view(), box).threshold == 0.9F);
  options.threshold = 0.1F;
  CHECK(Predictor(model, options).predict(scene.view(), box).verdict == Verdict::kLive);
  options.threshold.reset();
  options.profile = "lenient";
  CHECK_THAT(refusal(Status::kInvalidArgument, [&] { Predictor(model, options); }),
             Catch::Contains("'lenient' is not in the calibration, which has: balanced, strict"));
}

TEST_CASE("a calibration is refused for what it was not made for, by name") {
  const Model model = tiny_pad();
  TinyPad other;
  other.name = "other";
  const Model second = tiny_pad(other);
  Ensemble::Options options;
  options.calibration = small(model);
  const auto refused = [&](std::vector<Model> members) {
    return refusal(Status::kInvalidArgument, [&] { Ensemble(std::move(members), options); });
  };
  CHECK_THAT(refused({second}),
             Catch::Contains("made for model \"tiny_pad\"") && Catch::Contains("given is \"other\""));
  CHECK_THAT(refused({model, second}), Catch::Contains("made for 1 models, given are 2"));
  options.calibration->models.push_back({"other", second.info().identity});
  Ensemble({model, second}, options);
  CHECK_THAT(refused({second, model}), Catch::Contains("made for model"));
  options.fusion = Fusion::kMinimum;
  CHECK_THAT(refused({model, second}), Catch::Contains("made for fusion mean, given is minimum"));
  options.fusion = options.calibration->fusion = Fusion::kMajority;
  CHECK_THAT(refused({model, second}), Catch::Contains("majority"));
  options.fusion = options.calibration->fusion = Fusion::kWeighted;
  options.weights = {1, 2};
  options.calibration->weights = {1, 3};
  CHECK_THAT(refused({model, second}), Catch::Contains("other weights"));
}

TEST_CASE("streams and configurations take a calibration too") {
  const Model model = tiny_pad();
  Scene scene;
  scene.face(1, 1, 200);
  Verifier::Options stream;
  stream.tracking.method = TrackMethod::kNone;
  stream.tracking.birth = 1;
  stream.scoring.calibration = small(model);
  Verifier verifier({model}, tiny_detector(), stream);
  const StreamUpdate update = verifier.push(scene.view(), 0);
  REQUIRE(update.tracks.size() == 1);
  CHECK(update.tracks[0].threshold == Approx(0.75F));

  const TemporaryFolder folder;
  write_file(folder / "pad.safetensors", write_package(tiny_pad_package({})));
  small(model).save(folder / "camera.json");
  const Config config =
      Config::load(folder.file("c.json", R"({"models": {"pad": ["pad.safetensors"], "calibration": "camera.json"}})"));
  CHECK(config.ensemble().predict(scene.view(), Scene::box(1, 1)).threshold == 0.75F);
}

TEST_CASE("drift is seen where the camera changed, and not where it did not") {
  detail::Random random(9);
  const auto sample = [&](int n, double mean) {
    std::vector<double> v;
    for (int i = 0; i < n; ++i) v.push_back(mean + normal(random));
    return v;
  };
  const Quantiles reference = quantiles(sample(400, 0));
  CHECK(reference.values.size() == 51);
  CHECK(reference.count == 400);
  const Drift same = drift("logit", reference, sample(200, 0));
  CHECK_FALSE(same.drifted);
  CHECK(same.distance < 0.15);
  const Drift moved = drift("logit", reference, sample(60, 1.5));
  CHECK(moved.drifted);
  CHECK(moved.median_now - moved.median_then == Approx(1.5).margin(0.4));
  CHECK_FALSE(drift("logit", reference, sample(9, 8)).drifted);  // too few to say
  CHECK(drift("logit", reference, {}).count == 0);
  // The distance of a sample from itself is what the quantiles leave out.
  auto all = sample(300, 2);
  CHECK(drift("logit", quantiles(all), all).distance < 0.03);
  const std::vector<double> constant(20, 5.0);
  CHECK(drift("luminance", quantiles(constant), constant).distance == 0);
  CHECK(quantiles({1}).values.empty());
}
