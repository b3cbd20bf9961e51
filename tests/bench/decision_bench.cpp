// The sequential test against the mean of five scores, on recorded scores; JSON on stdout.
//   liveness_decision_bench SCORES.csv
// SCORES.csv is written by record_streams.py. Everything is chosen on the split "devel" and reported on "test":
//  * neutral and gain of the evidence: logistic regression on the scores of single frames, both classes weighing the
//  same;
//  * the mean of five: the threshold whose two error rates are nearest;
//  * the test: of a row of equal targets, the largest whose mean error rate is at most that of the mean of five;
//    beside it, what the mean of five refuses on "test" where it accepts as many attacks (a threshold chosen on "test",
//    in its favour); also with the targets of the profile "balanced", as it is.
// A test that is open when the video ends is decided by the sign of its evidence (a truncated test), for the mean of
// five has no third answer either; how many those are is told.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "liveness/predictor.hpp"
#include "liveness/sequential.hpp"

namespace {

using namespace liveness;
using Json = nlohmann::ordered_json;

struct Score {
  double seconds;
  float logit;
  float weight;  // 0 where a reason abstains
};
struct Video {
  bool live = false;
  std::vector<Score> scores;
};
using Videos = std::map<std::string, Video>;

std::map<std::string, std::map<std::string, Videos>> read(const char* file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error(std::string("cannot read ") + file);
  std::map<std::string, std::map<std::string, Videos>> all;  // by network and split
  const ReasonMask abstain = Predictor::Options().abstain;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::vector<std::string> f;
    std::stringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) f.push_back(field);
    if (f.size() != 11) throw std::runtime_error("not eleven columns: " + line);
    Quality q;
    q.face_pixels = std::stof(f[7]);
    q.sharpness = std::stof(f[8]);
    q.luminance = std::stof(f[9]);
    q.outside = std::stof(f[10]);
    const bool unfit = (static_cast<ReasonMask>(std::stoul(f[6])) & abstain) != 0;
    Video& video = all[f[3]][f[0]][f[1]];
    video.live = f[2] == "1";
    video.scores.push_back({std::stod(f[4]), std::stof(f[5]), unfit ? 0.0F : quality_weight(q)});
  }
  return all;
}

struct Line {
  double gain = 1;
  double neutral = 0;
};

// P(live) = 1 / (1 + exp(-gain (x - neutral))), by Newton's method with a little ridge.
Line fit(const Videos& videos) {
  double n[2] = {};
  for (const auto& [name, v] : videos)
    for (const Score& s : v.scores) n[v.live ? 1 : 0] += s.weight > 0 ? 1 : 0;
  double a = 0.5;
  double b = 0;
  for (int round = 0; round < 50; ++round) {
    double ga = -1e-6 * a, gb = 0, haa = 1e-6, hab = 0, hbb = 1e-9;
    for (const auto& [name, v] : videos)
      for (const Score& s : v.scores) {
        if (!(s.weight > 0)) continue;
        const double x = static_cast<double>(s.logit);
        const double p = 1 / (1 + std::exp(-(a * x + b)));
        const double w = 0.5 / n[v.live ? 1 : 0];
        ga += w * ((v.live ? 1 : 0) - p) * x;
        gb += w * ((v.live ? 1 : 0) - p);
        haa += w * p * (1 - p) * x * x;
        hab += w * p * (1 - p) * x;
        hbb += w * p * (1 - p);
      }
    const double det = haa * hbb - hab * hab;
    a += (hbb * ga - hab * gb) / det;
    b += (haa * gb - hab * ga) / det;
  }
  return {a, -b / a};
}

struct Outcome {
  int wrong[2] = {};  // attack, bona fide
  int count[2] = {};
  int undecided[2] = {};
  std::vector<int> frames[2];

  void add(bool live, bool said_live, int used, bool open = false) {
    const int k = live ? 1 : 0;
    ++count[k];
    wrong[k] += live != said_live ? 1 : 0;
    undecided[k] += open ? 1 : 0;
    frames[k].push_back(used);
  }
  [[nodiscard]] double rate(int k) const { return count[k] > 0 ? static_cast<double>(wrong[k]) / count[k] : 0; }
  [[nodiscard]] double error() const { return (rate(0) + rate(1)) / 2; }
  [[nodiscard]] double mean_frames(int k) const {
    double sum = 0;
    for (const int f : frames[k]) sum += f;
    return frames[k].empty() ? 0 : sum / static_cast<double>(frames[k].size());
  }
  [[nodiscard]] int median(int k) const {
    std::vector<int> sorted = frames[k];
    std::sort(sorted.begin(), sorted.end());
    return sorted.empty() ? 0 : sorted[sorted.size() / 2];
  }
  [[nodiscard]] Json json() const {
    return {{"apcer", rate(0)},
            {"bpcer", rate(1)},
            {"mean_error", error()},
            {"frames_mean", (mean_frames(0) + mean_frames(1)) / 2},
            {"frames_mean_attack", mean_frames(0)},
            {"frames_mean_bona_fide", mean_frames(1)},
            {"frames_median_attack", median(0)},
            {"frames_median_bona_fide", median(1)},
            {"undecided_attack", undecided[0]},
            {"undecided_bona_fide", undecided[1]},
            {"attacks", count[0]},
            {"bona_fide", count[1]}};
  }
};

Outcome mean_of(std::size_t n, const Videos& videos, double threshold) {
  Outcome all;
  for (const auto& [name, v] : videos) {
    double sum = 0;
    std::size_t taken = 0;
    for (const Score& s : v.scores) {
      if (taken == n || !(s.weight > 0)) continue;
      sum += static_cast<double>(s.logit);
      ++taken;
    }
    if (taken > 0) all.add(v.live, sum / static_cast<double>(taken) >= threshold, static_cast<int>(taken));
  }
  return all;
}

double nearest_threshold(std::size_t n, const Videos& videos) {
  double best = 0;
  double least = 2;
  for (double t = -12; t <= 12; t += 0.01) {
    const Outcome o = mean_of(n, videos, t);
    if (const double gap = std::fabs(o.rate(0) - o.rate(1)); gap < least) {
      least = gap;
      best = t;
    }
  }
  return best;
}

// Of the mean of n, where no more attacks are accepted than that: the least share of bona fide presentations refused.
double bpcer_at(std::size_t n, const Videos& videos, double apcer) {
  double best = 1;
  for (double t = -12; t <= 12; t += 0.01)
    if (const Outcome o = mean_of(n, videos, t); o.rate(0) <= apcer) best = std::min(best, o.rate(1));
  return best;
}

struct Way {
  SequentialTest::Options test;
  TemporalFilter::Options smoothing;
};

// The library's defaults, calibrated, and no end before that of the video.
Way calibrated(const Line& line) {
  Way way;
  way.test.gain = static_cast<float>(line.gain);
  way.test.neutral = static_cast<float>(line.neutral);
  way.test.max_seconds = 1000;
  return way;
}

Outcome sequential(const Videos& videos, const Way& way) {
  Outcome all;
  for (const auto& [name, v] : videos) {
    SequentialTest test(way.test);
    TemporalFilter filter(way.smoothing);
    int used = 0;
    for (const Score& s : v.scores) {
      if (test.decided()) break;
      if (!(s.weight > 0)) continue;
      const auto step = filter.push(s.logit);
      test.push(step.value, s.seconds, step.weight * s.weight);
      ++used;
    }
    if (used == 0) continue;
    const bool open = test.verdict() == Verdict::kUncertain;
    all.add(v.live, open ? test.evidence() > 0 : test.verdict() == Verdict::kLive, used, open);
  }
  return all;
}

// Of equal targets the largest (the fewest frames) that makes no more mistakes on these videos than `error`.
double widest_target(const Videos& videos, Way way, double error) {
  double best = 0.001;
  for (double e = 0.001; e < 0.45; e *= 1.1) {
    way.test.targets = {static_cast<float>(e), static_cast<float>(e)};
    if (sequential(videos, way).error() <= error) best = e;
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    Json out;
    for (const auto& [net, splits] : read(argv[1])) {
      const Videos& devel = splits.at("devel");
      const Videos& test = splits.at("test");
      const Line line = fit(devel);
      const double threshold = nearest_threshold(5, devel);
      const Outcome five = mean_of(5, devel, threshold);
      Json& j = out[net];
      j["gain"] = line.gain;
      j["neutral"] = line.neutral;
      j["mean_of_5"] = {{"threshold", threshold}, {"devel", five.json()}, {"test", mean_of(5, test, threshold).json()}};
      const double one = nearest_threshold(1, devel);
      j["one_frame"] = {{"devel", mean_of(1, devel, one).json()}, {"test", mean_of(1, test, one).json()}};
      for (const int min_frames : {5, 3, 1}) {
        Way way = calibrated(line);
        way.test.min_frames = min_frames;
        if (min_frames == 1) way.test.min_seconds = 0;
        const double e = widest_target(devel, way, five.error());
        way.test.targets = {static_cast<float>(e), static_cast<float>(e)};
        const Outcome reported = sequential(test, way);
        j["sequential_min_" + std::to_string(min_frames)] = {
            {"target", e},
            {"devel", sequential(devel, way).json()},
            {"test", reported.json()},
            {"mean_of_5_bpcer_at_its_apcer", bpcer_at(5, test, reported.rate(0))}};
      }
      Way balanced = calibrated(line);
      balanced.test.targets = targets_of("balanced").value();
      j["sequential_balanced"] = {{"devel", sequential(devel, balanced).json()},
                                  {"test", sequential(test, balanced).json()}};
    }
    std::printf("%s\n", out.dump(1).c_str());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "liveness_decision_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
