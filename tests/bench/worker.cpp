// Our side of the benchmark: a process that the harness (run.py) keeps alive and lets run in bursts, in turn with the
// peers'.
//
//   worker inputs C H W COUNT HIGH OUT     writes natural-like pictures, float32 C x H x W in 0..HIGH
//   worker convert ONNX CONTRACT OUT       writes a model package
//   worker engine PACKAGE INPUTS BATCH PRECISION    one network; precision auto, fp32, bf16 or int8
//   worker peak avx512|avx2                fused multiply-adds alone
//   worker pipeline STILL                  raw frame to verdict; STILL: FRAME W H DETECTOR MEMBER..., 8-bit BGR
//   worker cache BYTES box|detect STILL    the same frame from a cache; 0 bytes: without one
//   worker batch THREADS STILL             16 of that frame a call
//   worker tracker STILL                   the next frame to a box; FRAME holds several, played round and round
//   worker stream STILL                    the next frame through the whole verifier, which scores every third
//
// All but the first two answer the commands of serve.hpp.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "liveness/liveness.hpp"
#include "serve.hpp"

namespace {

using liveness::bench::read_raw;
using liveness::bench::serve;
using liveness::bench::write_raw;
using nlohmann::json;

// Octaves of smooth noise whose amplitude falls as 1/frequency, as it does in photographs.
void make_inputs(int channels, int height, int width, int count, float high, const std::string& path) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> all;
  std::vector<float> plane(static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  for (int i = 0; i < channels * count; ++i) {
    std::fill(plane.begin(), plane.end(), 0.0F);
    for (int cells = 2; cells <= 64; cells *= 2) {
      const auto n = static_cast<std::size_t>(cells) + 1;
      std::vector<float> grid(n * n);
      for (float& g : grid) g = uniform(random) / static_cast<float>(cells);
      for (int y = 0; y < height; ++y) {
        const float fy = static_cast<float>(y) * static_cast<float>(cells) / static_cast<float>(height);
        const auto y0 = static_cast<std::size_t>(fy);
        for (int x = 0; x < width; ++x) {
          const float fx = static_cast<float>(x) * static_cast<float>(cells) / static_cast<float>(width);
          const auto x0 = static_cast<std::size_t>(fx);
          const float* g = grid.data() + y0 * n + x0;
          const float ax = fx - static_cast<float>(x0);
          const float ay = fy - static_cast<float>(y0);
          plane[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)] +=
              (1 - ay) * ((1 - ax) * g[0] + ax * g[1]) + ay * ((1 - ax) * g[n] + ax * g[n + 1]);
        }
      }
    }
    const auto [low, top] = std::minmax_element(plane.begin(), plane.end());
    const float offset = *low;
    const float gain = high / (*top - offset);
    for (const float v : plane) all.push_back((v - offset) * gain);
  }
  write_raw(path, all);
}

void serve_engine(const std::string& package, const std::string& inputs, int batch, const std::string& precision) {
  using liveness::Precision;
  liveness::Model::Options options;
  for (const auto one : {Precision::kFp32, Precision::kBf16, Precision::kInt8})
    if (to_string(one) == precision) options.precision = one;
  const auto model = liveness::Model::load(package, options);
  const auto& info = model.info();
  const std::size_t in_size = info.inputs.at(0).elements();
  const std::vector<float> pool = read_raw<float>(inputs);
  const std::size_t images = pool.size() / in_size;
  const std::size_t batch_size = static_cast<std::size_t>(batch);
  if (images < batch_size) throw std::runtime_error("too few inputs for a batch");
  const std::size_t starts = images - batch_size + 1;

  std::vector<std::vector<float>> buffers;
  std::vector<std::span<float>> spans;
  for (const auto& output : info.outputs) buffers.emplace_back(batch_size * output.elements());
  for (auto& buffer : buffers) spans.emplace_back(buffer);

  const auto run = [&](int i) {
    const std::size_t first = static_cast<std::size_t>(i) % starts;
    model.run(std::span(pool).subspan(first * in_size, batch_size * in_size), spans, batch, 1);
  };
  run(0);
  serve({{{"macs", info.macs}, {"isa", liveness::to_string(info.isa)}, {"batch", batch}, {"fallback", info.fallback}},
         run,
         [&] {
           std::vector<float> all;
           for (std::size_t i = 0; i < starts; i += batch_size) {
             run(static_cast<int>(i));
             for (std::size_t b = 0; b < batch_size; ++b)
               for (std::size_t o = 0; o < buffers.size(); ++o) {
                 const auto size = static_cast<std::ptrdiff_t>(info.outputs[o].elements());
                 const auto from = buffers[o].begin() + static_cast<std::ptrdiff_t>(b) * size;
                 all.insert(all.end(), from, from + size);
               }
           }
           return all;
         }});
}

#if defined(__x86_64__)
// Twelve independent accumulators hide the latency of two pipes; assembly, so that no compiler folds the loop away. The
// registers are zeroed first: what they hold by chance could be denormal, and slow.
constexpr int kPeakLoops = 200000;
constexpr int kPeakAccumulators = 12;
#define LIVENESS_FMA_12(reg)                                                                        \
  "vfmadd231ps %%" reg "12, %%" reg "13, %%" reg "0\n vfmadd231ps %%" reg "12, %%" reg "13, %%" reg \
  "1\n"                                                                                             \
  "vfmadd231ps %%" reg "12, %%" reg "13, %%" reg "2\n vfmadd231ps %%" reg "12, %%" reg "13, %%" reg \
  "3\n"                                                                                             \
  "vfmadd231ps %%" reg "12, %%" reg "13, %%" reg "4\n vfmadd231ps %%" reg "12, %%" reg "13, %%" reg \
  "5\n"                                                                                             \
  "vfmadd231ps %%" reg "12, %%" reg "13, %%" reg "6\n vfmadd231ps %%" reg "12, %%" reg "13, %%" reg \
  "7\n"                                                                                             \
  "vfmadd231ps %%" reg "12, %%" reg "13, %%" reg "8\n vfmadd231ps %%" reg "12, %%" reg "13, %%" reg \
  "9\n"                                                                                             \
  "vfmadd231ps %%" reg "12, %%" reg "13, %%" reg "10\n vfmadd231ps %%" reg "12, %%" reg "13, %%" reg "11\n"
#define LIVENESS_CLOBBERED \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13"

void peak_avx512() {
  long loops = kPeakLoops;
  asm volatile("vzeroall\n 1:\n" LIVENESS_FMA_12("zmm") "dec %0\n jnz 1b\n vzeroupper\n"
               : "+r"(loops)
               :
               : "cc", LIVENESS_CLOBBERED, "xmm14", "xmm15");
}
void peak_avx2() {
  long loops = kPeakLoops;
  asm volatile("vzeroall\n 1:\n" LIVENESS_FMA_12("ymm") "dec %0\n jnz 1b\n vzeroupper\n"
               : "+r"(loops)
               :
               : "cc", LIVENESS_CLOBBERED, "xmm14", "xmm15");
}
#endif

void serve_peak(const std::string& isa) {
#if defined(__x86_64__)
  const bool wide = isa == "avx512";
  if (wide ? !__builtin_cpu_supports("avx512f") : !__builtin_cpu_supports("fma"))
    throw std::runtime_error("this machine has no " + isa);
  const std::int64_t macs = std::int64_t{kPeakLoops} * kPeakAccumulators * (wide ? 16 : 8);
  serve({{{"macs", macs}, {"isa", isa}},
         [wide](int) { wide ? peak_avx512() : peak_avx2(); },
         [] { return std::vector<float>(); }});
#else
  throw std::runtime_error("no measurement of the peak of " + isa + " on this architecture");
#endif
}

// A raw BGR frame, or several one after the other, and the networks for it.
struct Still {
  std::vector<std::uint8_t> pixels;
  liveness::ImageView image;  // the first
  liveness::Ensemble::Options options;
  std::vector<liveness::Model> members;

  [[nodiscard]] std::size_t frame_bytes() const {
    return static_cast<std::size_t>(image.stride) * static_cast<std::size_t>(image.height);
  }
  [[nodiscard]] std::size_t frames() const { return pixels.size() / frame_bytes(); }
  // Frame i, round and round.
  [[nodiscard]] liveness::ImageView frame(std::size_t i) const {
    liveness::ImageView view = image;
    view.data = pixels.data() + i % frames() * frame_bytes();
    return view;
  }
};

// `args`: FRAME W H DETECTOR MEMBER...
Still load_still(std::span<const std::string> args) {
  Still s;
  s.pixels = read_raw<std::uint8_t>(args[0]);
  s.image = liveness::make_image(s.pixels.data(), std::stoi(args[1]), std::stoi(args[2]), liveness::PixelFormat::kBgr);
  if (s.pixels.empty() || s.pixels.size() % s.frame_bytes() != 0)
    throw std::runtime_error(args[0] + " is not of the size given");
  s.options.detector = liveness::Model::load(args[3]);
  for (const auto& member : args.subspan(4)) s.members.push_back(liveness::Model::load(member));
  return s;
}

void serve_pipeline(const Still& still) {
  const liveness::Ensemble ensemble(still.members, still.options);
  liveness::Result result = ensemble.predict(still.image);
  serve({{{"model", result.model}, {"isa", liveness::to_string(ensemble.members().front().info().isa)}},
         [&](int) { result = ensemble.predict(still.image); },
         [&] {
           if (result.faces.empty()) throw std::runtime_error("no face was found");
           const liveness::Rect& box = result.faces.front().face.box;
           return std::vector<float>{box.x, box.y, box.width, box.height, result.score};
         }});
}

// One picture again and again, with a cache (`bytes` above 0) or without; `box`: its face is given.
void serve_cache(std::size_t bytes, bool box, Still still) {
  if (bytes > 0)
    still.options.cache = std::make_shared<liveness::PredictionCache>(liveness::PredictionCache::Options{bytes, {}});
  const liveness::Ensemble ensemble(still.members, still.options);
  const liveness::Result found = ensemble.predict(still.image);
  if (found.faces.empty()) throw std::runtime_error("no face was found");
  const liveness::Face face = found.faces.front().face;
  liveness::Result result;
  const auto predict = [&](int) { result = box ? ensemble.predict(still.image, face) : ensemble.predict(still.image); };
  predict(0);
  predict(0);
  if (result.from_cache != (bytes > 0)) throw std::runtime_error("answered by the wrong side of the cache");
  serve({{{"model", result.model}}, predict, [&] { return std::vector<float>{result.score, result.logit}; }});
}

// 16 pictures a call on so many threads.
void serve_batch(int threads, const Still& still) {
  const liveness::Ensemble ensemble(still.members, still.options);
  const std::vector<liveness::ImageView> images(16, still.image);
  std::vector<liveness::Predictor::BatchItem> items;
  serve({{{"threads", threads}, {"images", images.size()}},
         [&](int) { items = ensemble.predict_batch(images, {}, threads); },
         [&] {
           std::vector<float> scores;
           for (const auto& item : items) scores.push_back(item.result.value().score);
           return scores;
         }});
}

constexpr double kFramesPerSecond = 30;

void add_box(std::vector<float>& to, const liveness::Rect& box) {
  to.insert(to.end(), {box.x, box.y, box.width, box.height});
}

void serve_tracker(const Still& still) {
  liveness::FaceTracker tracker(*still.options.detector);
  std::size_t at = 0;  // counts on over the bursts: the film goes on where it stood
  const auto next = [&]() -> decltype(auto) {
    const double seconds = static_cast<double>(at) / kFramesPerSecond;
    return tracker.update(still.frame(at++), seconds);
  };
  serve({{{"detector", still.options.detector->contract().name}},
         [&](int) { next(); },
         [&] {
           std::vector<float> boxes;
           for (std::size_t i = 0; i < still.frames(); ++i) {
             const auto seen = next();
             add_box(boxes, seen.tracks.empty() ? liveness::Rect{} : seen.tracks.front().face.box);
           }
           return boxes;
         }});
}

void serve_stream(const Still& still) {
  liveness::Verifier::Options options;
  options.pace.score_every = 3;
  liveness::Verifier verifier(still.members, *still.options.detector, options);
  std::size_t at = 0;
  const auto next = [&] {
    const double seconds = static_cast<double>(at) / kFramesPerSecond;
    return verifier.push(still.frame(at++), seconds);
  };
  serve({{{"model", still.members.front().contract().name}, {"detector", still.options.detector->contract().name}},
         [&](int) { next(); },
         [&] {
           std::vector<float> boxes;
           std::size_t scored = 0;
           for (std::size_t i = 0; i < still.frames(); ++i) {
             const liveness::StreamUpdate update = next();
             add_box(boxes, update.tracks.empty() ? liveness::Rect{} : update.tracks.front().face.box);
             if (!update.tracks.empty() && update.tracks.front().scored) ++scored;
           }
           // The first two frames make the track.
           if (scored * 3 + 3 < still.frames())
             throw std::runtime_error("only " + std::to_string(scored) + " of " + std::to_string(still.frames()) +
                                      " frames were scored");
           return boxes;
         }});
}

void run(const std::vector<std::string>& args) {
  const std::string mode = args.empty() ? "" : args[0];
  if (mode == "inputs" && args.size() == 7)
    make_inputs(std::stoi(args[1]), std::stoi(args[2]), std::stoi(args[3]), std::stoi(args[4]), std::stof(args[5]),
                args[6]);
  else if (mode == "convert" && args.size() == 4)
    liveness::convert_onnx(args[1], args[2], args[3]);
  else if (mode == "engine" && args.size() == 5)
    serve_engine(args[1], args[2], std::stoi(args[3]), args[4]);
  else if (mode == "peak" && args.size() == 2)
    serve_peak(args[1]);
  else if (mode == "pipeline" && args.size() >= 6)
    serve_pipeline(load_still(std::span(args).subspan(1)));
  else if (mode == "cache" && args.size() >= 8)
    serve_cache(std::stoul(args[1]), args[2] == "box", load_still(std::span(args).subspan(3)));
  else if (mode == "batch" && args.size() >= 7)
    serve_batch(std::stoi(args[1]), load_still(std::span(args).subspan(2)));
  else if (mode == "tracker" && args.size() == 5)
    serve_tracker(load_still(std::span(args).subspan(1)));
  else if (mode == "stream" && args.size() >= 6)
    serve_stream(load_still(std::span(args).subspan(1)));
  else
    throw std::runtime_error("see the head of worker.cpp for the arguments");
}

}  // namespace

int main(int argc, char** argv) {
  return liveness::bench::answer([&] { run({argv + 1, argv + argc}); });
}
