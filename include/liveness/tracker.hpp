// Faces through a stream: where each is, and that it is still the same one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "liveness/detector.hpp"
#include "liveness/model.hpp"
#include "liveness/motion.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// How a face is followed between detections in the whole frame.
enum class TrackMethod : std::uint8_t {
  kRedetect,  ///< the detector looks again, in a small window around the predicted place: what is tracked is detected
  kNone,      ///< the detector searches every frame
  kFlow,      ///< pyramidal Lucas-Kanade, forth and back; needs a follower (liveness::opencv)
  kCsrt,      ///< OpenCV contrib's CSRT; needs a follower (liveness::opencv)
  kKcf,       ///< OpenCV contrib's KCF; needs a follower (liveness::opencv)
};
inline constexpr int kTrackMethodCount = 5;

/// "redetect", "none", "flow", "csrt" or "kcf".
[[nodiscard]] inline constexpr std::string_view to_string(TrackMethod method) noexcept {
  switch (method) {
    case TrackMethod::kRedetect: return "redetect";
    case TrackMethod::kNone: return "none";
    case TrackMethod::kFlow: return "flow";
    case TrackMethod::kCsrt: return "csrt";
    case TrackMethod::kKcf: return "kcf";
  }
  return "unknown";
}

/// Follows one box by its pixels alone. Belongs to one thread at a time.
class BoxFollower {
 public:
  struct Step {
    Rect box;
    float quality = 0;  ///< 0..1: how sure the follower is; 0 where it has lost the box
  };
  virtual ~BoxFollower() = default;
  /// The box is in this frame; forgets everything before.
  virtual void start(const ImageView& image, const Rect& box) = 0;
  /// Where it is in the next frame.
  virtual Step follow(const ImageView& image) = 0;
};

/// One face of the stream.
struct Track {
  std::uint64_t id = 0;  ///< counts from 1 in a tracker; never used again
  Face face;             ///< filtered box and landmarks; `score` is that of the last detection
  Face detected;         ///< what the detector found last, not filtered
  /// 0..1: the lesser of the detector's (or the follower's) confidence and the likeness() to the frame before; 0 where
  /// the face was not found. Below Options::quality_floor it is doubtful: the whole frame is searched at once.
  float quality = 0;
  int age = 0;          ///< frames since it was first seen; 0 in that frame
  int unconfirmed = 0;  ///< frames since the detector last found it; 0: in this frame
  bool scorable =
      false;         ///< confirmed by the detector in or just before this frame, not doubtful, not one of a crossing
  double since = 0;  ///< seconds: the timestamp of the first frame
  Patch patch{};     ///< what it looks like in this frame; as last seen where it was not found
};

/// Finds faces, follows them and gives each an id. One stream; one thread at a time.
///
/// An id stands for one appearance: it ends with a scene cut, where another face takes the place, where two faces
/// crossed and cannot be told apart, after a gap in time, and when the face was not found for a while. Whatever is
/// known of a face and kept under its id can therefore not pass to another face.
class FaceTracker {
 public:
  struct Options {
    TrackMethod method = TrackMethod::kRedetect;
    int detect_every = 30;  ///< 1..300: at most so many frames from one search of the whole frame to the next
    int window = -1;        ///< side of the network's input in kRedetect, pixels: 8..1024, a multiple of every stride;
                            ///< negative: the detector's own (TrackingContract)
    float window_scale = -1;     ///< 1.2..8: side of the window, times the longer side of the face; negative: as above
    float quality_floor = 0.7F;  ///< 0..1: below, a box is doubtful
    int confirm_within = 3;      ///< 0..30: a box older than this many frames of its last detection is never scored
    int birth = 2;               ///< 1..30: detections in a row that make a track
    int death = 10;              ///< 1..300: frames without the face after which its track ends
    int max_faces = 4;           ///< 1..32: the largest are followed
    float min_face = 0;          ///< pixels, shorter side; smaller faces are not followed
    float match_iou = 0.2F;      ///< 0..1: least overlap of a face with its predicted box
    float same_face = 0.7F;      ///< -1..1: least likeness() from frame to frame of one and the same face
    float same_scene = 0.4F;     ///< -1..1: likeness() of two frames below which there was a cut
    double max_gap = 1;          ///< seconds without a frame after which every track ends
    MotionNoise noise;
    FaceDetector::Options detection;  ///< of the whole frame; its max_faces and min_face are those above
    /// Makes what follows a box in kFlow, kCsrt and kKcf, for instance opencv_follower(method).
    std::function<std::unique_ptr<BoxFollower>()> follower;
  };

  /// What one frame changed; valid until the next update.
  struct Update {
    std::span<const Track> tracks;  ///< the largest first; a track that was not found in this frame is among them
    std::span<const std::uint64_t> ended;  ///< ids of tracks that ended with this frame
    bool searched = false;                 ///< the whole frame was searched
    bool cut = false;                      ///< scene cut: every track ended
    bool gap = false;                      ///< more than max_gap since the last frame: every track ended
    bool frozen = false;                   ///< the same picture as the last one, bit for bit: no new evidence
    Patch scene{};                         ///< the whole frame in small
    bool resized = false;                  ///< size or format of the frames changed: every track ended
  };

  /// Throws Error(kInvalidArgument): not a detector, an option out of range (named); Error(kUnsupported): the method
  /// needs a follower and there is none, or the network cannot be planned for the window.
  FaceTracker(Model detector, const Options& options);
  explicit FaceTracker(Model detector) : FaceTracker(std::move(detector), Options()) {}
  ~FaceTracker();
  FaceTracker(FaceTracker&&) noexcept;
  FaceTracker& operator=(FaceTracker&&) noexcept;

  /// The next frame and its time in seconds, not before the last one's. Throws Error(kInvalidArgument) for a bad image
  /// or a time that is not finite or runs backwards, and is then unchanged.
  const Update& update(const ImageView& image, double seconds);

  /// Every track ends, and the next frame may have any time; ids go on counting.
  void reset();

  /// 1..300, from the next frame on; throws Error(kInvalidArgument).
  void set_detect_every(int frames);

  /// As given, with the window that is in use.
  [[nodiscard]] const Options& options() const noexcept;
  [[nodiscard]] const Model& detector() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace liveness
