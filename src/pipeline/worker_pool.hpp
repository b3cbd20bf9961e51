// What a WorkerPool holds.
#pragma once

#include <atomic>
#include <cstdint>

#include "liveness/worker_pool.hpp"
#include "model/parallel.hpp"

namespace liveness {

class WorkerPool::Impl {
 public:
  explicit Impl(int threads) : threads_(threads) {}
  [[nodiscard]] int threads() const noexcept { return threads_; }
  [[nodiscard]] Workers& workers() noexcept { return workers_; }
  // Goes up with every cancel(): who began before it stops.
  [[nodiscard]] std::uint64_t cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }
  void cancel() noexcept { cancelled_.fetch_add(1, std::memory_order_relaxed); }

 private:
  const int threads_;
  std::atomic<std::uint64_t> cancelled_{0};
  Workers workers_;
};

}  // namespace liveness
