// From what the options ask for to a plan on one of the backends.
#pragma once

#include <memory>

#include "engine/engine.hpp"
#include "liveness/model.hpp"
#include "model/graph.hpp"

namespace liveness {

// Plans the graph, which is checked already together with its contract, and fills isa, backend, precision, device and
// fallback of `info`. Throws Error: kInvalidArgument (a device that is none), kUnsupported (what this machine or
// backend cannot do), kNotFound (no plugin, naming where it was looked for).
[[nodiscard]] std::unique_ptr<const Executable> make_executable(Graph graph, const Contract& contract,
                                                                const Model::Options& options, ModelInfo& info);

}  // namespace liveness
