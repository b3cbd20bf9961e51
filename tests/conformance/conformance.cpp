// One suite for every backend, precision and device of this machine: the same networks, the same pictures, and how far
// each is from the native engine's portable fp32. Needs no test framework, so that a bare machine can run it.
//
//   liveness_conformance [--plugin FILE] [--json FILE] [--packages FOLDER] [--models FOLDER --contracts FOLDER]
//                        [--write FILE]
//
// Networks: one made here (and written to FILE), then the packages, then ONNX files with their contracts. Ends with 1
// where a limit is broken.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "liveness/backends.hpp"
#include "liveness/error.hpp"
#include "liveness/model.hpp"
#include "model/package.hpp"
#include "random_graph.hpp"

namespace {

using namespace liveness;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// Largest difference that is still conformance: of fp32 relative to max(1, largest |output|); of the others in the
// probabilities that the outputs stand for, or relative where they stand for none.
double limit(Precision precision, const std::string& device) {
  switch (precision) {
    case Precision::kBf16: return 0.03;
    case Precision::kFp16: return 0.03;
    case Precision::kInt8: return 0.15;
    default: return device == "cpu" ? 1e-4 : 1e-3;
  }
}

struct Net {
  std::string name;
  std::function<Model(const Model::Options&)> load;
};

// Blocks of the kind that the networks of this field are made of, with weights by dice.
Package made_network() {
  test::GraphBuilder b(17);
  const test::GraphBuilder::Window half{{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}};
  int x = b.prelu(b.batch_norm(b.conv(b.input({1, 3, 64, 64}), 24, half)));
  for (const int wide : {72, 49, 96}) {
    int y = b.prelu(b.conv1x1(x, wide));
    y = b.add(Op::kRelu, {b.value(b.batch_norm(b.conv(y, wide, {}, wide)))});
    const int pooled = b.add(Op::kGlobalAveragePool, {b.value(y)});
    const int gate = b.add(Op::kSigmoid, {b.value(b.conv1x1(b.add(Op::kRelu, {b.value(b.conv1x1(pooled, 8))}), wide))});
    y = b.conv1x1(b.add(Op::kMul, {b.value(y), b.value(gate)}), 24);
    x = b.add(Op::kAdd, {b.value(x), b.value(y)});
  }
  const int flat =
      b.add(Op::kReshape, {b.value(b.add(Op::kGlobalAveragePool, {b.value(x)}))}, {{"shape", test::Ints{1, 24}}});
  const int scores = b.add(Op::kLinear, {b.value(flat), b.constant({24, 3}, -1, 1), b.constant({3}, -1, 1)});
  Package package;
  Contract& contract = package.contract;
  contract.name = "made";
  contract.version = "1";
  contract.task = Task::kPad;
  contract.licence = "Apache-2.0";
  contract.provenance = "made by dice for tests";
  contract.input.width = contract.input.height = 64;
  contract.input.low = -1;
  contract.input.high = 1;
  contract.input.mean = {0, 0, 0};
  contract.input.std = {1, 1, 1};
  contract.crop.emplace();
  contract.score.emplace();
  contract.score->output = b.graph.values[static_cast<std::size_t>(scores)].name;
  contract.score->classes = {"attack", "live", "other"};
  contract.score->live = 1;
  contract.score->profiles["balanced"] = {0.5F, 0.5F, "made up"};
  package.graph = b.finish({scores});
  return package;
}

std::vector<std::uint8_t> pictures(const Model& model, int count) {
  const InputContract& input = model.contract().input;
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    for (int y = 0; y < input.height; ++y) {
      for (int x = 0; x < input.width; ++x) {
        for (int c = 0; c < input.channels(); ++c) {
          const double level =
              128 + 60 * std::sin(0.09 * x * (1 + i % 5) + c) + 50 * std::cos(0.07 * y * (1 + i % 3) - i);
          pixels.push_back(static_cast<std::uint8_t>(std::clamp(level, 0.0, 255.0)));
        }
      }
    }
  }
  return pixels;
}

std::vector<std::vector<float>> run(const Model& model, const std::vector<std::uint8_t>& pixels, int batch) {
  std::vector<std::vector<float>> outputs;
  std::vector<std::span<float>> spans;
  for (const TensorInfo& info : model.info().outputs)
    outputs.emplace_back(info.elements() * static_cast<std::size_t>(batch));
  for (auto& o : outputs) spans.emplace_back(o);
  model.run(std::span<const std::uint8_t>(pixels), spans, batch, 1);
  return outputs;
}

struct Drift {
  double largest = 0;
  double mean = 0;
  int flips = 0;
};

// Of P(live) for PAD networks below fp32, otherwise relative to the largest output.
Drift drift(const Model& model, const std::vector<std::vector<float>>& found,
            const std::vector<std::vector<float>>& wanted, int batch, bool exact) {
  Drift d;
  const auto count = static_cast<std::size_t>(batch);
  std::size_t n = 0;
  for (std::size_t o = 0; o < found.size(); ++o) {
    const std::size_t size = found[o].size() / count;
    const bool classes =
        model.contract().task == Task::kPad && model.info().outputs[o].name == model.contract().score->output;
    double scale = 1;
    for (const float v : wanted[o]) scale = std::max(scale, std::fabs(static_cast<double>(v)));
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = [&](const std::vector<float>& v) {
        const auto first = v.begin() + static_cast<std::ptrdiff_t>(i * size);
        std::vector<double> p(first, first + static_cast<std::ptrdiff_t>(size));
        double sum = scale;
        if (classes && !exact) {
          const double top = *std::max_element(p.begin(), p.end());
          sum = 0;
          for (double& x : p) sum += x = std::exp(x - top);
        }
        for (double& x : p) x /= sum;
        return p;
      };
      const auto a = row(found[o]);
      const auto b = row(wanted[o]);
      for (std::size_t k = 0; k < size; ++k) {
        const double difference = std::isfinite(a[k]) ? std::fabs(a[k] - b[k]) : INFINITY;
        d.largest = std::max(d.largest, difference);
        d.mean += difference;
        ++n;
      }
      if (classes) {
        d.flips += std::max_element(a.begin(), a.end()) - a.begin() != std::max_element(b.begin(), b.end()) - b.begin();
      }
    }
  }
  d.mean /= static_cast<double>(std::max<std::size_t>(n, 1));
  return d;
}

// Milliseconds of one call, the median of `rounds`.
double time_of(const Model& model, const std::vector<std::uint8_t>& pixels, int batch, int rounds) {
  std::vector<double> times;
  for (int i = 0; i < rounds + 2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    static_cast<void>(run(model, pixels, batch));
    const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
    if (i >= 2) times.push_back(spent.count());
  }
  std::nth_element(times.begin(), times.begin() + std::ssize(times) / 2, times.end());
  return times[times.size() / 2];
}

struct Arguments {
  std::string plugin;
  std::string json;
  std::string models;
  std::string contracts;
  std::string packages;
  std::string write;
  static Arguments parse(int argc, char** argv) {
    Arguments a;
    const std::map<std::string, std::string*> known{{"--plugin", &a.plugin},     {"--json", &a.json},
                                                    {"--models", &a.models},     {"--contracts", &a.contracts},
                                                    {"--packages", &a.packages}, {"--write", &a.write}};
    for (int i = 1; i + 1 < argc; i += 2) {
      const auto found = known.find(argv[i]);
      if (found == known.end()) throw Error(Status::kInvalidArgument, std::string("unknown option ") + argv[i]);
      *found->second = argv[i + 1];
    }
    return a;
  }
};

std::vector<Net> networks(const Arguments& arguments) {
  std::vector<Net> all;
  const auto bytes = std::make_shared<const std::vector<std::byte>>(write_package(made_network()));
  all.push_back({"made", [bytes](const Model::Options& options) { return Model::from_memory(*bytes, options); }});
  if (!arguments.write.empty()) write_file(arguments.write, *bytes);
  if (!arguments.packages.empty()) {
    for (const auto& entry : fs::directory_iterator(arguments.packages)) {
      const fs::path path = entry.path();
      if (path.extension() != ".safetensors") continue;
      all.push_back(
          {path.stem().string(), [path](const Model::Options& options) { return Model::load(path, options); }});
    }
  }
  const std::map<std::string, std::string> known{{"minifasnet_v2_80_scale2.7.onnx", "minifasnet_v2_80"},
                                                 {"minifasnet_v1se_80_scale4.0.onnx", "minifasnet_v1se_80"},
                                                 {"minifasnet_v2se_128_scale1.5.onnx", "minifasnet_v2se_128"},
                                                 {"yunet_s_320_320.onnx", "yunet_320"},
                                                 {"landmark68_64.onnx", "landmark68_64"}};
  for (const auto& [file, name] : known) {
    const fs::path path = fs::path(arguments.models) / file;
    if (arguments.models.empty() || !fs::exists(path)) continue;
    const fs::path contract = fs::path(arguments.contracts) / (name + ".yaml");
    all.push_back({name, [path, contract](Model::Options options) {
                     options.contract = contract;
                     return Model::load(path, options);
                   }});
  }
  return all;
}

struct Way {
  std::string name;
  Model::Options options;
};

std::vector<Way> ways(const std::vector<BackendStatus>& found, const Arguments& arguments) {
  std::vector<Way> all;
  const auto add = [&](Backend backend, Precision precision, const std::string& device, Isa isa = Isa::kAuto) {
    Way way;
    way.options.backend = backend;
    way.options.precision = precision;
    way.options.device = device;
    way.options.isa = isa;
    way.options.plugin = arguments.plugin;
    way.name = std::string(to_string(backend)) + " " + device + " " + std::string(to_string(precision));
    if (isa != Isa::kAuto) way.name += " " + std::string(to_string(isa));
    all.push_back(way);
  };
  for (const Isa isa : available_isas()) {
    for (const Precision p : {Precision::kFp32, Precision::kBf16, Precision::kInt8})
      add(Backend::kNative, p, "cpu", isa);
  }
  for (const BackendStatus& status : found) {
    if (status.backend != Backend::kTorch || !status.available) continue;
    for (const std::string& device : status.devices) {
      add(Backend::kTorch, Precision::kFp32, device);
      add(Backend::kTorch, device == "cpu" ? Precision::kInt8 : Precision::kFp16, device);
    }
  }
  return all;
}

int conformance(const Arguments& arguments) {
  const auto found = backends(arguments.plugin);
  Json report{{"backends", Json::array()}, {"rows", Json::array()}};
  for (const BackendStatus& b : found) {
    report["backends"].push_back({{"backend", to_string(b.backend)},
                                  {"available", b.available},
                                  {"version", b.version},
                                  {"devices", b.devices},
                                  {"blas", b.blas},
                                  {"graphs", b.graphs},
                                  {"missing", b.missing}});
    if (!b.available) std::printf("%s: not here: %s\n", std::string(to_string(b.backend)).c_str(), b.missing.c_str());
  }
  constexpr int kPictures = 12;
  int broken = 0;
  std::printf("%-20s %-28s %10s %10s %6s %10s %10s\n", "network", "way", "largest", "mean", "flips", "batch 1 ms",
              "batch 64 ms");
  for (const Net& net : networks(arguments)) {
    Model::Options portable;
    portable.isa = Isa::kPortable;
    portable.precision = Precision::kFp32;
    const Model reference = net.load(portable);
    const auto pixels = pictures(reference, kPictures);
    const auto wanted = run(reference, pixels, kPictures);
    for (const Way& way : ways(found, arguments)) {
      Json row{{"network", net.name}, {"way", way.name}};
      try {
        const Model model = net.load(way.options);
        const ModelInfo& info = model.info();
        // Where a machine lacks the instructions, what would be rounded is rounded all the same, and says so.
        const bool exact = info.precision == Precision::kFp32 && info.fallback.empty();
        const Drift d = drift(model, run(model, pixels, kPictures), wanted, kPictures, exact);
        const double bound = limit(exact ? Precision::kFp32 : way.options.precision, info.device);
        const bool ok = d.largest <= bound;
        broken += !ok;
        row.update({{"backend", to_string(info.backend)},
                    {"device", info.device},
                    {"precision", to_string(info.precision)},
                    {"fallback", info.fallback},
                    {"largest", d.largest},
                    {"mean", d.mean},
                    {"flips", d.flips},
                    {"limit", bound},
                    {"ok", ok}});
        std::string batch64 = "-";
        row["batch1_ms"] = time_of(model, pictures(model, 1), 1, info.device == "cpu" ? 9 : 200);
        if (info.device != "cpu") {
          row["batch64_ms"] = time_of(model, pictures(model, 64), 64, 50);
          batch64 = std::to_string(row["batch64_ms"].get<double>());
        }
        std::printf("%-20s %-28s %10.2g %10.2g %6d %10.3f %10s%s\n", net.name.c_str(), way.name.c_str(), d.largest,
                    d.mean, d.flips, row["batch1_ms"].get<double>(), batch64.c_str(), ok ? "" : "  BEYOND THE LIMIT");
      } catch (const Error& e) {
        row["error"] = e.what();
        ++broken;
        std::printf("%-20s %-28s %s\n", net.name.c_str(), way.name.c_str(), e.what());
      }
      report["rows"].push_back(row);
    }
  }
  report["broken"] = broken;
  if (!arguments.json.empty()) std::ofstream(arguments.json) << report.dump(1) << '\n';
  return broken == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return conformance(Arguments::parse(argc, argv));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "liveness_conformance: %s\n", e.what());
    return 2;
  }
}
