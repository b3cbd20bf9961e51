/* Calls that are wrong: each is refused with a status and a sentence that names the argument, and writes nothing. */
#include <limits.h>
#include <math.h>

#include "tiny.h"

#define INVALID LIVENESS_STATUS_INVALID_ARGUMENT

static liveness_model_t *pad, *detector_model;
static liveness_detector_t* detector;
static liveness_predictor_t *predictor, *blind; /* blind: without a detector */
static liveness_result_t* result;
static liveness_profiler_t* profiler;
static liveness_roi_t* roi;
static uint8_t* scene;
static liveness_image_t image;

static void nulls(void) {
  liveness_model_t* model = NULL;
  liveness_detector_t* d = NULL;
  liveness_predictor_t* p = NULL;
  liveness_roi_t* r = NULL;
  liveness_model_info_t info;
  liveness_summary_t summary;
  liveness_face_result_t face;
  liveness_crop_t crop;
  liveness_face_t* faces[1] = {NULL};
  const liveness_image_t* images[1] = {NULL};
  liveness_result_t* results[1] = {NULL};
  float values[3 * 8 * 8];
  float* outputs[1] = {NULL};
  const size_t counts[1] = {3 * 8 * 8};
  const liveness_rect_t box = {80, 80, 80, 80};
  double figure = 7;
  float score = 7;
  size_t size = 7;
  char text[8] = "x";
  liveness_model_t* none[1] = {NULL};

  CHECK_FAILS(liveness_model_load(NULL, NULL, &model), INVALID, "path is NULL");
  CHECK_FAILS(liveness_model_load("x", NULL, NULL), INVALID, "model is NULL");
  CHECK_FAILS(liveness_model_load_memory(NULL, 10, NULL, &model), INVALID, "package is NULL");
  CHECK_FAILS(liveness_model_load_memory("x", 1, NULL, NULL), INVALID, "model is NULL");
  liveness_model_info_init(&info, sizeof info);
  CHECK_FAILS(liveness_model_info(NULL, &info), INVALID, "model is NULL");
  CHECK_FAILS(liveness_model_info(pad, NULL), INVALID, "info is NULL");
  CHECK_FAILS(liveness_model_describe(NULL, NULL, 0, &size), INVALID, "model is NULL");
  CHECK_FAILS(liveness_model_describe(pad, NULL, 0, NULL), INVALID, "size is NULL");
  CHECK_FAILS(liveness_model_describe(pad, NULL, 10, &size), INVALID, "text is NULL");
  CHECK_FAILS(liveness_model_describe(pad, text, sizeof text, &size), LIVENESS_STATUS_BUFFER_TOO_SMALL, "8 bytes");
  CHECK_FAILS(liveness_model_describe(pad, text, 0, &size), LIVENESS_STATUS_BUFFER_TOO_SMALL, "0 bytes");
  CHECK(size == 7 && strcmp(text, "x") == 0);
  CHECK_FAILS(liveness_model_verify(NULL, &score), INVALID, "model is NULL");
  CHECK_FAILS(liveness_model_output_size(NULL, 0, &size), INVALID, "model is NULL");
  CHECK_FAILS(liveness_model_output_size(pad, 0, NULL), INVALID, "values is NULL");
  CHECK_FAILS(liveness_model_output_size(pad, 1, &size), INVALID, "index is 1");
  CHECK_FAILS(liveness_model_run(NULL, values, 1, outputs, counts, 1, 1, 1), INVALID, "model is NULL");
  CHECK_FAILS(liveness_model_run(pad, NULL, 192, outputs, counts, 1, 1, 1), INVALID, "input is NULL");
  CHECK_FAILS(liveness_model_run(pad, values, 192, NULL, counts, 1, 1, 1), INVALID, "outputs is NULL");
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, NULL, 1, 1, 1), INVALID, "output_counts is NULL");
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, counts, 1, 1, 1), INVALID, "outputs[0] is NULL");
  CHECK_FAILS(liveness_convert(NULL, "c", "p", 0), INVALID, "onnx is NULL");
  CHECK_FAILS(liveness_convert("o", NULL, "p", 0), INVALID, "contract is NULL");
  CHECK_FAILS(liveness_convert("o", "c", NULL, 0), INVALID, "package is NULL");

  CHECK_FAILS(liveness_detector_create(NULL, NULL, &d), INVALID, "model is NULL");
  CHECK_FAILS(liveness_detector_create(detector_model, NULL, NULL), INVALID, "detector is NULL");
  CHECK_FAILS(liveness_detector_detect(NULL, &image, NULL, 0, &size), INVALID, "detector is NULL");
  CHECK_FAILS(liveness_detector_detect(detector, NULL, NULL, 0, &size), INVALID, "image is NULL");
  CHECK_FAILS(liveness_detector_detect(detector, &image, NULL, 0, NULL), INVALID, "count is NULL");
  CHECK_FAILS(liveness_detector_detect(detector, &image, NULL, 1, &size), INVALID, "faces is NULL");
  CHECK_FAILS(liveness_detector_detect(detector, &image, faces, 1, &size), INVALID, "faces[0] is NULL");

  CHECK_FAILS(liveness_predictor_create(NULL, 1, NULL, &p), INVALID, "models is NULL");
  CHECK_FAILS(liveness_predictor_create(none, 1, NULL, &p), INVALID, "models[0] is NULL");
  CHECK_FAILS(liveness_predictor_create(&pad, 0, NULL, &p), INVALID, "count is 0");
  CHECK_FAILS(liveness_predictor_create(&pad, 1, NULL, NULL), INVALID, "predictor is NULL");
  CHECK_FAILS(liveness_predictor_predict(NULL, &image, NULL, result), INVALID, "predictor is NULL");
  CHECK_FAILS(liveness_predictor_predict(predictor, NULL, NULL, result), INVALID, "image is NULL");
  CHECK_FAILS(liveness_predictor_predict(predictor, &image, NULL, NULL), INVALID, "result is NULL");
  CHECK_FAILS(liveness_predictor_predict_batch(NULL, images, NULL, 1, 1, results), INVALID, "predictor is NULL");
  CHECK_FAILS(liveness_predictor_predict_batch(predictor, NULL, NULL, 1, 1, results), INVALID, "images is NULL");
  CHECK_FAILS(liveness_predictor_predict_batch(predictor, images, NULL, 1, 1, NULL), INVALID, "results is NULL");
  CHECK_FAILS(liveness_predictor_predict_batch(predictor, images, NULL, 1, 1, results), INVALID, "images[0] is NULL");
  images[0] = &image;
  CHECK_FAILS(liveness_predictor_predict_batch(predictor, images, NULL, 1, 1, results), INVALID, "results[0] is NULL");
  results[0] = result;
  CHECK_FAILS(liveness_predictor_predict_batch(predictor, images, NULL, 1, -1, results), INVALID, "threads");
  CHECK_FAILS(liveness_predictor_predict_batch(predictor, images, NULL, 1, -1, results), INVALID, "threads");

  CHECK_FAILS(liveness_result_create(NULL), INVALID, "result is NULL");
  liveness_summary_init(&summary, sizeof summary);
  liveness_face_result_init(&face, sizeof face);
  CHECK_FAILS(liveness_result_summary(NULL, &summary), INVALID, "result is NULL");
  CHECK_FAILS(liveness_result_summary(result, &summary), LIVENESS_STATUS_INVALID_STATE, "nothing was predicted");
  CHECK_FAILS(liveness_result_face(NULL, 0, &face), INVALID, "result is NULL");
  CHECK_FAILS(liveness_result_face(result, 0, &face), LIVENESS_STATUS_INVALID_STATE, "nothing was predicted");
  CHECK_FAILS(liveness_result_member(result, 0, 0, &score, &score), LIVENESS_STATUS_INVALID_STATE,
              "nothing was predicted");
  CHECK_FAILS(liveness_result_model(result, text, sizeof text, &size), LIVENESS_STATUS_INVALID_STATE,
              "nothing was predicted");
  CHECK(summary.verdict == LIVENESS_VERDICT_UNCERTAIN && score == 7);
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));
  CHECK_FAILS(liveness_result_summary(result, NULL), INVALID, "summary is NULL");
  CHECK_FAILS(liveness_result_face(result, 0, NULL), INVALID, "face is NULL");
  CHECK_FAILS(liveness_result_face(result, 1, &face), INVALID, "index is 1");
  CHECK_FAILS(liveness_result_member(result, 0, 1, &score, NULL), INVALID, "member is 1");
  CHECK_FAILS(liveness_result_member(result, UINT_MAX, 0, &score, NULL), INVALID, "index is");
  CHECK(score == 7);

  CHECK_FAILS(liveness_profiler_create(NULL), INVALID, "profiler is NULL");
  CHECK_FAILS(liveness_profiler_get(NULL, "frames", &figure), INVALID, "profiler is NULL");
  CHECK_FAILS(liveness_profiler_get(profiler, NULL, &figure), INVALID, "key is NULL");
  CHECK_FAILS(liveness_profiler_get(profiler, "frames", NULL), INVALID, "value is NULL");
  CHECK_FAILS(liveness_profiler_get(profiler, "warp.p99_ms", &figure), LIVENESS_STATUS_NOT_FOUND, "warp.p99_ms");
  CHECK_FAILS(liveness_profiler_json(NULL, NULL, 0, &size), INVALID, "profiler is NULL");
  CHECK_FAILS(liveness_profiler_reset(NULL), INVALID, "profiler is NULL");
  CHECK(figure == 7);

  CHECK_FAILS(liveness_roi_create(NULL, 1, NULL, &r), INVALID, "models is NULL");
  CHECK_FAILS(liveness_roi_create(&pad, 0, NULL, &r), INVALID, "count is 0");
  CHECK_FAILS(liveness_roi_create(&pad, 1, NULL, NULL), INVALID, "roi is NULL");
  CHECK_FAILS(liveness_roi_create(&detector_model, 1, NULL, &r), INVALID, "no crop rule");
  CHECK_FAILS(liveness_roi_create(&pad, 1, "nobody", &r), LIVENESS_STATUS_UNSUPPORTED, "nobody");
  CHECK_FAILS(liveness_roi_extract(NULL, &image, &box, outputs, counts, NULL, 1), INVALID, "roi is NULL");
  CHECK_FAILS(liveness_roi_extract(roi, NULL, &box, outputs, counts, NULL, 1), INVALID, "image is NULL");
  CHECK_FAILS(liveness_roi_extract(roi, &image, NULL, outputs, counts, NULL, 1), INVALID, "face is NULL");
  CHECK_FAILS(liveness_roi_extract(roi, &image, &box, NULL, counts, NULL, 1), INVALID, "outputs is NULL");
  CHECK_FAILS(liveness_roi_extract(roi, &image, &box, outputs, counts, NULL, 1), INVALID, "outputs[0] is NULL");
  outputs[0] = values;
  CHECK_FAILS(liveness_roi_extract(roi, &image, &box, outputs, NULL, NULL, 1), INVALID, "output_counts is NULL");
  CHECK_FAILS(liveness_roi_extract(roi, &image, &box, outputs, counts, NULL, 2), INVALID, "count is 2");
  liveness_crop_init(&crop, sizeof crop);
  {
    liveness_crop_t* crops[1] = {NULL};
    const size_t few[1] = {191};
    CHECK_FAILS(liveness_roi_extract(roi, &image, &box, outputs, counts, crops, 1), INVALID, "crops[0] is NULL");
    CHECK_FAILS(liveness_roi_extract(roi, &image, &box, outputs, few, NULL, 1), INVALID, "output_counts[0] is 191");
  }

  CHECK(model == NULL && d == NULL && p == NULL && r == NULL);
  liveness_model_destroy(NULL);
  liveness_detector_destroy(NULL);
  liveness_predictor_destroy(NULL);
  liveness_result_destroy(NULL);
  liveness_profiler_destroy(NULL);
  liveness_roi_destroy(NULL);
  liveness_image_init(NULL, sizeof image, scene, 1, 1, 0);
  liveness_face_init(NULL, sizeof(liveness_face_t));
  liveness_model_options_init(NULL, sizeof(liveness_model_options_t));
  liveness_model_info_init(NULL, sizeof info);
  liveness_detector_options_init(NULL, sizeof(liveness_detector_options_t));
  liveness_quality_limits_init(NULL, sizeof(liveness_quality_limits_t));
  liveness_predictor_options_init(NULL, sizeof(liveness_predictor_options_t));
  liveness_face_result_init(NULL, sizeof face);
  liveness_crop_init(NULL, sizeof crop);
}

/* A picture that cannot be read is refused, and the result keeps what it had. */
static void expect_bad_image(const liveness_image_t* bad, const char* text) {
  const liveness_image_t* images[2];
  liveness_result_t* results[2] = {NULL, NULL};
  liveness_summary_t before, after;
  liveness_face_t face, *faces[1];
  size_t count = 99;
  liveness_summary_init(&before, sizeof before);
  liveness_summary_init(&after, sizeof after);
  liveness_face_init(&face, sizeof face);
  face.box.x = face.box.y = face.box.width = face.box.height = kCell;
  faces[0] = &face;
  REQUIRE_OK(liveness_result_summary(result, &before));
  CHECK_FAILS(liveness_predictor_predict(predictor, bad, NULL, result), INVALID, text);
  CHECK_FAILS(liveness_predictor_predict(blind, bad, &face, result), INVALID, text);
  REQUIRE_OK(liveness_result_summary(result, &after));
  CHECK(memcmp(&before, &after, sizeof before) == 0);
  CHECK_FAILS(liveness_detector_detect(detector, bad, faces, 1, &count), INVALID, text);
  CHECK(count == 99);
  if (bad->format < 0 || bad->format > LIVENESS_PIXEL_FORMAT_NV21) return;
  /* In a batch it costs its own result only. */
  images[0] = bad;
  images[1] = &image;
  REQUIRE_OK(liveness_result_create(&results[0]));
  REQUIRE_OK(liveness_result_create(&results[1]));
  REQUIRE_OK(liveness_predictor_predict_batch(predictor, images, NULL, 2, 1, results));
  CHECK_FAILS(liveness_result_summary(results[0], &after), INVALID, text);
  REQUIRE_OK(liveness_result_summary(results[1], &after));
  CHECK(after.verdict == LIVENESS_VERDICT_LIVE);
  liveness_result_destroy(results[0]);
  liveness_result_destroy(results[1]);
}

static void bad_images(void) {
  liveness_image_t bad = image;
  bad.data = NULL;
  expect_bad_image(&bad, "null");
  bad = image;
  bad.width = 0;
  expect_bad_image(&bad, "size");
  bad.width = -5;
  expect_bad_image(&bad, "size");
  bad = image;
  bad.height = 0;
  expect_bad_image(&bad, "size");
  bad.height = INT_MIN;
  expect_bad_image(&bad, "size");
  bad = image;
  bad.stride = kSide * 3 - 1;
  expect_bad_image(&bad, "stride");
  bad.stride = 0;
  expect_bad_image(&bad, "stride");
  bad.stride = -kSide * 3;
  expect_bad_image(&bad, "stride");
  bad = image;
  bad.format = 7;
  expect_bad_image(&bad, "format");
  bad.format = -1;
  expect_bad_image(&bad, "format");
  bad.format = INT_MAX;
  expect_bad_image(&bad, "format");
}

static void bad_boxes(void) {
  static const float kBad[][4] = {{80, 80, 0, 80}, {80, 80, 80, -1}, {400, 80, 80, 80}, {80, -200, 80, 80}};
  const float nan_value = (float)NAN, inf_value = (float)INFINITY;
  const size_t counts[1] = {3 * 8 * 8};
  float values[3 * 8 * 8];
  float* outputs[1];
  liveness_face_t face;
  size_t i, field;
  outputs[0] = values;
  values[0] = 7;
  for (i = 0; i < sizeof kBad / sizeof *kBad; ++i) {
    liveness_face_init(&face, sizeof face);
    memcpy(&face.box, kBad[i], sizeof face.box);
    CHECK_FAILS(liveness_predictor_predict(blind, &image, &face, result), INVALID, "box");
    CHECK_FAILS(liveness_roi_extract(roi, &image, &face.box, outputs, counts, NULL, 1), INVALID, "box");
  }
  for (field = 0; field < 4; ++field) {
    float box[4] = {80, 80, 80, 80};
    for (i = 0; i < 3; ++i) {
      box[field] = i == 0 ? nan_value : i == 1 ? inf_value : -inf_value;
      liveness_face_init(&face, sizeof face);
      memcpy(&face.box, box, sizeof face.box);
      CHECK_FAILS(liveness_predictor_predict(blind, &image, &face, result), INVALID, "box");
      CHECK_FAILS(liveness_roi_extract(roi, &image, &face.box, outputs, counts, NULL, 1), INVALID, "box");
    }
  }
  CHECK(values[0] == 7);
  liveness_face_init(&face, sizeof face);
  CHECK_FAILS(liveness_predictor_predict(blind, &image, &face, result), INVALID, "box"); /* never set */
  face.box.x = face.box.y = face.box.width = face.box.height = kCell;
  face.has_landmarks = 1;
  face.landmarks[2].y = nan_value;
  CHECK_FAILS(liveness_predictor_predict(blind, &image, &face, result), INVALID, "landmark");
  CHECK_FAILS(liveness_predictor_predict(blind, &image, NULL, result), LIVENESS_STATUS_INVALID_STATE, "detector");
}

static void bad_options(void) {
  liveness_predictor_options_t o;
  liveness_detector_options_t d;
  liveness_model_options_t m;
  liveness_predictor_t* p = NULL;
  liveness_detector_t* found = NULL;
  liveness_model_t* model = NULL;
  liveness_model_t* both[2];
  const float weights[2] = {1, -1};
  both[0] = both[1] = pad;
#define BAD_PREDICTOR(change, status, text)      \
  liveness_predictor_options_init(&o, sizeof o); \
  change;                                        \
  CHECK_FAILS(liveness_predictor_create(both, 2, &o, &p), status, text)
  BAD_PREDICTOR(o.fusion = 5, INVALID, "options.fusion is 5");
  BAD_PREDICTOR(o.fusion = -1, INVALID, "options.fusion is -1");
  BAD_PREDICTOR(o.box_convention = NULL, INVALID, "options.box_convention is NULL");
  BAD_PREDICTOR(o.profile = NULL, INVALID, "options.profile is NULL");
  BAD_PREDICTOR(o.profile = "sloppy", INVALID, "sloppy");
  BAD_PREDICTOR(o.threshold = 1.5f, INVALID, "threshold");
  BAD_PREDICTOR(o.threshold = (float)NAN, INVALID, "threshold");
  BAD_PREDICTOR(o.disagreement = (float)NAN, INVALID, "disagreement");
  BAD_PREDICTOR(o.abstain = 1u << 12, INVALID, "options.abstain");
  BAD_PREDICTOR(o.stability_crops = -1, INVALID, "crops");
  BAD_PREDICTOR(o.stability_crops = INT_MAX, INVALID, "crops");
  BAD_PREDICTOR(o.reserved = 1, INVALID, "options.reserved");
  BAD_PREDICTOR((o.fusion = LIVENESS_FUSION_WEIGHTED, o.weights = weights), INVALID, "weight");
  BAD_PREDICTOR(o.fusion = LIVENESS_FUSION_WEIGHTED, INVALID, "weight");
  BAD_PREDICTOR(o.detector = pad, INVALID, "detector");
  BAD_PREDICTOR(o.box_convention = "nobody", LIVENESS_STATUS_UNSUPPORTED, "nobody");
  both[1] = detector_model;
  BAD_PREDICTOR((void)0, INVALID, "tiny_detector");
  CHECK(p == NULL);

#define BAD_DETECTOR(change, text)              \
  liveness_detector_options_init(&d, sizeof d); \
  change;                                       \
  CHECK_FAILS(liveness_detector_create(detector_model, &d, &found), INVALID, text)
  BAD_DETECTOR(d.max_faces = 0, "max_faces");
  BAD_DETECTOR(d.score_threshold = 2, "score_threshold");
  BAD_DETECTOR(d.nms_iou = (float)NAN, "nms_iou");
  BAD_DETECTOR(d.min_face = -1, "min_face");
  CHECK_FAILS(liveness_detector_create(pad, NULL, &found), INVALID, "tiny_pad");
  CHECK(found == NULL);

  liveness_model_options_init(&m, sizeof m);
  m.isa = 5;
  CHECK_FAILS(liveness_model_load("x", &m, &model), INVALID, "options.isa is 5");
  m.isa = 0;
  m.reserved = 1;
  CHECK_FAILS(liveness_model_load("x", &m, &model), INVALID, "options.reserved");
#define BAD_MODEL(change, status, text)      \
  liveness_model_options_init(&m, sizeof m); \
  change;                                    \
  CHECK_FAILS(liveness_model_load(LIVENESS_TINY "/pad.safetensors", &m, &model), status, text)
  BAD_MODEL(m.reserved2 = 1, INVALID, "options.reserved2");
  BAD_MODEL(m.precision = 5, INVALID, "options.precision is 5");
  BAD_MODEL(m.precision = -1, INVALID, "options.precision is -1");
  BAD_MODEL(m.backend = 3, INVALID, "options.backend is 3");
  BAD_MODEL(m.device = "gpu", INVALID, "gpu");
  BAD_MODEL((m.precision = LIVENESS_PRECISION_FP16, m.backend = LIVENESS_BACKEND_NATIVE), LIVENESS_STATUS_UNSUPPORTED,
            "fp16");
  BAD_MODEL((m.device = "cuda:0", m.backend = LIVENESS_BACKEND_NATIVE), LIVENESS_STATUS_UNSUPPORTED, "cuda:0");
  CHECK_FAILS(liveness_model_load(LIVENESS_TINY "/truncated.safetensors", NULL, &model), LIVENESS_STATUS_MODEL_INVALID,
              "");
  CHECK_FAILS(liveness_model_load(LIVENESS_TINY "/nothing.safetensors", NULL, &model), LIVENESS_STATUS_NOT_FOUND,
              "nothing");
  CHECK_FAILS(liveness_model_load(LIVENESS_TINY, NULL, &model), LIVENESS_STATUS_IO, LIVENESS_TINY);
  CHECK_FAILS(liveness_model_load_memory("", 0, NULL, &model), LIVENESS_STATUS_MODEL_INVALID, "");
  CHECK_FAILS(liveness_model_load_memory("garbage garbage garbage", 23, NULL, &model), LIVENESS_STATUS_MODEL_INVALID,
              "");
  CHECK_FAILS(liveness_convert("o", "c", "p", -1), INVALID, "goldens is -1");
  CHECK_FAILS(liveness_convert("o", "c", "p", 65), INVALID, "goldens is 65");
  CHECK_FAILS(liveness_convert(LIVENESS_TINY "/nothing.onnx", "c", "p", 0), LIVENESS_STATUS_NOT_FOUND, "");
  CHECK(model == NULL);
}

static void bad_runs(void) {
  float values[3 * 8 * 8 * 2] = {0};
  float scores[6];
  float* outputs[1];
  size_t counts[1] = {3};
  outputs[0] = scores;
  scores[0] = 7;
  CHECK_FAILS(liveness_model_run(pad, values, 191, outputs, counts, 1, 1, 1), INVALID, "191");
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, counts, 2, 1, 1), INVALID, "output_count is 2");
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, counts, 0, 1, 1), INVALID, "output_count is 0");
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, counts, 1, 0, 1), INVALID, "batch");
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, counts, 1, -1, 1), INVALID, "batch");
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, counts, 1, INT_MAX, 1), INVALID, "");
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, counts, 1, 1, 0), INVALID, "threads");
  counts[0] = 2;
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, counts, 1, 1, 1), INVALID, "");
  counts[0] = (size_t)-1;
  CHECK_FAILS(liveness_model_run(pad, values, 192, outputs, counts, 1, 1, 1), INVALID, "");
  CHECK(scores[0] == 7);
}

int main(void) {
  liveness_predictor_options_t options;
  pad = load("pad.safetensors");
  detector_model = load("detector.safetensors");
  scene = new_scene(190);
  liveness_image_init(&image, sizeof image, scene, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
  liveness_predictor_options_init(&options, sizeof options);
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &blind));
  options.detector = detector_model;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &predictor));
  REQUIRE_OK(liveness_detector_create(detector_model, NULL, &detector));
  REQUIRE_OK(liveness_result_create(&result));
  REQUIRE_OK(liveness_profiler_create(&profiler));
  REQUIRE_OK(liveness_roi_create(&pad, 1, NULL, &roi));
  nulls();
  bad_images();
  bad_boxes();
  bad_options();
  bad_runs();
  liveness_roi_destroy(roi);
  liveness_profiler_destroy(profiler);
  liveness_result_destroy(result);
  liveness_detector_destroy(detector);
  liveness_predictor_destroy(predictor);
  liveness_predictor_destroy(blind);
  liveness_model_destroy(detector_model);
  liveness_model_destroy(pad);
  free(scene);
  return finish();
}
