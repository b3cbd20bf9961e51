// The ONNX reader: what it maps to what, what it folds away, what it refuses and how it says so. That the mapping
// computes the right numbers is the matter of tests/parity.
#include "model/onnx.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "liveness/error.hpp"
#include "onnx_builder.hpp"
#include "reference.hpp"
#include "refusal.hpp"
#include "shared_models.hpp"

using namespace liveness;
using namespace liveness::test;
using Catch::Contains;

namespace {

Graph read(const std::string& bytes, int height = 0, int width = 0) {
  return read_onnx(std::as_bytes(std::span(bytes)), "m.onnx", height, width);
}
Graph read(const OnnxBuilder& model) {
  return read(model.bytes());
}

std::string unsupported(const OnnxBuilder& model) {
  return refusal(Status::kUnsupported, [&] { static_cast<void>(read(model)); });
}
std::string invalid(const OnnxBuilder& model) {
  return refusal(Status::kModelInvalid, [&] { static_cast<void>(read(model)); });
}

// The operators in order, as "conv relu".
std::string ops(const Graph& graph) {
  std::string text;
  for (const auto& node : graph.nodes) {
    if (!text.empty()) text += ' ';
    text += to_string(node.op);
  }
  return text;
}

const Shape& output_shape(const Graph& graph, std::size_t i = 0) {
  return graph.values[static_cast<std::size_t>(graph.outputs.at(i))].shape;
}
const std::string& output_name(const Graph& graph, std::size_t i = 0) {
  return graph.values[static_cast<std::size_t>(graph.outputs.at(i))].name;
}

// A model of one node "n" of input "x" and output "y".
OnnxBuilder one(int opset, std::string_view op, std::initializer_list<std::string_view> inputs,
                std::initializer_list<std::string> attributes = {}, const Ints& input = {1, 2, 4, 4}) {
  OnnxBuilder model(opset, input);
  model.node(op, inputs, {"y"}, attributes).output("y");
  return model;
}

Floats ramp(std::size_t n) {
  Floats values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i % 7) * 0.25F - 0.5F;
  return values;
}

}  // namespace

TEST_CASE("the third-party networks load with their known size") {
  const auto load = [](const std::string& file, double mega_macs, std::size_t outputs) {
    if (!have_model(file)) return;
    std::ifstream stream(shared_models() / file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
    const auto graph = read(bytes);
    double macs = 0;
    for (const auto& node : describe(graph)) macs += static_cast<double>(node.macs);
    INFO(file);
    CHECK(macs / 1e6 == Approx(mega_macs).epsilon(1e-4));
    CHECK(graph.outputs.size() == outputs);
  };
  load("minifasnet_v2_80_scale2.7.onnx", 40.718, 1);
  load("minifasnet_v1se_80_scale4.0.onnx", 40.883, 1);
  load("minifasnet_v2se_128_scale1.5.onnx", 104.154, 1);
  load("yunet_s_320_320.onnx", 86.056, 12);
  load("yunet_s_640_640.onnx", 344.224, 12);
  load("landmark68_64.onnx", 15.593, 1);
}

TEST_CASE("names are kept") {
  OnnxBuilder model;
  model.initializer(tensor::floats("stem.weight", {3, 2, 1, 1}, ramp(6)));
  model.node("Conv", {"x", "stem.weight"}, {"/stem/out"}, {}, "/stem/Conv")
      .node("Relu", {"/stem/out"}, {"y"}, {}, "")
      .output("y");
  const auto graph = read(model);
  CHECK(graph.nodes[0].name == "/stem/Conv");
  CHECK(graph.nodes[1].name == "Relu_y");
  CHECK(graph.tensors[0].name == "stem.weight");
  CHECK(graph.values[0].name == "x");
  CHECK(graph.values[1].name == "/stem/out");
  CHECK(output_name(graph) == "y");
}

TEST_CASE("names that clash or cannot be printed are made fit") {
  OnnxBuilder model;
  model.node("Relu", {"x"}, {"a\n"}, {}, "same")
      .node("Tanh", {"a\n"}, {"a\x01"}, {}, "same")
      .node("Sigmoid", {"a\x01"}, {"y"}, {}, std::string(1000, 'n'))
      .output("y");
  const auto graph = read(model);
  CHECK(graph.nodes[0].name == "same");
  CHECK(graph.nodes[1].name == "same_2");
  CHECK(graph.nodes[2].name == std::string(256, 'n'));
  CHECK(graph.values[1].name == "a_");
  CHECK(graph.values[2].name == "a__2");
}

TEST_CASE("outputs that share a value keep their names") {
  OnnxBuilder model;
  model.node("Relu", {"x"}, {"y"})
      .node("Identity", {"y"}, {"z"})
      .node("Identity", {"x"}, {"w"})
      .output("z")
      .output("y")
      .output("w");
  const auto graph = read(model);
  CHECK(ops(graph) == "relu reshape reshape");
  REQUIRE(graph.outputs.size() == 3);
  CHECK(output_name(graph, 0) == "z");
  CHECK(output_name(graph, 1) == "y");
  CHECK(output_name(graph, 2) == "w");
  const auto results = run_reference(graph, ramp(32));
  CHECK(results[0] == results[1]);
  CHECK(results[2] == ramp(32));
}

TEST_CASE("dead nodes are dropped, whatever they are") {
  OnnxBuilder model;
  model.node("DeformConv", {"x"}, {"dead"}, {}, "dead").node("Relu", {"x"}, {"y"}).output("y");
  model.initializer(tensor::floats("unused", {1}, {std::numeric_limits<float>::quiet_NaN()}));
  const auto graph = read(model);
  CHECK(ops(graph) == "relu");
  CHECK(graph.tensors.empty());
}

TEST_CASE("a node that cannot be mapped is named with what it would need") {
  CHECK_THAT(unsupported(one(13, "DeformConv", {"x"})),
             Contains("m.onnx: node \"n\" (DeformConv): ") && Contains("would need a kernel"));
  OnnxBuilder custom;
  custom.node("FusedConv", {"x"}, {"y"}, {}, "n", "com.microsoft").output("y");
  CHECK_THAT(unsupported(custom), Contains("node \"n\" (FusedConv)") && Contains("domain \"com.microsoft\""));
  CHECK_THAT(unsupported(one(13, "Relu", {"x"}, {attribute::number("slope", 1)})),
             Contains("attribute \"slope\" is not understood"));
  CHECK_THAT(invalid(one(13, "Softmax", {"x"}, {attribute::number("axis", 1)})),
             Contains("attribute \"axis\" has the wrong type"));
}

TEST_CASE("operators that depend on other pictures are refused") {
  CHECK_THAT(unsupported(one(13, "Softmax", {"x"}, {attribute::integer("axis", 0)})), Contains("across the batch"));
  CHECK_THAT(unsupported(one(13, "Transpose", {"x"}, {attribute::ints("perm", {1, 0, 2, 3})})),
             Contains("moves the batch axis"));
  CHECK_THAT(unsupported(one(13, "Transpose", {"x"})), Contains("moves the batch axis"));
  CHECK_THAT(unsupported(one(13, "Concat", {"x", "x"}, {attribute::integer("axis", 0)})), Contains("across the batch"));
  CHECK_THAT(unsupported(one(13, "ReduceMean", {"x"})), Contains("across the batch"));
  CHECK_THAT(unsupported(one(11, "Squeeze", {"x"}, {attribute::ints("axes", {0})})),
             Contains("first axis would need to stay the batch"));
  auto model = one(13, "Reshape", {"x", "to"});
  model.initializer(tensor::ints("to", {2}, {2, -1}));
  CHECK_THAT(unsupported(model), Contains("2x16") && Contains("stay the batch"));
  auto sliced = one(13, "Slice", {"x", "a", "b", "axes"}, {}, {4, 2, 4, 4});
  sliced.initializer(tensor::ints("a", {1}, {1}))
      .initializer(tensor::ints("b", {1}, {2}))
      .initializer(tensor::ints("axes", {1}, {0}));
  CHECK_THAT(unsupported(sliced), Contains("across the batch"));
  auto padded = one(13, "Pad", {"x", "pads"});
  padded.initializer(tensor::ints("pads", {8}, {1, 0, 0, 0, 0, 0, 0, 0}));
  CHECK_THAT(unsupported(padded), Contains("across the batch"));
  auto added = one(13, "Add", {"x", "c"}, {}, {3, 2, 4, 4});
  added.initializer(tensor::floats("c", {3, 1, 1, 1}, {1, 2, 3}));
  CHECK_THAT(unsupported(added), Contains("3x2x4x4 for one picture"));
}

TEST_CASE("the forms that are not computed exactly are refused") {
  const auto pool = [](std::initializer_list<std::string> extra) {
    OnnxBuilder model(19, {1, 2, 5, 5});
    std::string node = wire::bytes(3, "n") + wire::bytes(4, "AveragePool") + wire::bytes(1, "x") + wire::bytes(2, "y");
    node +=
        wire::bytes(5, attribute::ints("kernel_shape", {2, 2})) + wire::bytes(5, attribute::ints("strides", {2, 2}));
    for (const auto& a : extra) node += wire::bytes(5, a);
    model.field(1, node).output("y");
    return model;
  };
  CHECK_THAT(unsupported(pool({attribute::ints("dilations", {2, 2})})), Contains("dilations"));
  CHECK_THAT(unsupported(pool({attribute::integer("ceil_mode", 1), attribute::integer("count_include_pad", 1)})),
             Contains("ceil_mode with count_include_pad"));
  CHECK(output_shape(read(pool({attribute::integer("ceil_mode", 1)}))) == Shape{1, 2, 3, 3});

  const auto resize = [](std::initializer_list<std::string> attributes, const Floats& scales = {1, 1, 2, 2}) {
    auto model = one(19, "Resize", {"x", "", "scales"}, attributes);
    model.initializer(tensor::floats("scales", {4}, scales));
    return model;
  };
  CHECK_THAT(unsupported(resize({attribute::text("mode", "cubic")})), Contains("mode \"cubic\""));
  CHECK_THAT(unsupported(resize({attribute::integer("antialias", 1)})), Contains("antialias"));
  CHECK_THAT(unsupported(resize({attribute::text("coordinate_transformation_mode", "tf_crop_and_resize")})),
             Contains("tf_crop_and_resize"));
  CHECK_THAT(unsupported(resize({attribute::text("keep_aspect_ratio_policy", "not_larger")})),
             Contains("keep_aspect_ratio_policy"));
  CHECK_THAT(unsupported(resize({}, {1, 2, 2, 2})), Contains("batch or channels"));
  CHECK_THAT(invalid(resize({}, {1, 1, 0, 2})), Contains("scale is out of range"));
  CHECK_THAT(invalid(resize({}, {1, 1, std::numeric_limits<float>::quiet_NaN(), 2})),
             Contains("scale is out of range"));
  CHECK_THAT(invalid(resize({attribute::text("nearest_mode", "up")})), Contains("nearest_mode is \"up\""));

  auto step = one(13, "Slice", {"x", "a", "b", "axes", "steps"});
  step.initializer(tensor::ints("a", {1}, {-1})).initializer(tensor::ints("b", {1}, {-9}));
  step.initializer(tensor::ints("axes", {1}, {2})).initializer(tensor::ints("steps", {1}, {-1}));
  CHECK_THAT(unsupported(step), Contains("negative step"));
  CHECK_THAT(
      unsupported(one(9, "Slice", {"x"},
                      {attribute::ints("starts", {4}), attribute::ints("ends", {9}), attribute::ints("axes", {2})})),
      Contains("empty"));
  CHECK_THAT(unsupported(one(9, "Pad", {"x"}, {attribute::ints("pads", {0, 0, -1, 0, 0, 0, 0, 0})})),
             Contains("negative pads"));
  CHECK_THAT(unsupported(one(9, "Pad", {"x"}, {attribute::ints("pads", Ints(8, 1)), attribute::text("mode", "wrap")})),
             Contains("mode \"wrap\""));
  OnnxBuilder gemm(9, {1, 4});
  gemm.node("Gemm", {"x", "x"}, {"y"}).output("y");
  CHECK_THAT(unsupported(gemm), Contains("its matrix B is computed from the picture"));
  CHECK_THAT(unsupported(
                 OnnxBuilder(9, {1, 4}).node("Gemm", {"x", "x"}, {"y"}, {attribute::integer("transA", 1)}).output("y")),
             Contains("across the batch"));
  CHECK_THAT(unsupported(one(9, "Conv", {"x", "x"})), Contains("its weight is computed from the picture"));
  CHECK_THAT(unsupported(one(9, "MatMul", {"x", "x"})), Contains("its second matrix is computed"));
  auto left = one(9, "MatMul", {"w", "x"});
  left.initializer(tensor::floats("w", {4, 4}, ramp(16)));
  CHECK_THAT(unsupported(left), Contains("input \"w\" is a constant"));
  auto training = one(14, "BatchNormalization", {"x", "c", "c", "c", "c"}, {attribute::integer("training_mode", 1)});
  training.initializer(tensor::floats("c", {2}, {1, 1}));
  CHECK_THAT(unsupported(training), Contains("training mode"));
  auto dropout = one(13, "Dropout", {"x", "", "t"});
  dropout.initializer(tensor::raw<char>("t", {}, 9, {1}));
  CHECK_THAT(unsupported(dropout), Contains("training mode"));
  CHECK_THAT(unsupported(one(13, "Cast", {"x"}, {attribute::integer("to", 7)})), Contains("casting to int64"));
  OnnxBuilder indices;
  indices.node("MaxPool", {"x"}, {"y", "where"}, {attribute::ints("kernel_shape", {2, 2})})
      .node("Relu", {"where"}, {"z"})
      .output("z");
  CHECK_THAT(unsupported(indices), Contains("\"where\" is a further result"));
  CHECK_THAT(
      unsupported(one(9, "Conv", {"x", "w"}, {}, {1, 2, 4}).initializer(tensor::floats("w", {2, 2, 3}, ramp(12)))),
      Contains("other than 4 axes"));
}

TEST_CASE("free axes") {
  const auto model = [](const Ints& dims) {
    OnnxBuilder m(13, dims);
    m.node("Relu", {"x"}, {"y"}).output("y");
    return m.bytes();
  };
  CHECK(output_shape(read(model({-1, 3, 8, 8}))) == Shape{1, 3, 8, 8});
  CHECK(output_shape(read(model({5, 3, 8, 8}))) == Shape{1, 3, 8, 8});
  CHECK(output_shape(read(model({-1, 3, -1, -1}), 6, 7)) == Shape{1, 3, 6, 7});
  CHECK(output_shape(read(model({1, 3, 8, 8}), 6, 7)) == Shape{1, 3, 8, 8});
  CHECK_THAT(refusal(Status::kUnsupported,
                     [&] {
                       static_cast<void>(read(model({-1, 3, -1, 8})));
                     }),
             Contains("input \"x\": axis 2 has no fixed size"));
  CHECK_THAT(refusal(Status::kUnsupported,
                     [&] {
                       static_cast<void>(read(model({-1, -1, 8, 8}), 8, 8));
                     }),
             Contains("axis 1 has no fixed size"));
  CHECK_THAT(refusal(Status::kUnsupported,
                     [&] {
                       static_cast<void>(read(model({-1, -1, 8}), 8, 8));
                     }),
             Contains("axis 1 has no fixed size"));
}

TEST_CASE("reshapes that name a fixed batch keep each picture whole") {
  const auto model = [](const Ints& target) {
    OnnxBuilder m(13, {3, 2, 4, 4});
    m.initializer(tensor::ints("to", {static_cast<std::int64_t>(target.size())}, target));
    m.node("Reshape", {"x", "to"}, {"y"}).output("y");
    return m;
  };
  CHECK(output_shape(read(model({3, -1}))) == Shape{1, 32});
  CHECK(output_shape(read(model({-1, 32}))) == Shape{1, 32});
  CHECK(output_shape(read(model({0, 8, 4}))) == Shape{1, 8, 4});
  CHECK_THAT(unsupported(model({6, 16})), Contains("mixes the 3 pictures"));
  CHECK_THAT(unsupported(model({1, -1})), Contains("mixes the 3 pictures"));
  CHECK_THAT(invalid(model({3, 31})), Contains("does not hold"));
}

TEST_CASE("constants and shapes are folded away") {
  SECTION("flatten as torch writes it") {
    OnnxBuilder model(13, {-1, 2, 4, 4});
    model.initializer(tensor::ints("zero", {}, {0}))
        .initializer(tensor::ints("axes", {1}, {0}))
        .initializer(tensor::ints("rest", {1}, {-1}));
    model.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "zero"}, {"n"}).node("Unsqueeze", {"n", "axes"}, {"n1"});
    model.node("Concat", {"n1", "rest"}, {"to"}, {attribute::integer("axis", 0)})
        .node("Reshape", {"x", "to"}, {"y"})
        .output("y");
    const auto graph = read(model);
    CHECK(ops(graph) == "reshape");
    CHECK(output_shape(graph) == Shape{1, 32});
  }
  SECTION("a transposed weight") {
    OnnxBuilder model(13, {1, 3});
    model.initializer(tensor::floats("w", {2, 3}, {1, 2, 3, 4, 5, 6}));
    model.node("Transpose", {"w"}, {"wt"}).node("MatMul", {"x", "wt"}, {"y"}).output("y");
    const auto graph = read(model);
    CHECK(ops(graph) == "linear");
    CHECK(graph.tensors[0].name == "wt");
    CHECK(graph.tensors[0].shape == Shape{3, 2});
    CHECK(graph.tensors[0].data == Floats{1, 4, 2, 5, 3, 6});
  }
  SECTION("arithmetic on constants, every operator") {
    OnnxBuilder model(13, {1, 2});
    model.initializer(tensor::floats("a", {2}, {4, 9})).initializer(tensor::floats("b", {}, {2}));
    model.node("Sqrt", {"a"}, {"c"})
        .node("Mul", {"c", "b"}, {"d"})
        .node("Div", {"d", "a"}, {"e"})
        .node("Sub", {"e", "b"}, {"f"})
        .node("Add", {"f", "c"}, {"g"});
    model.node("Floor", {"g"}, {"h"})
        .node("Ceil", {"g"}, {"i"})
        .node("Add", {"x", "h"}, {"x1"})
        .node("Mul", {"x1", "i"}, {"y"})
        .output("y");
    const auto graph = read(model);
    CHECK(ops(graph) == "add mul");
    REQUIRE(graph.tensors.size() == 2);  // g = {1, 1.667}
    CHECK(graph.tensors[0].data == Floats{1, 1});
    CHECK(graph.tensors[1].data == Floats{1, 2});
  }
  SECTION("integers") {
    OnnxBuilder model(13, {1, 12});
    model.initializer(tensor::ints("a", {2}, {24, 12}))
        .initializer(tensor::ints("b", {2}, {2, 3}))
        .initializer(tensor::ints("one", {1}, {1}));
    model.node("Div", {"a", "b"}, {"c"})
        .node("Sub", {"c", "b"}, {"d"})
        .node("Mul", {"d", "b"}, {"e"})
        .node("Add", {"e", "b"}, {"f"});  // {22, 6}
    model.node("Range", {"p", "q", "r"}, {"g"})
        .node("Gather", {"f", "g"}, {"h"})
        .node("ReduceProd", {"h"}, {"i"}, {attribute::integer("keepdims", 1)});
    model.initializer(tensor::ints("p", {}, {1}))
        .initializer(tensor::ints("q", {}, {2}))
        .initializer(tensor::ints("r", {}, {1}));
    model.initializer(tensor::ints("rest", {1}, {-1}));
    model.node("Concat", {"one", "i", "rest"}, {"to"}, {attribute::integer("axis", 0)})
        .node("Reshape", {"x", "to"}, {"y"})
        .output("y");
    CHECK(output_shape(read(model)) == Shape{1, 6, 2});
  }
  SECTION("squares of constants: where, equal, expand, fill, cast, squeeze") {
    OnnxBuilder model(13, {1, 6});
    model.initializer(tensor::ints("shape", {2}, {2, -1}))
        .initializer(tensor::ints("minus", {1}, {-1}))
        .initializer(tensor::ints("three", {1}, {3}));
    model.initializer(tensor::floats("v", {1, 1, 3}, {1, 2, 3})).initializer(tensor::ints("zero", {1}, {0}));
    model.node("Equal", {"shape", "minus"}, {"m"})
        .node("Where", {"m", "three", "shape"}, {"target"})
        .node("Squeeze", {"v", "zero"}, {"v2"});
    model.node("Expand", {"v2", "target"}, {"e"})
        .node("ConstantOfShape", {"target"}, {"f"}, {attribute::tensor("value", tensor::ints("", {1}, {5}))});
    model.node("Cast", {"f"}, {"ff"}, {attribute::integer("to", 1)}).node("Add", {"e", "ff"}, {"g"});
    model.node("Slice", {"g", "zero", "three"}, {"h"})
        .initializer(tensor::ints("flat", {2}, {1, 6}))
        .node("Reshape", {"h", "flat"}, {"w"});
    model.node("Mul", {"x", "w"}, {"y"}).output("y");
    const auto graph = read(model);
    CHECK(ops(graph) == "mul");
    CHECK(graph.tensors[0].data == Floats{6, 7, 8, 6, 7, 8});
  }
  SECTION("shape with bounds, size, constants of every kind") {
    OnnxBuilder model(15, {1, 2, 4, 4});
    model.node("Shape", {"x"}, {"s"}, {attribute::integer("start", -2), attribute::integer("end", 3)});  // {4}
    model.node("Size", {"x"}, {"n"})
        .node("Constant", {}, {"k"}, {attribute::integer("value_int", 1)})
        .node("Constant", {}, {"one"}, {attribute::ints("value_ints", {1})});
    model.node("Div", {"n", "k"}, {"half"})
        .node("Constant", {}, {"axes"}, {attribute::tensor("value", tensor::ints("", {1}, {0}))});
    model.node("Div", {"half", "s"}, {"q"})
        .node("Concat", {"one", "q", "s"}, {"to"}, {attribute::integer("axis", 0)})
        .node("Reshape", {"x", "to"}, {"z"});
    model.node("Constant", {}, {"f"}, {attribute::number("value_float", 0.5F)})
        .node("Constant", {}, {"g"}, {attribute::floats("value_floats", {1, 2, 3, 4})});
    model.node("Mul", {"z", "f"}, {"z1"}).node("Add", {"z1", "g"}, {"y"}).output("y");
    const auto graph = read(model);
    CHECK(ops(graph) == "reshape mul add");
    CHECK(output_shape(graph) == Shape{1, 8, 4});
  }
  SECTION("nothing is left of identity, dropout, casts and reshapes to the same shape") {
    OnnxBuilder model(13);
    model.initializer(tensor::ints("same", {4}, {1, 2, 4, 4}));
    model.node("Identity", {"x"}, {"a"})
        .node("Dropout", {"a"}, {"b"})
        .node("Cast", {"b"}, {"c"}, {attribute::integer("to", 1)});
    model.node("Reshape", {"c", "same"}, {"d"})
        .node("Transpose", {"d"}, {"e"}, {attribute::ints("perm", {0, 1, 2, 3})})
        .node("Concat", {"e"}, {"f"}, {attribute::integer("axis", 1)});
    model.node("Relu", {"f"}, {"y"}).output("y");
    CHECK(ops(read(model)) == "relu");
  }
}

TEST_CASE("folding is bounded and checked") {
  const auto folded = [](std::string_view op, const std::vector<std::string>& constants,
                         std::initializer_list<std::string_view> inputs,
                         std::initializer_list<std::string> attributes = {}) {
    OnnxBuilder model(13);
    for (const auto& c : constants) model.initializer(c);
    model.node(op, inputs, {"c"}, attributes).node("Add", {"x", "c"}, {"y"}, {}, "add").output("y");
    return model;
  };
  const auto a = [](const Ints& v) { return tensor::ints("a", {static_cast<std::int64_t>(v.size())}, v); };
  const auto b = [](const Ints& v) { return tensor::ints("b", {static_cast<std::int64_t>(v.size())}, v); };
  const auto low = std::numeric_limits<std::int64_t>::min();
  CHECK_THAT(invalid(folded("ConstantOfShape", {a({1 << 20, 1 << 20})}, {"a"})),
             Contains("node \"n\" (ConstantOfShape)") && Contains("too large"));
  CHECK_THAT(invalid(folded("ConstantOfShape", {a({1 << 27})}, {"a"})), Contains("too large"));
  CHECK_THAT(invalid(folded("ConstantOfShape", {a({-1})}, {"a"})), Contains("too large"));
  CHECK_THAT(invalid(folded("Expand", {a({1}), b({1 << 15, 1 << 15})}, {"a", "b"})), Contains("too large"));
  CHECK_THAT(invalid(folded("Div", {a({1}), b({0})}, {"a", "b"})), Contains("divides by zero"));
  CHECK_THAT(invalid(folded("Div", {a({low}), b({-1})}, {"a", "b"})), Contains("overflows"));
  CHECK_THAT(invalid(folded("Add", {a({low}), b({-1})}, {"a", "b"})), Contains("overflows"));
  CHECK_THAT(invalid(folded("Sub", {a({low}), b({1})}, {"a", "b"})), Contains("overflows"));
  CHECK_THAT(invalid(folded("Mul", {a({low}), b({2})}, {"a", "b"})), Contains("overflows"));
  CHECK_THAT(invalid(folded("ReduceProd", {a({low, 2})}, {"a"})), Contains("overflows"));
  CHECK_THAT(invalid(folded("Add", {a({1, 2}), b({1, 2, 3})}, {"a", "b"})), Contains("2 and 3 do not broadcast"));
  CHECK_THAT(invalid(folded("Gather", {a({1, 2}), b({2})}, {"a", "b"})), Contains("index 2 is outside an axis of 2"));
  CHECK_THAT(invalid(folded("Gather", {a({1, 2}), b({0})}, {"a", "b"}, {attribute::integer("axis", 1)})),
             Contains("axis 1 is outside"));
  CHECK_THAT(invalid(folded("Reshape", {a({1, 2}), b({3})}, {"a", "b"})), Contains("does not hold"));
  CHECK_THAT(invalid(folded("Reshape", {a({1, 2}), b({-1, -1})}, {"a", "b"})), Contains("two axes open"));
  CHECK_THAT(invalid(folded("Reshape", {a({1, 2}), b({1, 1, 0})}, {"a", "b"})), Contains("does not hold"));
  CHECK_THAT(
      invalid(folded("Concat", {a({1}), tensor::floats("b", {1}, {1})}, {"a", "b"}, {attribute::integer("axis", 0)})),
      Contains("do not join"));
  CHECK_THAT(invalid(folded("Slice", {a({1, 2}), b({0, 0})}, {"a", "b", "b"})), Contains("outside an input of 1 axes"));
  CHECK_THAT(invalid(folded("Squeeze", {a({1, 2}), b({0})}, {"a", "b"})), Contains("is not 1"));
  CHECK_THAT(invalid(folded("Unsqueeze", {a({1, 2}), b({1, 1})}, {"a", "b"})), Contains("named twice"));
  CHECK_THAT(invalid(folded("Transpose", {a({1, 2})}, {"a"}, {attribute::ints("perm", {1})})), Contains("perm"));
  CHECK_THAT(invalid(folded("Cast", {tensor::floats("a", {1}, {1e30F})}, {"a"}, {attribute::integer("to", 7)})),
             Contains("does not fit int64"));
  CHECK_THAT(invalid(folded("Cast", {a({300})}, {"a"}, {attribute::integer("to", 2)})), Contains("does not fit uint8"));
  CHECK_THAT(unsupported(folded("Cast", {a({3})}, {"a"}, {attribute::integer("to", 8)})),
             Contains("casting to type 8"));
  CHECK_THAT(unsupported(folded("Sqrt", {a({3})}, {"a"})), Contains("on integers"));
  CHECK_THAT(invalid(folded("Range", {a({0}), b({0})}, {"a", "a", "b"})), Contains("out of range"));
  CHECK_THAT(invalid(folded("Add", {a({0})}, {"a"})), Contains("input 1 is missing"));
  CHECK_THAT(invalid(folded("Add", {a({1}), b({1})}, {"a", "b"})),
             Contains("node \"add\"") && Contains("holds integers where floats are needed"));
  CHECK_THAT(unsupported(folded("Relu", {tensor::floats("a", {1}, {1})}, {"a"})),
             Contains("input \"a\" is a constant"));
  CHECK_THAT(unsupported(folded("Add", {a({1}), b({1})}, {"a", "b"}, {attribute::integer("axis", 1)})),
             Contains("\"axis\" is not understood"));
}

TEST_CASE("split becomes slices") {
  OnnxBuilder model(13, {1, 6, 2, 2});
  model.initializer(tensor::ints("sizes", {3}, {1, 2, 3}));
  model.node("Split", {"x", "sizes"}, {"a", "b", "c"}, {attribute::integer("axis", 1)}, "split")
      .node("Relu", {"b"}, {"y"})
      .output("y")
      .output("c");
  const auto graph = read(model);
  CHECK(ops(graph) == "slice slice relu");
  CHECK(graph.nodes[0].name == "split_2");
  CHECK(graph.nodes[0].ints_attr("starts", {}) == Ints{1});
  CHECK(graph.nodes[0].ints_attr("ends", {}) == Ints{3});
  CHECK(output_name(graph, 1) == "c");
  CHECK(output_shape(graph, 1) == Shape{1, 3, 2, 2});
  const auto equal = [](int opset, std::initializer_list<std::string> attributes) {
    OnnxBuilder m(opset, {1, 5, 2, 2});
    m.node("Split", {"x"}, {"y", "z"}, attributes).output("z");
    return m;
  };
  CHECK(output_shape(read(equal(18, {attribute::integer("axis", 1), attribute::integer("num_outputs", 2)}))) ==
        Shape{1, 2, 2, 2});
  CHECK_THAT(invalid(equal(13, {attribute::integer("axis", 1)})), Contains("no 2 equal parts"));
  CHECK_THAT(invalid(equal(18, {attribute::integer("axis", 1), attribute::integer("num_outputs", 3)})),
             Contains("num_outputs"));
  CHECK_THAT(invalid(equal(11, {attribute::integer("axis", 1), attribute::ints("split", {4, 4})})),
             Contains("does not fit an axis of 5"));
  CHECK_THAT(invalid(equal(11, {attribute::integer("axis", 1), attribute::ints("split", {1, 3})})),
             Contains("does not fit an axis of 5"));
}

TEST_CASE("operators are mapped to their simplest form") {
  SECTION("clip at 0 is relu") {
    CHECK(ops(read(one(9, "Clip", {"x"}, {attribute::number("min", 0)}))) == "relu");
    auto model = one(13, "Clip", {"x", "low", "high"});
    model.initializer(tensor::floats("low", {}, {0}))
        .initializer(tensor::floats("high", {}, {std::numeric_limits<float>::infinity()}));
    CHECK(ops(read(model)) == "relu");
  }
  SECTION("a clip whose bounds cross is its upper bound") {
    const auto graph = read(one(9, "Clip", {"x"}, {attribute::number("min", 2), attribute::number("max", 1)}));
    CHECK(run_reference(graph, ramp(32))[0] == Floats(32, 1));
  }
  SECTION("the mean over height and width is a global pool") {
    const auto kept = read(one(13, "ReduceMean", {"x"}, {attribute::ints("axes", {-1, 2})}));
    CHECK(ops(kept) == "global_average_pool");
    const auto flat =
        read(one(13, "ReduceMean", {"x"}, {attribute::ints("axes", {2, 3}), attribute::integer("keepdims", 0)}));
    CHECK(ops(flat) == "global_average_pool reshape");
    CHECK(output_shape(flat) == Shape{1, 2});
  }
  SECTION("slopes that are no channel's are taken apart") {
    auto model = one(13, "PRelu", {"x", "s"});
    model.initializer(tensor::floats("s", {4}, {0.1F, 0.2F, 0.3F, 0.4F}));
    const auto graph = read(model);
    CHECK(ops(graph) == "relu clip mul add");
    CHECK(run_reference(graph, Floats(32, -1))[0][2] == Approx(-0.3F));
  }
  SECTION("old softmax normalises over all trailing axes") {
    const auto graph = read(one(11, "Softmax", {"x"}));
    CHECK(ops(graph) == "reshape softmax reshape");
    CHECK(ops(read(one(13, "Softmax", {"x"}))) == "softmax");
  }
  SECTION("automatic padding is made explicit") {
    auto model =
        one(13, "Conv", {"x", "w"}, {attribute::text("auto_pad", "SAME_UPPER"), attribute::ints("strides", {2, 2})});
    model.initializer(tensor::floats("w", {1, 2, 3, 3}, ramp(18)));
    CHECK(read(model).nodes[0].ints_attr("pads", {}) == Ints{0, 0, 1, 1});
  }
  SECTION("gemm's factors go into the weights") {
    OnnxBuilder model(13, {1, 2});
    model.initializer(tensor::floats("b", {3, 2}, {1, 2, 3, 4, 5, 6})).initializer(tensor::floats("c", {1, 1}, {10}));
    model
        .node("Gemm", {"x", "b", "c"}, {"y"},
              {attribute::number("alpha", 2), attribute::number("beta", 0.5F), attribute::integer("transB", 1)})
        .output("y");
    const auto graph = read(model);
    CHECK(graph.tensors[0].data == Floats{2, 6, 10, 4, 8, 12});
    CHECK(graph.tensors[1].data == Floats{5, 5, 5});
  }
}

TEST_CASE("decomposed activations are recognised") {
  const auto model = [](std::string_view final_op, float last, bool early) {
    OnnxBuilder m(13);
    m.initializer(tensor::floats("three", {1}, {3}))
        .initializer(tensor::floats("six", {}, {6}))
        .initializer(tensor::floats("zero", {}, {0}));
    m.initializer(tensor::floats("last", {}, {last}));
    m.node("Add", {"x", "three"}, {"a"}).node("Clip", {"a", "zero", "six"}, {"b"});
    if (early)
      m.node(final_op, {"b", "last"}, {"c"}).node("Mul", {"c", "x"}, {"y"}).output("y");
    else
      m.node("Mul", {"x", "b"}, {"c"}).node(final_op, {"c", "last"}, {"y"}).output("y");
    return m;
  };
  for (const bool early : {false, true}) {
    CHECK(ops(read(model("Div", 6, early))) == "hard_swish");
    CHECK(ops(read(model("Mul", 1.0F / 6, early))) == "hard_swish");
    CHECK(ops(read(model("Div", 6.5F, early))) == (early ? "add clip div mul" : "add clip mul div"));
  }
  SECTION("intermediates that are outputs stay") {
    auto m = model("Div", 6, false);
    m.output("b");
    CHECK(ops(read(m)) == "add clip hard_swish");
  }
  SECTION("another x is another product") {
    OnnxBuilder m(14);
    m.node("Tanh", {"x"}, {"t"})
        .node("HardSigmoid", {"x"}, {"h"}, {attribute::number("alpha", 1.0F / 6)})
        .node("Mul", {"t", "h"}, {"y"})
        .output("y");
    CHECK(ops(read(m)) == "tanh hard_sigmoid mul");
  }
}

TEST_CASE("tensors of every element type and storage") {
  const auto with = [](const std::string& t) {
    OnnxBuilder model(13, {1, 2});
    model.initializer(t).node("Add", {"x", "w"}, {"y"}).output("y");
    return model;
  };
  const auto cast = [](const std::string& t) {
    OnnxBuilder model(13, {1, 2});
    model.initializer(t)
        .node("Cast", {"w"}, {"f"}, {attribute::integer("to", 1)})
        .node("Add", {"x", "f"}, {"y"})
        .output("y");
    return read(model).tensors.at(0).data;
  };
  const auto data = [&](const std::string& t) { return read(with(t)).tensors.at(0).data; };
  const Floats want = {1.5F, -2};
  CHECK(data(tensor::raw<float>("w", {2}, 1, want)) == want);
  CHECK(data(tensor::raw<double>("w", {2}, 11, {1.5, -2})) == want);
  CHECK(data(tensor::raw<std::uint16_t>("w", {2}, 10, {0x3E00, 0xC000})) == want);
  CHECK(data(tensor::raw<std::uint16_t>("w", {2}, 10, {0x0001, 0x8000})) == Floats{std::ldexp(1.0F, -24), -0.0F});
  CHECK(data(tensor::header("w", {2}, 1) + wire::bytes(4, wire::raw(want))) == want);
  CHECK(data(tensor::header("w", {2}, 1) + wire::single(4, 1.5F) + wire::single(4, -2)) == want);
  CHECK(data(tensor::header("w", {2}, 11) + wire::bytes(10, wire::raw(std::vector<double>{1.5, -2}))) == want);
  CHECK(data(tensor::header("w", {2}, 10) + wire::bytes(5, wire::varint(0x3E00) + wire::varint(0xC000))) == want);
  CHECK(cast(tensor::ints("w", {2}, {-3, 4})) == Floats{-3, 4});
  CHECK(cast(tensor::header("w", {2}, 7) + wire::bytes(7, wire::varint(3) + wire::varint(4))) == Floats{3, 4});
  CHECK(cast(tensor::header("w", {2}, 6) + wire::integer(5, -3) + wire::integer(5, 4)) == Floats{-3, 4});
  CHECK(cast(tensor::raw<std::int32_t>("w", {2}, 6, {-3, 4})) == Floats{-3, 4});
  CHECK(cast(tensor::raw<std::int8_t>("w", {2}, 3, {-3, 4})) == Floats{-3, 4});
  CHECK(cast(tensor::raw<std::uint8_t>("w", {2}, 2, {200, 4})) == Floats{200, 4});
  CHECK(cast(tensor::raw<std::uint8_t>("w", {2}, 9, {1, 0})) == Floats{1, 0});

  CHECK_THAT(unsupported(with(tensor::raw<std::uint16_t>("w", {2}, 16, {0, 0}))),
             Contains("tensor \"w\": element type type 16 is not read"));
  CHECK_THAT(unsupported(with(tensor::header("w", {2}, 1) + wire::bytes(13, wire::bytes(1, "location")) +
                              wire::integer(14, 1))),
             Contains("tensor \"w\": its data lie in another file"));
  CHECK_THAT(invalid(with(tensor::floats("w", {3}, want))),
             Contains("tensor \"w\": shape 3 of float needs 12 bytes, the file has 8"));
  CHECK_THAT(invalid(with(tensor::header("w", {3}, 1) + wire::bytes(4, wire::raw(want)))),
             Contains("needs 3 values, the file has 2"));
  CHECK_THAT(invalid(with(tensor::floats("w", {-2}, want))), Contains("too large or negative"));
  CHECK_THAT(invalid(with(tensor::floats("w", {1 << 28, 1 << 28, 1 << 28}, want))), Contains("too large or negative"));
  CHECK_THAT(invalid(with(tensor::floats("w", Ints(9, 1), {1}))), Contains("too many axes"));
  CHECK_THAT(invalid(with(tensor::floats("w", {2}, {1, std::numeric_limits<float>::quiet_NaN()}))),
             Contains("tensor \"w\": element 1 is not a finite number"));
  CHECK_THAT(invalid(with(tensor::raw<std::uint16_t>("w", {2}, 10, {0x7C00, 0}))),
             Contains("element 0 is not a finite number"));
  CHECK_THAT(invalid(with(tensor::raw<double>("w", {2}, 11, {1e300, 0}))),
             Contains("element 0 is not a finite number"));
}

TEST_CASE("broken models are refused") {
  OnnxBuilder good;
  good.node("Relu", {"x"}, {"y"}).output("y");
  SECTION("opsets") {
    for (const int opset : {9, 21}) CHECK(ops(read(one(opset, "Relu", {"x"}))) == "relu");
    CHECK_THAT(unsupported(one(8, "Relu", {"x"})), Contains("opset 8; 9 to 21 are read"));
    CHECK_THAT(unsupported(one(22, "Relu", {"x"})), Contains("opset 22"));
    CHECK_THAT(refusal(Status::kModelInvalid, [] { static_cast<void>(read(wire::bytes(7, ""))); }),
               Contains("names no opset"));
  }
  SECTION("no graph, two graphs") {
    CHECK_THAT(refusal(Status::kModelInvalid, [] { static_cast<void>(read("")); }),
               Contains("m.onnx: the file holds no ONNX graph"));
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(read(good.bytes() + good.bytes())); }),
               Contains("two graphs"));
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(read("<html>not a model</html>")); }),
               Contains("m.onnx: byte "));
  }
  SECTION("inputs") {
    CHECK_THAT(invalid(OnnxBuilder(13, {}).node("Relu", {"x"}, {"y"}).output("y")), Contains("no input"));
    CHECK_THAT(unsupported(OnnxBuilder(good).add_input("mask", {1, 2})),
               Contains("several inputs, \"x\" and \"mask\""));
    OnnxBuilder bytes_in(13, {});
    bytes_in.add_input("x", {1, 3, 8, 8}, 2).node("Relu", {"x"}, {"y"}).output("y");
    CHECK_THAT(unsupported(bytes_in), Contains("input \"x\" has element type uint8"));
    CHECK_THAT(unsupported(OnnxBuilder(13, {8}).node("Relu", {"x"}, {"y"}).output("y")), Contains("batch axis"));
    CHECK_THAT(unsupported(OnnxBuilder(13, {1 << 20, 8}).node("Relu", {"x"}, {"y"}).output("y")),
               Contains("batch of 1048576"));
  }
  SECTION("an initializer listed among the inputs, as old files do, is no input") {
    auto model = one(9, "Add", {"x", "w"});
    model.initializer(tensor::floats("w", {1}, {1})).add_input("w", {1});
    CHECK(ops(read(model)) == "add");
  }
  SECTION("outputs") {
    CHECK_THAT(invalid(OnnxBuilder(13).node("Relu", {"x"}, {"y"})), Contains("no outputs"));
    CHECK_THAT(invalid(OnnxBuilder(good).output("z")), Contains("output \"z\" is never computed"));
    CHECK_THAT(invalid(OnnxBuilder(good).output("y")), Contains("output \"y\" is listed twice"));
    CHECK_THAT(unsupported(OnnxBuilder(good).output("w").initializer(tensor::floats("w", {1}, {1}))),
               Contains("output \"w\" does not depend on the picture"));
    CHECK(ops(read(OnnxBuilder(good).output("x"))) == "relu reshape");
  }
  SECTION("wiring") {
    CHECK_THAT(invalid(one(13, "Relu", {"ghost"})),
               Contains("input \"ghost\" is neither stored in the file nor computed before"));
    CHECK_THAT(invalid(one(13, "Relu", {""})), Contains("input 0 is missing"));
    CHECK_THAT(invalid(one(13, "Relu", {})), Contains("input 0 is missing"));
    CHECK_THAT(invalid(one(13, "Relu", {"y"})), Contains("neither stored"));
    OnnxBuilder twice;
    twice.node("Relu", {"x"}, {"y"})
        .node("Tanh", {"y"}, {"z"})
        .node("Tanh", {"x"}, {"y", "w"}, {}, "again")
        .output("z")
        .output("w");
    CHECK_THAT(invalid(twice), Contains("node \"again\" (Tanh): writes \"y\", which is written already"));
  }
  SECTION("sparse initializers") {
    CHECK_THAT(unsupported(OnnxBuilder(good).field(15, "")), Contains("sparse initializers"));
  }
  SECTION("shapes that do not fit name the node") {
    auto model = one(13, "Conv", {"x", "w"});
    model.initializer(tensor::floats("w", {1, 3, 1, 1}, ramp(3)));
    CHECK_THAT(invalid(model), Contains("node \"n\" (conv): weight 1x3x1x1 does not fit 2 channels"));
    auto kernel = one(13, "Conv", {"x", "w"}, {attribute::ints("kernel_shape", {3, 3})});
    kernel.initializer(tensor::floats("w", {1, 2, 1, 1}, ramp(2)));
    CHECK_THAT(invalid(kernel), Contains("kernel_shape contradicts"));
    auto strides =
        one(13, "MaxPool", {"x"}, {attribute::ints("kernel_shape", {2, 2}), attribute::ints("strides", {1 << 30, 1})});
    CHECK_THAT(invalid(strides), Contains("strides must be 2 integers"));
    CHECK_THAT(invalid(one(13, "MaxPool", {"x"})), Contains("the kernel's size must be"));
    CHECK_THAT(invalid(one(13, "Conv", {"x", "w"}, {attribute::text("auto_pad", "SOME")})
                           .initializer(tensor::floats("w", {1, 2, 1, 1}, ramp(2)))),
               Contains("auto_pad is \"SOME\""));
  }
  SECTION("counts are bounded") {
    OnnxBuilder nodes;
    std::string last = "x";
    for (std::size_t i = 0; i < 5000; ++i) {
      const std::string next(i + 1, 'v');
      nodes.node("Relu", {last}, {next});
      last = next;
    }
    nodes.output(last);
    CHECK_THAT(unsupported(nodes), Contains("more than 4096 nodes"));
    std::string many;
    for (int i = 0; i < 20000; ++i) many += wire::bytes(1, "");
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(read(wire::bytes(7, many))); }),
               Contains("more than 16384 nodes"));
  }
}

TEST_CASE("a file cut short or with a flipped byte is read or refused, never worse") {
  OnnxBuilder model(13, {-1, 2, 6, 6});
  model.initializer(tensor::floats("w", {4, 2, 3, 3}, ramp(72))).initializer(tensor::floats("b", {4}, ramp(4)));
  model.initializer(tensor::ints("to", {2}, {0, -1})).initializer(tensor::floats("m", {16, 3}, ramp(48)));
  model.node("Conv", {"x", "w", "b"}, {"a"}, {attribute::ints("strides", {2, 2}), attribute::text("auto_pad", "VALID")})
      .node("Relu", {"a"}, {"c"});
  model.node("Reshape", {"c", "to"}, {"d"}).node("MatMul", {"d", "m"}, {"y"}).output("y");
  const auto bytes = model.bytes();
  REQUIRE(ops(read(bytes)) == "conv relu reshape linear");
  std::size_t refused = 0;
  const auto attempt = [&](const std::string& broken) {
    try {
      auto graph = read(broken);
      check_graph(graph);
    } catch (const Error& error) {
      CHECK((error.status() == Status::kModelInvalid || error.status() == Status::kUnsupported));
      ++refused;
    }
  };
  for (std::size_t n = 0; n < bytes.size(); ++n) attempt(bytes.substr(0, n));
  CHECK(refused == bytes.size());
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    auto broken = bytes;
    for (unsigned k = 0; k <= random() % 3; ++k) broken[random() % broken.size()] = static_cast<char>(random());
    attempt(broken);
  }
  CHECK(refused > bytes.size() + 5000);
}
