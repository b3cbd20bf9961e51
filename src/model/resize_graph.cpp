// The same network for another size of its input: shapes that a reader has written into nodes are worked out again.
#include <cmath>
#include <cstddef>

#include "liveness/error.hpp"
#include "model/graph.hpp"

namespace liveness {
namespace {

[[noreturn]] void refuse(const Node& node, const std::string& why) {
  throw Error(Status::kUnsupported,
              "node \"" + node.name + "\" (" + std::string(to_string(node.op)) + "): cannot take another size: " + why);
}

AttributeValue& attribute(Node& node, const std::string& name) {
  for (Attribute& a : node.attributes)
    if (a.name == name) return a.value;
  refuse(node, "it has no attribute \"" + name + "\"");
}

// A reshape keeps the order of the elements, so that runs of axes before and after it hold the same ones: 1x40x40x4 to
// 1x1600x4 is (1)(40x40)(4) to (1)(1600)(4). A run that becomes one axis takes any size; a run that is cut into several
// can be cut again only if it did not change.
Shape reshaped(const Node& node, const Shape& from, const Shape& to, const Shape& now) {
  Shape result;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < from.size() || j < to.size()) {
    const std::size_t first_in = i;
    const std::size_t first_out = j;
    std::int64_t before = i < from.size() ? from[i++] : 1;
    std::int64_t after = j < to.size() ? to[j++] : 1;
    while (before != after) {
      // Both hold the same elements in all, so the smaller run has a next axis.
      if (before < after) {
        before *= from[i++];
      } else {
        after *= to[j++];
      }
    }
    std::int64_t size = 1;
    bool changed = false;
    for (std::size_t k = first_in; k < i; ++k) {
      size *= now[k];
      changed = changed || now[k] != from[k];
    }
    if (!changed) {
      result.insert(result.end(), to.begin() + static_cast<std::ptrdiff_t>(first_out),
                    to.begin() + static_cast<std::ptrdiff_t>(j));
    } else if (j - first_out == 1) {
      result.push_back(size);
    } else {
      refuse(node, "it cuts an axis of " + std::to_string(before) + " in a way that the graph does not tell");
    }
  }
  return result;
}

}  // namespace

void resize_graph(Graph& graph, std::int64_t height, std::int64_t width) {
  const Graph old = graph;
  Shape& input = graph.values[static_cast<std::size_t>(graph.inputs[0])].shape;
  if (input.size() != 4) {
    throw Error(Status::kUnsupported,
                "the input has shape " + to_string(input) + ": only pictures can have another size");
  }
  input[2] = height;
  input[3] = width;
  for (Node& node : graph.nodes) {
    const Operand& first = node.inputs[0];
    if (first.kind == Operand::Kind::kValue) {
      const auto id = static_cast<std::size_t>(first.id);
      const Shape& before = old.values[id].shape;
      const Shape& now = graph.values[id].shape;
      if (node.op == Op::kReshape) {
        attribute(node, "shape") = reshaped(node, before, old.values[static_cast<std::size_t>(node.output)].shape, now);
      } else if (node.op == Op::kResize) {
        const std::vector<float> scales = node.floats_attr("scales", {1, 1});
        for (Attribute& a : node.attributes) {
          if (a.name != "sizes") continue;
          std::vector<std::int64_t> sizes;
          for (std::size_t k = 0; k < 2; ++k)
            sizes.push_back(static_cast<std::int64_t>(
                std::floor(static_cast<double>(now[k + 2]) * static_cast<double>(scales[k]))));
          a.value = sizes;
        }
      } else if (node.op == Op::kSlice) {
        for (const std::int64_t axis : node.ints_attr("axes", {})) {
          const auto k = static_cast<std::size_t>(axis);
          if (k < now.size() && now[k] != before[k])
            refuse(node, "it takes a part of an axis whose length depends on the size");
        }
      }
    }
    graph.values[static_cast<std::size_t>(node.output)].shape = infer_shape(graph, node);
  }
  check_graph(graph);
}

}  // namespace liveness
