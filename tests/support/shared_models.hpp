// Where the third-party networks are. Tests that need them say why they skip where the folder is absent; CI sets
// LIVENESS_REQUIRE_MODELS, and then absence is a failure.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>

namespace liveness::test {

inline std::filesystem::path shared_models() {
  const char* given = std::getenv("LIVENESS_MODELS");
  return given != nullptr ? std::filesystem::path(given) : std::filesystem::path(LIVENESS_SHARED_MODELS);
}

// True where the named file is there. Otherwise says so, and fails where CI demands the models.
inline bool have_model(const std::string& file) {
  const auto path = shared_models() / file;
  if (std::filesystem::exists(path)) return true;
  if (std::getenv("LIVENESS_REQUIRE_MODELS") != nullptr) throw std::runtime_error("missing " + path.string());
  std::cerr << "skipped: " << path.string()
            << " is not there (set LIVENESS_MODELS to the folder of the third-party networks)\n";
  return false;
}

}  // namespace liveness::test
