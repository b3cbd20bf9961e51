/* The torch backend through the C ABI. */
#include "check.h"

static void run_pixels(const liveness_model_t* model, const uint8_t* pixels, float* scores) {
  float* outputs[1];
  size_t counts[1] = {6};
  outputs[0] = scores;
  REQUIRE_OK(liveness_model_run_pixels(model, pixels, 2 * 8 * 8 * 3, outputs, counts, 1, 2, 1));
}

int main(void) {
  static char text[8192];
  static uint8_t pixels[2 * 8 * 8 * 3];
  float native_scores[6], torch_scores[6];
  liveness_model_options_t options;
  liveness_model_info_t info;
  liveness_model_t* native = NULL;
  liveness_model_t* torch = NULL;
  size_t size = 0, i;
  REQUIRE_OK(liveness_model_load(LIVENESS_TINY "/pad.safetensors", NULL, &native));
  for (i = 0; i < sizeof pixels; ++i) pixels[i] = (uint8_t)(i * 37);

  liveness_model_options_init(&options, sizeof options);
  options.backend = LIVENESS_BACKEND_TORCH;
  REQUIRE_OK(liveness_model_load(LIVENESS_TINY "/pad.safetensors", &options, &torch));
  liveness_model_info_init(&info, sizeof info);
  REQUIRE_OK(liveness_model_info(torch, &info));
  CHECK(info.backend == LIVENESS_BACKEND_TORCH);
  CHECK(info.precision == LIVENESS_PRECISION_FP32);
  CHECK(strcmp(info.device, "cpu") == 0);
  CHECK(info.fell_back == 0);
  run_pixels(native, pixels, native_scores);
  run_pixels(torch, pixels, torch_scores);
  for (i = 0; i < 6; ++i) {
    const float d = native_scores[i] - torch_scores[i];
    CHECK(d < 1e-4F && d > -1e-4F);
  }
  CHECK_FAILS(liveness_model_run_pixels(torch, NULL, 0, NULL, NULL, 1, 1, 1), LIVENESS_STATUS_INVALID_ARGUMENT,
              "pixels");
  liveness_model_destroy(torch);

  options.device = "cuda:99";
  torch = NULL;
  REQUIRE_OK(liveness_model_load(LIVENESS_TINY "/pad.safetensors", &options, &torch));
  REQUIRE_OK(liveness_model_info(torch, &info));
  CHECK(info.fell_back == 1);
  REQUIRE_OK(liveness_model_describe(torch, text, sizeof text, NULL));
  CHECK(strstr(text, "cuda:99") != NULL);
  liveness_model_destroy(torch);
  liveness_model_destroy(native);

  options.plugin = "/nowhere/plugin.so";
  CHECK_FAILS(liveness_model_load(LIVENESS_TINY "/pad.safetensors", &options, &torch), LIVENESS_STATUS_NOT_FOUND,
              "/nowhere/plugin.so");
  REQUIRE_OK(liveness_backends_describe(NULL, text, sizeof text, &size));
  CHECK(size == strlen(text) + 1 || size == strlen(text));
  CHECK(strstr(text, "\"backend\":\"torch\"") != NULL);
  CHECK(strstr(text, "libliveness_torch.so") != NULL);
  CHECK_FAILS(liveness_backends_describe(NULL, text, 3, &size), LIVENESS_STATUS_BUFFER_TOO_SMALL, "");
  return finish();
}
