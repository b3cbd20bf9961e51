/* Error rates and calibration through the C ABI. */
#include <math.h>

#include "tiny.h"

enum { kCount = 24 };
static double scores[kCount];
static const char* species[kCount];
static const char* subjects[kCount];
static char text[16384];

/* Two subjects a line: bona fide around +3, prints around -3, screens around 0; the last two gave no response. */
static liveness_presentations_t make(void) {
  static const char* const names[] = {"ann", "bob", "eve", "joe"};
  liveness_presentations_t p;
  int i;
  for (i = 0; i < kCount; ++i) {
    const double noise = ((i * 7) % 11 - 5) / 4.0;
    species[i] = i % 3 == 0 ? NULL : i % 3 == 1 ? "print" : "screen";
    scores[i] = (i % 3 == 0 ? 3 : i % 3 == 1 ? -3 : 0) + noise;
    subjects[i] = names[i / 3 % 4];
  }
  scores[kCount - 1] = scores[kCount - 2] = nan("");
  liveness_presentations_init(&p, sizeof p);
  p.count = kCount;
  p.scores = scores;
  p.species = species;
  p.subjects = subjects;
  return p;
}

static void intervals(void) {
  double low = 7;
  double high = 7;
  REQUIRE_OK(liveness_clopper_pearson(0, 20, 0.95, &low, &high));
  CHECK(low == 0);
  CHECK(fabs(high - 0.168433) < 1e-6);
  CHECK_FAILS(liveness_clopper_pearson(3, 2, 0.95, &low, &high), LIVENESS_STATUS_INVALID_ARGUMENT, "3 of 2");
  CHECK_FAILS(liveness_clopper_pearson(0, 2, 1, &low, &high), LIVENESS_STATUS_INVALID_ARGUMENT, "confidence");
  CHECK_FAILS(liveness_clopper_pearson(0, 2, 0.9, NULL, &high), LIVENESS_STATUS_INVALID_ARGUMENT, "low is NULL");
}

static void evaluation(void) {
  liveness_presentations_t p = make();
  liveness_evaluation_options_t options;
  const double target = 0.2;
  size_t size = 0;
  liveness_evaluation_options_init(&options, sizeof options);
  CHECK(options.confidence == 0.95 && isnan(options.live));
  REQUIRE_OK(liveness_evaluate(&p, NULL, NULL, 0, &size));
  CHECK(size > 100 && size < sizeof text);
  CHECK_FAILS(liveness_evaluate(&p, NULL, text, size - 1, NULL), LIVENESS_STATUS_BUFFER_TOO_SMALL, "text");
  REQUIRE_OK(liveness_evaluate(&p, NULL, text, size, NULL));
  CHECK(strstr(text, "\"bona_fide\": 8, \"attacks\": 16") != NULL);
  CHECK(strstr(text, "\"threshold_from_eer\": true") != NULL);

  options.live = 1.5;
  options.apcer_targets = &target;
  options.apcer_target_count = 1;
  REQUIRE_OK(liveness_evaluate(&p, &options, text, sizeof text, NULL));
  CHECK(strstr(text, "\"live\": 1.5, \"spoof\": 1.5, \"threshold_from_eer\": false") != NULL);
  CHECK(strstr(text, "\"target\": 0.2") != NULL);
  CHECK(strstr(text, "\"target\": 0.05") == NULL);
  CHECK(strstr(text, "\"bpnrr\": {\"errors\": 0, \"total\": 8") != NULL);
  options.unit = LIVENESS_UNIT_SUBJECT;
  REQUIRE_OK(liveness_evaluate(&p, &options, text, sizeof text, NULL));
  CHECK(strstr(text, "\"bona_fide\": 4, \"attacks\": 8") != NULL);

  options.unit = 3;
  CHECK_FAILS(liveness_evaluate(&p, &options, text, sizeof text, NULL), LIVENESS_STATUS_INVALID_ARGUMENT,
              "options.unit is 3");
  p.scores = NULL;
  CHECK_FAILS(liveness_evaluate(&p, NULL, text, sizeof text, NULL), LIVENESS_STATUS_INVALID_ARGUMENT,
              "presentations.scores is NULL");
  p.struct_size = 3;
  CHECK_FAILS(liveness_evaluate(&p, NULL, text, sizeof text, NULL), LIVENESS_STATUS_ABI_MISMATCH, "presentations");
  CHECK_FAILS(liveness_evaluate(NULL, NULL, text, sizeof text, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "NULL");
}

static void comparison(void) {
  const liveness_presentations_t a = make();
  liveness_presentations_t b = a;
  double better[kCount];
  liveness_comparison_options_t options;
  int i;
  for (i = 0; i < kCount; ++i) better[i] = species[i] == NULL ? 5 : -5;
  b.scores = better;
  liveness_comparison_options_init(&options, sizeof options);
  options.rounds = 100;
  REQUIRE_OK(liveness_compare(&a, &b, &options, text, sizeof text, NULL));
  CHECK(strstr(text, "\"presentations\": 24, \"only_a_right\": 0") != NULL);
  CHECK(strstr(text, "\"auc_b\": 1,") != NULL);
  b.count = kCount - 1;
  CHECK_FAILS(liveness_compare(&a, &b, NULL, text, sizeof text, NULL), LIVENESS_STATUS_INVALID_ARGUMENT,
              "24 presentations against 23");
  options.rounds = 0;
  CHECK_FAILS(liveness_compare(&a, &a, &options, text, sizeof text, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "rounds");
}

static void calibration(void) {
  const liveness_presentations_t p = make();
  liveness_model_t* pad = load("pad.safetensors");
  liveness_model_t* strict = load("strict.safetensors");
  liveness_model_t* both[2];
  liveness_calibration_options_t options;
  liveness_error_target_t target;
  const liveness_error_target_t* targets[1];
  liveness_calibration_t* made = NULL;
  liveness_calibration_t* read = NULL;
  liveness_predictor_t* predictor = NULL;
  liveness_predictor_options_t predicting;
  liveness_result_t* result = NULL;
  liveness_summary_t plain, moved;
  liveness_image_t image;
  liveness_face_t face;
  uint8_t* scene = new_scene(150);
  size_t size = 0;
  float logit = 0;
  both[0] = pad;
  both[1] = strict;

  liveness_calibration_options_init(&options, sizeof options);
  CHECK(options.method == LIVENESS_CALIBRATION_AUTO && options.folds == 5);
  REQUIRE_OK(liveness_calibration_fit(&p, &pad, 1, NULL, &made));
  REQUIRE_OK(liveness_calibration_describe(made, NULL, 0, &size));
  CHECK(size < sizeof text);
  REQUIRE_OK(liveness_calibration_describe(made, text, size, NULL));
  CHECK(strstr(text, "\"strict\": {\"live\"") != NULL);
  CHECK(strstr(text, "held_out:") != NULL);
  liveness_calibration_destroy(made);
  made = NULL;

  options.method = LIVENESS_CALIBRATION_PLATT;
  liveness_error_target_init(&target, sizeof target);
  targets[0] = &target;
  options.targets = targets;
  options.target_count = 1;
  REQUIRE_OK(liveness_calibration_fit(&p, &pad, 1, &options, &made));
  REQUIRE_OK(liveness_calibration_save(made, "calibration_test.json"));
  REQUIRE_OK(liveness_calibration_load("calibration_test.json", &read));
  REQUIRE_OK(liveness_calibration_apply(read, 2, &logit));
  CHECK(logit != 2);

  liveness_image_init(&image, sizeof image, scene, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
  liveness_face_init(&face, sizeof face);
  face.box.x = face.box.y = face.box.width = face.box.height = kCell;
  liveness_summary_init(&plain, sizeof plain);
  liveness_summary_init(&moved, sizeof moved);
  liveness_predictor_options_init(&predicting, sizeof predicting);
  CHECK(predicting.calibration == NULL);
  REQUIRE_OK(liveness_result_create(&result));
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &predicting, &predictor));
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, &face, result));
  REQUIRE_OK(liveness_result_summary(result, &plain));
  liveness_predictor_destroy(predictor);
  predicting.calibration = read;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &predicting, &predictor));
  liveness_calibration_destroy(read); /* the predictor has what it needs */
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, &face, result));
  REQUIRE_OK(liveness_result_summary(result, &moved));
  REQUIRE_OK(liveness_calibration_apply(made, plain.logit, &logit));
  CHECK(moved.logit == logit);
  CHECK(moved.threshold != plain.threshold);

  predicting.calibration = made;
  liveness_predictor_destroy(predictor);
  CHECK_FAILS(liveness_predictor_create(&strict, 1, &predicting, &predictor), LIVENESS_STATUS_INVALID_ARGUMENT,
              "made for model \"tiny_pad\"");
  CHECK_FAILS(liveness_predictor_create(both, 2, &predicting, &predictor), LIVENESS_STATUS_INVALID_ARGUMENT,
              "made for 1 models");
  CHECK_FAILS(liveness_calibration_apply(made, nanf(""), &logit), LIVENESS_STATUS_INVALID_ARGUMENT, "NaN");
  CHECK_FAILS(liveness_calibration_load("missing.yaml", &read), LIVENESS_STATUS_NOT_FOUND, "missing.yaml");
  target.profile = "strict";
  CHECK_FAILS(liveness_calibration_fit(&p, &pad, 1, &options, &read), LIVENESS_STATUS_INVALID_ARGUMENT, "balanced");
  target.kind = 9;
  CHECK_FAILS(liveness_calibration_fit(&p, &pad, 1, &options, &read), LIVENESS_STATUS_INVALID_ARGUMENT,
              "options.targets[0].kind is 9");
  options.target_count = 0;
  options.fusion = LIVENESS_FUSION_WEIGHTED;
  CHECK_FAILS(liveness_calibration_fit(&p, both, 2, &options, &read), LIVENESS_STATUS_INVALID_ARGUMENT,
              "options.weights is NULL");
  CHECK_FAILS(liveness_calibration_fit(&p, &pad, 0, NULL, &read), LIVENESS_STATUS_INVALID_ARGUMENT, "count is 0");

  liveness_calibration_destroy(NULL);
  liveness_calibration_destroy(made);
  liveness_result_destroy(result);
  liveness_model_destroy(strict);
  liveness_model_destroy(pad);
  free(scene);
  remove("calibration_test.json");
}

int main(void) {
  intervals();
  evaluation();
  comparison();
  calibration();
  return finish();
}
