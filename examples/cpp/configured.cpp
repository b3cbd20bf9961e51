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
#include <iostream>
#include <liveness/liveness.hpp>
#include <string>
#include <vector>

#include "ppm.hpp"

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
