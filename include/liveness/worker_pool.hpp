// Threads that batches are worked on.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "liveness/detail/public.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Threads that a program keeps and lends to its predictors (Predictor::Options::pool), so that all of them together
/// use no more than it wants. Without one each predictor keeps threads of its own. Any number of threads may use one at
/// once: whoever calls works on its own batch as well, so that no batch waits for another.
class WorkerPool {
 public:
  /// `threads`: pieces of work at a time, the calling thread's included; threads - 1 are made, when first needed.
  /// Throws Error(kInvalidArgument) below 1 or above 1024.
  explicit WorkerPool(int threads);
  /// Must not run while work does. Joins the threads.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  [[nodiscard]] int threads() const noexcept;

  /// Calls work(i) once for every i in [0, count), several at a time, and returns when all are done. An exception ends
  /// it early and is passed on. Throws Error(kCancelled) where cancel() came before all of it was begun.
  void run(std::size_t count, const std::function<void(std::size_t)>& work);

  /// Ends what runs now early: the pieces that are being worked on are finished, no other is begun. What is run
  /// afterwards is not affected. May be called from any thread.
  void cancel() noexcept;

  class Impl;
  /// For the library's own parts.
  [[nodiscard]] Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace liveness
