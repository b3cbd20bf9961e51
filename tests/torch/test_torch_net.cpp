// The plugin's network from inside: whole networks in float and int8, batches, devices, and what LibTorch's own
// quantised operators do.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/quantize_per_tensor.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "model/onnx.hpp"
#include "model/package.hpp"
#include "random_graph.hpp"
#include "shared_graphs.hpp"
#include "torch/device.hpp"
#include "torch/row_kernels.hpp"
#include "torch_executable.hpp"

using namespace liveness;
using namespace liveness::test;
using torch_plugin::Net;
using torch_plugin::NetOptions;

namespace {

std::vector<std::vector<float>> run_on(const Executable& executable, const Graph& graph,
                                       const std::vector<float>& input) {
  const auto workspace = executable.make_workspace();
  return run_engine(executable, *workspace, graph, input);
}

// A network of the kinds that the int8 path meets: expand, depthwise, project, add.
Graph inverted_residuals(unsigned seed) {
  GraphBuilder b(seed);
  const GraphBuilder::Window first{{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}};
  int x = b.prelu(b.conv(b.input({1, 3, 24, 26}), 20, first));
  for (const int wide : {48, 33}) {
    int y = b.prelu(b.conv1x1(x, wide));
    y = b.add(Op::kRelu, {b.value(b.conv(y, wide, {}, wide))});
    x = b.add(Op::kAdd, {b.value(x), b.value(b.conv1x1(y, 20))});
  }
  x = b.add(Op::kHardSwish, {b.value(b.conv1x1(x, 12))});
  const int pooled = b.add(Op::kGlobalAveragePool, {b.value(x)});
  return b.finish({pooled, x});
}

long resident_kilobytes() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  }
  return 0;
}

}  // namespace

TEST_CASE("the networks agree with the native engine in fp32, fused and plain") {
  // YuNet-640 is the last of them: 320's layers again, at four times the work.
  for (const SharedGraph& file : std::span(kSharedGraphs).first(kSharedGraphs.size() - 1)) {
    if (!have_model(file.name)) continue;
    const Graph graph = load_shared_graph(file.name);
    const auto input = random_values(elements(input_shape(graph)), 5, file.low, file.high);
    const auto wanted = run_on(*plan_cpu(graph, Isa::kPortable), graph, input);
    for (const bool plain : {false, true}) {
      NetOptions options;
      options.plain = plain;
      const float worst = difference(run_on(TorchNetwork(graph, options), graph, input), wanted);
      INFO(file.name << (plain ? " plain: " : " fused: ") << worst);
      CHECK(worst <= 1e-4F);
    }
  }
}

TEST_CASE("int8 stays near fp32 and is not fp32") {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    const Graph graph = inverted_residuals(seed);
    const auto input = random_values(elements(input_shape(graph)), seed);
    const auto wanted = run_on(*plan_cpu(graph, Isa::kPortable), graph, input);
    NetOptions options;
    options.precision = Precision::kInt8;
    const float worst = difference(run_on(TorchNetwork(graph, options), graph, input), wanted);
    INFO("seed " << seed << ": " << worst);
    CHECK(worst <= 0.03F);
    CHECK(worst > 1e-5F);
  }
}

TEST_CASE("a node that may not go below fp32 does not") {
  Graph graph = inverted_residuals(3);
  const auto input = random_values(elements(input_shape(graph)), 3);
  const auto wanted = run_on(*plan_cpu(graph, Isa::kPortable), graph, input);
  for (Node& node : graph.nodes) {
    if (node.op == Op::kConv) node.attributes.push_back({"precision", std::string("fp32")});
  }
  NetOptions options;
  options.precision = Precision::kInt8;
  CHECK(difference(run_on(TorchNetwork(graph, options), graph, input), wanted) <= 1e-5F);
}

TEST_CASE("rows: the quantised value is within half a step") {
  const std::size_t channels = 37;
  auto x = random_values(static_cast<std::int64_t>(channels) * 5, 2, -3, 5);
  std::fill_n(x.begin(), channels, 2.5F);  // a row without a range
  std::vector<std::uint8_t> q(x.size());
  std::vector<float> step(5);
  std::vector<float> low(5);
  torch_plugin::quantize_rows(x.data(), q.data(), step.data(), low.data(), 5, channels);
  CHECK(step[0] == 0);
  auto active = x;
  torch_plugin::Epilogue clip;
  clip.high = 1;
  torch_plugin::quantize_rows(active.data(), q.data(), step.data(), low.data(), 5, channels, &clip);
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(active[i] == std::clamp(x[i], 0.0F, 1.0F));
  torch_plugin::quantize_rows(x.data(), q.data(), step.data(), low.data(), 5, channels);
  for (std::size_t r = 0; r < 5; ++r) {
    for (std::size_t c = 0; c < channels; ++c) {
      const float back = low[r] + step[r] * static_cast<float>(q[r * channels + c]);
      CHECK(std::fabs(back - x[r * channels + c]) <= step[r] * 0.501F);
    }
  }
}

TEST_CASE("rows: epilogues with every activation and place of the residual") {
  const std::size_t channels = 21;
  const std::size_t rows = 3;
  const auto x = random_values(static_cast<std::int64_t>(rows * channels), 1);
  const auto slope = random_values(static_cast<std::int64_t>(channels), 2);
  const auto residual = random_values(static_cast<std::int64_t>(rows * channels), 3);
  for (const int kind : {0, 1, 2}) {
    for (const bool prelu : {false, true}) {
      torch_plugin::Epilogue epilogue;
      epilogue.low = -0.25F;
      epilogue.high = 0.5F;
      if (prelu) epilogue.slope = slope.data();
      if (kind > 0) epilogue.residual = residual.data();
      epilogue.residual_first = kind == 1;
      auto y = x;
      torch_plugin::activate_rows(y.data(), rows, channels, epilogue);
      for (std::size_t i = 0; i < y.size(); ++i) {
        float v = x[i] + (kind == 1 ? residual[i] : 0);
        v = prelu ? (v < 0 ? v * slope[i % channels] : v) : std::clamp(v, -0.25F, 0.5F);
        v += kind == 2 ? residual[i] : 0;
        CHECK(y[i] == Approx(v));
      }
    }
  }
}

TEST_CASE("several images at once give what each gives alone") {
  const Graph graph = inverted_residuals(7);
  for (const Precision precision : {Precision::kFp32, Precision::kInt8}) {
    NetOptions options;
    options.precision = precision;
    const Net net(graph, options);
    const Shape shape = input_shape(graph);
    const auto values = random_values(3 * elements(shape), 4);
    at::Tensor all = at::from_blob(const_cast<float*>(values.data()), {3, shape[1], shape[2], shape[3]}, at::kFloat);
    const auto together = net.run(all);
    for (std::int64_t i = 0; i < 3; ++i) {
      const auto alone = net.run(all.narrow(0, i, 1));
      for (std::size_t o = 0; o < alone.size(); ++o) {
        CHECK(at::linalg_vector_norm(alone[o].sub(together[o].narrow(0, i, 1))).item<float>() <= 1e-4F);
      }
    }
  }
}

TEST_CASE("a session's buckets give what single passes give, from values and from pixels") {
  // On the CPU a session does what it does on an accelerator, but for streams and recordings.
  const Graph graph = inverted_residuals(11);
  const Shape shape = input_shape(graph);
  torch_plugin::Network network;
  network.net = std::make_shared<const Net>(graph, NetOptions{});
  network.forward = [net = network.net](const at::Tensor& x) { return net->run(x); };
  network.input = shape;
  network.factor = {0.01F, 0.02F, 0.03F};
  network.offset = {-1, 0, 0.5F};
  const auto single = plan_cpu(graph, Isa::kPortable);
  torch_plugin::Session session(network);
  const auto size = static_cast<std::size_t>(elements(shape));
  std::vector<std::size_t> out_sizes;
  for (const int id : graph.outputs) {
    out_sizes.push_back(static_cast<std::size_t>(elements(graph.values[static_cast<std::size_t>(id)].shape)));
  }
  for (const int batch : {1, 3, 70, 5}) {
    std::vector<std::uint8_t> pixels(size * static_cast<std::size_t>(batch));
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>((i * 7919) >> 3);
    std::vector<float> values(pixels.size());
    const auto plane = static_cast<std::size_t>(shape[2] * shape[3]);
    for (std::size_t b = 0; b < static_cast<std::size_t>(batch); ++b) {
      for (std::size_t c = 0; c < 3; ++c) {
        for (std::size_t p = 0; p < plane; ++p) {
          values[b * size + c * plane + p] =
              static_cast<float>(pixels[b * size + p * 3 + c]) * network.factor[c] + network.offset[c];
        }
      }
    }
    for (const bool bytes : {false, true}) {
      std::vector<std::vector<float>> found;
      std::vector<float*> places;
      for (const std::size_t n : out_sizes) found.emplace_back(n * static_cast<std::size_t>(batch));
      for (auto& f : found) places.push_back(f.data());
      session.run(bytes ? nullptr : values.data(), bytes ? pixels.data() : nullptr, batch, places.data());
      for (const std::size_t image : {std::size_t{0}, static_cast<std::size_t>(batch) - 1}) {
        const auto from = values.begin() + static_cast<std::ptrdiff_t>(image * size);
        const auto wanted = run_on(*single, graph, {from, from + static_cast<std::ptrdiff_t>(size)});
        std::vector<std::vector<float>> part;
        for (std::size_t o = 0; o < found.size(); ++o) {
          const auto at = found[o].begin() + static_cast<std::ptrdiff_t>(image * out_sizes[o]);
          part.emplace_back(at, at + static_cast<std::ptrdiff_t>(out_sizes[o]));
        }
        INFO("batch " << batch << ", image " << image << (bytes ? ", pixels" : ", values"));
        CHECK(difference(part, wanted) <= 1e-4F);
      }
    }
  }
}

TEST_CASE("a session that runs out of memory goes on with smaller batches, and says so where one is too many") {
  const Graph graph = inverted_residuals(2);
  const Shape shape = input_shape(graph);
  torch_plugin::Network network;
  const auto net = std::make_shared<const Net>(graph, NetOptions{});
  int limit = 8;
  network.forward = [&](const at::Tensor& x) {
    if (x.size(0) > limit) throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, "made up");
    return net->run(x);
  };
  network.input = shape;
  torch_plugin::Session session(network);
  const int batch = 40;
  const auto values = random_values(batch * elements(shape), 9);
  std::vector<std::vector<float>> found;
  std::vector<float*> places;
  for (const int id : graph.outputs) {
    found.emplace_back(static_cast<std::size_t>(batch * elements(graph.values[static_cast<std::size_t>(id)].shape)));
  }
  for (auto& f : found) places.push_back(f.data());
  session.run(values.data(), nullptr, batch, places.data());
  CHECK(session.largest() == 8);
  limit = 0;
  CHECK_THROWS_AS(session.run(values.data(), nullptr, 2, places.data()), c10::OutOfMemoryError);
}

TEST_CASE("half precision agrees within its own resolution") {
  const Graph graph = inverted_residuals(5);
  const auto input = random_values(elements(input_shape(graph)), 6);
  NetOptions options;
  options.precision = Precision::kFp16;
  const float worst = difference(run_on(TorchNetwork(graph, options), graph, input),
                                 run_on(*plan_cpu(graph, Isa::kPortable), graph, input));
  CHECK(worst <= 0.01F);
  CHECK(worst > 1e-6F);
}

TEST_CASE("a pass leaves the process's thread settings alone, and threads get the same bits") {
  const Graph graph = inverted_residuals(8);
  const TorchNetwork network(graph, {});
  const auto input = random_values(elements(input_shape(graph)), 1);
  const int before = at::get_num_threads();
  const auto wanted = run_on(network, graph, input);
  CHECK(at::get_num_threads() == before);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) wrong += !same_bits(run_on(network, graph, input), wanted);
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("memory stays flat over batches of changing size") {
  const Graph graph = inverted_residuals(4);
  const Shape shape = input_shape(graph);
  const char* long_run = std::getenv("LIVENESS_LONG_TESTS");
  const int rounds = long_run != nullptr ? 10000 : 1500;
  for (const Precision precision : {Precision::kFp32, Precision::kInt8}) {
    NetOptions options;
    options.precision = precision;
    torch_plugin::Network network;
    const auto net = std::make_shared<const Net>(graph, options);
    network.forward = [net](const at::Tensor& x) { return net->run(x); };
    network.input = shape;
    torch_plugin::Session session(network);
    const auto values = random_values(16 * elements(shape), 3);
    std::vector<std::vector<float>> found;
    std::vector<float*> places;
    for (const int id : graph.outputs) {
      found.emplace_back(static_cast<std::size_t>(16 * elements(graph.values[static_cast<std::size_t>(id)].shape)));
    }
    for (auto& f : found) places.push_back(f.data());
    const torch_plugin::OneThread one;
    const auto round = [&](int i) { session.run(values.data(), nullptr, 1 + i * 7 % 16, places.data()); };
    for (int i = 0; i < 200; ++i) round(i);
    const long before = resident_kilobytes();
    for (int i = 0; i < rounds; ++i) round(i);
    const long grown = resident_kilobytes() - before;
    INFO("grown by " << grown << " kB");
    CHECK(std::abs(grown) <= 2048);
  }
}

TEST_CASE("why LibTorch's own dynamic convolution is not used: it clips and rescales what it computes") {
  const auto& engines = at::globalContext().supportedQEngines();
  bool any = false;
  for (const at::QEngine engine : engines) {
    if (engine == at::QEngine::NoQEngine) continue;
    at::globalContext().setQEngine(engine);
    at::manual_seed(1);
    const at::Tensor x = at::rand({1, 16, 20, 20});
    const at::Tensor w = at::randn({32, 16, 1, 1});
    const at::Tensor b = at::randn({32});
    const at::Tensor wanted = at::conv2d(x, w, b);
    const at::Tensor q = at::quantize_per_tensor(w, w.abs().max().item<double>() / 127, 0, at::kQInt8);
    auto& dispatcher = c10::Dispatcher::singleton();
    std::vector<c10::IValue> stack{q,
                                   b,
                                   std::vector<std::int64_t>{1, 1},
                                   std::vector<std::int64_t>{0, 0},
                                   std::vector<std::int64_t>{1, 1},
                                   std::int64_t{1}};
    try {
      dispatcher.findSchemaOrThrow("quantized::conv2d_prepack", "").callBoxed(&stack);
      std::vector<c10::IValue> call{x, stack[0], false};
      dispatcher.findSchemaOrThrow("quantized::conv2d_dynamic", "").callBoxed(&call);
      const at::Tensor found = call[0].toTensor();
      any = true;
      INFO("engine " << static_cast<int>(engine));
      // Outputs are cut to the range of the input, 0 to 1, whatever the convolution gives.
      CHECK(wanted.min().item<float>() < -1);
      CHECK(found.min().item<float>() >= -1e-3F);
      CHECK(found.max().item<float>() <= 1.01F);
      CHECK(at::linalg_vector_norm(found.sub(wanted)).item<float>() >
            0.5F * at::linalg_vector_norm(wanted).item<float>());
    } catch (const c10::Error&) {  // this engine has no such operator
    }
  }
  CHECK(any);
}
