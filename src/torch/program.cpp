// Users' own programs: TorchScript and AOTInductor files. They are code; who calls this was allowed to.
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <filesystem>
#include <new>
#include <utility>

#include "liveness/error.hpp"
#include "torch/network.hpp"

namespace liveness::torch_plugin {

namespace {

[[noreturn]] void refuse(const LoadOptions& options, const std::string& what) {
  throw Error(Status::kModelInvalid, std::string(options.program) + ": " + what);
}

// What LibTorch says of a program is the program's fault, but for want of memory.
template <class Work>
auto naming(const LoadOptions& options, const std::string& what, const Work& work) {
  try {
    return work();
  } catch (const Error& e) {
    refuse(options, e.what());
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const c10::Error& e) {
    refuse(options, what + e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    refuse(options, what + e.what());
  }
}

struct Results {
  std::vector<at::Tensor> tensors;
  std::vector<std::string> names;
};

// A tensor, several of them in a tuple or list, or a dictionary by name.
Results results_of(const c10::IValue& value) {
  Results results;
  if (value.isTensor()) {
    results.tensors.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const c10::IValue& item : value.toTupleRef().elements()) results.tensors.push_back(item.toTensor());
  } else if (value.isTensorList()) {
    results.tensors = value.toTensorVector();
  } else if (value.isGenericDict()) {
    for (const auto& item : value.toGenericDict()) {
      results.names.push_back(item.key().toStringRef());
      results.tensors.push_back(item.value().toTensor());
    }
  } else {
    throw Error(Status::kModelInvalid, "its result is a " + value.tagKind() +
                                           "; expected a tensor, a tuple of tensors or a dictionary of them");
  }
  results.names.resize(results.tensors.size());
  return results;
}

}  // namespace

Network load_program(const LoadOptions& options, at::Device device) {
  const c10::InferenceMode inference;
  const std::string path = options.program;
  Network network;
  network.device = device;
  network.input = {1, options.channels, options.height, options.width};
  std::function<Results(const at::Tensor&)> run;
  if (std::filesystem::path(path).extension() == ".pt2") {
    const c10::DeviceIndex index = device.has_index() ? device.index() : c10::DeviceIndex{-1};
    auto loader = naming(options, "does not load: ", [&] {
      return std::make_shared<torch::inductor::AOTIModelPackageLoader>(path, "model", false, 1, index);
    });
    run = [loader](const at::Tensor& x) {
      Results results;
      results.tensors = loader->run({x});
      results.names.resize(results.tensors.size());
      return results;
    };
  } else {
    auto module = naming(options, "does not load: ", [&] {
      return std::make_shared<torch::jit::Module>(torch::jit::load(path, device));
    });
    module->eval();
    for (const at::Tensor& parameter : module->parameters()) network.weight_bytes += parameter.nbytes();
    run = [module](const at::Tensor& x) {
      // Running a module is not const, but changes nothing that threads share.
      return results_of(torch::jit::Module(*module).forward({x}));
    };
  }
  // What it gives is known when it has run once.
  const Results results = naming(options, "does not run on an image of the contract's size: ", [&] {
    return run(at::zeros(network.input, at::TensorOptions(at::kFloat).device(device)));
  });
  if (results.tensors.empty()) refuse(options, "has no outputs");
  for (std::size_t i = 0; i < results.tensors.size(); ++i) {
    const at::Tensor& tensor = results.tensors[i];
    const std::string name = results.names[i].empty() ? std::to_string(i) : '"' + results.names[i] + '"';
    if (!tensor.is_floating_point()) refuse(options, "output " + name + " does not hold floating-point numbers");
    if (tensor.dim() < 1 || tensor.size(0) != 1) refuse(options, "output " + name + " has no batch axis of 1");
    network.names.push_back(results.names[i]);
    network.outputs.push_back(tensor.sizes().slice(1).vec());
  }
  network.forward = [run, shapes = network.outputs](const at::Tensor& x) {
    const c10::InferenceMode mode;
    Results found = run(x);
    TORCH_CHECK(found.tensors.size() == shapes.size(), "gave ", found.tensors.size(), " outputs instead of ",
                shapes.size());
    std::vector<at::Tensor> outputs;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      TORCH_CHECK(found.tensors[i].sizes().slice(1) == at::IntArrayRef(shapes[i]), "output ", i, " is now of shape ",
                  found.tensors[i].sizes());
      outputs.push_back(found.tensors[i].to(at::kFloat).contiguous());
    }
    return outputs;
  };
  return network;
}

}  // namespace liveness::torch_plugin
