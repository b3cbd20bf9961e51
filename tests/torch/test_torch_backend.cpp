// The plugin from outside: found, loaded, asked, refused.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "liveness/backends.hpp"
#include "liveness/liveness.hpp"
#include "refusal.hpp"
#include "shared_models.hpp"
#include "temporary_folder.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;
using Catch::Contains;

namespace {

Model::Options on_torch(Precision precision = Precision::kAuto, const std::string& device = "cpu") {
  Model::Options options;
  options.backend = Backend::kTorch;
  options.precision = precision;
  options.device = device;
  return options;
}

struct Outputs {
  std::vector<std::vector<float>> values;
  std::vector<std::span<float>> spans;
  Outputs(const Model& model, int batch) {
    for (const TensorInfo& info : model.info().outputs)
      values.emplace_back(info.elements() * static_cast<std::size_t>(batch));
    for (auto& v : values) spans.emplace_back(v);
  }
};

float difference(const Outputs& a, const Outputs& b) {
  float worst = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    float scale = 1;
    for (const float v : b.values[i]) scale = std::max(scale, std::fabs(v));
    for (std::size_t k = 0; k < a.values[i].size(); ++k)
      worst = std::max(worst, std::fabs(a.values[i][k] - b.values[i][k]) / scale);
  }
  return worst;
}

std::vector<std::uint8_t> noise_pixels(std::size_t n) {
  std::vector<std::uint8_t> pixels(n);
  for (std::size_t i = 0; i < n; ++i)
    pixels[i] = static_cast<std::uint8_t>(128 + 100 * std::sin(0.013 * static_cast<double>(i)));
  return pixels;
}

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    const char* old = std::getenv(name);
    had_ = old != nullptr;
    if (had_) old_ = old;
    setenv(name, value, 1);
  }
  ~Environment() { had_ ? setenv(name_, old_.c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  bool had_ = false;
  std::string old_;
};

}  // namespace

TEST_CASE("the third-party networks on LibTorch: golden inputs, the native engine, values and pixels") {
  struct File {
    const char* onnx;
    const char* contract;
  };
  for (const File& file : {File{"minifasnet_v2_80_scale2.7.onnx", "minifasnet_v2_80.yaml"},
                           File{"minifasnet_v2se_128_scale1.5.onnx", "minifasnet_v2se_128.yaml"},
                           File{"yunet_s_320_320.onnx", "yunet_320.yaml"}}) {
    if (!have_model(file.onnx)) continue;
    Model::Options options;
    options.contract = std::filesystem::path(LIVENESS_SOURCE_DIR) / "models/contracts" / file.contract;
    const Model native = Model::load(shared_models() / file.onnx, options);
    options.backend = Backend::kTorch;
    const Model torch = Model::load(shared_models() / file.onnx, options);
    CHECK(torch.info().backend == Backend::kTorch);
    CHECK(torch.info().precision == Precision::kFp32);
    CHECK(torch.info().device == "cpu");
    CHECK(torch.info().fallback.empty());
    CHECK(torch.info().identity == native.info().identity);
    CHECK(torch.info().weight_bytes > 100000);
    const int batch = 3;
    const auto pixels = noise_pixels(native.info().inputs[0].elements() * 3);
    Outputs wanted(native, batch);
    Outputs found(torch, batch);
    native.run(std::span<const std::uint8_t>(pixels), wanted.spans, batch);
    torch.run(std::span<const std::uint8_t>(pixels), found.spans, batch, 2);
    INFO(file.onnx << ": " << difference(found, wanted));
    CHECK(difference(found, wanted) <= 1e-4F);
    const auto steps = torch.profile(3);
    CHECK(steps.size() > 20);
    std::int64_t macs = 0;
    for (const StepTime& step : steps) macs += step.macs;
    CHECK(macs == torch.info().macs);
  }
}

TEST_CASE("pixels are what values made by the contract are, on both backends") {
  const auto package = write_package(tiny_pad_package({}));
  for (const Backend backend : {Backend::kNative, Backend::kTorch}) {
    Model::Options options;
    options.backend = backend;
    const Model model = Model::from_memory(package, options);
    const InputContract& input = model.contract().input;
    const auto size = model.info().inputs[0].elements();
    const auto pixels = noise_pixels(size * 2);
    std::vector<float> values(size * 2);
    const auto plane = static_cast<std::size_t>(input.width) * static_cast<std::size_t>(input.height);
    for (std::size_t b = 0; b < 2; ++b)
      for (std::size_t c = 0; c < 3; ++c)
        for (std::size_t p = 0; p < plane; ++p)
          values[b * size + c * plane + p] =
              (static_cast<float>(pixels[b * size + p * 3 + c]) / 255 * (input.high - input.low) + input.low -
               input.mean[c]) /
              input.std[c];
    Outputs from_values(model, 2);
    Outputs from_pixels(model, 2);
    model.run(std::span<const float>(values), from_values.spans, 2);
    model.run(std::span<const std::uint8_t>(pixels), from_pixels.spans, 2);
    CHECK(difference(from_pixels, from_values) <= 1e-5F);
    CHECK_THAT(refusal(Status::kInvalidArgument,
                       [&] { model.run(std::span<const std::uint8_t>(pixels).first(7), from_pixels.spans, 2); }),
               Contains("7 bytes"));
  }
}

TEST_CASE("a predictor scores on LibTorch as on the native engine, from several threads") {
  const Model native = Model::from_memory(write_package(tiny_pad_package({})));
  const Model torch = Model::from_memory(write_package(tiny_pad_package({})), on_torch());
  const auto pixels = noise_pixels(64 * 64 * 3);
  ImageView image;
  image.data = pixels.data();
  image.width = 64;
  image.height = 64;
  image.stride = 64 * 3;
  const Predictor::Options options;
  const Predictor on_native(native, options);
  const Predictor on_plugin(torch, options);
  const float wanted = on_native.predict(image, Rect{8, 8, 40, 40}).score;
  std::vector<float> found(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < found.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) found[t] = on_plugin.predict(image, Rect{8, 8, 40, 40}).score;
    });
  }
  for (auto& thread : threads) thread.join();
  for (const float score : found) CHECK(score == Approx(wanted).margin(1e-5));
}

TEST_CASE("a device that is not there: the cpu, and why") {
  const Model model = Model::from_memory(write_package(tiny_pad_package({})), on_torch(Precision::kFp16, "cuda:99"));
  CHECK(model.info().device == "cpu");
  CHECK(model.info().precision == Precision::kFp32);
  CHECK_THAT(model.info().fallback, Contains("cuda:99") && Contains("running on cpu in fp32"));
  const Model automatic = [] {
    Model::Options options;
    options.device = "cuda:99";  // asks for LibTorch by itself
    return Model::from_memory(write_package(tiny_pad_package({})), options);
  }();
  CHECK(automatic.info().backend == Backend::kTorch);
}

TEST_CASE("precisions that LibTorch has not on the cpu are refused") {
  const auto package = write_package(tiny_pad_package({}));
  for (const Precision precision : {Precision::kFp16, Precision::kBf16}) {
    CHECK_THAT(
        refusal(Status::kUnsupported, [&] { static_cast<void>(Model::from_memory(package, on_torch(precision))); }),
        Contains("precision") && Contains(std::string(to_string(precision))));
  }
  CHECK(Model::from_memory(package, on_torch(Precision::kInt8)).info().precision == Precision::kInt8);
}

TEST_CASE("a plugin that is not there, or is none") {
  const auto package = write_package(tiny_pad_package({}));
  Model::Options options = on_torch();
  options.plugin = "/nowhere/libliveness_torch.so";
  const auto load = [&] { static_cast<void>(Model::from_memory(package, options)); };
  CHECK_THAT(refusal(Status::kNotFound, load), Contains("/nowhere/"));
  const TemporaryFolder folder;
  options.plugin = folder.file("libliveness_torch.so", "no library");
  CHECK_THAT(refusal(Status::kUnsupported, load), Contains("plugin"));
  options.plugin = "/lib/x86_64-linux-gnu/libm.so.6";
  if (std::filesystem::exists(options.plugin))
    CHECK_THAT(refusal(Status::kUnsupported, load), Contains("no plugin of this library"));
  const auto status = backends("/nowhere/libliveness_torch.so");
  REQUIRE(status.size() == 2);
  CHECK_FALSE(status[1].available);
  CHECK_THAT(status[1].missing, Contains("/nowhere/"));
}

TEST_CASE("backends tell what there is") {
  const auto status = backends();
  REQUIRE(status.size() == 2);
  CHECK(status[0].backend == Backend::kNative);
  CHECK(status[0].available);
  INFO(status[1].missing);
  REQUIRE(status[1].available);
  CHECK_THAT(status[1].version, Catch::StartsWith("2."));
  CHECK(status[1].devices.at(0) == "cpu");
  CHECK_THAT(status[1].blas, Contains("libtorch_cpu"));
  CHECK_THAT(status[1].file, Contains("libliveness_torch.so"));
}

TEST_CASE("a program of a user is code: refused unless it is allowed, and never the native engine's") {
  const TemporaryFolder folder;
  for (const char* name : {"net.pt", "net.pt2"}) {
    const auto path = folder.file(name, "whatever");
    static_cast<void>(folder.file("net.json", contract_to_json(tiny_pad_package({}).contract)));
    CHECK_THAT(refusal(Status::kUnsupported, [&] { static_cast<void>(Model::load(path, on_torch())); }),
               Contains("allow_code"));
    Model::Options options = on_torch();
    options.allow_code = true;
    const auto load = [&] { static_cast<void>(Model::load(path, options)); };
    CHECK_THAT(refusal(Status::kModelInvalid, load), Contains("does not load"));
    options.backend = Backend::kNative;
    CHECK_THAT(refusal(Status::kUnsupported, load), Contains("torch backend"));
  }
}
