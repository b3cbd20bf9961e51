#include "model/onnx.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "liveness/error.hpp"
#include "model/onnx_fold.hpp"
#include "model/onnx_proto.hpp"

namespace liveness {
namespace {

using onnx::Constant;
using onnx::ConstantPtr;
using onnx::NodeReader;

constexpr std::int64_t kOldestOpset = 9;
constexpr std::int64_t kNewestOpset = 21;
constexpr std::int64_t kMaxBatch = 1 << 16;

// Names that are given once only; a taken one gets a number.
class Names {
 public:
  std::string unique(const std::string& wanted) {
    std::string name = wanted.empty() ? "_" : wanted;
    if (taken_.emplace(name, 1).second) return name;
    const std::string base = name;
    do {
      name = base + "_" + std::to_string(++taken_.at(base));
    } while (!taken_.emplace(name, 1).second);
    return name;
  }

 private:
  std::unordered_map<std::string, int> taken_;  // and the last number that was tried
};

// What an ONNX name stands for while the file is read.
struct Entry {
  int value = -1;        // value id of the graph, or
  ConstantPtr constant;  // a known tensor
};

struct Padding {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

[[noreturn]] void across_pictures(const NodeReader& node) {
  node.unsupported("it works across the batch axis; pictures would need to depend on each other");
}

class Importer {
 public:
  Importer(const onnx::Model& model, int height, int width) : model_(model), height_(height), width_(width) {}

  Graph run();

 private:
  void mark_needed();
  void read_input();
  void read_outputs();
  void read_node(NodeReader& node);
  void map_node(NodeReader& node);

  // Operands of the node being read.
  [[nodiscard]] std::optional<Entry> find(std::string_view name);
  [[nodiscard]] bool present(const NodeReader& node, std::size_t i) const;
  [[nodiscard]] Entry entry(const NodeReader& node, std::size_t i);
  [[nodiscard]] int value(const NodeReader& node, std::size_t i);
  [[nodiscard]] ConstantPtr constant(const NodeReader& node, std::size_t i, std::string_view what);
  [[nodiscard]] ConstantPtr weights(const NodeReader& node, std::size_t i, std::string_view what);  // of floats
  [[nodiscard]] const std::vector<std::int64_t>& list(const NodeReader& node, std::size_t i, std::string_view what);
  [[nodiscard]] float number(const NodeReader& node, std::size_t i, std::string_view what);
  [[nodiscard]] const Shape& shape(int value) const { return graph_.values[static_cast<std::size_t>(value)].shape; }
  [[nodiscard]] const Shape& image(const NodeReader& node, int value) const;
  // The shape that the file's own batch size gives; differs from shape() where the batch is fixed above 1.
  [[nodiscard]] Shape file_shape(int value) const;
  // An axis other than the batch, counted from 0.
  [[nodiscard]] static std::int64_t axis(const NodeReader& node, std::int64_t a, std::size_t rank);

  // Results.
  static constexpr int kIntermediate = -1;
  [[nodiscard]] Operand use(const NodeReader& node, const ConstantPtr& constant);
  [[nodiscard]] Operand add_tensor(const std::string& name, Shape shape, std::vector<float> data);
  int emit(const NodeReader& node, Op op, std::vector<Operand> inputs, std::vector<Attribute> attributes,
           int output = 0);
  void finish(const NodeReader& node, int value) { bind(node, 0, {value, nullptr}); }
  void bind(const NodeReader& node, std::size_t output, Entry entry);
  static Operand of(int value) { return {Operand::Kind::kValue, value}; }

  // Operators.
  void conv(NodeReader& node);
  void conv_transpose(NodeReader& node);
  void batch_norm(NodeReader& node);
  void prelu(NodeReader& node);
  void clip(NodeReader& node);
  void softmax(NodeReader& node);
  void binary(NodeReader& node, Op op);
  void pool(NodeReader& node);
  void reduce_mean(NodeReader& node);
  void gemm(NodeReader& node);
  void matmul(NodeReader& node);
  void reshape_to(NodeReader& node, int x, const Shape& file_target);
  void flatten(NodeReader& node);
  void reshape(NodeReader& node);
  void squeeze(NodeReader& node, bool insert);
  void transpose(NodeReader& node);
  void concat(NodeReader& node);
  void split(NodeReader& node);
  void slice(NodeReader& node);
  void pad(NodeReader& node);
  void resize(NodeReader& node);
  void dropout(NodeReader& node);
  void constant_node(NodeReader& node);
  void shape_node(NodeReader& node);
  void unary(NodeReader& node, Op op, std::vector<Attribute> attributes = {});

  struct Window {
    std::vector<std::int64_t> kernel, strides, pads, dilations;
  };
  Window window(NodeReader& node, const Shape& x, std::vector<std::int64_t> kernel);

  const onnx::Model& model_;
  int height_;
  int width_;
  std::int64_t batch_ = 1;  // of the file
  std::vector<bool> needed_;
  onnx::FoldBudget budget_;
  Graph graph_;
  Names value_names_;
  Names node_names_;
  Names tensor_names_;
  std::unordered_map<std::string_view, Entry> entries_;
  std::unordered_map<std::string_view, const onnx::Tensor*> initializers_;
  std::unordered_map<std::string_view, std::string>
      output_names_;  // ONNX names of graph outputs, as they will be called
  std::unordered_map<const Constant*, int> tensors_;
};

// ---------------------------------------------------------------- operands

std::optional<Entry> Importer::find(std::string_view name) {
  if (const auto known = entries_.find(name); known != entries_.end()) return known->second;
  const auto stored = initializers_.find(name);
  if (stored == initializers_.end()) return std::nullopt;
  Entry entry{-1, onnx::make_constant(*stored->second, onnx::clean(name))};
  entries_.emplace(name, entry);
  return entry;
}

bool Importer::present(const NodeReader& node, std::size_t i) const {
  return i < node.node().inputs.size() && !node.node().inputs[i].empty();
}

Entry Importer::entry(const NodeReader& node, std::size_t i) {
  if (!present(node, i)) node.invalid("input " + std::to_string(i) + " is missing");
  const auto name = node.node().inputs[i];
  auto found = find(name);
  if (!found) {
    const bool earlier = std::any_of(model_.nodes.data(), &node.node(), [&](const onnx::Node& other) {
      return std::find(other.outputs.begin(), other.outputs.end(), name) != other.outputs.end();
    });
    const auto text = "input \"" + onnx::clean(name) + "\" is ";
    if (earlier) node.unsupported(text + "a further result of an operator of which only the first is computed");
    node.invalid(text + "neither stored in the file nor computed before this node");
  }
  return *std::move(found);
}

int Importer::value(const NodeReader& node, std::size_t i) {
  const auto found = entry(node, i);
  if (found.constant != nullptr) {
    node.unsupported("input \"" + found.constant->name +
                     "\" is a constant; it would need a rule for folding constants");
  }
  return found.value;
}

ConstantPtr Importer::constant(const NodeReader& node, std::size_t i, std::string_view what) {
  const auto found = entry(node, i);
  if (found.constant == nullptr) {
    node.unsupported("its " + std::string(what) + " is computed from the picture; it would need to be a constant");
  }
  return found.constant;
}

ConstantPtr Importer::weights(const NodeReader& node, std::size_t i, std::string_view what) {
  auto found = constant(node, i, what);
  if (found->integer) node.invalid("its " + std::string(what) + " holds integers where floats are needed");
  return found;
}

const std::vector<std::int64_t>& Importer::list(const NodeReader& node, std::size_t i, std::string_view what) {
  return onnx::integers_of(node, *constant(node, i, what));  // entries_ keeps the constant alive
}

float Importer::number(const NodeReader& node, std::size_t i, std::string_view what) {
  const auto c = constant(node, i, what);
  if (c->size() != 1) node.invalid("its " + std::string(what) + " must be a single number");
  return c->integer ? static_cast<float>(c->integers[0]) : c->floats[0];
}

const Shape& Importer::image(const NodeReader& node, int value) const {
  if (shape(value).size() != 4) {
    node.unsupported("its input has shape " + to_string(shape(value)) +
                     "; it would need kernels for other than 4 axes");
  }
  return shape(value);
}

Shape Importer::file_shape(int value) const {
  Shape s = shape(value);
  s[0] = batch_;
  return s;
}

std::int64_t Importer::axis(const NodeReader& node, std::int64_t a, std::size_t rank) {
  const auto found = node.axis(a, rank);
  if (found == 0) across_pictures(node);
  return found;
}

// ---------------------------------------------------------------- results

Operand Importer::use(const NodeReader& node, const ConstantPtr& constant) {
  const auto [at, fresh] = tensors_.emplace(constant.get(), static_cast<int>(graph_.tensors.size()));
  if (fresh) {
    if (constant->integer) node.invalid("\"" + constant->name + "\" holds integers where floats are needed");
    graph_.tensors.push_back({tensor_names_.unique(constant->name), constant->shape, constant->floats});
  }
  return {Operand::Kind::kConstant, at->second};
}

Operand Importer::add_tensor(const std::string& name, Shape tensor_shape, std::vector<float> data) {
  graph_.tensors.push_back({tensor_names_.unique(name), std::move(tensor_shape), std::move(data)});
  return {Operand::Kind::kConstant, static_cast<int>(graph_.tensors.size()) - 1};
}

// Adds a node; its result is the given output of the ONNX node, or an intermediate.
int Importer::emit(const NodeReader& node, Op op, std::vector<Operand> inputs, std::vector<Attribute> attributes,
                   int output) {
  const bool own = output != kIntermediate;
  const auto onnx_name = own ? node.node().outputs[static_cast<std::size_t>(output)] : std::string_view{};
  Node made;
  made.op = op;
  made.name = node_names_.unique(own ? node.name() : node.name() + "/" + std::string(to_string(op)));
  made.inputs = std::move(inputs);
  made.attributes = std::move(attributes);
  made.output = static_cast<int>(graph_.values.size());
  const auto named = output_names_.find(onnx_name);
  Value result;
  result.name =
      named != output_names_.end() ? named->second : value_names_.unique(own ? onnx::clean(onnx_name) : made.name);
  result.shape = infer_shape(graph_, made);
  if (result.shape.empty() || result.shape[0] != 1) {
    node.unsupported("its result has shape " + to_string(result.shape) +
                     " for one picture; the first axis would need to stay the batch");
  }
  if (graph_.nodes.size() >= kMaxNodes)
    node.unsupported("the network has more than " + std::to_string(kMaxNodes) + " nodes");
  graph_.values.push_back(std::move(result));
  graph_.nodes.push_back(std::move(made));
  return graph_.nodes.back().output;
}

void Importer::bind(const NodeReader& node, std::size_t output, Entry entry) {
  if (output >= node.node().outputs.size() || node.node().outputs[output].empty()) return;
  const auto name = node.node().outputs[output];
  if (initializers_.count(name) != 0 || !entries_.emplace(name, std::move(entry)).second) {
    node.invalid("writes \"" + onnx::clean(name) + "\", which is written already");
  }
}

// ---------------------------------------------------------------- the file

void Importer::mark_needed() {
  std::unordered_map<std::string_view, std::size_t> producers;
  for (std::size_t i = 0; i < model_.nodes.size(); ++i) {
    for (const auto output : model_.nodes[i].outputs) producers.emplace(output, i);
  }
  needed_.assign(model_.nodes.size(), false);
  std::vector<std::string_view> open;
  for (const auto& output : model_.outputs) open.push_back(output.name);
  while (!open.empty()) {
    const auto made = producers.find(open.back());
    open.pop_back();
    if (made == producers.end() || needed_[made->second]) continue;
    needed_[made->second] = true;
    const auto& inputs = model_.nodes[made->second].inputs;
    open.insert(open.end(), inputs.begin(), inputs.end());
  }
}

void Importer::read_input() {
  const onnx::ValueInfo* input = nullptr;
  for (const auto& candidate : model_.inputs) {
    if (initializers_.count(candidate.name) != 0) continue;
    if (input != nullptr) {
      throw Error(Status::kUnsupported, "the graph has several inputs, \"" + onnx::clean(input->name) + "\" and \"" +
                                            onnx::clean(candidate.name) + "\"; one picture is all that is fed");
    }
    input = &candidate;
  }
  if (input == nullptr) throw Error(Status::kModelInvalid, "the graph has no input");
  const auto name = "input \"" + onnx::clean(input->name) + "\"";
  if (input->type != onnx::Type::kFloat && input->type != onnx::Type::kFloat16 && input->type != onnx::Type::kDouble) {
    throw Error(Status::kUnsupported, name + " has element type " + onnx::name_of(input->type) + ", needs float");
  }
  if (!input->dims || input->dims->size() < 2 || input->dims->size() > kMaxRank) {
    throw Error(Status::kUnsupported,
                name + " has no shape with a batch axis and 1 to " + std::to_string(kMaxRank - 1) + " others");
  }
  Shape dims = *input->dims;
  batch_ = dims[0] > 0 ? dims[0] : 1;
  if (batch_ > kMaxBatch) throw Error(Status::kUnsupported, name + " has a batch of " + std::to_string(batch_));
  dims[0] = 1;
  for (std::size_t i = 1; i < dims.size(); ++i) {
    if (dims[i] > 0) continue;
    const int given = dims.size() != 4 ? 0 : i == 2 ? height_ : i == 3 ? width_ : 0;
    if (given < 1) {
      throw Error(
          Status::kUnsupported,
          name + ": axis " + std::to_string(i) +
              " has no fixed size; the model would need one, or height and width given for a 1 x C x H x W input");
    }
    dims[i] = given;
  }
  graph_.values.push_back({value_names_.unique(onnx::clean(input->name)), dims});
  graph_.inputs = {0};
  entries_[input->name] = {0, nullptr};
}

// Each output keeps its name. One that is the input, a constant, or the same value as another output has no node of its
// own to carry it.
void Importer::read_outputs() {
  std::unordered_set<int> taken = {0};
  for (const auto& output : model_.outputs) {
    const auto name = "output \"" + onnx::clean(output.name) + "\"";
    const auto found = find(output.name);
    if (!found) throw Error(Status::kModelInvalid, name + " is never computed");
    if (found->constant != nullptr) throw Error(Status::kUnsupported, name + " does not depend on the picture");
    int value = found->value;
    auto& own = graph_.values[static_cast<std::size_t>(value)];
    if (own.name != output_names_.at(output.name)) {
      const bool free = std::none_of(model_.outputs.begin(), model_.outputs.end(),
                                     [&](const auto& other) { return own.name == output_names_.at(other.name); });
      if (free && taken.count(value) == 0) {
        own.name = output_names_.at(output.name);
      } else {
        Node copy{Op::kReshape,
                  node_names_.unique(onnx::clean(output.name)),
                  {of(value)},
                  static_cast<int>(graph_.values.size()),
                  {{"shape", own.shape}}};
        graph_.values.push_back({output_names_.at(output.name), own.shape});
        value = copy.output;
        graph_.nodes.push_back(std::move(copy));
      }
    } else if (value == 0) {
      throw Error(Status::kUnsupported, name + " is the input itself");
    }
    taken.insert(value);
    graph_.outputs.push_back(value);
  }
}

void Importer::read_node(NodeReader& node) {
  const auto& raw = node.node();
  if (raw.outputs.empty()) node.invalid("has no output");
  if (!raw.domain.empty() && raw.domain != "ai.onnx") {
    node.unsupported("operators of domain \"" + onnx::clean(raw.domain) +
                     "\" are not mapped; it would need the model in standard ONNX");
  }
  if (raw.op == "Constant") return constant_node(node);
  if (raw.op == "Shape" || raw.op == "Size") return shape_node(node);
  std::vector<ConstantPtr> constants;
  for (std::size_t i = 0; i < raw.inputs.size(); ++i) {
    const auto found = present(node, i) ? entry(node, i) : Entry{};
    if (found.value >= 0) break;
    constants.push_back(found.constant);
  }
  const bool known = !raw.inputs.empty() && constants.size() == raw.inputs.size();
  if (known && raw.op == "Identity") {
    bind(node, 0, entry(node, 0));
  } else if (known && onnx::can_fold(raw.op)) {
    bind(node, 0, {-1, onnx::fold(node, constants, onnx::clean(raw.outputs[0]), budget_)});
  } else {
    map_node(node);
  }
  node.finish();
}

void Importer::map_node(NodeReader& node) {
  const auto op = node.node().op;
  if (op == "Conv") return conv(node);
  if (op == "ConvTranspose") return conv_transpose(node);
  if (op == "BatchNormalization") return batch_norm(node);
  if (op == "PRelu") return prelu(node);
  if (op == "Relu") return unary(node, Op::kRelu);
  if (op == "LeakyRelu") return unary(node, Op::kLeakyRelu, {{"alpha", node.number("alpha", 0.01F)}});
  if (op == "Clip") return clip(node);
  if (op == "Sigmoid") return unary(node, Op::kSigmoid);
  if (op == "HardSigmoid") {
    return unary(node, Op::kHardSigmoid, {{"alpha", node.number("alpha", 0.2F)}, {"beta", node.number("beta", 0.5F)}});
  }
  if (op == "HardSwish") return unary(node, Op::kHardSwish);
  if (op == "Tanh") return unary(node, Op::kTanh);
  if (op == "Softmax") return softmax(node);
  if (op == "Add") return binary(node, Op::kAdd);
  if (op == "Sub") return binary(node, Op::kSub);
  if (op == "Mul") return binary(node, Op::kMul);
  if (op == "Div") return binary(node, Op::kDiv);
  if (op == "MaxPool" || op == "AveragePool") return pool(node);
  if (op == "GlobalAveragePool" || op == "GlobalMaxPool") {
    static_cast<void>(image(node, value(node, 0)));
    return unary(node, op == "GlobalMaxPool" ? Op::kGlobalMaxPool : Op::kGlobalAveragePool);
  }
  if (op == "ReduceMean") return reduce_mean(node);
  if (op == "Gemm") return gemm(node);
  if (op == "MatMul") return matmul(node);
  if (op == "Flatten") return flatten(node);
  if (op == "Reshape") return reshape(node);
  if (op == "Transpose") return transpose(node);
  if (op == "Squeeze" || op == "Unsqueeze") return squeeze(node, op == "Unsqueeze");
  if (op == "Concat") return concat(node);
  if (op == "Split") return split(node);
  if (op == "Slice") return slice(node);
  if (op == "Pad") return pad(node);
  if (op == "Resize" || op == "Upsample") return resize(node);
  if (op == "Identity") return finish(node, value(node, 0));
  if (op == "Dropout") return dropout(node);
  if (op == "Cast") {
    node.ignore("saturate");
    const auto to = static_cast<onnx::Type>(node.integer("to", 0));
    if (to != onnx::Type::kFloat && to != onnx::Type::kFloat16 && to != onnx::Type::kDouble) {
      node.unsupported("casting to " + onnx::name_of(to) + " would need values other than floats");
    }
    return finish(node, value(node, 0));
  }
  node.unsupported("this operator is not mapped; it would need a kernel in the engine");
}

// ---------------------------------------------------------------- operators

void Importer::unary(NodeReader& node, Op op, std::vector<Attribute> attributes) {
  finish(node, emit(node, op, {of(value(node, 0))}, std::move(attributes)));
}

// Padding that makes the output ceil(size / stride), the odd one after (SAME_UPPER) or before.
Padding same_padding(std::int64_t size, std::int64_t extent, std::int64_t stride, bool upper) {
  const auto total = std::max<std::int64_t>(((size + stride - 1) / stride - 1) * stride + extent - size, 0);
  return upper ? Padding{total / 2, total - total / 2} : Padding{total - total / 2, total / 2};
}

// The attributes that convolutions and pools share, automatic padding made explicit. Ranges are checked here as far as
// the arithmetic needs it.
Importer::Window Importer::window(NodeReader& node, const Shape& x, std::vector<std::int64_t> kernel) {
  Window w{std::move(kernel), node.integers("strides", {1, 1}), node.integers("pads", {0, 0, 0, 0}),
           node.integers("dilations", {1, 1})};
  const auto sane = [&](const std::vector<std::int64_t>& v, std::size_t n, std::int64_t low, const char* name) {
    constexpr std::int64_t kHigh = 1 << 16;
    if (v.size() != n || std::any_of(v.begin(), v.end(), [&](std::int64_t e) { return e < low || e > kHigh; })) {
      node.invalid(std::string(name) + " must be " + std::to_string(n) + " integers in " + std::to_string(low) + ".." +
                   std::to_string(kHigh));
    }
  };
  sane(w.kernel, 2, 1, "the kernel's size");
  sane(w.strides, 2, 1, "strides");
  sane(w.dilations, 2, 1, "dilations");
  sane(w.pads, 4, 0, "pads");
  const auto mode = node.text("auto_pad", "NOTSET");
  if (mode == "NOTSET" || mode.empty()) return w;
  if (mode == "VALID") {
    w.pads = {0, 0, 0, 0};
  } else if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    for (std::size_t i = 0; i < 2; ++i) {
      const auto p = same_padding(x[i + 2], (w.kernel[i] - 1) * w.dilations[i] + 1, w.strides[i], mode == "SAME_UPPER");
      w.pads[i] = p.before;
      w.pads[i + 2] = p.after;
    }
  } else {
    node.invalid("auto_pad is \"" + mode + "\", which is unknown");
  }
  return w;
}

// Leaves out what equals the default.
std::vector<Attribute> window_attributes(const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& lists) {
  std::vector<Attribute> attributes;
  for (const auto& [name, list] : lists) {
    const std::int64_t fallback = name == "strides" || name == "dilations" ? 1 : 0;
    if (std::any_of(list.begin(), list.end(), [&](std::int64_t v) { return v != fallback; }))
      attributes.push_back({name, list});
  }
  return attributes;
}

void Importer::conv(NodeReader& node) {
  const int x = value(node, 0);
  const auto weight = weights(node, 1, "weight");
  if (image(node, x).size() != weight->shape.size())
    node.invalid("weight has shape " + to_string(weight->shape) + ", needs 4 axes");
  const std::vector<std::int64_t> kernel = {weight->shape[2], weight->shape[3]};
  if (node.integers("kernel_shape", kernel) != kernel)
    node.invalid("kernel_shape contradicts a weight of shape " + to_string(weight->shape));
  auto w = window(node, shape(x), kernel);
  auto attributes = window_attributes({{"strides", w.strides}, {"pads", w.pads}, {"dilations", w.dilations}});
  if (const auto group = node.integer("group", 1); group != 1) attributes.push_back({"group", group});
  std::vector<Operand> inputs = {of(x), use(node, weight)};
  if (present(node, 2)) inputs.push_back(use(node, weights(node, 2, "bias")));
  finish(node, emit(node, Op::kConv, std::move(inputs), std::move(attributes)));
}

void Importer::conv_transpose(NodeReader& node) {
  const int x = value(node, 0);
  const auto& in = image(node, x);
  const auto weight = weights(node, 1, "weight");
  if (weight->shape.size() != 4) node.invalid("weight has shape " + to_string(weight->shape) + ", needs 4 axes");
  const std::vector<std::int64_t> kernel = {weight->shape[2], weight->shape[3]};
  if (node.integers("kernel_shape", kernel) != kernel)
    node.invalid("kernel_shape contradicts a weight of shape " + to_string(weight->shape));
  const auto mode = node.text("auto_pad", "NOTSET");
  const auto extra = node.integers("output_padding", {0, 0});
  auto target = node.integers("output_shape", {});
  auto w = window(node, in, kernel);
  if (extra.size() != 2 || extra[0] < 0 || extra[1] < 0 || extra[0] > w.strides[0] + w.dilations[0] ||
      extra[1] > w.strides[1] + w.dilations[1]) {
    node.invalid("output_padding is out of range");
  }
  if (target.size() > 2) target.erase(target.begin(), target.end() - 2);  // batch and channels may be named too
  if (target.empty() && (mode == "SAME_UPPER" || mode == "SAME_LOWER"))
    target = {in[2] * w.strides[0], in[3] * w.strides[1]};
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target.size() != 2 || target[i] < 1 || target[i] > kMaxElements) node.invalid("output_shape is out of range");
    const auto total = (in[i + 2] - 1) * w.strides[i] + extra[i] + (kernel[i] - 1) * w.dilations[i] + 1 - target[i];
    if (total < 0) node.unsupported("output_shape would need negative padding");
    w.pads[i] = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
    w.pads[i + 2] = total - w.pads[i];
  }
  auto attributes = window_attributes(
      {{"strides", w.strides}, {"pads", w.pads}, {"dilations", w.dilations}, {"output_padding", extra}});
  if (const auto group = node.integer("group", 1); group != 1) attributes.push_back({"group", group});
  std::vector<Operand> inputs = {of(x), use(node, weight)};
  if (present(node, 2)) inputs.push_back(use(node, weights(node, 2, "bias")));
  finish(node, emit(node, Op::kConvTranspose, std::move(inputs), std::move(attributes)));
}

void Importer::batch_norm(NodeReader& node) {
  node.ignore("momentum");
  if (node.flag("training_mode", false)) node.unsupported("training mode would need statistics of the batch");
  const float epsilon = node.number("epsilon", 1e-5F);
  std::vector<Operand> inputs = {of(value(node, 0))};
  constexpr std::array<std::string_view, 5> kWhat = {"", "scale", "bias", "mean", "variance"};
  for (std::size_t i = 1; i < 5; ++i) inputs.push_back(use(node, weights(node, i, kWhat[i])));
  finish(node, emit(node, Op::kBatchNorm, std::move(inputs), {{"epsilon", epsilon}}));
}

void Importer::prelu(NodeReader& node) {
  const int x = value(node, 0);
  const auto slope = weights(node, 1, "slope");
  const auto rank = shape(x).size();
  // Broadcast from the right: the channel axis alone may differ from 1.
  const auto channel_from_right = rank - 1;  // axis 1 of x is this many axes from the end, counting from 1
  const auto& s = slope->shape;
  const bool per_channel = s.size() >= channel_from_right && channel_from_right >= 1 &&
                           static_cast<std::int64_t>(slope->size()) == s[s.size() - channel_from_right];
  if (slope->size() == 1 || per_channel) {
    const auto n = static_cast<std::int64_t>(slope->size());
    const Operand operand = s == Shape{n} ? use(node, slope) : add_tensor(slope->name, {n}, slope->floats);
    return finish(node, emit(node, Op::kPRelu, {of(x), operand}, {}));
  }
  // max(x, 0) + slope * min(x, 0)
  const int above = emit(node, Op::kRelu, {of(x)}, {}, kIntermediate);
  const int below = emit(node, Op::kClip, {of(x)}, {{"max", 0.0F}}, kIntermediate);
  const int scaled = emit(node, Op::kMul, {of(below), use(node, slope)}, {}, kIntermediate);
  finish(node, emit(node, Op::kAdd, {of(above), of(scaled)}, {}));
}

void Importer::clip(NodeReader& node) {
  constexpr float kLow = std::numeric_limits<float>::lowest();
  constexpr float kHigh = std::numeric_limits<float>::max();
  float low = kLow;
  float high = kHigh;
  if (node.opset() < 11) {
    low = node.number("min", low);
    high = node.number("max", high);
  } else {
    if (present(node, 1)) low = number(node, 1, "min");
    if (present(node, 2)) high = number(node, 2, "max");
  }
  if (std::isnan(low) || std::isnan(high)) node.invalid("its bounds are not numbers");
  low = std::clamp(low, kLow, kHigh);
  high = std::clamp(high, kLow, kHigh);
  if (low == 0 && high == kHigh) return unary(node, Op::kRelu);
  std::vector<Attribute> attributes;
  if (low != kLow) attributes.push_back({"min", std::min(low, high)});  // ONNX: the upper bound wins
  if (high != kHigh) attributes.push_back({"max", high});
  unary(node, Op::kClip, std::move(attributes));
}

void Importer::softmax(NodeReader& node) {
  const int x = value(node, 0);
  const Shape full = shape(x);
  const auto a = axis(node, node.integer("axis", node.opset() < 13 ? 1 : -1), full.size());
  const auto split = full.begin() + static_cast<std::ptrdiff_t>(a);
  const std::int64_t inner = elements({split, full.end()});
  if (node.opset() >= 13 || inner == *split) {
    return finish(node, emit(node, Op::kSoftmax, {of(x)}, {{"axis", a}}));
  }
  // Older ones normalise over all axes from `axis` on.
  const Shape flat = {1, elements({full.begin(), split}), inner};
  const int rows = emit(node, Op::kReshape, {of(x)}, {{"shape", flat}}, kIntermediate);
  const int soft = emit(node, Op::kSoftmax, {of(rows)}, {{"axis", std::int64_t{2}}}, kIntermediate);
  finish(node, emit(node, Op::kReshape, {of(soft)}, {{"shape", full}}));
}

void Importer::binary(NodeReader& node, Op op) {
  std::vector<Operand> inputs;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto found = entry(node, i);
    inputs.push_back(found.constant != nullptr ? use(node, found.constant) : of(found.value));
  }
  finish(node, emit(node, op, std::move(inputs), {}));
}

void Importer::pool(NodeReader& node) {
  const bool average = node.node().op == "AveragePool";
  const int x = value(node, 0);
  const auto& in = image(node, x);
  node.ignore("storage_order");  // concerns the indices, which are not given
  auto w = window(node, in, node.integers("kernel_shape", {}));
  const bool include = node.flag("count_include_pad", false);
  if (average && w.dilations != std::vector<std::int64_t>{1, 1})
    node.unsupported("dilations would need a kernel of their own");
  if (node.flag("ceil_mode", false)) {
    for (std::size_t i = 0; i < 2; ++i) {
      const auto extent = (w.kernel[i] - 1) * w.dilations[i] + 1;
      const auto room = in[i + 2] + w.pads[i] + w.pads[i + 2] - extent;
      if (room < 0) continue;  // refused with the shapes
      auto last = (room + w.strides[i] - 1) / w.strides[i] * w.strides[i];
      if (last >= in[i + 2] + w.pads[i])
        last -= w.strides[i];  // a window must not start in the padding after the picture
      const auto extra = std::max<std::int64_t>(last - room, 0);
      if (average && include && extra > 0)
        node.unsupported("ceil_mode with count_include_pad would need a divisor of its own at the border");
      w.pads[i + 2] += extra;
    }
  }
  auto attributes = window_attributes({{"strides", w.strides}, {"pads", w.pads}, {"dilations", w.dilations}});
  attributes.insert(attributes.begin(), {"kernel", w.kernel});
  if (include) attributes.push_back({"count_include_pad", std::int64_t{1}});
  finish(node, emit(node, average ? Op::kAveragePool : Op::kMaxPool, {of(x)}, std::move(attributes)));
}

void Importer::reduce_mean(NodeReader& node) {
  const int x = value(node, 0);
  const auto rank = shape(x).size();
  const bool keep = node.flag("keepdims", true);
  std::vector<std::int64_t> given;
  if (node.opset() < 18)
    given = node.integers("axes", {});
  else if (present(node, 1))
    given = list(node, 1, "axes");
  if (node.flag("noop_with_empty_axes", false) && given.empty()) return finish(node, x);
  if (given.empty()) across_pictures(node);  // all axes, the batch among them
  std::vector<std::int64_t> axes;
  axes.reserve(given.size());
  for (const auto a : given) axes.push_back(axis(node, a, rank));
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  if (rank == 4 && axes == std::vector<std::int64_t>{2, 3}) {
    const int pooled = emit(node, Op::kGlobalAveragePool, {of(x)}, {}, keep ? 0 : kIntermediate);
    return finish(node, keep ? pooled : emit(node, Op::kReshape, {of(pooled)}, {{"shape", Shape{1, shape(x)[1]}}}));
  }
  std::vector<Attribute> attributes = {{"axes", axes}};
  if (!keep) attributes.push_back({"keepdims", std::int64_t{0}});
  finish(node, emit(node, Op::kReduceMean, {of(x)}, std::move(attributes)));
}

void Importer::gemm(NodeReader& node) {
  const int x = value(node, 0);
  if (shape(x).size() != 2) node.invalid("its input has shape " + to_string(shape(x)) + ", needs 2 axes");
  if (node.flag("transA", false)) across_pictures(node);
  const bool transposed = node.flag("transB", false);
  const float alpha = node.number("alpha", 1);
  const float beta = node.number("beta", 1);
  const auto b = weights(node, 1, "matrix B");
  if (b->shape.size() != 2) node.invalid("matrix B has shape " + to_string(b->shape) + ", needs 2 axes");
  const auto rows = static_cast<std::size_t>(b->shape[transposed ? 1 : 0]);
  const auto columns = static_cast<std::size_t>(b->shape[transposed ? 0 : 1]);
  std::vector<Operand> inputs = {of(x)};
  if (transposed || alpha != 1) {
    std::vector<float> data(b->floats.size());
    for (std::size_t k = 0; k < rows; ++k) {
      for (std::size_t n = 0; n < columns; ++n)
        data[k * columns + n] = alpha * b->floats[transposed ? n * rows + k : k * columns + n];
    }
    inputs.push_back(
        add_tensor(b->name, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)}, std::move(data)));
  } else {
    inputs.push_back(use(node, b));
  }
  if (present(node, 2)) {
    const auto c = weights(node, 2, "matrix C");
    if (c->shape.size() > 2 ||
        (c->size() != 1 && (c->size() != columns || static_cast<std::size_t>(c->shape.back()) != columns))) {
      node.unsupported("matrix C has shape " + to_string(c->shape) + "; it would need to be one row of " +
                       std::to_string(columns));
    }
    const Shape want = {static_cast<std::int64_t>(columns)};
    if (c->shape == want && beta == 1) {
      inputs.push_back(use(node, c));
    } else {
      std::vector<float> data(columns);
      for (std::size_t n = 0; n < columns; ++n) data[n] = beta * c->floats[c->size() == 1 ? 0 : n];
      inputs.push_back(add_tensor(c->name, want, std::move(data)));
    }
  }
  finish(node, emit(node, Op::kLinear, std::move(inputs), {}));
}

void Importer::matmul(NodeReader& node) {
  const int x = value(node, 0);
  const auto b = weights(node, 1, "second matrix");
  Shape matrix = b->shape;
  while (matrix.size() > 2 && matrix[0] == 1 && matrix.size() <= shape(x).size()) matrix.erase(matrix.begin());
  const bool vector = matrix.size() == 1;
  if (vector) matrix.push_back(1);
  if (matrix.size() != 2)
    node.unsupported("a second matrix of shape " + to_string(b->shape) + " would need products of stacked matrices");
  const Operand weight = matrix == b->shape ? use(node, b) : add_tensor(b->name, matrix, b->floats);
  const int product = emit(node, Op::kLinear, {of(x), weight}, {}, vector ? kIntermediate : 0);
  if (!vector) return finish(node, product);
  Shape target = shape(product);
  target.pop_back();
  finish(node, emit(node, Op::kReshape, {of(product)}, {{"shape", target}}));
}

// `file_target` is the result's shape at the file's own batch size.
void Importer::reshape_to(NodeReader& node, int x, const Shape& file_target) {
  Shape target = file_target;
  if (batch_ > 1) {
    if (target.empty() || target[0] != batch_) {
      node.unsupported("shape " + to_string(target) + " mixes the " + std::to_string(batch_) +
                       " pictures of the batch; the first axis would need to stay the batch");
    }
    target[0] = 1;
  }
  if (target.empty() || target[0] != 1) {
    node.unsupported("its result has shape " + to_string(target) +
                     " for one picture; the first axis would need to stay the batch");
  }
  if (target == shape(x)) return finish(node, x);
  finish(node, emit(node, Op::kReshape, {of(x)}, {{"shape", target}}));
}

void Importer::flatten(NodeReader& node) {
  const int x = value(node, 0);
  const auto full = file_shape(x);
  const auto given = node.integer("axis", 1);
  const auto rank = static_cast<std::int64_t>(full.size());
  const auto a = given == rank ? rank : node.axis(given, full.size());
  const auto split = full.begin() + static_cast<std::ptrdiff_t>(a);
  reshape_to(node, x, {elements({full.begin(), split}), elements({split, full.end()})});
}

void Importer::reshape(NodeReader& node) {
  const int x = value(node, 0);
  const bool allow_zero = node.flag("allowzero", false);
  reshape_to(node, x, onnx::resolve_reshape(node, file_shape(x), list(node, 1, "shape"), allow_zero));
}

void Importer::squeeze(NodeReader& node, bool insert) {
  const int x = value(node, 0);
  std::vector<std::int64_t> axes;
  if (node.opset() < 13)
    axes = node.integers("axes", {});
  else if (present(node, 1))
    axes = list(node, 1, "axes");
  if (insert && axes.empty()) node.invalid("names no axes");
  reshape_to(node, x, insert ? onnx::unsqueezed(node, file_shape(x), axes) : onnx::squeezed(node, file_shape(x), axes));
}

void Importer::transpose(NodeReader& node) {
  const int x = value(node, 0);
  const auto perm = onnx::resolve_perm(node, shape(x).size());
  if (perm[0] != 0) node.unsupported("it moves the batch axis; the first axis would need to stay the batch");
  if (std::is_sorted(perm.begin(), perm.end())) return finish(node, x);
  finish(node, emit(node, Op::kTranspose, {of(x)}, {{"perm", perm}}));
}

void Importer::concat(NodeReader& node) {
  std::vector<Operand> inputs;
  for (std::size_t i = 0; i < node.node().inputs.size(); ++i) inputs.push_back(of(value(node, i)));
  if (inputs.empty()) node.invalid("has no inputs");
  if (!node.has("axis")) node.invalid("attribute \"axis\" is missing");
  const auto a = axis(node, node.integer("axis", 1), shape(inputs[0].id).size());
  if (inputs.size() == 1) return finish(node, inputs[0].id);
  finish(node, emit(node, Op::kConcat, std::move(inputs), {{"axis", a}}));
}

void Importer::split(NodeReader& node) {
  const int x = value(node, 0);
  const auto a = axis(node, node.integer("axis", 0), shape(x).size());
  const auto size = shape(x)[static_cast<std::size_t>(a)];
  const auto parts = static_cast<std::int64_t>(node.node().outputs.size());
  std::vector<std::int64_t> sizes;
  if (node.opset() < 13)
    sizes = node.integers("split", {});
  else if (present(node, 1))
    sizes = list(node, 1, "split");
  if (node.integer("num_outputs", parts) != parts)
    node.invalid("num_outputs contradicts " + std::to_string(parts) + " outputs");
  if (sizes.empty()) {
    const auto each = (size + parts - 1) / parts;
    if (node.opset() < 18 && size % parts != 0)
      node.invalid("an axis of " + std::to_string(size) + " has no " + std::to_string(parts) + " equal parts");
    sizes.assign(static_cast<std::size_t>(parts), each);
    sizes.back() = size - each * (parts - 1);
  }
  if (static_cast<std::int64_t>(sizes.size()) != parts) node.invalid("split has not one entry an output");
  std::int64_t start = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 1 || sizes[i] > size - start) node.invalid("split does not fit an axis of " + std::to_string(size));
    const auto end = start + sizes[i];
    const int part = sizes[i] == size ? x
                                      : emit(node, Op::kSlice, {of(x)},
                                             {{"axes", Shape{a}}, {"starts", Shape{start}}, {"ends", Shape{end}}},
                                             static_cast<int>(i));
    bind(node, i, {part, nullptr});
    start = end;
  }
  if (start != size) node.invalid("split does not fit an axis of " + std::to_string(size));
}

void Importer::slice(NodeReader& node) {
  const int x = value(node, 0);
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> axes;
  std::vector<std::int64_t> steps;
  if (node.opset() < 10) {
    starts = node.integers("starts", {});
    ends = node.integers("ends", {});
    axes = node.integers("axes", {});
  } else {
    starts = list(node, 1, "starts");
    ends = list(node, 2, "ends");
    if (present(node, 3)) axes = list(node, 3, "axes");
    if (present(node, 4)) steps = list(node, 4, "steps");
  }
  const auto full = file_shape(x);
  std::vector<std::int64_t> kept[4];  // axes, starts, ends, steps
  for (const auto& r : onnx::resolve_slice(node, full, starts, ends, std::move(axes), std::move(steps))) {
    const auto size = full[static_cast<std::size_t>(r.axis)];
    if (r.count == size && r.step > 0) continue;
    if (r.axis == 0) across_pictures(node);
    if (r.step < 0) node.unsupported("a negative step would need a kernel that reverses an axis");
    if (r.count == 0) node.unsupported("its result is empty; values would need at least one element");
    const auto step = r.count == 1 ? 1 : r.step;
    const std::array<std::int64_t, 4> entries = {r.axis, r.start, r.start + (r.count - 1) * step + 1, step};
    for (std::size_t i = 0; i < 4; ++i) kept[i].push_back(entries[i]);
  }
  if (kept[0].empty()) return finish(node, x);
  std::vector<Attribute> attributes = {{"axes", kept[0]}, {"starts", kept[1]}, {"ends", kept[2]}};
  if (std::any_of(kept[3].begin(), kept[3].end(), [](std::int64_t s) { return s != 1; }))
    attributes.push_back({"steps", kept[3]});
  finish(node, emit(node, Op::kSlice, {of(x)}, std::move(attributes)));
}

void Importer::pad(NodeReader& node) {
  const int x = value(node, 0);
  const auto rank = shape(x).size();
  const auto mode = node.text("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge")
    node.unsupported("mode \"" + mode + "\" would need a kernel of its own");
  std::vector<std::int64_t> given;
  float fill = 0;
  std::vector<std::int64_t> axes;
  if (node.opset() < 11) {
    given = node.integers("pads", {});
    fill = node.number("value", 0);
  } else {
    given = list(node, 1, "pads");
    if (present(node, 2)) fill = number(node, 2, "value");
    if (present(node, 3))
      axes = list(node, 3, "axes");
    else if (given.size() != 2 * rank)
      node.invalid("pads need two entries an axis");
  }
  if (axes.empty()) {
    for (std::size_t i = 0; i < rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  if (axes.size() > rank || given.size() != 2 * axes.size()) node.invalid("pads need two entries an axis");
  std::vector<std::int64_t> pads(2 * rank, 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto a = static_cast<std::size_t>(node.axis(axes[i], rank));
    const auto before = given[i];
    const auto after = given[i + axes.size()];
    if (before < 0 || after < 0) node.unsupported("negative pads would need cropping");
    if (a == 0 && (before != 0 || after != 0)) across_pictures(node);
    pads[a] = before;
    pads[a + rank] = after;
  }
  if (std::all_of(pads.begin(), pads.end(), [](std::int64_t p) { return p == 0; })) return finish(node, x);
  std::vector<Attribute> attributes = {{"pads", pads}};
  if (mode != "constant")
    attributes.push_back({"mode", mode});
  else if (fill != 0)
    attributes.push_back({"value", fill});
  finish(node, emit(node, Op::kPad, {of(x)}, std::move(attributes)));
}

void Importer::resize(NodeReader& node) {
  const int x = value(node, 0);
  const Shape in = image(node, x);
  const auto full = file_shape(x);
  const bool first_form = node.opset() < 11;  // Upsample and the first Resize: scales alone
  auto mode = node.text("mode", "nearest");
  if (mode == "bilinear") mode = "linear";
  if (mode != "nearest" && mode != "linear") node.unsupported("mode \"" + mode + "\" would need a kernel of its own");
  auto transform = node.text("coordinate_transformation_mode", first_form ? "asymmetric" : "half_pixel");
  auto rounding = node.text("nearest_mode", first_form ? "" : "round_prefer_floor");
  if (node.flag("antialias", false)) node.unsupported("antialias would need a kernel of its own");
  if (node.text("keep_aspect_ratio_policy", "stretch") != "stretch")
    node.unsupported("keep_aspect_ratio_policy would need the sizes that follow from it");
  for (const auto* name : {"cubic_coeff_a", "exclude_outside", "extrapolation_value"})
    node.ignore(name);  // of modes refused here

  const auto axes = node.integers("axes", {0, 1, 2, 3});
  std::array<double, 4> scales = {1, 1, 1, 1};
  std::array<std::int64_t, 4> sizes = {full[0], full[1], full[2], full[3]};
  const std::size_t scales_at = first_form ? 1 : 2;
  const bool by_size = !first_form && present(node, 3) && constant(node, 3, "sizes")->size() > 0;
  const auto each = [&](std::size_t count, auto set) {
    if (count != axes.size() || count > 4) node.invalid("scales or sizes need one entry an axis");
    for (std::size_t i = 0; i < count; ++i) set(static_cast<std::size_t>(node.axis(axes[i], 4)), i);
  };
  if (by_size) {
    const auto& given = list(node, 3, "sizes");
    each(given.size(), [&](std::size_t a, std::size_t i) {
      if (given[i] < 1 || given[i] > kMaxElements) node.invalid("a size is out of range");
      sizes[a] = given[i];
      scales[a] = static_cast<double>(static_cast<float>(given[i]) / static_cast<float>(full[a]));
    });
  } else {
    const auto given = weights(node, scales_at, "scales");
    each(given->size(), [&](std::size_t a, std::size_t i) {
      const float scale = given->floats[i];
      const float size = std::floor(scale * static_cast<float>(full[a]));
      if (!(scale > 0) || !(size >= 1) || size > static_cast<float>(kMaxElements))
        node.invalid("a scale is out of range");
      sizes[a] = static_cast<std::int64_t>(size);
      scales[a] = static_cast<double>(scale);
    });
  }
  if (sizes[0] != full[0] || sizes[1] != full[1] || scales[0] != 1 || scales[1] != 1) {
    node.unsupported("resizing batch or channels would need a kernel of its own");
  }
  if (sizes[2] == in[2] && sizes[3] == in[3] && scales[2] == 1 && scales[3] == 1) return finish(node, x);

  if (transform == "pytorch_half_pixel" && sizes[2] > 1 && sizes[3] > 1) transform = "half_pixel";
  if (transform == "half_pixel_symmetric" && scales[2] * static_cast<double>(in[2]) == static_cast<double>(sizes[2]) &&
      scales[3] * static_cast<double>(in[3]) == static_cast<double>(sizes[3])) {
    transform = "half_pixel";
  }
  if (transform != "asymmetric" && transform != "half_pixel" && transform != "align_corners") {
    node.unsupported("coordinate_transformation_mode \"" + transform + "\" would need a kernel of its own");
  }
  if (first_form) {
    if (mode == "nearest" && (scales[2] < 1) != (scales[3] < 1))
      node.unsupported("shrinking one axis and enlarging the other would need two roundings");
    rounding = scales[2] < 1 ? "ceil" : "floor";
  }
  if (rounding != "floor" && rounding != "ceil" && rounding != "round_prefer_floor" &&
      rounding != "round_prefer_ceil") {
    node.invalid("nearest_mode is \"" + rounding + "\", which is unknown");
  }
  std::vector<Attribute> attributes = {
      {"mode", mode},
      {"transform", transform},
      {"scales", std::vector<float>{static_cast<float>(scales[2]), static_cast<float>(scales[3])}},
      {"sizes", Shape{sizes[2], sizes[3]}}};
  if (mode == "nearest") attributes.push_back({"rounding", rounding});
  finish(node, emit(node, Op::kResize, {of(x)}, std::move(attributes)));
}

void Importer::dropout(NodeReader& node) {
  node.ignore("ratio");
  node.ignore("seed");
  if (present(node, 2) && number(node, 2, "training mode") != 0)
    node.unsupported("training mode would need random numbers");
  finish(node, value(node, 0));
}

void Importer::constant_node(NodeReader& node) {
  const auto name = onnx::clean(node.node().outputs[0]);
  Constant c;
  c.name = name;
  ConstantPtr result;
  if (const auto* tensor = node.tensor("value")) {
    result = onnx::make_constant(*tensor, name);
  } else {
    if (node.has("value_float")) {
      c.floats = {node.number("value_float", 0)};
    } else if (node.has("value_floats")) {
      c.floats = node.floats("value_floats", {});
      c.shape = {static_cast<std::int64_t>(c.floats.size())};
    } else if (node.has("value_int")) {
      c.integer = true;
      c.integers = {node.integer("value_int", 0)};
    } else if (node.has("value_ints")) {
      c.integer = true;
      c.integers = node.integers("value_ints", {});
      c.shape = {static_cast<std::int64_t>(c.integers.size())};
    } else {
      node.unsupported("it would need a value of numbers");
    }
    result = std::make_shared<const Constant>(std::move(c));
  }
  node.finish();
  bind(node, 0, {-1, std::move(result)});
}

void Importer::shape_node(NodeReader& node) {
  const auto found = entry(node, 0);
  const Shape full = found.constant != nullptr ? found.constant->shape : file_shape(found.value);
  Constant c;
  c.name = onnx::clean(node.node().outputs[0]);
  c.integer = true;
  if (node.node().op == "Size") {
    c.integers = {elements(full)};
  } else {
    const auto rank = static_cast<std::int64_t>(full.size());
    const auto bound = [&](std::int64_t v) { return std::clamp<std::int64_t>(v < 0 ? v + rank : v, 0, rank); };
    const auto start = bound(node.integer("start", 0));
    const auto end = std::max(bound(node.integer("end", rank)), start);
    c.integers.assign(full.begin() + static_cast<std::ptrdiff_t>(start),
                      full.begin() + static_cast<std::ptrdiff_t>(end));
    c.shape = {end - start};
  }
  node.finish();
  bind(node, 0, {-1, std::make_shared<const Constant>(std::move(c))});
}

// ---------------------------------------------------------------- passes

// Decomposed hard sigmoid and hard swish: clip(x + 3, 0, 6) / 6, and that times x in either order.
class Decomposed {
 public:
  explicit Decomposed(Graph& graph) : graph_(graph), producer_(graph.values.size(), nullptr) {}

  void run() {
    for (auto& node : graph_.nodes) {
      if (const int x = sixth_of(node, [&](Operand o) { return relu6_of_shifted(o); }); x >= 0) {
        rewrite(node, Op::kHardSigmoid, x, {{"alpha", 1.0F / 6}, {"beta", 0.5F}});
      } else if (const int y = sixth_of(node, [&](Operand o) { return product(o, &Decomposed::relu6_of_shifted); });
                 y >= 0) {
        rewrite(node, Op::kHardSwish, y, {});
      } else if (const int z = product_of(node, &Decomposed::hard_sigmoid); z >= 0) {
        rewrite(node, Op::kHardSwish, z, {});
      }
      producer_[static_cast<std::size_t>(node.output)] = &node;
    }
  }

 private:
  using Match = int (Decomposed::*)(Operand) const;  // the value that the operand is a function of, or -1

  [[nodiscard]] const Node* made_by(Operand operand, Op op) const {
    if (operand.kind != Operand::Kind::kValue) return nullptr;
    const Node* node = producer_[static_cast<std::size_t>(operand.id)];
    return node != nullptr && node->op == op ? node : nullptr;
  }
  [[nodiscard]] bool is(Operand operand, float wanted) const {
    if (operand.kind != Operand::Kind::kConstant) return false;
    const auto& data = graph_.tensors[static_cast<std::size_t>(operand.id)].data;
    return data.size() == 1 && near(data[0], wanted);
  }
  static bool near(float a, float b) { return std::fabs(a - b) <= 1e-6F * std::max(1.0F, std::fabs(b)); }

  // clip(x + 3, 0, 6)
  [[nodiscard]] int relu6_of_shifted(Operand operand) const {
    const Node* clip = made_by(operand, Op::kClip);
    if (clip == nullptr || clip->float_attr("min", -1) != 0 || !near(clip->float_attr("max", 0), 6)) return -1;
    const Node* shift = made_by(clip->inputs[0], Op::kAdd);
    if (shift == nullptr) return -1;
    if (is(shift->inputs[1], 3)) return shift->inputs[0].id;
    return is(shift->inputs[0], 3) ? shift->inputs[1].id : -1;
  }
  [[nodiscard]] int hard_sigmoid(Operand operand) const {
    const Node* node = made_by(operand, Op::kHardSigmoid);
    const bool match = node != nullptr && near(node->float_attr("alpha", 0.2F), 1.0F / 6) &&
                       near(node->float_attr("beta", 0.5F), 0.5F);
    return match ? node->inputs[0].id : -1;
  }

  // x * f(x): x, or -1
  [[nodiscard]] int product_of(const Node& node, Match f) const {
    if (node.op != Op::kMul) return -1;
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& x = node.inputs[1 - i];
      if (x.kind == Operand::Kind::kValue && (this->*f)(node.inputs[i]) == x.id) return x.id;
    }
    return -1;
  }
  [[nodiscard]] int product(Operand operand, Match f) const {
    const Node* node = made_by(operand, Op::kMul);
    return node != nullptr ? product_of(*node, f) : -1;
  }
  // f(x) / 6
  template <class F>
  [[nodiscard]] int sixth_of(const Node& node, const F& f) const {
    if (node.op == Op::kDiv && is(node.inputs[1], 6)) return f(node.inputs[0]);
    if (node.op != Op::kMul) return -1;
    if (is(node.inputs[1], 1.0F / 6)) return f(node.inputs[0]);
    return is(node.inputs[0], 1.0F / 6) ? f(node.inputs[1]) : -1;
  }

  // Only where the result keeps its shape: a constant of higher rank may have added axes.
  void rewrite(Node& node, Op op, int x, std::vector<Attribute> attributes) {
    const auto& values = graph_.values;
    if (values[static_cast<std::size_t>(x)].shape != values[static_cast<std::size_t>(node.output)].shape) return;
    node.op = op;
    node.inputs = {{Operand::Kind::kValue, x}};
    node.attributes = std::move(attributes);
  }

  Graph& graph_;
  std::vector<const Node*> producer_;
};

// Drops nodes, values and tensors that no output needs, and numbers the rest anew in the old order.
Graph without_dead_parts(Graph graph) {
  std::vector<bool> live(graph.values.size(), false);
  std::vector<bool> used(graph.tensors.size(), false);
  for (const int id : graph.inputs) live[static_cast<std::size_t>(id)] = true;
  for (const int id : graph.outputs) live[static_cast<std::size_t>(id)] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (!live[static_cast<std::size_t>(node->output)]) continue;
    for (const auto& operand : node->inputs) {
      if (operand.kind == Operand::Kind::kValue) live[static_cast<std::size_t>(operand.id)] = true;
      if (operand.kind == Operand::Kind::kConstant) used[static_cast<std::size_t>(operand.id)] = true;
    }
  }
  std::erase_if(graph.nodes, [&](const Node& node) { return !live[static_cast<std::size_t>(node.output)]; });

  const auto compact = [](auto& list, const std::vector<bool>& keep) {
    std::vector<int> ids(list.size(), -1);
    std::size_t n = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!keep[i]) continue;
      ids[i] = static_cast<int>(n);
      if (n != i) list[n] = std::move(list[i]);
      ++n;
    }
    list.resize(n);
    return ids;
  };
  const auto values = compact(graph.values, live);
  const auto tensors = compact(graph.tensors, used);
  const auto renumber = [&](int& id) { id = values[static_cast<std::size_t>(id)]; };
  for (auto& node : graph.nodes) {
    renumber(node.output);
    for (auto& operand : node.inputs) {
      if (operand.kind == Operand::Kind::kValue) renumber(operand.id);
      if (operand.kind == Operand::Kind::kConstant) operand.id = tensors[static_cast<std::size_t>(operand.id)];
    }
  }
  for (int& id : graph.inputs) renumber(id);
  for (int& id : graph.outputs) renumber(id);
  return graph;
}

Graph Importer::run() {
  if (model_.opset == 0) throw Error(Status::kModelInvalid, "the file names no opset");
  if (model_.opset < kOldestOpset || model_.opset > kNewestOpset) {
    throw Error(Status::kUnsupported, "opset " + std::to_string(model_.opset) + "; " + std::to_string(kOldestOpset) +
                                          " to " + std::to_string(kNewestOpset) + " are read");
  }
  if (model_.has_sparse_initializers)
    throw Error(Status::kUnsupported, "sparse initializers would need to be stored dense");
  if (model_.outputs.empty()) throw Error(Status::kModelInvalid, "the graph has no outputs");
  for (const auto& tensor : model_.initializers) initializers_.emplace(tensor.name, &tensor);
  read_input();
  for (const auto& output : model_.outputs) {
    if (!output_names_.emplace(output.name, value_names_.unique(onnx::clean(output.name))).second) {
      throw Error(Status::kModelInvalid, "output \"" + onnx::clean(output.name) + "\" is listed twice");
    }
  }
  mark_needed();
  for (std::size_t i = 0; i < model_.nodes.size(); ++i) {
    if (!needed_[i]) continue;
    NodeReader node(model_.nodes[i], model_.opset);
    read_node(node);
  }
  read_outputs();
  Decomposed(graph_).run();
  Graph graph = without_dead_parts(std::move(graph_));
  check_graph(graph);
  return graph;
}

}  // namespace

Graph read_onnx(std::span<const std::byte> bytes, std::string_view origin, int height, int width) {
  try {
    const auto model = onnx::decode(bytes);
    return Importer(model, height, width).run();
  } catch (const Error& error) {
    throw Error(error.status(), std::string(origin) + ": " + error.what());
  }
}

}  // namespace liveness
