#include "optimize/onnx_writer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "liveness/error.hpp"
#include "liveness/version.hpp"
#include "model/onnx_proto.hpp"
#include "model/protobuf.hpp"

namespace liveness {
namespace {

using Ints = std::vector<std::int64_t>;

class Writer {
 public:
  Writer(const Graph& graph, const OnnxForm& form) : graph_(graph), form_(form) {
    for (const auto& value : graph.values) names_.insert(value.name);
  }

  std::vector<std::byte> run();

 private:
  // A node of the file, open until the next one or the end; attributes follow its inputs and outputs.
  class NodeMessage {
   public:
    NodeMessage& integer(std::string_view name, std::int64_t value) {
      return attribute(name, onnx::Attribute::Kind::kInt, [&](WireWriter& a) { a.integer(3, value); });
    }
    NodeMessage& number(std::string_view name, float value) {
      return attribute(name, onnx::Attribute::Kind::kFloat, [&](WireWriter& a) { a.single(2, value); });
    }
    NodeMessage& text(std::string_view name, std::string_view value) {
      return attribute(name, onnx::Attribute::Kind::kString, [&](WireWriter& a) { a.text(4, value); });
    }
    NodeMessage& integers(std::string_view name, const Ints& values) {
      return attribute(name, onnx::Attribute::Kind::kInts, [&](WireWriter& a) {
        for (const auto v : values) a.integer(8, v);  // proto2 lists of the format are not packed
      });
    }

    WireWriter wire;

   private:
    template <class Fill>
    NodeMessage& attribute(std::string_view name, onnx::Attribute::Kind kind, const Fill& fill) {
      WireWriter a;
      a.text(1, name);
      fill(a);
      a.integer(20, static_cast<std::int64_t>(kind));
      wire.message(5, a);
      return *this;
    }
  };

  NodeMessage& add(std::string_view op, const std::vector<std::string>& inputs, const std::string& output,
                   const std::string& name) {
    auto& node = nodes_.emplace_back();
    for (const auto& input : inputs) node.wire.text(1, input);
    node.wire.text(2, output);
    node.wire.text(3, name);
    node.wire.text(4, op);
    return node;
  }

  // A name that nothing else in the file has: values, constants and nodes that this writer adds share one space.
  std::string unique(const std::string& wanted) {
    std::string name = wanted;
    for (int i = 2; !names_.insert(name).second; ++i) name = wanted + "_" + std::to_string(i);
    return name;
  }

  template <class T>
  std::string constant(const std::string& wanted, onnx::Type type, const Shape& shape, const std::vector<T>& data) {
    const auto name = unique(wanted);
    WireWriter tensor;
    for (const auto d : shape) tensor.integer(1, d);
    tensor.integer(2, static_cast<std::int64_t>(type));
    tensor.text(8, name);
    tensor.bytes(9, std::as_bytes(std::span(data)));
    initializers_.message(5, tensor);
    return name;
  }
  std::string ints(const std::string& wanted, const Ints& values) {
    return constant(wanted, onnx::Type::kInt64, {static_cast<std::int64_t>(values.size())}, values);
  }
  std::string scalar(const std::string& wanted, float value) {
    return constant(wanted, onnx::Type::kFloat, {}, std::vector<float>{value});
  }

  [[nodiscard]] const Value& value(int id) const { return graph_.values[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Tensor& tensor(int id) const { return graph_.tensors[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Shape& shape(const Operand& operand) const {
    return operand.kind == Operand::Kind::kValue ? value(operand.id).shape : tensor(operand.id).shape;
  }

  [[nodiscard]] bool quantized(const Node& node) const {
    return form_.quantized && node.inputs.size() > 1 && node.inputs[1].kind == Operand::Kind::kConstant &&
           (node.op == Op::kConv || node.op == Op::kLinear) &&
           tensor(node.inputs[1].id).storage == Tensor::Storage::kInt8;
  }

  std::string weight(int id);  // the tensor in its own shape
  std::string weight_as(int id, const Shape& shape);
  std::string quantized_value(int id);
  std::string operand(const Node& node, std::size_t i) {
    const Operand& o = node.inputs[i];
    switch (o.kind) {
      case Operand::Kind::kValue: return i == 0 && quantized(node) ? quantized_value(o.id) : value(o.id).name;
      case Operand::Kind::kConstant: return weight(o.id);
      case Operand::Kind::kNone: break;
    }
    return {};
  }
  std::vector<std::string> operands(const Node& node) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) names.push_back(operand(node, i));
    while (names.back().empty()) names.pop_back();
    return names;
  }

  void write(const Node& node);
  void window(NodeMessage& made, const Node& node, const Ints& kernel);
  void softmax(const Node& node);
  void linear(const Node& node);
  void resize(const Node& node);

  const Graph& graph_;
  const OnnxForm& form_;
  std::set<std::string> names_;
  std::vector<NodeMessage> nodes_;
  WireWriter initializers_;
  std::map<std::pair<int, Shape>, std::string> weights_;  // names of tensors written, by id and shape
  std::map<int, std::string> quantized_;                  // names of values behind a pair of Q and DQ
};

std::string Writer::weight_as(int id, const Shape& shape) {
  const auto [at, fresh] = weights_.try_emplace({id, shape});
  if (!fresh) return at->second;
  const Tensor& t = tensor(id);
  return at->second = constant(t.name, onnx::Type::kFloat, shape, t.data);
}

std::string Writer::weight(int id) {
  const Tensor& t = tensor(id);
  if (!form_.quantized || t.storage != Tensor::Storage::kInt8) return weight_as(id, t.shape);
  const auto [at, fresh] = weights_.try_emplace({id, t.shape});
  if (!fresh) return at->second;
  const std::int64_t axis = t.shape.size() == 2 ? 1 : 0;
  const auto split = t.shape.begin() + static_cast<std::ptrdiff_t>(axis);
  const auto inner = static_cast<std::size_t>(elements({split + 1, t.shape.end()}));
  std::vector<std::int8_t> whole(t.data.size());
  for (std::size_t i = 0; i < whole.size(); ++i)
    whole[i] = static_cast<std::int8_t>(std::lround(t.data[i] / t.scale[i / inner % t.scale.size()]));
  const Shape channels = {*split};
  at->second = unique(t.name);
  add("DequantizeLinear",
      {constant(t.name + "_int8", onnx::Type::kInt8, t.shape, whole),
       constant(t.name + "_scale", onnx::Type::kFloat, channels, t.scale),
       constant(t.name + "_zero", onnx::Type::kInt8, channels, std::vector<std::int8_t>(t.scale.size(), 0))},
      at->second, unique(t.name + "/DequantizeLinear"))
      .integer("axis", axis);
  return at->second;
}

// Unsigned 8 bits over the range seen, in which 0 is exact.
std::string Writer::quantized_value(int id) {
  const auto range = form_.ranges.find(id);
  const std::string& name = value(id).name;
  if (range == form_.ranges.end()) return name;
  const auto [at, fresh] = quantized_.try_emplace(id);
  if (!fresh) return at->second;
  const float low = std::min(range->second.first, 0.0F);
  const float high = std::max(range->second.second, 0.0F);
  const float scale = high > low ? (high - low) / 255 : 1.0F;
  const auto zero = static_cast<std::uint8_t>(std::clamp(std::lround(-low / scale), 0L, 255L));
  const std::string scales = scalar(name + "_scale", scale);
  const std::string zeros = constant(name + "_zero", onnx::Type::kUint8, {}, std::vector<std::uint8_t>{zero});
  const std::string bytes = unique(name + "_uint8");
  add("QuantizeLinear", {name, scales, zeros}, bytes, unique(name + "/QuantizeLinear"));
  at->second = unique(name + "_dq");
  add("DequantizeLinear", {bytes, scales, zeros}, at->second, unique(name + "/DequantizeLinear"));
  return at->second;
}

void Writer::window(NodeMessage& made, const Node& node, const Ints& kernel) {
  made.integers("kernel_shape", kernel);
  made.integers("strides", node.ints_attr("strides", {1, 1}));
  made.integers("pads", node.ints_attr("pads", {0, 0, 0, 0}));
}

// Before opset 13 it works over all axes from `axis` on, so that the axis has to be the last that is longer than 1.
void Writer::softmax(const Node& node) {
  const std::string& out = value(node.output).name;
  const auto& x = shape(node.inputs[0]);
  const auto axis = static_cast<std::size_t>(node.int_attr("axis", 1));
  const bool last = elements({x.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.end()}) == 1;
  if (form_.opset >= 13 || last) {
    add("Softmax", operands(node), out, node.name).integer("axis", static_cast<std::int64_t>(axis));
    return;
  }
  Ints swap(x.size());
  std::iota(swap.begin(), swap.end(), 0);
  std::swap(swap[axis], swap.back());
  const auto before = unique(out + "_last");
  const auto after = unique(out + "_soft");
  add("Transpose", operands(node), before, unique(node.name + "/before")).integers("perm", swap);
  add("Softmax", {before}, after, node.name).integer("axis", static_cast<std::int64_t>(x.size()) - 1);
  add("Transpose", {after}, out, unique(node.name + "/after")).integers("perm", swap);
}

void Writer::linear(const Node& node) {
  const std::string& out = value(node.output).name;
  auto names = operands(node);
  if (shape(node.inputs[0]).size() == 2) {
    add("Gemm", names, out, node.name);
    return;
  }
  const bool biased = names.size() > 2;
  const std::string product = biased ? unique(out + "_product") : out;
  add("MatMul", {names[0], names[1]}, product, node.name);
  if (biased) add("Add", {product, names[2]}, out, unique(node.name + "/bias"));
}

void Writer::resize(const Node& node) {
  const auto& x = shape(node.inputs[0]);
  const auto& y = value(node.output).shape;
  const auto wanted = node.floats_attr("scales", {});
  const std::vector<float> scales = {1, 1, wanted[0], wanted[1]};
  bool by_scale = true;
  for (std::size_t i = 2; i < 4; ++i)
    by_scale =
        by_scale && std::floor(static_cast<double>(scales[i]) * static_cast<double>(x[i])) == static_cast<double>(y[i]);
  const Shape none = {0};
  // The second input, of another mode, became optional with opset 13.
  const std::string roi =
      form_.opset < 13 ? constant(node.name + "_roi", onnx::Type::kFloat, none, std::vector<float>{}) : "";
  std::vector<std::string> inputs = {operand(node, 0), roi};
  if (by_scale) {
    inputs.push_back(constant(node.name + "_scales", onnx::Type::kFloat, {4}, scales));
  } else {
    // Rounding has lost the size from the scale by a hair, so the size is written; its batch is computed.
    const std::string all = unique(node.name + "_shape");
    const std::string batch = unique(node.name + "_batch");
    const std::string sizes = unique(node.name + "_sizes");
    add("Shape", {inputs[0]}, all, unique(node.name + "/shape"));
    add("Slice", {all, ints(node.name + "_begin", {0}), ints(node.name + "_end", {1})}, batch,
        unique(node.name + "/batch"));
    add("Concat", {batch, ints(node.name + "_image", {y[1], y[2], y[3]})}, sizes, unique(node.name + "/sizes"))
        .integer("axis", 0);
    inputs.push_back(form_.opset < 13 ? constant(node.name + "_scales", onnx::Type::kFloat, none, std::vector<float>{})
                                      : "");
    inputs.push_back(sizes);
  }
  auto& made = add("Resize", inputs, value(node.output).name, node.name);
  made.text("mode", node.string_attr("mode", ""))
      .text("coordinate_transformation_mode", node.string_attr("transform", ""));
  if (node.string_attr("mode", "") == "nearest") made.text("nearest_mode", node.string_attr("rounding", ""));
}

void Writer::write(const Node& node) {
  const std::string& out = value(node.output).name;
  const auto simple = [&](std::string_view op) -> NodeMessage& { return add(op, operands(node), out, node.name); };
  switch (node.op) {
    case Op::kConv:
    case Op::kConvTranspose: {
      const auto& w = shape(node.inputs[1]);
      auto& made = simple(node.op == Op::kConv ? "Conv" : "ConvTranspose");
      window(made, node, {w[2], w[3]});
      made.integers("dilations", node.ints_attr("dilations", {1, 1})).integer("group", node.int_attr("group", 1));
      if (node.op == Op::kConvTranspose) made.integers("output_padding", node.ints_attr("output_padding", {0, 0}));
      return;
    }
    case Op::kBatchNorm: simple("BatchNormalization").number("epsilon", node.float_attr("epsilon", 1e-5F)); return;
    case Op::kPRelu: {
      // The slope broadcasts from the right; [C] meets the channels only where axes of 1 follow.
      Shape slope = shape(node.inputs[1]);
      const auto rank = shape(node.inputs[0]).size();
      if (slope[0] > 1) slope.resize(rank - 1, 1);
      add("PRelu", {operand(node, 0), weight_as(node.inputs[1].id, slope)}, out, node.name);
      return;
    }
    case Op::kRelu: simple("Relu"); return;
    case Op::kLeakyRelu: simple("LeakyRelu").number("alpha", node.float_attr("alpha", 0.01F)); return;
    case Op::kClip: {
      std::vector<std::string> inputs = {operand(node, 0), "", ""};
      const float low = node.float_attr("min", std::numeric_limits<float>::lowest());
      const float high = node.float_attr("max", std::numeric_limits<float>::max());
      if (low > std::numeric_limits<float>::lowest()) inputs[1] = scalar(node.name + "_min", low);
      if (high < std::numeric_limits<float>::max()) inputs[2] = scalar(node.name + "_max", high);
      while (inputs.back().empty()) inputs.pop_back();
      add("Clip", inputs, out, node.name);
      return;
    }
    case Op::kSigmoid: simple("Sigmoid"); return;
    case Op::kHardSigmoid:
      simple("HardSigmoid")
          .number("alpha", node.float_attr("alpha", 0.2F))
          .number("beta", node.float_attr("beta", 0.5F));
      return;
    case Op::kHardSwish: {
      // An operator of its own from opset 14 on only.
      const auto gate = unique(out + "_gate");
      add("HardSigmoid", operands(node), gate, unique(node.name + "/gate"))
          .number("alpha", 1.0F / 6)
          .number("beta", 0.5F);
      add("Mul", {operand(node, 0), gate}, out, node.name);
      return;
    }
    case Op::kTanh: simple("Tanh"); return;
    case Op::kSoftmax: softmax(node); return;
    case Op::kAdd: simple("Add"); return;
    case Op::kSub: simple("Sub"); return;
    case Op::kMul: simple("Mul"); return;
    case Op::kDiv: simple("Div"); return;
    case Op::kMaxPool:
    case Op::kAveragePool: {
      auto& made = simple(node.op == Op::kMaxPool ? "MaxPool" : "AveragePool");
      window(made, node, node.ints_attr("kernel", {}));
      if (node.op == Op::kMaxPool) made.integers("dilations", node.ints_attr("dilations", {1, 1}));
      if (node.op == Op::kAveragePool) made.integer("count_include_pad", node.int_attr("count_include_pad", 0));
      return;
    }
    case Op::kGlobalAveragePool: simple("GlobalAveragePool"); return;
    case Op::kGlobalMaxPool: simple("GlobalMaxPool"); return;
    case Op::kReduceMean:
      simple("ReduceMean")
          .integers("axes", node.ints_attr("axes", {}))
          .integer("keepdims", node.int_attr("keepdims", 1));
      return;
    case Op::kLinear: linear(node); return;
    case Op::kReshape: {
      Ints target = node.ints_attr("shape", {});
      target[0] = 0;  // the batch, as it comes
      add("Reshape", {operand(node, 0), ints(node.name + "_shape", target)}, out, node.name);
      return;
    }
    case Op::kTranspose: simple("Transpose").integers("perm", node.ints_attr("perm", {})); return;
    case Op::kConcat: simple("Concat").integer("axis", node.int_attr("axis", 1)); return;
    case Op::kSlice: {
      const auto axes = node.ints_attr("axes", {});
      const std::vector<std::string> inputs = {
          operand(node, 0), ints(node.name + "_starts", node.ints_attr("starts", {})),
          ints(node.name + "_ends", node.ints_attr("ends", {})), ints(node.name + "_axes", axes),
          ints(node.name + "_steps", node.ints_attr("steps", Ints(axes.size(), 1)))};
      add("Slice", inputs, out, node.name);
      return;
    }
    case Op::kPad: {
      const auto mode = node.string_attr("mode", "constant");
      std::vector<std::string> inputs = {operand(node, 0), ints(node.name + "_pads", node.ints_attr("pads", {}))};
      if (mode == "constant") inputs.push_back(scalar(node.name + "_value", node.float_attr("value", 0)));
      add("Pad", inputs, out, node.name).text("mode", mode);
      return;
    }
    case Op::kResize: resize(node); return;
  }
}

// A tensor's name, type and shape, the first axis free.
WireWriter value_info(const Value& value) {
  WireWriter shape;
  for (std::size_t i = 0; i < value.shape.size(); ++i) {
    WireWriter dim;
    if (i == 0)
      dim.text(2, "batch");
    else
      dim.integer(1, value.shape[i]);
    shape.message(1, dim);
  }
  WireWriter tensor;
  tensor.integer(1, static_cast<std::int64_t>(onnx::Type::kFloat));
  tensor.message(2, shape);
  WireWriter type;
  type.message(1, tensor);
  WireWriter info;
  info.text(1, value.name);
  info.message(2, type);
  return info;
}

std::vector<std::byte> Writer::run() {
  for (const auto& node : graph_.nodes) names_.insert(node.name);
  for (const auto& node : graph_.nodes) write(node);
  WireWriter graph;
  for (const auto& node : nodes_) graph.message(1, node.wire);
  graph.text(2, "liveness");
  std::vector<std::byte> body = std::move(graph).take();
  const auto append = [&](std::span<const std::byte> part) { body.insert(body.end(), part.begin(), part.end()); };
  append(initializers_.data());
  WireWriter ports;
  for (const int id : graph_.inputs) ports.message(11, value_info(value(id)));
  for (const int id : graph_.outputs) ports.message(12, value_info(value(id)));
  append(ports.data());

  WireWriter model;
  model.integer(1, form_.opset < 12 ? 6 : form_.opset < 15 ? 7 : 8);  // ir_version that came with the opset
  model.text(2, "liveness");
  model.text(3, kVersion);
  model.bytes(7, body);
  WireWriter opset;
  opset.text(1, "");
  opset.integer(2, form_.opset);
  model.message(8, opset);
  return std::move(model).take();
}

}  // namespace

std::vector<std::byte> write_onnx(const Graph& graph, const OnnxForm& form) {
  if (form.opset < kOldestExport || form.opset > kNewestExport) {
    throw Error(Status::kInvalidArgument, "opset: " + std::to_string(form.opset) + " is not in " +
                                              std::to_string(kOldestExport) + ".." + std::to_string(kNewestExport));
  }
  if (form.quantized && form.opset < 13)
    throw Error(Status::kInvalidArgument, "opset: a quantized export needs 13, not " + std::to_string(form.opset));
  return Writer(graph, form).run();
}

}  // namespace liveness
