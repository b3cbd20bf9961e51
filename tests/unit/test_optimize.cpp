// Smaller packages and the way back to ONNX: sizes, reports, the gate, files and refusals.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "liveness/optimize.hpp"
#include "model/onnx.hpp"
#include "model/package.hpp"
#include "optimize/onnx_writer.hpp"
#include "random_graph.hpp"
#include "refusal.hpp"
#include "shared_models.hpp"
#include "temporary_folder.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;

namespace {

constexpr int kSize = 24;

// A PAD network of a few layers with random weights: a first convolution, inverted residuals with a gate, a head.
Package network(unsigned seed = 1) {
  GraphBuilder b(seed);
  const auto act = [&](int x) { return b.prelu(x); };
  int x = act(b.conv(b.input({1, 3, kSize, kSize}), 32, {{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}}));
  for (int block = 0; block < 3; ++block) {
    int y = act(b.conv1x1(x, 64));
    y = act(b.conv(y, 64, {}, 64));
    const int pooled = b.add(Op::kGlobalAveragePool, {b.value(y)});
    const int gate = b.add(Op::kSigmoid, {b.value(b.conv1x1(b.add(Op::kRelu, {b.value(b.conv1x1(pooled, 16))}), 64))});
    y = b.conv1x1(b.add(Op::kMul, {b.value(y), b.value(gate)}), 32);
    x = b.add(Op::kAdd, {b.value(x), b.value(y)});
  }
  const int pooled = b.add(Op::kGlobalAveragePool, {b.value(x)});
  const int flat = b.add(Op::kReshape, {b.value(pooled)}, {{"shape", Ints{1, 32}}});
  const int scores = b.add(Op::kLinear, {b.value(flat), b.constant({32, 2}, -1, 1), b.constant({2}, -0.1F, 0.1F)});
  Package p;
  p.graph = b.finish({scores});
  p.graph.values[static_cast<std::size_t>(scores)].name = "scores";
  Contract& c = p.contract;
  c.name = "made_up";
  c.version = "1";
  c.task = Task::kPad;
  c.input = {kSize, kSize, ColorOrder::kBgr, 0, 1, {0, 0, 0}, {1, 1, 1}};
  c.crop.emplace();
  c.crop->box = "yunet";
  c.score.emplace();
  c.score->output = "scores";
  c.score->classes = {"attack", "live"};
  c.score->live = 1;
  c.score->profiles["balanced"] = {0.5F, 0.5F, "made up"};
  c.licence = "Apache-2.0";
  c.provenance = "Made for a test.";
  c.source_sha256 = std::string(64, 'a');
  p.goldens = make_goldens(p, 2);
  return p;
}

std::filesystem::path saved(const TemporaryFolder& folder, const Package& package,
                            const char* name = "net.safetensors") {
  const auto path = folder / name;
  write_file(path, write_package(package));
  return path;
}

std::vector<std::uint8_t> picture(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kSize) * kSize * 3);
  const int level = static_cast<int>(random() % 200);
  for (auto& p : pixels) p = static_cast<std::uint8_t>(level + static_cast<int>(random() % 56));
  return pixels;
}

// Labelled so that the network is always right at first.
Samples samples_for(const Package& package, int count = 40) {
  TemporaryFolder folder;
  const Model model = Model::load(saved(folder, package));
  Samples samples(package.contract);
  for (int i = 0; i < count; ++i) {
    const auto pixels = picture(static_cast<unsigned>(i));
    Samples one(package.contract);
    const ImageView view = make_image(pixels.data(), kSize, kSize, PixelFormat::kBgr);
    one.add(view);
    std::vector<float> scores(2);
    const std::span<float> outputs[] = {scores};
    model.run(one.values(0), outputs);
    samples.add(view, scores[1] >= scores[0] ? Label::kBonaFide : Label::kAttack);
  }
  return samples;
}

std::vector<std::vector<float>> outputs_of(const Model& model, unsigned seed) {
  const auto input = random_values(static_cast<std::int64_t>(model.info().inputs[0].elements()), seed, 0, 1);
  std::vector<std::vector<float>> all;
  std::vector<std::span<float>> spans;
  for (const auto& o : model.info().outputs) all.emplace_back(o.elements());
  for (auto& o : all) spans.emplace_back(o);
  model.run(input, spans);
  return all;
}

Model exact(const std::filesystem::path& path) {
  Model::Options options;
  options.precision = Precision::kFp32;
  return Model::load(path, options);
}

}  // namespace

TEST_CASE("samples: crops of faces and whole crops, and what is refused") {
  const Package package = network();
  Samples samples(package.contract);
  const auto pixels = picture(1);
  const ImageView view = make_image(pixels.data(), kSize, kSize, PixelFormat::kBgr);
  samples.add(view, Label::kAttack);
  samples.add(view, {0, 0, kSize, kSize}, "yunet");
  REQUIRE(samples.size() == 2);
  CHECK(samples.label(0) == Label::kAttack);
  CHECK(samples.label(1) == Label::kUnknown);
  // The box is the whole picture, and the network's size is the picture's: both are the same crop.
  CHECK(std::equal(samples.values(0).begin(), samples.values(0).end(), samples.values(1).begin()));
  CHECK(samples.values(0)[0] == Approx(pixels[0] / 255.0));
  CHECK_THAT(refusal(Status::kInvalidArgument,
                     [&] { samples.add(make_image(pixels.data(), kSize, kSize - 1, PixelFormat::kBgr)); }),
             Catch::Contains("24 x 23") && Catch::Contains("24 x 24"));
  CHECK_THAT(refusal(Status::kUnsupported,
                     [&] {
                       samples.add(view, {0, 0, 9, 9}, "martian");
                     }),
             Catch::Contains("martian"));
  CHECK_THAT(refusal(Status::kInvalidArgument,
                     [&] {
                       samples.add(view, {50, 50, 9, 9}, "yunet");
                     }),
             Catch::Contains("box"));
  Contract other = package.contract;
  other.crop.reset();
  other.score.reset();
  other.task = Task::kOther;
  Samples none(other);
  CHECK_THAT(refusal(Status::kInvalidArgument,
                     [&] {
                       none.add(view, {0, 0, 9, 9}, "yunet");
                     }),
             Catch::Contains("made_up"));
  CHECK(samples.size() == 2);
}

TEST_CASE("quantize: storage, size and report") {
  const TemporaryFolder folder;
  const Package before = network();
  const auto in = saved(folder, before);
  const auto out = folder / "out.safetensors";
  QuantizeOptions options;
  options.qualify.clear();
  options.storage = GENERATE(Storage::kFp32, Storage::kFp16, Storage::kInt8);
  const QuantizeReport report = quantize(in, out, options);
  CHECK(report.bytes_before == std::filesystem::file_size(in));
  CHECK(report.bytes_after == std::filesystem::file_size(out));
  CHECK(report.qualifications.empty());
  REQUIRE(report.layers.size() == 17);
  const auto weights = [](const QuantizeReport& r) {
    std::size_t bytes = 0;
    for (const auto& l : r.layers) bytes += l.bytes;
    return static_cast<double>(bytes);
  };
  options.storage = Storage::kFp32;
  const double whole = weights(quantize(in, folder / "whole.safetensors", options));
  const Package after = read_package(FileSource(out));
  CHECK(after.contract.qualified.empty());
  const auto found = outputs_of(exact(out), 5);
  const auto wanted = outputs_of(exact(in), 5);
  switch (static_cast<int>(after.graph.tensors[static_cast<std::size_t>(after.graph.nodes[2].inputs[1].id)].storage)) {
    case 0:
      CHECK(weights(report) == whole);
      CHECK(found == wanted);
      CHECK(report.stored.outputs == 0);
      break;
    case 1:
      CHECK(weights(report) == whole / 2);
      CHECK(difference(found, wanted) < 2e-3F);
      CHECK(difference(found, wanted) > 0);
      break;
    default:
      CHECK(weights(report) < 0.45 * whole);
      CHECK(difference(found, wanted) < 0.05F);
      // What is few stays exact to half floats: the first layer and the depthwise ones.
      CHECK(after.graph.tensors[static_cast<std::size_t>(after.graph.nodes[0].inputs[1].id)].storage ==
            Tensor::Storage::kFp16);
      CHECK(report.layers[1].error > 0);
      CHECK(report.stored.outputs > 0);
  }
  CHECK_THAT(to_json(report), Catch::Contains("\"bytes_after\":" + std::to_string(report.bytes_after)));
}

TEST_CASE("quantize: the gate decides what a package may claim") {
  const TemporaryFolder folder;
  const Package before = network();
  const auto in = saved(folder, before);
  const auto out = folder / "out.safetensors";
  const Samples samples = samples_for(before);
  QuantizeOptions options;
  options.qualify = {Precision::kBf16, Precision::kInt8};

  SECTION("without samples nothing is claimed") {
    const auto report = quantize(in, out, options);
    REQUIRE(report.qualifications.size() == 2);
    for (const auto& q : report.qualifications) {
      CHECK_FALSE(q.passed);
      CHECK_THAT(q.reason, Catch::Contains("no samples"));
      CHECK(q.milliseconds > 0);
    }
    CHECK(read_package(FileSource(out)).contract.qualified.empty());
  }
  SECTION("wide bounds let both through") {
    options.samples = &samples;
    options.gate = {1, 1, 1};
    const auto report = quantize(in, out, options);
    CHECK(report.qualifications[0].passed);
    CHECK(report.qualifications[1].passed);
    CHECK(read_package(FileSource(out)).contract.qualified == options.qualify);
    CHECK(std::all_of(report.layers.begin(), report.layers.end(), [](const auto& l) { return l.quantized; }));
    const ScoreDrift& drift = report.qualifications[1].drift;
    CHECK(drift.samples == 40);
    REQUIRE(drift.before);
    CHECK(drift.before->apcer == 0);
    CHECK(drift.before->bpcer == 0);
    CHECK(drift.before->attacks + drift.before->bona_fide == 40);
    // The network was right about all: a verdict that flips is an error.
    const double errors = drift.after->apcer * static_cast<double>(drift.after->attacks) +
                          drift.after->bpcer * static_cast<double>(drift.after->bona_fide);
    CHECK(errors == Approx(drift.flips * 40));
  }
  SECTION("narrow bounds stop them, whatever is left in fp32") {
    options.samples = &samples;
    options.gate = {0, 0, 0};
    const auto report = quantize(in, out, options);
    for (const auto& q : report.qualifications) {
      CHECK_FALSE(q.passed);
      CHECK_THAT(q.reason, Catch::Contains("allowed 0.00 %"));
    }
    CHECK(read_package(FileSource(out)).contract.qualified.empty());
  }
  SECTION("sensitive layers are left in fp32 until the gate is passed") {
    options.samples = &samples;
    options.qualify = {Precision::kInt8};
    options.gate = {1, 1, 1};
    const double all = quantize(in, out, options).qualifications[0].drift.mean_score;
    options.gate.score = all / 3;
    options.sensitive = 1;
    const auto report = quantize(in, out, options);
    REQUIRE(report.qualifications[0].passed);
    double least = 1;
    double most = 0;
    for (const auto& l : report.layers) {
      if (l.quantized)
        most = std::max(most, l.error);
      else
        least = std::min(least, l.error);
    }
    CHECK(most <= least);
    const Package after = read_package(FileSource(out));
    for (const auto& l : report.layers) {
      const auto node = std::find_if(after.graph.nodes.begin(), after.graph.nodes.end(),
                                     [&](const Node& n) { return n.name == l.name; });
      CHECK(node->string_attr("precision", "") == (l.quantized ? "" : "fp32"));
      if (!l.quantized)
        CHECK(after.graph.tensors[static_cast<std::size_t>(node->inputs[1].id)].storage == Tensor::Storage::kFp32);
    }
  }
  SECTION("a layer that was named stays") {
    options.keep = {before.graph.nodes[2].name};
    const auto report = quantize(in, out, options);
    for (const auto& l : report.layers) CHECK(l.quantized == (l.name != options.keep[0]));
  }
}

TEST_CASE("quantize: a detector is judged by the faces that it finds") {
  const TemporaryFolder folder;
  const Package before = tiny_detector_package();
  const auto in = saved(folder, before);
  const auto out = folder / "out.safetensors";
  Samples samples(before.contract);
  const auto show = [&](int faces) {
    Scene scene;
    for (int i = 0; i < faces; ++i) scene.face(i % 4, i / 4, 100, 37 * i);
    samples.add(scene.view());
  };
  QuantizeOptions options;
  options.qualify = {Precision::kBf16};
  options.samples = &samples;
  SECTION("faces that stay where they are") {
    for (int faces = 0; faces < 6; ++faces) show(faces);
    const auto report = quantize(in, out, options);
    REQUIRE(report.qualifications.size() == 1);
    INFO(report.qualifications[0].reason);
    CHECK(report.qualifications[0].passed);
    CHECK(read_package(FileSource(out)).contract.qualified == options.qualify);
    const ScoreDrift& drift = report.qualifications[0].drift;
    CHECK(drift.flips == 0);
    CHECK(drift.boxes > 0);  // sizes come from weights that are rounded
    CHECK(drift.boxes < 0.01);
    CHECK(drift.landmarks < 0.01);
    CHECK_THAT(to_json(report), Catch::Contains("\"landmarks\":"));
    options.gate.score = drift.boxes / 2;
    options.sensitive = 0;  // no way out by leaving layers in fp32
    const auto strict = quantize(in, out, options);
    CHECK_FALSE(strict.qualifications[0].passed);
    CHECK_THAT(strict.qualifications[0].reason, Catch::Contains("of boxes"));
    CHECK(read_package(FileSource(out)).contract.qualified.empty());
  }
  SECTION("no face, no claim") {
    show(0);
    const auto report = quantize(in, out, options);
    CHECK_FALSE(report.qualifications[0].passed);
    CHECK_THAT(report.qualifications[0].reason, Catch::Contains("no face"));
  }
}

TEST_CASE("prune: arithmetic goes, widths stay multiples, contract and goldens are made anew") {
  const TemporaryFolder folder;
  const Package before = network();
  const auto in = saved(folder, before);
  const auto out = folder / "out.safetensors";
  const Samples samples = samples_for(before, 8);
  PruneOptions options;
  options.ratio = GENERATE(0.3, 0.5);
  options.per_layer = GENERATE(false, true);
  options.multiple = GENERATE(1, 16);
  options.samples = &samples;
  const PruneReport report = prune(in, out, options);
  CHECK(static_cast<double>(report.macs_after) <= (1 - options.ratio) * static_cast<double>(report.macs_before));
  if (options.multiple == 1)
    CHECK(static_cast<double>(report.macs_after) >= (0.93 - options.ratio) * static_cast<double>(report.macs_before));
  CHECK(report.parameters_after < report.parameters_before);
  const Model model = Model::load(out);
  CHECK(model.info().macs == report.macs_after);
  CHECK(model.info().parameters == report.parameters_after);
  CHECK(model.goldens().size() == 2);
  CHECK(model.verify() < 1e-3F);
  CHECK(model.contract().source_sha256.empty());
  CHECK_THAT(model.contract().provenance, Catch::Contains("Made for a test. Pruned by liveness"));
  REQUIRE(report.drift);
  CHECK(report.drift->samples == 8);
  CHECK(report.drift->outputs > 0);
  CHECK(report.milliseconds_before > 0);
  REQUIRE(report.widths.size() == 7);
  for (const auto& w : report.widths) {
    CHECK(w.after <= w.before);
    CHECK(w.after >= 1);
    if (w.after < w.before) CHECK(w.after % options.multiple == 0);
  }
  CHECK_THAT(to_json(report), Catch::Contains("\"macs_after\":" + std::to_string(report.macs_after)));
}

TEST_CASE("prune: what weighs least goes first") {
  const TemporaryFolder folder;
  Package before = network();
  // Of the first block's 64 inner channels every second makes next to nothing.
  Tensor& weight = before.graph.tensors[static_cast<std::size_t>(before.graph.nodes[2].inputs[1].id)];
  for (std::size_t i = 0; i < weight.data.size(); ++i)
    if (i / 32 % 2 == 1) weight.data[i] *= 1e-4F;
  const auto in = saved(folder, before);
  PruneOptions options;
  options.ratio = 0.08;
  static_cast<void>(prune(in, folder / "out.safetensors", options));
  const Package after = read_package(FileSource(folder / "out.safetensors"));
  const Tensor& kept = after.graph.tensors[static_cast<std::size_t>(after.graph.nodes[2].inputs[1].id)];
  REQUIRE(kept.shape[0] < 64);
  std::size_t large = 0;
  for (std::size_t row = 0; row < static_cast<std::size_t>(kept.shape[0]); ++row)
    large += std::abs(kept.data[row * static_cast<std::size_t>(kept.shape[1])]) > 1e-3F ? 1U : 0U;
  CHECK(large >= std::min<std::size_t>(32, static_cast<std::size_t>(kept.shape[0])) - 2);

  SECTION("gradients say otherwise") {
    // The loss depends on the small ones alone.
    const std::string name = before.graph.tensors[static_cast<std::size_t>(before.graph.nodes[2].inputs[1].id)].name;
    std::vector<float> gradient(weight.data.size());
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = i / 32 % 2 == 1 ? 1e6F * weight.data[i] : 0;
    const std::string header = R"({")" + name + R"(":{"dtype":"F32","shape":[64,32,1,1],"data_offsets":[0,)" +
                               std::to_string(gradient.size() * 4) + "]}}";
    const auto write = [&](const std::string& head) {
      const std::uint64_t length = head.size();
      std::string text(reinterpret_cast<const char*>(&length), sizeof length);
      text += head;
      text.append(reinterpret_cast<const char*>(gradient.data()), gradient.size() * 4);
      return folder.file("gradients.safetensors", text);
    };
    options.gradients = write(header);
    static_cast<void>(prune(in, folder / "taylor.safetensors", options));
    const Package taylor = read_package(FileSource(folder / "taylor.safetensors"));
    const Tensor& left = taylor.graph.tensors[static_cast<std::size_t>(taylor.graph.nodes[2].inputs[1].id)];
    std::size_t small = 0;
    for (std::size_t row = 0; row < static_cast<std::size_t>(left.shape[0]); ++row)
      small += std::abs(left.data[row * static_cast<std::size_t>(left.shape[1])]) < 1e-3F ? 1U : 0U;
    CHECK(small == 32);
    std::string other = header;
    other.replace(other.find(name), name.size(), "nobody");
    options.gradients = write(other);
    CHECK_THAT(refusal(Status::kInvalidArgument, [&] { prune(in, folder / "x", options); }), Catch::Contains("nobody"));
    other = header;
    other.replace(other.find("[64,32"), 6, "[32,64");
    options.gradients = write(other);
    CHECK_THAT(refusal(Status::kInvalidArgument, [&] { prune(in, folder / "x", options); }),
               Catch::Contains("32x64x1x1") && Catch::Contains("64x32x1x1"));
    options.gradients = folder.file("none.safetensors", "abc");
    CHECK_THAT(refusal(Status::kInvalidArgument, [&] { prune(in, folder / "x", options); }),
               Catch::Contains("none.safetensors"));
    CHECK_FALSE(std::filesystem::exists(folder / "x"));
  }
}

TEST_CASE("export: import, export, import is the identity on scores") {
  const TemporaryFolder folder;
  const auto opset = GENERATE(11, 13, 17);
  const Package before = network();
  const auto in = saved(folder, before);
  ExportOptions options;
  options.opset = opset;
  export_onnx(in, folder / "net.onnx", options);
  Contract contract = before.contract;
  contract.source_sha256.clear();
  const auto json = folder.file("net.json", contract_to_json(contract));
  CHECK(outputs_of(Model::load(folder / "net.onnx"), 3) == outputs_of(Model::load(in), 3));
}

TEST_CASE("export: third-party networks come back as they were") {
  const auto* name = GENERATE("minifasnet_v2_80_scale2.7.onnx", "minifasnet_v1se_80_scale4.0.onnx",
                              "minifasnet_v2se_128_scale1.5.onnx", "yunet_s_320_320.onnx", "yunet_s_640_640.onnx",
                              "landmark68_64.onnx");
  if (!have_model(name)) return;
  INFO(name);
  Graph graph = read_onnx(read_file(shared_models() / name), name);
  check_graph(graph);
  const Shape shape = graph.values[static_cast<std::size_t>(graph.inputs[0])].shape;
  const auto input = random_values(elements(shape), 1, 0, 1);
  const auto run = [&](const Graph& of) {
    const auto plan = plan_cpu(of, default_isa());
    const auto workspace = plan->make_workspace();
    return run_engine(*plan, *workspace, of, input);
  };
  const auto wanted = run(graph);
  for (const int opset : {11, 13, 17}) {
    OnnxForm form;
    form.opset = opset;
    Graph again = read_onnx(write_onnx(graph, form), "again");
    check_graph(again);
    CHECK(same_bits(run(again), wanted));
  }
}

TEST_CASE("export: int8 weights as they are stored") {
  const TemporaryFolder folder;
  const Package before = network();
  const auto in = saved(folder, before);
  ExportOptions options;
  options.quantized = true;
  CHECK_THAT(refusal(Status::kInvalidArgument, [&] { export_onnx(in, folder / "q.onnx", options); }),
             Catch::Contains("keeps no weights as int8"));
  const auto small = folder / "small.safetensors";
  static_cast<void>(quantize(in, small));
  export_onnx(small, folder / "q.onnx", options);
  export_onnx(small, folder / "f.onnx");
  const auto size = [&](const char* name) { return static_cast<double>(std::filesystem::file_size(folder / name)); };
  CHECK(size("q.onnx") < 0.7 * size("f.onnx"));
  // Activations of all such layers but the first two, between a pair of nodes each.
  const Samples samples = samples_for(before);
  options.activations = &samples;
  export_onnx(small, folder / "a.onnx", options);
  const std::vector<std::byte> bytes = read_file(folder / "a.onnx");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  int pairs = 0;
  for (auto at = text.find("_uint8"); at != text.npos; at = text.find("_uint8", at + 1)) ++pairs;
  CHECK(pairs == 2 * 4);
  options.opset = 11;
  CHECK_THAT(refusal(Status::kInvalidArgument, [&] { export_onnx(small, folder / "x", options); }),
             Catch::Contains("13"));
}

TEST_CASE("what cannot be done is refused, and no file appears") {
  const TemporaryFolder folder;
  const Package before = network();
  const auto in = saved(folder, before);
  const auto out = folder / "out";
  const auto says = [&](Status status, const auto& call, const char* what) {
    CHECK_THAT(refusal(status, call), Catch::Contains(what));
    CHECK_FALSE(std::filesystem::exists(out));
  };
  QuantizeOptions q;
  q.gate.flips = 1.5;
  says(
      Status::kInvalidArgument, [&] { quantize(in, out, q); }, "gate.flips");
  q = {};
  q.sensitive = std::nan("");
  says(
      Status::kInvalidArgument, [&] { quantize(in, out, q); }, "sensitive");
  q = {};
  q.keep = {"nobody"};
  says(
      Status::kInvalidArgument, [&] { quantize(in, out, q); }, "nobody");
  q = {};
  q.qualify = {Precision::kFp16};
  says(
      Status::kInvalidArgument, [&] { quantize(in, out, q); }, "fp16");
  q.qualify = {Precision::kInt8, Precision::kInt8};
  says(
      Status::kInvalidArgument, [&] { quantize(in, out, q); }, "twice");
  q = {};
  Samples empty(before.contract);
  q.samples = &empty;
  says(
      Status::kInvalidArgument, [&] { quantize(in, out, q); }, "none");
  Contract other = before.contract;
  other.input.width = 12;
  Samples wrong(other);
  const auto pixels = picture(1);
  wrong.add(make_image(pixels.data(), 12, kSize, PixelFormat::kBgr));
  q.samples = &wrong;
  says(
      Status::kInvalidArgument, [&] { quantize(in, out, q); }, "another network");
  PruneOptions p;
  for (const double ratio : {0.0, 1.0, -1.0, static_cast<double>(NAN)}) {
    p.ratio = ratio;
    says(
        Status::kInvalidArgument, [&] { prune(in, out, p); }, "ratio");
  }
  p.ratio = 0.99;
  says(
      Status::kUnsupported, [&] { prune(in, out, p); }, "multiples of 16");
  p = {};
  p.multiple = 0;
  says(
      Status::kInvalidArgument, [&] { prune(in, out, p); }, "multiple");
  p = {};
  p.gradients = folder / "nowhere";
  says(
      Status::kNotFound, [&] { prune(in, out, p); }, "nowhere");
  ExportOptions e;
  for (const int opset : {10, 18}) {
    e.opset = opset;
    says(
        Status::kInvalidArgument, [&] { export_onnx(in, out, e); }, "opset");
  }
  e = {};
  Samples some(before.contract);
  some.add(make_image(pixels.data(), kSize, kSize, PixelFormat::kBgr));
  e.activations = &some;
  says(
      Status::kInvalidArgument, [&] { export_onnx(in, out, e); }, "activations");
  says(
      Status::kNotFound, [&] { quantize(folder / "nowhere", out); }, "nowhere");
  says(
      Status::kModelInvalid, [&] { quantize(folder.file("bad", "no package"), out); }, "bad");
}
