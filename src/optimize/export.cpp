#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "liveness/error.hpp"
#include "optimize/measure.hpp"
#include "optimize/onnx_writer.hpp"

namespace liveness {
namespace {

// What the samples show of a value. 0 belongs to it: the whole numbers that stand for it must have one for 0.
struct Seen {
  static constexpr int kBins = 2048;
  float low = 0;
  float high = 0;
  std::vector<std::int64_t> counts;  // of equal bins from low to high

  void widen(std::span<const float> values) {
    const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
    low = std::min(low, *least);
    high = std::max(high, *greatest);
  }
  void count(std::span<const float> values) {
    counts.resize(kBins);
    const float scale = high > low ? kBins / (high - low) : 0;
    for (const float v : values)
      ++counts[static_cast<std::size_t>(std::clamp(static_cast<int>((v - low) * scale), 0, kBins - 1))];
  }
};

// The range whose 8 bits have the least squared error over all that was seen. It leaves out rare extremes, which would
// make the steps of everything else coarse.
std::pair<float, float> best_range(const Seen& seen) {
  constexpr int kShares = 15;
  constexpr double kLeast = 0.3;
  const auto share = [](int i) { return 1 - (1 - kLeast) * i / (kShares - 1); };
  const double width = static_cast<double>(seen.high - seen.low) / Seen::kBins;
  std::pair<float, float> best{seen.low, seen.high};
  double least = std::numeric_limits<double>::infinity();
  for (int up = 0; up < kShares; ++up) {
    for (int down = 0; down < (seen.low < 0 ? kShares : 1); ++down) {
      const double low = static_cast<double>(seen.low) * share(down);
      const double high = static_cast<double>(seen.high) * share(up);
      const double step = (high - low) / 255;
      if (!(step > 0)) continue;
      double error = 0;
      for (std::size_t i = 0; i < seen.counts.size(); ++i) {
        if (seen.counts[i] == 0) continue;
        const double v = static_cast<double>(seen.low) + (static_cast<double>(i) + 0.5) * width;
        const double off = std::clamp(std::round((v - low) / step), 0.0, 255.0) * step + low - v;
        error += static_cast<double>(seen.counts[i]) * off * off;
      }
      if (error < least) {
        least = error;
        best = {static_cast<float>(low), static_cast<float>(high)};
      }
    }
  }
  return best;
}

// The range of each value that a layer with int8 weights reads. As in the engine's int8, the first two such layers,
// where rounding costs scores most, and those that work on a single pixel read floats.
std::map<int, std::pair<float, float>> ranges_of(const Package& package, const Samples& samples) {
  constexpr int kSpared = 2;
  int layers = 0;
  std::set<int> wanted;
  std::set<int> spared;
  for (const auto& node : package.graph.nodes) {
    if (node.inputs.size() < 2 || node.inputs[1].kind != Operand::Kind::kConstant) continue;
    const Tensor& weight = package.graph.tensors[static_cast<std::size_t>(node.inputs[1].id)];
    if (weight.storage != Tensor::Storage::kInt8) continue;
    const Shape& shape = package.graph.values[static_cast<std::size_t>(node.inputs[0].id)].shape;
    const bool pixel = shape.size() < 4 || shape[2] * shape[3] == 1;
    (pixel || layers++ < kSpared ? spared : wanted).insert(node.inputs[0].id);
  }
  for (const int id : spared) wanted.erase(id);
  const int input = package.graph.inputs[0];
  const bool reads_input = wanted.erase(input) != 0;
  // The same network with those values for outputs.
  Package inside{package.graph, package.contract, {}};
  inside.graph.outputs.assign(wanted.begin(), wanted.end());
  const auto plan = wanted.empty() ? nullptr : plan_cpu(inside.graph, default_isa(), Precision::kFp32);
  std::map<int, Seen> seen;
  for (const auto look : {&Seen::widen, &Seen::count}) {
    if (reads_input)
      for (std::size_t i = 0; i < samples.size(); ++i) (seen[input].*look)(samples.values(i));
    if (plan == nullptr) continue;
    visit_samples(*plan, inside, samples, samples.size(), [&](const SampleOutputs& outputs) {
      for (std::size_t k = 0; k < outputs.size(); ++k) (seen[inside.graph.outputs[k]].*look)(outputs[k]);
    });
  }
  std::map<int, std::pair<float, float>> ranges;
  for (const auto& [id, all] : seen) ranges[id] = best_range(all);
  return ranges;
}

}  // namespace

void export_onnx(const std::filesystem::path& package, const std::filesystem::path& onnx,
                 const ExportOptions& options) {
  const Package from = open_package(package);
  OnnxForm form;
  form.opset = options.opset;
  form.quantized = options.quantized;
  if (options.quantized) {
    const auto& tensors = from.graph.tensors;
    if (std::none_of(tensors.begin(), tensors.end(),
                     [](const Tensor& t) { return t.storage == Tensor::Storage::kInt8; })) {
      throw Error(Status::kInvalidArgument,
                  "quantized: " + package.string() + " keeps no weights as int8; quantize it first");
    }
  }
  if (options.activations != nullptr) {
    if (!options.quantized)
      throw Error(Status::kInvalidArgument, "activations: given, but the export is not quantized");
    check_samples(*options.activations, from.contract);
    form.ranges = ranges_of(from, *options.activations);
  }
  write_file(onnx, write_onnx(from.graph, form));
}

}  // namespace liveness
