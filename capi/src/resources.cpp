#include <cmath>
#include <cstddef>

#include "convert.hpp"
#include "guard.hpp"
#include "handles.hpp"

namespace liveness::capi {
namespace {

// Published layouts. No struct has padding: a field added into it would not show in struct_size.
static_assert(sizeof(liveness_usage_t) == 64 && offsetof(liveness_usage_t, temperature) == 56);
static_assert(sizeof(liveness_governor_options_t) == 72 && offsetof(liveness_governor_options_t, reserved) == 68);
static_assert(sizeof(liveness_workload_t) == 56 && offsetof(liveness_workload_t, reserved) == 52);

constexpr double kNoTemperature = -273.15;

liveness_usage_t empty_usage() noexcept {
  liveness_usage_t c{};
  c.struct_size = sizeof c;
  c.gpu_use = -1;
  c.gpu_bytes = -1;
  c.temperature = kNoTemperature;
  return c;
}

liveness_governor_options_t default_governor_options() noexcept {
  const Governor::Options d;
  liveness_governor_options_t c{};
  c.struct_size = sizeof c;
  c.detect_every = d.best.detect_every;
  c.min_fps = d.min_fps;
  c.period = d.period;
  c.patience = d.patience;
  c.score_every = d.best.score_every;
  return c;
}

void check_reserved(std::int64_t value, const char* name) {
  if (value != 0)
    fail(Status::kInvalidArgument, std::string(name) + ".reserved is " + std::to_string(value) + ", expected 0");
}

void check_finite(double value, const char* name) {
  if (!std::isfinite(value)) fail(Status::kInvalidArgument, std::string(name) + " is not a finite number");
}

}  // namespace
}  // namespace liveness::capi

using namespace liveness;
using namespace liveness::capi;

extern "C" {

void liveness_usage_init(liveness_usage_t* usage, size_t size) noexcept {
  init(usage, size, empty_usage());
}

liveness_status_t liveness_monitor_create(liveness_monitor_t** monitor) noexcept {
  return guard([&] {
    auto& out = deref(monitor, "monitor");
    out = new liveness_monitor_t();
  });
}

void liveness_monitor_destroy(liveness_monitor_t* monitor) noexcept {
  delete monitor;
}

liveness_status_t liveness_monitor_sample(liveness_monitor_t* monitor, liveness_usage_t* usage) noexcept {
  return guard([&] {
    auto& m = deref(monitor, "monitor");
    check_out(usage, "usage");
    const ResourceUsage u = m.monitor.sample();
    liveness_usage_t c = empty_usage();
    c.seconds = u.seconds;
    c.process_cpu = u.process_cpu;
    c.machine_cpu = u.machine_cpu;
    c.resident_bytes = static_cast<std::int64_t>(u.resident_bytes);
    c.gpu_use = u.gpu_use.value_or(-1);
    c.gpu_bytes = u.gpu_bytes ? static_cast<std::int64_t>(*u.gpu_bytes) : -1;
    c.temperature = u.temperature.value_or(kNoTemperature);
    write(usage, c);
  });
}

void liveness_governor_options_init(liveness_governor_options_t* options, size_t size) noexcept {
  init(options, size, default_governor_options());
}

void liveness_workload_init(liveness_workload_t* workload, size_t size) noexcept {
  liveness_workload_t c{};
  c.struct_size = sizeof c;
  init(workload, size, c);
}

liveness_status_t liveness_governor_create(const liveness_governor_options_t* options,
                                           liveness_governor_t** governor) noexcept {
  return guard([&] {
    auto& out = deref(governor, "governor");
    const auto c =
        options == nullptr ? default_governor_options() : read(options, default_governor_options(), "options");
    check_reserved(c.reserved, "options");
    if (c.memory_bytes < 0) fail(Status::kInvalidArgument, "options.memory_bytes is " + std::to_string(c.memory_bytes));
    if (c.capture_width < 0 || c.capture_height < 0)
      fail(Status::kInvalidArgument, "options.capture_width and capture_height: expected 0 or more");
    Governor::Options o;
    o.cpu = c.cpu;
    o.memory = static_cast<std::size_t>(c.memory_bytes);
    o.min_fps = c.min_fps;
    o.period = c.period;
    o.patience = c.patience;
    o.best.fps = c.fps;
    o.best.detect_every = c.detect_every;
    o.best.score_every = c.score_every;
    o.best.capture = {c.capture_width, c.capture_height};
    if (c.capture_width > 0) o.best.capture_fps = c.fps;
    out = new liveness_governor_t{Governor(o)};
  });
}

void liveness_governor_destroy(liveness_governor_t* governor) noexcept {
  delete governor;
}

liveness_status_t liveness_governor_admit(liveness_governor_t* governor, double seconds, int32_t* admitted) noexcept {
  return guard([&] {
    auto& g = deref(governor, "governor");
    auto& out = deref(admitted, "admitted");
    check_finite(seconds, "seconds");
    out = g.governor.admit(seconds) ? 1 : 0;
  });
}

liveness_status_t liveness_governor_update(liveness_governor_t* governor, const liveness_usage_t* usage, double seconds,
                                           liveness_workload_t* workload) noexcept {
  return guard([&] {
    auto& g = deref(governor, "governor");
    const auto u = read(usage, empty_usage(), "usage");
    check_reserved(u.reserved, "usage");
    check_out(workload, "workload");
    check_finite(seconds, "seconds");
    check_finite(u.seconds, "usage.seconds");
    check_finite(u.process_cpu, "usage.process_cpu");
    if (u.seconds < 0 || u.process_cpu < 0 || u.resident_bytes < 0)
      fail(Status::kInvalidArgument, "usage: seconds, process_cpu and resident_bytes must not be negative");
    ResourceUsage measured;
    measured.seconds = u.seconds;
    measured.process_cpu = u.process_cpu;
    measured.resident_bytes = static_cast<std::size_t>(u.resident_bytes);
    const Governor::Decision& d = g.governor.update(measured, seconds);
    liveness_workload_t c{};
    c.struct_size = sizeof c;
    c.level = d.level;
    c.fps = d.workload.fps;
    c.capture_fps = d.workload.capture_fps;
    c.detect_every = d.workload.detect_every;
    c.score_every = d.workload.score_every;
    c.capture_width = d.workload.capture.width;
    c.capture_height = d.workload.capture.height;
    c.scale = d.workload.scale;
    c.changed = d.changed ? 1 : 0;
    c.trim = d.trim ? 1 : 0;
    write(workload, c);
  });
}

liveness_status_t liveness_governor_why(const liveness_governor_t* governor, char* text, size_t capacity,
                                        size_t* size) noexcept {
  return guard([&] { write_text(deref(governor, "governor").governor.decision().why, text, capacity, size); });
}

}  // extern "C"
