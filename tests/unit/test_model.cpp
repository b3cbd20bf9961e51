// Model: loading, checking, running and converting.
#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "model/sha256.hpp"
#include "package_parts.hpp"
#include "reference.hpp"
#include "refusal.hpp"
#include "shared_models.hpp"
#include "temporary_folder.hpp"

using namespace liveness;
using namespace liveness::test;
using Catch::Matchers::Contains;

namespace {

const std::filesystem::path kContracts = std::filesystem::path(LIVENESS_SOURCE_DIR) / "models" / "contracts";

struct Shared {
  std::string file;
  std::string contract;
};
const std::vector<Shared> kShared{{"minifasnet_v2_80_scale2.7.onnx", "minifasnet_v2_80.yaml"},
                                  {"minifasnet_v1se_80_scale4.0.onnx", "minifasnet_v1se_80.yaml"},
                                  {"minifasnet_v2se_128_scale1.5.onnx", "minifasnet_v2se_128.yaml"},
                                  {"yunet_s_320_320.onnx", "yunet_320.yaml"},
                                  {"yunet_s_640_640.onnx", "yunet_640.yaml"},
                                  {"landmark68_64.onnx", "landmark68_64.yaml"}};

// False, with a word why, where the library reads no YAML.
bool have_yaml() {
  try {
    static_cast<void>(contract_from_yaml("{}", ""));
  } catch (const Error& e) {
    if (e.status() != Status::kUnsupported) return true;
  }
  WARN("skipped: the library was built without YAML");
  return false;
}

std::vector<float> noise(std::size_t count) {
  std::vector<float> values(count);
  std::uint32_t state = 1;
  for (float& v : values) {
    state = state * 1664525U + 1013904223U;
    v = static_cast<float>(state >> 24);
  }
  return values;
}

std::vector<float> run(const Model& model, std::span<const float> input, int batch, int threads) {
  std::vector<float> output(model.info().outputs.at(0).elements() * static_cast<std::size_t>(batch));
  const std::span<float> spans[1] = {output};
  model.run(input, spans, batch, threads);
  return output;
}

}  // namespace

TEST_CASE("a model tells what it holds") {
  const Model model = Model::from_memory(write_package(package_with_goldens()));
  const ModelInfo& info = model.info();
  CHECK(model.contract().name == "tiny_pad");
  REQUIRE(info.inputs.size() == 1);
  CHECK(info.inputs[0].name == "image");
  CHECK(info.inputs[0].shape == std::vector<std::int64_t>{3, 8, 8});
  CHECK(info.outputs[0].shape == std::vector<std::int64_t>{3});
  CHECK(info.parameters == 12);
  CHECK(info.nodes.size() == 3);
  CHECK(info.macs >= 9);
  CHECK(info.isa == default_isa());
  const Package package = package_with_goldens();
  CHECK(info.identity == identity(package.contract, package.graph));
  CHECK(model.goldens().size() == 2);
  CHECK(model.verify() <= 1e-5F);
  CHECK(model.profile(1).size() >= 1);
}

TEST_CASE("every instruction set of the machine loads, another is refused") {
  const Bytes bytes = write_package(package_with_goldens());
  const auto available = available_isas();
  for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAmx}) {
    Model::Options options;
    options.isa = isa;
    if (std::find(available.begin(), available.end(), isa) != available.end()) {
      CHECK(Model::from_memory(bytes, options).info().isa == isa);
    } else {
      CHECK_THAT(refusal(Status::kUnsupported, [&] { static_cast<void>(Model::from_memory(bytes, options)); }),
                 Contains(std::string(to_string(isa))));
    }
  }
}

TEST_CASE("golden inputs of blocks and some outputs are checked like whole ones") {
  Package package = package_with_short_golden();
  // A picture of one grey level, as the golden input has it.
  const InputContract& rule = package.contract.input;
  std::vector<float> input;
  for (std::size_t c = 0; c < 3; ++c) {
    input.insert(input.end(), 64, (200.0F / 255.0F * (rule.high - rule.low) + rule.low - rule.mean[c]) / rule.std[c]);
  }
  const std::vector<float> scores = run(Model::from_memory(write_package(package)), input, 1, 1);
  package.goldens.back().outputs["scores"] = {scores[0], scores[1]};  // of three: values 0 and 3 / 2
  CHECK(Model::from_memory(write_package(package)).verify() <= 1e-4F);
  package.goldens.back().outputs["scores"] = {scores[0], scores[2] + 100};
  const Model wrong = Model::from_memory(write_package(package));
  CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(wrong.verify()); }), Contains("goldens[2]"));
}

TEST_CASE("precision, backend and device are chosen as asked") {
  Package package = package_with_goldens();
  const auto info = [&](Precision precision, Backend backend = Backend::kAuto, const std::string& device = "cpu") {
    Model::Options options;
    options.precision = precision;
    options.backend = backend;
    options.device = device;
    return Model::from_memory(write_package(package), options).info();
  };
  CHECK(info(Precision::kAuto).precision == Precision::kFp32);
  CHECK(info(Precision::kAuto).backend == Backend::kNative);
  CHECK(info(Precision::kAuto).device == "cpu");
  CHECK(info(Precision::kAuto).fallback.empty());
  CHECK(info(Precision::kFp32, Backend::kNative).precision == Precision::kFp32);
  for (const Precision precision : {Precision::kBf16, Precision::kInt8}) {
    const ModelInfo found = info(precision);
    CHECK((found.precision == precision || !found.fallback.empty()));
    // What the package is qualified for is chosen where the machine gains from it.
    package.contract.qualified = {precision};
    const auto fast = fast_precisions(default_isa());
    const bool gains = std::find(fast.begin(), fast.end(), precision) != fast.end();
    CHECK(info(Precision::kAuto).precision == (gains ? precision : Precision::kFp32));
    CHECK(info(Precision::kAuto).fallback.empty());
    CHECK(info(Precision::kFp32).precision == Precision::kFp32);
    package.contract.qualified.clear();
  }
  const auto refused = [&](Status status, Precision precision, Backend backend, const std::string& device) {
    return refusal(status, [&] { static_cast<void>(info(precision, backend, device)); });
  };
  CHECK_THAT(refused(Status::kUnsupported, Precision::kFp16, Backend::kNative, "cpu"), Contains("fp16"));
  CHECK_THAT(refused(Status::kUnsupported, Precision::kAuto, Backend::kNative, "cuda"), Contains("cuda"));
  for (const char* device : {"", "CPU", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1234", "cuda1"}) {
    CHECK_THAT(refused(Status::kInvalidArgument, Precision::kAuto, Backend::kAuto, device),
               Contains("device: \"" + std::string(device) + "\""));
  }
  CHECK(to_string(Precision::kAuto) == "auto");
  CHECK(to_string(Precision::kFp16) == "fp16");
  CHECK(to_string(Backend::kAuto) == "auto");
  CHECK(to_string(Backend::kTorch) == "torch");
}

TEST_CASE("golden inputs are checked at load, all of them on demand") {
  PackageParts parts(write_package(package_with_goldens()));
  SECTION("the first at load") {
    parts.set_float("golden.0.output.scores", 1, 1000);
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(Model::from_memory(parts.join())); }),
               Contains("goldens[0]: the outputs are off by") && Contains("more than the tolerance of 0.001"));
    Model::Options options;
    options.verify = false;
    const Model model = Model::from_memory(parts.join(), options);
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(model.verify()); }), Contains("goldens[0]"));
  }
  SECTION("the others on demand") {
    parts.set_float("golden.1.output.scores", 2, -1000);
    const Model model = Model::from_memory(parts.join());
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(model.verify()); }), Contains("goldens[1]"));
  }
  SECTION("changed weights are noticed") {
    // The second class's weight of green, which is what the network looks at.
    parts.set_float("weight", 4, 0.07F);
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(Model::from_memory(parts.join())); }),
               Contains("goldens[0]"));
  }
}

TEST_CASE("golden pixels are fed as the input contract says") {
  // value = (pixel / 255 * (high - low) + low - mean) / std, so these two networks see the same.
  TinyPad plain;
  Package package = tiny_pad_package(plain);
  const auto before = make_goldens(package, 3);
  plain.middle = (128.0F / 255 * 4 - 2 - 0.5F) / 0.25F;
  plain.slope = 1.0F / 16 * 255 / 4 * 0.25F;
  Package other = tiny_pad_package(plain);
  other.contract.input.low = -2;
  other.contract.input.high = 2;
  other.contract.input.mean = {7, 0.5F, 9};
  other.contract.input.std = {3, 0.25F, 5};
  const auto after = make_goldens(other, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(after[i].pixels == before[i].pixels);
    CHECK(after[i].outputs.at("scores")[1] == Approx(before[i].outputs.at("scores")[1]).margin(1e-4));
  }
  CHECK(before[0].pixels != before[1].pixels);
}

TEST_CASE("run gives what the graph says, one image or many, on any number of threads") {
  const Package package = package_with_goldens();
  const Model model = Model::from_memory(write_package(package));
  constexpr int kBatch = 13;
  const std::size_t pixels = model.info().inputs[0].elements();
  const std::vector<float> input = noise(pixels * kBatch);
  std::vector<float> one_by_one;
  for (std::size_t i = 0; i < kBatch; ++i) {
    const auto image = std::span(input).subspan(i * pixels, pixels);
    const std::vector<float> found = run(model, image, 1, 1);
    const std::vector<float> wanted = run_reference(package.graph, image).at(0);
    for (std::size_t k = 0; k < found.size(); ++k) CHECK(found[k] == Approx(wanted[k]).margin(1e-4));
    one_by_one.insert(one_by_one.end(), found.begin(), found.end());
  }
  for (const int threads : {1, 2, 3, 8, 50}) CHECK(run(model, input, kBatch, threads) == one_by_one);
}

TEST_CASE("one model serves many threads") {
  const Model model = Model::from_memory(write_package(package_with_goldens()));
  const std::vector<float> input = noise(model.info().inputs[0].elements());
  const std::vector<float> wanted = run(model, input, 1, 1);
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, copy = model] {
        for (int i = 0; i < 200; ++i) wrong += run(copy, input, 1, 1) != wanted;
      });
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("run refuses sizes that do not fit") {
  const Model model = Model::from_memory(write_package(package_with_goldens()));
  std::vector<float> input(3 * 64);
  std::vector<float> output(3);
  const std::span<float> spans[1] = {output};
  const auto refused = [&](const auto& call) { return refusal(Status::kInvalidArgument, call); };
  CHECK_THAT(refused([&] { model.run(input, spans, 0); }), Contains("batch: 0"));
  CHECK_THAT(refused([&] { model.run(input, spans, 1, 0); }), Contains("threads: 0"));
  CHECK_THAT(refused([&] { model.run(std::span(input).first(191), spans); }),
             Contains("input: 191 floats; 1 images of 192"));
  CHECK_THAT(refused([&] { model.run(input, spans, 2); }), Contains("2 images of 192"));
  CHECK_THAT(refused([&] { model.run(input, {}); }), Contains("outputs: 0 spans; the network has 1 outputs"));
  const std::span<float> small[1] = {std::span(output).first(2)};
  CHECK_THAT(refused([&] { model.run(input, small); }), Contains("outputs[0] (scores): 2 floats; 1 images of 3"));
  CHECK_THAT(refused([&] { static_cast<void>(model.profile(0)); }), Contains("rounds: 0"));
}

TEST_CASE("files are told apart and named") {
  const TemporaryFolder folder;
  const Bytes bytes = write_package(package_with_goldens());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CHECK(Model::load(folder.file("a.safetensors", text)).contract().name == "tiny_pad");
  CHECK(Model::load(folder.file("b.model", text)).contract().name == "tiny_pad");
  const auto refused = [&](Status status, const std::filesystem::path& path) {
    return refusal(status, [&] { static_cast<void>(Model::load(path)); });
  };
  CHECK_THAT(refused(Status::kNotFound, folder / "none.safetensors"), Contains("none.safetensors: cannot be opened"));
  CHECK_THAT(refused(Status::kModelInvalid, folder.file("c.bin", "hello")),
             Contains("c.bin: neither a model package (.safetensors) nor an ONNX file"));
  const auto cut = folder.file("cut.safetensors", text.substr(0, 100));
  CHECK_THAT(refused(Status::kModelInvalid, cut), Contains(cut.string() + ": the file ends within the header"));
  CHECK_THAT(refused(Status::kNotFound, folder.file("d.onnx", "\x08\x07")),
             Contains("there is no d.yaml, .yml or .json"));
  static_cast<void>(folder.file("e.json", contract_to_json(tiny_pad_package({}).contract)));
  CHECK_THAT(refused(Status::kModelInvalid, folder.file("e.onnx", "\x08\x07")), Contains("e.onnx"));
}

TEST_CASE("the third-party networks load, convert and give the same from both files") {
  if (!have_yaml()) return;
  const TemporaryFolder folder;
  for (const Shared& shared : kShared) {
    if (!have_model(shared.file)) continue;
    INFO(shared.file);
    const auto onnx = shared_models() / shared.file;
    const auto target = folder / (shared.file + ".safetensors");
    convert_onnx(onnx, kContracts / shared.contract, target, 2);
    const Model converted = Model::load(target);
    CHECK(converted.goldens().size() == 2);
    CHECK(converted.verify() <= 1e-4F);
    Model::Options options;
    options.contract = kContracts / shared.contract;
    const Model direct = Model::load(onnx, options);
    CHECK(direct.info().identity == converted.info().identity);
    CHECK(direct.info().macs == converted.info().macs);
    // Golden inputs that all give one answer would prove little.
    const auto& outputs = converted.goldens()[0].outputs;
    CHECK(outputs != converted.goldens()[1].outputs);
    for (const auto& [name, values] : outputs) {
      const auto [low, high] = std::minmax_element(values.begin(), values.end());
      CHECK(*low < *high);
    }
    const std::vector<float> input = noise(direct.info().inputs[0].elements());
    CHECK(run_reference(read_package(read_file(target)).graph, input).size() == direct.info().outputs.size());
  }
}

TEST_CASE("conversion refuses another file than the contract is for, and leaves nothing where it fails") {
  const std::string file = "minifasnet_v2_80_scale2.7.onnx";
  if (!have_yaml() || !have_model(file)) return;
  const TemporaryFolder folder;
  const auto onnx = shared_models() / file;
  const auto target = folder / "out.safetensors";
  const Contract good = read_contract(kContracts / "minifasnet_v2_80.yaml");
  const auto with = [&](const std::function<void(Contract&)>& change) {
    Contract contract = good;
    change(contract);
    return folder.file("c.json", contract_to_json(contract));
  };
  const auto refused = [&](Status status, const std::filesystem::path& contract) {
    const std::string message = refusal(status, [&] { convert_onnx(onnx, contract, target); });
    CHECK_FALSE(std::filesystem::exists(target));
    return message;
  };
  CHECK_THAT(refused(Status::kModelInvalid, kContracts / "minifasnet_v1se_80.yaml"),
             Contains("its SHA-256 is " + good.source_sha256) && Contains("minifasnet_v1se_80.yaml"));
  CHECK_THAT(refused(Status::kModelInvalid, with([](Contract& c) {
                       c.score->classes = {"live", "spoof"};
                       c.score->live = 0;
                     })),
             Contains(onnx.string() + ": score.output: output \"output\" has 3 values; score.classes gives 2"));
  CHECK_THAT(refused(Status::kModelInvalid, with([](Contract& c) { c.input.width = 96; })), Contains("80"));
  CHECK_THAT(
      refusal(Status::kInvalidArgument, [&] { convert_onnx(onnx, kContracts / "minifasnet_v2_80.yaml", target, 65); }),
      Contains("goldens: 65 is not in 0..64"));
  // Without a hash any file is taken, and its hash is noted.
  const auto any = with([](Contract& c) { c.source_sha256.clear(); });
  convert_onnx(onnx, any, target, 0);
  const Model model = Model::load(target);
  CHECK(model.contract().source_sha256 == good.source_sha256);
  CHECK(model.goldens().empty());
  CHECK(model.verify() == 0);
  CHECK_THAT(refusal(Status::kIo, [&] { convert_onnx(onnx, any, "/dev/full", 1); }), Contains("/dev/full"));
}
