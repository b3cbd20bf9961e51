#include "pipeline/worker_pool.hpp"

#include <atomic>
#include <string>

#include "liveness/error.hpp"

namespace liveness {

namespace {
constexpr int kMaxThreads = 1024;
}

WorkerPool::WorkerPool(int threads) {
  if (threads < 1 || threads > kMaxThreads)
    throw Error(Status::kInvalidArgument,
                "threads: expected 1 to " + std::to_string(kMaxThreads) + ", got " + std::to_string(threads));
  impl_ = std::make_unique<Impl>(threads);
}
WorkerPool::~WorkerPool() = default;

int WorkerPool::threads() const noexcept {
  return impl_->threads();
}

void WorkerPool::run(std::size_t count, const std::function<void(std::size_t)>& work) {
  const std::uint64_t began = impl_->cancelled();
  std::atomic<std::size_t> left_out{0};
  impl_->workers().run(count, impl_->threads(), [&](std::size_t i) {
    if (impl_->cancelled() == began)
      work(i);
    else
      left_out.fetch_add(1, std::memory_order_relaxed);
  });
  if (left_out != 0)
    throw Error(Status::kCancelled,
                "cancelled with " + std::to_string(left_out) + " of " + std::to_string(count) + " left to do");
}

void WorkerPool::cancel() noexcept {
  impl_->cancel();
}

}  // namespace liveness
