// LibTorch against LibTorch in one process, in turn, on the same tensors: plain fp32 (conv2d and prelu, batch norms
// folded, as a PyTorch program has them), the plugin's fp32 and int8, and this library's engine as a LibTorch operator.
//
//   torch_bench PACKAGE INPUTS ROUNDS BURST     -> {"ms": {VARIANT: [[...] a round]}, "drift": {VARIANT: ...}}
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/softmax.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <utility>

#include "liveness/model.hpp"
#include "model/package.hpp"
#include "serve.hpp"
#include "torch/net.hpp"

namespace {

using liveness::Precision;
using liveness::torch_plugin::Net;
using liveness::torch_plugin::NetOptions;

struct Variant {
  std::string name;
  std::function<at::Tensor(const at::Tensor&)> run;  // the first output
};

void bench(const std::string& path, const std::string& inputs, int rounds, int burst) {
  const liveness::torch_plugin::OneThread one;
  const c10::InferenceMode inference;
  const liveness::Package package = liveness::read_package(liveness::FileSource(path));
  const liveness::Shape shape = package.graph.values[static_cast<std::size_t>(package.graph.inputs[0])].shape;
  const std::vector<float> values = liveness::bench::read_raw<float>(inputs);
  const auto size = static_cast<std::size_t>(liveness::elements(shape));
  std::vector<at::Tensor> images;
  for (std::size_t i = 0; i + size <= values.size(); i += size) {
    images.push_back(at::from_blob(const_cast<float*>(values.data() + i), shape, at::kFloat).clone());
  }

  std::vector<Variant> variants;
  const auto net = [&](const std::string& name, Precision precision, bool plain) {
    NetOptions options;
    options.precision = precision;
    options.plain = plain;
    auto made = std::make_shared<const Net>(package.graph, options);
    variants.push_back({name, [made](const at::Tensor& x) { return made->run(x)[0]; }});
  };
  net("plain", Precision::kFp32, true);
  net("fp32", Precision::kFp32, false);
  net("int8", Precision::kInt8, false);
  const auto handle = c10::Dispatcher::singleton().findSchemaOrThrow("liveness::run", "");
  for (const char* precision : {"fp32", "int8"}) {
    variants.push_back({std::string("operator_") + precision, [handle, path, precision](const at::Tensor& x) {
                          std::vector<c10::IValue> stack{x, path, std::string(precision), std::int64_t{1}};
                          handle.callBoxed(&stack);
                          return stack[0].toTensorVector()[0];
                        }});
  }

  nlohmann::json ms;
  nlohmann::json drift;
  for (const Variant& v : variants) {
    double worst = 0;
    for (const at::Tensor& x : images) {
      const at::Tensor found = v.run(x).flatten(1).softmax(1);
      const at::Tensor wanted = variants[0].run(x).flatten(1).softmax(1);
      worst = std::max(worst, found.sub(wanted).abs().max().item<double>());
    }
    drift[v.name] = worst;
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t k = 0; k < variants.size(); ++k) {
      const Variant& v = variants[(k + static_cast<std::size_t>(round)) % variants.size()];
      std::vector<double> times;
      for (int i = -2; i < burst; ++i) {
        const at::Tensor& x = images[static_cast<std::size_t>(round + i + 2) % images.size()];
        const auto start = std::chrono::steady_clock::now();
        v.run(x);
        const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
        if (i >= 0) times.push_back(spent.count());
      }
      ms[v.name].push_back(times);
    }
  }
  std::cout << nlohmann::json{{"ms", ms}, {"drift", drift}, {"torch", LIVENESS_TORCH_VERSION}}.dump() << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  return liveness::bench::answer([&] {
    if (argc != 5) throw std::runtime_error("usage: torch_bench PACKAGE INPUTS ROUNDS BURST");
    bench(argv[1], argv[2], std::stoi(argv[3]), std::stoi(argv[4]));
  });
}
