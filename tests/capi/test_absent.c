/* Parts of the ABI that a build leaves out: every function is there, says so, and touches nothing. */
#include "check.h"

#define CHECK_ABSENT(call, part) CHECK_FAILS(call, LIVENESS_STATUS_UNSUPPORTED, part ": not built in")

int main(void) {
  liveness_config_t* config = NULL;
  liveness_calibration_t* calibration = NULL;
  liveness_samples_t* samples = NULL;
  liveness_report_t* report = NULL;
  liveness_quantize_options_t quantize;
  size_t size = 7;
  CHECK_ABSENT(liveness_config_create(&config), "config");
  CHECK_ABSENT(liveness_config_load("none.yaml", &config), "config");
  CHECK_ABSENT(liveness_config_yaml(NULL, NULL, 0, &size), "config");
  CHECK_ABSENT(liveness_calibration_load("none.yaml", &calibration), "evaluation");
  CHECK_ABSENT(liveness_samples_create(NULL, &samples), "optimize");
  CHECK_ABSENT(liveness_quantize("a", "b", NULL, &report), "optimize");
  CHECK(config == NULL && calibration == NULL && samples == NULL && report == NULL && size == 7);
  liveness_quantize_options_init(&quantize, sizeof quantize);
  liveness_config_destroy(NULL);
  liveness_calibration_destroy(NULL);
  liveness_report_destroy(NULL);
  return finish();
}
