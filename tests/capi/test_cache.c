/* Caches, pools and augmentation. */
#include <math.h>

#include "tiny.h"

static liveness_model_t *pad, *detector;
static liveness_image_t image;
static liveness_result_t* result;

static liveness_summary_t predict(liveness_predictor_t* predictor) {
  liveness_summary_t summary;
  liveness_summary_init(&summary, sizeof summary);
  REQUIRE_OK(liveness_predictor_predict(predictor, &image, NULL, result));
  REQUIRE_OK(liveness_result_summary(result, &summary));
  return summary;
}

static double figure(const liveness_cache_t* cache, const char* key) {
  double value = -1;
  REQUIRE_OK(liveness_cache_get(cache, key, &value));
  return value;
}

static void cache(void) {
  liveness_predictor_options_t options;
  liveness_predictor_t* predictor = NULL;
  liveness_cache_t* c = NULL;
  liveness_summary_t first, again;
  double value = 7;
  REQUIRE_OK(liveness_cache_create(1 << 20, 0, &c));
  liveness_predictor_options_init(&options, sizeof options);
  CHECK(options.cache == NULL && options.pool == NULL && options.augmentation == NULL);
  options.detector = detector;
  options.cache = c;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &predictor));
  first = predict(predictor);
  again = predict(predictor);
  CHECK(first.verdict == LIVENESS_VERDICT_LIVE && first.from_cache == 0);
  CHECK(again.verdict == LIVENESS_VERDICT_LIVE && again.from_cache == 1);
  CHECK(again.score == first.score && again.face_count == first.face_count);
  CHECK(figure(c, "hits") == 1 && figure(c, "misses") == 1 && figure(c, "entries") == 1 && figure(c, "bytes") > 0);
  REQUIRE_OK(liveness_cache_shrink(c, 0));
  CHECK(figure(c, "entries") == 0 && figure(c, "bytes") == 0 && figure(c, "evictions") == 1);
  CHECK_FAILS(liveness_cache_get(c, "luck", &value), LIVENESS_STATUS_NOT_FOUND, "luck");
  CHECK(value == 7);
  liveness_cache_destroy(c); /* the predictor goes on using it */
  CHECK(predict(predictor).from_cache == 0);
  CHECK(predict(predictor).from_cache == 1);
  liveness_predictor_destroy(predictor);

  c = NULL;
  CHECK_FAILS(liveness_cache_create(0, 0, &c), LIVENESS_STATUS_INVALID_ARGUMENT, "bytes");
  CHECK_FAILS(liveness_cache_create(1, -1, &c), LIVENESS_STATUS_INVALID_ARGUMENT, "time_to_live");
  CHECK_FAILS(liveness_cache_create(1, INT64_MAX, &c), LIVENESS_STATUS_INVALID_ARGUMENT, "time_to_live");
  CHECK_FAILS(liveness_cache_create(1, 0, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "cache is NULL");
  CHECK_FAILS(liveness_cache_get(NULL, "hits", &value), LIVENESS_STATUS_INVALID_ARGUMENT, "cache is NULL");
  CHECK_FAILS(liveness_cache_shrink(NULL, 0), LIVENESS_STATUS_INVALID_ARGUMENT, "cache is NULL");
  CHECK(c == NULL);
  liveness_cache_destroy(NULL);
}

static void pool(void) {
  enum { kCount = 12 };
  liveness_predictor_options_t options;
  liveness_predictor_t* predictor = NULL;
  liveness_pool_t* p = NULL;
  const liveness_image_t* images[kCount];
  liveness_result_t* results[kCount];
  liveness_summary_t summary;
  int i, threads;
  REQUIRE_OK(liveness_pool_create(3, &p));
  liveness_predictor_options_init(&options, sizeof options);
  options.detector = detector;
  options.pool = p;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &predictor));
  for (i = 0; i < kCount; ++i) {
    images[i] = &image;
    results[i] = NULL;
    REQUIRE_OK(liveness_result_create(&results[i]));
  }
  for (threads = 0; threads < 5; ++threads) {
    REQUIRE_OK(liveness_predictor_predict_batch(predictor, images, NULL, kCount, threads, results));
    for (i = 0; i < kCount; ++i) {
      liveness_summary_init(&summary, sizeof summary);
      REQUIRE_OK(liveness_result_summary(results[i], &summary));
      CHECK(summary.verdict == LIVENESS_VERDICT_LIVE);
    }
  }
  REQUIRE_OK(liveness_pool_cancel(p)); /* nothing runs: nothing happens */
  liveness_pool_destroy(p);
  REQUIRE_OK(liveness_predictor_predict_batch(predictor, images, NULL, kCount, 0, results));
  REQUIRE_OK(liveness_result_summary(results[kCount - 1], &summary));
  for (i = 0; i < kCount; ++i) liveness_result_destroy(results[i]);
  liveness_predictor_destroy(predictor);

  p = NULL;
  CHECK_FAILS(liveness_pool_create(0, &p), LIVENESS_STATUS_INVALID_ARGUMENT, "threads");
  CHECK_FAILS(liveness_pool_create(1, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "pool is NULL");
  CHECK_FAILS(liveness_pool_cancel(NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "pool is NULL");
  CHECK(p == NULL);
  liveness_pool_destroy(NULL);
}

static void augmentation(void) {
  liveness_predictor_options_t options;
  liveness_predictor_t* predictor = NULL;
  liveness_augmentation_t views;
  liveness_face_result_t face;
  liveness_augmentation_init(&views, sizeof views);
  CHECK(views.crops == 0 && views.flip == 0 && views.brightness == 0 && views.settled == 3);
  views.crops = 4;
  views.flip = 1;
  views.brightness = 0.1f;
  views.settled = 0;
  liveness_predictor_options_init(&options, sizeof options);
  options.detector = detector;
  options.augmentation = &views;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &predictor));
  (void)predict(predictor);
  liveness_face_result_init(&face, sizeof face);
  REQUIRE_OK(liveness_result_face(result, 0, &face));
  CHECK(face.views == 8 && face.spread > 0 && isfinite(face.spread));
  liveness_predictor_destroy(predictor);

  predictor = NULL;
  options.stability_crops = 1;
  CHECK_FAILS(liveness_predictor_create(&pad, 1, &options, &predictor), LIVENESS_STATUS_INVALID_ARGUMENT,
              "stability_crops");
  options.stability_crops = 0;
  views.brightness = 2;
  CHECK_FAILS(liveness_predictor_create(&pad, 1, &options, &predictor), LIVENESS_STATUS_INVALID_ARGUMENT, "brightness");
  views.struct_size = 3;
  CHECK_FAILS(liveness_predictor_create(&pad, 1, &options, &predictor), LIVENESS_STATUS_ABI_MISMATCH, "augmentation");
  options.augmentation = NULL;
  options.stability_crops = 2;
  REQUIRE_OK(liveness_predictor_create(&pad, 1, &options, &predictor));
  (void)predict(predictor);
  REQUIRE_OK(liveness_result_face(result, 0, &face));
  CHECK(face.views >= 1 && face.views <= 3);
  liveness_predictor_destroy(predictor);
  liveness_augmentation_init(NULL, sizeof views);
}

int main(void) {
  uint8_t* pixels = new_scene(200);
  pad = load("pad.safetensors");
  detector = load("detector.safetensors");
  liveness_image_init(&image, sizeof image, pixels, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
  REQUIRE_OK(liveness_result_create(&result));
  cache();
  pool();
  augmentation();
  liveness_result_destroy(result);
  liveness_model_destroy(detector);
  liveness_model_destroy(pad);
  free(pixels);
  return finish();
}
