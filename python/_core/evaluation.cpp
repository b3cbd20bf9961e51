// Evaluation and calibration.
#include <cmath>
#include <utility>

#include "core.hpp"

namespace liveness::python {
namespace {

// Scores, species, subjects, clips.
using List =
    std::tuple<std::vector<double>, std::vector<std::string>, std::vector<std::string>, std::vector<std::string>>;

std::vector<Presentation> to_presentations(const List& list, const char* name) {
  const auto& [scores, species, subjects, clips] = list;
  const auto check = [&](const std::vector<std::string>& texts, const char* what, bool needed) {
    if (texts.size() != scores.size() && (needed || !texts.empty()))
      fail(std::string(name) + what + ": " + std::to_string(texts.size()) + " for " + std::to_string(scores.size()) +
           " scores");
  };
  check(species, "species", true);
  check(subjects, "subjects", false);
  check(clips, "clips", false);
  std::vector<Presentation> all;
  for (std::size_t i = 0; i < scores.size(); ++i)
    all.push_back({scores[i], species[i], subjects.empty() ? "" : subjects[i], clips.empty() ? "" : clips[i]});
  return all;
}

void check_confidence(double confidence) {
  if (!(confidence > 0 && confidence < 1))
    fail("confidence is " + std::to_string(confidence) + ", expected more than 0 and less than 1");
}

std::pair<double, double> interval(std::int64_t errors, std::int64_t count, double confidence) {
  check_confidence(confidence);
  if (count < 0 || errors < 0 || errors > count)
    fail("errors is " + std::to_string(errors) + " of " + std::to_string(count));
  const Interval i = clopper_pearson(errors, count, confidence);
  return {i.low, i.high};
}

std::string evaluate(const List& list, int unit, std::optional<double> live, std::optional<double> spoof,
                     double confidence, const std::vector<double>& apcer_targets) {
  const auto all = to_presentations(list, "");
  const py::gil_scoped_release release;
  EvaluationOptions o;
  o.live = live;
  o.spoof = spoof;
  o.confidence = confidence;
  o.apcer_targets = apcer_targets;
  return to_json(Evaluation(aggregate(all, static_cast<EvaluationUnit>(unit))).report(o));
}

std::string compare_lists(const List& a, const List& b, double threshold_a, double threshold_b, int rounds,
                          std::uint64_t seed, double confidence) {
  const auto in_a = to_presentations(a, "a: ");
  const auto in_b = to_presentations(b, "b: ");
  check_confidence(confidence);
  const py::gil_scoped_release release;
  return to_json(compare(in_a, in_b, {threshold_a, threshold_b, rounds, seed, confidence}));
}

using Targets = std::map<std::string, std::pair<int, double>>;

Calibration fit(const List& list, const std::vector<Model>& models, int fusion, const std::vector<float>& weights,
                std::optional<int> method, const std::optional<Targets>& targets, int folds, std::uint64_t seed,
                double confidence) {
  const auto all = to_presentations(list, "");
  if (models.empty()) fail("models: none given");
  CalibrationOptions o;
  if (method) o.method = static_cast<CalibrationMethod>(*method);
  if (targets) {
    o.targets.clear();
    for (const auto& [name, t] : *targets) o.targets[name] = {static_cast<ErrorTarget::Kind>(t.first), t.second};
  }
  o.folds = folds;
  o.seed = seed;
  o.confidence = confidence;
  const py::gil_scoped_release release;
  Calibration c = fit_calibration(all, o);
  for (const Model& m : models) c.models.push_back({m.contract().name, m.info().identity});
  c.fusion = static_cast<Fusion>(fusion);
  c.weights = weights;
  c.require(models, c.fusion, c.weights);
  std::vector<double> bona_fide;
  for (const auto& p : all)
    if (p.bona_fide() && p.responded()) bona_fide.push_back(p.score);
  if (Quantiles q = quantiles(std::move(bona_fide)); !q.values.empty()) c.reference["logit"] = std::move(q);
  return c;
}

py::dict fields(const Calibration& c) {
  py::list models;
  for (const auto& m : c.models) models.append(py::make_tuple(m.name, m.identity));
  py::dict profiles;
  for (const auto& [name, p] : c.profiles) profiles[py::str(name)] = py::make_tuple(p.live, p.spoof, p.target);
  py::dict held_out;
  for (const auto& [name, h] : c.held_out)
    held_out[py::str(name)] = py::make_tuple(h.species, h.apcer_errors, h.apcer_total, h.bpcer_errors, h.bpcer_total);
  py::dict d;
  d["models"] = models;
  d["method"] = static_cast<int>(c.method);
  d["parameters"] = c.parameters;
  d["profiles"] = profiles;
  d["bona_fide"] = c.bona_fide;
  d["attacks"] = c.attacks;
  d["groups"] = c.groups;
  d["losses"] = c.losses;
  d["held_out"] = held_out;
  d["notes"] = c.notes;
  return d;
}

float apply(const Calibration& c, float logit) {
  if (std::isnan(logit)) fail("logit is NaN");
  return c.apply(logit);
}

}  // namespace

void register_evaluation(py::module_& m) {
  m.def("clopper_pearson", &interval, py::arg("errors"), py::arg("count"), py::arg("confidence"));
  m.def("evaluate", &evaluate, py::arg("presentations"), py::arg("unit"), py::arg("live"), py::arg("spoof"),
        py::arg("confidence"), py::arg("apcer_targets"));
  m.def("compare", &compare_lists, py::arg("a"), py::arg("b"), py::arg("threshold_a"), py::arg("threshold_b"),
        py::arg("rounds"), py::arg("seed"), py::arg("confidence"));
  py::class_<Calibration>(m, "Calibration")
      .def_static(
          "load", [](const std::string& path) { return Calibration::load(path); }, py::arg("path"))
      .def_static("parse", &Calibration::parse, py::arg("text"), py::arg("origin"))
      .def_static("fit", &fit, py::arg("presentations"), py::arg("models"), py::arg("fusion"), py::arg("weights"),
                  py::arg("method"), py::arg("targets"), py::arg("folds"), py::arg("seed"), py::arg("confidence"))
      .def("apply", &apply, py::arg("logit"))
      .def(
          "save", [](const Calibration& c, const std::string& path) { c.save(path); }, py::arg("path"))
      .def("to_yaml", &Calibration::to_yaml)
      .def("fields", &fields);
}

}  // namespace liveness::python
