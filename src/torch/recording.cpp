// Recorded passes. CUDA's need CUDA's headers, which some wheels bring (LIVENESS_TORCH_CUDA); LibTorch from 2.13 on has
// a class for all devices, which CUDA does not serve yet.
#include "torch/device.hpp"

#if LIVENESS_TORCH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#endif
#if __has_include(<ATen/accelerator/Graph.h>)
#include <ATen/accelerator/Graph.h>
#define LIVENESS_TORCH_ANY_GRAPH 1
#endif

namespace liveness::torch_plugin {

namespace {

template <class Graph>
class Recorded final : public Recording {
 public:
  void record(const std::function<void()>& body) override {
    begin(graph_);
    try {
      body();
    } catch (...) {
      try {
        graph_.capture_end();
      } catch (const std::exception&) {  // what ended the recording is the error to tell
      }
      throw;
    }
    graph_.capture_end();
  }
  void replay() override { graph_.replay(); }

 private:
  static void begin(Graph& graph);

  Graph graph_;
};

#if LIVENESS_TORCH_CUDA
template <>
void Recorded<at::cuda::CUDAGraph>::begin(at::cuda::CUDAGraph& graph) {
  // Other threads of the program may use the device meanwhile.
  graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
}
#endif
#if LIVENESS_TORCH_ANY_GRAPH
template <>
void Recorded<at::accelerator::Graph>::begin(at::accelerator::Graph& graph) {
  graph.capture_begin({0, 0}, at::GraphCaptureMode::ThreadLocal);
}
#endif

}  // namespace

std::unique_ptr<Recording> make_recording([[maybe_unused]] at::Device device) {
#if LIVENESS_TORCH_CUDA
  if (device.is_cuda()) return std::make_unique<Recorded<at::cuda::CUDAGraph>>();
#endif
#if LIVENESS_TORCH_ANY_GRAPH
  if (!device.is_cpu() && at::has_graph_impl(device.type())) {
    return std::make_unique<Recorded<at::accelerator::Graph>>();
  }
#endif
  return nullptr;
}

bool has_recordings() noexcept {
#if LIVENESS_TORCH_CUDA
  return true;
#else
  return false;
#endif
}

}  // namespace liveness::torch_plugin
