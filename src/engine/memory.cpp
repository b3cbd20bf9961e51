#include "engine/memory.hpp"

#include <cstdint>
#include <cstring>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace liveness::engine {

namespace {

constexpr std::align_val_t kLine{kAlign * sizeof(float)};

#ifdef __linux__
constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Of the last, partly filled huge page at least this much must be used: the rest of it is memory spent for nothing.
constexpr std::size_t kWorthwhile = kHugePage * 3 / 4;
#endif

}  // namespace

Floats::Floats(Index n) : size_(n) {
  const std::size_t bytes = size_bytes();
#ifdef __linux__
  const std::size_t huge = (bytes + kHugePage - kWorthwhile) / kHugePage * kHugePage;
  if (huge > 0) {
    const std::size_t mapped = bytes + 2 * kHugePage;
    void* const mapping = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(mapping) % kHugePage) % kHugePage;
    std::byte* const start = static_cast<std::byte*>(mapping) + before;
    // Refused where the system has no huge pages; ordinary ones do as well.
    static_cast<void>(::madvise(start, huge, MADV_HUGEPAGE));
    data_ = {reinterpret_cast<float*>(start), Free{mapping, mapped}};
    return;
  }
#endif
  data_ = {static_cast<float*>(::operator new(bytes, kLine)), Free{nullptr, 0}};
  std::memset(data_.get(), 0, bytes);
}

void Floats::Free::operator()(float* p) const noexcept {
#ifdef __linux__
  if (mapping != nullptr) {
    ::munmap(mapping, mapped);
    return;
  }
#endif
  ::operator delete(p, kLine);
}

}  // namespace liveness::engine
