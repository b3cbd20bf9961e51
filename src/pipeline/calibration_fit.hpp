// The arithmetic behind fit_calibration.
#pragma once

#include <span>
#include <vector>

#include "liveness/calibration.hpp"

namespace liveness {

// One score with what it should become and how much it counts.
struct FitSample {
  double logit = 0;
  double target = 0;  // P(live), 0..1
  double weight = 0;  // > 0
};

// Parameters with the smallest weighted cross-entropy, slopes at least 0.001. At least one sample.
[[nodiscard]] std::vector<double> fit_parameters(CalibrationMethod method, std::span<const FitSample> samples);

// Weighted cross-entropy in nats; of samples whose weights sum to 1, the mean.
[[nodiscard]] double cross_entropy(CalibrationMethod method, std::span<const double> parameters,
                                   std::span<const FitSample> samples);

}  // namespace liveness
