/* A configuration from a file, the environment and the program; and a predictor made from it. */
#include "tiny.h"

#define PATH "capi_config.yaml"

static void put(const char* text) {
  FILE* file = fopen(PATH, "wb");
  CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static const char* got(const liveness_config_t* config, const char* key, int where) {
  static char text[300];
  REQUIRE_OK(where ? liveness_config_where(config, key, text, sizeof text, NULL)
                   : liveness_config_get(config, key, text, sizeof text, NULL));
  return text;
}

static float score_of(const liveness_predictor_t* predictor, const uint8_t* scene) {
  liveness_image_t image;
  liveness_summary_t summary;
  liveness_result_t* result = NULL;
  liveness_image_init(&image, sizeof image, scene, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
  liveness_summary_init(&summary, sizeof summary);
  REQUIRE_OK(liveness_result_create(&result));
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));
  REQUIRE_OK(liveness_result_summary(result, &summary));
  CHECK(summary.face_count == 1);
  liveness_result_destroy(result);
  return summary.score;
}

static void same_as_by_hand(const liveness_predictor_t* configured) {
  liveness_model_t *pad = load("pad.safetensors"), *detector = load("detector.safetensors");
  liveness_predictor_t* by_hand = NULL;
  liveness_predictor_options_t options;
  uint8_t* scene = new_scene(150);
  liveness_predictor_options_init(&options, sizeof options);
  options.detector = detector;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &by_hand));
  CHECK(score_of(configured, scene) > 0 && score_of(configured, scene) == score_of(by_hand, scene));
  free(scene);
  liveness_predictor_destroy(by_hand);
  liveness_model_destroy(detector);
  liveness_model_destroy(pad);
}

int main(void) {
  liveness_config_t* config = NULL;
  liveness_verifier_t* verifier = NULL;
  liveness_predictor_t* predictor = NULL;
  liveness_governor_t* governor = NULL;
  size_t size = 0;
  uint32_t changed = 9, waiting = 9;
  char* yaml;
  put("pipeline:\n  skip: 2\n  queue: 3\n");
  REQUIRE_OK(liveness_config_load(PATH, &config));
  CHECK(strcmp(got(config, "pipeline.skip", 0), "2") == 0);
  CHECK(strcmp(got(config, "pipeline.skip", 1), PATH ":2:3") == 0);
  CHECK(strcmp(got(config, "decision.profile", 0), "\"balanced\"") == 0);
  CHECK(strcmp(got(config, "decision.profile", 1), "default") == 0);
  REQUIRE_OK(liveness_config_set(config, "decision.profile", "strict"));
  CHECK(strcmp(got(config, "decision.profile", 1), "flag") == 0);
  CHECK_FAILS(liveness_config_set(config, "pipeline.skip", "31"), LIVENESS_STATUS_CONFIG_INVALID, "not in 0..30");
  CHECK_FAILS(liveness_config_get(config, "skip", NULL, 0, &size), LIVENESS_STATUS_NOT_FOUND, "pipeline.skip");
  /* No network is named: those inside the library. */
  REQUIRE_OK(liveness_config_predictor(config, NULL, &predictor));
  REQUIRE_OK(liveness_config_verifier(config, NULL, &verifier));
  liveness_predictor_destroy(predictor);
  liveness_verifier_destroy(verifier);
  predictor = NULL;
  verifier = NULL;

  put("pipeline:\n  skip: 4\n  queue: 5\n");
  REQUIRE_OK(liveness_config_reload(config, &changed, &waiting));
  CHECK(changed == 1 && waiting == 1);
  CHECK(strcmp(got(config, "pipeline.skip", 0), "4") == 0 && strcmp(got(config, "pipeline.queue", 0), "3") == 0);
  put("pipeline:\n  skp: 4\n");
  CHECK_FAILS(liveness_config_reload(config, NULL, NULL), LIVENESS_STATUS_CONFIG_INVALID, PATH ":2:3: pipeline.skp");
  CHECK(strcmp(got(config, "pipeline.skip", 0), "4") == 0);
  REQUIRE_OK(liveness_config_yaml(config, NULL, 0, &size));
  yaml = (char*)malloc(size);
  REQUIRE_OK(liveness_config_yaml(config, yaml, size, NULL));
  CHECK(strstr(yaml, "profile: \"strict\"") != NULL);
  free(yaml);

  REQUIRE_OK(liveness_config_set(config, "models.pad", LIVENESS_TINY "/pad.safetensors"));
  REQUIRE_OK(liveness_config_set(config, "models.detector", LIVENESS_TINY "/detector.safetensors"));
  REQUIRE_OK(liveness_config_set(config, "resources.cpu", "0.25"));
  REQUIRE_OK(liveness_config_set(config, "decision.profile", "balanced"));
  REQUIRE_OK(liveness_config_predictor(config, NULL, &predictor));
  REQUIRE_OK(liveness_config_governor(config, &governor));
  same_as_by_hand(predictor);
  liveness_governor_destroy(governor);
  liveness_predictor_destroy(predictor);

  CHECK_FAILS(liveness_config_verifier(NULL, NULL, &verifier), LIVENESS_STATUS_INVALID_ARGUMENT, "config");
  REQUIRE_OK(liveness_config_verifier(config, NULL, &verifier));
  {
    liveness_pace_t pace;
    liveness_pace_init(&pace, sizeof pace);
    REQUIRE_OK(liveness_verifier_pace(verifier, &pace));
    CHECK(pace.skip == 4);
  }
  liveness_verifier_destroy(verifier);
  verifier = NULL;
  REQUIRE_OK(liveness_config_set(config, "pipeline.tracker", "csrt"));
  CHECK_FAILS(liveness_config_verifier(config, NULL, &verifier), LIVENESS_STATUS_UNSUPPORTED, "csrt");
  CHECK(verifier == NULL);
  liveness_config_destroy(config);
  liveness_config_destroy(NULL);

  config = NULL;
  CHECK_FAILS(liveness_config_load("none.yaml", &config), LIVENESS_STATUS_NOT_FOUND, "none.yaml");
  CHECK_FAILS(liveness_config_load(NULL, &config), LIVENESS_STATUS_INVALID_ARGUMENT, "path is NULL");
  CHECK(config == NULL);
  REQUIRE_OK(liveness_config_create(&config));
  CHECK_FAILS(liveness_config_reload(config, NULL, NULL), LIVENESS_STATUS_INVALID_STATE, "not read from a file");
  liveness_config_destroy(config);
  remove(PATH);
  return finish();
}
