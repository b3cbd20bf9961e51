// Convolutions below fp32 on every instruction set, against the reference on numbers that rounding leaves alone.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#define LIVENESS_X86 1
#endif
#include "engine/kernels.hpp"
#include "random_graph.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

using Window = GraphBuilder::Window;

std::uint32_t mixed(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x45d9f3bU;
  x = (x ^ (x >> 16)) * 0x45d9f3bU;
  return x ^ (x >> 16);
}

// What bfloat16 holds exactly: eight bits of a fraction.
void keep_eight_bits(std::vector<float>& values) {
  for (float& v : values) v = std::nearbyint(v * 64) / 64;
}

// A convolution behind a layer of its own, so that it does not read the input's planes: relu of values that are not
// negative changes nothing.
struct Inner {
  Graph graph;
  std::vector<float> input;
  int weight = 0;
};

Inner inner(unsigned seed, const Shape& shape, int outs, const Window& window, Precision precision, bool residual,
            Op act) {
  GraphBuilder b(seed);
  const int x = b.add(Op::kRelu, {GraphBuilder::value(b.input(shape))});
  int y = b.conv(x, outs, window);
  Node& conv = b.graph.nodes.back();
  conv.attributes.push_back({"precision", std::string(to_string(precision))});
  Inner made;
  made.weight = conv.inputs[1].id;
  if (residual) y = b.add(Op::kAdd, {GraphBuilder::value(y), GraphBuilder::value(x)});
  if (act == Op::kPRelu) y = b.prelu(y);
  if (act == Op::kRelu || act == Op::kSigmoid) y = b.add(act, {GraphBuilder::value(y)});
  made.graph = b.finish({y});
  made.input = random_values(elements(shape), seed, 0, 2);
  return made;
}

void check(const Inner& made, Precision precision, const std::string& what) {
  const auto wanted = run_reference(made.graph, made.input);
  for (const Isa isa : available_isas()) {
    INFO(what << " in " << to_string(precision) << " on " << to_string(isa));
    const auto executable = plan_cpu(made.graph, isa, precision);
    const auto workspace = executable->make_workspace();
    const auto first = run_engine(*executable, *workspace, made.graph, made.input);
    CHECK(difference(first, wanted) <= 1e-5F);
    CHECK(same_bits(run_engine(*executable, *workspace, made.graph, made.input), first));
  }
}

}  // namespace

TEST_CASE("bf16 convolutions are exact on what bf16 can hold") {
  unsigned seed = 0;
  for (const Window& w : std::vector<Window>{{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
                                             {{1, 1}, {2, 2}, {0, 0, 0, 0}, {1, 1}},
                                             {{1, 1}, {1, 1}, {1, 0, 2, 1}, {1, 1}},
                                             {{3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
                                             {{3, 3}, {2, 2}, {0, 0, 1, 1}, {1, 1}},
                                             {{3, 3}, {1, 1}, {2, 2, 2, 2}, {2, 2}},
                                             {{4, 3}, {3, 1}, {3, 0, 0, 2}, {1, 1}}}) {
    for (const auto& [ins, outs] :
         std::vector<std::pair<int, int>>{{5, 16}, {1, 1}, {16, 13}, {33, 103}, {7, 65}, {48, 5}}) {
      for (const Op act : {Op::kConv, Op::kPRelu, Op::kRelu, Op::kSigmoid}) {
        Inner made = inner(++seed, {1, ins, 9, 40}, outs, w, Precision::kBf16, false, act);
        keep_eight_bits(made.input);
        keep_eight_bits(made.graph.tensors[static_cast<std::size_t>(made.weight)].data);
        check(made, Precision::kBf16, "window " + std::to_string(seed));
      }
    }
  }
}

TEST_CASE("bf16 convolutions of few pixels") {
  unsigned seed = 2000;
  for (const auto& [height, width] :
       std::vector<std::pair<int, int>>{{1, 2}, {3, 1}, {3, 5}, {4, 4}, {1, 16}, {17, 1}, {1, 33}, {5, 13}}) {
    for (const auto& [ins, outs] : std::vector<std::pair<int, int>>{{3, 1}, {31, 17}, {64, 40}, {97, 33}}) {
      for (const int kernel : {1, 3}) {
        const int pad = kernel / 2;
        const Window w{{kernel, kernel}, {1, 1}, {pad, pad, pad, pad}, {1, 1}};
        Inner made = inner(++seed, {1, ins, height, width}, outs, w, Precision::kBf16, ins == outs, Op::kPRelu);
        keep_eight_bits(made.input);
        keep_eight_bits(made.graph.tensors[static_cast<std::size_t>(made.weight)].data);
        check(made, Precision::kBf16, std::to_string(height) + " x " + std::to_string(width));
      }
    }
  }
}

// y = conv(x), y times a number a channel that depends on the mean of y, plus x.
TEST_CASE("squeeze-excite below fp32") {
  unsigned seed = 3000;
  for (const Precision precision : {Precision::kBf16, Precision::kInt8}) {
    for (const int channels : {4, 16, 37, 130}) {
      for (const bool residual : {false, true}) {
        GraphBuilder b(++seed);
        const int x = b.add(Op::kRelu, {GraphBuilder::value(b.input({1, channels, 11, 13}))});
        const int y = b.conv1x1(x, channels);
        Node& conv = b.graph.nodes.back();
        conv.attributes.push_back({"precision", std::string(to_string(precision))});
        const int weights = conv.inputs[1].id;
        const int mean = b.add(Op::kGlobalAveragePool, {GraphBuilder::value(y)});
        const int gate = b.add(Op::kSigmoid, {GraphBuilder::value(b.conv1x1(mean, channels))});
        int z = b.add(Op::kMul, {GraphBuilder::value(y), GraphBuilder::value(gate)});
        if (residual) z = b.add(Op::kAdd, {GraphBuilder::value(z), GraphBuilder::value(x)});
        z = b.prelu(z);
        Inner made;
        made.graph = b.finish({z});
        made.input = random_values(std::int64_t{channels} * 11 * 13, seed, 0, 2);
        auto& weight = made.graph.tensors[static_cast<std::size_t>(weights)].data;
        if (precision == Precision::kBf16) {
          keep_eight_bits(made.input);
          keep_eight_bits(weight);
        } else {
          // Every pixel has the numbers 0 and 255, every output the weight 127: all steps are whole.
          for (std::size_t i = 0; i < made.input.size(); ++i) {
            const std::size_t c = i / (11 * 13);
            made.input[i] =
                c < 2 ? 255.0F * static_cast<float>(c) : static_cast<float>(mixed(static_cast<std::uint32_t>(i)) % 256);
          }
          for (std::size_t i = 0; i < weight.size(); ++i) {
            weight[i] = i % static_cast<std::size_t>(channels) == 0
                            ? 127.0F
                            : static_cast<float>(static_cast<int>(i % 255) - 127);
          }
        }
        check(made, precision, std::to_string(channels) + " channels");
      }
    }
  }
}

TEST_CASE("int8 convolutions are exact on whole numbers of the full range") {
  unsigned seed = 1000;
  const Window w{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}};
  for (const int ins : {1, 2, 3, 4, 15, 16, 17, 32, 103, 128}) {
    for (const int outs : {1, 7, 16, 64, 100, 130}) {
      for (const auto& [act, residual] : std::vector<std::pair<Op, bool>>{
               {Op::kConv, false}, {Op::kConv, true}, {Op::kPRelu, false}, {Op::kPRelu, true}, {Op::kSigmoid, true}}) {
        if (residual && ins != outs) continue;
        Inner made = inner(++seed, {1, ins, 7, 29}, outs, w, Precision::kInt8, residual, act);
        const std::size_t pixels = 7 * 29;
        for (std::size_t i = 0; i < made.input.size(); ++i) {
          const std::size_t c = i / pixels;
          made.input[i] = c == 0 ? 0 : c == 1 ? 255 : static_cast<float>(mixed(static_cast<std::uint32_t>(i)) % 256);
        }
        auto& weight = made.graph.tensors[static_cast<std::size_t>(made.weight)].data;
        for (std::size_t i = 0; i < weight.size(); ++i) {
          const auto step = static_cast<int>(mixed(static_cast<std::uint32_t>(i) + seed) % 255) - 127;
          weight[i] = i % static_cast<std::size_t>(ins) == 0 ? -127.0F : static_cast<float>(step);
        }
        check(made, Precision::kInt8, std::to_string(ins) + " to " + std::to_string(outs));
      }
    }
  }
}

TEST_CASE("int8 keeps within half a step of each pixel and each weight") {
  const Window w{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}};
  // One pixel a thousand times as bright as the others must not cost them their precision.
  Inner made = inner(7, {1, 64, 6, 10}, 48, w, Precision::kInt8, false, Op::kConv);
  for (std::size_t c = 0; c < 64; ++c) made.input[c * 60 + 17] *= 1000;
  const auto wanted = run_reference(made.graph, made.input);
  const auto& weight = made.graph.tensors[static_cast<std::size_t>(made.weight)].data;
  for (const Isa isa : available_isas()) {
    INFO(to_string(isa));
    const auto executable = plan_cpu(made.graph, isa, Precision::kInt8);
    const auto workspace = executable->make_workspace();
    const auto found = run_engine(*executable, *workspace, made.graph, made.input);
    for (std::size_t o = 0; o < 48; ++o) {
      float largest = 0;
      float sum = 0;
      for (std::size_t c = 0; c < 64; ++c) {
        largest = std::max(largest, std::abs(weight[o * 64 + c]));
        sum += std::abs(weight[o * 64 + c]);
      }
      for (std::size_t p = 0; p < 60; ++p) {
        const float bright = p == 17 ? 2000.0F : 2.0F;
        const float bound = sum * bright / 255 / 2 + 64 * bright * largest / 127 / 2;
        CHECK(std::abs(found[0][o * 60 + p] - wanted[0][o * 60 + p]) <= bound);
      }
    }
  }
}

TEST_CASE("a pixel's answer does not depend on its neighbours") {
  const Window w{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}};
  for (const Precision precision : {Precision::kBf16, Precision::kInt8}) {
    Inner made = inner(11, {1, 40, 5, 31}, 70, w, precision, false, Op::kPRelu);
    for (const Isa isa : available_isas()) {
      INFO(to_string(precision) << " on " << to_string(isa));
      const auto executable = plan_cpu(made.graph, isa, precision);
      const auto workspace = executable->make_workspace();
      const auto before = run_engine(*executable, *workspace, made.graph, made.input);
      auto other = made.input;
      for (std::size_t i = 0; i < other.size(); ++i) {
        if (i % 155 != 80) other[i] *= 50;
      }
      const auto after = run_engine(*executable, *workspace, made.graph, other);
      for (std::size_t o = 0; o < 70; ++o) {
        CHECK(std::bit_cast<std::uint32_t>(after[0][o * 155 + 80]) ==
              std::bit_cast<std::uint32_t>(before[0][o * 155 + 80]));
      }
    }
  }
}

TEST_CASE("a node's attribute keeps it from going lower") {
  const Window w{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}};
  for (const Isa isa : available_isas()) {
    INFO(to_string(isa));
    const auto bits = [&](Precision allowed, Precision asked) {
      const Inner made = inner(5, {1, 64, 8, 8}, 32, w, allowed, false, Op::kConv);
      const auto executable = plan_cpu(made.graph, isa, asked);
      const auto workspace = executable->make_workspace();
      return run_engine(*executable, *workspace, made.graph, made.input);
    };
    const auto fp32 = bits(Precision::kFp32, Precision::kFp32);
    CHECK(same_bits(bits(Precision::kFp32, Precision::kInt8), fp32));
    CHECK(same_bits(bits(Precision::kInt8, Precision::kFp32), fp32));
    const auto bf16 = bits(Precision::kBf16, Precision::kInt8);
    CHECK_FALSE(same_bits(bf16, fp32));
    CHECK(same_bits(bits(Precision::kInt8, Precision::kBf16), bf16));
    const auto int8 = bits(Precision::kInt8, Precision::kInt8);
    CHECK_FALSE(same_bits(int8, fp32));
    CHECK_FALSE(same_bits(int8, bf16));
    CHECK(difference(bf16, fp32) <= 0.02F);
    CHECK(difference(int8, fp32) <= 0.02F);
  }
}

TEST_CASE("numbers too small for a whole fraction count as zero, whatever the caller's thread makes of them") {
#ifdef LIVENESS_X86
  constexpr unsigned kTinyIsZero = 0x8040;
  const unsigned before = _mm_getcsr();
  const Window w{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}};
  for (const Precision precision : {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
    Inner made = inner(17, {1, 64, 4, 5}, 64, w, precision, false, Op::kPRelu);
    for (float& v : made.input) v *= 1e-39F;
    for (const Node& node : made.graph.nodes) {
      if (node.op != Op::kConv) continue;
      auto& bias = made.graph.tensors[static_cast<std::size_t>(node.inputs[2].id)].data;
      std::fill(bias.begin(), bias.end(), 0.0F);
    }
    for (const Isa isa : available_isas()) {
      INFO(to_string(precision) << " on " << to_string(isa));
      const auto executable = plan_cpu(made.graph, isa, precision);
      const auto workspace = executable->make_workspace();
      for (const unsigned control : {before & ~kTinyIsZero, before | kTinyIsZero}) {
        _mm_setcsr(control);
        const auto found = run_engine(*executable, *workspace, made.graph, made.input);
        const unsigned after = _mm_getcsr();
        _mm_setcsr(before);
        CHECK((after & kTinyIsZero) == (control & kTinyIsZero));
        CHECK(std::all_of(found[0].begin(), found[0].end(),
                          [](float v) { return (std::bit_cast<std::uint32_t>(v) & 0x7fffffffU) == 0; }));
      }
    }
  }
#endif
}

TEST_CASE("threads share a plan below fp32") {
  GraphBuilder b(3);
  int x = b.conv(b.input({1, 3, 40, 40}), 32, {{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}});
  for (const int channels : {103, 64, 231, 130, 128}) x = b.prelu(b.conv1x1(x, channels));
  x = b.prelu(b.conv(x, 40, {}));
  const Graph graph = b.finish({x});
  const auto input = random_values(std::int64_t{3} * 40 * 40, 5, 0, 2);
  for (const Isa isa : available_isas()) {
    for (const Precision precision : {Precision::kBf16, Precision::kInt8}) {
      INFO(to_string(precision) << " on " << to_string(isa));
      const auto executable = plan_cpu(graph, isa, precision);
      const auto workspace = executable->make_workspace();
      const auto first = run_engine(*executable, *workspace, graph, input);
      std::vector<char> same(4, 1);
      std::vector<std::thread> threads;
      for (char& mine : same) {
        threads.emplace_back([&] {
          const auto own = executable->make_workspace();
          for (int i = 0; i < 6; ++i) {
            if (!same_bits(run_engine(*executable, *own, graph, input), first)) mine = 0;
          }
        });
      }
      for (auto& thread : threads) thread.join();
      CHECK(std::count(same.begin(), same.end(), 1) == 4);
    }
  }
}

// This machine's plans use the best products of bytes that it has; the ones of lesser machines are tried one by one.
TEST_CASE("products of whole numbers agree on every kind of instruction") {
  using engine::Index;
  struct Kind {
    const char* name;
    Isa isa;
    int lanes;
    const engine::LowKernels* kernels;
  };
  std::vector<Kind> kinds{{"portable", Isa::kPortable, 4, &engine::kPortableLow}};
#ifdef LIVENESS_X86
  kinds.push_back({"AVX2", Isa::kAvx2, 8, &engine::kAvx2Low});
  if (__builtin_cpu_supports("avxvnni") != 0) kinds.push_back({"AVX-VNNI", Isa::kAvx2, 8, &engine::kAvx2VnniLow});
  kinds.push_back({"AVX-512", Isa::kAvx512, 16, &engine::kAvx512Low});
  if (__builtin_cpu_supports("avx512vnni") != 0)
    kinds.push_back({"AVX512-VNNI", Isa::kAvx512, 16, &engine::kAvx512VnniLow});
  kinds.push_back({"AMX", Isa::kAmx, 16, &engine::kAmxLow});
#endif
  constexpr int kIns = 37;
  constexpr int kPixels = 53;
  const auto available = available_isas();
  for (const Kind& kind : kinds) {
    if (std::find(available.begin(), available.end(), kind.isa) == available.end()) continue;
    INFO(kind.name);
    const int per = kind.kernels->int8_per_unit;
    const int multiple = kind.kernels->depth_multiple;
    const int units = ((kIns + per - 1) / per + multiple - 1) / multiple * multiple;
    const int lanes = kind.lanes;
    // The largest products there are: 16 bits would not hold the sum of two.
    const auto value = [](int pixel, int c) { return c == 0 ? 0 : (pixel + c) % 7 == 0 ? 3 : 255; };
    const auto weight = [](int o, int c) { return (o * 5 + c) % 3 == 0 ? -127 : 127; };

    const int stride = 48;
    std::vector<float> arena(static_cast<std::size_t>(stride * kPixels + lanes * kPixels + 8192), 0.0F);
    for (int p = 0; p < kPixels; ++p) {
      for (int c = 0; c < stride; ++c) {
        // What lies beyond the channels must not count.
        arena[static_cast<std::size_t>(p * stride + c)] = c < kIns ? static_cast<float>(value(p, c)) : 1e6F;
      }
    }
    std::vector<float> packed(static_cast<std::size_t>(units * lanes), 0.0F);
    std::vector<float> sums(static_cast<std::size_t>(lanes), 0.0F);
    for (int o = 0; o < lanes; ++o) {
      for (int c = 0; c < kIns; ++c) {
        char* place = reinterpret_cast<char*>(packed.data()) + (c / per * lanes + o) * 4 + c % per * 4 / per;
        if (per == 4) {
          *place = static_cast<char>(weight(o, c));
        } else {
          const auto narrow = static_cast<std::int16_t>(weight(o, c));
          std::memcpy(place, &narrow, sizeof narrow);
        }
        sums[static_cast<std::size_t>(o)] += static_cast<float>(weight(o, c));
      }
    }
    const std::vector<float> ones(static_cast<std::size_t>(lanes), 1.0F);
    const std::vector<float> zeros(static_cast<std::size_t>(lanes), 0.0F);
    const engine::ConvBlock block{0, 1, 0, packed.data()};
    engine::Operation op;
    op.a = {0, stride * kPixels, stride, 0, 1, 1, kPixels, kIns, 0, 0};
    op.out = {stride * kPixels, lanes * kPixels, lanes, 0, 1, 1, kPixels, lanes, 0, 0};
    op.scratch = stride * kPixels + lanes * kPixels;
    op.segments = 1;
    op.depth = units;
    op.blocks = &block;
    op.block_count = 1;
    op.weight = sums.data();
    op.scale = ones.data();
    op.bias = zeros.data();
    if (kind.kernels->enter != nullptr) kind.kernels->enter();
    kind.kernels->conv_int8(op, arena.data(), 0, 1);
    if (kind.kernels->leave != nullptr) kind.kernels->leave();
    int wrong = 0;
    for (int p = 0; p < kPixels; ++p) {
      for (int o = 0; o < lanes; ++o) {
        int wanted = 0;
        for (int c = 0; c < kIns; ++c) wanted += value(p, c) * weight(o, c);
        const float found = arena[static_cast<std::size_t>(op.out.offset + Index{p} * lanes + o)];
        if (std::abs(found - static_cast<float>(wanted)) > 0.5F) ++wrong;
      }
    }
    CHECK(wrong == 0);
  }
}
