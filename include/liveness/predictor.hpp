// From a picture to a verdict.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "liveness/cache.hpp"
#include "liveness/calibration.hpp"
#include "liveness/decision.hpp"
#include "liveness/detector.hpp"
#include "liveness/error.hpp"
#include "liveness/model.hpp"
#include "liveness/profiler.hpp"
#include "liveness/quality.hpp"
#include "liveness/types.hpp"
#include "liveness/worker_pool.hpp"

namespace liveness LIVENESS_PUBLIC {

/// What is known of one face.
struct FaceResult {
  Face face;
  Verdict verdict = Verdict::kUncertain;
  float score = 0;                   ///< P(live), 0..1, fused over the members
  float logit = 0;                   ///< log-odds of `score`, clamped to +-30
  float threshold = 0;               ///< the score that LIVE takes
  std::vector<MemberScore> members;  ///< in their order; empty where the face could not be scored (see Predictor)
  int views = 0;                     ///< pictures of the face that were scored: 1, and those of Augmentation
  float spread = 0;                  ///< standard deviation of the views' log-odds; 0 for one view
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
  bool from_cache = false;  ///< scored before, see Predictor::Options::cache; `time` is then that of looking it up
};

/// Other views of a face that are scored too (test-time augmentation): the same picture with the box moved, mirrored,
/// lighter and darker. Each member's log-odds are averaged over the views, and so a score that hangs on a pixel more or
/// less of a crop does not decide alone. Where the score of one view makes it LIVE and that of another does not, the
/// face has Reason::kUnstableCrop. A view costs a pass a member; one whose box leaves the frame is left out.
struct Augmentation {
  int crops = 0;         ///< moved boxes: the first so many of jittered(), scale +-10 %, shift +-5 %; 0..kJitterCount
  bool flip = false;     ///< mirrored left to right
  float brightness = 0;  ///< 0..0.9: two views whose grey levels are multiplied by 1 - this and 1 + this; 0: none
  /// Views that can hardly change the verdict are left out: from the third view on, when the mean of the log-odds is
  /// more than so many standard errors away from both bounds; and where a reason turns the verdict into UNCERTAIN
  /// anyway. 0: all views are scored.
  float settled = 3;
};

/// How scores become verdicts; shared by Predictor and Ensemble.
struct DecisionOptions {
  std::string profile = "balanced";  ///< threshold profile of the package: strict, balanced, lenient
  /// 0..1; replaces the profile: LIVE at or above, SPOOF below. With Fusion::kMajority it replaces the members' own
  /// thresholds.
  std::optional<float> threshold;
  /// Made by `liveness calibrate` for exactly these models and this fusion: scores and log-odds of faces are the
  /// calibrated ones (those of members stay as they are), and `profile` names one of its profiles. Refused with
  /// Error(kInvalidArgument) for others, and with Fusion::kMajority.
  std::optional<Calibration> calibration;
  QualityLimits limits;
  /// Reasons that turn LIVE or SPOOF into UNCERTAIN.
  ReasonMask abstain = mask(Reason::kTooSmall) | mask(Reason::kBlurred) | mask(Reason::kDark) |
                       mask(Reason::kSaturated) | mask(Reason::kTurnedAway) | mask(Reason::kModelsDisagree) |
                       mask(Reason::kUnstableCrop);
  bool all_faces = false;  ///< false: only the largest face is scored
  Augmentation augmentation;
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
    std::string box_convention = "yunet";    ///< of the boxes that the caller gives
    std::shared_ptr<PredictionCache> cache;  ///< null: every picture is scored
    std::shared_ptr<WorkerPool> pool;        ///< for batches; null: threads of the predictor's own, kept between calls
    Profiler* profiler = nullptr;            ///< not owned, must outlive the predictor; null: no measuring
  };

  /// Throws Error(kInvalidArgument) where the model is not a PAD network or an option is out of range (named), and
  /// Error(kUnsupported) where the model has no map from the boxes of the detector (without one: of `box_convention`).
  Predictor(Model model, const Options& options);
  explicit Predictor(Model model) : Predictor(std::move(model), Options()) {}
  /// With the networks that are compiled into the library; the detector only where the options give none. Throws as
  /// builtin_model and as above.
  explicit Predictor(const Options& options);
  Predictor() : Predictor(Options()) {}
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

  /// One result an image, in order; `boxes` is empty or has one entry an image. At most `threads` images at a time,
  /// each on one thread; 0: as many as the pool has (Options::pool), without one 1. Results equal those of predict()
  /// but for the times, whatever the batch or thread count. Images that were not begun when `stop` or the pool's
  /// cancel() came are Status::kCancelled. Throws Error(kInvalidArgument) for a wrong count of boxes or threads; errors
  /// of single images: see BatchItem.
  struct BatchItem;
  [[nodiscard]] std::vector<BatchItem> predict_batch(std::span<const ImageView> images,
                                                     std::span<const Rect> boxes = {}, int threads = 0,
                                                     std::stop_token stop = {}) const;

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
