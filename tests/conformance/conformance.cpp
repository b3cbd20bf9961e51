// One suite for every backend, precision, instruction set and device of this machine: the same networks, the same
// pictures, and how far each is from the native engine's portable fp32, as a table; then ten thousand batches of
// changing size in each, and what that does to the memory of the process. Needs no test framework, so that a bare
// machine can run it.
//
//   liveness_conformance [--plugin FILE] [--json FILE] [--packages FOLDER] [--models FOLDER --contracts FOLDER]
//                        [--write FILE]
//
// Networks: one made here (and written to FILE), then the packages, then ONNX files with their contracts (of FOLDER or
// LIVENESS_MODELS; with LIVENESS_REQUIRE_MODELS a missing one is an error). Ends with 1 where a limit is broken.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "liveness/backends.hpp"
#include "liveness/error.hpp"
#include "liveness/model.hpp"
#include "model/package.hpp"
#include "natural_pictures.hpp"
#include "random_graph.hpp"

namespace {

using namespace liveness;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // ten times as slow, and freed memory is kept for a while
#else
constexpr bool kSanitized = false;
#endif
constexpr int kPictures = kSanitized ? 20 : 200;  // of networks with classes
constexpr int kFew = 12;                          // of others
constexpr int kBatched = 20;

struct Drift {
  double largest = 0;
  double mean = 0;  // over pictures, of the largest of each
  int flips = 0;    // another class wins
  int pictures = 0;
};

// What is still conformance. fp32 relative to max(1, largest |output|); below it in the probabilities that classes
// stand for, or relative where there are none.
bool within(const Drift& d, Precision precision, const std::string& device, bool classes) {
  switch (precision) {
    case Precision::kBf16:
    case Precision::kFp16: return d.largest <= 0.03;
    case Precision::kInt8:
      return classes ? d.mean <= 0.02 && d.flips <= std::max(1, d.pictures / 100) : d.largest <= 0.15;
    default: return d.largest <= (device == "cpu" ? 1e-4 : 1e-3);
  }
}

struct Net {
  std::string name;
  bool made;
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

bool has_classes(const Model& model) {
  return model.contract().task == Task::kPad;
}

// Heads as wide as the network's own crop shows them.
std::vector<std::uint8_t> pictures(const Model& model, int count) {
  const InputContract& input = model.contract().input;
  const float faces = model.contract().crop ? 1 / model.contract().crop->scale : 0.5F;
  const auto channels = static_cast<std::size_t>(input.channels());
  const auto plane = static_cast<std::size_t>(input.width) * static_cast<std::size_t>(input.height);
  std::vector<std::uint8_t> pixels;
  pixels.reserve(plane * channels * static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const auto planes = test::natural_picture(static_cast<unsigned>(i) + 1, input.width, faces);
    for (std::size_t p = 0; p < plane; ++p) {
      for (std::size_t c = 0; c < channels; ++c)
        pixels.push_back(static_cast<std::uint8_t>(std::lround(std::clamp(planes[c * plane + p], 0.0F, 255.0F))));
    }
  }
  return pixels;
}

// Outputs of the first `count` pictures, `batch` at a time.
std::vector<std::vector<float>> run(const Model& model, const std::vector<std::uint8_t>& pixels, int count, int batch) {
  const InputContract& input = model.contract().input;
  const auto picture = static_cast<std::size_t>(input.channels() * input.width * input.height);
  std::vector<std::vector<float>> outputs;
  for (const TensorInfo& info : model.info().outputs)
    outputs.emplace_back(info.elements() * static_cast<std::size_t>(count));
  for (int i = 0; i < count; i += batch) {
    const int now = std::min(batch, count - i);
    std::vector<std::span<float>> spans;
    for (auto& o : outputs) {
      const std::size_t each = o.size() / static_cast<std::size_t>(count);
      spans.push_back(std::span(o).subspan(each * static_cast<std::size_t>(i), each * static_cast<std::size_t>(now)));
    }
    model.run(std::span(pixels).subspan(picture * static_cast<std::size_t>(i), picture * static_cast<std::size_t>(now)),
              spans, now, batch > 1 ? 2 : 1);
  }
  return outputs;
}

// What the classes' outputs stand for; of other outputs, and for fp32, their share of the largest.
std::vector<double> share(std::span<const float> values, bool probabilities, double scale) {
  std::vector<double> p(values.begin(), values.end());
  double sum = scale;
  if (probabilities) {
    const double top = *std::max_element(p.begin(), p.end());
    sum = 0;
    for (double& x : p) sum += x = std::exp(x - top);
  }
  for (double& x : p) x /= sum;
  return p;
}

Drift drift(const Model& model, const std::vector<std::vector<float>>& found,
            const std::vector<std::vector<float>>& wanted, int count, bool exact) {
  Drift d;
  d.pictures = count;
  std::vector<double> worst(static_cast<std::size_t>(count), 0.0);
  for (std::size_t o = 0; o < found.size(); ++o) {
    const std::size_t size = found[o].size() / worst.size();
    const bool classes = has_classes(model) && model.info().outputs[o].name == model.contract().score->output;
    const bool probabilities = classes && !exact && !model.contract().score->softmax_inside;
    double scale = 1;
    if (exact || !classes)
      for (const float v : wanted[o]) scale = std::max(scale, std::fabs(static_cast<double>(v)));
    for (std::size_t i = 0; i < worst.size(); ++i) {
      const auto a = share(std::span(found[o]).subspan(i * size, size), probabilities, scale);
      const auto b = share(std::span(wanted[o]).subspan(i * size, size), probabilities, scale);
      for (std::size_t k = 0; k < size; ++k)
        worst[i] = std::max(worst[i], std::isfinite(a[k]) ? std::fabs(a[k] - b[k]) : INFINITY);
      if (classes) {
        d.flips += std::max_element(a.begin(), a.end()) - a.begin() != std::max_element(b.begin(), b.end()) - b.begin();
      }
    }
  }
  for (const double w : worst) {
    d.largest = std::max(d.largest, w);
    d.mean += w / static_cast<double>(count);
  }
  return d;
}

// Bounds mean something only where the pictures are not all beyond doubt.
bool doubtful(const Model& model, const std::vector<std::vector<float>>& wanted, int count) {
  int doubts = 0;
  for (std::size_t o = 0; o < wanted.size(); ++o) {
    if (model.info().outputs[o].name != model.contract().score->output) continue;
    const std::size_t size = wanted[o].size() / static_cast<std::size_t>(count);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto p = share(std::span(wanted[o]).subspan(i * size, size), !model.contract().score->softmax_inside, 1);
      doubts += *std::max_element(p.begin(), p.end()) < 0.98 ? 1 : 0;
    }
  }
  return doubts > count / 10;
}

// Milliseconds of one call, the median of `rounds`.
double time_of(const Model& model, const std::vector<std::uint8_t>& pixels, int batch, int rounds) {
  std::vector<double> times;
  for (int i = 0; i < rounds + 2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    static_cast<void>(run(model, pixels, batch, batch));
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

bool have_yaml() {
  try {
    static_cast<void>(contract_from_yaml("{}", ""));
  } catch (const Error& e) {
    if (e.status() == Status::kUnsupported) std::printf("the library was built without YAML: packages only\n");
    return e.status() != Status::kUnsupported;
  }
  return true;
}

std::vector<Net> networks(const Arguments& arguments) {
  std::vector<Net> all;
  const auto bytes = std::make_shared<const std::vector<std::byte>>(write_package(made_network()));
  all.push_back({"made", true, [bytes](const Model::Options& options) { return Model::from_memory(*bytes, options); }});
  if (!arguments.write.empty()) write_file(arguments.write, *bytes);
  if (!arguments.packages.empty()) {
    for (const auto& entry : fs::directory_iterator(arguments.packages)) {
      const fs::path path = entry.path();
      if (path.extension() != ".safetensors") continue;
      all.push_back(
          {path.stem().string(), false, [path](const Model::Options& options) { return Model::load(path, options); }});
    }
  }
  const std::map<std::string, std::string> known{{"minifasnet_v2_80_scale2.7.onnx", "minifasnet_v2_80"},
                                                 {"minifasnet_v1se_80_scale4.0.onnx", "minifasnet_v1se_80"},
                                                 {"minifasnet_v2se_128_scale1.5.onnx", "minifasnet_v2se_128"},
                                                 {"yunet_s_320_320.onnx", "yunet_320"},
                                                 {"landmark68_64.onnx", "landmark68_64"}};
  const char* elsewhere = std::getenv("LIVENESS_MODELS");
  const fs::path folder = elsewhere != nullptr ? elsewhere : arguments.models;
  for (const auto& [file, name] : known) {
    if (arguments.contracts.empty() || !have_yaml()) break;
    const fs::path path = folder / file;
    if (!fs::exists(path)) {
      if (std::getenv("LIVENESS_REQUIRE_MODELS") != nullptr) throw Error(Status::kNotFound, "missing " + path.string());
      std::printf("%s: not here (LIVENESS_MODELS names the folder of the third-party networks)\n", path.c_str());
      continue;
    }
    const fs::path contract = fs::path(arguments.contracts) / (name + ".yaml");
    all.push_back({name, false, [path, contract](Model::Options options) {
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

// ---------------------------------------------------------------- memory

// Megabytes of this process in memory.
double resident() {
  std::ifstream file("/proc/self/statm");
  long pages = 0;
  long in_memory = 0;
  file >> pages >> in_memory;
  return static_cast<double>(in_memory) * 4096 / 1e6;
}

// Ten thousand batches of changing size and number of threads, after some to warm up. Returns whether all kept the
// memory that they began with.
int soak(const std::vector<Way>& all, Json& report) {
  constexpr double kBound = 2;
  constexpr int kMost = 4;
  Package package = made_network();
  test::GraphBuilder b(1);
  int x = b.conv(b.input({1, 3, 16, 16}), 16, {{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}});
  for (const int channels : {64, 48, 96, 40}) x = b.prelu(b.conv1x1(x, channels));
  x = b.add(Op::kReshape, {b.value(b.add(Op::kGlobalAveragePool, {b.value(x)}))}, {{"shape", test::Ints{1, 40}}});
  x = b.add(Op::kLinear, {b.value(x), b.constant({40, 3}, -1, 1)});
  package.graph = b.finish({x});
  package.contract.input.width = package.contract.input.height = 16;
  package.contract.score->output = package.graph.values[static_cast<std::size_t>(x)].name;
  const auto bytes = write_package(package);
  int broken = 0;
  std::printf("%-32s %14s %14s\n", "10,000 batches of 1 to 4", "MB before", "MB after");
  for (const Way& way : all) {
    if (way.options.isa != Isa::kAuto && way.options.isa != available_isas().back()) continue;
    const Model model = Model::from_memory(bytes, way.options);
    const auto pixels = pictures(model, kMost);
    std::vector<float> output(model.info().outputs[0].elements() * kMost);
    const auto pass = [&](int i) {
      const auto batch = static_cast<std::size_t>(i % kMost + 1);
      const std::span<float> outputs[1] = {std::span(output).first(output.size() / kMost * batch)};
      model.run(std::span(pixels).first(pixels.size() / kMost * batch), outputs, i % kMost + 1, i % 3 + 1);
    };
    for (int i = 0; i < 500; ++i) pass(i);
    const double before = resident();
    for (int i = 0; i < 10000; ++i) pass(i);
    const double after = resident();
    const bool ok = std::fabs(after - before) <= kBound;
    broken += ok ? 0 : 1;
    report["batches"].push_back({{"way", way.name}, {"mb_before", before}, {"mb_after", after}, {"ok", ok}});
    std::printf("%-32s %14.2f %14.2f%s\n", way.name.c_str(), before, after, ok ? "" : "  BEYOND THE LIMIT");
    std::fflush(stdout);
  }
  return broken;
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
  int broken = 0;
  const std::vector<Way> all = ways(found, arguments);
  std::printf("%-20s %-28s %10s %10s %9s %10s %11s\n", "network", "way", "largest", "mean", "flips", "batch 1 ms",
              "batch 64 ms");
  for (const Net& net : networks(arguments)) {
    Model::Options portable;
    portable.isa = Isa::kPortable;
    portable.precision = Precision::kFp32;
    const Model reference = net.load(portable);
    const bool classes = has_classes(reference);
    const int count = classes ? kPictures : kFew;
    const auto pixels = pictures(reference, count);
    const auto wanted = run(reference, pixels, count, 1);
    if (classes && !net.made && !doubtful(reference, wanted, count)) {
      std::printf("%-20s its pictures are beyond doubt: bounds on them say nothing\n", net.name.c_str());
      ++broken;
    }
    for (const Way& way : all) {
      Json row{{"network", net.name}, {"way", way.name}};
      try {
        const Model model = net.load(way.options);
        const ModelInfo& info = model.info();
        // Where a machine lacks the instructions, what would be rounded is rounded all the same, and says so.
        const bool exact = info.precision == Precision::kFp32 && info.fallback.empty();
        const auto outputs = run(model, pixels, count, 1);
        const Drift d = drift(model, outputs, wanted, count, exact);
        bool ok = within(d, exact ? Precision::kFp32 : way.options.precision, info.device, classes);
        if (info.backend == Backend::kNative) {
          // Neither the neighbours in a batch nor the threads change a bit.
          const int some = std::min(count, kBatched);
          const auto batched = run(model, pixels, some, 7);
          for (std::size_t o = 0; o < batched.size(); ++o)
            ok = ok && std::equal(batched[o].begin(), batched[o].end(), outputs[o].begin());
        }
        broken += ok ? 0 : 1;
        row.update({{"backend", to_string(info.backend)},
                    {"device", info.device},
                    {"precision", to_string(info.precision)},
                    {"fallback", info.fallback},
                    {"largest", d.largest},
                    {"mean", d.mean},
                    {"flips", d.flips},
                    {"pictures", d.pictures},
                    {"ok", ok}});
        std::string batch64 = "-";
        row["batch1_ms"] = time_of(model, pictures(model, 1), 1, info.device == "cpu" ? 9 : 200);
        if (info.device != "cpu") {
          row["batch64_ms"] = time_of(model, pictures(model, 64), 64, 50);
          batch64 = std::to_string(row["batch64_ms"].get<double>());
        }
        std::printf("%-20s %-28s %10.2g %10.2g %5d/%d %10.3f %11s%s\n", net.name.c_str(), way.name.c_str(), d.largest,
                    d.mean, d.flips, d.pictures, row["batch1_ms"].get<double>(), batch64.c_str(),
                    ok ? "" : "  BEYOND THE LIMIT");
        std::fflush(stdout);
      } catch (const Error& e) {
        row["error"] = e.what();
        ++broken;
        std::printf("%-20s %-28s %s\n", net.name.c_str(), way.name.c_str(), e.what());
      }
      report["rows"].push_back(row);
    }
  }
  if (!kSanitized) broken += soak(all, report);
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
