// Parts of the program that are loaded only when they are asked for.
#pragma once

#include <dlfcn.h>

#include <filesystem>
#include <string>

namespace liveness::cli {

// The function `symbol` of the module `name`.so, which lies beside the program or where it was installed; NULL where
// there is none. Stays loaded.
template <class Function>
Function from_module(const std::string& name, const char* symbol) {
  std::error_code failed;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path();
  for (const auto& file : {folder / (name + ".so"), folder / ".." / LIVENESS_MODULE_DIR / (name + ".so")})
    if (void* const module = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL); module != nullptr)
      return reinterpret_cast<Function>(dlsym(module, symbol));
  return nullptr;
}

}  // namespace liveness::cli
