// The plugin's network as an engine, without the plugin around it, for suites that are made for engines.
#pragma once

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/engine.hpp"
#include "torch/net.hpp"

namespace liveness::test {

class TorchPass final : public Workspace {
 public:
  at::Tensor input;
  std::vector<at::Tensor> outputs;
};

class TorchNetwork final : public Executable {
 public:
  TorchNetwork(const Graph& graph, const torch_plugin::NetOptions& options)
      : net_(graph, options), shape_(graph.values[static_cast<std::size_t>(graph.inputs[0])].shape) {}

  std::unique_ptr<Workspace> make_workspace() const override {
    auto pass = std::make_unique<TorchPass>();
    pass->input = at::zeros(shape_, at::kFloat);
    return pass;
  }
  PlanarView input(Workspace& workspace) const override {
    auto& pass = static_cast<TorchPass&>(workspace);
    const bool image = shape_.size() == 4;
    const std::int64_t width = image ? shape_[3] : 0;
    return {pass.input.mutable_data_ptr<float>(), width, image ? shape_[2] * width : 0};
  }
  void run(Workspace& workspace) const override {
    const torch_plugin::OneThread one;
    auto& pass = static_cast<TorchPass&>(workspace);
    pass.outputs = net_.run(pass.input);
  }
  // A contract knows images of one or three channels; these suites feed any shape.
  void run_from(Workspace& workspace, const float* values, const InputContract&) const override {
    at::Tensor& input = static_cast<TorchPass&>(workspace).input;
    std::copy_n(values, input.numel(), input.mutable_data_ptr<float>());
    run(workspace);
  }
  std::span<const float> output(const Workspace& workspace, std::size_t i) const override {
    const at::Tensor& found = static_cast<const TorchPass&>(workspace).outputs.at(i);
    return {found.const_data_ptr<float>(), static_cast<std::size_t>(found.numel())};
  }
  std::size_t weight_bytes() const noexcept override { return net_.weight_bytes(); }
  std::size_t workspace_bytes() const noexcept override { return 0; }
  std::vector<StepTime> profile(int) const override { return {}; }

 private:
  torch_plugin::Net net_;
  Shape shape_;
};

}  // namespace liveness::test
