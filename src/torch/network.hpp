// Something that LibTorch can run from images to outputs, whatever it was made from.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "liveness/model.hpp"
#include "torch/plugin_api.hpp"

namespace liveness::torch_plugin {

class Net;

struct Network {
  // N images of floats on the device (N, C, H, W), or what the graph takes; outputs: floats, dense, on the device.
  std::function<std::vector<at::Tensor>(const at::Tensor& x)> forward;
  std::shared_ptr<const Net> net;  // null: a user's program
  at::Device device = at::kCPU;
  Precision precision = Precision::kFp32;
  std::vector<std::int64_t> input;                 // shape with a batch axis of 1
  std::vector<std::string> names;                  // of the outputs; empty where they have none
  std::vector<std::vector<std::int64_t>> outputs;  // shapes without the batch axis
  std::vector<float> factor;                       // what pixels become, a channel
  std::vector<float> offset;
  std::size_t weight_bytes = 0;
};

// Of a package's graph. Throws c10::Error, liveness::Error.
[[nodiscard]] Network load_package(const LoadOptions& options, at::Device device, Precision precision);
// Of a user's TorchScript or AOTInductor file. Throws liveness::Error(kModelInvalid) and c10::Error.
[[nodiscard]] Network load_program(const LoadOptions& options, at::Device device);

}  // namespace liveness::torch_plugin
