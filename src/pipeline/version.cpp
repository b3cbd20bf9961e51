#include "liveness/version.hpp"

namespace liveness {

std::string_view library_version() noexcept {
  return kVersion;
}

}  // namespace liveness
