// Results of pictures that were seen before.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "liveness/detail/public.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Keeps results of predictors (Predictor::Options::cache); one cache may serve several, and any number of threads at
/// once.
///
/// The key is a 128-bit hash (XXH3, under a secret that is drawn at random for each cache, so that nobody can prepare
/// two pictures with one key) of every pixel that detector, networks and quality measures read, of the box and
/// landmarks where the caller gives them, of the models' identities and of every option that changes the result. So
/// equal frames hit, and where a box is given also frames that differ only where nobody looks. Errors are not kept.
class PredictionCache {
 public:
  struct Options {
    std::size_t bytes = std::size_t{16} << 20;  ///< results are kept while they fit, the least recently used goes first
    std::chrono::milliseconds time_to_live{0};  ///< older results are not used any more; 0: they do not age
  };
  struct Statistics {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;     ///< answers that were not there, or too old
    std::uint64_t evictions = 0;  ///< results that made room for others, or were too old
    std::size_t entries = 0;      ///< results that are there now
    std::size_t bytes = 0;        ///< and what they take
  };

  /// Throws Error(kInvalidArgument) where `bytes` is 0, the time negative or longer than ten years.
  explicit PredictionCache(const Options& options);
  PredictionCache() : PredictionCache(Options()) {}
  ~PredictionCache();
  PredictionCache(const PredictionCache&) = delete;
  PredictionCache& operator=(const PredictionCache&) = delete;

  [[nodiscard]] const Options& options() const noexcept;
  [[nodiscard]] Statistics statistics() const;
  /// Keeps no more than so many bytes of what is there now, the most recently used; 0: nothing. The bound stays what it
  /// is. For a MemoryManager.
  void shrink(std::size_t bytes);

  class Impl;
  /// For the library's own parts.
  [[nodiscard]] Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace liveness
