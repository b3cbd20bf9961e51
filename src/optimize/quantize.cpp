#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "liveness/error.hpp"
#include "model/storage.hpp"
#include "optimize/measure.hpp"

namespace liveness {
namespace {

constexpr std::size_t kProbes = 16;  // samples on which single layers are tried

bool has_weights(const Node& node) {
  return node.op == Op::kConv || node.op == Op::kConvTranspose || node.op == Op::kLinear;
}

void set_precision(Node& node, const char* precision) {
  std::erase_if(node.attributes, [](const Attribute& a) { return a.name == "precision"; });
  node.attributes.push_back({"precision", std::string(precision)});
}

class Quantizer {
 public:
  Quantizer(Package before, const QuantizeOptions& options)
      : before_(std::move(before)), options_(options), isa_(default_isa()) {
    for (std::size_t i = 0; i < before_.graph.nodes.size(); ++i) {
      if (!has_weights(before_.graph.nodes[i])) continue;
      layers_.push_back(i);
    }
    if (layers_.empty()) throw Error(Status::kUnsupported, "the network has no layer with weights");
    lowest_ = Precision::kFp32;
    for (const Precision p : options.qualify) lowest_ = std::max(lowest_, p);
  }

  QuantizeReport run(Package& after);

 private:
  using Layers = std::set<std::size_t>;  // node indices

  [[nodiscard]] Tensor::Storage storage_of(std::size_t layer) const;
  // `fp32`: layers that stay as they are, in storage and arithmetic.
  [[nodiscard]] Package rounded(const Layers& fp32) const;
  [[nodiscard]] std::unique_ptr<const Executable> plan(const Package& package, Precision precision) const {
    return plan_cpu(package.graph, isa_, precision);
  }
  [[nodiscard]] std::vector<double> layer_errors(const Samples& probes) const;
  [[nodiscard]] Qualification judge(const Package& after, Precision precision) const;

  Package before_;
  const QuantizeOptions& options_;
  Isa isa_;
  std::vector<std::size_t> layers_;
  Precision lowest_;
  std::vector<SampleOutputs> expected_;  // of the unchanged network on all samples
};

// What a layer's weight is kept as. Eight bits cost the scores more than they save where weights are few: depthwise and
// first layers, classifiers. Those become half floats, and so does a weight whose channels lie elsewhere for another
// node.
Tensor::Storage Quantizer::storage_of(std::size_t layer) const {
  constexpr std::size_t kFew = 2048;
  const Node& node = before_.graph.nodes[layer];
  const auto wanted = static_cast<Tensor::Storage>(options_.storage);
  if (wanted != Tensor::Storage::kInt8) return wanted;
  const int axis = channel_axis(node.op, 1);
  const Tensor& weight = before_.graph.tensors[static_cast<std::size_t>(node.inputs[1].id)];
  if (axis < 0 || node.int_attr("group", 1) > 1 || weight.data.size() < kFew) return Tensor::Storage::kFp16;
  for (const auto& other : before_.graph.nodes)
    for (std::size_t i = 0; i < other.inputs.size(); ++i)
      if (other.inputs[i].kind == Operand::Kind::kConstant && other.inputs[i].id == node.inputs[1].id &&
          channel_axis(other.op, i) != axis) {
        return Tensor::Storage::kFp16;
      }
  return wanted;
}

Package Quantizer::rounded(const Layers& fp32) const {
  Package after = before_;
  // Of nodes that share a weight one that stays keeps it for all.
  std::set<int> whole;
  for (const std::size_t i : fp32) whole.insert(after.graph.nodes[i].inputs[1].id);
  for (const std::size_t i : layers_) {
    Node& node = after.graph.nodes[i];
    if (fp32.count(i) != 0) {
      if (node.op != Op::kConvTranspose) set_precision(node, "fp32");
      continue;
    }
    Tensor& weight = after.graph.tensors[static_cast<std::size_t>(node.inputs[1].id)];
    if (whole.count(node.inputs[1].id) != 0 || weight.storage != Tensor::Storage::kFp32) continue;
    round_to(weight, storage_of(i), static_cast<std::size_t>(std::max(0, channel_axis(node.op, 1))));
  }
  return after;
}

std::vector<double> Quantizer::layer_errors(const Samples& probes) const {
  const auto wanted = run_samples(*plan(before_, Precision::kFp32), before_, probes, kProbes);
  std::vector<double> errors;
  for (const std::size_t layer : layers_) {
    Layers others(layers_.begin(), layers_.end());
    others.erase(layer);
    const Package alone = rounded(others);
    errors.push_back(relative_error(wanted, run_samples(*plan(alone, lowest_), alone, probes, kProbes)));
  }
  return errors;
}

std::string percent(double share) {
  std::string text = std::to_string(std::round(share * 1e4) / 100);
  return text.substr(0, text.find('.') + 3) + " %";
}

Qualification Quantizer::judge(const Package& after, Precision precision) const {
  Qualification q;
  q.precision = precision;
  const auto executable = plan(after, precision);
  q.milliseconds = milliseconds(*executable, after, golden_samples(after));
  if (options_.samples == nullptr) {
    q.reason = "no samples were given to measure it on";
    return q;
  }
  const Samples& samples = *options_.samples;
  q.drift = compare(after, samples, expected_, run_samples(*executable, after, samples, samples.size()));
  const bool detector = after.contract.task == Task::kDetector;
  if (!detector && after.contract.task != Task::kPad) {
    q.reason = "only PAD networks have verdicts and only detectors faces to compare";
    return q;
  }
  if (detector && compare_faces(before_, after, precision, samples, q.drift) == 0) {
    q.reason = "no face was found in the samples";
    return q;
  }
  const auto bound = [&](const char* what, double found, double allowed) {
    q.reason +=
        (q.reason.empty() ? "" : "; ") + std::string(what) + " " + percent(found) + ", allowed " + percent(allowed);
    return found <= allowed;
  };
  q.passed = bound("flips", q.drift.flips, options_.gate.flips);
  q.passed = bound("mean change of the score", q.drift.mean_score, options_.gate.score) && q.passed;
  if (detector) {
    q.passed = bound("of boxes", q.drift.boxes, options_.gate.score) && q.passed;
    q.passed = bound("of landmarks", q.drift.landmarks, options_.gate.score) && q.passed;
  }
  if (q.drift.before)
    q.passed = bound("growth of ACER", q.drift.after->acer() - q.drift.before->acer(), options_.gate.acer) && q.passed;
  return q;
}

QuantizeReport Quantizer::run(Package& after) {
  QuantizeReport report;
  Layers kept;
  for (const auto& name : options_.keep) {
    const auto found = std::find_if(layers_.begin(), layers_.end(),
                                    [&](std::size_t i) { return before_.graph.nodes[i].name == name; });
    if (found == layers_.end())
      throw Error(Status::kInvalidArgument, "keep: the network has no layer \"" + name + "\"");
    kept.insert(*found);
  }
  const Samples pictures = golden_samples(before_);
  const auto old_plan = plan(before_, Precision::kFp32);
  report.milliseconds_before = milliseconds(*old_plan, before_, pictures);
  const Samples& samples = options_.samples != nullptr ? *options_.samples : pictures;
  expected_ = run_samples(*old_plan, before_, samples, samples.size());

  const std::vector<double> errors = layer_errors(samples);
  std::vector<std::size_t> order(layers_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return errors[a] > errors[b]; });

  // As few layers in fp32 as the gate takes; where it takes none of the choices, as few as give most.
  const auto most = options_.samples == nullptr
                        ? std::size_t{0}
                        : static_cast<std::size_t>(options_.sensitive * static_cast<double>(layers_.size()));
  Layers chosen = kept;
  std::ptrdiff_t passed = -1;
  for (std::size_t count = 0; count <= most; count = count == 0                         ? 1
                                                     : count * 2 > most && count < most ? most
                                                                                        : count * 2) {
    Layers fp32 = kept;
    for (std::size_t i = 0; i < count; ++i) fp32.insert(layers_[order[i]]);
    Package candidate = rounded(fp32);
    std::vector<Qualification> qualifications;
    for (const Precision p : options_.qualify) qualifications.push_back(judge(candidate, p));
    const auto all =
        std::count_if(qualifications.begin(), qualifications.end(), [](const auto& q) { return q.passed; });
    if (all > passed) {
      passed = all;
      chosen = fp32;
      after = std::move(candidate);
      report.qualifications = std::move(qualifications);
    }
    if (passed == static_cast<std::ptrdiff_t>(options_.qualify.size())) break;
  }
  after.contract.qualified.clear();
  for (const auto& q : report.qualifications)
    if (q.passed) after.contract.qualified.push_back(q.precision);
  report.stored =
      compare(after, samples, expected_, run_samples(*plan(after, Precision::kFp32), after, samples, samples.size()));
  if (after.contract.task == Task::kDetector)
    static_cast<void>(compare_faces(before_, after, Precision::kFp32, samples, report.stored));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Node& node = after.graph.nodes[layers_[i]];
    const Tensor& weight = after.graph.tensors[static_cast<std::size_t>(node.inputs[1].id)];
    const std::size_t each = weight.storage == Tensor::Storage::kFp32   ? 4
                             : weight.storage == Tensor::Storage::kFp16 ? 2
                                                                        : 1;
    report.layers.push_back({node.name, weight.data.size() * each + weight.scale.size() * sizeof(float), errors[i],
                             chosen.count(layers_[i]) == 0});
  }
  return report;
}

void check(const QuantizeOptions& options) {
  const auto fail = [](const std::string& what) { throw Error(Status::kInvalidArgument, what); };
  const auto share = [&](const char* name, double value) {
    if (!(value >= 0 && value <= 1)) fail(std::string(name) + ": " + std::to_string(value) + " is not in 0..1");
  };
  share("gate.acer", options.gate.acer);
  share("gate.flips", options.gate.flips);
  share("gate.score", options.gate.score);
  share("sensitive", options.sensitive);
  if (options.storage > Storage::kInt8)
    fail("storage: no such storage: " + std::to_string(static_cast<int>(options.storage)));
  for (std::size_t i = 0; i < options.qualify.size(); ++i) {
    const Precision p = options.qualify[i];
    const std::string name = "qualify[" + std::to_string(i) + "]: ";
    if (p != Precision::kBf16 && p != Precision::kInt8)
      fail(name + "\"" + std::string(to_string(p)) + "\" cannot be measured here; bf16 and int8 can");
    if (std::count(options.qualify.begin(), options.qualify.end(), p) > 1) fail(name + "given twice");
  }
}

}  // namespace

QuantizeReport quantize(const std::filesystem::path& package, const std::filesystem::path& out,
                        const QuantizeOptions& options) {
  check(options);
  Package before = open_package(package);
  if (options.samples != nullptr) check_samples(*options.samples, before.contract);
  const auto bytes_before = static_cast<std::uint64_t>(std::filesystem::file_size(package));
  Package after;
  QuantizeReport report = Quantizer(std::move(before), options).run(after);
  report.bytes_before = bytes_before;
  report.bytes_after = save_package(after, out);
  return report;
}

}  // namespace liveness
