// The graph as the engine runs it: fewer, larger layers with their layouts chosen. Made from the graph by lower().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/dense_ops.hpp"
#include "engine/kernels.hpp"
#include "model/graph.hpp"

namespace liveness::engine {

enum class Layout : std::uint8_t {
  kPlanes,  // the graph's input: planes with a border of zeros
  kNhwc,    // as Rows says; where height and width are 1 this is the dense order too
  kDense,   // the order of the graph's shape, without gaps
};

struct Tensor4 {
  Layout layout = Layout::kNhwc;
  int channels = 1;  // dense: 1 x 1 x size
  int height = 1;
  int width = 1;
  // A view: some channels of another image, from `channel` on, or a dense array as one pixel. -1: a value of its own.
  int base = -1;
  int channel = 0;
};

enum class Kind : std::uint8_t {
  kConv,
  kDepthwise,
  kPool,
  kGlobalPool,
  kPointwise,
  kResize,
  kFromPlanes,
  kToDense,
  kFromDense,
  kConcat,  // puts its input at `op.channel` of its output; several of them fill that
  kSlice,   // takes channels from `op.channel` on
  kDense,   // a dense_ops operation
};

struct Layer {
  Kind kind = Kind::kPointwise;
  std::string name;         // of the node that it comes from, or of the first of them
  std::vector<int> inputs;  // values: x, then what pointwise combines it with, or a convolution's gate
  int residual = -1;
  int output = -1;
  std::int64_t macs = 0;
  Operation op;  // geometry, activation and flags; the plan fills in places and pointers
  int groups = 1;
  Precision lowest = Precision::kAuto;  // convolution: what its node allows; kAuto where that says nothing
  std::vector<float> weight;            // convolution [Co, Ci/g, Kh, Kw], depthwise [C, Kh, Kw], affine [C]
  std::vector<float> bias;              // [Co] or [C]
  std::vector<float> slope;             // [Co] where act is kPRelu
  std::vector<int> map_y;               // resize, as Operation describes them
  std::vector<int> map_x;
  std::vector<float> lerp_y;
  std::vector<float> lerp_x;
  DenseOp dense;
};

struct Network {
  std::vector<Tensor4> values;
  std::vector<Layer> layers;  // in running order
  int input = -1;
  std::vector<int> outputs;  // values in dense order
};

// `lanes`: floats a vector, which decides what is worth merging; `gates`: convolutions can multiply their sums with a
// pixel. Throws Error(kUnsupported) naming the node.
[[nodiscard]] Network lower(Graph graph, int lanes, bool gates);

}  // namespace liveness::engine
