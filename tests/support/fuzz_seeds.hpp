// Good inputs for a fuzzer to start from, made in code: no binary file lies in the repository.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace liveness::test {

// Writes the seeds into the first corpus folder of libFuzzer's command line; call it from LLVMFuzzerInitialize.
inline void write_seeds(int argc, char** argv, const std::vector<std::vector<std::byte>>& seeds) {
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path folder = argv[i];
    if (argv[i][0] == '-' || !std::filesystem::is_directory(folder)) continue;
    for (std::size_t k = 0; k < seeds.size(); ++k) {
      std::ofstream out(folder / ("seed-" + std::to_string(k)), std::ios::binary);
      out.write(reinterpret_cast<const char*>(seeds[k].data()), static_cast<std::streamsize>(seeds[k].size()));
    }
    return;
  }
}

}  // namespace liveness::test
