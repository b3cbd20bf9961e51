#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <set>

#include "liveness/error.hpp"
#include "liveness/version.hpp"
#include "model/json.hpp"
#include "optimize/channels.hpp"
#include "optimize/measure.hpp"

namespace liveness {
namespace {

using Gradients = std::map<std::string, std::vector<float>>;

// The F32 tensors of a safetensors file. All that it holds must be gradients of this graph's constants.
Gradients read_gradients(const std::filesystem::path& path, const Graph& graph) {
  const auto fail = [&](const std::string& what) -> void {
    throw Error(Status::kInvalidArgument, "gradients: " + path.string() + ": " + what);
  };
  const std::vector<std::byte> bytes = read_file(path);
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length) fail("no safetensors file");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > bytes.size() - sizeof length) fail("ends within its header");
  const std::span<const std::byte> data = std::span(bytes).subspan(sizeof length + static_cast<std::size_t>(length));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof length,
                              static_cast<std::size_t>(length));
  const Document header = parse_json(text, path.string(), Status::kInvalidArgument);
  Gradients all;
  for (const auto& [name, field] : Field(header).members()) {
    if (name == "__metadata__") continue;
    const auto tensor = std::find_if(graph.tensors.begin(), graph.tensors.end(),
                                     [&, &wanted = name](const Tensor& t) { return t.name == wanted; });
    if (tensor == graph.tensors.end()) fail("the network has no weight \"" + name + "\"");
    if (field["dtype"].text() != "F32") fail("\"" + name + "\" is " + field["dtype"].text() + "; F32 is needed");
    Shape shape;
    for (const Field& size : field["shape"].items(kMaxRank)) shape.push_back(size.integer(1, kMaxElements));
    if (shape != tensor->shape)
      fail("\"" + name + "\" has shape " + to_string(shape) + ", the weight " + to_string(tensor->shape));
    const auto offsets = field["data_offsets"].items(2);
    const auto size = tensor->data.size() * sizeof(float);
    const auto begin = offsets.empty() ? 0 : offsets[0].integer(0, static_cast<std::int64_t>(data.size()));
    if (offsets.size() != 2 ||
        offsets[1].integer(0, static_cast<std::int64_t>(data.size())) != begin + static_cast<std::int64_t>(size)) {
      fail("\"" + name + "\": its offsets do not fit its shape");
    }
    std::vector<float>& values = all[name];
    values.resize(tensor->data.size());
    std::memcpy(values.data(), data.data() + begin, size);
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      fail("\"" + name + "\" holds NaN or infinity");
  }
  if (all.empty()) fail("holds no gradients");
  return all;
}

// Weights that a loss would move; slopes, means and variances go with their channel without speaking for it.
bool speaks(const Node& node, int tensor) {
  const bool weighted = node.op == Op::kConv || node.op == Op::kConvTranspose || node.op == Op::kLinear;
  const std::size_t at = weighted || node.op == Op::kBatchNorm ? 1 : node.inputs.size();
  return at < node.inputs.size() && node.inputs[at].id == tensor;
}

// One number a unit. L2: the norm of all weights that make or read it, each layer's relative to that layer's mean, so
// that layers can be compared. With gradients: |sum of weight * gradient|, the change of the loss to first order
// (Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning").
std::vector<double> importance(const Graph& graph, const Channels& channels, const Gradients& gradients) {
  std::vector<double> total(channels.units(), 0);
  std::vector<int> voices(channels.units(), 0);
  for (const ChannelSlice& slice : channels.slices()) {
    if (!speaks(graph.nodes[static_cast<std::size_t>(slice.node)], slice.tensor)) continue;
    const Tensor& tensor = graph.tensors[static_cast<std::size_t>(slice.tensor)];
    const auto gradient = gradients.find(tensor.name);
    if (!gradients.empty() && gradient == gradients.end()) continue;
    const auto split = tensor.shape.begin() + static_cast<std::ptrdiff_t>(slice.axis);
    const auto inner = static_cast<std::size_t>(elements({split + 1, tensor.shape.end()}));
    std::map<int, double> sums;
    for (std::size_t i = 0; i < tensor.data.size(); ++i) {
      const int unit = slice.units[i / inner % slice.units.size()];
      const auto w = static_cast<double>(tensor.data[i]);
      sums[unit] += gradients.empty() ? w * w : w * static_cast<double>(gradient->second[i]);
    }
    double mean = 0;
    for (auto& [unit, sum] : sums) {
      sum = gradients.empty() ? std::sqrt(sum) : std::abs(sum);
      mean += sum / static_cast<double>(sums.size());
    }
    for (const auto& [unit, sum] : sums) {
      if (unit < 0) continue;
      const auto u = static_cast<std::size_t>(unit);
      total[u] += !gradients.empty() ? sum : mean > 0 ? sum / mean : 1;
      ++voices[u];
    }
  }
  for (std::size_t u = 0; u < total.size(); ++u)
    if (gradients.empty() && voices[u] > 0) total[u] /= voices[u];
  return total;
}

std::int64_t macs_of(const Graph& graph) {
  std::int64_t macs = 0;
  for (const auto& node : describe(graph)) macs += node.macs;
  return macs;
}
std::int64_t parameters_of(const Graph& graph) {
  std::int64_t parameters = 0;
  for (const auto& node : describe(graph)) parameters += node.parameters;
  return parameters;
}

// The widths that a level of cutting leaves, and the units of each that stay: the most important ones.
class Cut {
 public:
  Cut(const Channels& channels, std::vector<double> worth, const PruneOptions& options)
      : channels_(channels), worth_(std::move(worth)), options_(options) {
    order_.resize(worth_.size());
    std::iota(order_.begin(), order_.end(), 0);
    // Of equals the later one goes first, so that the result depends on the weights alone.
    std::sort(order_.begin(), order_.end(), [&](int a, int b) {
      const double x = worth_[static_cast<std::size_t>(a)];
      const double y = worth_[static_cast<std::size_t>(b)];
      return x != y ? x < y : a > b;
    });
  }

  // `level` of kLevels: the share of channels that would go before widths are rounded.
  static constexpr int kLevels = 1024;
  [[nodiscard]] std::vector<bool> at(int level) const {
    const auto count = worth_.size() * static_cast<std::size_t>(level) / kLevels;
    std::vector<bool> keep(worth_.size(), true);
    if (!options_.per_layer)
      for (std::size_t i = 0; i < count; ++i) keep[static_cast<std::size_t>(order_[i])] = false;
    std::vector<std::size_t> rank(worth_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) rank[static_cast<std::size_t>(order_[i])] = i;
    for (const auto& group : channels_.groups()) {
      const auto width = static_cast<int>(group.units.size());
      const double wanted = options_.per_layer
                                ? static_cast<double>(width) * (kLevels - level) / kLevels
                                : static_cast<double>(std::count_if(group.units.begin(), group.units.end(), [&](int u) {
                                    return keep[static_cast<std::size_t>(u)];
                                  }));
      const int kept = rounded(wanted, width);
      std::vector<int> best = group.units;
      std::sort(best.begin(), best.end(),
                [&](int a, int b) { return rank[static_cast<std::size_t>(a)] > rank[static_cast<std::size_t>(b)]; });
      for (int i = 0; i < width; ++i) keep[static_cast<std::size_t>(best[static_cast<std::size_t>(i)])] = i < kept;
    }
    return keep;
  }

 private:
  [[nodiscard]] int rounded(double wanted, int width) const {
    const int step = options_.multiple;
    const int nearest = static_cast<int>(std::lround(wanted / step)) * step;
    return std::min(std::max(nearest, step), width);
  }

  const Channels& channels_;
  std::vector<double> worth_;
  const PruneOptions& options_;
  std::vector<int> order_;  // least worth first
};

}  // namespace

PruneReport prune(const std::filesystem::path& package, const std::filesystem::path& out, const PruneOptions& options) {
  if (!(options.ratio > 0 && options.ratio < 1))
    throw Error(Status::kInvalidArgument, "ratio: " + std::to_string(options.ratio) + " is not between 0 and 1");
  if (options.multiple < 1 || options.multiple > 1024)
    throw Error(Status::kInvalidArgument, "multiple: " + std::to_string(options.multiple) + " is not in 1..1024");
  const Package before = open_package(package);
  if (options.samples != nullptr) check_samples(*options.samples, before.contract);
  const Graph& graph = before.graph;
  const Channels channels(graph);
  const Gradients gradients = options.gradients.empty() ? Gradients() : read_gradients(options.gradients, graph);
  const Cut cut(channels, importance(graph, channels, gradients), options);

  PruneReport report;
  report.macs_before = macs_of(graph);
  report.parameters_before = parameters_of(graph);
  const double target = static_cast<double>(report.macs_before) * (1 - options.ratio);
  const auto macs_at = [&](int level) { return static_cast<double>(macs_of(channels.shrink(cut.at(level)))); };
  // The gentlest level that reaches the target.
  int low = 0;
  int high = Cut::kLevels;
  if (const double least = macs_at(high); least > target) {
    throw Error(Status::kUnsupported, package.string() + ": with widths that are multiples of " +
                                          std::to_string(options.multiple) + ", no more than " +
                                          std::to_string(1 - least / static_cast<double>(report.macs_before)) +
                                          " of the multiply-accumulates can be taken out");
  }
  while (low < high) {
    const int middle = (low + high) / 2;
    if (macs_at(middle) <= target)
      high = middle;
    else
      low = middle + 1;
  }
  const std::vector<bool> keep = cut.at(high);
  for (const auto& group : channels.groups()) {
    const auto kept =
        std::count_if(group.units.begin(), group.units.end(), [&](int u) { return keep[static_cast<std::size_t>(u)]; });
    report.widths.push_back({group.name, static_cast<int>(group.units.size()), static_cast<int>(kept)});
  }

  Package after{channels.shrink(keep), before.contract, before.goldens};
  report.macs_after = macs_of(after.graph);
  report.parameters_after = parameters_of(after.graph);
  after.contract.qualified.clear();
  after.contract.source_sha256.clear();
  const auto percent =
      std::lround(100 - 100 * static_cast<double>(report.macs_after) / static_cast<double>(report.macs_before));
  after.contract.provenance += " Pruned by liveness " + std::string(kVersion) + ": " + std::to_string(percent) +
                               " % fewer multiply-accumulates.";
  const auto old_plan = plan_cpu(before.graph, default_isa(), Precision::kFp32);
  const auto new_plan = plan_cpu(after.graph, default_isa(), Precision::kFp32);
  const Samples pictures = golden_samples(before);
  report.milliseconds_before = milliseconds(*old_plan, before, pictures);
  report.milliseconds_after = milliseconds(*new_plan, after, pictures);
  if (options.samples != nullptr) {
    const Samples& samples = *options.samples;
    report.drift = compare(before, samples, run_samples(*old_plan, before, samples, samples.size()),
                           run_samples(*new_plan, after, samples, samples.size()));
    if (after.contract.task == Task::kDetector)
      static_cast<void>(compare_faces(before, after, Precision::kFp32, samples, *report.drift));
  }
  save_package(after, out);
  return report;
}

}  // namespace liveness
