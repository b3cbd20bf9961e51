// Independent pieces of work, several at a time, on threads that are kept.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace liveness {

// Threads that wait for work. They are made when a call first asks for so many, and joined by the destructor, which
// must not run while work does. Any number of threads may call run() at once, and work may call it again: a caller
// always takes part in its own work, so nobody waits for a thread that is busy or was never made (nor, in a forked
// child, for one that is gone).
class Workers {
 public:
  Workers() = default;
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Calls work(i) once for every i in [0, count), on the calling thread and at most threads - 1 others; nothing is
  // allocated once the threads are there. An exception ends it early and is passed on. Where the system refuses a
  // thread, those that are there do its share.
  template <class Work>
  void run(std::size_t count, int threads, const Work& work) {
    if (threads <= 1 || count <= 1) {
      for (std::size_t i = 0; i < count; ++i) work(i);
      return;
    }
    share(count, threads, {&work, [](const void* w, std::size_t i) { (*static_cast<const Work*>(w))(i); }});
  }

 private:
  // A callable that the caller of run() keeps alive.
  struct Call {
    const void* work;
    void (*call)(const void* work, std::size_t i);
  };
  struct Job;
  void share(std::size_t count, int threads, Call call);
  void grow(std::size_t threads);
  void serve();

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job*> jobs_;  // of callers that want more helpers
  std::vector<std::thread> threads_;
  bool closing_ = false;
};

}  // namespace liveness
