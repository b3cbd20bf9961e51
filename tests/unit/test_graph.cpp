// Shapes, checks and figures of graphs.
#include "model/graph.hpp"

#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "liveness/error.hpp"
#include "refusal.hpp"

using namespace liveness;
using Catch::Contains;
using Ints = std::vector<std::int64_t>;

namespace {

// "n3"; appended, since GCC 12 warns of overlapping copies where a literal comes before a number.
template <class T>
std::string numbered(std::string name, T number) {
  name += std::to_string(number);
  return name;
}

// A graph of one input "x" whose last node is its output.
struct Builder {
  Graph graph;

  explicit Builder(Shape input = {1, 4, 8, 10}) {
    graph.values.push_back({"x", std::move(input)});
    graph.inputs = {0};
    graph.outputs = {0};
  }
  static Operand x(int id = 0) { return {Operand::Kind::kValue, id}; }
  static Operand none() { return {}; }
  Operand constant(Shape shape, float value = 0.5F) {
    const auto n = static_cast<std::size_t>(elements(shape));
    graph.tensors.push_back({numbered("t", graph.tensors.size()), std::move(shape), std::vector<float>(n, value)});
    return {Operand::Kind::kConstant, static_cast<int>(graph.tensors.size()) - 1};
  }
  Operand node(Op op, std::vector<Operand> inputs, std::vector<Attribute> attributes = {}) {
    const auto id = static_cast<int>(graph.values.size());
    graph.values.push_back({numbered("v", id), {}});
    graph.nodes.push_back({op, numbered("n", id), std::move(inputs), id, std::move(attributes)});
    graph.outputs = {id};
    return x(id);
  }
  const Shape& check() {
    check_graph(graph);
    return graph.values[static_cast<std::size_t>(graph.outputs[0])].shape;
  }
  std::string refused() {
    return test::refusal(Status::kModelInvalid, [&] { check_graph(graph); });
  }
};

// Shape or refusal of a graph of one node; `constants` are the shapes of the inputs after x.
Shape shape_of(Op op, const Shape& input, const std::vector<Shape>& constants,
               const std::vector<Attribute>& attributes) {
  Builder b(input);
  std::vector<Operand> inputs = {Builder::x()};
  for (const auto& s : constants) inputs.push_back(b.constant(s));
  b.node(op, inputs, attributes);
  return b.check();
}
std::string refusal_of(Op op, const Shape& input, const std::vector<Shape>& constants,
                       const std::vector<Attribute>& attributes) {
  Builder b(input);
  std::vector<Operand> inputs = {Builder::x()};
  for (const auto& s : constants) inputs.push_back(b.constant(s));
  b.node(op, inputs, attributes);
  return b.refused();
}

const Shape kImage = {1, 4, 8, 10};

}  // namespace

TEST_CASE("operator names go both ways") {
  for (int i = 0; i <= static_cast<int>(Op::kResize); ++i) {
    const auto op = static_cast<Op>(i);
    Op back = Op::kConv;
    INFO(to_string(op));
    REQUIRE(from_string(to_string(op), back));
    CHECK(back == op);
  }
  Op op = Op::kTanh;
  CHECK_FALSE(from_string("gelu", op));
  CHECK(op == Op::kTanh);
  CHECK(to_string(static_cast<Op>(200)) == "unknown");
}

TEST_CASE("attributes are read by name and type") {
  Node node;
  node.name = "n";
  node.attributes = {{"i", std::int64_t{3}},
                     {"f", 0.5F},
                     {"s", std::string("edge")},
                     {"is", Ints{1, 2}},
                     {"fs", std::vector<float>{0.5F}}};
  CHECK(node.int_attr("i", 0) == 3);
  CHECK(node.int_attr("missing", 7) == 7);
  CHECK(node.float_attr("f", 0) == 0.5F);
  CHECK(node.float_attr("i", 0) == 3.0F);
  CHECK(node.string_attr("s", "") == "edge");
  CHECK(node.string_attr("missing", "x") == "x");
  CHECK(node.ints_attr("is", {}) == Ints{1, 2});
  CHECK(node.floats_attr("fs", {}) == std::vector<float>{0.5F});
  CHECK(node.floats_attr("is", {}) == std::vector<float>{1, 2});
  CHECK_THROWS_WITH(node.int_attr("f", 0), Contains("\"n\"") && Contains("\"f\" has the wrong type"));
  CHECK_THROWS_WITH(node.float_attr("s", 0), Contains("wrong type"));
  CHECK_THROWS_WITH(node.string_attr("i", ""), Contains("wrong type"));
  CHECK_THROWS_WITH(node.ints_attr("i", {}), Contains("wrong type"));
  CHECK_THROWS_WITH(node.floats_attr("f", {}), Contains("wrong type"));
}

TEST_CASE("every operator infers its shape") {
  CHECK(shape_of(Op::kConv, kImage, {{6, 4, 3, 3}, {6}}, {}) == Shape{1, 6, 6, 8});
  CHECK(shape_of(Op::kConv, kImage, {{6, 2, 3, 2}},
                 {{"group", std::int64_t{2}},
                  {"strides", Ints{2, 1}},
                  {"pads", Ints{1, 0, 2, 3}},
                  {"dilations", Ints{2, 4}}}) == Shape{1, 6, 4, 9});
  CHECK(shape_of(Op::kConvTranspose, kImage, {{4, 3, 2, 3}, {6}},
                 {{"group", std::int64_t{2}},
                  {"strides", Ints{2, 3}},
                  {"pads", Ints{1, 0, 0, 1}},
                  {"output_padding", Ints{1, 2}}}) == Shape{1, 6, 16, 31});
  CHECK(shape_of(Op::kBatchNorm, kImage, {{4}, {4}, {4}, {4}}, {{"epsilon", 1e-3F}}) == kImage);
  CHECK(shape_of(Op::kPRelu, kImage, {{4}}, {}) == kImage);
  CHECK(shape_of(Op::kPRelu, {1, 7}, {{1}}, {}) == Shape{1, 7});
  for (const auto op :
       {Op::kRelu, Op::kLeakyRelu, Op::kClip, Op::kSigmoid, Op::kHardSigmoid, Op::kHardSwish, Op::kTanh}) {
    CHECK(shape_of(op, kImage, {}, {}) == kImage);
  }
  CHECK(shape_of(Op::kSoftmax, kImage, {}, {{"axis", std::int64_t{1}}}) == kImage);
  for (const auto op : {Op::kAdd, Op::kSub, Op::kMul, Op::kDiv}) {
    CHECK(shape_of(op, kImage, {{4, 1, 1}}, {}) == kImage);
    CHECK(shape_of(op, kImage, {{}}, {}) == kImage);
    CHECK(shape_of(op, {1, 4, 1, 10}, {{1, 4, 8, 1}}, {}) == kImage);
    CHECK(shape_of(op, {1, 10}, {{1, 1, 8, 1}}, {}) == Shape{1, 1, 8, 10});
  }
  CHECK(shape_of(Op::kMaxPool, kImage, {},
                 {{"kernel", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}) == Shape{1, 4, 4, 5});
  CHECK(shape_of(Op::kMaxPool, kImage, {}, {{"kernel", Ints{2, 3}}, {"dilations", Ints{3, 2}}}) == Shape{1, 4, 5, 6});
  CHECK(shape_of(Op::kAveragePool, kImage, {}, {{"kernel", Ints{2, 2}}, {"count_include_pad", std::int64_t{1}}}) ==
        Shape{1, 4, 7, 9});
  CHECK(shape_of(Op::kGlobalAveragePool, kImage, {}, {}) == Shape{1, 4, 1, 1});
  CHECK(shape_of(Op::kGlobalMaxPool, kImage, {}, {}) == Shape{1, 4, 1, 1});
  CHECK(shape_of(Op::kReduceMean, kImage, {}, {{"axes", Ints{1, 3}}}) == Shape{1, 1, 8, 1});
  CHECK(shape_of(Op::kReduceMean, kImage, {}, {{"axes", Ints{1, 2, 3}}, {"keepdims", std::int64_t{0}}}) == Shape{1});
  CHECK(shape_of(Op::kLinear, kImage, {{10, 3}, {3}}, {}) == Shape{1, 4, 8, 3});
  CHECK(shape_of(Op::kReshape, kImage, {}, {{"shape", Ints{1, 32, 10}}}) == Shape{1, 32, 10});
  CHECK(shape_of(Op::kTranspose, kImage, {}, {{"perm", Ints{0, 2, 3, 1}}}) == Shape{1, 8, 10, 4});
  CHECK(shape_of(Op::kSlice, kImage, {},
                 {{"axes", Ints{1, 3}}, {"starts", Ints{1, 0}}, {"ends", Ints{3, 10}}, {"steps", Ints{1, 3}}}) ==
        Shape{1, 2, 8, 4});
  CHECK(shape_of(Op::kPad, kImage, {}, {{"pads", Ints{0, 1, 2, 3, 0, 4, 5, 6}}}) == Shape{1, 9, 15, 19});
  const std::vector<Attribute> nearest = {{"mode", std::string("nearest")},
                                          {"transform", std::string("asymmetric")},
                                          {"rounding", std::string("floor")},
                                          {"scales", std::vector<float>{2, 1.55F}}};
  CHECK(shape_of(Op::kResize, kImage, {}, nearest) == Shape{1, 4, 16, 15});
  auto sized = nearest;
  sized.push_back({"sizes", Ints{16, 16}});
  CHECK(shape_of(Op::kResize, kImage, {}, sized) == Shape{1, 4, 16, 16});

  Builder b;
  const auto pooled = b.node(Op::kRelu, {Builder::x()});
  b.node(Op::kConcat, {Builder::x(), pooled, pooled}, {{"axis", std::int64_t{2}}});
  CHECK(b.check() == Shape{1, 4, 24, 10});
}

TEST_CASE("a bad node is refused by name") {
  const auto conv = [](const std::vector<Shape>& constants, const std::vector<Attribute>& attributes) {
    return refusal_of(Op::kConv, kImage, constants, attributes);
  };
  CHECK_THAT(conv({{6, 3, 3, 3}}, {}), Contains("node \"n1\" (conv)") && Contains("6x3x3x3") && Contains("4 channels"));
  CHECK_THAT(conv({}, {}), Contains("has 1 inputs, needs 2 to 3"));
  CHECK_THAT(conv({{6, 4, 3}}, {}), Contains("needs 4 axes"));
  CHECK_THAT(conv({{6, 4, 3, 3}, {5}}, {}), Contains("bias has shape 5, needs 6"));
  CHECK_THAT(conv({{6, 4, 3, 3}}, {{"group", std::int64_t{3}}}), Contains("group 3 does not divide 4"));
  CHECK_THAT(conv({{6, 4, 3, 3}}, {{"group", std::int64_t{0}}}), Contains("group 0"));
  CHECK_THAT(conv({{5, 2, 3, 3}}, {{"group", std::int64_t{2}}}), Contains("does not fit"));
  CHECK_THAT(conv({{6, 4, 9, 3}}, {}), Contains("window of 9 does not fit into 8"));
  CHECK_THAT(conv({{6, 4, 3, 3}}, {{"strides", Ints{0, 1}}}), Contains("\"strides\" holds 0"));
  CHECK_THAT(conv({{6, 4, 3, 3}}, {{"strides", Ints{1}}}), Contains("has 1 entries, needs 2"));
  CHECK_THAT(conv({{6, 4, 3, 3}}, {{"pads", Ints{0, 0, 0, -1}}}), Contains("\"pads\" holds -1"));
  CHECK_THAT(conv({{6, 4, 3, 3}}, {{"dilations", Ints{1, std::numeric_limits<std::int64_t>::max()}}}),
             Contains("\"dilations\""));
  CHECK_THAT(conv({{6, 4, 3, 3}}, {{"stride", Ints{1, 1}}}), Contains("has no attribute \"stride\""));
  CHECK_THAT(conv({{6, 4, 3, 3}}, {{"group", std::int64_t{1}}, {"group", std::int64_t{1}}}), Contains("given twice"));
  CHECK_THAT(conv({{6, 4, 3, 3}}, {{"group", 1.0F}}), Contains("wrong type"));
  CHECK_THAT(refusal_of(Op::kConv, {1, 4, 8}, {{6, 4, 3, 3}}, {}), Contains("1x4x8, needs 4 axes"));

  CHECK_THAT(refusal_of(Op::kConvTranspose, kImage, {{3, 4, 2, 2}}, {}), Contains("4 channels"));
  CHECK_THAT(refusal_of(Op::kConvTranspose, kImage, {{4, 4, 2, 2}}, {{"output_padding", Ints{1, 0}}}),
             Contains("output_padding"));
  CHECK_THAT(refusal_of(Op::kConvTranspose, kImage, {{4, 4, 2, 2}}, {{"pads", Ints{9, 0, 9, 0}}}),
             Contains("leaves no output"));
  CHECK_THAT(refusal_of(Op::kBatchNorm, kImage, {{4}, {3}, {4}, {4}}, {}), Contains("bias has shape 3, needs 4"));
  CHECK_THAT(refusal_of(Op::kBatchNorm, kImage, {{4}, {4}, {4}, {4}}, {{"epsilon", -1.0F}}), Contains("not positive"));
  CHECK_THAT(refusal_of(Op::kPRelu, kImage, {{8}}, {}), Contains("slope has shape 8"));
  CHECK_THAT(refusal_of(Op::kClip, kImage, {}, {{"min", 1.0F}, {"max", 0.0F}}), Contains("min is above max"));
  CHECK_THAT(refusal_of(Op::kClip, kImage, {}, {{"min", std::numeric_limits<float>::quiet_NaN()}}),
             Contains("\"min\" is not finite"));
  CHECK_THAT(refusal_of(Op::kLeakyRelu, kImage, {}, {{"alpha", std::numeric_limits<float>::infinity()}}),
             Contains("not finite"));
  CHECK_THAT(refusal_of(Op::kLeakyRelu, kImage, {}, {{"alpha", std::string("a")}}), Contains("wrong type"));
  CHECK_THAT(refusal_of(Op::kSoftmax, kImage, {}, {}), Contains("\"axis\" is missing"));
  CHECK_THAT(refusal_of(Op::kSoftmax, kImage, {}, {{"axis", std::int64_t{0}}}), Contains("axis 0 is outside 1..3"));
  CHECK_THAT(refusal_of(Op::kSoftmax, kImage, {}, {{"axis", std::int64_t{4}}}), Contains("axis 4"));
  CHECK_THAT(refusal_of(Op::kAdd, kImage, {{5, 1, 1}}, {}), Contains("1x4x8x10 and 5x1x1 do not broadcast"));
  CHECK_THAT(refusal_of(Op::kAdd, kImage, {{2, 4, 8, 10}}, {}), Contains("first axis must stay the batch"));
  CHECK_THAT(refusal_of(Op::kMaxPool, kImage, {}, {}), Contains("\"kernel\" is missing"));
  CHECK_THAT(refusal_of(Op::kMaxPool, kImage, {}, {{"kernel", Ints{2, 2}}, {"pads", Ints{2, 0, 0, 0}}}),
             Contains("smaller than the window"));
  CHECK_THAT(refusal_of(Op::kMaxPool, {1, 1, 1, 1}, {},
                        {{"kernel", Ints{2, 1}}, {"dilations", Ints{3, 1}}, {"pads", Ints{1, 0, 2, 0}}}),
             Contains("nothing but padding"));
  CHECK_THAT(refusal_of(Op::kAveragePool, kImage, {}, {{"kernel", Ints{2, 2}}, {"count_include_pad", std::int64_t{2}}}),
             Contains("needs 0 or 1"));
  CHECK_THAT(refusal_of(Op::kReduceMean, kImage, {}, {}), Contains("\"axes\" is missing"));
  CHECK_THAT(refusal_of(Op::kReduceMean, kImage, {}, {{"axes", Ints{2, 2}}}), Contains("not ascending"));
  CHECK_THAT(refusal_of(Op::kReduceMean, kImage, {}, {{"axes", Ints{0}}}), Contains("axis 0"));
  CHECK_THAT(refusal_of(Op::kLinear, kImage, {{9, 3}}, {}), Contains("9x3 does not fit"));
  CHECK_THAT(refusal_of(Op::kLinear, kImage, {{10, 3}, {4}}, {}), Contains("bias has shape 4, needs 3"));
  CHECK_THAT(refusal_of(Op::kReshape, kImage, {}, {{"shape", Ints{1, 319}}}),
             Contains("1x319 does not hold the elements of 1x4x8x10"));
  CHECK_THAT(refusal_of(Op::kReshape, kImage, {}, {{"shape", Ints{4, 80}}}),
             Contains("first axis must stay the batch"));
  CHECK_THAT(refusal_of(Op::kReshape, kImage, {}, {{"shape", Ints{-1, -320}}}), Contains("does not hold"));
  CHECK_THAT(refusal_of(Op::kReshape, kImage, {}, {{"shape", Ints(9, 1)}}), Contains("does not hold"));
  CHECK_THAT(refusal_of(Op::kTranspose, kImage, {}, {{"perm", Ints{1, 0, 2, 3}}}), Contains("batch axis first"));
  CHECK_THAT(refusal_of(Op::kTranspose, kImage, {}, {{"perm", Ints{0, 2, 2, 3}}}), Contains("every axis once"));
  CHECK_THAT(refusal_of(Op::kSlice, kImage, {}, {{"axes", Ints{1}}, {"starts", Ints{2}}, {"ends", Ints{2}}}),
             Contains("2:2:1 is empty"));
  CHECK_THAT(refusal_of(Op::kSlice, kImage, {}, {{"axes", Ints{1}}, {"starts", Ints{0}}, {"ends", Ints{5}}}),
             Contains("outside axis 1 of 4"));
  CHECK_THAT(refusal_of(Op::kSlice, kImage, {}, {{"axes", Ints{1, 1}}, {"starts", Ints{0, 0}}, {"ends", Ints{1, 1}}}),
             Contains("given twice"));
  CHECK_THAT(refusal_of(Op::kSlice, kImage, {}, {{"axes", Ints{1}}, {"starts", Ints{0, 0}}, {"ends", Ints{1, 1}}}),
             Contains("one length"));
  CHECK_THAT(
      refusal_of(Op::kPad, kImage, {}, {{"pads", Ints{0, 0, 8, 0, 0, 0, 0, 0}}, {"mode", std::string("reflect")}}),
      Contains("smaller than the axis"));
  CHECK_THAT(refusal_of(Op::kPad, kImage, {}, {{"pads", Ints(8, 0)}, {"mode", std::string("wrap")}}),
             Contains("\"wrap\", which is unknown"));
  CHECK_THAT(refusal_of(Op::kPad, kImage, {}, {{"pads", Ints{1, 0, 0, 0, 0, 0, 0, 0}}}),
             Contains("first axis must stay the batch"));
  CHECK_THAT(refusal_of(Op::kResize, kImage, {}, {{"mode", std::string("cubic")}}),
             Contains("\"cubic\", which is unknown"));
  const std::vector<Attribute> nearest = {
      {"mode", std::string("nearest")}, {"transform", std::string("asymmetric")}, {"rounding", std::string("floor")}};
  const auto resize = [&](std::vector<float> scales, const Ints& sizes) {
    auto attributes = nearest;
    attributes.push_back({"scales", std::move(scales)});
    if (!sizes.empty()) attributes.push_back({"sizes", sizes});
    return refusal_of(Op::kResize, kImage, {}, attributes);
  };
  CHECK_THAT(refusal_of(Op::kResize, kImage, {}, {nearest[0], nearest[1], {"scales", std::vector<float>{2, 2}}}),
             Contains("\"rounding\" is \"\", which is unknown"));
  CHECK_THAT(resize({2}, {}), Contains("\"scales\" needs 2 entries"));
  CHECK_THAT(resize({0, 1}, {}), Contains("out of range"));
  CHECK_THAT(resize({1e30F, 1}, {}), Contains("out of range"));
  CHECK_THAT(resize({0.01F, 1}, {}), Contains("empty"));
  CHECK_THAT(resize({2, 2}, {16, 30}), Contains("size 30 contradicts scale"));

  Builder b;
  const auto small = b.node(Op::kGlobalMaxPool, {Builder::x()});
  b.node(Op::kConcat, {Builder::x(), small}, {{"axis", std::int64_t{1}}});
  CHECK_THAT(b.refused(), Contains("do not join at axis 1"));
}

TEST_CASE("operands of the wrong kind are refused") {
  SECTION("a weight that is computed") {
    Builder b({1, 4, 3, 3});
    b.node(Op::kConv, {Builder::x(), Builder::x()});
    CHECK_THAT(b.refused(), Contains("input 1 must be a constant"));
  }
  SECTION("a constant where a value belongs") {
    Builder b;
    b.node(Op::kRelu, {b.constant({1, 4})});
    CHECK_THAT(b.refused(), Contains("input 0 must be a computed value"));
  }
  SECTION("a hole") {
    Builder b;
    b.node(Op::kAdd, {Builder::x(), Builder::none()});
    CHECK_THAT(b.refused(), Contains("input 1 must be a computed value"));
  }
  SECTION("two constants") {
    Builder b;
    b.node(Op::kAdd, {b.constant({1}), b.constant({1})});
    CHECK_THAT(b.refused(), Contains("both inputs are constants"));
  }
  SECTION("an absent bias may be a hole") {
    Builder b;
    b.node(Op::kConv, {Builder::x(), b.constant({6, 4, 1, 1}), Builder::none()});
    CHECK(b.check() == Shape{1, 6, 8, 10});
  }
}

TEST_CASE("the wiring is checked") {
  Builder b;
  const auto first = b.node(Op::kRelu, {Builder::x()});
  b.node(Op::kTanh, {first});
  auto& graph = b.graph;
  SECTION("right") {
    CHECK(b.check() == kImage);
  }
  SECTION("no nodes") {
    graph.nodes.clear();
    CHECK_THAT(b.refused(), Contains("no nodes"));
  }
  SECTION("too many nodes") {
    graph.nodes.resize(kMaxNodes + 1, graph.nodes[0]);
    CHECK_THAT(b.refused(), Contains("4097 nodes"));
  }
  SECTION("used before it is computed") {
    std::swap(graph.nodes[0], graph.nodes[1]);
    CHECK_THAT(b.refused(), Contains("node \"n2\" (tanh)") && Contains("\"v1\", is used before"));
  }
  SECTION("written twice") {
    graph.nodes[1].output = 1;
    CHECK_THAT(b.refused(), Contains("writes \"v1\", which is written already"));
  }
  SECTION("the input written") {
    graph.nodes[1].output = 0;
    CHECK_THAT(b.refused(), Contains("writes \"x\""));
  }
  SECTION("ids out of range") {
    SECTION("input") {
      graph.nodes[0].inputs[0].id = 9;
    }
    SECTION("negative input") {
      graph.nodes[0].inputs[0].id = -1;
    }
    SECTION("constant") {
      graph.nodes[0].inputs[0] = {Operand::Kind::kConstant, 0};
    }
    SECTION("result") {
      graph.nodes[0].output = 3;
    }
    SECTION("graph input") {
      graph.inputs[0] = 3;
    }
    SECTION("graph output") {
      graph.outputs[0] = -2;
    }
    CHECK_THAT(b.refused(), Contains("names no"));
  }
  SECTION("an operator from the future") {
    graph.nodes[0].op = static_cast<Op>(99);
    CHECK_THAT(b.refused(), Contains("unknown operator"));
  }
  SECTION("never computed") {
    graph.values.push_back({"lost", {}});
    CHECK_THAT(b.refused(), Contains("\"lost\" is never computed"));
  }
  SECTION("two inputs") {
    graph.inputs = {0, 0};
    CHECK_THAT(b.refused(), Contains("2 inputs"));
  }
  SECTION("no outputs") {
    graph.outputs.clear();
    CHECK_THAT(b.refused(), Contains("no outputs"));
  }
  SECTION("the input as output") {
    graph.outputs = {0};
    CHECK_THAT(b.refused(), Contains("\"x\" is the input itself"));
  }
  SECTION("an output twice") {
    graph.outputs = {1, 1};
    CHECK_THAT(b.refused(), Contains("listed twice"));
  }
  SECTION("names") {
    SECTION("value twice") {
      graph.values[1].name = "x";
    }
    SECTION("node twice") {
      graph.nodes[1].name = "n1";
    }
    SECTION("tensor twice") {
      graph.tensors = {{"t", {1}, {0}}, {"t", {1}, {0}}};
    }
    CHECK_THAT(b.refused(), Contains("are called"));
  }
  SECTION("no name") {
    graph.nodes[0].name.clear();
    CHECK_THAT(b.refused(), Contains("a node has no name"));
  }
}

TEST_CASE("sizes are bounded") {
  SECTION("tensor") {
    Builder b;
    b.node(Op::kAdd, {Builder::x(), b.constant({1})});
    auto& tensor = b.graph.tensors[0];
    SECTION("too few values") {
      tensor.shape = {4, 1, 1};
      CHECK_THAT(b.refused(), Contains("tensor \"t0\": has 1 values for shape 4x1x1"));
    }
    SECTION("product overflows") {
      tensor.shape = {std::int64_t{1} << 28, std::int64_t{1} << 28, 256};
      CHECK_THAT(b.refused(), Contains("too large"));
    }
    SECTION("an axis of 0") {
      tensor.shape = {0};
      tensor.data.clear();
      CHECK_THAT(b.refused(), Contains("empty or too large"));
    }
    SECTION("not a number") {
      tensor.data[0] = std::numeric_limits<float>::quiet_NaN();
      CHECK_THAT(b.refused(), Contains("tensor \"t0\": element 0 is not a finite number"));
    }
    SECTION("infinite") {
      tensor.data[0] = std::numeric_limits<float>::infinity();
      CHECK_THAT(b.refused(), Contains("not a finite number"));
    }
  }
  SECTION("input") {
    CHECK_THAT(refusal_of(Op::kRelu, {1, 3, 1 << 15, 1 << 15}, {}, {}),
               Contains("\"x\" has shape 1x3x32768x32768, which is empty or too large"));
    CHECK_THAT(refusal_of(Op::kRelu, {2, 3, 8, 8}, {}, {}), Contains("first axis must stay the batch"));
    CHECK_THAT(refusal_of(Op::kRelu, {}, {}, {}), Contains("first axis must stay the batch"));
    CHECK_THAT(refusal_of(Op::kRelu, {1, 3, -8, -8}, {}, {}), Contains("empty or too large"));
  }
  SECTION("result") {
    CHECK_THAT(refusal_of(Op::kPad, kImage, {}, {{"pads", Ints{0, 60000, 60000, 0, 0, 0, 0, 0}}}),
               Contains("node \"n1\" (pad)") && Contains("too large"));
    CHECK_THAT(refusal_of(Op::kAdd, {1, 1, 1, 1 << 20}, {{1 << 10, 1}}, {}), Contains("too large"));
  }
  SECTION("work") {
    Builder b({1, 64, 1024, 1024});
    auto v = Builder::x();
    for (int i = 0; i < 42; ++i) v = b.node(Op::kConv, {v, b.constant({64, 64, 5, 5})}, {{"pads", Ints{2, 2, 2, 2}}});
    CHECK_THAT(b.refused(), Contains("multiply-accumulates"));
  }
}

TEST_CASE("describe counts work and parameters, shared tensors once") {
  Builder b;
  const auto weight = b.constant({4, 4, 3, 3});
  const auto bias = b.constant({4});
  const std::vector<Attribute> pads = {{"pads", Ints{1, 1, 1, 1}}};
  auto v = b.node(Op::kConv, {Builder::x(), weight, bias}, pads);
  v = b.node(Op::kConv, {v, weight}, pads);
  v = b.node(Op::kConvTranspose, {v, b.constant({4, 2, 2, 2})}, {{"strides", Ints{2, 2}}});
  v = b.node(Op::kLinear, {v, b.constant({20, 5})});
  check_graph(b.graph);
  const auto infos = describe(b.graph);
  REQUIRE(infos.size() == 4);
  CHECK(infos[0].name == "n1");
  CHECK(infos[0].type == "conv");
  CHECK(infos[0].output_shape == Ints{4, 8, 10});
  CHECK(infos[0].macs == 4 * 80 * 36);
  CHECK(infos[0].parameters == 148);
  CHECK(infos[1].macs == 4 * 80 * 36);
  CHECK(infos[1].parameters == 0);
  CHECK(infos[2].output_shape == Ints{2, 16, 20});
  CHECK(infos[2].macs == 4 * 80 * 8);
  CHECK(infos[2].parameters == 32);
  CHECK(infos[3].macs == 2 * 16 * 20 * 5);
  CHECK(infos[3].parameters == 100);
}
