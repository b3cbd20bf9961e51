// Several PAD networks, one verdict.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "liveness/predictor.hpp"

namespace liveness LIVENESS_PUBLIC {

/// How members' scores become one.
enum class Fusion : std::uint8_t {
  kMean,         ///< mean of P(live), the rule of the published MiniFASNet pair
  kWeighted,     ///< weighted mean of P(live)
  kLogOddsMean,  ///< mean of the log-odds
  kMajority,     ///< share of members at or above their own threshold
  kMinimum,      ///< the most suspicious member decides
};

/// Members share one detection and one ROI pass a face. Immutable; any number of threads may use one at once.
class Ensemble {
 public:
  struct Options : Predictor::Options {
    Fusion fusion = Fusion::kMean;
    std::vector<float> weights;  ///< kWeighted: one a member, none negative, sum greater than 0
    /// Difference of members' P(live) from which they disagree (Reason::kModelsDisagree), if their verdicts differ too.
    float disagreement = 0.6F;
  };

  /// Throws Error(kInvalidArgument): no members, a member that is no PAD network, weights that do not fit.
  Ensemble(std::vector<Model> members, const Options& options);
  explicit Ensemble(std::vector<Model> members) : Ensemble(std::move(members), Options()) {}
  ~Ensemble();
  Ensemble(Ensemble&&) noexcept;
  Ensemble& operator=(Ensemble&&) noexcept;

  /// As Predictor's.
  [[nodiscard]] Result predict(const ImageView& image) const;
  [[nodiscard]] Result predict(const ImageView& image, const Rect& face) const;
  [[nodiscard]] Result predict(const ImageView& image, const Face& face) const;
  [[nodiscard]] std::vector<Predictor::BatchItem> predict_batch(std::span<const ImageView> images, std::span<const Rect> boxes = {},
                                                                int threads = 1) const;

  [[nodiscard]] const std::vector<Model>& members() const noexcept;
  [[nodiscard]] const Options& options() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace liveness
