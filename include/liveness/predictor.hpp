// From a picture to a verdict.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "liveness/decision.hpp"
#include "liveness/detector.hpp"
#include "liveness/error.hpp"
#include "liveness/model.hpp"
#include "liveness/profiler.hpp"
#include "liveness/quality.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// What is known of one face.
struct FaceResult {
  Face face;
  Verdict verdict = Verdict::kUncertain;
  float score = 0;                   ///< P(live), 0..1, fused over the members
  float logit = 0;                   ///< log-odds of `score`, clamped to +-30
  float threshold = 0;               ///< the score that LIVE takes
  std::vector<MemberScore> members;  ///< in their order; empty where the face could not be scored (see Predictor)
  Quality quality;
  ReasonMask reasons = 0;
};

/// Milliseconds of wall time of one call.
struct Times {
  double detect = 0;
  double roi = 0;
  double infer = 0;
  double total = 0;
};

/// The verdict on one picture. Value type; nothing in it points into the library.
struct Result {
  Verdict verdict = Verdict::kNoFace;  ///< of the deciding face; NO_FACE where none was found
  float score = 0;                     ///< of the deciding face; 0 where none was found
  float logit = 0;
  float threshold = 0;  ///< the score that LIVE takes, also where no face was found
  ReasonMask reasons = 0;
  std::vector<FaceResult> faces;  ///< the scored faces, the deciding (largest) one first; empty for NO_FACE
  std::string model;              ///< the members' names, joined by '+'
  Times time;
};

/// How scores become verdicts; shared by Predictor and Ensemble.
struct DecisionOptions {
  std::string profile = "balanced";  ///< threshold profile of the package: strict, balanced, lenient
  /// 0..1; replaces the profile: LIVE at or above, SPOOF below. With Fusion::kMajority it replaces the members' own
  /// thresholds.
  std::optional<float> threshold;
  QualityLimits limits;
  /// Reasons that turn LIVE or SPOOF into UNCERTAIN.
  ReasonMask abstain = mask(Reason::kTooSmall) | mask(Reason::kBlurred) | mask(Reason::kDark) |
                       mask(Reason::kSaturated) | mask(Reason::kTurnedAway) | mask(Reason::kModelsDisagree) |
                       mask(Reason::kUnstableCrop);
  bool all_faces = false;  ///< false: only the largest face is scored
  /// Extra crops (the first so many of jittered(): scale +-10 %, shift +-5 %; at most kJitterCount) scored to see
  /// whether the verdict is stable: Reason::kUnstableCrop where the score alone makes one LIVE and another not. Each
  /// costs a pass a member.
  int stability_crops = 0;
};

/// One PAD network, with or without a detector. Immutable; any number of threads may use one at once, and get equal
/// results.
///
/// What was not scored is never LIVE: a face whose box, mapped to what a network was trained on, leaves the frame is
/// UNCERTAIN with Reason::kAtBorder, a score of 0 and no members; a network that gives NaN or infinity makes predict()
/// throw Error(kModelInvalid).
class Predictor {
 public:
  struct Options : DecisionOptions {
    std::optional<Model> detector;  ///< needed where no face boxes are given
    FaceDetector::Options detection;
    std::string box_convention = "yunet";  ///< of the boxes that the caller gives
    Profiler* profiler = nullptr;          ///< not owned, must outlive the predictor; null: no measuring
  };

  /// Throws Error(kInvalidArgument) where the model is not a PAD network or an option is out of range (named), and
  /// Error(kUnsupported) where the model has no map from the boxes of the detector (without one: of `box_convention`).
  Predictor(Model model, const Options& options);
  explicit Predictor(Model model) : Predictor(std::move(model), Options()) {}
  ~Predictor();
  Predictor(Predictor&&) noexcept;
  Predictor& operator=(Predictor&&) noexcept;

  /// Finds the face, scores it. Throws Error(kInvalidArgument) for a bad image, Error(kInvalidState) without a
  /// detector.
  [[nodiscard]] Result predict(const ImageView& image) const;
  /// Scores the face in a box that the caller knows. Throws Error(kInvalidArgument) for a NaN, empty or outside box,
  /// and Error(kUnsupported) where the model has no map from boxes of `box_convention`.
  [[nodiscard]] Result predict(const ImageView& image, const Rect& face) const;
  /// The same with landmarks where the caller has them; they must be finite.
  [[nodiscard]] Result predict(const ImageView& image, const Face& face) const;

  /// One result an image, in order; `boxes` is empty or has one entry an image. `threads` images at a time (at least
  /// 1). Results equal those of predict() but for the times, whatever the batch or thread count. Throws
  /// Error(kInvalidArgument) for a wrong count of boxes or threads; errors of single images: see BatchItem.
  struct BatchItem;
  [[nodiscard]] std::vector<BatchItem> predict_batch(std::span<const ImageView> images,
                                                     std::span<const Rect> boxes = {}, int threads = 1) const;

  [[nodiscard]] const Model& model() const noexcept;
  [[nodiscard]] const Options& options() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// One picture's outcome in a batch: a result, or why there is none. An error of one picture loses no other.
struct Predictor::BatchItem {
  std::optional<Result> result;
  Status status = Status::kOk;  ///< what the error was
  std::string error;            ///< empty where there is a result
};

}  // namespace liveness
