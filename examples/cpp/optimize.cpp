// Smaller and faster: rounds a package's weights, runs it in every precision and on every backend that is here, takes
// channels out of it, and writes it as ONNX.
//
//   optimize net.safetensors FOLDER [face.bgr WIDTH HEIGHT]...    pictures with a face that fills them, to measure on
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "liveness/backends.hpp"
#include "liveness/optimize.hpp"

int main(int argc, char** argv) {
  if (argc < 3 || argc % 3 != 0) {
    std::fprintf(stderr, "usage: %s PACKAGE FOLDER [FACE.bgr WIDTH HEIGHT]...\n", argv[0]);
    return 2;
  }
  try {
    const std::filesystem::path package = argv[1];
    const std::filesystem::path folder = argv[2];
    liveness::Samples samples(liveness::Model::load(package).contract());
    for (int i = 3; i < argc; i += 3) {
      std::ifstream file(argv[i], std::ios::binary);
      const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
      const int width = std::atoi(argv[i + 1]);
      const int height = std::atoi(argv[i + 2]);
      if (bytes.size() != static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3) {
        std::fprintf(stderr, "%s: %zu bytes are no %d x %d pixels\n", argv[i], bytes.size(), width, height);
        return 1;
      }
      const auto* pixels = reinterpret_cast<const std::uint8_t*>(bytes.data());
      samples.add(liveness::make_image(pixels, width, height, liveness::PixelFormat::kBgr),
                  {0, 0, static_cast<float>(width), static_cast<float>(height)}, "yunet");
    }

    liveness::QuantizeOptions quantize;
    if (samples.size() > 0) quantize.samples = &samples;
    const auto small = liveness::quantize(package, folder / "small.safetensors", quantize);
    std::printf("int8 storage: %llu -> %llu bytes\n", static_cast<unsigned long long>(small.bytes_before),
                static_cast<unsigned long long>(small.bytes_after));
    for (const auto& q : small.qualifications)
      std::printf("%s: %s (%s)\n", liveness::to_string(q.precision).data(), q.passed ? "qualified" : "not qualified",
                  q.reason.c_str());

    // What was asked for, and what the model runs in: `auto` takes the fastest precision that the package is qualified
    // for.
    for (const auto& status : liveness::backends()) {
      if (!status.available) continue;
      for (const auto precision :
           {liveness::Precision::kAuto, liveness::Precision::kFp32, liveness::Precision::kInt8}) {
        liveness::Model::Options how;
        how.backend = status.backend;
        how.precision = precision;
        const auto model = liveness::Model::load(folder / "small.safetensors", how);
        const auto& info = model.info();
        std::printf("%s, %s: runs in %s on %s%s%s\n", liveness::to_string(status.backend).data(),
                    liveness::to_string(precision).data(), liveness::to_string(info.precision).data(),
                    info.device.c_str(), info.fallback.empty() ? "" : "; ", info.fallback.c_str());
      }
    }

    liveness::PruneOptions prune;
    prune.multiple = 1;
    const auto pruned = liveness::prune(package, folder / "pruned.safetensors", prune);
    std::printf("pruned: %lld -> %lld multiply-accumulates\n", static_cast<long long>(pruned.macs_before),
                static_cast<long long>(pruned.macs_after));

    liveness::export_onnx(folder / "small.safetensors", folder / "small.onnx");
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
