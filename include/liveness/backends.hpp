// Who can run networks here.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "liveness/model.hpp"

namespace liveness LIVENESS_PUBLIC {

/// One backend, as it is found on this machine now.
struct BackendStatus {
  Backend backend = Backend::kNative;
  bool available = false;
  std::string version;               ///< of the library behind it: LibTorch's; of the native engine, this library's
  std::string file;                  ///< the plugin; empty for the native engine
  std::vector<std::string> devices;  ///< what Model::Options::device may name: "cpu", "cuda:0", ...
  std::string blas;                  ///< file of the BLAS that LibTorch's fp32 matrix products are bound to
  bool graphs = false;               ///< passes on an accelerator are recorded once and replayed
  std::string missing;               ///< why it is not available, and how to get it; empty where it is
};

/// The native engine, then LibTorch. Loads the plugin, where there is one: from `plugin`, or where Model::load looks
/// for it. Does not throw for what is missing.
[[nodiscard]] std::vector<BackendStatus> backends(const std::filesystem::path& plugin = {});

}  // namespace liveness
