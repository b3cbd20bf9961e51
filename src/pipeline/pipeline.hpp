// What Predictor and Ensemble share: everything. A Predictor is a pipeline with one member.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "liveness/ensemble.hpp"
#include "liveness/roi.hpp"

namespace liveness {

class Pipeline {
 public:
  Pipeline(std::vector<Model> members, Ensemble::Options options);

  // Finds the faces where `given` is null.
  [[nodiscard]] Result predict(const ImageView& image, const Face* given) const;
  [[nodiscard]] Result predict(const ImageView& image, const Rect& box) const;
  [[nodiscard]] std::vector<Predictor::BatchItem> predict_batch(std::span<const ImageView> images,
                                                                std::span<const Rect> boxes, int threads) const;

  [[nodiscard]] const std::vector<Model>& members() const noexcept { return members_; }
  [[nodiscard]] const Ensemble::Options& options() const noexcept { return options_; }

 private:
  class Laps;
  [[nodiscard]] Result run(const ImageView& image, const Face* given) const;
  [[nodiscard]] FaceResult judge(const ImageView& image, const Face& face, const std::string& convention, bool several,
                                 Laps& laps) const;
  // P(live) of every member for one box; `outside` grows to the largest share of a crop outside the frame. False, with
  // `scores` undefined, where a member's box leaves the frame.
  [[nodiscard]] bool score(const ImageView& image, const Rect& box, const std::string& convention,
                           std::vector<MemberScore>& scores, float& outside, Laps& laps) const;
  [[nodiscard]] MemberScore fuse_members(std::span<const MemberScore> scores) const;

  std::vector<Model> members_;
  Ensemble::Options options_;
  RoiProcessor roi_;                   // spec i: crop of member i
  std::vector<std::size_t> outputs_;   // index of member i's class scores among its graph outputs
  std::vector<Bounds> member_bounds_;  // each member's own
  Bounds bounds_;                      // of the fused score
  std::string name_;
  std::optional<FaceDetector> detector_;
};

}  // namespace liveness
