// Every operator and attribute again, on LibTorch: the engine's own cases, planned by the plugin's network.
#include "torch_executable.hpp"

namespace liveness {
namespace {
std::unique_ptr<const Executable> plan_torch(const Graph& graph, Isa) {
  return std::make_unique<test::TorchNetwork>(graph, torch_plugin::NetOptions{});
}
}  // namespace
}  // namespace liveness

#define plan_cpu plan_torch
#include "../unit/test_engine_ops.cpp"
