// LibTorch behind the backend interface: the plugin is looked for and loaded here, when somebody asks for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "liveness/backends.hpp"
#include "model/package.hpp"

namespace liveness {

// Throws Error: kNotFound (no plugin, naming where it was looked for), kUnsupported (a precision that LibTorch has not
// on that device, a plugin of another version), what LibTorch reports.
[[nodiscard]] std::unique_ptr<const Executable> make_torch(Graph graph, const Contract& contract,
                                                           const Model::Options& options, ModelInfo& info);

// A user's TorchScript or AOTInductor file. Fills the empty `graph` with the program's input and outputs, so that the
// contract can be checked against them; it gets no nodes.
[[nodiscard]] std::unique_ptr<const Executable> make_torch_program(const std::filesystem::path& program,
                                                                   const Contract& contract, Graph& graph,
                                                                   const Model::Options& options, ModelInfo& info);

}  // namespace liveness
