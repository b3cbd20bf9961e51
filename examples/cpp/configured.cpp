// Decides on a stream with everything from one configuration file, and holds its CPU budget. The stream is PPM pictures
// in their order, ten a second.
//
//   cpp_configured CONFIG.yaml PICTURE.ppm...
//
// CONFIG.yaml, for instance:
//   models: {pad: [pad.safetensors], detector: faces.safetensors}
//   resources: {cpu: 0.25}
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <liveness/liveness.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Picture {
  std::vector<std::uint8_t> pixels;
  int width = 0;
  int height = 0;
};

Picture read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int most = 0;
  Picture p;
  file >> magic >> p.width >> p.height >> most;
  if (!file || magic != "P6" || most != 255 || p.width < 1 || p.width > 20000 || p.height < 1 || p.height > 20000)
    throw std::runtime_error(path + ": not a PPM file (P6, 8 bits)");
  file.get();
  p.pixels.resize(static_cast<std::size_t>(p.width) * static_cast<std::size_t>(p.height) * 3);
  file.read(reinterpret_cast<char*>(p.pixels.data()), static_cast<std::streamsize>(p.pixels.size()));
  if (!file) throw std::runtime_error(path + ": too short");
  return p;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: " << argv[0] << " CONFIG.yaml PICTURE.ppm...\n";
    return 2;
  }
  try {
    const liveness::Config config = liveness::Config::load(argv[1]);
    liveness::Verifier verifier = config.verifier();
    liveness::Governor governor = config.governor();
    liveness::ResourceMonitor monitor;
    for (int i = 2; i < argc; ++i) {
      const double seconds = (i - 2) / 10.0;
      const Picture p = read_ppm(argv[i]);
      const auto& choice = governor.update(monitor.sample(), seconds);
      if (choice.changed) {
        liveness::Pace pace = config.settings().stream.pace;
        pace.detect_every = choice.workload.detect_every;
        pace.score_every = choice.workload.score_every;
        verifier.set_pace(pace);
        std::cout << seconds << " s: " << choice.why << '\n';
      }
      if (!governor.admit(seconds)) continue;
      const auto view = liveness::make_image(p.pixels.data(), p.width, p.height, liveness::PixelFormat::kRgb);
      for (const auto& event : verifier.push(view, seconds).events)
        std::cout << event.seconds << " s: " << to_string(event.kind) << " track " << event.track << ' '
                  << to_string(event.verdict) << '\n';
    }
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 2;
  }
}
