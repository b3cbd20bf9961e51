// What a stream costs: the tracker alone, and the whole verifier, on a made-up face that moves; JSON on stdout. Frames
// are made beforehand.
//   stream_bench DETECTOR.onnx DETECTOR.yaml PAD.onnx PAD.yaml [SECONDS]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "liveness/verifier.hpp"
#include "made_up_face.hpp"

namespace {

using namespace liveness;
using Clock = std::chrono::steady_clock;

double milliseconds(Clock::time_point from) {
  return std::chrono::duration<double, std::milli>(Clock::now() - from).count();
}

double at(std::vector<double>& sorted, double part) {
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(part * static_cast<double>(sorted.size())))];
}

Model load(const char* onnx, const char* contract) {
  Model::Options options;
  options.contract = contract;
  return Model::load(onnx, options);
}

// One second of a face that moves, with noise: played round and round. It ends where it begins, so nothing jumps.
std::vector<std::vector<std::uint8_t>> film() {
  const test::Sprite face(test::first_person());
  test::Stage stage;
  std::vector<std::vector<std::uint8_t>> frames;
  for (int i = 0; i < 30; ++i) {
    const float t = 6.2831853F * static_cast<float>(i) / 30;
    stage.clear();
    stage.paint(face, {320 + 15 * std::sin(t), 240 + 8 * std::cos(t), 150});
    const ImageView view = stage.shoot();
    frames.emplace_back(view.data, view.data + view.stride * view.height);
  }
  return frames;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  try {
    const Model detector = load(argv[1], argv[2]);
    const Model pad = load(argv[3], argv[4]);
    const double budget = argc > 5 ? 1000 * std::atof(argv[5]) : 5000;
    const auto frames = film();
    const auto frame = [&](int i) {
      return make_image(frames[static_cast<std::size_t>(i) % frames.size()].data(), 640, 480, PixelFormat::kBgr);
    };

    FaceTracker tracker(detector);
    std::vector<double> window;  // updates that looked through the window only
    std::vector<double> update;
    auto begin = Clock::now();
    for (int i = 0; milliseconds(begin) < budget / 2; ++i) {
      const auto start = Clock::now();
      const auto& seen = tracker.update(frame(i), i / 30.0);
      const double took = milliseconds(start);
      if (i < 30) continue;
      update.push_back(took);
      if (!seen.searched) window.push_back(took);
    }

    Verifier::Options options;
    options.scoring.limits.min_sharpness = 0;  // drawn faces are smooth
    Verifier verifier({pad}, detector, options);
    std::vector<double> push;
    int scored = 0;
    double spent = 0;
    begin = Clock::now();
    for (int i = 0; milliseconds(begin) < budget / 2; ++i) {
      const auto start = Clock::now();
      const StreamUpdate u = verifier.push(frame(i), i / 30.0);
      const double took = milliseconds(start);
      if (i < 30) continue;
      push.push_back(took);
      spent += took;
      for (const TrackResult& t : u.tracks) scored += t.scored ? 1 : 0;
    }
    if (window.empty() || push.empty() || scored == 0) {
      std::fprintf(stderr, "the made-up face was not followed: nothing to measure\n");
      return 1;
    }
    for (auto* all : {&window, &update, &push}) std::sort(all->begin(), all->end());
    double sum = 0;
    for (const double v : update) sum += v;
    std::printf(
        "{\"tracker_update_ms\": %.4f, \"tracker_update_p99_ms\": %.4f, \"tracker_window_ms\": %.4f, "
        "\"effective_fps\": %.1f, \"push_ms\": %.4f, \"push_p99_ms\": %.4f, \"frames\": %zu, \"scored\": %d}\n",
        sum / static_cast<double>(update.size()), at(update, 0.99), at(window, 0.5),
        1000 * static_cast<double>(push.size()) / spent, at(push, 0.5), at(push, 0.99), push.size(), scored);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "stream_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
