/* The miniature networks, and a frame that they understand. */
#ifndef LIVENESS_TESTS_CAPI_TINY_H_
#define LIVENESS_TESTS_CAPI_TINY_H_

#include "check.h"

/* 320 x 320 pixels, black, with square faces of 80 pixels on a grid of 4 x 4: red, with a checkerboard in green around
 * `green`. */
enum { kSide = 320, kCell = 80, kSceneBytes = kSide * kSide * 3 };

static void add_face(uint8_t* pixels, int column, int row, int green) {
  int x, y;
  for (y = row * kCell; y < (row + 1) * kCell; ++y)
    for (x = column * kCell; x < (column + 1) * kCell; ++x) {
      uint8_t* p = pixels + ((size_t)y * kSide + (size_t)x) * 3;
      p[0] = 0;
      p[1] = (uint8_t)(green + ((x / 4 + y / 4) % 2 == 0 ? 20 : -20));
      p[2] = 255;
    }
}

/* A new scene with one face in cell (1, 1); to be freed. */
static uint8_t* new_scene(int green) {
  uint8_t* pixels = calloc(1, kSceneBytes);
  if (pixels == NULL) exit(1);
  add_face(pixels, 1, 1, green);
  return pixels;
}

static liveness_model_t* load(const char* name) {
  char path[1024];
  liveness_model_t* model = NULL;
  snprintf(path, sizeof path, "%s/%s", LIVENESS_TINY, name);
  REQUIRE_OK(liveness_model_load(path, NULL, &model));
  return model;
}

#endif
