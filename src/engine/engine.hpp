// What a backend gives the rest of the library: a plan made once, run many times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "liveness/model.hpp"
#include "liveness/roi.hpp"
#include "model/graph.hpp"

namespace liveness {

// Scratch memory of one running pass; belongs to one thread at a time. Everything is allocated when it is made.
class Workspace {
 public:
  virtual ~Workspace() = default;
};

// Immutable; any number of threads run it at once, each with its own workspace.
class Executable {
 public:
  virtual ~Executable() = default;
  [[nodiscard]] virtual std::unique_ptr<Workspace> make_workspace() const = 0;
  // Where the image goes: planes of the graph's input (C planes of H rows of W floats). What surrounds them is the
  // engine's.
  [[nodiscard]] virtual PlanarView input(Workspace& workspace) const = 0;
  // One pass from the input to the outputs. Allocates nothing.
  virtual void run(Workspace& workspace) const = 0;
  // The same, of an image that lies elsewhere: C x H x W floats without gaps, of the size that the contract says.
  virtual void run_from(Workspace& workspace, const float* values, const InputContract& size) const;
  // Output i, dense, in the order of the graph's output shape; valid until the next run of this workspace.
  [[nodiscard]] virtual std::span<const float> output(const Workspace& workspace, std::size_t i) const = 0;
  // How many images are best passed through at once, by run_batch(); 0: there is no such thing, one after the other is
  // as good.
  [[nodiscard]] virtual int best_batch() const noexcept { return 0; }
  // `batch` images at once: `values`, batch x C x H x W floats as the network takes them; or, where that is null,
  // `pixels`, batch x H x W x C. outputs[i]: room for batch times output i.
  virtual void run_batch(Workspace& /*workspace*/, const float* /*values*/, const std::uint8_t* /*pixels*/,
                         int /*batch*/, std::span<float* const> /*outputs*/) const {}
  [[nodiscard]] virtual std::size_t weight_bytes() const noexcept = 0;
  [[nodiscard]] virtual std::size_t workspace_bytes() const noexcept = 0;
  [[nodiscard]] virtual std::vector<StepTime> profile(int rounds) const = 0;
};

// The native CPU engine. `isa` must be available and not kAuto; `precision` is kFp32, kBf16 or kInt8, and no node runs
// below what its attribute "precision" allows. Weights are moved out of the graph where it is given away. Throws
// Error(kUnsupported) naming the node that it cannot run.
[[nodiscard]] std::unique_ptr<const Executable> plan_cpu(Graph graph, Isa isa, Precision precision = Precision::kFp32);

}  // namespace liveness
