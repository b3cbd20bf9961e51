// A verdict on PPM pictures from the networks that are inside the library: no file of a model is needed.
//
//   cpp_builtin PICTURE.ppm...
#include <iostream>
#include <liveness/builtin.hpp>
#include <liveness/predictor.hpp>

#include "ppm.hpp"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " PICTURE.ppm...\n";
    return 2;
  }
  try {
    const liveness::Predictor predictor;
    for (int i = 1; i < argc; ++i) {
      const Picture p = read_ppm(argv[i]);
      const auto view = liveness::make_image(p.pixels.data(), p.width, p.height, liveness::PixelFormat::kRgb);
      const liveness::Result result = predictor.predict(view);
      std::cout << argv[i] << ": " << to_string(result.verdict) << ' ' << result.score << '\n';
    }
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    for (const auto& model : liveness::builtin_models()) std::cerr << "built in: " << model.name << '\n';
    return 2;
  }
}
