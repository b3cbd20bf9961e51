// How an evaluation is written down: for people, as CSV, and as one HTML file that needs no network.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "liveness/calibration.hpp"
#include "liveness/evaluation.hpp"

namespace liveness::cli {

struct UnitReport {
  EvaluationUnit unit = EvaluationUnit::kPicture;
  std::vector<Presentation> presentations;
  EvaluationReport report;
};

// Half total error rate on the set of a column at the equal-error threshold of the set of a row.
struct SetMatrix {
  std::vector<std::string> sets;
  std::vector<std::vector<double>> hter;
};

struct EvalDocument {
  std::string origin;     // whose scores
  std::string threshold;  // what the rates are at, in words
  bool log_odds = false;  // scores are log-odds of P(live): thresholds are shown as P(live)
  std::vector<UnitReport> units;
  SetMatrix sets;
  std::vector<Drift> drift;
  std::vector<std::string> failures;  // "INPUT: why"
};

// "3.1 %", "-" where it is not known.
[[nodiscard]] std::string percent(double share);
// "3.1 % [0.6 - 8.5 %] 3 of 97"
[[nodiscard]] std::string rate_text(const Rate& rate);

[[nodiscard]] std::string to_text(const EvalDocument& document);
[[nodiscard]] std::string to_csv(const EvalDocument& document);
[[nodiscard]] std::string to_html(const EvalDocument& document);

}  // namespace liveness::cli
