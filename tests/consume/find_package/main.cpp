// Loads a PAD model and a detector, scores an empty picture, and sees an error of the library caught by its type.
#include <cstdint>
#include <iostream>
#include <liveness/liveness.hpp>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3 || liveness::library_version() != liveness::kVersion) return 2;
  liveness::Predictor::Options options;
  options.detector = liveness::Model::load(argv[2]);
  const liveness::Predictor predictor(liveness::Model::load(argv[1]), options);
  const std::vector<std::uint8_t> pixels(320 * 320 * 3, 0);
  const auto view = liveness::make_image(pixels.data(), 320, 320, liveness::PixelFormat::kBgr);
  const auto result = predictor.predict(view);
  std::cout << to_string(result.verdict) << ' ' << result.threshold << '\n';
  if (result.verdict != liveness::Verdict::kNoFace) return 1;
  try {
    (void)predictor.predict(liveness::ImageView{});
  } catch (const liveness::Error& e) {
    return e.status() == liveness::Status::kInvalidArgument ? 0 : 1;
  }
  return 1;
}
