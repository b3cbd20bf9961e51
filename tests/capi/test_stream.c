/* Streams from C: tracker, verifier, events, asynchronous mode. */
#include <stddef.h>

#include "tiny.h"

static liveness_model_t *pad, *detector;
static uint8_t* scene;
static int tick;

/* The next frame: a camera's pictures are never equal. */
static liveness_image_t next_frame(void) {
  liveness_image_t image;
  int i;
  for (i = 1; i < kSceneBytes; i += 3 * 7) scene[i + 3 * (tick % 7)] ^= 1;
  ++tick;
  liveness_image_init(&image, sizeof image, scene, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
  return image;
}

static void new_options(liveness_verifier_options_t* options, liveness_tracker_options_t* tracking,
                        liveness_predictor_options_t* scoring, liveness_quality_limits_t* limits,
                        liveness_pace_t* pace) {
  liveness_verifier_options_init(options, sizeof *options);
  liveness_tracker_options_init(tracking, sizeof *tracking);
  liveness_predictor_options_init(scoring, sizeof *scoring);
  liveness_quality_limits_init(limits, sizeof *limits);
  liveness_pace_init(pace, sizeof *pace);
  tracking->method = LIVENESS_TRACK_METHOD_NONE;
  tracking->birth = 1;
  limits->min_face_pixels = limits->min_sharpness = limits->min_luminance = 0;
  limits->max_overexposed = 1;
  pace->score_every = 1;
  scoring->limits = limits;
  options->tracking = tracking;
  options->scoring = scoring;
  options->pace = pace;
}

static liveness_verifier_t* new_verifier(void) {
  liveness_verifier_options_t options;
  liveness_tracker_options_t tracking;
  liveness_predictor_options_t scoring;
  liveness_quality_limits_t limits;
  liveness_pace_t pace;
  liveness_verifier_t* verifier = NULL;
  new_options(&options, &tracking, &scoring, &limits, &pace);
  REQUIRE_OK(liveness_verifier_create(&pad, 1, detector, &options, &verifier));
  return verifier;
}

static void tracker(void) {
  liveness_tracker_options_t options;
  liveness_tracker_t* t = NULL;
  liveness_track_t track;
  liveness_track_t* tracks[1];
  liveness_image_t image = next_frame();
  size_t count = 9;
  int i;
  tracks[0] = &track;
  liveness_track_init(&track, sizeof track);
  liveness_tracker_options_init(&options, sizeof options);
  CHECK(options.detect_every == 30 && options.window == -1 && options.window_scale == -1 && options.max_faces == 4);
  options.window = 100; /* no multiple of the detector's stride */
  CHECK(liveness_tracker_create(detector, &options, &t) == LIVENESS_STATUS_INVALID_ARGUMENT && t == NULL);
  CHECK(strstr(liveness_last_error(), "100 x 100") != NULL);
  options.window = 0;
  CHECK(liveness_tracker_create(detector, &options, &t) == LIVENESS_STATUS_INVALID_ARGUMENT && t == NULL);
  CHECK(strstr(liveness_last_error(), "tracking.window: 0") != NULL);
  options.window = -1;
  options.method = LIVENESS_TRACK_METHOD_NONE;
  REQUIRE_OK(liveness_tracker_create(detector, &options, &t));
  for (i = 0; i < 3; ++i) {
    image = next_frame();
    REQUIRE_OK(liveness_tracker_update(t, &image, i / 30.0, tracks, 1, &count));
    CHECK(count == (i == 0 ? 0u : 1u));
  }
  CHECK(track.id == 1 && track.found == 1 && track.quality > 0 && track.has_landmarks == 1);
  CHECK(track.box.width > 70 && track.box.width < 90 && track.verdict == LIVENESS_VERDICT_UNCERTAIN);
  CHECK(liveness_tracker_update(t, &image, 0, tracks, 1, &count) == LIVENESS_STATUS_INVALID_ARGUMENT);
  CHECK(strstr(liveness_last_error(), "backwards") != NULL);
  CHECK(liveness_tracker_update(t, &image, 1, NULL, 1, &count) == LIVENESS_STATUS_INVALID_ARGUMENT);
  liveness_tracker_destroy(t);
  liveness_tracker_destroy(NULL);
  t = NULL;
  options.method = 2;
  CHECK(liveness_tracker_create(detector, &options, &t) == LIVENESS_STATUS_INVALID_ARGUMENT && t == NULL);
  CHECK(liveness_tracker_create(pad, NULL, &t) == LIVENESS_STATUS_INVALID_ARGUMENT && t == NULL);
  CHECK(liveness_tracker_create(NULL, NULL, &t) == LIVENESS_STATUS_INVALID_ARGUMENT);
}

static void verifier(void) {
  liveness_verifier_t* v = new_verifier();
  liveness_update_t* update = NULL;
  liveness_update_summary_t summary;
  liveness_track_t track;
  liveness_event_t event;
  liveness_image_t image;
  liveness_pace_t pace;
  char text[200];
  size_t size = 0;
  int i, decided = 0;
  liveness_update_summary_init(&summary, sizeof summary);
  liveness_track_init(&track, sizeof track);
  liveness_event_init(&event, sizeof event);
  REQUIRE_OK(liveness_update_create(&update));
  CHECK(liveness_update_summary(update, &summary) == LIVENESS_STATUS_INVALID_STATE);
  for (i = 0; i < 60 && !decided; ++i) {
    image = next_frame();
    REQUIRE_OK(liveness_verifier_push(v, &image, i / 30.0, update));
    REQUIRE_OK(liveness_update_summary(update, &summary));
    CHECK(summary.frame == (uint64_t)i && summary.track_count == 1 && summary.total_ms > 0);
    REQUIRE_OK(liveness_update_track(update, 0, &track));
    CHECK(track.id == 1 && track.scored == 1 && track.scores == i + 1);
    CHECK(track.verdict == summary.verdict);
    if (i == 0) {
      CHECK(summary.event_count == 1);
      REQUIRE_OK(liveness_update_event(update, 0, &event));
      CHECK(event.kind == LIVENESS_EVENT_NEW_TRACK && event.track == 1);
      CHECK(strcmp(liveness_event_name(event.kind), "new_track") == 0);
    }
    if (summary.verdict == LIVENESS_VERDICT_LIVE) {
      decided = i;
      CHECK(track.state == LIVENESS_TRACK_STATE_DECIDED && track.confidence == 1.0f && track.score > track.threshold);
      REQUIRE_OK(liveness_update_event(update, 0, &event));
      CHECK(event.kind == LIVENESS_EVENT_DECIDED && event.verdict == LIVENESS_VERDICT_LIVE);
    }
  }
  CHECK(decided >= 15);
  CHECK(liveness_update_track(update, 1, &track) == LIVENESS_STATUS_INVALID_ARGUMENT);
  CHECK(liveness_update_event(update, 5, &event) == LIVENESS_STATUS_INVALID_ARGUMENT);
  CHECK(liveness_verifier_push(v, &image, 0, update) == LIVENESS_STATUS_INVALID_ARGUMENT);
  REQUIRE_OK(liveness_verifier_push(v, &image, 100, update));
  REQUIRE_OK(liveness_update_event(update, 0, &event));
  CHECK(event.kind == LIVENESS_EVENT_GAP && event.track == 0);
  REQUIRE_OK(liveness_update_event_text(update, 0, text, sizeof text, &size));
  CHECK(size == strlen(text) + 1 && size > 5);

  liveness_pace_init(&pace, sizeof pace);
  pace.skip = 1;
  REQUIRE_OK(liveness_verifier_set_pace(v, &pace));
  pace.skip = 0;
  REQUIRE_OK(liveness_verifier_pace(v, &pace));
  CHECK(pace.skip == 1 && pace.detect_every == 30);
  image = next_frame();
  REQUIRE_OK(liveness_verifier_push(v, &image, 100.1, update));
  REQUIRE_OK(liveness_update_summary(update, &summary));
  CHECK(summary.skipped == 1);
  pace.score_every = 0;
  CHECK(liveness_verifier_set_pace(v, &pace) == LIVENESS_STATUS_INVALID_ARGUMENT);
  REQUIRE_OK(liveness_verifier_reset(v));
  CHECK(strcmp(liveness_event_name(99), "unknown") == 0);
  liveness_update_destroy(update);
  liveness_verifier_destroy(v);
  liveness_verifier_destroy(NULL);
  liveness_update_destroy(NULL);
}

static void on_update(void* context, const liveness_update_t* update) {
  liveness_update_summary_t summary;
  liveness_update_summary_init(&summary, sizeof summary);
  REQUIRE_OK(liveness_update_summary(update, &summary));
  ++*(int*)context;
}

static void asynchronous(void) {
  liveness_verifier_t* v = new_verifier();
  liveness_image_t image = next_frame();
  uint64_t dropped = 0;
  int updates = 0, i;
  CHECK(liveness_verifier_submit(v, &image, 0) == LIVENESS_STATUS_INVALID_STATE);
  CHECK(liveness_verifier_start(v, NULL, NULL) == LIVENESS_STATUS_INVALID_ARGUMENT);
  REQUIRE_OK(liveness_verifier_start(v, on_update, &updates));
  CHECK(liveness_verifier_start(v, on_update, &updates) == LIVENESS_STATUS_INVALID_STATE);
  for (i = 0; i < 50; ++i) {
    image = next_frame();
    REQUIRE_OK(liveness_verifier_submit(v, &image, i / 30.0));
  }
  CHECK(liveness_verifier_submit(v, &image, 0) == LIVENESS_STATUS_INVALID_ARGUMENT);
  REQUIRE_OK(liveness_verifier_stop(v));
  REQUIRE_OK(liveness_verifier_dropped(v, &dropped));
  CHECK(updates + (int)dropped <= 50 && updates + (int)dropped >= 50 - 2); /* two may have waited at the end */
  REQUIRE_OK(liveness_verifier_stop(v));
  liveness_verifier_destroy(v);
}

static void refused(void) {
  liveness_verifier_options_t options;
  liveness_tracker_options_t tracking;
  liveness_predictor_options_t scoring;
  liveness_quality_limits_t limits;
  liveness_pace_t pace;
  liveness_verifier_t* v = NULL;
  new_options(&options, &tracking, &scoring, &limits, &pace);
  options.apcer = 0.7f;
  CHECK(liveness_verifier_create(&pad, 1, detector, &options, &v) == LIVENESS_STATUS_INVALID_ARGUMENT);
  CHECK(strstr(liveness_last_error(), "apcer") != NULL);
  options.apcer = 0.05f;
  tracking.birth = 0;
  CHECK(liveness_verifier_create(&pad, 1, detector, &options, &v) == LIVENESS_STATUS_INVALID_ARGUMENT);
  tracking.birth = 1;
  options.adaptive = options.cues = 1;
  CHECK(options.adaptive_memory == 200 && options.cues_frames == 24 && options.adaptive_per_step > 0.49f);
  options.cues_frames = 7;
  CHECK_FAILS(liveness_verifier_create(&pad, 1, detector, &options, &v), LIVENESS_STATUS_INVALID_ARGUMENT,
              "cues.frames");
  options.cues_frames = 24;
  options.adaptive_max_speed = 0;
  CHECK_FAILS(liveness_verifier_create(&pad, 1, detector, &options, &v), LIVENESS_STATUS_INVALID_ARGUMENT, "max_speed");
  options.adaptive_max_speed = 0.5f;
  options.reserved2 = 1;
  CHECK_FAILS(liveness_verifier_create(&pad, 1, detector, &options, &v), LIVENESS_STATUS_INVALID_ARGUMENT, "reserved2");
  options.reserved2 = 0;
  /* A caller of the time before these fields: defaults. */
  options.cues_frames = 7;
  options.struct_size = offsetof(liveness_verifier_options_t, adaptive_per_step);
  REQUIRE_OK(liveness_verifier_create(&pad, 1, detector, &options, &v));
  liveness_verifier_destroy(v);
  v = NULL;
  options.cues_frames = 24;
  options.struct_size = 3;
  CHECK(liveness_verifier_create(&pad, 1, detector, &options, &v) == LIVENESS_STATUS_ABI_MISMATCH);
  options.struct_size = sizeof options;
  CHECK(liveness_verifier_create(&pad, 0, detector, &options, &v) == LIVENESS_STATUS_INVALID_ARGUMENT);
  CHECK(liveness_verifier_create(&pad, 1, pad, &options, &v) == LIVENESS_STATUS_INVALID_ARGUMENT);
  CHECK(liveness_verifier_create(&pad, 1, NULL, &options, &v) == LIVENESS_STATUS_INVALID_ARGUMENT);
  CHECK(v == NULL);
  REQUIRE_OK(liveness_verifier_create(&pad, 1, detector, &options, &v));
  liveness_verifier_destroy(v);
}

int main(void) {
  pad = load("pad.safetensors");
  detector = load("detector.safetensors");
  scene = new_scene(190);
  tracker();
  verifier();
  asynchronous();
  refused();
  free(scene);
  liveness_model_destroy(detector);
  liveness_model_destroy(pad);
  return finish();
}
