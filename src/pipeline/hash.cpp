#include "pipeline/hash.hpp"

namespace liveness {

HashFunction hash_function(Isa isa) noexcept {
#ifdef LIVENESS_X86
  if (isa >= Isa::kAvx512) return &hash_avx512;
  if (isa == Isa::kAvx2) return &hash_avx2;
#endif
  static_cast<void>(isa);
  return &hash_portable;
}

}  // namespace liveness
