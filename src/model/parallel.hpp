// Independent pieces of work, several at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace liveness {

// Calls work(i) once for every i in [0, count), on the calling thread and at most threads - 1 others. An exception ends
// it early and is passed on. Where the system refuses a thread, those that are there do its share.
template <class Work>
void parallel_for(int count, int threads, const Work& work) {
  if (threads <= 1 || count <= 1) {
    for (int i = 0; i < count; ++i) work(i);
    return;
  }
  std::atomic<int> next{0};
  std::atomic<bool> stop{false};
  std::exception_ptr error;
  std::mutex mutex;
  const auto drain = [&]() noexcept {
    while (!stop.load(std::memory_order_relaxed)) {
      const int i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= count) return;
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (error == nullptr) error = std::current_exception();
        stop = true;
      }
    }
  };
  {
    const auto wanted = static_cast<std::size_t>(std::min(threads, count) - 1);
    std::vector<std::jthread> others;
    others.reserve(wanted);
    try {
      while (others.size() < wanted) others.emplace_back(drain);
    } catch (const std::system_error&) {
    }
    drain();
  }
  if (error != nullptr) std::rethrow_exception(error);
}

}  // namespace liveness
