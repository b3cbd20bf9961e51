// What Predictor and Ensemble share: everything. A Predictor is a pipeline with one member.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "liveness/ensemble.hpp"
#include "liveness/roi.hpp"
#include "model/parallel.hpp"
#include "pipeline/cache.hpp"
#include "pipeline/hash.hpp"

namespace liveness {

// P(live) from the class outputs of one picture: softmax, and the log-odds of the live class against all others. Throws
// Error(kModelInvalid), naming `model`, where a value is not finite.
void score_classes(std::span<const float> values, const ScoreContract& contract, const std::string& model,
                   MemberScore& to);

class Pipeline {
 public:
  Pipeline(std::vector<Model> members, Ensemble::Options options);

  // Finds the faces where `given` is null.
  [[nodiscard]] Result predict(const ImageView& image, const Face* given) const;
  [[nodiscard]] Result predict(const ImageView& image, const Rect& box) const;
  [[nodiscard]] std::vector<Predictor::BatchItem> predict_batch(std::span<const ImageView> images,
                                                                std::span<const Rect> boxes, int threads,
                                                                const std::stop_token& stop) const;

  [[nodiscard]] const std::vector<Model>& members() const noexcept { return members_; }
  [[nodiscard]] const Ensemble::Options& options() const noexcept { return options_; }

 private:
  class Laps;
  // One picture of a face among those that are scored: its crop moved, mirrored, lighter or darker.
  struct View {
    int moved = -1;  // index for jittered(); negative: the box itself
    bool mirrored = false;
    float gain = 1;  // of the grey levels
  };
  [[nodiscard]] static std::vector<View> views(const Augmentation& augmentation);

  // The face of a picture, or all of them.
  [[nodiscard]] Result run(const ImageView& image, const Face* given, Laps& laps) const;
  [[nodiscard]] Result answer(const ImageView& image, const Face* given) const;
  [[nodiscard]] FaceResult judge(const ImageView& image, const Face& face, const std::string& convention, bool several,
                                 Laps& laps) const;
  // P(live) of every member for one view of a box; `outside` grows to the largest share of a crop outside the frame.
  // False, with `scores` undefined, where a member's box leaves the frame.
  [[nodiscard]] bool score(const ImageView& image, const Rect& box, const std::string& convention, const View& view,
                           std::vector<MemberScore>& scores, float& outside, Laps& laps) const;
  // Scores the other views of a face, whose own scores are there, until the verdict is settled. False where the views'
  // verdicts contradict each other.
  [[nodiscard]] bool augment(const ImageView& image, const std::string& convention, FaceResult& face, Laps& laps) const;
  [[nodiscard]] MemberScore fuse_members(std::span<const MemberScore> scores) const;
  // All that turns a picture into a result, for a cache.
  [[nodiscard]] Bytes everything() const;
  // What a cache knows a picture by.
  [[nodiscard]] Hash key_of(const ImageView& image, const Face* given) const;

  std::vector<Model> members_;
  Ensemble::Options options_;
  RoiProcessor roi_;                   // spec i: crop of member i
  std::vector<std::size_t> outputs_;   // index of member i's class scores among its graph outputs
  std::vector<Bounds> member_bounds_;  // each member's own
  Bounds bounds_;                      // of the fused score
  std::vector<View> views_;            // the face as it is comes first
  std::string name_;
  std::optional<FaceDetector> detector_;
  Hash identity_;            // with a cache: of all that turns a picture into a result
  mutable Workers workers_;  // of batches without a pool
};

}  // namespace liveness
