// Miniature networks made by hand, so that tests of the pipeline need no file: what they answer can be worked out on
// paper.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "liveness/model.hpp"
#include "model/package.hpp"

namespace liveness::test {

// P(live) = sigmoid((mean of the crop's green channel - middle) * slope): the greener, the more alive.
struct TinyPad {
  std::string name = "tiny_pad";
  float middle = 128;
  float slope = 1.0F / 16;
  int size = 8;     // input: size x size
  int classes = 3;  // all but the live one have a logit of 0 divided among them
  int live = 1;
  float crop_scale = 1;
  BorderRule border = BorderRule::kShift;
  bool softmax_inside = false;
  float temperature = 1;
  ThresholdProfile balanced{0.5F, 0.5F, "made up"};
};

inline int add_value(Graph& graph, const std::string& name, Shape shape) {
  graph.values.push_back({name, std::move(shape)});
  return static_cast<int>(graph.values.size()) - 1;
}

inline Operand add_tensor(Graph& graph, const std::string& name, Shape shape, std::vector<float> data) {
  graph.tensors.push_back({name, std::move(shape), std::move(data)});
  return {Operand::Kind::kConstant, static_cast<int>(graph.tensors.size()) - 1};
}

inline int add_node(Graph& graph, Op op, const std::string& name, std::vector<Operand> inputs, Shape shape,
                    std::vector<Attribute> attributes = {}) {
  const int out = add_value(graph, name, std::move(shape));
  graph.nodes.push_back({op, name, std::move(inputs), out, std::move(attributes)});
  return out;
}

inline Operand operand(int value) {
  return {Operand::Kind::kValue, value};
}

inline Package tiny_pad_package(const TinyPad& t) {
  Package p;
  Graph& g = p.graph;
  const std::int64_t n = t.classes;
  const auto classes = static_cast<std::size_t>(t.classes);
  const int image = add_value(g, "image", {1, 3, t.size, t.size});
  g.inputs = {image};
  const int pooled = add_node(g, Op::kGlobalAveragePool, "pooled", {operand(image)}, {1, 3, 1, 1});
  const int flat =
      add_node(g, Op::kReshape, "flat", {operand(pooled)}, {1, 3}, {{"shape", std::vector<std::int64_t>{1, 3}}});
  std::vector<float> weight(3 * classes, 0.0F);
  std::vector<float> bias(classes, -std::log(static_cast<float>(t.classes - 1)));
  weight[classes + static_cast<std::size_t>(t.live)] = t.slope;
  bias[static_cast<std::size_t>(t.live)] = -t.middle * t.slope;
  const Operand w = add_tensor(g, "weight", {3, n}, std::move(weight));
  const Operand b = add_tensor(g, "bias", {n}, std::move(bias));
  int out = add_node(g, Op::kLinear, "scores", {operand(flat), w, b}, {1, n});
  if (t.softmax_inside)
    out = add_node(g, Op::kSoftmax, "probabilities", {operand(out)}, {1, n}, {{"axis", std::int64_t{1}}});
  g.outputs = {out};

  Contract& c = p.contract;
  c.name = t.name;
  c.version = "1";
  c.task = Task::kPad;
  c.input = {t.size, t.size, ColorOrder::kBgr, 0, 255, {0, 0, 0}, {1, 1, 1}};
  c.crop.emplace();
  c.crop->scale = t.crop_scale;
  c.crop->border = t.border;
  c.crop->box = "yunet";
  c.score.emplace();
  c.score->output = g.values[static_cast<std::size_t>(out)].name;
  for (int i = 0; i < t.classes; ++i) c.score->classes.push_back(i == t.live ? "live" : "attack" + std::to_string(i));
  c.score->live = t.live;
  c.score->softmax_inside = t.softmax_inside;
  c.score->temperature = t.temperature;
  c.score->profiles["balanced"] = t.balanced;
  c.score->profiles["strict"] = {0.9F, 0.9F, "made up"};
  c.licence = "Apache-2.0";
  c.provenance = "made by hand for tests";
  return p;
}

inline Model tiny_model(const Package& package) {
  const auto bytes = write_package(package);
  return Model::from_memory(bytes);
}
inline Model tiny_pad(const TinyPad& t = {}) {
  return tiny_model(tiny_pad_package(t));
}

// A detector in YuNet's form with one stride: a face in every 8 x 8 cell of its 32 x 32 input whose red channel is
// bright. The face is as large as the cell where blue is 0, and twice as large where it is 255.
inline Package tiny_detector_package() {
  constexpr std::int64_t kCells = 4;
  Package p;
  Graph& g = p.graph;
  const int image = add_value(g, "image", {1, 3, 32, 32});
  g.inputs = {image};
  const int cells =
      add_node(g, Op::kAveragePool, "cells", {operand(image)}, {1, 3, kCells, kCells},
               {{"kernel", std::vector<std::int64_t>{8, 8}}, {"strides", std::vector<std::int64_t>{8, 8}}});

  // Channels of the input are blue, green, red.
  const auto head = [&](const std::string& name, std::vector<float> weight, std::vector<float> bias, bool sigmoid) {
    const auto n = static_cast<std::int64_t>(bias.size());
    const Operand w = add_tensor(g, name + "_weight", {n, 3, 1, 1}, std::move(weight));
    const Operand b = add_tensor(g, name + "_bias", {n}, std::move(bias));
    int v = add_node(g, Op::kConv, name + "_conv", {operand(cells), w, b}, {1, n, kCells, kCells});
    if (sigmoid) v = add_node(g, Op::kSigmoid, name + "_sigmoid", {operand(v)}, {1, n, kCells, kCells});
    v = add_node(g, Op::kTranspose, name + "_points", {operand(v)}, {1, kCells, kCells, n},
                 {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}});
    g.outputs.push_back(add_node(g, Op::kReshape, name + "_8", {operand(v)}, {1, kCells * kCells, n},
                                 {{"shape", std::vector<std::int64_t>{1, kCells * kCells, n}}}));
  };
  head("cls", {0, 0, 0.25F}, {-50}, true);
  head("obj", {0, 0, 0.25F}, {-50}, true);
  const float grow = std::log(2.0F) / 255;
  head("bbox", {0, 0, 0, 0, 0, 0, grow, 0, 0, grow, 0, 0}, {0.5F, 0.5F, 0, 0}, false);
  head("kps", std::vector<float>(30, 0.0F), {0.3F, 0.3F, 0.7F, 0.3F, 0.5F, 0.5F, 0.35F, 0.75F, 0.65F, 0.75F}, false);

  Contract& c = p.contract;
  c.name = "tiny_detector";
  c.version = "1";
  c.task = Task::kDetector;
  c.input = {32, 32, ColorOrder::kBgr, 0, 255, {0, 0, 0}, {1, 1, 1}};
  c.detector.emplace();
  c.detector->strides = {8};
  c.detector->outputs = {{"cls", {"cls_8"}}, {"obj", {"obj_8"}}, {"bbox", {"bbox_8"}}, {"kps", {"kps_8"}}};
  c.licence = "Apache-2.0";
  c.provenance = "made by hand for tests";
  return p;
}
inline Model tiny_detector() {
  return tiny_model(tiny_detector_package());
}

// A frame of 320 x 320 pixels that the tiny networks understand: black, with square faces of 80 pixels on a grid of 4
// x 4.
struct Scene {
  static constexpr int kSide = 320;
  static constexpr int kCell = 80;
  std::vector<std::uint8_t> pixels = std::vector<std::uint8_t>(std::size_t{kSide} * kSide * 3, 0);

  // A face that the detector sees. A checkerboard in green makes it sharp without changing its mean.
  void face(int column, int row, int green, int blue = 0) {
    paint(column * kCell, row * kCell, kCell, kCell, blue, green, 255, 20);
  }
  void paint(int x, int y, int width, int height, int blue, int green, int red, int texture) {
    for (int j = y; j < y + height; ++j)
      for (int i = x; i < x + width; ++i) {
        std::uint8_t* p = &pixels[static_cast<std::size_t>(j * kSide + i) * 3];
        p[0] = static_cast<std::uint8_t>(blue);
        p[1] = static_cast<std::uint8_t>(green + ((i / 4 + j / 4) % 2 == 0 ? texture : -texture));
        p[2] = static_cast<std::uint8_t>(red);
      }
  }
  [[nodiscard]] ImageView view() const { return make_image(pixels.data(), kSide, kSide, PixelFormat::kBgr); }
  [[nodiscard]] static Rect box(int column, int row) {
    return {static_cast<float>(column * kCell), static_cast<float>(row * kCell), kCell, kCell};
  }
};

}  // namespace liveness::test
