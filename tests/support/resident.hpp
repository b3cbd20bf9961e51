// How much memory this process has, for tests that it must not grow.
#pragma once

#include <fstream>

namespace liveness::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;  // and keeps what was freed: resident() says nothing
#else
inline constexpr bool kSanitized = false;
#endif

// Pages of this process in memory, in bytes; 0 where there is no /proc.
inline double resident() {
  std::ifstream file("/proc/self/statm");
  long pages = 0;
  long in_memory = 0;
  file >> pages >> in_memory;
  return static_cast<double>(in_memory) * 4096;
}

}  // namespace liveness::test
