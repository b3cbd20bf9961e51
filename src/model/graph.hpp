// The network as data: what the readers make, the passes change, and the engine plans from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "liveness/model.hpp"

namespace liveness {

using Shape =
    std::vector<std::int64_t>;  // of one image: the batch axis is kept and always 1, so an image is {1, C, H, W}

// Operators of the package format. The reader of another format maps to these or refuses; nothing else exists. Meaning
// and shapes follow ONNX (NCHW). After each: its inputs (a name alone is a computed value; in [] a constant of that
// shape; "?" may be absent) and its attributes with their defaults. Attributes are written out where they differ from
// the default; unknown ones are refused. Axes are counted from 0, never from the end, and never name the batch axis.
// (h, w) and (top, left, bottom, right) are lists of 2 and 4 integers. conv and linear also have
// precision=fp32|bf16|int8: the lowest that they may be computed in; without it the engine's own rule holds.
enum class Op : std::uint8_t {
  kConv,  // x 4-D, weight [Co, Ci/g, Kh, Kw], bias? [Co]; strides (h,w)=1, pads (t,l,b,r)=0, dilations (h,w)=1, group=1
  kConvTranspose,      // x 4-D, weight [Ci, Co/g, Kh, Kw], bias? [Co]; as kConv and output_padding (h,w)=0
  kBatchNorm,          // x, scale, bias, mean, variance, all [C]; epsilon=1e-5
  kPRelu,              // x, slope [C] or [1]
  kRelu,               // x
  kLeakyRelu,          // x; alpha=0.01
  kClip,               // x; min=lowest float, max=largest float
  kSigmoid,            // x
  kHardSigmoid,        // x; alpha=0.2, beta=0.5: max(0, min(1, alpha * x + beta))
  kHardSwish,          // x: x * max(0, min(1, x / 6 + 0.5))
  kTanh,               // x
  kSoftmax,            // x; axis
  kAdd,                // a, b: values or constants (not both constant) of any shape, broadcasting as in NumPy
  kSub,                // as kAdd
  kMul,                // as kAdd
  kDiv,                // as kAdd
  kMaxPool,            // x 4-D; kernel (h,w), strides (h,w)=1, pads (t,l,b,r)=0, dilations (h,w)=1; padding never wins
  kAveragePool,        // x 4-D; kernel (h,w), strides (h,w)=1, pads (t,l,b,r)=0, count_include_pad=0
  kGlobalAveragePool,  // x 4-D
  kGlobalMaxPool,      // x 4-D
  kReduceMean,         // x; axes (ascending), keepdims=1
  kLinear,             // x [.., K], weight [K, N], bias? [N]
  kReshape,            // x; shape (whole, nothing left to infer)
  kTranspose,          // x; perm (starts with 0)
  kConcat,             // x, ...; axis
  kSlice,              // x; axes, starts, ends, steps=1: 0 <= start < end <= size, step >= 1
  kPad,     // x; pads (begin of every axis, then end of every axis; none negative), mode constant|reflect|edge, value=0
  kResize,  // x 4-D; mode nearest|linear, transform asymmetric|half_pixel|align_corners, scales (h,w) as floats,
            // sizes (h,w)=floor(size * scale) of the output; for nearest also
            // rounding floor|ceil|round_prefer_floor|round_prefer_ceil
};

[[nodiscard]] std::string_view to_string(Op op) noexcept;  // "conv", "batch_norm", ...
[[nodiscard]] bool from_string(std::string_view name, Op& op) noexcept;

// A constant. Weights are float; kept by name so that a package can be read by ordinary safetensors libraries.
struct Tensor {
  // How a package holds the values, all of which the storage must be able to give back exactly: kFp16 as half floats,
  // kInt8 (weights of conv and linear) as whole numbers -127..127 times `scale`.
  enum class Storage : std::uint8_t { kFp32, kFp16, kInt8 };

  std::string name;
  Shape shape;
  std::vector<float> data;
  Storage storage = Storage::kFp32;
  std::vector<float> scale = {};  // kInt8: one an output channel, which is axis 0 of conv and axis 1 of linear
};

using AttributeValue = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>>;
struct Attribute {
  std::string name;
  AttributeValue value;
};

// An input of a node: the result of another node (or a graph input) by value id, or a constant by tensor id.
struct Operand {
  enum class Kind : std::uint8_t { kValue, kConstant, kNone } kind = Kind::kNone;
  int id = -1;
};

struct Value {
  std::string name;
  Shape shape;
};

struct Node {
  Op op = Op::kRelu;
  std::string name;
  std::vector<Operand> inputs;
  int output = -1;  // value id; every operator has exactly one result
  std::vector<Attribute> attributes;

  // The attribute, or `fallback` where the node has none of that name. An integer reads as a float too; any other
  // mismatch of type throws Error(kModelInvalid) naming node and attribute.
  [[nodiscard]] std::int64_t int_attr(std::string_view name, std::int64_t fallback) const;
  [[nodiscard]] float float_attr(std::string_view name, float fallback) const;
  [[nodiscard]] std::string string_attr(std::string_view name, std::string_view fallback) const;
  [[nodiscard]] std::vector<std::int64_t> ints_attr(std::string_view name,
                                                    const std::vector<std::int64_t>& fallback) const;
  [[nodiscard]] std::vector<float> floats_attr(std::string_view name, const std::vector<float>& fallback) const;
};

// Nodes are in an order in which every operand is computed before it is used; each value is written once.
struct Graph {
  std::vector<Value> values;
  std::vector<Tensor> tensors;
  std::vector<Node> nodes;
  std::vector<int> inputs;   // value ids; exactly one for everything the engine runs
  std::vector<int> outputs;  // value ids
};

// Recomputes every value's shape from the inputs' and checks the whole graph: one input; names present and unique;
// values written once and before use; for each node operand count and kind, ranks, attributes, shapes of constants;
// constants finite. Every value and constant ends up with 1 <= elements <= kMaxElements, every value with batch axis 1,
// and the whole graph with at most kMaxMacs, so that whoever plans from a checked graph computes sizes without
// overflow. Throws Error(kModelInvalid) naming the node, value or tensor.
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 28;
inline constexpr std::int64_t kMaxMacs = std::int64_t{1} << 42;
inline constexpr std::size_t kMaxNodes = 4096;
inline constexpr std::size_t kMaxRank = 8;
void check_graph(Graph& graph);

// Plans a checked graph for pictures of another size: the shapes of values, and those that reshapes and resizes carry.
// Throws Error(kUnsupported) naming the node that cannot follow, and as check_graph; the graph is then of no use.
void resize_graph(Graph& graph, std::int64_t height, std::int64_t width);

// The shape of what `node` computes, from the shapes of its inputs, which must be valid operands of known shape, and
// its constants. Throws as check_graph; leaves the rule of the batch axis to it.
[[nodiscard]] Shape infer_shape(const Graph& graph, const Node& node);

// Elements of a shape that is known to be in bounds.
[[nodiscard]] std::int64_t elements(const Shape& shape) noexcept;
[[nodiscard]] std::string to_string(const Shape& shape);  // "1x3x80x80"; "scalar" where there are no axes

// The index of the first value that is NaN or infinite, or the number of values.
[[nodiscard]] std::size_t first_not_finite(std::span<const float> values) noexcept;

// Multiply-accumulates and parameters of a checked graph, node by node; output shapes without the batch axis. A tensor
// that several nodes share counts at the first.
[[nodiscard]] std::vector<NodeInfo> describe(const Graph& graph);

}  // namespace liveness
