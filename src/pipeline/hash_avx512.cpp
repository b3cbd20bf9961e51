// Compiled with this instruction set's flags (engine/isa.cmake), by which xxHash chooses its vectors.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "pipeline/hash.hpp"

namespace liveness {

Hash hash_avx512(const void* data, std::size_t size, const Secret& secret) {
  const XXH128_hash_t h = XXH3_128bits_withSecret(data, size, secret.data(), secret.size());
  return {h.low64, h.high64};
}

}  // namespace liveness
