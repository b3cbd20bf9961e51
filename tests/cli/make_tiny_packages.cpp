// Writes what the program's tests feed it: miniature packages, pictures and a video, into a folder.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/videoio.hpp>

#include "tiny_models.hpp"

namespace fs = std::filesystem;
using namespace liveness;
using namespace liveness::test;

namespace {

cv::Mat picture(const std::vector<int>& greens) {
  Scene scene;
  for (std::size_t i = 0; i < greens.size(); ++i)
    scene.face(static_cast<int>(i) + 1, 1, greens[i], static_cast<int>(i) * 40);
  return cv::Mat(Scene::kSide, Scene::kSide, CV_8UC3, scene.pixels.data()).clone();
}

// With noise of its own in every frame: a stream of equal pictures is taken for a frozen one.
cv::Mat living(const std::vector<int>& greens, int tick) {
  cv::Mat frame = picture(greens);
  for (int y = 0; y < frame.rows; ++y)
    for (int x = 0; x < frame.cols; ++x) {
      std::uint8_t& green = frame.at<cv::Vec3b>(y, x)[1];
      green = static_cast<std::uint8_t>(green ^ ((x / 8 * 7 + y / 8 * 13 + tick) % 3 == 0 ? 6 : 0));
    }
  return frame;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: make_tiny_packages FOLDER\n", stderr);
    return 2;
  }
  const fs::path out = argv[1];
  fs::create_directories(out / "models");
  fs::create_directories(out / "pictures" / "deeper");
  fs::create_directories(out / "empty");

  Package pad = tiny_pad_package({});
  pad.goldens = make_goldens(pad, 2);
  write_file(out / "models" / "tiny_pad.safetensors", write_package(pad));
  write_file(out / "models" / "tiny_detector.safetensors", write_package(tiny_detector_package()));
  TinyPad strict;
  strict.name = "tiny_strict";
  strict.middle = 200;
  write_file(out / "tiny_strict.safetensors", write_package(tiny_pad_package(strict)));

  // Lossless, so that the scores are known.
  cv::imwrite((out / "pictures" / "live.png").string(), picture({200}));
  cv::imwrite((out / "pictures" / "spoof.png").string(), picture({60}));
  cv::imwrite((out / "pictures" / "deeper" / "two, faces.png").string(), picture({60, 200}));
  cv::imwrite((out / "pictures" / "nobody.png").string(), picture({}));
  cv::imwrite((out / "whole.jpg").string(), picture({200}));

  cv::VideoWriter video((out / "clip.avi").string(), cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 10,
                        {Scene::kSide, Scene::kSide});
  for (int i = 0; i < 30; ++i) video.write(picture({i < 15 ? 200 : 60}));

  fs::create_directories(out / "attack");
  for (int i = 0; i < 12; ++i)
    cv::imwrite((out / "attack" / ("frame" + std::to_string(10 + i) + ".png")).string(), living({60}, i));
  cv::VideoWriter stream((out / "stream.avi").string(), cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 10,
                         {Scene::kSide, Scene::kSide});
  cv::VideoWriter phone((out / "phone.mp4").string(), cv::VideoWriter::fourcc('m', 'p', '4', 'v'), 10,
                        {Scene::kSide, Scene::kSide});
  for (int i = 0; i < 30; ++i) {
    stream.write(living({i < 15 ? 200 : 60}, i));
    phone.write(living({200}, i));
  }
  return video.isOpened() && stream.isOpened() && phone.isOpened() ? 0 : 1;
}
