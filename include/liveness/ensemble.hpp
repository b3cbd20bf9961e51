// Several PAD networks, one verdict.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "liveness/decision.hpp"
#include "liveness/predictor.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Members share one detection and one ROI pass a face. Immutable; any number of threads may use one at once.
class Ensemble {
 public:
  struct Options : Predictor::Options {
    Fusion fusion = Fusion::kMean;
    std::vector<float> weights;  ///< kWeighted: one a member, none negative, sum greater than 0; otherwise empty
    /// Difference of members' P(live) from which they disagree (Reason::kModelsDisagree), if their verdicts differ too.
    float disagreement = 0.6F;
  };

  /// Throws as Predictor's, and Error(kInvalidArgument): no members, weights that do not fit.
  Ensemble(std::vector<Model> members, const Options& options);
  explicit Ensemble(std::vector<Model> members) : Ensemble(std::move(members), Options()) {}
  ~Ensemble();
  Ensemble(Ensemble&&) noexcept;
  Ensemble& operator=(Ensemble&&) noexcept;

  /// As Predictor's.
  [[nodiscard]] Result predict(const ImageView& image) const;
  [[nodiscard]] Result predict(const ImageView& image, const Rect& face) const;
  [[nodiscard]] Result predict(const ImageView& image, const Face& face) const;
  [[nodiscard]] std::vector<Predictor::BatchItem> predict_batch(std::span<const ImageView> images,
                                                                std::span<const Rect> boxes = {}, int threads = 0,
                                                                std::stop_token stop = {}) const;

  [[nodiscard]] const std::vector<Model>& members() const noexcept;
  [[nodiscard]] const Options& options() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace liveness
