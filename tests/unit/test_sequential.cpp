// Decisions over time: arithmetic, error rates by simulation, and mistakes seen in the field.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "liveness/adaptive.hpp"
#include "liveness/cues.hpp"
#include "liveness/motion.hpp"
#include "liveness/sequential.hpp"

using namespace liveness;

namespace {

// Log-odds as the model of SequentialTest says: Gaussian with mean +-m and variance 2m (so that a score is its own
// log-likelihood ratio), of which `shared` belongs to the presentation and the rest is an AR(1) process in time.
class Presentation {
 public:
  Presentation(std::mt19937& random, bool live, double m, double shared, double tau, double step)
      : random_(random), mean_(live ? m : -m), own_(std::sqrt(2 * m * (1 - shared))), r_(std::exp(-step / tau)) {
    mean_ += std::sqrt(2 * m * shared) * normal_(random_);
    state_ = normal_(random_);
  }
  float next() {
    const double score = mean_ + own_ * state_;
    state_ = r_ * state_ + std::sqrt(1 - r_ * r_) * normal_(random_);
    return static_cast<float>(score);
  }

 private:
  std::mt19937& random_;
  std::normal_distribution<double> normal_;
  double mean_;
  double own_;
  double r_;
  double state_ = 0;
};

struct Outcome {
  int live = 0;
  int spoof = 0;
  int uncertain = 0;
  std::vector<int> frames;
};

Outcome simulate(const SequentialTest::Options& options, bool live, double m, int runs, unsigned seed) {
  constexpr double kStep = 0.1;  // every third frame of 30 a second
  std::mt19937 random(seed);
  Outcome all;
  for (int run = 0; run < runs; ++run) {
    SequentialTest test(options);
    Presentation scores(random, live, m, static_cast<double>(options.shared),
                        static_cast<double>(options.correlation_seconds), kStep);
    int frames = 0;
    while (!test.decided()) test.push(scores.next(), kStep * frames++);
    (test.verdict() == Verdict::kLive ? all.live : test.verdict() == Verdict::kSpoof ? all.spoof : all.uncertain) += 1;
    all.frames.push_back(frames);
  }
  std::sort(all.frames.begin(), all.frames.end());
  return all;
}

// Upper end of the 95 % interval that a count of `runs` with this rate stays below (normal approximation).
double at_most(double rate, int runs) {
  return rate * runs + 1.645 * std::sqrt(rate * (1 - rate) * runs);
}

}  // namespace

TEST_CASE("Realised error rates stay within the targets on correlated scores", "[sequential]") {
  constexpr int kRuns = 4000;
  for (const char* profile : {"strict", "balanced", "lenient"}) {
    for (const double m : {1.0, 2.0, 4.0}) {
      CAPTURE(profile, m);
      SequentialTest::Options options;
      options.targets = targets_of(profile).value();
      const Outcome bona_fide = simulate(options, true, m, kRuns, 11);
      const Outcome attack = simulate(options, false, m, kRuns, 12);
      INFO("bona fide: " << bona_fide.live << " live, " << bona_fide.spoof << " spoof, median "
                         << bona_fide.frames[kRuns / 2] << " scores; attack: " << attack.live << " live, "
                         << attack.spoof << " spoof, median " << attack.frames[kRuns / 2]);
      CHECK(attack.live <= at_most(static_cast<double>(options.targets.apcer), kRuns));
      CHECK(bona_fide.spoof <= at_most(static_cast<double>(options.targets.bpcer), kRuns));
      if (m >= 2) CHECK(bona_fide.live > kRuns / 2);
      // Early deny is cheap, where the targets do not ask for the opposite.
      if (options.targets.apcer < options.targets.bpcer) CHECK(attack.frames[kRuns / 2] <= bona_fide.frames[kRuns / 2]);
    }
  }
}

TEST_CASE("The sum of constant evidence is the textbook's", "[sequential]") {
  SequentialTest::Options options;
  options.shared = 0;
  options.max_seconds = 1000;
  SequentialTest test(options);
  const double r = std::exp(-0.1 / 0.25);
  for (int n = 1; n <= 3; ++n) {
    test.push(0.5F, 0.1 * n);
    CHECK(test.evidence() == Approx(0.5 * (1 + (n - 1) * (1 - r) / (1 + r))));
    CHECK(test.independent_scores() == Approx(1 + (n - 1) * (1 - r) / (1 + r)));
  }
  CHECK(test.upper() == Approx(std::log(0.97 / 0.01)));
  CHECK(test.lower() == Approx(std::log(0.03 / 0.99)));

  // The same moment again says nothing new; a score without weight says nothing at all.
  const double before = test.evidence();
  test.push(0.5F, 0.3);
  CHECK(test.evidence() == Approx(before));
  test.push(-20, 0.4, 0);
  CHECK(test.evidence() == Approx(before));
  CHECK(test.scores() == 4);

  // What a presentation shares is never proved by waiting.
  options.shared = 0.2F;
  SequentialTest patient(options);
  for (int n = 0; n < 5000; ++n) patient.push(0.5F, 0.1 * n);
  CHECK(patient.evidence() <= 0.5 / 0.2 + 0.01);
  CHECK(patient.verdict() == Verdict::kUncertain);
}

TEST_CASE("LIVE takes frames and seconds, SPOOF does not; the time runs out", "[sequential]") {
  SequentialTest::Options options;
  SequentialTest live(options);
  int n = 0;
  double t = 0;
  for (; live.push(20, t) != Verdict::kLive; t += 0.04) ++n;
  CHECK(n + 1 >= options.min_frames);
  CHECK(t >= static_cast<double>(options.min_seconds));
  CHECK(t < 2);
  CHECK(live.confidence() == 1);

  SequentialTest spoof(options);
  CHECK(spoof.push(-20, 0) == Verdict::kSpoof);  // max_step is beyond the lower bound

  SequentialTest forbidden(options);
  for (int i = 0; i < 100; ++i) CHECK(forbidden.push(20, 0.05 * i, 1, false) == Verdict::kUncertain);
  CHECK(forbidden.push(20, 5.1, 1, true) == Verdict::kLive);

  SequentialTest open(options);
  open.push(0, 0);
  CHECK_FALSE(open.decided());
  open.wait(static_cast<double>(options.max_seconds));
  CHECK(open.timed_out());
  CHECK(open.verdict() == Verdict::kUncertain);

  SequentialTest waiting(options);  // nothing was ever scored
  waiting.wait(3);
  CHECK_FALSE(waiting.decided());
  waiting.wait(3 + static_cast<double>(options.max_seconds));
  CHECK(waiting.timed_out());
  CHECK(waiting.scores() == 0);

  CHECK(open.push(NAN, 9) == Verdict::kSpoof);  // no number is no bona fide evidence
}

TEST_CASE("A verdict can be revoked by what comes later", "[sequential]") {
  SequentialTest test;
  double t = 0;
  for (; t < 5; t += 0.1) test.push(3, t);
  REQUIRE(test.verdict() == Verdict::kLive);
  int frames = 0;
  for (; test.verdict() != Verdict::kSpoof && frames < 100; t += 0.1, ++frames) test.push(-3, t);
  CHECK(frames < 30);  // five seconds of LIVE do not have to be worked off
  REQUIRE(test.verdict() == Verdict::kSpoof);
  for (frames = 0; test.verdict() != Verdict::kLive && frames < 300; t += 0.1, ++frames) test.push(3, t);
  CHECK(test.verdict() == Verdict::kLive);
  CHECK(frames >= SequentialTest::Options().min_frames);
  // Not allowed any more: back to an open test, at once.
  CHECK(test.push(3, t, 1, false) == Verdict::kUncertain);
}

TEST_CASE("A window of N holds N values and is divided by N", "[temporal][regression]") {
  TemporalFilter::Options options;
  options.window = 4;
  TemporalFilter filter(options);
  for (int i = 1; i <= 4; ++i) CHECK(filter.push(2).mean == 2);
  // The fifth value drives the first out: (2 + 2 + 2 + 3) / 4, neither / 3 nor over five values.
  CHECK(filter.push(3).mean == Approx(2.25));
  CHECK(filter.push(3).mean == Approx(2.5));
  CHECK(filter.push(3).variance == Approx(0.25));
  filter.reset();
  CHECK(filter.push(5).mean == 5);
}

TEST_CASE("One lucky frame is held back, an unlucky one less, a change is followed", "[temporal]") {
  TemporalFilter filter;
  for (int i = 0; i < 5; ++i) filter.push(-2);
  const TemporalFilter::Step lucky = filter.push(15);
  CHECK(lucky.spike);
  CHECK(lucky.value == Approx(1));
  CHECK(lucky.weight < 0.2F);
  TemporalFilter steady;
  for (int i = 0; i < 5; ++i) steady.push(4);
  CHECK(steady.push(-15).value == Approx(-2));
  CHECK_FALSE(steady.push(3.5F).spike);
  for (int i = 0; i < 3; ++i) steady.push(-5);
  CHECK(steady.push(-5).value == -5);
}

TEST_CASE("Quality counts scores down, never up", "[sequential]") {
  Quality good;
  good.face_pixels = 200;
  good.sharpness = 500;
  good.luminance = 120;
  CHECK(quality_weight(good) == 1);
  Quality dim = good;
  dim.luminance = 40;
  CHECK(quality_weight(dim) == Approx(0.5));
  Quality cut = good;
  cut.outside = 0.25F;
  CHECK(quality_weight(cut) == Approx(0.75));
  Quality none = good;
  none.sharpness = NAN;
  CHECK(quality_weight(none) == 0);
  CHECK_FALSE(targets_of("lax").has_value());
}

TEST_CASE("The adaptive threshold rises with cause, slowly, within bounds, and never sinks below its floor",
          "[adaptive]") {
  AdaptiveThreshold::Options options;
  options.enabled = true;
  Quality good;
  good.face_pixels = 200;
  good.sharpness = 500;
  good.luminance = 120;
  AdaptiveThreshold threshold(1, options);
  double t = 0;
  const auto run = [&](const Quality& q, double seconds) {
    for (const double end = t + seconds; t < end; t += 0.1) {
      const float before = threshold.value();
      threshold.observe(q, t);
      CHECK(std::fabs(threshold.value() - before) <= options.max_speed * 0.1F + 1e-4F);
      CHECK(threshold.value() >= threshold.floor());
      CHECK(threshold.value() <= threshold.floor() + options.max_raise);
    }
  };
  run(good, 2);
  CHECK(threshold.value() == 1);
  CHECK(threshold.log().empty());
  Quality dark = good;
  dark.luminance = 45;  // one halving
  run(dark, 5);
  CHECK(threshold.value() == Approx(1.5));
  REQUIRE_FALSE(threshold.log().empty());
  CHECK(threshold.log().back().cause == ThresholdCause::kDark);
  run(good, 5);
  CHECK(threshold.value() == 1);
  CHECK(threshold.log().back().cause == ThresholdCause::kRelaxed);
  CHECK(threshold.log().back().to == 1);
  Quality hopeless;
  hopeless.luminance = NAN;
  run(hopeless, 10);
  CHECK(threshold.value() == Approx(2.5));
  run(good, 10);

  // Bona fide faces that score far above raise it; ones that score below cannot lower it.
  for (int i = 0; i < options.memory; ++i) threshold.learn(5 + 0.1F * static_cast<float>(i % 2));
  run(good, 10);
  CHECK(threshold.value() == Approx(2.5));
  CHECK(threshold.log().back().cause == ThresholdCause::kBonaFide);
  for (int i = 0; i < 5 * options.memory; ++i) threshold.learn(-3);
  run(good, 10);
  CHECK(threshold.value() == 1);

  AdaptiveThreshold off(1, {});
  off.learn(9);
  off.observe(dark, 0);
  off.observe(dark, 10);
  CHECK(off.value() == 1);
  CHECK(off.log().empty());
}

namespace {

// Landmarks of a head turned by `yaw` about its upright axis, seen with perspective; `nose` is how far its tip stands
// out, in eye distances.
Face turned(float yaw, float nose, float x = 300) {
  const float points[5][3] = {{-0.5F, 0, 0}, {0.5F, 0, 0}, {0, 0.57F, nose}, {-0.4F, 1.15F, 0}, {0.4F, 1.15F, 0}};
  Face f;
  f.has_landmarks = true;
  for (std::size_t i = 0; i < 5; ++i) {
    const float px = points[i][0] * std::cos(yaw) + points[i][2] * std::sin(yaw);
    const float pz = points[i][2] * std::cos(yaw) - points[i][0] * std::sin(yaw);
    const float scale = 60 * 8 / (8 - pz);
    f.landmarks[i] = {x + scale * px, 200 + scale * points[i][1]};
  }
  f.box = {x - 60, 150, 120, 160};
  return f;
}

Patch noise(unsigned seed, int spread) {
  std::mt19937 random(seed);
  Patch p;
  for (std::size_t i = 0; i < p.size(); ++i)
    p[i] = static_cast<std::uint8_t>(100 + static_cast<int>(i % 16) * 5 +
                                     static_cast<int>(random() % static_cast<unsigned>(spread + 1)));
  return p;
}

}  // namespace

TEST_CASE("A turned print moves flat, a turned head does not", "[cues]") {
  MotionCues::Options options;
  options.enabled = true;
  for (const float nose : {0.0F, 0.45F}) {
    CAPTURE(nose);
    MotionCues cues(options);
    ReasonMask found = 0;
    for (int i = 0; i < 40; ++i)
      found |= cues.push(turned(0.018F * static_cast<float>(i), nose), noise(static_cast<unsigned>(i), 8), 120, 100);
    CHECK(has(found, Reason::kFlatMotion) == (nose == 0));
  }
  // A head that only goes to and fro says nothing.
  MotionCues cues(options);
  for (int i = 0; i < 60; ++i)
    CHECK(cues.push(turned(0, 0.45F, 300 + static_cast<float>(i)), noise(static_cast<unsigned>(i), 8), 120, 100) == 0);
}

TEST_CASE("A moved still picture is frozen; a screen that swings flickers; neither cue is on unless asked for",
          "[cues]") {
  MotionCues::Options options;
  options.enabled = true;
  MotionCues still(options);
  MotionCues screen(options);
  MotionCues off{MotionCues::Options()};
  ReasonMask frozen = 0;
  ReasonMask flicker = 0;
  for (int i = 0; i < 60; ++i) {
    const Face f = turned(0, 0.45F, 300 + static_cast<float>(i));
    frozen |= still.push(f, noise(1, 8), 120, 100);
    const float level = i % 2 == 0 ? 124.0F : 117.0F;
    flicker |= screen.push(f, noise(static_cast<unsigned>(i), 8), level, 100);
    CHECK(off.push(f, noise(1, 8), level, 100) == 0);
  }
  CHECK(frozen == mask(Reason::kFrozen));
  CHECK(flicker == mask(Reason::kFlicker));
  // Light that swings on everything is the room's.
  MotionCues lamp(options);
  for (int i = 0; i < 60; ++i) {
    const float swing = i % 2 == 0 ? 7.0F : 0.0F;
    CHECK(lamp.push(turned(0, 0.45F), noise(static_cast<unsigned>(i), 8), 120 + swing, 100 + swing) == 0);
  }
}

TEST_CASE("The pairing of least cost", "[motion]") {
  // Checked against every permutation.
  std::mt19937 random(3);
  for (int run = 0; run < 200; ++run) {
    const std::size_t rows = 1 + random() % 4;
    const std::size_t columns = 1 + random() % 5;
    std::vector<double> cost(rows * columns);
    for (double& c : cost) c = random() % 5 == 0 ? HUGE_VAL : static_cast<double>(random() % 100);
    std::vector<int> places(std::max(rows, columns));
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int>(i);
    int most = -1;
    double least = HUGE_VAL;
    const auto judge = [&](const auto& column_of, int& pairs, double& sum) {
      pairs = 0;
      sum = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        const int j = column_of[i];
        if (j < 0 || static_cast<std::size_t>(j) >= columns) continue;
        const double c = cost[i * columns + static_cast<std::size_t>(j)];
        if (!std::isfinite(c)) continue;
        ++pairs;
        sum += c;
      }
    };
    do {
      int pairs = 0;
      double sum = 0;
      judge(places, pairs, sum);
      if (pairs > most || (pairs == most && sum < least)) {
        most = pairs;
        least = sum;
      }
    } while (std::next_permutation(places.begin(), places.end()));
    int pairs = 0;
    double sum = 0;
    judge(assign(cost, rows, columns), pairs, sum);
    CHECK(pairs == most);
    CHECK(sum == Approx(least));
  }
  CHECK(assign({}, 0, 3).empty());
  CHECK(assign({}, 2, 0) == std::vector<int>{-1, -1});
}

TEST_CASE("The motion filter follows constant velocity without lag, smooths, and catches turns", "[motion]") {
  std::mt19937 random(5);
  std::normal_distribution<double> noise(0, 1.5);
  FaceMotion motion;
  Face f;
  f.box = {100, 100, 100, 120};
  motion.start(f);
  double lag = 0;
  double error = 0;
  for (int i = 1; i <= 200; ++i) {
    motion.predict(1.0 / 30);
    const double x = 100 + 4.0 * i;
    f.box.x = static_cast<float>(x + noise(random));
    motion.correct(f);
    if (i <= 50) continue;
    lag += static_cast<double>(motion.box().x) - x;
    error += std::pow(static_cast<double>(motion.box().x) - x, 2);
  }
  CHECK(std::fabs(lag / 150) < 0.3);
  CHECK(std::sqrt(error / 150) < 1.2);  // of 1.5 measured
  CHECK(motion.velocity().x == Approx(120).epsilon(0.1));
  // It turns back at once.
  for (int i = 1; i <= 3; ++i) {
    motion.predict(1.0 / 30);
    f.box.x = static_cast<float>(900 - 30.0 * i);
    motion.correct(f);
  }
  CHECK(std::fabs(motion.box().x - 810) < 10);
  CHECK(motion.face().has_landmarks == false);
}

TEST_CASE("Likeness does not see the light", "[motion]") {
  const Patch a = noise(1, 40);
  Patch brighter;
  for (std::size_t i = 0; i < a.size(); ++i) brighter[i] = static_cast<std::uint8_t>(a[i] / 2 + 90);
  CHECK(likeness(a, a) == Approx(1));
  CHECK(likeness(a, brighter) > 0.99F);
  CHECK(likeness(a, noise(2, 40)) < 0.95F);
  Patch flat;
  flat.fill(7);
  CHECK(likeness(flat, flat) == 1);
  CHECK(likeness(flat, a) == 0);
  CHECK(difference(a, brighter) > 10);
}
