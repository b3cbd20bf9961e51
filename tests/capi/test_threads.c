/* Eight threads on one predictor: the results are those of one thread, and each thread has its own last error. */
#define _POSIX_C_SOURCE 200112L
#include <pthread.h>

#include "tiny.h"

enum { kThreads = 8, kRounds = 1250, kPictures = 5 };

static liveness_predictor_t* predictor;
static liveness_image_t images[kPictures];
static liveness_summary_t expected[kPictures];

typedef struct job_t {
  int index;
  int wrong;
} job_t;

static void* work(void* argument) {
  job_t* job = argument;
  liveness_result_t* result = NULL;
  liveness_summary_t summary;
  int i;
  if (liveness_result_create(&result)) return NULL;
  liveness_summary_init(&summary, sizeof summary);
  for (i = 0; i < kRounds; ++i) {
    const int k = (i + job->index) % kPictures;
    char key[32];
    if (liveness_predictor_predict(predictor, &images[k], NULL, result) || liveness_result_summary(result, &summary) ||
        summary.verdict != expected[k].verdict || summary.score != expected[k].score ||
        summary.logit != expected[k].logit || summary.reasons != expected[k].reasons)
      ++job->wrong;
    if (i % 50 == 0) { /* an error of this thread, and nobody else's text */
      snprintf(key, sizeof key, "index is %d,", 100 + job->index);
      if (!liveness_result_member(result, (uint32_t)(100 + job->index), 0, NULL, NULL) ||
          strncmp(liveness_last_error(), key, strlen(key)) != 0)
        ++job->wrong;
    }
  }
  liveness_result_destroy(result);
  return NULL;
}

int main(void) {
  liveness_model_t* models[2];
  liveness_model_t* detector = load("detector.safetensors");
  liveness_predictor_options_t options;
  liveness_profiler_t* profiler = NULL;
  liveness_result_t* result = NULL;
  uint8_t* pixels[kPictures];
  pthread_t threads[kThreads];
  job_t jobs[kThreads];
  double frames = 0;
  int i;
  models[0] = load("pad.safetensors");
  models[1] = load("strict.safetensors");
  REQUIRE_OK(liveness_profiler_create(&profiler));
  liveness_predictor_options_init(&options, sizeof options);
  options.detector = detector;
  options.profiler = profiler;
  REQUIRE_OK(liveness_predictor_create(models, 2, &options, &predictor));
  liveness_model_destroy(models[0]);
  liveness_model_destroy(models[1]);
  liveness_model_destroy(detector);
  REQUIRE_OK(liveness_result_create(&result));
  for (i = 0; i < kPictures; ++i) {
    pixels[i] = new_scene(40 + 40 * i);
    liveness_image_init(&images[i], sizeof images[i], pixels[i], kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
    liveness_summary_init(&expected[i], sizeof expected[i]);
    REQUIRE_OK(liveness_predictor_predict(predictor, &images[i], NULL, result));
    REQUIRE_OK(liveness_result_summary(result, &expected[i]));
  }
  CHECK(expected[0].verdict == LIVENESS_VERDICT_SPOOF && expected[4].score > expected[0].score);
  REQUIRE_OK(liveness_profiler_reset(profiler));
  for (i = 0; i < kThreads; ++i) {
    jobs[i].index = i;
    jobs[i].wrong = 0;
    CHECK(pthread_create(&threads[i], NULL, work, &jobs[i]) == 0);
  }
  for (i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    CHECK(jobs[i].wrong == 0);
  }
  REQUIRE_OK(liveness_profiler_get(profiler, "frames", &frames));
  CHECK(frames == (double)kThreads * kRounds); /* 10,000 */
  liveness_result_destroy(result);
  liveness_predictor_destroy(predictor);
  liveness_profiler_destroy(profiler);
  for (i = 0; i < kPictures; ++i) free(pixels[i]);
  return finish();
}
