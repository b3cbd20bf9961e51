// The network as data: what the readers make, the passes change, and the engine plans from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "liveness/model.hpp"

namespace liveness {

using Shape = std::vector<std::int64_t>;  // of one image: the batch axis is kept and always 1, so an image is {1, C, H, W}

// Operators of the package format. The reader of another format maps to these or refuses; nothing else exists.
// Inputs, attributes and weights of each are listed in docs/model_format.md; shapes follow ONNX (NCHW).
enum class Op : std::uint8_t {
  kConv,             // x; weight [Co, Ci/g, Kh, Kw], bias? [Co]; strides, pads(t,l,b,r), dilations, group
  kConvTranspose,    // x; weight [Ci, Co/g, Kh, Kw], bias?; strides, pads, dilations, group, output_padding
  kBatchNorm,        // x; scale, bias, mean, variance [C]; epsilon
  kPRelu,            // x; slope [C] or [1]
  kRelu,             // x
  kLeakyRelu,        // x; alpha
  kClip,             // x; min, max
  kSigmoid,          // x
  kHardSigmoid,      // x; alpha, beta
  kHardSwish,        // x
  kTanh,             // x
  kSoftmax,          // x; axis
  kAdd,              // a, b: values or constants; broadcasting as in NumPy
  kSub,
  kMul,
  kDiv,
  kMaxPool,          // x; kernel, strides, pads, dilations
  kAveragePool,      // x; kernel, strides, pads, count_include_pad
  kGlobalAveragePool,
  kGlobalMaxPool,
  kReduceMean,       // x; axes, keepdims
  kLinear,           // x [.., K]; weight [K, N], bias? [N]
  kReshape,          // x; shape (batch kept at 1)
  kTranspose,        // x; perm
  kConcat,           // x...; axis
  kSlice,            // x; axes, starts, ends, steps (normalised: 0 <= start, end <= size, step >= 1)
  kPad,              // x; pads (begin of every axis, then end of every axis), mode constant|reflect|edge, value
  kResize,           // x; mode nearest|linear, transform asymmetric|half_pixel|align_corners, scales (h, w), rounding floor|round_prefer_floor|ceil|round_prefer_ceil
};

[[nodiscard]] std::string_view to_string(Op op) noexcept;            // "conv", "batch_norm", ...
[[nodiscard]] bool from_string(std::string_view name, Op& op) noexcept;

// A constant. Weights are float; kept by name so that a package can be read by ordinary safetensors libraries.
struct Tensor {
  std::string name;
  Shape shape;
  std::vector<float> data;
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

  [[nodiscard]] std::int64_t int_attr(std::string_view name, std::int64_t fallback) const;
  [[nodiscard]] float float_attr(std::string_view name, float fallback) const;
  [[nodiscard]] std::string string_attr(std::string_view name, std::string_view fallback) const;
  [[nodiscard]] std::vector<std::int64_t> ints_attr(std::string_view name, std::vector<std::int64_t> fallback) const;
  [[nodiscard]] std::vector<float> floats_attr(std::string_view name, std::vector<float> fallback) const;
};

// Nodes are in an order in which every operand is computed before it is used; each value is written once.
struct Graph {
  std::vector<Value> values;
  std::vector<Tensor> tensors;
  std::vector<Node> nodes;
  std::vector<int> inputs;   // value ids; exactly one for everything the engine runs
  std::vector<int> outputs;  // value ids
};

// Recomputes every value's shape from the inputs' and checks each node: operand count, ranks, attribute ranges, constant shapes.
// Throws Error(kModelInvalid) naming the node. Sizes are bounded, so that a hostile file cannot ask for more than
// kMaxElements in any value.
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 28;
inline constexpr std::size_t kMaxNodes = 4096;
void check_graph(Graph& graph);

// Multiply-accumulates and parameters, node by node.
[[nodiscard]] std::vector<NodeInfo> describe(const Graph& graph);

}  // namespace liveness
