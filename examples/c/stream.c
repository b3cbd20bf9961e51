/* Raw BGR frames on standard input, events on standard output.
 *
 *   ffmpeg -f v4l2 -i /dev/video0 -f rawvideo -pix_fmt bgr24 -s 640x480 - | stream PAD DETECTOR 640 480 30
 */
#include <liveness.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(void) {
  fprintf(stderr, "stream: %s\n", liveness_last_error());
  return 1;
}

static liveness_status_t print_events(const liveness_update_t* update, liveness_update_summary_t* summary) {
  liveness_event_t event;
  liveness_status_t status = liveness_update_summary(update, summary);
  uint32_t i;
  liveness_event_init(&event, sizeof event);
  for (i = 0; !status && i < summary->event_count; ++i) {
    status = liveness_update_event(update, i, &event);
    if (!status)
      printf("%.2f %s %llu %s\n", event.seconds, liveness_event_name(event.kind), (unsigned long long)event.track,
             liveness_verdict_name(event.verdict));
  }
  return status;
}

int main(int argc, char** argv) {
  liveness_model_t *pad = NULL, *detector = NULL;
  liveness_verifier_t* verifier = NULL;
  liveness_update_t* update = NULL;
  liveness_update_summary_t summary;
  liveness_image_t image;
  liveness_status_t status;
  unsigned char* pixels;
  size_t bytes;
  double fps;
  int width, height, frame, code;
  if (argc != 6) {
    fprintf(stderr, "usage: stream PAD_PACKAGE DETECTOR_PACKAGE WIDTH HEIGHT FPS < frames.bgr\n");
    return 2;
  }
  width = atoi(argv[3]);
  height = atoi(argv[4]);
  fps = atof(argv[5]);
  if (width < 1 || height < 1 || width > 8192 || height > 8192 || !(fps > 0)) return 2;
  bytes = (size_t)width * (size_t)height * 3;
  pixels = malloc(bytes);
  if (pixels == NULL) return 1;
  liveness_update_summary_init(&summary, sizeof summary);
  liveness_image_init(&image, sizeof image, pixels, width, height, LIVENESS_PIXEL_FORMAT_BGR);
  status = liveness_model_load(argv[1], NULL, &pad);
  if (!status) status = liveness_model_load(argv[2], NULL, &detector);
  if (!status) status = liveness_verifier_create(&pad, 1, detector, NULL, &verifier);
  if (!status) status = liveness_update_create(&update);
  for (frame = 0; !status && fread(pixels, 1, bytes, stdin) == bytes; ++frame) {
    status = liveness_verifier_push(verifier, &image, frame / fps, update);
    if (!status) status = print_events(update, &summary);
  }
  code = status ? failed() : 0;
  if (!code) printf("%s\n", liveness_verdict_name(summary.verdict));
  liveness_update_destroy(update);
  liveness_verifier_destroy(verifier);
  liveness_model_destroy(detector);
  liveness_model_destroy(pad);
  free(pixels);
  return code;
}
