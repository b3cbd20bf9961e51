// Caches and pools.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "convert.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "liveness.h"

using namespace liveness::capi;  // NOLINT(google-build-using-namespace): this file is that namespace's C face
using liveness::PredictionCache;
using liveness::Status;
using liveness::WorkerPool;

namespace {

std::size_t to_size(std::uint64_t bytes) noexcept {
  return static_cast<std::size_t>(std::min<std::uint64_t>(bytes, std::numeric_limits<std::size_t>::max()));
}

}  // namespace

extern "C" {

liveness_status_t liveness_cache_create(uint64_t bytes, int64_t time_to_live_ms, liveness_cache_t** cache) noexcept {
  return guard([&] {
    (void)deref(cache, "cache");
    const PredictionCache::Options options{to_size(bytes), std::chrono::milliseconds(time_to_live_ms)};
    *cache = new liveness_cache_t{std::make_shared<PredictionCache>(options)};
  });
}

void liveness_cache_destroy(liveness_cache_t* cache) noexcept {
  delete cache;
}

liveness_status_t liveness_cache_get(const liveness_cache_t* cache, const char* key, double* value) noexcept {
  return guard([&] {
    const auto s = deref(cache, "cache").cache->statistics();
    const std::string wanted = &deref(key, "key");
    (void)deref(value, "value");
    const std::array<std::pair<const char*, double>, 5> figures = {{{"hits", static_cast<double>(s.hits)},
                                                                    {"misses", static_cast<double>(s.misses)},
                                                                    {"evictions", static_cast<double>(s.evictions)},
                                                                    {"entries", static_cast<double>(s.entries)},
                                                                    {"bytes", static_cast<double>(s.bytes)}}};
    const auto found = std::find_if(figures.begin(), figures.end(), [&](const auto& f) { return wanted == f.first; });
    if (found == figures.end()) fail(Status::kNotFound, "key \"" + wanted + "\": there is no such figure");
    *value = found->second;
  });
}

liveness_status_t liveness_cache_shrink(liveness_cache_t* cache, uint64_t bytes) noexcept {
  return guard([&] { deref(cache, "cache").cache->shrink(to_size(bytes)); });
}

liveness_status_t liveness_pool_create(int32_t threads, liveness_pool_t** pool) noexcept {
  return guard([&] {
    (void)deref(pool, "pool");
    *pool = new liveness_pool_t{std::make_shared<WorkerPool>(threads)};
  });
}

void liveness_pool_destroy(liveness_pool_t* pool) noexcept {
  delete pool;
}

liveness_status_t liveness_pool_cancel(liveness_pool_t* pool) noexcept {
  return guard([&] { deref(pool, "pool").pool->cancel(); });
}

}  // extern "C"
