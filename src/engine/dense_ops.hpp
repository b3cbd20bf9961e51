// Plain loops over arrays in the graph's own order, for whatever has no kernel of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/graph.hpp"

namespace liveness::engine {

struct DenseOp {
  Op op = Op::kReshape;                       // kReshape: a copy
  std::string name;                           // of the node
  std::vector<Shape> shapes;                  // of the operands
  std::vector<std::vector<float>> constants;  // of the operands that are constants; empty for the others
  Shape shape;                                // of the result
  // Attributes by the graph's names; axes and perm are whole numbers from 0, lists that may be absent are filled in.
  std::int64_t axis = 0;
  std::vector<std::int64_t> list;   // axes of a mean, perm, starts by axis, pads
  std::vector<std::int64_t> steps;  // by axis
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::int64_t groups = 1;
  std::string mode;
  float a = 0;  // lower bound, alpha, the value that pads
  float b = 0;  // upper bound, beta
};

[[nodiscard]] DenseOp make_dense_op(const Graph& graph, const Node& node);

// inputs[i] is not read where operand i is a constant. Allocates nothing.
void run_dense_op(const DenseOp& op, const float* const* inputs, float* out);

}  // namespace liveness::engine
