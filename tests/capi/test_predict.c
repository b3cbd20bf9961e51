/* What the library is for, through every function: models, faces, verdicts, batches, crops, raw passes, figures. */
#include <math.h>

#include "tiny.h"

static liveness_model_t *pad, *strict, *detector_model;
static uint8_t* scene;
static liveness_image_t image;

static int near(float a, float b, float tolerance) {
  return fabsf(a - b) <= tolerance;
}

static void models(void) {
  liveness_model_info_t info;
  size_t size = 0, written = 0, values = 0;
  char* text;
  float worst = -1;
  liveness_model_info_init(&info, sizeof info);
  REQUIRE_OK(liveness_model_info(pad, &info));
  CHECK(info.task == LIVENESS_TASK_PAD && info.width == 8 && info.height == 8 && info.channels == 3);
  CHECK(info.output_count == 1 && info.node_count == 3 && info.parameters == 12 && info.macs > 0);
  CHECK(info.isa >= LIVENESS_ISA_PORTABLE && info.isa <= LIVENESS_ISA_AMX);
  CHECK(info.weight_bytes > 0 && info.workspace_bytes > 0);
  REQUIRE_OK(liveness_model_info(detector_model, &info));
  CHECK(info.task == LIVENESS_TASK_DETECTOR && info.output_count == 4);
  REQUIRE_OK(liveness_model_output_size(detector_model, 3, &values));
  CHECK(values == 160); /* 16 cells x 5 points x 2 */

  REQUIRE_OK(liveness_model_describe(pad, NULL, 0, &size));
  text = malloc(size);
  REQUIRE_OK(liveness_model_describe(pad, text, size, &written));
  CHECK(written == size && strlen(text) + 1 == size);
  CHECK(strstr(text, "\"contract\"") && strstr(text, "\"tiny_pad\"") && strstr(text, "\"identity\""));
  CHECK(strstr(text, "\"profiles\"") && strstr(text, "\"nodes\"") && strstr(text, "\"linear\""));
  REQUIRE_OK(liveness_model_describe(pad, text, size, NULL));
  free(text);

  REQUIRE_OK(liveness_model_verify(pad, &worst));
  CHECK(worst == 0); /* made by hand, without golden inputs */
  REQUIRE_OK(liveness_model_verify(pad, NULL));
}

static void from_memory_on_every_isa(void) {
  FILE* file = fopen(LIVENESS_TINY "/pad.safetensors", "rb");
  uint8_t* bytes = malloc(1 << 20);
  float values[3 * 8 * 8], expected[3], scores[3];
  float* outputs[1];
  const size_t counts[1] = {3};
  size_t size, i;
  int32_t isa;
  liveness_model_options_t options;
  CHECK(file != NULL && bytes != NULL);
  if (file == NULL || bytes == NULL) return;
  size = fread(bytes, 1, 1 << 20, file);
  fclose(file);
  for (i = 0; i < sizeof values / sizeof *values; ++i) values[i] = (float)(i % 200);
  outputs[0] = expected;
  REQUIRE_OK(liveness_model_run(pad, values, 192, outputs, counts, 1, 1, 1));
  outputs[0] = scores;
  liveness_model_options_init(&options, sizeof options);
  options.verify = 0;
  for (isa = LIVENESS_ISA_PORTABLE; isa <= LIVENESS_ISA_AMX; ++isa) {
    liveness_model_t* model = NULL;
    liveness_model_info_t info;
    liveness_status_t status;
    options.isa = isa;
    status = liveness_model_load_memory(bytes, size, &options, &model);
    if (status == LIVENESS_STATUS_UNSUPPORTED && isa != LIVENESS_ISA_PORTABLE) continue; /* not on this machine */
    REQUIRE_OK(status);
    liveness_model_info_init(&info, sizeof info);
    REQUIRE_OK(liveness_model_info(model, &info));
    CHECK(info.isa == isa);
    REQUIRE_OK(liveness_model_run(model, values, 192, outputs, counts, 1, 1, 1));
    for (i = 0; i < 3; ++i) CHECK(near(scores[i], expected[i], 1e-4f));
    liveness_model_destroy(model);
  }
  free(bytes);
}

static void raw_pass(void) {
  enum { kBatch = 3, kInput = 3 * 8 * 8 };
  float values[kBatch * kInput], all[kBatch * 3], one[3];
  float* outputs[1];
  size_t counts[1] = {kBatch * 3};
  int i, b;
  for (b = 0; b < kBatch; ++b)
    for (i = 0; i < kInput; ++i) values[b * kInput + i] = (float)((i * 7 + b * 31) % 256);
  outputs[0] = all;
  REQUIRE_OK(liveness_model_run(pad, values, kBatch * kInput, outputs, counts, 1, kBatch, 2));
  outputs[0] = one;
  counts[0] = 3;
  for (b = 0; b < kBatch; ++b) {
    REQUIRE_OK(liveness_model_run(pad, values + b * kInput, kInput, outputs, counts, 1, 1, 1));
    CHECK(memcmp(one, all + b * 3, sizeof one) == 0); /* neither batch nor threads change a bit */
  }
}

static void faces(void) {
  liveness_detector_t* detector = NULL;
  liveness_detector_options_t options;
  liveness_face_t face[3], *pointers[3];
  size_t count = 0, i;
  add_face(scene, 3, 0, 60);
  for (i = 0; i < 3; ++i) {
    liveness_face_init(&face[i], sizeof face[i]);
    pointers[i] = &face[i];
  }
  REQUIRE_OK(liveness_detector_create(detector_model, NULL, &detector));
  REQUIRE_OK(liveness_detector_detect(detector, &image, pointers, 3, &count));
  CHECK(count == 2);
  for (i = 0; i < 2; ++i) {
    CHECK(near(face[i].box.width, kCell, 2) && near(face[i].box.height, kCell, 2));
    CHECK(near(face[i].box.x, face[i].box.x > 200 ? 240.0f : 80.0f, 2));
    CHECK(face[i].score > 0.9f && face[i].has_landmarks == 1);
    CHECK(face[i].landmarks[2].x > face[i].box.x && face[i].landmarks[2].x < face[i].box.x + face[i].box.width);
  }
  CHECK(face[2].box.width == 0);
  REQUIRE_OK(liveness_detector_detect(detector, &image, pointers, 1, &count)); /* room for one */
  CHECK(count == 1);
  REQUIRE_OK(liveness_detector_detect(detector, &image, NULL, 0, &count));
  CHECK(count == 0);
  liveness_detector_destroy(detector);
  detector = NULL;

  liveness_detector_options_init(&options, sizeof options);
  CHECK(options.max_faces == 16 && options.score_threshold == -1 && options.nms_iou == -1 && options.min_face == 0);
  options.min_face = 100;
  REQUIRE_OK(liveness_detector_create(detector_model, &options, &detector));
  REQUIRE_OK(liveness_detector_detect(detector, &image, pointers, 3, &count));
  CHECK(count == 0);
  liveness_detector_destroy(detector);
  memset(scene, 0, kSceneBytes);
  add_face(scene, 1, 1, 190);
}

static void one_model(void) {
  liveness_predictor_options_t options;
  liveness_predictor_t* predictor = NULL;
  liveness_result_t* result = NULL;
  liveness_profiler_t* profiler = NULL;
  liveness_summary_t summary;
  liveness_face_result_t face;
  liveness_face_t given;
  float score = 0, logit = 0;
  double figure = -1;
  char text[512];
  size_t size = 0;

  REQUIRE_OK(liveness_profiler_create(&profiler));
  REQUIRE_OK(liveness_result_create(&result));
  liveness_predictor_options_init(&options, sizeof options);
  CHECK(strcmp(options.profile, "balanced") == 0 && strcmp(options.box_convention, "yunet") == 0);
  CHECK((options.abstain & LIVENESS_REASON_AT_BORDER) == 0 && (options.abstain & LIVENESS_REASON_DARK) != 0);
  options.detector = detector_model;
  options.profiler = profiler;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &predictor));
  liveness_summary_init(&summary, sizeof summary);
  liveness_face_result_init(&face, sizeof face);

  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));
  REQUIRE_OK(liveness_result_summary(result, &summary));
  CHECK(summary.verdict == LIVENESS_VERDICT_LIVE && summary.face_count == 1 && summary.reasons == 0);
  CHECK(summary.score > 0.95f && near(summary.logit, logf(summary.score / (1 - summary.score)), 0.05f));
  CHECK(summary.threshold == 0.5f);
  CHECK(summary.total_ms > 0 && summary.detect_ms > 0 && summary.infer_ms > 0 && summary.roi_ms > 0);
  CHECK(summary.total_ms >= summary.infer_ms);
  REQUIRE_OK(liveness_result_face(result, 0, &face));
  CHECK(face.verdict == LIVENESS_VERDICT_LIVE && face.score == summary.score && face.logit == summary.logit);
  CHECK(near(face.box.x, 80, 2) && near(face.box.width, 80, 2) && face.detection > 0.9f && face.has_landmarks == 1);
  CHECK(face.member_count == 1 && near(face.face_pixels, 80, 2) && face.sharpness > 15 && face.luminance > 40);
  CHECK(face.overexposed == 0 && face.underexposed < 0.1f);
  REQUIRE_OK(liveness_result_member(result, 0, 0, &score, &logit));
  CHECK(score == face.score && logit == face.logit);
  REQUIRE_OK(liveness_result_member(result, 0, 0, NULL, NULL));
  REQUIRE_OK(liveness_result_model(result, text, sizeof text, &size));
  CHECK(strcmp(text, "tiny_pad") == 0 && size == 9);

  /* The handles that went in are not needed any more, and a box may be given. */
  liveness_face_init(&given, sizeof given);
  given.box = face.box;
  memset(scene, 0, kSceneBytes);
  add_face(scene, 1, 1, 60);
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, &given, result));
  REQUIRE_OK(liveness_result_summary(result, &summary));
  CHECK(summary.verdict == LIVENESS_VERDICT_SPOOF && summary.score < 0.1f && summary.detect_ms == 0);
  REQUIRE_OK(liveness_result_face(result, 0, &face));
  CHECK(face.has_landmarks == 0 && face.detection == 1);

  memset(scene, 0, kSceneBytes);
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));
  REQUIRE_OK(liveness_result_summary(result, &summary));
  CHECK(summary.verdict == LIVENESS_VERDICT_NO_FACE && summary.face_count == 0 && summary.score == 0);
  CHECK_FAILS(liveness_result_face(result, 0, &face), LIVENESS_STATUS_INVALID_ARGUMENT, "0 faces");

  REQUIRE_OK(liveness_profiler_get(profiler, "frames", &figure));
  CHECK(figure == 3);
  REQUIRE_OK(liveness_profiler_get(profiler, "no_face", &figure));
  CHECK(figure == 1);
  REQUIRE_OK(liveness_profiler_get(profiler, "infer.p99_ms", &figure));
  CHECK(figure > 0);
  REQUIRE_OK(liveness_profiler_json(profiler, NULL, 0, &size));
  CHECK(size > 20);
  {
    char* json = malloc(size);
    REQUIRE_OK(liveness_profiler_json(profiler, json, size, NULL));
    CHECK(strstr(json, "\"infer\"") != NULL && json[strlen(json) - 1] == '}');
    free(json);
  }
  REQUIRE_OK(liveness_profiler_reset(profiler));
  REQUIRE_OK(liveness_profiler_get(profiler, "frames", &figure));
  CHECK(figure == 0);
  liveness_profiler_destroy(profiler); /* before the predictor that records into it */
  add_face(scene, 1, 1, 190);
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));
  liveness_result_destroy(result);
  liveness_predictor_destroy(predictor);
}

static void two_models(void) {
  liveness_predictor_options_t options;
  liveness_quality_limits_t limits;
  liveness_predictor_t* predictor = NULL;
  liveness_result_t* result = NULL;
  liveness_summary_t summary;
  liveness_face_result_t face;
  liveness_model_t* both[2];
  const float weights[2] = {3, 1};
  float a = 0, b = 0;
  char text[64];
  both[0] = pad;
  both[1] = strict;
  REQUIRE_OK(liveness_result_create(&result));
  liveness_summary_init(&summary, sizeof summary);
  liveness_face_result_init(&face, sizeof face);
  liveness_predictor_options_init(&options, sizeof options);
  options.detector = detector_model;
  options.fusion = LIVENESS_FUSION_WEIGHTED;
  options.weights = weights;
  liveness_quality_limits_init(&limits, sizeof limits);
  CHECK(limits.min_face_pixels == 48 && limits.min_sharpness == 15 && limits.min_luminance == 40);
  CHECK(limits.max_overexposed == 0.25f && limits.max_outside == 0.35f && limits.max_yaw == 40 &&
        limits.max_pitch == 35);
  limits.min_face_pixels = 100; /* so that this face of 80 pixels is too small */
  options.limits = &limits;
  REQUIRE_OK(liveness_predictor_create(both, 2, &options, &predictor));
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));
  REQUIRE_OK(liveness_result_summary(result, &summary));
  REQUIRE_OK(liveness_result_face(result, 0, &face));
  CHECK(face.member_count == 2);
  REQUIRE_OK(liveness_result_member(result, 0, 0, &a, NULL));
  REQUIRE_OK(liveness_result_member(result, 0, 1, &b, NULL));
  CHECK(a > b);
  CHECK(near(summary.score, (3 * a + b) / 4, 1e-6f));
  CHECK(summary.verdict == LIVENESS_VERDICT_UNCERTAIN && (summary.reasons & LIVENESS_REASON_TOO_SMALL) != 0);
  REQUIRE_OK(liveness_result_model(result, text, sizeof text, NULL));
  CHECK(strcmp(text, "tiny_pad+tiny_strict") == 0);
  liveness_predictor_destroy(predictor);
  liveness_result_destroy(result);
}

static void batch(void) {
  enum { kCount = 5 };
  liveness_predictor_options_t options;
  liveness_predictor_t* predictor = NULL;
  liveness_result_t *results[kCount], *single = NULL;
  const liveness_image_t* images[kCount];
  liveness_image_t views[kCount];
  liveness_rect_t boxes[kCount];
  uint8_t* pixels[kCount];
  liveness_summary_t one, many;
  int i;
  liveness_predictor_options_init(&options, sizeof options);
  options.detector = detector_model;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &predictor));
  REQUIRE_OK(liveness_result_create(&single));
  for (i = 0; i < kCount; ++i) {
    const liveness_rect_t box = {80, 80, 80, 80};
    pixels[i] = new_scene(40 + 40 * i);
    liveness_image_init(&views[i], sizeof views[i], pixels[i], kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
    images[i] = &views[i];
    boxes[i] = box;
    REQUIRE_OK(liveness_result_create(&results[i]));
  }
  boxes[3].width = -1; /* this one fails, the others do not */
  liveness_summary_init(&one, sizeof one);
  liveness_summary_init(&many, sizeof many);
  REQUIRE_OK(liveness_predictor_predict_batch(predictor, images, NULL, kCount, 2, results));
  for (i = 0; i < kCount; ++i) {
    REQUIRE_OK(liveness_predictor_predict(predictor, images[i], NULL, single));
    REQUIRE_OK(liveness_result_summary(single, &one));
    REQUIRE_OK(liveness_result_summary(results[i], &many));
    CHECK(one.verdict == many.verdict && one.score == many.score && one.reasons == many.reasons);
  }
  REQUIRE_OK(liveness_predictor_predict_batch(predictor, images, boxes, kCount, 3, results));
  for (i = 0; i < kCount; ++i) {
    if (i == 3) {
      CHECK_FAILS(liveness_result_summary(results[i], &many), LIVENESS_STATUS_INVALID_ARGUMENT, "box");
    } else {
      REQUIRE_OK(liveness_result_summary(results[i], &many));
      CHECK(many.face_count == 1);
    }
  }
  REQUIRE_OK(liveness_predictor_predict_batch(predictor, NULL, NULL, 0, 1, NULL));
  for (i = 0; i < kCount; ++i) {
    liveness_result_destroy(results[i]);
    free(pixels[i]);
  }
  liveness_result_destroy(single);
  liveness_predictor_destroy(predictor);
}

/* Crop, run and softmax by hand give the score that the predictor gives. */
static void roi(void) {
  liveness_model_t* both[2];
  liveness_roi_t* processor = NULL;
  float first[3 * 8 * 8], second[3 * 12 * 12], scores[3];
  float* outputs[2];
  const size_t counts[2] = {3 * 8 * 8, 3 * 12 * 12}, score_counts[1] = {3};
  float* score_outputs[1];
  liveness_crop_t crop[2], *crops[2];
  const liveness_rect_t box = {80, 80, 80, 80};
  liveness_predictor_t* predictor = NULL;
  liveness_result_t* result = NULL;
  liveness_summary_t summary;
  liveness_face_t face;
  float sum = 0;
  int i;
  both[0] = pad;
  both[1] = strict;
  outputs[0] = first;
  outputs[1] = second;
  score_outputs[0] = scores;
  for (i = 0; i < 2; ++i) {
    liveness_crop_init(&crop[i], sizeof crop[i]);
    crops[i] = &crop[i];
  }
  REQUIRE_OK(liveness_roi_create(both, 2, "yunet", &processor));
  REQUIRE_OK(liveness_roi_extract(processor, &image, &box, outputs, counts, crops, 2));
  CHECK(near(crop[0].region.width, 80, 1) && near(crop[1].region.width, 120, 1) && crop[0].outside == 0);
  REQUIRE_OK(liveness_roi_extract(processor, &image, &box, outputs, counts, NULL, 2));
  REQUIRE_OK(liveness_model_run(pad, first, counts[0], score_outputs, score_counts, 1, 1, 1));
  for (i = 0; i < 3; ++i) sum += expf(scores[i]);

  REQUIRE_OK(liveness_predictor_create(&pad, 1, NULL, &predictor));
  REQUIRE_OK(liveness_result_create(&result));
  liveness_face_init(&face, sizeof face);
  face.box = box;
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, &face, result));
  liveness_summary_init(&summary, sizeof summary);
  REQUIRE_OK(liveness_result_summary(result, &summary));
  CHECK(near(summary.score, expf(scores[1]) / sum, 1e-5f));
  liveness_result_destroy(result);
  liveness_predictor_destroy(predictor);
  liveness_roi_destroy(processor);
}

/* The same picture in every layout gives the same verdict. */
static void formats(void) {
  liveness_predictor_t* predictor = NULL;
  liveness_predictor_options_t options;
  liveness_result_t* result = NULL;
  liveness_image_t view;
  liveness_summary_t expected, got;
  uint8_t* copy = calloc(1, (size_t)kSide * (kSide * 4 + 32));
  static const int kOrder[4][4] = {{2, 1, 0, 3}, {0, 1, 2, 3}, {2, 1, 0, 3}, {0, 1, 2, 3}};
  static const int32_t kFormats[3] = {LIVENESS_PIXEL_FORMAT_RGB, LIVENESS_PIXEL_FORMAT_BGRA,
                                      LIVENESS_PIXEL_FORMAT_RGBA};
  int f, x, y, c;
  if (copy == NULL) exit(1);
  liveness_predictor_options_init(&options, sizeof options);
  options.detector = detector_model;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &predictor));
  REQUIRE_OK(liveness_result_create(&result));
  liveness_summary_init(&expected, sizeof expected);
  liveness_summary_init(&got, sizeof got);
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));
  REQUIRE_OK(liveness_result_summary(result, &expected));
  for (f = 0; f < 3; ++f) {
    const int bytes = f == 0 ? 3 : 4;
    const int64_t stride = kSide * bytes + 32; /* rows with a gap */
    for (y = 0; y < kSide; ++y)
      for (x = 0; x < kSide; ++x)
        for (c = 0; c < 3; ++c)
          copy[(size_t)(y * stride + x * bytes + kOrder[f][c])] =
              scene[((size_t)y * kSide + (size_t)x) * 3 + (size_t)c];
    liveness_image_init(&view, sizeof view, copy, kSide, kSide, kFormats[f]);
    CHECK(view.stride == kSide * bytes);
    view.stride = stride;
    REQUIRE_OK(liveness_predictor_predict(predictor, &view, NULL, result));
    REQUIRE_OK(liveness_result_summary(result, &got));
    CHECK(got.verdict == expected.verdict && near(got.score, expected.score, 1e-5f));
  }
  free(copy);
  liveness_result_destroy(result);
  liveness_predictor_destroy(predictor);
}

/* A predictor without any file, where the library has networks inside. */
static void builtin(void) {
  char text[4096];
  liveness_model_t* model = NULL;
  liveness_predictor_t* predictor = NULL;
  liveness_result_t* result = NULL;
  size_t size = 0;
  REQUIRE_OK(liveness_builtin_models(NULL, 0, &size));
  CHECK(size >= sizeof "[]");
  REQUIRE_OK(liveness_builtin_models(text, sizeof text, NULL));
  CHECK(strlen(text) + 1 == size);
  CHECK_FAILS(liveness_model_builtin("no such", NULL, &model), LIVENESS_STATUS_NOT_FOUND, "no such");
  CHECK_FAILS(liveness_model_builtin(NULL, NULL, &model), LIVENESS_STATUS_INVALID_ARGUMENT, "name");
  CHECK(model == NULL);
  if (strcmp(text, "[]") == 0) {
    CHECK_FAILS(liveness_predictor_create(NULL, 0, NULL, &predictor), LIVENESS_STATUS_NOT_FOUND, "LIVENESS_EMBED");
    CHECK(predictor == NULL);
    return;
  }
  CHECK(strstr(text, "\"task\":\"pad\"") != NULL);
  REQUIRE_OK(liveness_model_builtin("detector", NULL, &model));
  liveness_model_destroy(model);
  REQUIRE_OK(liveness_result_create(&result));
  REQUIRE_OK(liveness_predictor_create(NULL, 0, NULL, &predictor));
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));
  liveness_predictor_destroy(predictor);
  liveness_result_destroy(result);
}

int main(void) {
  pad = load("pad.safetensors");
  strict = load("strict.safetensors");
  detector_model = load("detector.safetensors");
  scene = new_scene(190);
  liveness_image_init(&image, sizeof image, scene, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
  models();
  from_memory_on_every_isa();
  raw_pass();
  faces();
  one_model();
  two_models();
  batch();
  roi();
  formats();
  builtin();
  liveness_model_destroy(pad);
  liveness_model_destroy(strict);
  liveness_model_destroy(detector_model);
  free(scene);
  return finish();
}
