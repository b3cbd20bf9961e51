// Memory of weights and workspaces.
#pragma once

#include <cstddef>
#include <memory>

#include "engine/kernels.hpp"

namespace liveness::engine {

inline constexpr Index kAlign = 16;  // floats: one cache line, one AVX-512 vector

// Floats on a cache line's border, zero at first. Large blocks ask the system for huge pages: to be handed a megabyte
// in pages of 4 KiB takes longer than to fill it.
class Floats {
 public:
  Floats() = default;
  explicit Floats(Index n);
  [[nodiscard]] float* get() const noexcept { return data_.get(); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return static_cast<std::size_t>(size_) * sizeof(float); }

 private:
  struct Free {
    void* mapping;  // null where the memory is the heap's
    std::size_t mapped;
    void operator()(float* p) const noexcept;
  };
  std::unique_ptr<float, Free> data_;
  Index size_ = 0;
};

}  // namespace liveness::engine
