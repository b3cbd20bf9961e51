// Writes the miniature networks of tiny_models.hpp to files, for tests in C and Python, and a frame that they
// understand.
//
//   make_tiny_models FOLDER
#include <cstddef>
#include <exception>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "tiny_models.hpp"

namespace liveness::test {
namespace {

void write_all(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const auto pad = write_package(tiny_pad_package({}));
  write_file(folder / "pad.safetensors", pad);

  // Disagrees with the first where green is between 100 and 160, and wants another size and crop.
  TinyPad strict;
  strict.name = "tiny_strict";
  strict.middle = 160;
  strict.size = 12;
  strict.crop_scale = 1.5F;
  write_file(folder / "strict.safetensors", write_package(tiny_pad_package(strict)));
  write_file(folder / "detector.safetensors", write_package(tiny_detector_package()));

  write_file(folder / "truncated.safetensors", std::span(pad).first(pad.size() / 2));

  // One face in the second cell of the second row: greener than the first network's middle.
  Scene scene;
  scene.face(1, 1, 190);
  write_file(folder / "live.bgr", std::as_bytes(std::span(scene.pixels)));
  const std::string header = "P6 320 320 255\n";
  std::vector<std::byte> ppm;
  for (const char c : header) ppm.push_back(static_cast<std::byte>(c));
  for (std::size_t i = 0; i < scene.pixels.size(); i += 3)
    for (const std::size_t c : {2, 1, 0}) ppm.push_back(static_cast<std::byte>(scene.pixels[i + c]));
  write_file(folder / "live.ppm", ppm);
}

}  // namespace
}  // namespace liveness::test

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_tiny_models FOLDER\n";
    return 2;
  }
  try {
    liveness::test::write_all(argv[1]);
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "make_tiny_models: " << e.what() << '\n';
    return 1;
  }
}
