#include "model/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <system_error>

namespace liveness {

// One call of run(); lives on its caller's stack.
struct Workers::Job {
  Job(std::size_t count_of, std::size_t wanted_of, Call call_of) : count(count_of), call(call_of), wanted(wanted_of) {}

  const std::size_t count;
  const Call call;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> stop{false};
  // The rest belongs to the mutex of the workers.
  std::size_t wanted;      // helpers that may still join
  std::size_t active = 0;  // helpers at work
  std::condition_variable idle;
  std::exception_ptr error;

  // Works until nothing is left; what was thrown, or null.
  std::exception_ptr drain() noexcept {
    while (!stop.load(std::memory_order_relaxed)) {
      const std::size_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= count) break;
      try {
        call.call(call.work, i);
      } catch (...) {
        stop = true;
        return std::current_exception();
      }
    }
    return nullptr;
  }
};

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  ready_.notify_all();
  for (auto& t : threads_) t.join();
}

void Workers::grow(std::size_t threads) {
  try {
    while (threads_.size() < threads) threads_.emplace_back([this] { serve(); });
  } catch (const std::system_error&) {
    // The machine gives no more: those that there are do the work.
  }
}

void Workers::share(std::size_t count, int threads, Call call) {
  const std::size_t helpers = std::min(static_cast<std::size_t>(threads), count) - 1;
  Job job(count, helpers, call);
  {
    const std::lock_guard lock(mutex_);
    grow(helpers);
    jobs_.push_back(&job);
  }
  for (std::size_t i = 0; i < helpers; ++i) ready_.notify_one();
  std::exception_ptr error = job.drain();
  std::unique_lock lock(mutex_);
  std::erase(jobs_, &job);
  job.idle.wait(lock, [&] { return job.active == 0; });
  lock.unlock();
  if (error == nullptr) error = job.error;
  if (error != nullptr) std::rethrow_exception(error);
}

void Workers::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
    if (closing_) return;
    Job& job = *jobs_.front();
    ++job.active;
    if (--job.wanted == 0) jobs_.pop_front();
    lock.unlock();
    const std::exception_ptr error = job.drain();
    lock.lock();
    if (error != nullptr && job.error == nullptr) job.error = error;
    if (--job.active == 0) job.idle.notify_all();  // under the lock: the job goes when its caller wakes
  }
}

}  // namespace liveness
