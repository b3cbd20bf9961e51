/* Smaller packages and the way back to ONNX. */
#include "tiny.h"

static void path_of(char* path, size_t size, const char* name) {
  snprintf(path, size, "%s/%s", LIVENESS_TINY, name);
}

static void samples_and_quantize(void) {
  static const int greens[4] = {40, 80, 190, 220};
  char package[1024], out[1024], text[16384];
  liveness_model_t* model = load("pad.safetensors");
  liveness_samples_t* samples = NULL;
  liveness_report_t* report = NULL;
  liveness_quantize_options_t options;
  liveness_image_t image;
  const liveness_rect_t face = {80, 80, 80, 80};
  const char* names[1] = {"nobody"};
  size_t size = 0;
  int i;
  path_of(package, sizeof package, "pad.safetensors");
  snprintf(out, sizeof out, "%s/capi_quantized.safetensors", LIVENESS_TINY);
  CHECK_FAILS(liveness_samples_create(NULL, &samples), LIVENESS_STATUS_INVALID_ARGUMENT, "model");
  REQUIRE_OK(liveness_samples_create(model, &samples));
  for (i = 0; i < 4; ++i) {
    uint8_t* pixels = new_scene(greens[i]);
    liveness_image_init(&image, sizeof image, pixels, kSide, kSide, LIVENESS_PIXEL_FORMAT_BGR);
    REQUIRE_OK(
        liveness_samples_add(samples, &image, &face, NULL, i < 2 ? LIVENESS_LABEL_ATTACK : LIVENESS_LABEL_BONA_FIDE));
    CHECK_FAILS(liveness_samples_add(samples, &image, NULL, NULL, LIVENESS_LABEL_UNKNOWN),
                LIVENESS_STATUS_INVALID_ARGUMENT, "320 x 320");
    CHECK_FAILS(liveness_samples_add(samples, &image, &face, "martian", LIVENESS_LABEL_UNKNOWN),
                LIVENESS_STATUS_UNSUPPORTED, "martian");
    CHECK_FAILS(liveness_samples_add(samples, &image, &face, NULL, 3), LIVENESS_STATUS_INVALID_ARGUMENT, "label");
    free(pixels);
  }
  liveness_quantize_options_init(&options, sizeof options);
  CHECK(options.storage == LIVENESS_STORAGE_INT8 && options.qualify_int8 == 1 && options.qualify_bf16 == 0);
  CHECK(options.max_acer == 0.005 && options.max_flips == 0.01 && options.max_score == 0.02 &&
        options.sensitive == 0.25);
  options.samples = samples;
  REQUIRE_OK(liveness_quantize(package, out, &options, &report));
  REQUIRE_OK(liveness_report_json(report, NULL, 0, &size));
  CHECK(size > 100 && size < sizeof text);
  REQUIRE_OK(liveness_report_json(report, text, sizeof text, NULL));
  CHECK(strstr(text, "\"passed\":true") != NULL);
  CHECK(strstr(text, "\"attacks\":2") != NULL);
  liveness_report_destroy(report);
  liveness_samples_destroy(samples);
  liveness_model_destroy(model);

  model = load("capi_quantized.safetensors"); /* claims int8 */
  REQUIRE_OK(liveness_model_describe(model, text, sizeof text, NULL));
  CHECK(strstr(text, "\"qualified\":[\"int8\"]") != NULL);
  liveness_model_destroy(model);

  options.samples = NULL;
  options.keep = names;
  options.keep_count = 1;
  report = NULL;
  CHECK_FAILS(liveness_quantize(package, out, &options, &report), LIVENESS_STATUS_INVALID_ARGUMENT, "nobody");
  CHECK(report == NULL);
  options.keep_count = 0;
  options.storage = 3;
  CHECK_FAILS(liveness_quantize(package, out, &options, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "storage");
  options.storage = LIVENESS_STORAGE_FP16;
  options.reserved = 1;
  CHECK_FAILS(liveness_quantize(package, out, &options, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "reserved");
  REQUIRE_OK(liveness_quantize(package, out, NULL, NULL));
  CHECK_FAILS(liveness_quantize(NULL, out, NULL, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "package");
  CHECK_FAILS(liveness_report_json(NULL, text, sizeof text, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "report");
  remove(out);
  liveness_samples_destroy(NULL);
  liveness_report_destroy(NULL);
}

static void prune_and_export(void) {
  char package[1024], out[1024];
  liveness_prune_options_t prune;
  liveness_export_options_t options;
  FILE* file;
  path_of(package, sizeof package, "pad.safetensors");
  snprintf(out, sizeof out, "%s/capi_out", LIVENESS_TINY);
  liveness_prune_options_init(&prune, sizeof prune);
  CHECK(prune.ratio == 0.3 && prune.per_layer == 0 && prune.multiple == 16);
  /* One layer, whose width is the output's: nothing can go. */
  CHECK_FAILS(liveness_prune(package, out, &prune, NULL), LIVENESS_STATUS_UNSUPPORTED, "multiply-accumulates");
  prune.ratio = 0;
  CHECK_FAILS(liveness_prune(package, out, &prune, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "ratio");
  liveness_export_options_init(&options, sizeof options);
  CHECK(options.opset == 13 && options.quantized == 0 && options.activations == NULL);
  REQUIRE_OK(liveness_export_onnx(package, out, &options));
  file = fopen(out, "rb");
  CHECK(file != NULL && fgetc(file) == 0x08); /* an ONNX file begins with its ir_version */
  if (file != NULL) fclose(file);
  remove(out);
  options.opset = 8;
  CHECK_FAILS(liveness_export_onnx(package, out, &options), LIVENESS_STATUS_INVALID_ARGUMENT, "opset");
  CHECK_FAILS(liveness_export_onnx(package, NULL, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "onnx");
}

int main(void) {
  samples_and_quantize();
  prune_and_export();
  return finish();
}
