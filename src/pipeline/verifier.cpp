#include "liveness/verifier.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "liveness/error.hpp"
#include "liveness/roi.hpp"

namespace liveness {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(Status::kInvalidArgument, what);
}

std::string text(double value) {
  std::array<char, 32> buffer;  // short and without the locale's comma
  return {buffer.data(),
          std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::general, 6).ptr};
}

void check(const char* name, double value, double low, double high) {
  if (!(value >= low && value <= high))
    refuse(std::string(name) + ": expected " + text(low) + " to " + text(high) + ", got " + text(value));
}

void check_pace(const Pace& pace) {
  check("pace.detect_every", pace.detect_every, 1, 300);
  check("pace.score_every", pace.score_every, 1, 300);
  check("pace.skip", pace.skip, 0, 30);
}

void check_options(const Verifier::Options& o) {
  check_pace(o.pace);
  if (o.targets) {
    constexpr double kLeast = 1e-6;
    check("targets.apcer", o.targets->apcer, kLeast, 0.499);
    check("targets.bpcer", o.targets->bpcer, kLeast, 0.499);
  }
  constexpr double kSmall = 1e-6;
  check("decision.gain", o.decision.gain, kSmall, 1e6);
  check("decision.max_step", o.decision.max_step, kSmall, 1e6);
  check("decision.correlation_seconds", o.decision.correlation_seconds, 0, 3600);
  check("decision.shared", o.decision.shared, 0, 1);
  check("decision.min_frames", o.decision.min_frames, 1, 100000);
  check("decision.min_seconds", o.decision.min_seconds, 0, 3600);
  check("decision.max_seconds", o.decision.max_seconds, o.decision.min_seconds, 86400);
  check("smoothing.window", o.smoothing.window, 1, TemporalFilter::kMaxWindow);
  check("smoothing.spike", o.smoothing.spike, 0, 1e6);
  check("smoothing.spread", o.smoothing.spread, 0, 1e6);
  check("adaptive.max_raise", o.adaptive.max_raise, 0, 10);
  check("adaptive.per_step", o.adaptive.per_step, 0, 10);
  check("adaptive.luminance", o.adaptive.luminance, 0, 255);
  check("adaptive.sharpness", o.adaptive.sharpness, 0, 1e6);
  check("adaptive.face_pixels", o.adaptive.face_pixels, 0, 65536);
  check("adaptive.deviations", o.adaptive.deviations, 0, 10);
  check("adaptive.memory", o.adaptive.memory, 10, 100000);
  check("adaptive.max_speed", o.adaptive.max_speed, kSmall, 1e6);
  check("cues.least_turn", o.cues.least_turn, 0.01, 1);
  check("cues.flat", o.cues.flat, 0, 1);
  check("cues.still", o.cues.still, 0, 255);
  check("cues.least_move", o.cues.least_move, 0, 100);
  check("cues.flicker", o.cues.flicker, 0, 255);
  check("cues.frames", o.cues.frames, 8, 64);
  check("rescore_every", o.rescore_every, 1, 3000);
  check("changed_face", o.changed_face, -1, 1);
  check("queue", o.queue, 1, 64);
}

Ensemble::Options scoring_options(const Verifier::Options& o, const Model& detector) {
  if (!detector.contract().detector)
    refuse("detector: model '" + detector.contract().name + "' is not a face detector");
  Ensemble::Options scoring = o.scoring;
  scoring.detector.reset();
  scoring.box_convention = detector.contract().detector->box;
  return scoring;
}

FaceTracker::Options tracking_options(const Verifier::Options& o) {
  FaceTracker::Options tracking = o.tracking;
  tracking.detect_every = o.pace.detect_every;
  return tracking;
}

// Of the fused score, as the ensemble's own.
Bounds fused_bounds(const std::vector<Model>& members, const Ensemble::Options& options) {
  if (options.threshold && options.fusion != Fusion::kMajority) return {*options.threshold, *options.threshold};
  if (options.calibration) {
    const ThresholdProfile& profile = options.calibration->profiles.at(options.profile);
    return {profile.live, profile.spoof};
  }
  std::vector<Bounds> own;
  for (const Model& m : members) {
    const ThresholdProfile& profile = m.contract().score->profiles.at(options.profile);
    own.push_back({profile.live, profile.spoof});
  }
  return fuse_bounds(options.fusion, own, options.weights);
}

float mean_level(const Patch& patch) {
  int sum = 0;
  for (const std::uint8_t v : patch) sum += v;
  return static_cast<float>(sum) / static_cast<float>(patch.size());
}

// A picture of our own, copied from a caller's.
class OwnedImage {
 public:
  void copy(const ImageView& image) {
    const bool planar = image.format == PixelFormat::kNv12 || image.format == PixelFormat::kNv21;
    const auto width = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(bytes_per_pixel(image.format));
    const auto height = static_cast<std::size_t>(image.height);
    const std::size_t chroma_width = planar ? (width + 1) / 2 * 2 : 0;
    const std::size_t chroma_height = planar ? (height + 1) / 2 : 0;
    bytes_.resize(width * height + chroma_width * chroma_height);
    for (std::size_t y = 0; y < height; ++y)
      std::memcpy(&bytes_[y * width], image.data + static_cast<std::ptrdiff_t>(y) * image.stride, width);
    view_ = image;
    view_.data = bytes_.data();
    view_.stride = static_cast<std::ptrdiff_t>(width);
    if (!planar) return;
    const std::uint8_t* chroma = image.chroma != nullptr ? image.chroma : image.data + image.stride * image.height;
    const std::ptrdiff_t stride = image.chroma_stride != 0 ? image.chroma_stride : image.stride;
    std::uint8_t* to = &bytes_[width * height];
    for (std::size_t y = 0; y < chroma_height; ++y)
      std::memcpy(to + y * chroma_width, chroma + static_cast<std::ptrdiff_t>(y) * stride, chroma_width);
    view_.chroma = to;
    view_.chroma_stride = static_cast<std::ptrdiff_t>(chroma_width);
  }
  [[nodiscard]] const ImageView& view() const noexcept { return view_; }

 private:
  std::vector<std::uint8_t> bytes_;
  ImageView view_;
};

}  // namespace

class Verifier::Impl {
 public:
  Impl(std::vector<Model> members, Model detector, const Options& given)
      : options(checked(given)),
        tracker_(detector, tracking_options(given)),
        scorer_(std::move(members), scoring_options(given, detector)),
        pace_(given.pace),
        threshold_(0, {}) {
    const Ensemble::Options& scoring = scorer_.options();
    const Bounds bounds = fused_bounds(scorer_.members(), scoring);
    const float floor = to_logit(bounds.live);
    decision_ = options.decision;
    decision_.targets = options.targets.value_or(
        targets_of(scoring.profile).value_or(targets_of("balanced").value_or(DecisionTargets())));
    decision_.neutral = (floor + to_logit(bounds.spoof)) / 2;
    AdaptiveThreshold::Options adaptive = options.adaptive;
    if (scoring.profile == "strict") adaptive.enabled = false;
    threshold_ = AdaptiveThreshold(floor, adaptive);
  }

  ~Impl() { stop_now(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  StreamUpdate push(const ImageView& image, double seconds) {
    need_idle("push");
    return process(image, seconds);
  }

  void reset() {
    need_idle("reset");
    tracker_.reset();
    faces_.clear();
    shown_.clear();
    frozen_ = false;
    last_.reset();
  }

  void start(Callback callback) {
    if (!callback) refuse("callback: none given");
    need_idle("start");
    const std::lock_guard lock(mutex_);
    callback_ = std::move(callback);
    stopping_ = false;
    dropped_ = 0;
    submitted_ = last_;
    worker_ = std::thread([this] { work(); });
    running_ = true;
  }

  void submit(const ImageView& image, double seconds) {
    check_image(image);
    if (!std::isfinite(seconds)) refuse("seconds: not a finite time");
    std::unique_ptr<Waiting> frame;
    {
      const std::lock_guard lock(mutex_);
      check_submit(seconds);
      if (!spare_.empty()) {
        frame = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    if (frame == nullptr) frame = std::make_unique<Waiting>();
    frame->image.copy(image);
    frame->seconds = seconds;
    {
      const std::lock_guard lock(mutex_);
      check_submit(seconds);  // another thread may have been quicker
      submitted_ = seconds;
      if (waiting_.size() >= static_cast<std::size_t>(options.queue)) {
        spare_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
        ++dropped_;
      }
      waiting_.push_back(std::move(frame));
    }
    wake_.notify_one();
  }

  void stop() {
    if (worker_.joinable() && worker_.get_id() == std::this_thread::get_id())
      throw Error(Status::kInvalidState, "stop: called from the callback, which the worker waits for");
    stop_now();
  }

  [[nodiscard]] std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }
  [[nodiscard]] Pace pace() const {
    const std::lock_guard lock(mutex_);
    return pace_;
  }
  void set_pace(const Pace& pace) {
    check_pace(pace);
    const std::lock_guard lock(mutex_);
    pace_ = pace;
  }
  [[nodiscard]] const std::vector<AdaptiveThreshold::Change>& threshold_log() const noexcept {
    return threshold_.log();
  }

  Options options;

 private:
  using Clock = std::chrono::steady_clock;

  // Everything that is known of one track. It is found by the track's id alone and dies with it.
  struct Known {
    Known(const SequentialTest::Options& decision, const Options& options)
        : test(decision), filter(options.smoothing), cues(options.cues) {}
    TrackResult result;
    SequentialTest test;
    TemporalFilter filter;
    MotionCues cues;
    ReasonMask cue_reasons = 0;
    ReasonMask score_reasons = 0;
    Patch scored{};   // its look when it was last scored,
    Patch decided{};  // and when its verdict was reached
    int waited = 0;   // frames since it was last scored
    double mean = 0;  // of the log-odds, the latest weighing most
    double weight = 0;
    bool announced = false;  // a decision was told
    Verdict told = Verdict::kUncertain;
    bool alive = false;  // seen in this frame's tracks
  };

  struct Waiting {
    OwnedImage image;
    double seconds = 0;
  };

  static const Options& checked(const Options& o) {
    check_options(o);
    return o;
  }

  void need_idle(const char* what) const {
    const std::lock_guard lock(mutex_);
    if (running_)
      throw Error(Status::kInvalidState, std::string(what) + ": the asynchronous mode is on; stop() ends it");
  }

  void check_submit(double seconds) const {
    if (!running_ || stopping_)
      throw Error(Status::kInvalidState, "submit: the asynchronous mode is off; start() begins it");
    if (submitted_ && seconds < *submitted_)
      refuse("seconds: " + text(seconds) + " is before the last frame's " + text(*submitted_) +
             ": time runs backwards");
  }

  static void tell(StreamUpdate& update, EventKind kind, std::uint64_t track = 0, Verdict verdict = Verdict::kUncertain,
                   Verdict previous = Verdict::kUncertain, std::string words = {}) {
    update.events.push_back({kind, track, update.seconds, verdict, previous, std::move(words)});
  }

  StreamUpdate process(const ImageView& image, double seconds) {
    const auto start = Clock::now();
    check_image(image);
    if (!std::isfinite(seconds)) refuse("seconds: not a finite time");
    if (last_ && seconds < *last_)
      refuse("seconds: " + text(seconds) + " is before the last frame's " + text(*last_) + ": time runs backwards");
    const Pace pace = this->pace();
    StreamUpdate update;
    update.frame = frame_;
    update.seconds = seconds;
    if (frame_ > 0 && skipped_ < pace.skip) {
      ++skipped_;
      ++frame_;
      last_ = seconds;
      update.skipped = true;
      if (options.scoring.profiler != nullptr) options.scoring.profiler->add(Profiler::Counter::kSkipped);
      for (TrackResult& t : shown_) t.scored = false;
    } else {
      tracker_.set_detect_every(pace.detect_every);
      const FaceTracker::Update& seen = tracker_.update(image, seconds);
      skipped_ = 0;
      ++frame_;
      last_ = seconds;
      update.time.detect = milliseconds(start);
      stream_events(seen, update);
      follow(seen, image, pace, update);
    }
    update.tracks = shown_;
    if (!shown_.empty()) update.verdict = shown_.front().verdict;
    update.time.total = milliseconds(start);
    return update;
  }

  static double milliseconds(Clock::time_point from) {
    return std::chrono::duration<double, std::milli>(Clock::now() - from).count();
  }

  void stream_events(const FaceTracker::Update& seen, StreamUpdate& update) {
    if (seen.resized) tell(update, EventKind::kFormat, 0, {}, {}, "size or pixel format of the frames changed");
    if (seen.gap) tell(update, EventKind::kGap, 0, {}, {}, "no frame for too long");
    if (seen.cut) tell(update, EventKind::kCut, 0, {}, {}, "scene cut");
    if (seen.frozen && !frozen_) tell(update, EventKind::kFrozen, 0, {}, {}, "the picture does not change");
    if (!seen.frozen && frozen_) tell(update, EventKind::kResumed, 0, {}, {}, "the picture changes again");
    frozen_ = seen.frozen;
    for (const std::uint64_t id : seen.ended) {
      const auto known = faces_.find(id);
      if (known == faces_.end()) continue;
      tell(update, EventKind::kLost, id, known->second.told, known->second.told);
      faces_.erase(known);
    }
  }

  void follow(const FaceTracker::Update& seen, const ImageView& image, const Pace& pace, StreamUpdate& update) {
    shown_.clear();
    const float scene = mean_level(seen.scene);
    for (std::size_t i = 0; i < seen.tracks.size(); ++i) {
      const Track& track = seen.tracks[i];
      auto known = faces_.find(track.id);
      if (known == faces_.end()) {
        known = faces_.try_emplace(track.id, decision_, options).first;
        known->second.result.id = track.id;
        known->second.result.since = track.since;
        tell(update, EventKind::kNewTrack, track.id);
      }
      Known& k = known->second;
      k.result.face = track.face;
      k.result.quality = track.quality;
      k.result.found = track.unconfirmed == 0;
      k.result.scored = false;
      ++k.waited;
      reopen_if_changed(k, track);
      if (track.unconfirmed == 0 && !seen.frozen) {
        k.cue_reasons = k.cues.push(track.detected, track.patch, mean_level(track.patch), scene);
      }
      const bool deciding = i == 0 || options.all_faces;
      if (deciding && track.scorable && !seen.frozen && due(k, track, pace)) {
        score(k, track, image, seen.tracks.size() > 1, update);
      } else if (deciding || k.test.begun()) {  // a face that cannot be scored is not waited for without end
        k.test.wait(update.seconds);
      }
      conclude(k, track, seen.frozen, update);
      shown_.push_back(k.result);
    }
  }

  // A verdict belongs to an appearance: compared with the one that it was reached for, slow changes add up.
  void reopen_if_changed(Known& k, const Track& track) {
    if (!k.announced || track.unconfirmed > 0 || likeness(track.patch, k.decided) >= options.changed_face) return;
    k.test.reset();
    k.filter.reset();
    k.mean = k.weight = 0;
    k.result.scores = 0;
    k.waited = options.rescore_every;
    k.decided = track.patch;
  }

  [[nodiscard]] bool due(const Known& k, const Track& track, const Pace& pace) const {
    if (k.result.scores == 0) return true;
    const bool rests = options.early_exit && k.test.decided() && !k.test.timed_out();
    if (k.waited >= (rests ? std::max(options.rescore_every, pace.score_every) : pace.score_every)) return true;
    return likeness(track.patch, k.scored) < options.changed_face;
  }

  void score(Known& k, const Track& track, const ImageView& image, bool several, StreamUpdate& update) {
    const Result result = scorer_.predict(image, track.face);
    update.time.roi += result.time.roi;
    update.time.infer += result.time.infer;
    const FaceResult& face = result.faces.front();
    k.waited = 0;
    k.scored = track.patch;
    k.score_reasons = face.reasons | (several ? mask(Reason::kSeveralFaces) : 0);
    k.result.scored = !face.members.empty();
    if (face.members.empty()) {
      k.test.wait(update.seconds);
      return;
    }
    ++k.result.scores;
    const std::size_t before = threshold_.log().size();
    const float from = threshold_.value();
    threshold_.observe(face.quality, update.seconds);
    const bool unfit = (k.score_reasons & scorer_.options().abstain) != 0;
    const TemporalFilter::Step step = unfit ? TemporalFilter::Step{} : k.filter.push(face.logit);
    const float weight = unfit ? 0 : step.weight * quality_weight(face.quality, scorer_.options().limits);
    if (weight > 0) {
      constexpr double kMemory = 15;  // scores
      k.weight = std::min(k.weight + static_cast<double>(weight), kMemory);
      k.mean += (static_cast<double>(step.value) - k.mean) * static_cast<double>(weight) / k.weight;
    }
    k.test.push(step.value, update.seconds, weight, may_accept(k));
    if (!unfit && k.test.verdict() == Verdict::kLive && k.cue_reasons == 0) threshold_.learn(face.logit);
    if (threshold_.log().size() != before || (before == AdaptiveThreshold::kMaxLog && threshold_.value() != from)) {
      const AdaptiveThreshold::Change& change = threshold_.log().back();
      if (change.seconds == update.seconds)
        tell(update, EventKind::kThreshold, 0, {}, {},
             "threshold " + text(to_score(change.from)) + " to " + text(to_score(change.to)) + ": " +
                 std::string(to_string(change.cause)));
    }
  }

  [[nodiscard]] bool may_accept(const Known& k) const {
    // Once given, LIVE is not taken back for a wobble about the threshold.
    const float slack = k.test.verdict() == Verdict::kLive ? 0.25F : 0.0F;
    return k.cue_reasons == 0 && k.weight > 0 &&
           static_cast<float>(k.mean) >= std::max(threshold_.value() - slack, threshold_.floor());
  }

  void conclude(Known& k, const Track& track, bool frozen, StreamUpdate& update) {
    TrackResult& r = k.result;
    // What speaks against a face that was LIVE takes that back at once; it never makes one.
    const bool denied = k.cue_reasons != 0;
    r.verdict = k.test.verdict() == Verdict::kLive && denied ? Verdict::kUncertain : k.test.verdict();
    const bool decided = k.test.decided() && !(k.test.verdict() == Verdict::kLive && denied);
    r.state = decided ? TrackState::kDecided : r.scores > 0 ? TrackState::kCollecting : TrackState::kSearching;
    r.score = k.weight > 0 ? to_score(static_cast<float>(k.mean)) : 0.0F;
    r.confidence = k.test.confidence();
    r.evidence = k.test.evidence();
    r.threshold = to_score(threshold_.value());
    r.reasons = k.score_reasons | k.cue_reasons | (frozen ? mask(Reason::kFrozen) : 0);
    if (!k.announced) {
      if (!decided) return;
      k.announced = true;
      tell(update, EventKind::kDecided, r.id, r.verdict, Verdict::kUncertain,
           k.test.timed_out() ? "the time has run out" : "");
    } else if (r.verdict != k.told) {
      tell(update, EventKind::kChanged, r.id, r.verdict, k.told);
    } else {
      return;
    }
    k.told = r.verdict;
    k.decided = track.patch;
    r.decided = update.seconds;
  }

  void work() {
    std::string complaint;  // of the callback, told with the next update
    for (;;) {
      std::unique_ptr<Waiting> frame;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        frame = std::move(waiting_.front());
        waiting_.pop_front();
      }
      StreamUpdate update;
      try {
        update = process(frame->image.view(), frame->seconds);
      } catch (const std::exception& e) {
        update = {};
        update.frame = frame_;
        update.seconds = frame->seconds;
        tell(update, EventKind::kError, 0, {}, {}, e.what());
      }
      if (!complaint.empty()) tell(update, EventKind::kError, 0, {}, {}, std::exchange(complaint, {}));
      try {
        callback_(update);
      } catch (const std::exception& e) {
        complaint = std::string("the callback threw: ") + e.what();
      } catch (...) {
        complaint = "the callback threw";
      }
      const std::lock_guard lock(mutex_);
      spare_.push_back(std::move(frame));
    }
  }

  void stop_now() noexcept {
    if (!worker_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    worker_.join();
    const std::lock_guard lock(mutex_);
    running_ = false;
    waiting_.clear();
    callback_ = nullptr;
  }

  FaceTracker tracker_;
  Ensemble scorer_;
  SequentialTest::Options decision_;
  Pace pace_;  // under mutex_
  AdaptiveThreshold threshold_;
  std::map<std::uint64_t, Known> faces_;
  std::vector<TrackResult> shown_;
  std::uint64_t frame_ = 0;
  int skipped_ = 0;
  bool frozen_ = false;
  std::optional<double> last_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Waiting>> waiting_;
  std::vector<std::unique_ptr<Waiting>> spare_;  // buffers to use again
  std::optional<double> submitted_;
  std::uint64_t dropped_ = 0;
  bool running_ = false;
  bool stopping_ = false;
  Callback callback_;
  std::thread worker_;
};

Verifier::Verifier(std::vector<Model> members, Model detector, const Options& options)
    : impl_(std::make_unique<Impl>(std::move(members), std::move(detector), options)) {}
Verifier::~Verifier() = default;
Verifier::Verifier(Verifier&&) noexcept = default;
Verifier& Verifier::operator=(Verifier&&) noexcept = default;

StreamUpdate Verifier::push(const ImageView& image, double seconds) {
  return impl_->push(image, seconds);
}
void Verifier::start(Callback callback) {
  impl_->start(std::move(callback));
}
void Verifier::submit(const ImageView& image, double seconds) {
  impl_->submit(image, seconds);
}
void Verifier::stop() {
  impl_->stop();
}
std::uint64_t Verifier::dropped() const noexcept {
  return impl_->dropped();
}
Pace Verifier::pace() const noexcept {
  return impl_->pace();
}
void Verifier::set_pace(const Pace& pace) {
  impl_->set_pace(pace);
}
void Verifier::reset() {
  impl_->reset();
}
const std::vector<AdaptiveThreshold::Change>& Verifier::threshold_log() const noexcept {
  return impl_->threshold_log();
}
const Verifier::Options& Verifier::options() const noexcept {
  return impl_->options;
}

}  // namespace liveness
