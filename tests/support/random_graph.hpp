// Graphs put together by hand or by dice, and the engine's answer to them beside the reference's.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.hpp"
#include "model/graph.hpp"
#include "reference.hpp"

namespace liveness::test {

using Ints = std::vector<std::int64_t>;

class GraphBuilder {
 public:
  explicit GraphBuilder(unsigned seed) : random(seed) {}

  std::mt19937 random;
  Graph graph;

  int input(Shape shape) {
    graph.values.push_back({"input", std::move(shape)});
    graph.inputs = {0};
    return 0;
  }

  [[nodiscard]] const Shape& shape(int value) const { return graph.values[static_cast<std::size_t>(value)].shape; }

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }
  bool chance(double p) { return std::bernoulli_distribution(p)(random); }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<std::size_t>(pick(0, static_cast<int>(from.size()) - 1))];
  }

  static Operand value(int id) { return {Operand::Kind::kValue, id}; }

  Operand constant(Shape shape, float low, float high) {
    std::vector<float> data(static_cast<std::size_t>(elements(shape)));
    std::uniform_real_distribution<float> uniform(low, high);
    for (float& v : data) v = uniform(random);
    return tensor(std::move(shape), std::move(data));
  }

  Operand tensor(Shape shape, std::vector<float> data) {
    graph.tensors.push_back({"t" + std::to_string(graph.tensors.size()), std::move(shape), std::move(data)});
    return {Operand::Kind::kConstant, static_cast<int>(graph.tensors.size()) - 1};
  }

  int add(Op op, std::vector<Operand> inputs, std::vector<Attribute> attributes = {}) {
    Node node{op, "n" + std::to_string(graph.nodes.size()), std::move(inputs), static_cast<int>(graph.values.size()),
              std::move(attributes)};
    graph.values.push_back({"v" + std::to_string(graph.values.size()), infer_shape(graph, node)});
    graph.nodes.push_back(std::move(node));
    return graph.nodes.back().output;
  }

  struct Window {
    Ints kernel{3, 3};
    Ints strides{1, 1};
    Ints pads{1, 1, 1, 1};
    Ints dilations{1, 1};
  };

  int conv(int x, std::int64_t outs, const Window& w, std::int64_t groups = 1, bool bias = true) {
    const std::int64_t ins = shape(x)[1] / groups;
    const float range = std::sqrt(3.0F / static_cast<float>(ins * w.kernel[0] * w.kernel[1]));
    std::vector<Operand> inputs{value(x), constant({outs, ins, w.kernel[0], w.kernel[1]}, -range, range)};
    if (bias) inputs.push_back(constant({outs}, -0.5F, 0.5F));
    return add(Op::kConv, std::move(inputs),
               {{"strides", w.strides}, {"pads", w.pads}, {"dilations", w.dilations}, {"group", groups}});
  }
  int conv1x1(int x, std::int64_t outs) { return conv(x, outs, {{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}}); }

  int batch_norm(int x) {
    const Shape c{shape(x)[1]};
    return add(Op::kBatchNorm, {value(x), constant(c, 0.5F, 1.5F), constant(c, -0.5F, 0.5F), constant(c, -0.5F, 0.5F),
                                constant(c, 0.5F, 2.0F)});
  }

  int prelu(int x) { return add(Op::kPRelu, {value(x), constant({shape(x)[1]}, -0.5F, 1.5F)}); }

  Graph finish(std::vector<int> outputs) {
    graph.outputs = std::move(outputs);
    check_graph(graph);
    return graph;
  }
};

inline std::vector<float> random_values(std::int64_t n, unsigned seed, float low = -1, float high = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> data(static_cast<std::size_t>(n));
  for (float& v : data) v = uniform(random);
  return data;
}

inline void feed(const Executable& executable, Workspace& workspace, const Shape& shape,
                 const std::vector<float>& values) {
  const PlanarView view = executable.input(workspace);
  if (shape.size() != 4) {
    std::copy(values.begin(), values.end(), view.data);
    return;
  }
  const float* from = values.data();
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    for (std::int64_t y = 0; y < shape[2]; ++y, from += shape[3]) {
      std::copy_n(from, shape[3], view.data + c * view.plane_stride + y * view.row_stride);
    }
  }
}

inline std::vector<std::vector<float>> outputs_of(const Executable& executable, const Workspace& workspace,
                                                  const Graph& graph) {
  std::vector<std::vector<float>> outputs;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const auto out = executable.output(workspace, i);
    outputs.emplace_back(out.begin(), out.end());
  }
  return outputs;
}

inline std::vector<std::vector<float>> run_engine(const Executable& executable, Workspace& workspace,
                                                  const Graph& graph, const std::vector<float>& input) {
  feed(executable, workspace, graph.values[static_cast<std::size_t>(graph.inputs[0])].shape, input);
  executable.run(workspace);
  return outputs_of(executable, workspace, graph);
}

// The engine copies the input by itself, into a workspace that has seen none.
inline std::vector<std::vector<float>> run_engine_from(const Executable& executable, const Graph& graph,
                                                       const std::vector<float>& input) {
  const auto workspace = executable.make_workspace();
  executable.run_from(*workspace, input.data(), InputContract{});
  return outputs_of(executable, *workspace, graph);
}

// Largest difference relative to max(1, largest |wanted|) of each output; infinite where a value is not a number or
// sizes differ.
inline float difference(const std::vector<std::vector<float>>& found, const std::vector<std::vector<float>>& wanted) {
  float worst = 0;
  if (found.size() != wanted.size()) return INFINITY;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].size() != wanted[i].size()) return INFINITY;
    float scale = 1;
    for (const float v : wanted[i]) scale = std::max(scale, std::fabs(v));
    for (std::size_t j = 0; j < found[i].size(); ++j) {
      const float d = std::fabs(found[i][j] - wanted[i][j]) / scale;
      worst = d <= worst ? worst : std::isnan(d) ? INFINITY : d;
    }
  }
  return worst;
}

inline bool same_bits(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].size() != b[i].size() || std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)) != 0)
      return false;
  }
  return true;
}

}  // namespace liveness::test
