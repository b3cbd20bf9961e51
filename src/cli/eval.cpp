// liveness eval: error rates from pictures or scores.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "eval_report.hpp"
#include "measure.hpp"
#include "record.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace {

struct Options {
  MeasureFlags measure;
  std::optional<double> threshold;
  double confidence = 0.95;
  std::vector<double> targets = {0.01, 0.05, 0.07, 0.10};
  std::string json;
  std::string csv;
  std::string html;
  std::string bob;
  std::vector<std::string> compare;
  int rounds = 2000;
  std::uint64_t seed = 1;
  std::string against;
};

double log_odds(double p) {
  return std::clamp(std::log(p) - std::log1p(-p), -static_cast<double>(kMaxLogit), static_cast<double>(kMaxLogit));
}

// The scores' own threshold: of the command line, of the profile, or none.
EvaluationOptions thresholds(const Options& o, const Measured& m, std::string& words) {
  EvaluationOptions e;
  e.confidence = o.confidence;
  e.apcer_targets = o.targets;
  if (o.threshold) {
    // Our scores are log-odds; those of others are what they are.
    if (!m.models.empty() && !(*o.threshold >= 0 && *o.threshold <= 1))
      throw UsageError(fmt::format("--threshold {}: expected 0 to 1, P(live)", *o.threshold));
    e.live = m.models.empty() ? *o.threshold : log_odds(*o.threshold);
    words = fmt::format("threshold {:g}", *o.threshold);
  } else if (m.bounds) {
    e.live = static_cast<double>(to_logit(m.bounds->live));
    e.spoof = static_cast<double>(to_logit(m.bounds->spoof));
    words = m.bounds->live == m.bounds->spoof
                ? fmt::format("threshold {:g}", m.bounds->live)
                : fmt::format("LIVE from {:g}, SPOOF below {:g}", m.bounds->live, m.bounds->spoof);
    if (m.calibrated) words += ", calibrated";
  } else {
    words = "threshold of equal error on these very scores, the best case";
  }
  return e;
}

std::vector<UnitReport> unit_reports(const std::vector<Presentation>& all, const EvaluationOptions& options) {
  std::vector<UnitReport> units;
  for (const EvaluationUnit unit : {EvaluationUnit::kPicture, EvaluationUnit::kClip, EvaluationUnit::kSubject}) {
    UnitReport u;
    u.unit = unit;
    u.presentations = aggregate(all, unit);
    if (unit != EvaluationUnit::kPicture && u.presentations.size() == all.size()) continue;  // says nothing new
    u.report = Evaluation(u.presentations).report(options);
    units.push_back(std::move(u));
  }
  return units;
}

SetMatrix across_sets(const std::vector<ScoreRow>& rows) {
  std::map<std::string, std::vector<Presentation>> by_set;
  for (const ScoreRow& row : rows)
    if (row.error.empty() && !row.set.empty()) by_set[row.set].push_back(row.presentation());
  SetMatrix m;
  if (by_set.size() < 2) return m;
  for (const auto& [name, list] : by_set) m.sets.push_back(name);
  for (const auto& [row, from] : by_set) {
    EvaluationOptions options;
    const double t = Evaluation(from).eer().threshold;
    auto& line = m.hter.emplace_back();
    for (const auto& [column, to] : by_set) {
      if (std::isnan(t)) {
        line.push_back(t);
        continue;
      }
      options.live = t;
      line.push_back(Evaluation(to).report(options).hter);
    }
  }
  return m;
}

std::vector<Drift> drifts(const std::string& file, const Measured& m) {
  const Calibration c = Calibration::load(file);
  if (m.models.empty()) throw UsageError("--against: needs scores of this program");
  if (m.calibrated)
    throw UsageError("--against: its reference is of uncalibrated log-odds; score without --calibration");
  if (c.models != m.models || c.fusion != m.fusion || c.weights != m.weights)
    throw UsageError(fmt::format("--against {}: was made for other models or another fusion", file));
  std::map<std::string, std::vector<double>> now;
  for (const ScoreRow& row : m.rows) {
    if (!row.species.empty() || !row.error.empty()) continue;
    const auto add = [&](const char* name, double value) {
      if (!std::isnan(value)) now[name].push_back(value);
    };
    add("logit", row.score);
    add("luminance", row.luminance);
    add("sharpness", row.sharpness);
    add("face_pixels", row.face_pixels);
  }
  std::vector<Drift> all;
  for (const auto& [name, reference] : c.reference) all.push_back(drift(name, reference, now[name]));
  if (all.empty()) throw UsageError(fmt::format("--against {}: holds no reference", file));
  return all;
}

Json drift_json(const std::vector<Drift>& all) {
  Json j = Json::array();
  for (const Drift& d : all)
    j.push_back({{"name", d.name},
                 {"drifted", d.drifted},
                 {"distance", d.distance},
                 {"chance", d.chance},
                 {"median_then", d.median_then},
                 {"median_now", d.median_now},
                 {"count", d.count}});
  return j;
}

int run_compare(const Options& o) {
  const Measured a = read_measured(o.compare[0]);
  const Measured b = read_measured(o.compare[1]);
  std::map<std::tuple<std::string, std::int64_t, std::string>, std::size_t> places;
  for (std::size_t i = 0; i < b.rows.size(); ++i)
    if (b.rows[i].error.empty()) places[{b.rows[i].input, b.rows[i].frame, b.rows[i].species}] = i;
  std::vector<Presentation> in_a;
  std::vector<Presentation> in_b;
  std::size_t alone = 0;
  for (const ScoreRow& row : a.rows) {
    if (!row.error.empty()) continue;
    const auto found = places.find({row.input, row.frame, row.species});
    if (found == places.end()) {
      ++alone;
      continue;
    }
    in_a.push_back(row.presentation());
    in_b.push_back(b.rows[found->second].presentation());
    places.erase(found);
  }
  if (in_a.empty()) throw UsageError("--compare: the two files have no picture in common");
  ComparisonOptions c;
  c.rounds = o.rounds;
  c.seed = o.seed;
  c.confidence = o.confidence;
  std::string words_a;
  std::string words_b;
  const auto threshold = [&](const Measured& m, const std::vector<Presentation>& list, std::string& words) {
    const EvaluationOptions e = thresholds(o, m, words);
    return e.live ? *e.live : Evaluation(list).eer().threshold;
  };
  c.threshold_a = threshold(a, in_a, words_a);
  c.threshold_b = threshold(b, in_b, words_b);
  const Comparison r = compare(in_a, in_b, c);
  if (!o.json.empty()) write_text(o.json, to_json(r) + "\n");
  if (o.json == "-") return kExitOk;
  fmt::print("A: {} ({})\nB: {} ({})\n", o.compare[0], words_a, o.compare[1], words_b);
  fmt::print("{} presentations in both", r.presentations);
  if (alone + places.size() > 0) fmt::print(", {} in one only and left out", alone + places.size());
  fmt::print("\nright: only A {}, only B {}; exact McNemar test p = {:.3g}\n", r.only_a_right, r.only_b_right,
             r.mcnemar);
  fmt::print("AUC: A {:.4f}, B {:.4f}; B - A {:+.4f} [{:+.4f} - {:+.4f}], {:g} % of {} bootstraps over {} clips\n",
             r.auc_a, r.auc_b, r.difference, r.interval.low, r.interval.high, o.confidence * 100, o.rounds, r.clusters);
  return kExitOk;
}

int run_eval(const Options& o) {
  if (!o.compare.empty()) return run_compare(o);
  const Measured m = measure(o.measure);
  const std::vector<Presentation> all = presentations(m.rows);
  if (all.empty()) throw UsageError("nothing was scored");
  EvalDocument document;
  document.origin = m.origin;
  document.log_odds = !m.models.empty();
  const EvaluationOptions options = thresholds(o, m, document.threshold);
  document.units = unit_reports(all, options);
  document.sets = across_sets(m.rows);
  if (!o.against.empty()) document.drift = drifts(o.against, m);
  for (const ScoreRow& row : m.rows)
    if (!row.error.empty()) document.failures.push_back(row.input + ": " + row.error);

  if (!o.json.empty()) {
    Json j = {{"origin", document.origin},
              {"threshold", document.threshold},
              {"scale", document.log_odds ? "log-odds of P(live)" : "as given"}};
    for (const UnitReport& unit : document.units)
      j[std::string(to_string(unit.unit))] = Json::parse(to_json(unit.report));
    if (!document.sets.sets.empty()) {
      Json rows = Json::array();
      for (const auto& row : document.sets.hter) {
        Json values = Json::array();
        for (const double v : row) values.push_back(std::isnan(v) ? Json(nullptr) : Json(v));
        rows.push_back(values);
      }
      j["sets"] = document.sets.sets;
      j["hter_across_sets"] = rows;
    }
    if (!document.drift.empty()) j["drift"] = drift_json(document.drift);
    j["failures"] = document.failures;
    write_text(o.json, line(j) + "\n");
  }
  if (!o.csv.empty()) write_text(o.csv, to_csv(document));
  if (!o.html.empty()) write_text(o.html, to_html(document));
  if (!o.bob.empty()) write_text(o.bob, o.bob.ends_with(".csv") ? bob_csv(m.rows) : bob_columns(m.rows));
  if (o.json != "-" && o.csv != "-" && o.html != "-" && o.bob != "-") fmt::print("{}", to_text(document));
  const bool drifted =
      std::any_of(document.drift.begin(), document.drift.end(), [](const Drift& d) { return d.drifted; });
  if (drifted)
    fmt::print(stderr, "liveness: the camera no longer looks like the one that was calibrated; calibrate again\n");
  return m.failed > 0 || drifted ? kExitFailed : kExitOk;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App& verb = *app.add_subcommand("eval", "Error rates (ISO/IEC 30107-3) from pictures, videos or scores");
  o->measure.add_to(verb, false);
  verb.add_option("--threshold", o->threshold,
                  "instead of the profile's: P(live); on scores of others their own scale");
  verb.add_option("--confidence", o->confidence, "of the intervals")
      ->check(CLI::Range(0.5, 0.9999))
      ->capture_default_str();
  verb.add_option("--apcer", o->targets, "targets for BPCER at APCER")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("R,R,...");
  verb.add_option("--json", o->json, "the figures as JSON; - is standard output")->type_name("FILE");
  verb.add_option("--csv", o->csv, "the figures as CSV")->type_name("FILE");
  verb.add_option("--html", o->html, "a report with DET and score plots in one file")->type_name("FILE");
  verb.add_option("--bob", o->bob, "the scores for bob: its CSV where the name ends in .csv, else four columns")
      ->type_name("FILE");
  verb.add_option("--compare", o->compare, "two score files of the same pictures")->expected(2)->type_name("A B");
  verb.add_option("--rounds", o->rounds, "bootstraps of --compare")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  verb.add_option("--seed", o->seed, "of the bootstraps")->capture_default_str();
  verb.add_option("--against", o->against, "calibration: says whether the camera still looks like the calibrated one")
      ->type_name("FILE");
  verb.footer(
      "Examples:\n"
      "  liveness eval pictures/                          pictures/bona_fide, pictures/print, pictures/replay, ...\n"
      "  liveness eval list.csv --threads 4 --scores scores.csv --html report.html\n"
      "  liveness eval scores.csv --threshold 0.7 --json -\n"
      "  liveness eval --bona-fide clips/me --attack print=clips/prints\n"
      "  liveness eval --compare before.csv after.csv\n"
      "  liveness eval --bona-fide today/ --against camera.yaml\n"
      "A list is CSV with the columns input and species (bona_fide, or a name), and may have subject, clip, set, x, y, "
      "width, height.");
  verb.callback([o, &action] {
    const bool some = !o->measure.inputs.empty() || !o->measure.bona_fide.empty() || !o->measure.attacks.empty();
    if (some == !o->compare.empty())
      throw CLI::RequiredError(some ? "either inputs or --compare" : "a list, a folder, a score file or --compare");
    action = [o] { return run_eval(*o); };
  });
}

}  // namespace liveness::cli
