// Faces in a frame.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "liveness/model.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// One face. Landmarks in the frame's pixels: right eye, left eye, nose tip, right and left corner of the mouth
/// (right and left are the person's own).
struct Face {
  Rect box;  ///< in the convention of `box_convention`
  std::array<Point, 5> landmarks{};
  bool has_landmarks = false;
  float score = 0;  ///< the detector's confidence, 0..1; 1 for a box that the caller gave
};

/// Finds faces with a detector package on the library's own engine. Immutable; any number of threads may use one at
/// once.
class FaceDetector {
 public:
  struct Options {
    float score_threshold = -1;  ///< 0..1; negative: the package's own
    float nms_iou = -1;          ///< 0..1; negative: the package's own
    int max_faces = 16;          ///< the best by score are kept; at least 1
    float min_face = 0;          ///< pixels of the frame, shorter side; smaller faces are dropped
  };

  /// Throws Error(kInvalidArgument) where the model is not a detector or an option is out of range.
  FaceDetector(Model model, const Options& options);
  explicit FaceDetector(Model model) : FaceDetector(std::move(model), Options()) {}
  ~FaceDetector();
  FaceDetector(FaceDetector&&) noexcept;
  FaceDetector& operator=(FaceDetector&&) noexcept;

  /// Best score first. The frame is scaled into the network's input (letterbox). Throws Error(kInvalidArgument) for a
  /// bad image.
  [[nodiscard]] std::vector<Face> detect(const ImageView& image) const;
  /// The same into a vector whose capacity is reused.
  void detect(const ImageView& image, std::vector<Face>& faces) const;

  /// Looks at a part of the frame only, which is stretched to the network's input; where it reaches outside the frame,
  /// black is put in. Throws Error(kInvalidArgument) for a bad image or a window that does not meet the frame.
  void detect(const ImageView& image, const Rect& window, std::vector<Face>& faces) const;

  [[nodiscard]] const Model& model() const noexcept;
  [[nodiscard]] const Options& options() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The box as a network with this crop contract expects it, from a box of the convention `convention`.
/// Throws Error(kUnsupported) where the contract has no map from that convention.
[[nodiscard]] Rect map_box(const Rect& box, const std::string& convention, const CropContract& crop);

}  // namespace liveness
