/* Programs compiled with another header than the library's: structs that are shorter or longer than the library knows.
 */
#include "tiny.h"

/* The options as a header had them that knew nothing after the detector. */
typedef struct old_predictor_options_t {
  uint32_t struct_size;
  int32_t fusion;
  const liveness_model_t* detector;
} old_predictor_options_t;

/* The summary as a header had it that ended with the score. */
typedef struct old_summary_t {
  uint32_t struct_size;
  int32_t verdict;
  float score;
  uint32_t guard; /* not the library's: it must stay as it is */
} old_summary_t;

/* What a later header may have. */
typedef struct new_predictor_options_t {
  liveness_predictor_options_t known;
  uint64_t later[4];
} new_predictor_options_t;

typedef struct new_summary_t {
  liveness_summary_t known;
  uint64_t later[4];
} new_summary_t;

typedef struct new_image_t {
  liveness_image_t known;
  uint64_t later;
} new_image_t;

/* The model's options and figures as a header had them before there were precisions. */
typedef struct old_model_options_t {
  uint32_t struct_size;
  int32_t isa;
  int32_t verify;
  int32_t reserved;
  const char* contract;
} old_model_options_t;

typedef struct old_model_info_t {
  uint32_t struct_size;
  int32_t fields[7];
  int64_t figures[4];
} old_model_info_t;

static liveness_model_t *pad, *detector;
static liveness_result_t* result;
static uint8_t* scene;

static void old_caller(void) {
  old_predictor_options_t options;
  old_summary_t summary;
  liveness_predictor_t* predictor = NULL;
  liveness_image_t image;
  const size_t size = offsetof(old_summary_t, guard);

  memset(&options, 0x55, sizeof options);
  liveness_predictor_options_init((liveness_predictor_options_t*)(void*)&options, sizeof options);
  CHECK(options.struct_size == sizeof options && options.fusion == LIVENESS_FUSION_MEAN && options.detector == NULL);
  options.detector = detector;
  REQUIRE_OK(
      liveness_predictor_create(&pad, 1, (const liveness_predictor_options_t*)(const void*)&options, &predictor));

  liveness_image_init(&image, sizeof image, scene, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
  image.struct_size = offsetof(liveness_image_t, chroma); /* before NV12 there was no chroma plane */
  image.chroma = (const uint8_t*)1;                       /* must not be looked at */
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));

  memset(&summary, 0x55, sizeof summary);
  liveness_summary_init((liveness_summary_t*)(void*)&summary, size);
  CHECK(summary.struct_size == size && summary.verdict == LIVENESS_VERDICT_UNCERTAIN && summary.guard == 0x55555555u);
  REQUIRE_OK(liveness_result_summary(result, (liveness_summary_t*)(void*)&summary));
  CHECK(summary.struct_size == size && summary.verdict == LIVENESS_VERDICT_LIVE && summary.score > 0.9f);
  CHECK(summary.guard == 0x55555555u);
  liveness_predictor_destroy(predictor);
}

static void old_loader(void) {
  old_model_options_t options;
  old_model_info_t info[2];
  liveness_model_info_t now;
  liveness_model_t* model = NULL;
  memset(&options, 0x55, sizeof options);
  liveness_model_options_init((liveness_model_options_t*)(void*)&options, sizeof options);
  CHECK(options.struct_size == sizeof options && options.isa == LIVENESS_ISA_AUTO && options.verify == 1);
  REQUIRE_OK(liveness_model_load(LIVENESS_TINY "/pad.safetensors",
                                 (const liveness_model_options_t*)(const void*)&options, &model));
  memset(info, 0x55, sizeof info);
  liveness_model_info_init((liveness_model_info_t*)(void*)info, sizeof *info);
  REQUIRE_OK(liveness_model_info(model, (liveness_model_info_t*)(void*)info));
  CHECK(info[0].struct_size == sizeof *info && info[0].figures[1] == 12 && info[1].struct_size == 0x55555555u);
  liveness_model_info_init(&now, sizeof now);
  REQUIRE_OK(liveness_model_info(model, &now));
  CHECK(now.backend == LIVENESS_BACKEND_NATIVE && now.precision == LIVENESS_PRECISION_FP32 && now.fell_back == 0);
  CHECK(strcmp(now.device, "cpu") == 0);
  liveness_model_destroy(model);
}

static void new_caller(void) {
  new_predictor_options_t options;
  new_summary_t summary;
  new_image_t image;
  liveness_predictor_t* predictor = NULL;

  memset(&options, 0x55, sizeof options);
  liveness_predictor_options_init(&options.known, sizeof options);
  CHECK(options.known.struct_size == sizeof options && options.known.disagreement > 0.5f);
  CHECK(options.later[0] == 0 && options.later[3] == 0);
  options.known.detector = detector;
  options.later[3] = (uint64_t)1 << 63; /* asks for something that this library does not know */
  CHECK_FAILS(liveness_predictor_create(&pad, 1, &options.known, &predictor), LIVENESS_STATUS_ABI_MISMATCH, "options");
  CHECK(predictor == NULL);
  options.later[3] = 0;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options.known, &predictor));

  liveness_image_init(&image.known, sizeof image, scene, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
  image.later = 1;
  CHECK_FAILS(liveness_predictor_predict(predictor, &image.known, NULL, result), LIVENESS_STATUS_ABI_MISMATCH, "image");
  image.later = 0;
  REQUIRE_OK(liveness_predictor_predict(predictor, &image.known, NULL, result));

  liveness_summary_init(&summary.known, sizeof summary);
  memset(summary.later, 0x55, sizeof summary.later);
  REQUIRE_OK(liveness_result_summary(result, &summary.known));
  CHECK(summary.known.struct_size == sizeof summary && summary.known.verdict == LIVENESS_VERDICT_LIVE);
  CHECK(summary.known.face_count == 1 && summary.known.total_ms > 0);
  CHECK(summary.later[0] == 0 && summary.later[3] == 0); /* what the library does not know is cleared */
  liveness_predictor_destroy(predictor);
}

static void impossible_sizes(void) {
  static const uint32_t kSizes[] = {0, 1, 3, 4, 7, 0x55555555u, 0xffffffffu, 4100, sizeof(liveness_summary_t) + 1};
  liveness_summary_t summary, before;
  liveness_predictor_options_t options;
  liveness_predictor_t* predictor = NULL;
  size_t i;
  for (i = 0; i < sizeof kSizes / sizeof *kSizes; ++i) {
    memset(&summary, 0x33, sizeof summary);
    summary.struct_size = kSizes[i];
    before = summary;
    CHECK_FAILS(liveness_result_summary(result, &summary), LIVENESS_STATUS_ABI_MISMATCH, "summary.struct_size");
    CHECK(memcmp(&summary, &before, sizeof summary) == 0);
    liveness_predictor_options_init(&options, sizeof options);
    options.struct_size = kSizes[i];
    CHECK_FAILS(liveness_predictor_create(&pad, 1, &options, &predictor), LIVENESS_STATUS_ABI_MISMATCH,
                "options.struct_size");
  }
  CHECK(predictor == NULL);
  /* Init functions take any size without harm. */
  memset(&summary, 0x33, sizeof summary);
  before = summary;
  liveness_summary_init(&summary, 0);
  liveness_summary_init(&summary, 3);
  liveness_summary_init(&summary, (size_t)-1);
  liveness_summary_init(NULL, sizeof summary);
  CHECK(memcmp(&summary, &before, sizeof summary) == 0);
}

/* Zero can be asked for: it is a value like any other. */
static void zero_is_a_value(void) {
  liveness_predictor_options_t options;
  liveness_predictor_t* predictor = NULL;
  liveness_image_t image;
  liveness_summary_t summary;
  liveness_face_t face;
  add_face(scene, 1, 1, 60); /* an attack at the default threshold */
  liveness_image_init(&image, sizeof image, scene, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
  liveness_face_init(&face, sizeof face);
  face.box.x = face.box.y = face.box.width = face.box.height = kCell;
  liveness_summary_init(&summary, sizeof summary);

  REQUIRE_OK(liveness_predictor_create(&pad, 1, NULL, &predictor));
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, &face, result));
  REQUIRE_OK(liveness_result_summary(result, &summary));
  CHECK(summary.verdict == LIVENESS_VERDICT_SPOOF && summary.threshold == 0.5f);
  liveness_predictor_destroy(predictor);
  predictor = NULL;

  liveness_predictor_options_init(&options, sizeof options);
  CHECK(options.threshold == -1);
  options.threshold = 0;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &predictor));
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, &face, result));
  REQUIRE_OK(liveness_result_summary(result, &summary));
  CHECK(summary.verdict == LIVENESS_VERDICT_LIVE && summary.threshold == 0);
  liveness_predictor_destroy(predictor);
}

int main(void) {
  pad = load("pad.safetensors");
  detector = load("detector.safetensors");
  scene = new_scene(190);
  REQUIRE_OK(liveness_result_create(&result));
  old_caller();
  old_loader();
  new_caller();
  impossible_sizes();
  zero_is_a_value();
  liveness_result_destroy(result);
  liveness_model_destroy(pad);
  liveness_model_destroy(detector);
  free(scene);
  return finish();
}
