/* NVML as the monitor sees it: two devices with known figures, the second without a temperature. */
#include <stddef.h>

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned* count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device);
int nvmlDeviceGetUtilizationRates(void* device, unsigned* rates);
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* bytes);
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned* celsius);

static int devices[2];

int nvmlInit_v2(void) {
  return 0;
}
int nvmlShutdown(void) {
  return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &devices[index];
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned* rates) {
  rates[0] = device == &devices[0] ? 35 : 70;
  rates[1] = 90;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* bytes) {
  bytes[0] = 8000;
  bytes[1] = 5000;
  bytes[2] = device == &devices[0] ? 3000 : 1000;
  return 0;
}
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned* celsius) {
  if (device != &devices[0] || sensor != 0) return 1;
  *celsius = 61;
  return 0;
}
