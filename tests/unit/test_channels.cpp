// Pruning: a network without channels says what the whole one says with those channels at zero.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "model/onnx.hpp"
#include "model/package.hpp"
#include "optimize/channels.hpp"
#include "random_graph.hpp"
#include "shared_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

// Each unit stays with the given chance; of every group at least one.
std::vector<bool> some(const Channels& channels, double chance, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<bool> keep(channels.units(), false);
  for (const auto& group : channels.groups()) {
    for (const int u : group.units)
      keep[static_cast<std::size_t>(u)] = std::uniform_real_distribution<double>(0, 1)(random) < chance;
    keep[static_cast<std::size_t>(group.units[random() % group.units.size()])] = true;
  }
  return keep;
}

// The graph with everything at zero that makes the units that go.
Graph masked(const Graph& graph, const Channels& channels, const std::vector<bool>& keep) {
  Graph made = graph;
  for (const auto& slice : channels.slices()) {
    if (!slice.makes) continue;
    Tensor& tensor = made.tensors[static_cast<std::size_t>(slice.tensor)];
    std::size_t inner = 1;
    for (std::size_t i = slice.axis + 1; i < tensor.shape.size(); ++i)
      inner *= static_cast<std::size_t>(tensor.shape[i]);
    for (std::size_t i = 0; i < tensor.data.size(); ++i) {
      const int unit = slice.units[i / inner % slice.units.size()];
      if (unit >= 0 && !keep[static_cast<std::size_t>(unit)]) tensor.data[i] = 0;
    }
  }
  return made;
}

std::vector<std::vector<float>> run(const Graph& graph, float high, unsigned seed) {
  const auto plan = plan_cpu(graph, default_isa());
  const auto workspace = plan->make_workspace();
  const Shape& shape = graph.values[static_cast<std::size_t>(graph.inputs[0])].shape;
  const PlanarView view = plan->input(*workspace);
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> level(0, high);
  for (std::int64_t c = 0; c < shape[1]; ++c)
    for (std::int64_t y = 0; y < shape[2]; ++y)
      for (std::int64_t x = 0; x < shape[3]; ++x)
        view.data[c * view.plane_stride + y * view.row_stride + x] = level(random);
  plan->run(*workspace);
  std::vector<std::vector<float>> outputs;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const auto found = plan->output(*workspace, i);
    outputs.emplace_back(found.begin(), found.end());
  }
  return outputs;
}

// Shrinks and masks, and compares; returns the shrunk graph.
Graph check_shrunk(const Graph& graph, double chance, float high, unsigned seed) {
  const Channels channels(graph);
  const auto keep = some(channels, chance, seed);
  Graph shrunk = channels.shrink(keep);
  const auto wanted = run(masked(graph, channels, keep), high, seed);
  const auto found = run(shrunk, high, seed);
  REQUIRE(found.size() == wanted.size());
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    REQUIRE(found[k].size() == wanted[k].size());
    float largest = 1;
    float difference = 0;
    for (std::size_t i = 0; i < wanted[k].size(); ++i) {
      largest = std::max(largest, std::abs(wanted[k][i]));
      difference = std::max(difference, std::abs(wanted[k][i] - found[k][i]));
    }
    CHECK(difference <= 2e-5F * largest);
  }
  return shrunk;
}

std::int64_t macs(const Graph& graph) {
  std::int64_t all = 0;
  for (const auto& node : describe(graph)) all += node.macs;
  return all;
}

struct File {
  const char* name;
  float high;
  double least;  // share of the arithmetic that goes at least when half of all channels do
};

}  // namespace

TEST_CASE("shrunk third-party networks equal masked ones") {
  const auto file =
      GENERATE(File{"minifasnet_v2_80_scale2.7.onnx", 255, 0.5}, File{"minifasnet_v1se_80_scale4.0.onnx", 255, 0.5},
               File{"minifasnet_v2se_128_scale1.5.onnx", 1, 0.5}, File{"yunet_s_320_320.onnx", 255, 0.5},
               File{"yunet_s_640_640.onnx", 255, 0.5}, File{"landmark68_64.onnx", 1, 0.5});
  if (!have_model(file.name)) return;
  INFO(file.name);
  Graph graph = read_onnx(read_file(shared_models() / file.name), file.name);
  check_graph(graph);
  const Channels channels(graph);
  for (const auto& group : channels.groups()) UNSCOPED_INFO(group.name << " " << group.units.size());
  INFO(channels.groups().size() << " groups");
  const Graph half = check_shrunk(graph, 0.5, file.high, 1);
  INFO(macs(graph) << " -> " << macs(half));
  CHECK(static_cast<double>(macs(half)) < (1 - file.least) * static_cast<double>(macs(graph)));
  check_shrunk(graph, 0.9, file.high, 2);
}

namespace {

// Blocks in which channels meet in every way that the rules follow, and some that they do not.
Graph random_network(unsigned seed) {
  GraphBuilder b(seed);
  const std::int64_t size = b.pick(9, 20);
  const auto act = [&](int x) {
    switch (b.pick(0, 3)) {
      case 0: return b.prelu(x);
      case 1: return b.add(Op::kRelu, {b.value(x)});
      case 2: return b.add(Op::kHardSwish, {b.value(x)});
      default: return b.add(Op::kLeakyRelu, {b.value(x)}, {{"alpha", 0.1F}});
    }
  };
  int x = act(b.conv(b.input({1, 3, size, size}), b.pick(4, 24), {}));
  std::vector<int> outputs;
  for (int block = 0; block < 6; ++block) {
    const std::int64_t c = b.shape(x)[1];
    switch (b.pick(0, 8)) {
      case 0: {  // residual
        int y = act(b.batch_norm(b.conv1x1(x, b.pick(4, 40))));
        y = act(b.conv(y, b.shape(y)[1], {}, b.shape(y)[1]));
        x = b.add(b.chance(0.7) ? Op::kAdd : Op::kSub, {b.value(x), b.value(b.conv1x1(y, c))});
        break;
      }
      case 1: {  // gate
        const int pooled = b.add(Op::kGlobalAveragePool, {b.value(x)});
        const int inner = act(b.conv1x1(pooled, b.pick(2, 12)));
        const int gate = b.add(Op::kSigmoid, {b.value(b.conv1x1(inner, c))});
        x = b.add(Op::kMul, {b.value(x), b.value(gate)});
        break;
      }
      case 2: {  // branches side by side
        const int left = act(b.conv1x1(x, b.pick(3, 20)));
        const int right = b.chance(0.5) ? x : act(b.conv(x, b.pick(3, 20), {}));
        x = b.add(Op::kConcat, {b.value(left), b.value(right)}, {{"axis", std::int64_t{1}}});
        break;
      }
      case 3:  // each channel makes two
        x = act(b.conv(x, 2 * c, {}, c));
        break;
      case 4: {  // one plane for all channels
        const int plane = b.add(Op::kSigmoid, {b.value(b.conv1x1(x, 1))});
        x = b.add(Op::kMul, {b.value(plane), b.value(x)});
        break;
      }
      case 5: {  // around by transposes
        const int turned = b.add(Op::kTranspose, {b.value(x)}, {{"perm", Ints{0, 2, 3, 1}}});
        const int scaled = b.add(Op::kMul, {b.value(turned), b.constant({c}, 0.5F, 1.5F)});
        x = b.add(Op::kTranspose, {b.value(scaled)}, {{"perm", Ints{0, 3, 1, 2}}});
        break;
      }
      case 6: {  // groups and slices, which hold their channels
        if (c % 4 != 0) break;
        const int half =
            b.add(Op::kSlice, {b.value(x)}, {{"axes", Ints{1}}, {"starts", Ints{0}}, {"ends", Ints{c / 2}}});
        x = act(b.conv(b.chance(0.5) ? half : x, 12, {}, 2));
        break;
      }
      case 7: {  // up and to the same size again
        const auto& s = b.shape(x);
        const int up = b.add(Op::kResize, {b.value(x)},
                             {{"mode", std::string("nearest")},
                              {"transform", std::string("asymmetric")},
                              {"rounding", std::string("floor")},
                              {"scales", std::vector<float>{2, 2}},
                              {"sizes", Ints{2 * s[2], 2 * s[3]}}});
        x = b.add(Op::kMaxPool, {b.value(up)}, {{"kernel", Ints{2, 2}}, {"strides", Ints{2, 2}}});
        break;
      }
      default: {  // a scale and a shift a channel
        const int scaled = b.add(Op::kMul, {b.value(x), b.constant({1, c, 1, 1}, 0.5F, 1.5F)});
        x = b.add(Op::kAdd, {b.value(scaled), b.constant({c, 1, 1}, -0.5F, 0.5F)});
      }
    }
    if (b.chance(0.1)) outputs.push_back(b.conv1x1(x, 3));
  }
  const Shape s = b.shape(x);
  if (b.chance(0.5)) {  // every place of every channel
    x = b.add(Op::kReshape, {b.value(x)}, {{"shape", Ints{1, s[1] * s[2] * s[3]}}});
  } else {
    x = b.add(Op::kReshape, {b.value(b.add(Op::kGlobalAveragePool, {b.value(x)}))}, {{"shape", Ints{1, s[1]}}});
  }
  const auto linear = [&](int from, std::int64_t to) {
    const float range = 1 / std::sqrt(static_cast<float>(b.shape(from)[1]));
    return b.add(Op::kLinear,
                 {b.value(from), b.constant({b.shape(from)[1], to}, -range, range), b.constant({to}, -1, 1)});
  };
  outputs.push_back(linear(act(linear(x, b.pick(4, 30))), 3));
  return b.finish(outputs);
}

}  // namespace

TEST_CASE("shrunk random networks equal masked ones") {
  std::size_t groups = 0;
  for (unsigned seed = 1; seed <= 150; ++seed) {
    INFO("seed " << seed);
    const Graph graph = random_network(seed);
    groups += Channels(graph).groups().size();
    check_shrunk(graph, 0.5, 1, seed);
  }
  CHECK(groups > 300);
}

TEST_CASE("what stays: input, outputs, and channels that no rule follows") {
  GraphBuilder b(1);
  const int x = b.input({1, 3, 8, 8});
  const int first = b.conv(x, 8, {});
  const int grouped = b.conv(first, 8, {}, 2);
  const int mean = b.add(Op::kReduceMean, {b.value(b.conv1x1(grouped, 6))}, {{"axes", Ints{1}}});
  const int free = b.conv1x1(grouped, 10);
  const int out = b.conv1x1(free, 4);
  const Graph graph = b.finish({out, mean});
  const Channels channels(graph);
  REQUIRE(channels.groups().size() == 1);
  CHECK(channels.groups()[0].name == graph.nodes[static_cast<std::size_t>(free) - 1].name);
  CHECK(channels.groups()[0].units.size() == 10);
  CHECK(channels.units() == 10);
}

TEST_CASE("a weight that two layers share is cut for each as it needs") {
  GraphBuilder b(1);
  const int x = b.input({1, 4, 6, 6});
  const int a = b.conv1x1(x, 4);
  const Operand weight = b.constant({4, 4, 1, 1}, -1, 1);
  const int one = b.add(Op::kConv, {b.value(a), weight});
  const int two = b.add(Op::kConv, {b.value(one), weight});
  const Graph graph = b.finish({b.conv1x1(two, 2)});
  const Channels channels(graph);
  REQUIRE(channels.groups().size() == 3);
  std::vector<bool> keep(channels.units(), true);
  keep[static_cast<std::size_t>(channels.groups()[1].units[0])] = false;
  const auto wanted = run(masked(graph, channels, keep), 1, 1);
  // Masking writes into the shared weight, and so zeroes a channel of the second layer as well.
  std::vector<bool> both = keep;
  both[static_cast<std::size_t>(channels.groups()[2].units[0])] = false;
  const Graph shrunk = channels.shrink(both);
  CHECK(shrunk.tensors.size() == graph.tensors.size() + 1);
  CHECK(difference(run(shrunk, 1, 1), wanted) < 1e-5F);
}
