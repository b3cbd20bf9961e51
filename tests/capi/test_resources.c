/* The monitor on this machine, and the governor in simulation. */
#include "check.h"

static void monitor(void) {
  liveness_monitor_t* monitor = NULL;
  liveness_usage_t usage;
  double sum = 0;
  int i;
  liveness_usage_init(&usage, sizeof usage);
  CHECK(usage.gpu_use == -1 && usage.gpu_bytes == -1 && usage.temperature < -273);
  REQUIRE_OK(liveness_monitor_create(&monitor));
  for (i = 0; i < 20000000; ++i) sum += i;
  CHECK(sum > 0);
  REQUIRE_OK(liveness_monitor_sample(monitor, &usage));
  CHECK(usage.seconds > 0 && usage.process_cpu > 0 && usage.resident_bytes > 100000);
  CHECK(usage.machine_cpu >= 0 && usage.machine_cpu <= 1);
  usage.struct_size = 3;
  CHECK_FAILS(liveness_monitor_sample(monitor, &usage), LIVENESS_STATUS_ABI_MISMATCH, "usage.struct_size is 3");
  CHECK_FAILS(liveness_monitor_sample(NULL, &usage), LIVENESS_STATUS_INVALID_ARGUMENT, "monitor is NULL");
  CHECK_FAILS(liveness_monitor_create(NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "monitor is NULL");
  liveness_monitor_destroy(monitor);
  liveness_monitor_destroy(NULL);
}

/* A camera of 30 frames a second; each frame that is worked on costs 20 ms of one core. */
static void governor(void) {
  liveness_governor_t* governor = NULL;
  liveness_governor_options_t options;
  liveness_usage_t usage;
  liveness_workload_t workload;
  double time = 0, busy = 0, all = 0;
  char why[200];
  size_t size = 0;
  int frame, second;
  liveness_governor_options_init(&options, sizeof options);
  CHECK(options.cpu == 0 && options.min_fps == 8 && options.detect_every == 1 && options.score_every == 1);
  options.cpu = 0.25;
  options.fps = 30;
  options.score_every = 3;
  REQUIRE_OK(liveness_governor_create(&options, &governor));
  liveness_usage_init(&usage, sizeof usage);
  liveness_workload_init(&workload, sizeof workload);
  for (second = 0; second < 120; ++second) {
    busy = 0;
    for (frame = 0; frame < 30; ++frame) {
      int32_t admitted = -1;
      time += 1.0 / 30;
      REQUIRE_OK(liveness_governor_admit(governor, time, &admitted));
      busy += admitted ? 0.02 : 0;
    }
    usage.seconds = 1;
    usage.process_cpu = busy;
    if (second >= 60) all += busy;
    REQUIRE_OK(liveness_governor_update(governor, &usage, time, &workload));
  }
  CHECK(all / 60 > 0.225 && all / 60 < 0.275);
  CHECK(workload.fps > 10 && workload.fps < 15);
  CHECK(workload.level == 0 && workload.score_every == 3 && workload.scale == 1 && workload.capture_width == 0);
  REQUIRE_OK(liveness_governor_why(governor, NULL, 0, &size));
  CHECK(size > 1 && size <= sizeof why);
  REQUIRE_OK(liveness_governor_why(governor, why, sizeof why, NULL));
  CHECK(strstr(why, "of 0.25 cores") != NULL);
  usage.process_cpu = -1;
  CHECK_FAILS(liveness_governor_update(governor, &usage, time, &workload), LIVENESS_STATUS_INVALID_ARGUMENT, "usage");
  CHECK_FAILS(liveness_governor_admit(governor, time, NULL), LIVENESS_STATUS_INVALID_ARGUMENT, "admitted is NULL");
  liveness_governor_destroy(governor);
  governor = NULL;
  options.cpu = -1;
  CHECK_FAILS(liveness_governor_create(&options, &governor), LIVENESS_STATUS_INVALID_ARGUMENT, "governor.cpu");
  options.cpu = 0;
  options.memory_bytes = -1;
  CHECK_FAILS(liveness_governor_create(&options, &governor), LIVENESS_STATUS_INVALID_ARGUMENT, "memory_bytes");
  CHECK(governor == NULL);
  REQUIRE_OK(liveness_governor_create(NULL, &governor));
  liveness_governor_destroy(governor);
  liveness_governor_destroy(NULL);
}

int main(void) {
  monitor();
  governor();
  return finish();
}
