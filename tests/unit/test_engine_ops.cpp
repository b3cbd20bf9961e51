// Every operator and attribute on every instruction set of this machine, against the reference.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "liveness/error.hpp"
#include "random_graph.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

void check(const Graph& graph, const std::string& what, float limit = 1e-5F) {
  const auto& shape = graph.values[static_cast<std::size_t>(graph.inputs[0])].shape;
  const auto input = random_values(elements(shape), 7, -2, 2);
  const auto wanted = run_reference(graph, input);
  for (const Isa isa : available_isas()) {
    INFO(what << " on " << to_string(isa));
    const auto executable = plan_cpu(graph, isa);
    const auto workspace = executable->make_workspace();
    const auto first = run_engine(*executable, *workspace, graph, input);
    CHECK(difference(first, wanted) <= limit);
    // What the first pass left in the arena must not matter.
    CHECK(same_bits(run_engine(*executable, *workspace, graph, input), first));
    CHECK(same_bits(run_engine_from(*executable, graph, input), first));
  }
}

using Window = GraphBuilder::Window;

}  // namespace

TEST_CASE("dense convolutions: kernels, strides, pads, dilations, odd channels") {
  int seed = 0;
  for (const Window& w : std::vector<Window>{{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
                                             {{1, 1}, {2, 2}, {0, 0, 0, 0}, {1, 1}},
                                             {{1, 1}, {1, 1}, {1, 0, 2, 1}, {1, 1}},
                                             {{3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
                                             {{3, 3}, {2, 2}, {0, 0, 1, 1}, {1, 1}},
                                             {{5, 5}, {2, 2}, {2, 2, 2, 2}, {1, 1}},
                                             {{3, 3}, {1, 1}, {2, 2, 2, 2}, {2, 2}},
                                             {{1, 5}, {1, 2}, {0, 2, 0, 1}, {1, 1}},
                                             {{4, 3}, {3, 1}, {3, 0, 0, 2}, {1, 1}}}) {
    for (const auto& [ins, outs] :
         std::vector<std::pair<int, int>>{{3, 16}, {1, 1}, {16, 13}, {32, 103}, {7, 65}, {48, 5}}) {
      for (const auto& [h, wd] : std::vector<std::pair<int, int>>{{9, 11}, {6, 40}}) {
        GraphBuilder direct(static_cast<unsigned>(++seed));
        check(direct.finish({direct.conv(direct.input({1, ins, h, wd}), outs, w)}),
              "first layer " + std::to_string(seed));
        GraphBuilder inner(static_cast<unsigned>(seed));
        const int x = inner.add(Op::kTanh, {GraphBuilder::value(inner.input({1, ins, h, wd}))});
        check(inner.finish({inner.conv(x, outs, w)}), "inner layer " + std::to_string(seed));
      }
    }
  }
}

TEST_CASE("depthwise and grouped convolutions") {
  int seed = 100;
  for (const int channels : {2, 13, 16, 24, 103}) {
    for (const int k : {1, 2, 3, 5, 7}) {
      for (const int stride : {1, 2, 3}) {
        for (const int size : {1, 2, 5, 8, 21}) {
          const std::int64_t pad = k / 2;
          GraphBuilder b(static_cast<unsigned>(++seed));
          const int x = b.input({1, channels, size, size + 1});
          Window w{{k, k}, {stride, stride}, {pad, pad, pad, pad}, {1, 1}};
          if (size + 2 * pad < k) continue;
          const int y = b.conv(x, channels, w, channels);
          check(b.finish({b.chance(0.5) ? b.prelu(y) : y}), "depthwise " + std::to_string(channels) + " k" +
                                                                std::to_string(k) + " s" + std::to_string(stride) +
                                                                " size " + std::to_string(size));
        }
      }
    }
  }
  for (const Ints& pads : {Ints{0, 0, 0, 0}, Ints{0, 0, 1, 1}, Ints{2, 1, 0, 2}}) {
    GraphBuilder b(static_cast<unsigned>(++seed));
    check(b.finish({b.conv(b.input({1, 20, 12, 13}), 20, {{3, 3}, {2, 2}, pads, {1, 1}}, 20)}), "uneven padding");
    GraphBuilder d(static_cast<unsigned>(++seed));
    check(d.finish({d.conv(d.input({1, 20, 12, 13}), 20, {{3, 3}, {1, 1}, pads, {2, 1}}, 20)}), "depthwise dilation");
  }
  for (const auto& [ins, outs, groups] :
       std::vector<std::tuple<int, int, int>>{{8, 16, 2}, {24, 24, 3}, {64, 32, 32}, {12, 36, 12}, {40, 20, 4}}) {
    for (const Window& w :
         std::vector<Window>{{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}}, {{3, 3}, {2, 1}, {1, 1, 1, 1}, {1, 1}}}) {
      GraphBuilder b(static_cast<unsigned>(++seed));
      check(b.finish({b.conv(b.input({1, ins, 7, 9}), outs, w, groups)}), "groups " + std::to_string(groups));
    }
  }
}

TEST_CASE("activations, alone and behind what takes them over") {
  for (const Op op :
       {Op::kRelu, Op::kLeakyRelu, Op::kClip, Op::kSigmoid, Op::kHardSigmoid, Op::kHardSwish, Op::kTanh, Op::kPRelu}) {
    for (const int where : {0, 1, 2, 3, 4, 5, 6}) {
      GraphBuilder b(static_cast<unsigned>(where));
      int x = b.input({1, 19, 6, 7});
      if (where == 1) x = b.conv1x1(x, 37);
      if (where == 2) x = b.conv(x, 19, {}, 19);
      if (where == 3) x = b.batch_norm(x);
      if (where == 4) x = b.add(Op::kAdd, {b.value(b.conv1x1(x, 19)), b.value(x)});
      if (where == 5) x = b.add(Op::kGlobalAveragePool, {b.value(x)});
      if (where == 6) x = b.add(Op::kReshape, {b.value(x)}, {{"shape", Ints{1, 19, 42}}});
      std::vector<Attribute> attributes;
      std::vector<Operand> inputs{b.value(x)};
      if (op == Op::kLeakyRelu) attributes = {{"alpha", 0.3F}};
      if (op == Op::kClip) attributes = {{"min", -0.25F}, {"max", 0.75F}};
      if (op == Op::kHardSigmoid) attributes = {{"alpha", 0.3F}, {"beta", 0.4F}};
      if (op == Op::kPRelu) inputs.push_back(b.constant({where % 2 == 0 ? b.shape(x)[1] : 1}, -1, 1));
      const int y = b.add(op, std::move(inputs), std::move(attributes));
      check(b.finish({y}), std::string(to_string(op)) + " " + std::to_string(where));
    }
  }
}

TEST_CASE("exponentials far out") {
  GraphBuilder b(3);
  const int x = b.input({1, 4, 5, 5});
  const int scaled = b.add(Op::kMul, {b.value(x), b.tensor({1}, {100.0F})});
  check(b.finish({b.add(Op::kSigmoid, {b.value(scaled)}), b.add(Op::kTanh, {b.value(scaled)})}), "steep");
}

TEST_CASE("a value that is not a number stays one") {
  for (const Op op : {Op::kRelu, Op::kClip, Op::kHardSwish, Op::kSigmoid}) {
    GraphBuilder b(1);
    const int x = b.input({1, 5, 3, 3});
    const Graph graph = b.finish({b.add(op, {b.value(b.conv1x1(x, 6))})});
    auto input = random_values(45, 1);
    input[7] = NAN;
    for (const Isa isa : available_isas()) {
      const auto executable = plan_cpu(graph, isa);
      const auto workspace = executable->make_workspace();
      const auto out = run_engine(*executable, *workspace, graph, input);
      for (int c = 0; c < 6; ++c) {
        for (int p = 0; p < 9; ++p) CHECK(std::isnan(out[0][static_cast<std::size_t>(c * 9 + p)]) == (p == 7));
      }
    }
  }
}

TEST_CASE("residuals and squeeze-excite, whatever the order") {
  for (const int kind : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) {
    GraphBuilder b(static_cast<unsigned>(kind));
    const int x = b.input({1, 20, 9, 10});
    const int stem = b.prelu(b.conv1x1(x, kind == 11 ? 140 : 24));  // 11: more channels than pixels
    int y = b.conv1x1(stem, 24);
    if (kind == 1 || kind == 3) y = b.prelu(y);
    if (kind >= 4) {
      int mean = b.add(kind == 9 ? Op::kGlobalMaxPool : Op::kGlobalAveragePool, {b.value(y)});
      if (kind == 8) mean = b.add(Op::kTanh, {b.value(mean)});
      const int s = b.add(Op::kSigmoid, {b.value(b.conv1x1(mean, 24))});
      y = kind == 5 ? b.add(Op::kMul, {b.value(s), b.value(y)})
                    : b.add(kind == 6 ? Op::kDiv : Op::kMul, {b.value(y), b.value(s)});
    }
    if (kind == 10) y = b.prelu(b.batch_norm(y));
    if (kind == 11) {
      check(b.finish({y}), "kind 11");
      continue;
    }
    int z = kind % 2 == 0 ? b.add(Op::kAdd, {b.value(stem), b.value(y)}) : b.add(Op::kAdd, {b.value(y), b.value(stem)});
    if (kind != 1) z = b.add(Op::kRelu, {b.value(z)});
    const int again = b.add(Op::kAdd, {b.value(z), b.value(z)});
    check(b.finish(kind == 7 ? std::vector<int>{again, y, stem} : std::vector<int>{again}),
          "kind " + std::to_string(kind));
  }
}

TEST_CASE("arithmetic: constants and broadcasting") {
  const std::vector<Shape> shapes{{1}, {12, 1, 1}, {1, 12, 1, 1}, {1, 12, 5, 6}, {5, 6}, {1, 1, 5, 1}, {6}};
  for (const Op op : {Op::kAdd, Op::kSub, Op::kMul, Op::kDiv}) {
    for (const Shape& s : shapes) {
      for (const bool first : {true, false}) {
        GraphBuilder b(11);
        const int x = b.add(Op::kSigmoid, {b.value(b.input({1, 12, 5, 6}))});
        const Operand c = b.constant(s, 0.5F, 2);
        check(b.finish({first ? b.add(op, {b.value(x), c}) : b.add(op, {c, b.value(x)})}),
              std::string(to_string(op)) + " " + to_string(s));
      }
    }
    GraphBuilder b(12);
    const int x = b.add(Op::kSigmoid, {b.value(b.input({1, 12, 5, 6}))});
    const int v = b.add(Op::kGlobalMaxPool, {b.value(x)});
    const int rows = b.add(Op::kReduceMean, {b.value(x)}, {{"axes", Ints{3}}, {"keepdims", std::int64_t{1}}});
    check(b.finish({b.add(op, {b.value(x), b.value(v)}), b.add(op, {b.value(v), b.value(x)}),
                    b.add(op, {b.value(x), b.value(rows)}), b.add(op, {b.value(rows), b.value(x)}),
                    b.add(op, {b.value(x), b.value(x)})}),
          std::string(to_string(op)) + " of values");
  }
}

TEST_CASE("batch norms fold forwards and backwards") {
  for (const int kind : {0, 1, 2, 3, 4}) {
    GraphBuilder b(static_cast<unsigned>(20 + kind));
    int x = b.input({1, 6, 8, 9});
    if (kind == 0) x = b.conv(b.batch_norm(x), 10, {{3, 3}, {1, 1}, {0, 0, 0, 0}, {1, 1}});
    if (kind == 1) x = b.conv(b.batch_norm(x), 10, {});
    if (kind == 2) x = b.conv(b.batch_norm(b.batch_norm(x)), 9, {{3, 3}, {1, 1}, {0, 0, 0, 0}, {1, 1}}, 3);
    if (kind == 3) x = b.batch_norm(b.conv(x, 6, {}, 6));
    if (kind == 4) x = b.conv(b.add(Op::kMul, {b.value(x), b.constant({6, 1, 1}, 0.5F, 2)}), 6, {}, 6, false);
    check(b.finish({b.add(Op::kRelu, {b.value(b.batch_norm(x))})}), "kind " + std::to_string(kind));
  }
  GraphBuilder b(30);
  const int flat = b.add(Op::kReshape, {b.value(b.input({1, 6, 4, 4}))}, {{"shape", Ints{1, 96}}});
  const int y =
      b.add(Op::kLinear, {b.value(b.batch_norm(flat)), b.constant({96, 17}, -0.1F, 0.1F), b.constant({17}, -1, 1)});
  check(b.finish({b.add(Op::kLinear, {b.value(b.batch_norm(y)), b.constant({17, 3}, -1, 1)})}), "linear");
  GraphBuilder c(31);
  const int three = c.add(Op::kReshape, {c.value(c.input({1, 6, 4, 4}))}, {{"shape", Ints{1, 6, 16}}});
  check(c.finish({c.prelu(c.batch_norm(three))}), "three axes");
}

TEST_CASE("pooling") {
  int seed = 200;
  for (const Op op : {Op::kMaxPool, Op::kAveragePool}) {
    for (const Window& w : std::vector<Window>{{{2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}},
                                               {{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}},
                                               {{3, 2}, {1, 3}, {0, 1, 2, 0}, {1, 1}},
                                               {{2, 2}, {1, 1}, {0, 0, 0, 0}, {2, 2}}}) {
      if (op == Op::kAveragePool && w.dilations[0] > 1) continue;
      for (const std::int64_t include : {0, 1}) {
        GraphBuilder b(static_cast<unsigned>(++seed));
        const int x = b.prelu(b.input({1, 21, 9, 12}));
        std::vector<Attribute> attributes{{"kernel", w.kernel}, {"strides", w.strides}, {"pads", w.pads}};
        if (op == Op::kMaxPool) attributes.push_back({"dilations", w.dilations});
        if (op == Op::kAveragePool) attributes.push_back({"count_include_pad", include});
        const int y = b.add(op, {b.value(x)}, attributes);
        check(b.finish({include == 1 ? b.add(Op::kHardSwish, {b.value(y)}) : y}),
              std::string(to_string(op)) + " " + std::to_string(seed));
      }
    }
  }
  for (const Op op : {Op::kGlobalMaxPool, Op::kGlobalAveragePool}) {
    for (const int size : {1, 3, 9}) {
      GraphBuilder b(static_cast<unsigned>(size));
      check(b.finish({b.add(op, {b.value(b.input({1, 35, size, size + 2}))})}), "global");
    }
  }
}

TEST_CASE("shapes: concat, slice, pad, transpose, reshape, mean, softmax") {
  for (const Ints& parts : {Ints{16, 16}, Ints{3, 5, 1}, Ints{32, 7}, Ints{48, 16, 24}}) {
    for (const bool wide : {false, true}) {
      GraphBuilder b(40);
      const int x = b.input({1, 9, 6, 7});
      std::vector<Operand> inputs;
      for (const auto n : parts) inputs.push_back(b.value(b.prelu(b.conv1x1(x, n))));
      if (wide) inputs.push_back(inputs[0]);
      const int y = b.add(Op::kConcat, inputs, {{"axis", std::int64_t{1}}});
      const auto slice = [&](std::int64_t from, std::int64_t to) {
        return b.add(Op::kSlice, {b.value(y)}, {{"axes", Ints{1}}, {"starts", Ints{from}}, {"ends", Ints{to}}});
      };
      const int s = slice(0, 5);
      const int t = slice(parts[0], b.shape(y)[1]);
      check(b.finish({b.conv(y, 11, {}), b.conv(s, 8, {}), b.conv(t, 8, {}, 1), b.add(Op::kRelu, {b.value(t)})}),
            "concat");
    }
  }
  GraphBuilder b(41);
  const int x = b.input({1, 6, 7, 8});
  const auto three = b.add(Op::kReshape, {b.value(x)}, {{"shape", Ints{1, 42, 8}}});
  const auto swapped = b.add(Op::kTranspose, {b.value(three)}, {{"perm", Ints{0, 2, 1}}});
  const auto last = b.add(Op::kTranspose, {b.value(x)}, {{"perm", Ints{0, 2, 3, 1}}});
  const auto back =
      b.add(Op::kTranspose, {b.value(b.add(Op::kSigmoid, {b.value(last)}))}, {{"perm", Ints{0, 3, 1, 2}}});
  const auto odd = b.add(Op::kTranspose, {b.value(x)}, {{"perm", Ints{0, 3, 1, 2}}});
  const auto part = b.add(Op::kSlice, {b.value(x)},
                          {{"axes", Ints{2, 3}}, {"starts", Ints{1, 0}}, {"ends", Ints{7, 7}}, {"steps", Ints{2, 3}}});
  const auto other = b.add(Op::kConcat, {b.value(x), b.value(x)}, {{"axis", std::int64_t{2}}});
  check(b.finish({swapped, last, back, odd, part, other,
                  b.add(Op::kSoftmax, {b.value(three)}, {{"axis", std::int64_t{1}}}),
                  b.add(Op::kSoftmax, {b.value(x)}, {{"axis", std::int64_t{1}}}),
                  b.add(Op::kReduceMean, {b.value(x)}, {{"axes", Ints{1, 3}}, {"keepdims", std::int64_t{0}}}),
                  b.add(Op::kReduceMean, {b.value(x)}, {{"axes", Ints{2, 3}}, {"keepdims", std::int64_t{0}}}),
                  b.add(Op::kLinear, {b.value(three), b.constant({8, 5}, -1, 1)})}),
        "shapes");
  for (const char* mode : {"constant", "reflect", "edge"}) {
    for (const float value : {0.0F, 1.5F}) {
      GraphBuilder p(42);
      const int y = p.add(Op::kPad, {p.value(p.input({1, 4, 5, 6}))},
                          {{"pads", Ints{0, 0, 1, 2, 0, 0, 3, 1}}, {"mode", std::string(mode)}, {"value", value}});
      check(p.finish({p.conv(y, 7, {}), p.conv(y, 4, {}, 4)}), std::string("pad ") + mode);
    }
  }
}

TEST_CASE("resize") {
  for (const char* mode : {"nearest", "linear"}) {
    for (const char* transform : {"asymmetric", "half_pixel", "align_corners"}) {
      for (const char* rounding : {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"}) {
        for (const std::vector<float>& scales : {std::vector<float>{2, 2}, {1.5F, 0.5F}, {3, 1}}) {
          GraphBuilder b(50);
          const int x = b.prelu(b.input({1, 18, 6, 8}));
          check(b.finish({b.add(Op::kResize, {b.value(x)},
                                {{"mode", std::string(mode)},
                                 {"transform", std::string(transform)},
                                 {"scales", scales},
                                 {"rounding", std::string(rounding)}})}),
                std::string(mode) + " " + transform + " " + rounding);
        }
      }
    }
  }
}

TEST_CASE("transposed convolutions") {
  for (const auto& [groups, bias] : std::vector<std::pair<int, bool>>{{1, true}, {3, false}}) {
    GraphBuilder b(60);
    const int x = b.input({1, 6, 5, 4});
    std::vector<Operand> inputs{b.value(x), b.constant({6, 4, 3, 2}, -1, 1)};
    if (bias) inputs.push_back(b.constant({4 * groups}, -1, 1));
    const int y = b.add(Op::kConvTranspose, inputs,
                        {{"strides", Ints{2, 3}},
                         {"pads", Ints{1, 0, 0, 1}},
                         {"dilations", Ints{1, 2}},
                         {"group", std::int64_t{groups}},
                         {"output_padding", Ints{1, 0}}});
    check(b.finish({b.add(Op::kRelu, {b.value(y)})}), "groups " + std::to_string(groups));
  }
}

TEST_CASE("heads of one value are computed together and come apart again") {
  GraphBuilder b(70);
  const int x = b.prelu(b.conv1x1(b.input({1, 8, 10, 9}), 64));
  std::vector<int> outputs;
  for (const std::int64_t n : {1, 1, 4, 10}) {
    const int y = b.conv(b.conv1x1(x, n), n, {}, n);
    const int t = b.add(Op::kTranspose, {b.value(y)}, {{"perm", Ints{0, 2, 3, 1}}});
    const int r = b.add(Op::kReshape, {b.value(t)}, {{"shape", Ints{1, 90, n}}});
    outputs.push_back(n == 1 ? b.add(Op::kSigmoid, {b.value(r)}) : r);
  }
  check(b.finish(outputs), "heads");
}

TEST_CASE("what the engine cannot run is refused by name") {
  GraphBuilder b(80);
  const Graph graph = b.finish({b.conv(b.input({1, 2, 64, 64}), 2, {{64, 64}, {1, 1}, {0, 0, 0, 0}, {1, 1}})});
  try {
    const auto executable = plan_cpu(graph, Isa::kPortable);
    FAIL("planned");
  } catch (const Error& e) {
    CHECK(e.status() == Status::kUnsupported);
    CHECK(std::string(e.what()).find("\"n0\" (conv)") != std::string::npos);
  }
}
