// Every backend, precision and instruction set on the same networks: how far scores drift from fp32 on the portable
// kernels, as a table, and bounds on it.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "liveness/error.hpp"
#include "liveness/model.hpp"
#include "model/package.hpp"
#include "natural_pictures.hpp"
#include "random_graph.hpp"
#include "shared_models.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // ten times as slow, and freed memory is kept for a while
#else
constexpr bool kSanitized = false;
#endif
constexpr int kPictures = kSanitized ? 20 : 200;
constexpr int kBatched = 20;

struct Net {
  std::string onnx;
  std::string contract;
  float faces;  // of the crop's width, the head is wide: one over the crop's scale
};
const std::vector<Net> kNets{{"minifasnet_v2_80_scale2.7.onnx", "minifasnet_v2_80.yaml", 1 / 2.7F},
                             {"minifasnet_v1se_80_scale4.0.onnx", "minifasnet_v1se_80.yaml", 1 / 4.0F},
                             {"minifasnet_v2se_128_scale1.5.onnx", "minifasnet_v2se_128.yaml", 1 / 1.5F}};

bool have_yaml() {
  try {
    static_cast<void>(contract_from_yaml("{}", ""));
  } catch (const Error& e) {
    if (e.status() == Status::kUnsupported) WARN("skipped: the library was built without YAML");
    return e.status() != Status::kUnsupported;
  }
  return true;
}

Model load(const Net& net, const Model::Options& how) {
  Model::Options options = how;
  options.contract = std::filesystem::path(LIVENESS_SOURCE_DIR) / "models" / "contracts" / net.contract;
  return Model::load(shared_models() / net.onnx, options);
}

std::vector<float> pictures(const Net& net, const InputContract& input) {
  std::vector<float> all;
  for (unsigned i = 0; i < kPictures; ++i) {
    std::vector<float> one = natural_picture(i + 1, input.width, net.faces);
    const std::size_t plane = one.size() / 3;
    for (std::size_t k = 0; k < one.size(); ++k) {
      const std::size_t c = k / plane;
      one[k] = (one[k] / 255 * (input.high - input.low) + input.low - input.mean[c]) / input.std[c];
    }
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

// P(class) of the first pictures, class by class.
std::vector<float> scores(const Model& model, const std::vector<float>& input, int pictures, int batch) {
  const auto classes = static_cast<int>(model.info().outputs.at(0).elements());
  std::vector<float> all(static_cast<std::size_t>(classes * pictures));
  const std::size_t pixels = input.size() / kPictures;
  for (int i = 0; i < pictures; i += batch) {
    const int count = std::min(batch, pictures - i);
    const auto from = static_cast<std::size_t>(i);
    const std::span<float> outputs[1] = {
        std::span(all).subspan(from * static_cast<std::size_t>(classes), static_cast<std::size_t>(count * classes))};
    model.run(std::span(input).subspan(from * pixels, static_cast<std::size_t>(count) * pixels), outputs, count, 2);
  }
  if (model.contract().score->softmax_inside) return all;
  for (auto p = all.begin(); p != all.end(); p += classes) {
    const float highest = *std::max_element(p, p + classes);
    float sum = 0;
    for (int c = 0; c < classes; ++c) sum += p[c] = std::exp((p[c] - highest) / model.contract().score->temperature);
    for (int c = 0; c < classes; ++c) p[c] /= sum;
  }
  return all;
}

struct Drift {
  float largest = 0;
  double mean = 0;
  int flips = 0;  // another class wins
};

Drift drift(const std::vector<float>& found, const std::vector<float>& wanted) {
  Drift d;
  const std::size_t classes = wanted.size() / kPictures;
  for (std::size_t i = 0; i < kPictures; ++i) {
    const auto* a = found.data() + i * classes;
    const auto* b = wanted.data() + i * classes;
    float worst = 0;
    for (std::size_t c = 0; c < classes; ++c) worst = std::max(worst, std::abs(a[c] - b[c]));
    d.largest = std::isnan(a[0]) ? INFINITY : std::max(d.largest, worst);
    d.mean += static_cast<double>(worst) / kPictures;
    d.flips += std::max_element(a, a + classes) - a != std::max_element(b, b + classes) - b ? 1 : 0;
  }
  return d;
}

struct Variant {
  std::string name;
  Model::Options options;
};

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const Isa isa : available_isas()) {
    for (const Precision precision : {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
      Variant v{"native " + std::string(to_string(isa)) + " " + std::string(to_string(precision)), {}};
      v.options.isa = isa;
      v.options.precision = precision;
      v.options.backend = Backend::kNative;
      all.push_back(v);
    }
  }
  return all;
}

}  // namespace

TEST_CASE("scores drift within bounds in every backend, precision and instruction set") {
  if (!have_yaml()) return;
  std::printf("%-22s %-24s %10s %10s %7s  %s\n", "network", "variant", "largest", "mean", "flips", "remark");
  for (const Net& net : kNets) {
    if (!have_model(net.onnx)) continue;
    Model::Options reference;
    reference.isa = Isa::kPortable;
    reference.precision = Precision::kFp32;
    const Model model = load(net, reference);
    const std::vector<float> input = pictures(net, model.contract().input);
    const std::vector<float> wanted = scores(model, input, kPictures, 1);
    // Bounds mean something only where the pictures are neither all one class nor all beyond doubt.
    const auto doubtful = std::count_if(wanted.begin(), wanted.end(), [](float p) { return p > 0.02F && p < 0.98F; });
    CHECK(doubtful > kPictures / 10);
    for (const Variant& variant : variants()) {
      const Model other = load(net, variant.options);
      const std::vector<float> found = scores(other, input, kPictures, 1);
      const Drift d = drift(found, wanted);
      std::printf("%-22s %-24s %10.6f %10.6f %3d/%d  %s\n", model.contract().name.c_str(), variant.name.c_str(),
                  static_cast<double>(d.largest), d.mean, d.flips, kPictures, other.info().fallback.c_str());
      INFO(model.contract().name << ", " << variant.name);
      switch (variant.options.precision) {
        case Precision::kFp32: CHECK(d.largest <= 1e-4F); break;
        case Precision::kBf16: CHECK(d.largest <= 0.03F); break;
        default: CHECK(d.mean <= 0.02); CHECK(d.flips <= std::max(1, kPictures / 100));
      }
      // Neither the neighbours in a batch nor the threads change a bit.
      const auto batched = scores(other, input, kBatched, 7);
      CHECK(std::equal(batched.begin(), batched.end(), found.begin()));
    }
    std::fflush(stdout);
  }
}

namespace {

// Pages of this process in memory, in bytes.
double resident() {
  std::ifstream file("/proc/self/statm");
  long pages = 0;
  long in_memory = 0;
  file >> pages >> in_memory;
  return static_cast<double>(in_memory) * 4096;
}

}  // namespace

TEST_CASE("ten thousand batches of changing size keep the memory that they began with") {
  if (kSanitized) {
    WARN("skipped: a sanitizer keeps freed memory");
    return;
  }
  // A few layers of every precision in front of the usual end of a PAD network.
  GraphBuilder b(1);
  int x = b.conv(b.input({1, 3, 16, 16}), 16, {{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}});
  for (const int channels : {64, 48, 96, 40}) x = b.prelu(b.conv1x1(x, channels));
  x = b.add(Op::kReshape, {b.value(b.add(Op::kGlobalAveragePool, {b.value(x)}))}, {{"shape", Ints{1, 40}}});
  x = b.add(Op::kLinear, {b.value(x), b.constant({40, 3}, -1, 1)});
  Package package = tiny_pad_package({});
  package.graph = b.finish({x});
  package.contract.input.width = package.contract.input.height = 16;
  package.contract.score->output = package.graph.values[static_cast<std::size_t>(x)].name;
  const auto bytes = write_package(package);
  for (const Precision precision : {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
    Model::Options options;
    options.precision = precision;
    options.backend = Backend::kNative;
    const Model model = Model::from_memory(bytes, options);
    const std::vector<float> input(model.info().inputs[0].elements() * 4, 100.0F);
    std::vector<float> output(model.info().outputs[0].elements() * 4);
    const auto run = [&](int i) {
      const auto batch = static_cast<std::size_t>(i % 4 + 1);
      const std::span<float> outputs[1] = {std::span(output).first(output.size() / 4 * batch)};
      model.run(std::span(input).first(input.size() / 4 * batch), outputs, i % 4 + 1, i % 3 + 1);
    };
    for (int i = 0; i < 200; ++i) run(i);
    const double before = resident();
    for (int i = 0; i < 10000; ++i) run(i);
    INFO(to_string(precision));
    CHECK(std::abs(resident() - before) <= 2e6);
  }
}
