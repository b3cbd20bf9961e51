#include <algorithm>
#include <set>

#include "liveness/error.hpp"
#include "optimize/measure.hpp"
#include "optimize/onnx_writer.hpp"

namespace liveness {
namespace {

// Least and greatest number of each value that a layer with int8 weights reads.
std::map<int, std::pair<float, float>> ranges_of(const Package& package, const Samples& samples) {
  std::set<int> wanted;
  for (const auto& node : package.graph.nodes) {
    if (node.inputs.size() < 2 || node.inputs[1].kind != Operand::Kind::kConstant) continue;
    const Tensor& weight = package.graph.tensors[static_cast<std::size_t>(node.inputs[1].id)];
    if (weight.storage == Tensor::Storage::kInt8) wanted.insert(node.inputs[0].id);
  }
  const bool input = wanted.erase(package.graph.inputs[0]) != 0;
  std::map<int, std::pair<float, float>> ranges;
  const auto widen = [&](int id, std::span<const float> values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const auto [at, fresh] = ranges.try_emplace(id, *low, *high);
    at->second = {std::min(at->second.first, *low), std::max(at->second.second, *high)};
  };
  if (input)
    for (std::size_t i = 0; i < samples.size(); ++i) widen(package.graph.inputs[0], samples.values(i));
  if (wanted.empty()) return ranges;
  // The same network with those values for outputs.
  Package inside{package.graph, package.contract, {}};
  inside.graph.outputs.assign(wanted.begin(), wanted.end());
  const auto plan = plan_cpu(inside.graph, default_isa(), Precision::kFp32);
  visit_samples(*plan, inside, samples, samples.size(), [&](const SampleOutputs& outputs) {
    for (std::size_t k = 0; k < outputs.size(); ++k) widen(inside.graph.outputs[k], outputs[k]);
  });
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
