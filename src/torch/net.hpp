// A package's graph as LibTorch operators: on the CPU and on accelerators, in float and in int8.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "liveness/model.hpp"
#include "model/graph.hpp"

namespace liveness::torch_plugin {

struct NetOptions {
  at::Device device = at::kCPU;
  Precision precision = Precision::kFp32;  // kFp32, kFp16, and on the CPU kInt8
  bool plain = false;  // as a PyTorch program would have it: conv2d and prelu, planes of channels, nothing fused
};

// Immutable; any number of threads run it at once.
class Net {
 public:
  // The graph is checked already and not needed afterwards. Throws c10::Error.
  Net(const Graph& graph, const NetOptions& options);

  // `x`: N images of floats on the device, of the graph's input shape. Returns the outputs in the graph's order:
  // floats, dense, on the device.
  [[nodiscard]] std::vector<at::Tensor> run(const at::Tensor& x) const;
  [[nodiscard]] std::size_t weight_bytes() const noexcept { return weight_bytes_; }

  struct StepNote {
    std::string name;
    std::int64_t macs = 0;
    std::vector<double> microseconds;  // one a round
  };
  // CPU only.
  [[nodiscard]] std::vector<StepNote> profile(const at::Tensor& x, int rounds) const;

  using Values = std::vector<at::Tensor>;
  struct Step {
    std::string name;
    std::int64_t macs = 0;
    std::function<at::Tensor(const Values&)> run;
    int output = -1;
    std::vector<int> dead;  // values that nobody reads afterwards
  };

 private:
  void step(const Step& step, Values& values) const;
  at::Tensor prepare(const at::Tensor& x) const;

  NetOptions options_;
  std::vector<Step> steps_;
  std::vector<int> outputs_;
  int input_ = -1;
  std::size_t value_count_ = 0;
  std::size_t weight_bytes_ = 0;
};

// While it lives, LibTorch works on the calling thread alone: a pass is one thread's, as everywhere in this library,
// and the setting of the process stays its owner's.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int omp_;
  int mkl_;
};

}  // namespace liveness::torch_plugin
