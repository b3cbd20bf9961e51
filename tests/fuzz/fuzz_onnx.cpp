// ONNX reader: any bytes are read or refused with an Error. What is read passes the graph's own check unchanged, and is
// run by the plain interpreter where it is small.
#include <fuzzer/FuzzedDataProvider.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "fuzz_seeds.hpp"
#include "liveness/error.hpp"
#include "model/onnx.hpp"
#include "onnx_builder.hpp"
#include "reference.hpp"

namespace {

using namespace liveness;
using namespace liveness::test;

// The first byte chooses what the rest is: a file, or choices from which a well-formed file of odd nodes is built, so
// that the fuzzer gets past the encoding.
constexpr std::uint8_t kFile = 'f';
constexpr std::uint8_t kChoices = 'c';

constexpr std::int64_t kSmall = 200000;  // elements or multiply-accumulates that the plain interpreter may be given

void check(std::string_view bytes) {
  Graph graph;
  try {
    graph = read_onnx(std::as_bytes(std::span(bytes)), "fuzz", 16, 16);
  } catch (const Error& error) {
    if (error.status() != Status::kModelInvalid && error.status() != Status::kUnsupported) std::abort();
    return;
  }
  Graph again = graph;
  check_graph(again);
  std::int64_t work = 0;
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].shape != again.values[i].shape) std::abort();
    work += elements(graph.values[i].shape);
  }
  for (const auto& node : describe(graph)) {
    if (node.macs < 0 || node.parameters < 0) std::abort();
    work += node.macs;
  }
  for (const auto& tensor : graph.tensors) work += elements(tensor.shape);
  for (const auto& node : graph.nodes) {
    for (const auto v : node.ints_attr("kernel", {1}))
      work *= std::max<std::int64_t>(v, 1);  // pools count no multiply-accumulates
    if (work > kSmall) return;
  }
  const std::vector<float> input(static_cast<std::size_t>(elements(graph.values[0].shape)), 0.5F);
  const auto outputs = run_reference(graph, input);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& shape = graph.values[static_cast<std::size_t>(graph.outputs[i])].shape;
    if (outputs[i].size() != static_cast<std::size_t>(elements(shape))) std::abort();
  }
}

constexpr auto kOps = std::to_array<std::string_view>({"Add",
                                                       "AveragePool",
                                                       "BatchNormalization",
                                                       "Cast",
                                                       "Ceil",
                                                       "Clip",
                                                       "Concat",
                                                       "Constant",
                                                       "ConstantOfShape",
                                                       "Conv",
                                                       "ConvTranspose",
                                                       "Div",
                                                       "Dropout",
                                                       "Equal",
                                                       "Expand",
                                                       "Flatten",
                                                       "Floor",
                                                       "Gather",
                                                       "Gemm",
                                                       "GlobalAveragePool",
                                                       "GlobalMaxPool",
                                                       "HardSigmoid",
                                                       "HardSwish",
                                                       "Identity",
                                                       "LeakyRelu",
                                                       "MatMul",
                                                       "MaxPool",
                                                       "Mul",
                                                       "PRelu",
                                                       "Pad",
                                                       "Range",
                                                       "ReduceMean",
                                                       "ReduceProd",
                                                       "Relu",
                                                       "Reshape",
                                                       "Resize",
                                                       "Shape",
                                                       "Sigmoid",
                                                       "Size",
                                                       "Slice",
                                                       "Softmax",
                                                       "Split",
                                                       "Sqrt",
                                                       "Squeeze",
                                                       "Sub",
                                                       "Tanh",
                                                       "Transpose",
                                                       "Unsqueeze",
                                                       "Upsample",
                                                       "Where"});
constexpr auto kIntLists =
    std::to_array<std::string_view>({"strides", "pads", "dilations", "kernel_shape", "output_padding", "output_shape",
                                     "axes", "perm", "starts", "ends", "split", "value_ints"});
constexpr auto kIntegers = std::to_array<std::string_view>(
    {"group", "axis", "to", "keepdims", "ceil_mode", "count_include_pad", "transA", "transB", "allowzero",
     "num_outputs", "start", "end", "value_int", "noop_with_empty_axes", "storage_order", "antialias"});
constexpr auto kNumbers =
    std::to_array<std::string_view>({"alpha", "beta", "epsilon", "min", "max", "value", "value_float"});
constexpr auto kTexts =
    std::to_array<std::string_view>({"auto_pad", "mode", "coordinate_transformation_mode", "nearest_mode"});
constexpr auto kWords = std::to_array<std::string_view>(
    {"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "constant", "reflect", "edge", "nearest", "linear", "asymmetric",
     "half_pixel", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric", "floor", "ceil", "round_prefer_floor",
     "round_prefer_ceil"});

std::string build(FuzzedDataProvider& from) {
  const auto pick = [&](const auto& list) {
    return list[from.ConsumeIntegralInRange<std::size_t>(0, list.size() - 1)];
  };
  const auto small = [&] { return from.ConsumeIntegralInRange<std::int64_t>(-2, 6); };
  const auto integer = [&] {
    return from.ConsumeIntegralInRange<int>(0, 30) == 0 ? from.ConsumeIntegral<std::int64_t>() : small();
  };
  const auto list = [&](std::size_t longest) {
    Ints out(from.ConsumeIntegralInRange<std::size_t>(0, longest));
    for (auto& v : out) v = integer();
    return out;
  };
  const auto dims = [&](std::size_t longest) {
    Ints out(from.ConsumeIntegralInRange<std::size_t>(0, longest));
    for (auto& v : out) v = from.ConsumeIntegralInRange<std::int64_t>(0, 5);
    return out;
  };
  const auto constant = [&](std::string_view name) {
    const auto shape = dims(4);
    const auto n = static_cast<std::size_t>(elements(shape));
    if (from.ConsumeBool()) {
      Ints values(n);
      for (auto& v : values) v = integer();
      return tensor::ints(name, shape, values);
    }
    return tensor::floats(name, shape, Floats(n, static_cast<float>(small()) * 0.5F));
  };

  Ints input = {from.ConsumeIntegralInRange<std::int64_t>(-1, 3)};
  for (const auto d : dims(4)) input.push_back(d - 1);
  OnnxBuilder model(from.ConsumeIntegralInRange<int>(9, 21), input);
  std::vector<std::string> names = {"x", "x", ""};
  for (int i = from.ConsumeIntegralInRange<int>(0, 6); i > 0; --i) {
    names.push_back("c" + std::to_string(i));
    model.initializer(constant(names.back()));
  }
  for (int i = 0; i < 12 && from.remaining_bytes() > 0; ++i) {
    std::string node = wire::bytes(3, "n" + std::to_string(i)) + wire::bytes(4, pick(kOps));
    for (int k = from.ConsumeIntegralInRange<int>(0, 5); k > 0; --k) node += wire::bytes(1, pick(names));
    for (int k = from.ConsumeIntegralInRange<int>(0, 4); k > 0; --k) {
      switch (from.ConsumeIntegralInRange<int>(0, 4)) {
        case 0: node += wire::bytes(5, attribute::ints(pick(kIntLists), list(8))); break;
        case 1: node += wire::bytes(5, attribute::integer(pick(kIntegers), integer())); break;
        case 2: node += wire::bytes(5, attribute::number(pick(kNumbers), from.ConsumeFloatingPoint<float>())); break;
        case 3: node += wire::bytes(5, attribute::text(pick(kTexts), pick(kWords))); break;
        default: node += wire::bytes(5, attribute::tensor("value", constant(""))); break;
      }
    }
    const auto outputs = from.ConsumeIntegralInRange<int>(1, 3);
    for (int k = 0; k < outputs; ++k) {
      names.push_back("v" + std::to_string(i) + "_" + std::to_string(k));
      node += wire::bytes(2, names.back());
    }
    model.field(1, node);
  }
  model.output(names.back());
  if (from.ConsumeBool()) model.output(pick(names));
  return model.bytes();
}

std::vector<std::byte> tagged(std::uint8_t tag, const std::string& bytes) {
  std::vector<std::byte> out = {std::byte{tag}};
  for (const char c : bytes) out.push_back(static_cast<std::byte>(c));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  OnnxBuilder net(13, {-1, 2, 6, 6});
  net.initializer(tensor::floats("w", {4, 2, 3, 3}, Floats(72, 0.5F)))
      .initializer(tensor::floats("b", {4}, Floats(4, 1)));
  net.initializer(tensor::ints("zero", {}, {0}))
      .initializer(tensor::ints("axes", {1}, {0}))
      .initializer(tensor::ints("rest", {1}, {-1}));
  net.initializer(tensor::floats("m", {16, 3}, Floats(48, 0.25F)));
  net.node("Conv", {"x", "w", "b"}, {"a"}, {attribute::ints("strides", {2, 2})}).node("Relu", {"a"}, {"c"});
  net.node("Shape", {"c"}, {"s"}).node("Gather", {"s", "zero"}, {"n"}).node("Unsqueeze", {"n", "axes"}, {"n1"});
  net.node("Concat", {"n1", "rest"}, {"to"}, {attribute::integer("axis", 0)}).node("Reshape", {"c", "to"}, {"d"});
  net.node("MatMul", {"d", "m"}, {"e"}).node("Softmax", {"e"}, {"y"}).output("y");
  std::vector<std::vector<std::byte>> seeds = {tagged(kFile, net.bytes())};
  for (const auto op : kOps) {
    OnnxBuilder one(11, {1, 4, 6, 6});
    one.initializer(tensor::floats("w", {4, 4, 1, 1}, Floats(16, 0.5F)))
        .initializer(tensor::ints("i", {4}, {1, 2, -1, 3}));
    one.node(op, {"x", "w", "i"}, {"y"}).output("y");
    seeds.push_back(tagged(kFile, one.bytes()));
  }
  std::string choices;  // a fixed stream without meaning, to be changed into one
  for (unsigned i = 0; i < 600; ++i) choices += static_cast<char>(i * i * 31 + i * 7);
  seeds.push_back(tagged(kChoices, choices));
  write_seeds(*argc, *argv, seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  if (data[0] == kChoices) {
    FuzzedDataProvider from(data + 1, size - 1);
    check(build(from));
  } else {
    check({reinterpret_cast<const char*>(data) + 1, size - 1});
  }
  return 0;
}
