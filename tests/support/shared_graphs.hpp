// The third-party networks as graphs; tests ask have_model() first.
#pragma once

#include <array>
#include <string>

#include "model/graph.hpp"
#include "model/onnx.hpp"
#include "model/package.hpp"
#include "shared_models.hpp"

namespace liveness::test {

// A network and the range of the values that it takes.
struct SharedGraph {
  const char* name;
  float low;
  float high;
};

inline constexpr std::array<SharedGraph, 6> kSharedGraphs{{{"minifasnet_v2_80_scale2.7.onnx", 0, 255},
                                                           {"minifasnet_v1se_80_scale4.0.onnx", 0, 255},
                                                           {"minifasnet_v2se_128_scale1.5.onnx", 0, 1},
                                                           {"landmark68_64.onnx", 0, 1},
                                                           {"yunet_s_320_320.onnx", 0, 255},
                                                           {"yunet_s_640_640.onnx", 0, 255}}};

inline Graph load_shared_graph(const std::string& name) {
  const auto bytes = read_file(shared_models() / name);
  Graph graph = read_onnx(bytes, name);
  check_graph(graph);
  return graph;
}

inline Shape input_shape(const Graph& graph) {
  return graph.values[static_cast<std::size_t>(graph.inputs[0])].shape;
}

}  // namespace liveness::test
