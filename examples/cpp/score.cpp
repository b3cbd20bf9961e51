// Scores PPM pictures with one PAD model or several, four pictures at a time, and shows where the time went.
//
//   cpp_example DETECTOR PAD[,PAD...] PICTURE.ppm...
#include <cstdint>
#include <iostream>
#include <liveness/liveness.hpp>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "ppm.hpp"

namespace {

std::vector<liveness::Model> load_all(const std::string& list) {
  std::vector<liveness::Model> models;
  std::istringstream paths(list);
  for (std::string path; std::getline(paths, path, ',');) models.push_back(liveness::Model::load(path));
  return models;
}

void print(const std::string& path, const liveness::Result& result) {
  std::cout << path << ": " << to_string(result.verdict) << " score " << result.score << " (" << result.model << ")\n";
  for (int bit = 0; bit < liveness::kReasonCount; ++bit)
    if (const auto reason = static_cast<liveness::Reason>(1U << bit); has(result.reasons, reason))
      std::cout << "  " << sentence(reason) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " DETECTOR PAD[,PAD...] PICTURE.ppm...\n";
    return 2;
  }
  try {
    liveness::Profiler profiler;
    liveness::Ensemble::Options options;
    options.detector = liveness::Model::load(argv[1]);
    options.profiler = &profiler;
    options.cache = std::make_shared<liveness::PredictionCache>();  // a picture given twice is scored once
    options.pool = std::make_shared<liveness::WorkerPool>(4);
    options.augmentation.flip = true;
    const liveness::Ensemble ensemble(load_all(argv[2]), options);

    std::vector<Picture> pictures;
    std::vector<liveness::ImageView> views;
    for (int i = 3; i < argc; ++i) pictures.push_back(read_ppm(argv[i]));
    for (const auto& p : pictures)
      views.push_back(liveness::make_image(p.pixels.data(), p.width, p.height, liveness::PixelFormat::kRgb));

    int failed = 0;
    const auto items = ensemble.predict_batch(views);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string path = argv[3 + i];
      if (items[i].result) {
        print(path, *items[i].result);
      } else {
        std::cerr << path << ": " << items[i].error << '\n';
        failed = 1;
      }
    }
    std::cout << profiler.to_table();
    return failed;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 2;
  }
}
