// liveness bench: how fast the loaded networks run here, and how steady their verdicts are.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "inputs.hpp"
#include "liveness/opencv.hpp"
#include "models.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace {

struct Options {
  ModelFlags models;
  int rounds = 200;
  bool steps = false;
  std::string jitter;
  bool json = false;
};

struct Speed {
  double p50 = 0;
  double p99 = 0;
};

// Single passes on one thread, after a warm-up of a tenth of them.
Speed measure(const Model& model, int rounds) {
  const ModelInfo& info = model.info();
  std::vector<float> input(info.inputs.at(0).elements());
  std::uint32_t state = 1;
  for (float& v : input) {
    state = state * 1664525U + 1013904223U;
    v = static_cast<float>(state >> 24) / 255.0F;
  }
  std::vector<std::vector<float>> outputs;
  for (const auto& t : info.outputs) outputs.emplace_back(t.elements());
  const std::vector<std::span<float>> spans(outputs.begin(), outputs.end());
  std::vector<double> times;
  for (int i = -(rounds / 10 + 1); i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    model.run(input, spans);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    if (i >= 0) times.push_back(time.count());
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  return {at(0.5), at(0.99)};
}

Json bench_model(const Model& model, const Options& o) {
  const ModelInfo& info = model.info();
  const Speed speed = measure(model, o.rounds);
  const double gmacs = static_cast<double>(info.macs) * 1e-6 / speed.p50;
  Json row = {{"model", model.contract().name},
              {"isa", to_string(info.isa)},
              {"backend", to_string(info.backend)},
              {"precision", to_string(info.precision)},
              {"device", info.device},
              {"macs", info.macs},
              {"p50_ms", speed.p50},
              {"p99_ms", speed.p99},
              {"gmac_per_s", gmacs}};
  if (!o.json)
    fmt::print("{:<28} {:>9} {:>9.2f} {:>9.3f} {:>9.3f} {:>9.1f}\n", model.contract().name, to_string(info.isa),
               static_cast<double>(info.macs) * 1e-6, speed.p50, speed.p99, gmacs);
  if (!o.steps) return row;
  const std::vector<StepTime> steps = model.profile(std::clamp(o.rounds, 1, 1000));
  double all = 0;
  for (const auto& s : steps) all += s.microseconds;
  row["steps"] = Json::array();
  for (const auto& s : steps) {
    row["steps"].push_back({{"name", s.name}, {"macs", s.macs}, {"microseconds", s.microseconds}});
    if (!o.json)
      fmt::print("  {:<46.46} {:>9.3f} MMAC {:>9.2f} us {:>5.1f} %\n", s.name, static_cast<double>(s.macs) * 1e-6,
                 s.microseconds, all > 0 ? 100 * s.microseconds / all : 0.0);
  }
  return row;
}

// How often a verdict flips between LIVE and not LIVE when the face box moves: every jittered box of every picture's
// largest face.
struct Flips {
  std::string name;
  Bounds bounds;
  std::int64_t crops = 0;
  std::int64_t flips = 0;
  std::int64_t pictures_with_flip = 0;
  std::vector<float> moves;  // |difference of the score|
};

Json bench_jitter(const Chosen& chosen, const Options& o, int& code) {
  Ensemble::Options e;
  e.detector = chosen.detector;
  e.box_convention = chosen.detector->contract().detector->box;
  e.abstain = 0;
  const Ensemble ensemble(chosen.members, e);

  std::vector<Flips> all;
  if (chosen.members.size() > 1) all.push_back({"all together", {}, 0, 0, 0, {}});
  for (const auto& m : chosen.members) {
    const auto& profile = m.contract().score->profiles.at(e.profile);
    all.push_back({m.contract().name, {profile.live, profile.spoof}, 0, 0, 0, {}});
  }
  const std::size_t first_member = all.size() - chosen.members.size();
  const auto score_of = [&](const FaceResult& f, std::size_t i) {
    return i < first_member ? f.score : f.members[i - first_member].score;
  };
  const auto live_of = [&](const FaceResult& f, std::size_t i) {
    return (i < first_member ? f.verdict : decide(score_of(f, i), all[i].bounds)) == Verdict::kLive;
  };

  const Expanded expanded = expand({o.jitter});
  for (const auto& [input, error] : expanded.errors) throw UsageError(fmt::format("{}: {}", input, error));
  Source source(expanded.inputs, {});
  Progress progress;
  std::int64_t pictures = 0;
  std::int64_t without = 0;
  for (Frame frame; source.next(frame);) {
    frame.decode();
    if (!frame.error.empty()) {
      progress.clear();
      fmt::print(stderr, "liveness: {}: {}\n", frame.input, frame.error);
      code = kExitFailed;
      continue;
    }
    const ImageView image = view(frame.image);
    const Result base = ensemble.predict(image);
    if (base.faces.empty() || base.faces[0].members.empty()) {
      ++without;
      continue;
    }
    ++pictures;
    const FaceResult& still = base.faces[0];
    std::vector<bool> flipped(all.size(), false);
    for (int j = 0; j < kJitterCount; ++j) {
      const Rect box = jittered(still.face.box, j);
      if (area(intersect(box, {0, 0, static_cast<float>(image.width), static_cast<float>(image.height)})) <= 0)
        continue;
      const FaceResult moved = ensemble.predict(image, box).faces.at(0);
      if (moved.members.empty()) continue;
      for (std::size_t i = 0; i < all.size(); ++i) {
        ++all[i].crops;
        all[i].moves.push_back(std::fabs(score_of(moved, i) - score_of(still, i)));
        if (live_of(moved, i) == live_of(still, i)) continue;
        ++all[i].flips;
        flipped[i] = true;
      }
    }
    for (std::size_t i = 0; i < all.size(); ++i) all[i].pictures_with_flip += flipped[i] ? 1 : 0;
    progress.show(source.progress(), pictures);
  }
  progress.clear();
  if (pictures == 0) throw UsageError(fmt::format("{}: no picture with a face", o.jitter));

  Json rows = Json::array();
  if (!o.json) {
    fmt::print("\nbox jitter (scale +-10 %, shift +-5 %): {} pictures with a face, {} without, {} boxes each\n",
               pictures, without, kJitterCount);
    fmt::print("{:<28} {:>9} {:>9} {:>18} {:>12} {:>9}\n", "model", "boxes", "flips", "pictures with one",
               "median move", "p99 move");
  }
  for (auto& f : all) {
    std::sort(f.moves.begin(), f.moves.end());
    const auto move = [&](double share) {
      return f.moves.empty() ? 0.0F
                             : f.moves[static_cast<std::size_t>(share * static_cast<double>(f.moves.size() - 1))];
    };
    const double share = f.crops > 0 ? static_cast<double>(f.flips) / static_cast<double>(f.crops) : 0;
    rows.push_back({{"model", f.name},
                    {"boxes", f.crops},
                    {"flips", f.flips},
                    {"flip_share", share},
                    {"pictures_with_flip", f.pictures_with_flip},
                    {"median_score_move", number(move(0.5))},
                    {"p99_score_move", number(move(0.99))}});
    if (!o.json)
      fmt::print("{:<28} {:>9} {:>7.2f} % {:>9} of {:<5} {:>12.3f} {:>9.3f}\n", f.name, f.crops, 100 * share,
                 f.pictures_with_flip, pictures, move(0.5), move(0.99));
  }
  return {{"pictures", pictures}, {"without_face", without}, {"boxes_a_picture", kJitterCount}, {"rows", rows}};
}

int bench(const Options& o) {
  const Chosen chosen = choose(o.models, !o.jitter.empty() || o.models.models.empty());
  std::vector<Model> models = chosen.members;
  if (chosen.detector) models.push_back(*chosen.detector);
  int code = kExitOk;
  Json report = {{"rows", Json::array()}};
  if (!o.json)
    fmt::print("{:<28} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "one thread, batch 1", "engine", "MMAC", "p50 ms", "p99 ms",
               "GMAC/s");
  for (const auto& m : models) report["rows"].push_back(bench_model(m, o));
  if (!o.jitter.empty()) report["jitter"] = bench_jitter(chosen, o, code);
  if (o.json) fmt::print("{}\n", report.dump(2));
  return code;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App& verb =
      *app.add_subcommand("bench", "Times the networks on this machine, and tries how steady their verdicts are");
  o->models.add_to(verb);
  verb.add_option("--rounds", o->rounds, "timed passes of each network")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  verb.add_flag("--steps", o->steps, "a line for every step of the engine's plan");
  verb.add_option("--jitter", o->jitter, "pictures whose face boxes are moved: how often does the verdict flip?")
      ->type_name("DIR");
  verb.add_flag("--json", o->json, "one JSON document");
  verb.footer("Examples:\n  liveness bench --steps --model model.safetensors\n  liveness bench --jitter pictures/");
  verb.callback([o, &action] { action = [o] { return bench(*o); }; });
}

}  // namespace liveness::cli
