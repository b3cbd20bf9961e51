#include "liveness/config.hpp"

#include <memory>
#include <utility>

#include "convert.hpp"
#include "guard.hpp"
#include "handles.hpp"

using namespace liveness;
using namespace liveness::capi;

extern "C" {

liveness_status_t liveness_config_create(liveness_config_t** config) noexcept {
  return guard([&] {
    auto& out = deref(config, "config");
    out = new liveness_config_t();
  });
}

liveness_status_t liveness_config_load(const char* path, liveness_config_t** config) noexcept {
  return guard([&] {
    auto& out = deref(config, "config");
    out = new liveness_config_t{Config::load(&deref(path, "path"))};
  });
}

void liveness_config_destroy(liveness_config_t* config) noexcept {
  delete config;
}

liveness_status_t liveness_config_set(liveness_config_t* config, const char* key, const char* value) noexcept {
  return guard([&] { deref(config, "config").config.set(&deref(key, "key"), &deref(value, "value")); });
}

liveness_status_t liveness_config_get(const liveness_config_t* config, const char* key, char* text, size_t capacity,
                                      size_t* size) noexcept {
  return guard(
      [&] { write_text(deref(config, "config").config.entry(&deref(key, "key")).value, text, capacity, size); });
}

liveness_status_t liveness_config_where(const liveness_config_t* config, const char* key, char* text, size_t capacity,
                                        size_t* size) noexcept {
  return guard(
      [&] { write_text(deref(config, "config").config.entry(&deref(key, "key")).where, text, capacity, size); });
}

liveness_status_t liveness_config_yaml(const liveness_config_t* config, char* text, size_t capacity,
                                       size_t* size) noexcept {
  return guard([&] { write_text(deref(config, "config").config.to_yaml(), text, capacity, size); });
}

liveness_status_t liveness_config_reload(liveness_config_t* config, uint32_t* changed, uint32_t* waiting) noexcept {
  return guard([&] {
    const auto done = deref(config, "config").config.reload();
    if (changed != nullptr) *changed = static_cast<uint32_t>(done.changed.size());
    if (waiting != nullptr) *waiting = static_cast<uint32_t>(done.waiting.size());
  });
}

liveness_status_t liveness_config_predictor(const liveness_config_t* config, liveness_profiler_t* profiler,
                                            liveness_predictor_t** predictor) noexcept {
  return guard([&] {
    const auto& c = deref(config, "config");
    auto& out = deref(predictor, "predictor");
    const auto shared = profiler == nullptr ? nullptr : profiler->profiler;
    out = new liveness_predictor_t{shared, c.config.ensemble(shared.get())};
  });
}

liveness_status_t liveness_config_verifier(const liveness_config_t* config, liveness_profiler_t* profiler,
                                           liveness_verifier_t** verifier) noexcept {
  return guard([&] {
    const auto& c = deref(config, "config");
    auto& out = deref(verifier, "verifier");
    const auto shared = profiler == nullptr ? nullptr : profiler->profiler;
    out = new liveness_verifier_t{shared, c.config.verifier(shared.get())};
  });
}

liveness_status_t liveness_config_governor(const liveness_config_t* config, liveness_governor_t** governor) noexcept {
  return guard([&] {
    const auto& c = deref(config, "config");
    auto& out = deref(governor, "governor");
    out = new liveness_governor_t{c.config.governor()};
  });
}

}  // extern "C"
