// A stream in, decisions out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "liveness/adaptive.hpp"
#include "liveness/cues.hpp"
#include "liveness/ensemble.hpp"
#include "liveness/model.hpp"
#include "liveness/sequential.hpp"
#include "liveness/tracker.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// How far the decision on a track has come.
enum class TrackState : std::uint8_t {
  kSearching = 0,   ///< nothing was scored yet
  kCollecting = 1,  ///< scores are collected
  kDecided = 2,     ///< LIVE, SPOOF, or UNCERTAIN because the time ran out; later evidence may change it
};

/// "searching", "collecting" or "decided".
[[nodiscard]] inline constexpr std::string_view to_string(TrackState state) noexcept {
  switch (state) {
    case TrackState::kSearching: return "searching";
    case TrackState::kCollecting: return "collecting";
    case TrackState::kDecided: return "decided";
  }
  return "unknown";
}

/// What is known of one face of a stream.
struct TrackResult {
  std::uint64_t id = 0;  ///< never used again in its stream
  Face face;             ///< filtered
  TrackState state = TrackState::kSearching;
  Verdict verdict = Verdict::kUncertain;
  float score = 0;         ///< P(live): of the mean log-odds that the decision rests on; 0 where nothing was scored
  float confidence = 0;    ///< 0..1: the way from no evidence to the bound of the decision
  double evidence = 0;     ///< log-likelihood ratio of bona fide against attack; see SequentialTest
  float threshold = 0;     ///< the score that LIVE takes now
  ReasonMask reasons = 0;  ///< of the latest score, and of the motion cues
  float quality = 0;       ///< of the track in this frame; see Track
  bool found = false;      ///< the detector or the follower has it in this frame
  bool scored = false;     ///< a network looked at it in this frame
  int scores = 0;          ///< so many times since the track began or was reopened
  double since = 0;        ///< seconds: when the track began
  double decided = 0;      ///< seconds: when the verdict was reached; 0 where it was not
};

/// What happened to a stream or to a track.
enum class EventKind : std::uint8_t {
  kNewTrack = 0,    ///< a face appeared
  kDecided = 1,     ///< a track has its first verdict (UNCERTAIN: the time ran out)
  kChanged = 2,     ///< a verdict was revoked or has changed
  kLost = 3,        ///< a track ended
  kCut = 4,         ///< scene cut: every track ended
  kGap = 5,         ///< no frame for longer than allowed (unplugged camera, clock jump): every track ended
  kFormat = 6,      ///< size or pixel format of the frames changed: every track ended
  kFrozen = 7,      ///< the stream repeats one picture
  kResumed = 8,     ///< it moves again
  kError = 9,       ///< asynchronous mode: a frame was refused; `text` says why
  kThreshold = 10,  ///< the adaptive threshold moved; `text` says why
};
inline constexpr int kEventKindCount = 11;

/// "new_track", "decided", "changed", "lost", "cut", "gap", "format", "frozen", "resumed", "error" or "threshold".
[[nodiscard]] inline constexpr std::string_view to_string(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::kNewTrack: return "new_track";
    case EventKind::kDecided: return "decided";
    case EventKind::kChanged: return "changed";
    case EventKind::kLost: return "lost";
    case EventKind::kCut: return "cut";
    case EventKind::kGap: return "gap";
    case EventKind::kFormat: return "format";
    case EventKind::kFrozen: return "frozen";
    case EventKind::kResumed: return "resumed";
    case EventKind::kError: return "error";
    case EventKind::kThreshold: return "threshold";
  }
  return "unknown";
}

struct Event {
  EventKind kind = EventKind::kNewTrack;
  std::uint64_t track = 0;                 ///< 0 where it concerns the stream
  double seconds = 0;                      ///< timestamp of the frame
  Verdict verdict = Verdict::kUncertain;   ///< of the track, after the event
  Verdict previous = Verdict::kUncertain;  ///< before it
  std::string text;                        ///< for people; may be empty
};

/// The state of a stream after one frame. Value type.
struct StreamUpdate {
  std::uint64_t frame = 0;  ///< counts the frames given, from 0
  double seconds = 0;
  bool skipped = false;  ///< Options::skip left this frame out: the tracks are those of the last one
  /// Of the deciding track: the largest. NO_FACE where there is none.
  Verdict verdict = Verdict::kNoFace;
  std::vector<TrackResult> tracks;  ///< the deciding one first
  std::vector<Event> events;        ///< of this frame, in order
  Times time;                       ///< `detect` is the tracker's time
};

/// What the library may do to save time; may be changed while a stream runs.
struct Pace {
  int detect_every = 30;  ///< 1..300 frames, see FaceTracker
  int score_every = 3;    ///< 1..300: a track is scored in every so many frames
  int skip = 0;           ///< 0..30: frames left out after each one that is looked at
};

/// One stream: tracker, networks and decision. push() from one thread at a time; pace(), set_pace(), dropped() from
/// any. Models are shared: any number of verifiers may use one.
///
/// A verdict belongs to a track id and ends with it. It is reopened where the appearance of the face has moved away
/// from the one that it was given for, however slowly. Only a box that the detector has just confirmed is scored.
class Verifier {
 public:
  struct Options {
    /// How faces are scored: threshold profile, quality limits, fusion. `detector`, `detection` and `box_convention`
    /// are the tracker's; leave them alone. `profile` also gives the error targets, unless `targets` does.
    Ensemble::Options scoring;
    FaceTracker::Options tracking;  ///< its detect_every is that of `pace`
    Pace pace;
    std::optional<DecisionTargets> targets;  ///< default: targets_of(scoring.profile), else those of "balanced"
    SequentialTest::Options decision;        ///< its targets and neutral are set from the above
    TemporalFilter::Options smoothing;
    AdaptiveThreshold::Options adaptive;  ///< stays off in the profile "strict"
    MotionCues::Options cues;
    bool all_faces = false;  ///< false: only the largest face is scored and decided
    bool early_exit =
        false;  ///< true: a decided track is scored again only every `rescore_every` frames, or where it changes
    int rescore_every = 30;      ///< 1..3000 frames
    float changed_face = 0.75F;  ///< -1..1: likeness() to the face that was last scored below which it is scored at
                                 ///< once, and to the one that was decided on below which the verdict is reopened
    int queue = 2;  ///< 1..64: frames that wait in asynchronous mode; the oldest is dropped for a newer one
  };

  using Callback = std::function<void(const StreamUpdate&)>;

  /// Throws as Ensemble's and FaceTracker's constructors, and Error(kInvalidArgument) naming the option out of range.
  Verifier(std::vector<Model> members, Model detector, const Options& options);
  Verifier(std::vector<Model> members, Model detector) : Verifier(std::move(members), std::move(detector), Options()) {}
  /// Stops the asynchronous mode.
  ~Verifier();
  Verifier(Verifier&&) noexcept;
  Verifier& operator=(Verifier&&) noexcept;

  /// The next frame and its time in seconds, not before the last one's. Frames may be missing or late. Throws
  /// Error(kInvalidArgument) for a bad image or time and is then unchanged, Error(kInvalidState) in asynchronous mode.
  StreamUpdate push(const ImageView& image, double seconds);

  /// Asynchronous mode: from here on submit() takes frames, a thread of the verifier looks at them, and `callback` gets
  /// every update on that thread. It must not throw (what it throws is dropped and counted as an error) and may call
  /// anything but start() and stop(). Throws Error(kInvalidState) where it runs already.
  void start(Callback callback);
  /// Copies the frame and returns at once; from any thread. A full queue drops its oldest frame. Throws
  /// Error(kInvalidArgument) for a bad image or a time that runs backwards, Error(kInvalidState) where the mode is off.
  void submit(const ImageView& image, double seconds);
  /// Drops what waits, waits for the frame in work, ends the thread. Nothing happens where the mode is off.
  void stop();
  /// Frames that the queue dropped since start().
  [[nodiscard]] std::uint64_t dropped() const noexcept;

  [[nodiscard]] Pace pace() const noexcept;
  /// From the next frame on. Throws Error(kInvalidArgument) naming the value out of range.
  void set_pace(const Pace& pace);

  /// Every track ends without an event, and the next frame may have any time (a clock that jumped ahead and came back
  /// would have every frame refused otherwise); ids go on counting. Not in asynchronous mode (Error(kInvalidState)).
  void reset();

  /// How the adaptive threshold moved, oldest first. Not while push() runs.
  [[nodiscard]] const std::vector<AdaptiveThreshold::Change>& threshold_log() const noexcept;
  [[nodiscard]] const Options& options() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace liveness
