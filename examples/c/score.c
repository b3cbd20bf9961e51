/* Scores one picture with one PAD model or several.
 *
 *   c_example PICTURE.ppm DETECTOR PAD...              a binary PPM file (P6)
 *   c_example FRAME.bgr WIDTH HEIGHT DETECTOR PAD...   raw bytes: rows of blue, green, red
 *
 * The models are packages (.safetensors). Exit status: 0 where the picture was scored, whatever the verdict; 2 else. */
#define _POSIX_C_SOURCE 200112L
#include <liveness.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kMaxModels = 8 };

typedef struct frame_t {
  uint8_t* pixels;
  int32_t width;
  int32_t height;
  liveness_pixel_format_t format;
} frame_t;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* A number between 1 and 20000, or 0. */
static int32_t side(const char* text) {
  char* end = NULL;
  const long value = strtol(text, &end, 10);
  return end != text && *end == '\0' && value >= 1 && value <= 20000 ? (int32_t)value : 0;
}

/* Reads the pixels; with width 0 the file is a PPM file, which says how large it is. 0 on success. */
static int read_frame(const char* path, frame_t* frame) {
  FILE* file = fopen(path, "rb");
  int failed = 1;
  if (file == NULL) {
    perror(path);
    return 1;
  }
  if (frame->width == 0) {
    int width = 0, height = 0, most = 0;
    if (fscanf(file, "P6 %d %d %d", &width, &height, &most) == 3 && fgetc(file) != EOF && most == 255 && width >= 1 &&
        width <= 20000 && height >= 1 && height <= 20000) {
      frame->width = width;
      frame->height = height;
    }
  }
  if (frame->width > 0) {
    const size_t bytes = (size_t)frame->width * (size_t)frame->height * 3;
    frame->pixels = malloc(bytes);
    failed = frame->pixels == NULL || fread(frame->pixels, 1, bytes, file) != bytes;
  }
  if (failed) fprintf(stderr, "%s: not a PPM file (P6, 8 bits), or too short\n", path);
  fclose(file);
  return failed;
}

static void print_result(const liveness_result_t* result, const liveness_summary_t* summary, double ms) {
  char model[256] = "";
  liveness_reasons_t bit;
  if (liveness_result_model(result, model, sizeof model, NULL)) fprintf(stderr, "%s\n", liveness_last_error());
  printf("%s score %.4f threshold %.4f model %s first_score_ms %.2f\n", liveness_verdict_name(summary->verdict),
         summary->score, summary->threshold, model, ms);
  for (uint32_t i = 0; i < summary->face_count; ++i) {
    liveness_face_result_t face;
    liveness_face_result_init(&face, sizeof face);
    if (liveness_result_face(result, i, &face)) continue;
    printf("face %u: %.0f x %.0f at (%.0f, %.0f), detected with %.2f\n", (unsigned)i, face.box.width, face.box.height,
           face.box.x, face.box.y, face.detection);
  }
  for (bit = 1; liveness_reason_sentence(bit) != NULL; bit <<= 1)
    if (summary->reasons & bit) printf("%s\n", liveness_reason_sentence(bit));
}

int main(int argc, char** argv) {
  const double start = now_ms();
  liveness_model_t *detector = NULL, *models[kMaxModels] = {NULL};
  liveness_predictor_t* predictor = NULL;
  liveness_result_t* result = NULL;
  liveness_predictor_options_t options;
  liveness_image_t image;
  liveness_summary_t summary;
  liveness_status_t status;
  frame_t frame = {NULL, 0, 0, LIVENESS_PIXEL_FORMAT_RGB};
  int next = 2, count, i;

  if (argc > 3 && side(argv[2]) && side(argv[3])) {
    frame.width = side(argv[2]);
    frame.height = side(argv[3]);
    frame.format = LIVENESS_PIXEL_FORMAT_BGR;
    next = 4;
  }
  count = argc - next - 1;
  if (count < 1 || count > kMaxModels) {
    fprintf(stderr, "usage: %s PICTURE.ppm DETECTOR PAD...\n       %s FRAME.bgr WIDTH HEIGHT DETECTOR PAD...\n",
            argv[0], argv[0]);
    return 2;
  }
  if (read_frame(argv[1], &frame)) {
    free(frame.pixels);
    return 2;
  }

  liveness_image_init(&image, sizeof image, frame.pixels, frame.width, frame.height, frame.format);
  liveness_predictor_options_init(&options, sizeof options);
  liveness_summary_init(&summary, sizeof summary);

  status = liveness_model_load(argv[next], NULL, &detector);
  for (i = 0; i < count && !status; ++i) status = liveness_model_load(argv[next + 1 + i], NULL, &models[i]);
  options.detector = detector;
  if (!status) status = liveness_predictor_create(models, (size_t)count, &options, &predictor);
  if (!status) status = liveness_result_create(&result);
  if (!status) status = liveness_predictor_predict(predictor, &image, NULL, result);
  if (!status) status = liveness_result_summary(result, &summary);
  if (status)
    fprintf(stderr, "%s: %s\n", liveness_status_name(status), liveness_last_error());
  else
    print_result(result, &summary, now_ms() - start);

  liveness_result_destroy(result);
  liveness_predictor_destroy(predictor);
  for (i = 0; i < count; ++i) liveness_model_destroy(models[i]);
  liveness_model_destroy(detector);
  free(frame.pixels);
  return status ? 2 : 0;
}
