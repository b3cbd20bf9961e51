// Streams: tracker and verifier.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "liveness.h"

namespace liveness::capi {
namespace {

using liveness::capi::from_c;
using liveness::capi::to_c;

static_assert(LIVENESS_TRACK_METHOD_NONE == static_cast<int>(TrackMethod::kNone));
static_assert(LIVENESS_TRACK_STATE_DECIDED == static_cast<int>(TrackState::kDecided));
static_assert(LIVENESS_EVENT_LOST == static_cast<int>(EventKind::kLost));
static_assert(LIVENESS_EVENT_FORMAT == static_cast<int>(EventKind::kFormat));
static_assert(LIVENESS_EVENT_ERROR == static_cast<int>(EventKind::kError));
static_assert(LIVENESS_EVENT_THRESHOLD == static_cast<int>(EventKind::kThreshold));
static_assert(kEventKindCount == 11, "a new kind of event needs its number in liveness.h");

// Published layouts, without padding.
static_assert(sizeof(void*) != 8 ||
              (sizeof(liveness_tracker_options_t) == 80 && offsetof(liveness_tracker_options_t, detection) == 72));
static_assert(sizeof(void*) != 8 ||
              (sizeof(liveness_verifier_options_t) == 168 && offsetof(liveness_verifier_options_t, reserved2) == 164));
static_assert(sizeof(liveness_track_t) == 136 && offsetof(liveness_track_t, id) == 128);
static_assert(sizeof(liveness_pace_t) == 16 && sizeof(liveness_event_t) == 32);
static_assert(sizeof(liveness_update_summary_t) == 72 && offsetof(liveness_update_summary_t, total_ms) == 64);

liveness_tracker_options_t default_tracker_options() noexcept {
  const FaceTracker::Options d;
  liveness_tracker_options_t c{};
  c.struct_size = sizeof c;
  c.method = static_cast<std::int32_t>(d.method);
  c.detect_every = d.detect_every;
  c.window = d.window;
  c.window_scale = d.window_scale;
  c.quality_floor = d.quality_floor;
  c.confirm_within = d.confirm_within;
  c.birth = d.birth;
  c.death = d.death;
  c.max_faces = d.max_faces;
  c.min_face = d.min_face;
  c.match_iou = d.match_iou;
  c.same_face = d.same_face;
  c.same_scene = d.same_scene;
  c.max_gap = static_cast<float>(d.max_gap);
  c.noise_measurement = d.noise.measurement;
  c.noise_acceleration = d.noise.acceleration;
  return c;
}

FaceTracker::Options from_c(const liveness_tracker_options_t* options) {
  const auto c =
      options == nullptr ? default_tracker_options() : read(options, default_tracker_options(), "tracker options");
  if (c.reserved != 0) fail(Status::kInvalidArgument, "tracker options.reserved is not 0");
  if (c.method < 0 || c.method > LIVENESS_TRACK_METHOD_NONE)
    fail(Status::kInvalidArgument, "tracker options.method is " + std::to_string(c.method) + ", expected 0 or 1");
  FaceTracker::Options o;
  o.method = static_cast<TrackMethod>(c.method);
  o.detect_every = c.detect_every;
  o.window = c.window;
  o.window_scale = c.window_scale;
  o.quality_floor = c.quality_floor;
  o.confirm_within = c.confirm_within;
  o.birth = c.birth;
  o.death = c.death;
  o.max_faces = c.max_faces;
  o.min_face = c.min_face;
  o.match_iou = c.match_iou;
  o.same_face = c.same_face;
  o.same_scene = c.same_scene;
  o.max_gap = static_cast<double>(c.max_gap);
  o.noise.measurement = c.noise_measurement;
  o.noise.acceleration = c.noise_acceleration;
  o.detection = from_c(c.detection);
  return o;
}

liveness_pace_t to_c(const Pace& pace) noexcept {
  return {sizeof(liveness_pace_t), pace.detect_every, pace.score_every, pace.skip};
}

Pace from_c(const liveness_pace_t* pace) {
  const auto c = read(pace, to_c(Pace()), "pace");
  return {c.detect_every, c.score_every, c.skip};
}

liveness_verifier_options_t default_verifier_options() noexcept {
  const Verifier::Options d;
  liveness_verifier_options_t c{};
  c.struct_size = sizeof c;
  c.all_faces = d.all_faces ? 1 : 0;
  c.early_exit = d.early_exit ? 1 : 0;
  c.rescore_every = d.rescore_every;
  c.changed_face = d.changed_face;
  c.queue = d.queue;
  c.apcer = -1;
  c.bpcer = -1;
  c.gain = d.decision.gain;
  c.max_step = d.decision.max_step;
  c.correlation_seconds = d.decision.correlation_seconds;
  c.shared = d.decision.shared;
  c.min_frames = d.decision.min_frames;
  c.min_seconds = d.decision.min_seconds;
  c.max_seconds = d.decision.max_seconds;
  c.smoothing_window = d.smoothing.window;
  c.smoothing_spike = d.smoothing.spike;
  c.smoothing_spread = d.smoothing.spread;
  c.adaptive = d.adaptive.enabled ? 1 : 0;
  c.adaptive_max_raise = d.adaptive.max_raise;
  c.cues = d.cues.enabled ? 1 : 0;
  c.adaptive_per_step = d.adaptive.per_step;
  c.adaptive_luminance = d.adaptive.luminance;
  c.adaptive_sharpness = d.adaptive.sharpness;
  c.adaptive_face_pixels = d.adaptive.face_pixels;
  c.adaptive_deviations = d.adaptive.deviations;
  c.adaptive_memory = d.adaptive.memory;
  c.adaptive_max_speed = d.adaptive.max_speed;
  c.cues_least_turn = d.cues.least_turn;
  c.cues_flat = d.cues.flat;
  c.cues_still = d.cues.still;
  c.cues_least_move = d.cues.least_move;
  c.cues_flicker = d.cues.flicker;
  c.cues_frames = d.cues.frames;
  return c;
}

Verifier::Options from_c(const liveness_verifier_options_t& c, const liveness_predictor_options_t& scoring,
                         std::size_t models) {
  if (c.reserved != 0) fail(Status::kInvalidArgument, "options.reserved is not 0");
  if (c.reserved2 != 0) fail(Status::kInvalidArgument, "options.reserved2 is not 0");
  Verifier::Options o;
  o.scoring = from_c(scoring, models);
  o.tracking = from_c(c.tracking);
  if (c.pace != nullptr) o.pace = from_c(c.pace);
  if (!(c.apcer < 0) || !(c.bpcer < 0)) {
    const DecisionTargets own = targets_of(o.scoring.profile).value_or(DecisionTargets());
    o.targets = DecisionTargets{c.apcer < 0 ? own.apcer : c.apcer, c.bpcer < 0 ? own.bpcer : c.bpcer};
  }
  o.decision.gain = c.gain;
  o.decision.max_step = c.max_step;
  o.decision.correlation_seconds = c.correlation_seconds;
  o.decision.shared = c.shared;
  o.decision.min_frames = c.min_frames;
  o.decision.min_seconds = c.min_seconds;
  o.decision.max_seconds = c.max_seconds;
  o.smoothing.window = c.smoothing_window;
  o.smoothing.spike = c.smoothing_spike;
  o.smoothing.spread = c.smoothing_spread;
  o.adaptive = {c.adaptive != 0,       c.adaptive_max_raise, c.adaptive_per_step,
                c.adaptive_luminance,  c.adaptive_sharpness, c.adaptive_face_pixels,
                c.adaptive_deviations, c.adaptive_memory,    c.adaptive_max_speed};
  o.cues = {c.cues != 0,       c.cues_least_turn, c.cues_flat,  c.cues_still,
            c.cues_least_move, c.cues_flicker,    c.cues_frames};
  o.all_faces = c.all_faces != 0;
  o.early_exit = c.early_exit != 0;
  o.rescore_every = c.rescore_every;
  o.changed_face = c.changed_face;
  o.queue = c.queue;
  return o;
}

liveness_track_t empty_track() noexcept {
  liveness_track_t c{};
  c.struct_size = sizeof c;
  return c;
}

void place(liveness_track_t& c, const Face& face) noexcept {
  const liveness_face_t where = to_c(face);
  c.has_landmarks = where.has_landmarks;
  c.box = where.box;
  std::copy(std::begin(where.landmarks), std::end(where.landmarks), std::begin(c.landmarks));
}

liveness_track_t to_c(const Track& track) noexcept {
  liveness_track_t c = empty_track();
  c.id = track.id;
  c.quality = track.quality;
  c.found = track.unconfirmed == 0 ? 1 : 0;
  c.since = track.since;
  place(c, track.face);
  return c;
}

liveness_track_t to_c(const TrackResult& track) noexcept {
  liveness_track_t c = empty_track();
  c.id = track.id;
  c.state = static_cast<std::int32_t>(track.state);
  c.verdict = static_cast<std::int32_t>(track.verdict);
  c.score = track.score;
  c.confidence = track.confidence;
  c.threshold = track.threshold;
  c.reasons = track.reasons;
  c.scored = track.scored ? 1 : 0;
  c.scores = track.scores;
  c.quality = track.quality;
  c.found = track.found ? 1 : 0;
  c.evidence = track.evidence;
  c.since = track.since;
  c.decided = track.decided;
  place(c, track.face);
  return c;
}

const StreamUpdate& update_of(const liveness_update_t* update) {
  const auto& u = deref(update, "update").update;
  if (!u) fail(Status::kInvalidState, "update: nothing was pushed into it yet");
  return *u;
}

template <class T>
const T& at(const std::vector<T>& all, std::uint32_t index, const char* what) {
  if (index >= all.size())
    fail(Status::kInvalidArgument,
         "index is " + std::to_string(index) + ", the update has " + std::to_string(all.size()) + " " + what);
  return all[index];
}

}  // namespace
}  // namespace liveness::capi

using namespace liveness::capi;  // NOLINT(google-build-using-namespace): this file is that namespace's C face
using liveness::FaceTracker;
using liveness::ImageView;
using liveness::Model;
using liveness::Status;
using liveness::StreamUpdate;
using liveness::Verifier;

extern "C" {

void liveness_tracker_options_init(liveness_tracker_options_t* options, size_t size) noexcept {
  init(options, size, default_tracker_options());
}

void liveness_track_init(liveness_track_t* track, size_t size) noexcept {
  init(track, size, empty_track());
}

liveness_status_t liveness_tracker_create(const liveness_model_t* detector, const liveness_tracker_options_t* options,
                                          liveness_tracker_t** tracker) noexcept {
  return guard([&] {
    const Model& m = deref(detector, "detector").model;
    (void)deref(tracker, "tracker");
    *tracker = new liveness_tracker_t{FaceTracker(m, from_c(options))};
  });
}

void liveness_tracker_destroy(liveness_tracker_t* tracker) noexcept {
  delete tracker;
}

liveness_status_t liveness_tracker_update(liveness_tracker_t* tracker, const liveness_image_t* image, double seconds,
                                          liveness_track_t* const* tracks, size_t capacity, size_t* count) noexcept {
  return guard([&] {
    FaceTracker& t = deref(tracker, "tracker").tracker;
    const ImageView view = from_c(image);
    (void)deref(count, "count");
    if (capacity > 0) (void)deref(tracks, "tracks");
    for (std::size_t i = 0; i < capacity; ++i) check_out(tracks[i], item("tracks", i));
    const auto& found = t.update(view, seconds).tracks;
    const std::size_t n = std::min(capacity, found.size());
    for (std::size_t i = 0; i < n; ++i) write(tracks[i], to_c(found[i]));
    *count = n;
  });
}

void liveness_pace_init(liveness_pace_t* pace, size_t size) noexcept {
  init(pace, size, to_c(liveness::Pace()));
}

void liveness_verifier_options_init(liveness_verifier_options_t* options, size_t size) noexcept {
  init(options, size, default_verifier_options());
}

liveness_status_t liveness_verifier_create(liveness_model_t* const* models, size_t count,
                                           const liveness_model_t* detector, const liveness_verifier_options_t* options,
                                           liveness_verifier_t** verifier) noexcept {
  return guard([&] {
    (void)deref(models, "models");
    std::vector<Model> members;
    for (std::size_t i = 0; i < count; ++i) members.push_back(deref(models[i], item("models", i)).model);
    const Model& d = deref(detector, "detector").model;
    (void)deref(verifier, "verifier");
    const auto c =
        options == nullptr ? default_verifier_options() : read(options, default_verifier_options(), "options");
    const auto scoring = c.scoring == nullptr ? default_predictor_options()
                                              : read(c.scoring, default_predictor_options(), "options.scoring");
    auto o = from_c(c, scoring, count);
    const auto profiler = scoring.profiler != nullptr ? scoring.profiler->profiler : nullptr;
    o.scoring.profiler = profiler.get();
    *verifier = new liveness_verifier_t{profiler, Verifier(std::move(members), d, o)};
  });
}

void liveness_verifier_destroy(liveness_verifier_t* verifier) noexcept {
  delete verifier;
}

liveness_status_t liveness_update_create(liveness_update_t** update) noexcept {
  return guard([&] {
    (void)deref(update, "update");
    *update = new liveness_update_t{};
  });
}

void liveness_update_destroy(liveness_update_t* update) noexcept {
  delete update;
}

liveness_status_t liveness_verifier_push(liveness_verifier_t* verifier, const liveness_image_t* image, double seconds,
                                         liveness_update_t* update) noexcept {
  return guard([&] {
    Verifier& v = deref(verifier, "verifier").verifier;
    const ImageView view = from_c(image);
    auto& u = deref(update, "update");
    u.update = v.push(view, seconds);
  });
}

void liveness_update_summary_init(liveness_update_summary_t* summary, size_t size) noexcept {
  liveness_update_summary_t c{};
  c.struct_size = sizeof c;
  init(summary, size, c);
}

liveness_status_t liveness_update_summary(const liveness_update_t* update,
                                          liveness_update_summary_t* summary) noexcept {
  return guard([&] {
    const StreamUpdate& u = update_of(update);
    check_out(summary, "summary");
    liveness_update_summary_t c{};
    c.struct_size = sizeof c;
    c.verdict = static_cast<std::int32_t>(u.verdict);
    c.track_count = static_cast<std::uint32_t>(u.tracks.size());
    c.event_count = static_cast<std::uint32_t>(u.events.size());
    c.skipped = u.skipped ? 1 : 0;
    c.frame = u.frame;
    c.seconds = u.seconds;
    c.detect_ms = u.time.detect;
    c.roi_ms = u.time.roi;
    c.infer_ms = u.time.infer;
    c.total_ms = u.time.total;
    write(summary, c);
  });
}

liveness_status_t liveness_update_track(const liveness_update_t* update, uint32_t index,
                                        liveness_track_t* track) noexcept {
  return guard([&] {
    const auto& t = at(update_of(update).tracks, index, "tracks");
    check_out(track, "track");
    write(track, to_c(t));
  });
}

void liveness_event_init(liveness_event_t* event, size_t size) noexcept {
  liveness_event_t c{};
  c.struct_size = sizeof c;
  init(event, size, c);
}

const char* liveness_event_name(liveness_event_kind_t kind) noexcept {
  // The names are literals, so that their data ends with a zero byte.
  return kind >= 0 && kind < liveness::kEventKindCount ? to_string(static_cast<liveness::EventKind>(kind)).data()
                                                       : "unknown";
}

liveness_status_t liveness_update_event(const liveness_update_t* update, uint32_t index,
                                        liveness_event_t* event) noexcept {
  return guard([&] {
    const liveness::Event& e = at(update_of(update).events, index, "events");
    check_out(event, "event");
    liveness_event_t c{};
    c.struct_size = sizeof c;
    c.kind = static_cast<std::int32_t>(e.kind);
    c.verdict = static_cast<std::int32_t>(e.verdict);
    c.previous = static_cast<std::int32_t>(e.previous);
    c.track = e.track;
    c.seconds = e.seconds;
    write(event, c);
  });
}

liveness_status_t liveness_update_event_text(const liveness_update_t* update, uint32_t index, char* text,
                                             size_t capacity, size_t* size) noexcept {
  return guard([&] { write_text(at(update_of(update).events, index, "events").text, text, capacity, size); });
}

liveness_status_t liveness_verifier_start(liveness_verifier_t* verifier, liveness_update_callback_t callback,
                                          void* context) noexcept {
  return guard([&] {
    Verifier& v = deref(verifier, "verifier").verifier;
    if (callback == nullptr) fail(Status::kInvalidArgument, "callback is NULL");
    v.start([callback, context](const StreamUpdate& update) {
      const liveness_update_t u{update};
      callback(context, &u);
    });
  });
}

liveness_status_t liveness_verifier_submit(liveness_verifier_t* verifier, const liveness_image_t* image,
                                           double seconds) noexcept {
  return guard([&] {
    Verifier& v = deref(verifier, "verifier").verifier;
    v.submit(from_c(image), seconds);
  });
}

liveness_status_t liveness_verifier_stop(liveness_verifier_t* verifier) noexcept {
  return guard([&] { deref(verifier, "verifier").verifier.stop(); });
}

liveness_status_t liveness_verifier_dropped(const liveness_verifier_t* verifier, uint64_t* count) noexcept {
  return guard([&] {
    const Verifier& v = deref(verifier, "verifier").verifier;
    deref(count, "count") = v.dropped();
  });
}

liveness_status_t liveness_verifier_pace(const liveness_verifier_t* verifier, liveness_pace_t* pace) noexcept {
  return guard([&] {
    const Verifier& v = deref(verifier, "verifier").verifier;
    check_out(pace, "pace");
    write(pace, to_c(v.pace()));
  });
}

liveness_status_t liveness_verifier_set_pace(liveness_verifier_t* verifier, const liveness_pace_t* pace) noexcept {
  return guard([&] {
    Verifier& v = deref(verifier, "verifier").verifier;
    v.set_pace(from_c(pace));
  });
}

liveness_status_t liveness_verifier_reset(liveness_verifier_t* verifier) noexcept {
  return guard([&] { deref(verifier, "verifier").verifier.reset(); });
}

}  // extern "C"
