// From a frame to the values that a network reads, in one pass.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "liveness/model.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Where a pass writes: planes of floats, one a channel. Strides are in floats.
struct PlanarView {
  float* data = nullptr;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t plane_stride = 0;
};

/// What was cut out for one crop.
struct CropInfo {
  Rect region;        ///< in frame pixels, whole numbers; may reach outside the frame where the border rule fills
  float outside = 0;  ///< share of the wanted region (before shifting or shrinking) that lies outside the frame, 0..1
};

/// What a network wants to see: size and values, and which part of the frame.
struct RoiSpec {
  InputContract input;
  CropContract crop;
};

/// Turns a face box into the network's input: crop, border rule, resize filter, colour order, value range and layout in
/// one pass, without an intermediate picture. Immutable; any number of threads may use one at once.
///
/// The rules agree with OpenCV's chain (copyMakeBorder, resize, cvtColor, convertTo, split) within 1 grey level on 99.9
/// % of pixels.
class RoiProcessor {
 public:
  /// One spec a crop; all crops of `extract` come from the same face. Throws Error(kInvalidArgument) naming the field.
  explicit RoiProcessor(std::vector<RoiSpec> specs);
  ~RoiProcessor();
  RoiProcessor(RoiProcessor&&) noexcept;
  RoiProcessor& operator=(RoiProcessor&&) noexcept;

  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] const RoiSpec& spec(std::size_t i) const;

  /// Writes crop i of the face into outputs[i] (input.channels() planes of input.height rows of input.width values).
  /// `face` is in the box convention of spec i's crop. Throws Error(kInvalidArgument): null or undersized image, NaN or
  /// empty box, box wholly outside the frame, wrong number of outputs.
  void extract(const ImageView& image, const Rect& face, std::span<const PlanarView> outputs,
               std::span<CropInfo> infos = {}) const;
  /// Crop i alone.
  CropInfo extract(const ImageView& image, const Rect& face, std::size_t i, PlanarView output) const;

  /// The region that crop i takes from a frame of this size, and how much of the wanted one lies outside.
  [[nodiscard]] CropInfo region(Size frame, const Rect& face, std::size_t i) const;

  /// The whole frame scaled to fit inside the input and placed at its top left; the rest is `border_value`.
  /// Returns the scale from frame to input pixels. For detectors; uses spec 0's input and its filters.
  float letterbox(const ImageView& image, PlanarView output) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Throws Error(kInvalidArgument) where the view cannot be read safely; says which field is wrong. Used at every public
/// entry.
void check_image(const ImageView& image);
/// Throws Error(kInvalidArgument) where the box holds NaN or infinity, is empty, or does not meet the frame.
void check_box(const Rect& box, Size frame);

}  // namespace liveness
