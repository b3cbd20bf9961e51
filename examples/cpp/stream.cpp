// Raw BGR frames on standard input, events on standard output: a camera program without a camera library.
//
//   ffmpeg -f v4l2 -i /dev/video0 -f rawvideo -pix_fmt bgr24 -s 640x480 - | stream PAD DETECTOR 640 480 30
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <vector>

#include "liveness/liveness.hpp"

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: stream PAD_PACKAGE DETECTOR_PACKAGE WIDTH HEIGHT FPS < frames.bgr\n";
    return 2;
  }
  const int width = std::atoi(argv[3]);
  const int height = std::atoi(argv[4]);
  const double fps = std::atof(argv[5]);
  if (width < 1 || height < 1 || width > 8192 || height > 8192 || !(fps > 0)) {
    std::cerr << "stream: width, height or frames a second make no sense\n";
    return 2;
  }
  try {
    liveness::Verifier verifier({liveness::Model::load(argv[1])}, liveness::Model::load(argv[2]));
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
    liveness::Verdict verdict = liveness::Verdict::kNoFace;
    for (int i = 0; std::fread(pixels.data(), 1, pixels.size(), stdin) == pixels.size(); ++i) {
      const auto frame = liveness::make_image(pixels.data(), width, height, liveness::PixelFormat::kBgr);
      const liveness::StreamUpdate update = verifier.push(frame, i / fps);
      for (const liveness::Event& e : update.events)
        std::cout << e.seconds << ' ' << to_string(e.kind) << ' ' << e.track << ' ' << to_string(e.verdict) << ' '
                  << e.text << '\n';
      verdict = update.verdict;
    }
    std::cout << to_string(verdict) << '\n';
  } catch (const std::exception& e) {
    std::cerr << "stream: " << e.what() << '\n';
    return 1;
  }
  return 0;
}
