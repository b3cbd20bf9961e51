// Whole networks: parity with the reference on every instruction set, threads, and what a pass may not do.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "model/onnx.hpp"
#include "model/package.hpp"
#include "random_graph.hpp"
#include "shared_graphs.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

std::atomic<long> allocations{0};

}  // namespace

// GCC takes the pair below for a mismatch of new and free.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(std::size_t n) {
  ++allocations;
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t n, std::align_val_t align) {
  ++allocations;
  const auto a = static_cast<std::size_t>(align);
  if (void* p = std::aligned_alloc(a, (n + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(n);
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
#pragma GCC diagnostic pop

namespace {

// Blocks of MobileNet, ResNet and FPN kinds at random sizes, where fusion of rows, views and squeeze-excite meet.
Graph random_network(unsigned seed) {
  GraphBuilder b(seed);
  const std::int64_t h = b.pick(17, 70);
  const std::int64_t w = b.pick(17, 70);
  const auto same = [](std::int64_t k, std::int64_t s) {
    return GraphBuilder::Window{{k, k}, {s, s}, {k / 2, k / 2, k / 2, k / 2}, {1, 1}};
  };
  const auto act = [&](int x) {
    switch (b.pick(0, 4)) {
      case 0: return b.prelu(x);
      case 1: return b.add(Op::kRelu, {b.value(x)});
      case 2: return b.add(Op::kHardSwish, {b.value(x)});
      case 3: return b.add(Op::kLeakyRelu, {b.value(x)}, {{"alpha", 0.1F}});
      default: return x;
    }
  };
  int x = b.input({1, b.pick(1, 4), h, w});
  x = act(b.conv(x, b.pick(3, 40), same(b.chance(0.7) ? 3 : 5, b.pick(1, 2))));
  std::vector<int> outputs;
  for (int block = b.pick(3, 7); block > 0; --block) {
    const std::int64_t c = b.shape(x)[1];
    switch (b.pick(0, 7)) {
      case 0:
      case 1: {  // inverted residual, perhaps with squeeze-excite
        const std::int64_t wide = b.pick(5, 120);
        const std::int64_t s = b.shape(x)[2] > 6 && b.chance(0.4) ? 2 : 1;
        int y = act(b.conv1x1(x, wide));
        y = act(b.conv(y, wide, same(b.chance(0.7) ? 3 : 5, s), wide));
        if (b.chance(0.4)) {
          const int pooled = b.add(Op::kGlobalAveragePool, {b.value(y)});
          const int e = b.add(Op::kRelu, {b.value(b.conv1x1(pooled, b.pick(2, 20)))});
          y = b.add(Op::kMul, {b.value(y), b.value(b.add(b.chance(0.5) ? Op::kSigmoid : Op::kHardSigmoid,
                                                         {b.value(b.conv1x1(e, wide))}))});
        }
        y = b.conv1x1(y, s == 1 ? c : b.pick(5, 70));
        x = s == 1 ? b.add(Op::kAdd, {b.value(x), b.value(y)}) : y;
        break;
      }
      case 2:
        x = b.add(
            Op::kRelu,
            {b.value(b.add(Op::kAdd, {b.value(b.conv(act(b.conv(x, 17, same(3, 1))), c, same(3, 1))), b.value(x)}))});
        break;
      case 3:
        if (b.shape(x)[2] > 4 && b.shape(x)[3] > 4) {
          x = b.add(b.chance(0.5) ? Op::kMaxPool : Op::kAveragePool, {b.value(x)},
                    {{"kernel", Ints{2, 2}}, {"strides", Ints{2, 2}}});
        }
        break;
      case 4: {  // down and up again, added to where it came from
        if (b.shape(x)[2] % 2 != 0 || b.shape(x)[3] % 2 != 0) break;
        const int down = act(b.conv(x, c, same(3, 2), c));
        const int up = b.add(Op::kResize, {b.value(down)},
                             {{"mode", std::string(b.chance(0.5) ? "nearest" : "linear")},
                              {"transform", std::string("asymmetric")},
                              {"scales", std::vector<float>{2, 2}},
                              {"rounding", std::string("floor")}});
        x = b.add(Op::kAdd, {b.value(x), b.value(up)});
        break;
      }
      case 5:
        x = b.add(Op::kConcat,
                  {b.value(act(b.conv1x1(x, b.chance(0.5) ? 16 : 9))), b.value(act(b.conv(x, 8, same(3, 1))))},
                  {{"axis", std::int64_t{1}}});
        break;
      case 6: x = b.batch_norm(x); break;
      default:
        outputs.push_back(b.conv(b.conv1x1(x, 3), 3, same(3, 1), 3));
        outputs.push_back(b.conv(b.conv1x1(x, 5), 5, same(3, 1), 5));
        break;
    }
  }
  const int flat =
      b.add(Op::kReshape, {b.value(b.add(Op::kGlobalAveragePool, {b.value(x)}))}, {{"shape", Ints{1, b.shape(x)[1]}}});
  outputs.push_back(
      b.add(Op::kLinear, {b.value(flat), b.constant({b.shape(x)[1], 7}, -0.3F, 0.3F), b.constant({7}, -1, 1)}));
  outputs.push_back(x);
  return b.finish(outputs);
}

}  // namespace

TEST_CASE("random networks agree with the reference on every instruction set") {
  for (unsigned seed = 1; seed <= 120; ++seed) {
    const Graph graph = random_network(seed);
    const auto input = random_values(elements(input_shape(graph)), seed);
    const auto wanted = run_reference(graph, input);
    for (const Isa isa : available_isas()) {
      INFO("seed " << seed << " on " << to_string(isa));
      const auto executable = plan_cpu(graph, isa);
      const auto workspace = executable->make_workspace();
      const auto first = run_engine(*executable, *workspace, graph, input);
      CHECK(difference(first, wanted) <= 3e-5F);
      CHECK(same_bits(run_engine(*executable, *workspace, graph, input), first));
      CHECK(same_bits(run_engine_from(*executable, graph, input), first));
    }
  }
}

TEST_CASE("the six networks agree with the reference on every instruction set") {
  for (const SharedGraph& file : kSharedGraphs) {
    if (!have_model(file.name)) continue;
    const Graph graph = load_shared_graph(file.name);
    const auto input = random_values(elements(input_shape(graph)), 5, file.low, file.high);
    const auto wanted = run_reference(graph, input);
    for (const Isa isa : available_isas()) {
      const auto executable = plan_cpu(graph, isa);
      const auto workspace = executable->make_workspace();
      const float worst = difference(run_engine(*executable, *workspace, graph, input), wanted);
      INFO(file.name << " on " << to_string(isa) << ": " << worst);
      CHECK(worst <= 1e-4F);
    }
  }
}

TEST_CASE("a pass allocates nothing") {
  const Graph graph = random_network(3);
  const auto input = random_values(elements(input_shape(graph)), 1);
  for (const Isa isa : available_isas()) {
    const auto executable = plan_cpu(graph, isa);
    const auto workspace = executable->make_workspace();
    feed(*executable, *workspace, input_shape(graph), input);
    const long before = allocations;
    executable->run(*workspace);
    CHECK(executable->output(*workspace, 0).size() > 0);
    CHECK(allocations == before);
  }
}

TEST_CASE("eight threads with a workspace each give the same bits") {
  const Graph graph = random_network(9);
  std::vector<std::vector<float>> inputs;
  for (unsigned i = 0; i < 4; ++i) inputs.push_back(random_values(elements(input_shape(graph)), i));
  for (const Isa isa : available_isas()) {
    const auto executable = plan_cpu(graph, isa);
    std::vector<std::vector<std::vector<float>>> wanted;
    const auto workspace = executable->make_workspace();
    for (const auto& input : inputs) wanted.push_back(run_engine(*executable, *workspace, graph, input));
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        const auto own = executable->make_workspace();
        for (unsigned i = 0; i < 20; ++i) {
          const auto k = (i + t) % inputs.size();
          if (!same_bits(run_engine(*executable, *own, graph, inputs[k]), wanted[k])) ++wrong;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("a profile names every layer once and adds up the multiplications") {
  const Graph graph = random_network(5);
  const auto executable = plan_cpu(graph, Isa::kPortable);
  std::int64_t macs = 0;
  for (const StepTime& step : executable->profile(3)) {
    CHECK_FALSE(step.name.empty());
    CHECK(step.microseconds >= 0);
    macs += step.macs;
  }
  std::int64_t wanted = 0;
  for (const NodeInfo& node : describe(graph)) wanted += node.macs;
  CHECK(macs == wanted);
  CHECK(executable->weight_bytes() > 0);
  CHECK(executable->workspace_bytes() > 0);
}

TEST_CASE("instruction sets: names, order, and what the environment may say") {
  const auto isas = available_isas();
  REQUIRE(isas.front() == Isa::kPortable);
  for (std::size_t i = 1; i < isas.size(); ++i) CHECK(isas[i - 1] < isas[i]);
  CHECK(to_string(Isa::kAvx512) == "avx512");
  CHECK(to_string(Isa::kAmx) == "amx");
  for (const Isa isa : isas) {
    setenv("LIVENESS_ISA", std::string(to_string(isa)).c_str(), 1);
    CHECK(default_isa() == isa);
  }
  CHECK(fast_precisions(Isa::kPortable).empty());
  for (const Isa isa : isas) {
    // bf16 is never fast without int8: what multiplies it multiplies bytes faster.
    const auto fast = fast_precisions(isa);
    const bool bf16 = std::find(fast.begin(), fast.end(), Precision::kBf16) != fast.end();
    CHECK((!bf16 || fast.front() == Precision::kInt8));
    if (isa == Isa::kAmx) CHECK(bf16);
  }
  setenv("LIVENESS_ISA", "sse9", 1);
  CHECK_THROWS_WITH(default_isa(), Catch::Contains("sse9"));
  unsetenv("LIVENESS_ISA");
  CHECK(default_isa() == isas.back());
}
