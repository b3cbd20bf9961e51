// What the tables of the formula tests hold; tests/golden/make_evaluation_tables.py writes them with SciPy and
// scikit-learn.
#pragma once

#include <cstdint>
#include <vector>

namespace liveness::test {

struct Beta {
  double a, b, x, value;
};
struct Exact {
  std::int64_t errors, n;
  double confidence, low, high;
};
struct Mcnemar {
  std::int64_t b, c;
  double p;
};
struct Kolmogorov {
  double x, p;
};
struct Curve {
  const std::vector<double>* bona_fide;
  const std::vector<double>* attacks;
  double auc, eer, at1, at5, at7, at10;
};
struct Platt {
  const std::vector<double>* bona_fide;
  const std::vector<double>* attacks;
  double a, b, loss;
};

#include "evaluation_tables.inc"

}  // namespace liveness::test
