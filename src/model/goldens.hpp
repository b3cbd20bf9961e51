// Golden inputs: how they are made, fed and judged.
#pragma once

#include <cstdint>
#include <span>

#include "engine/engine.hpp"
#include "liveness/model.hpp"

namespace liveness {

// Writes pixels (height x width x channels; each stands for a block of block x block of the input) as the network takes
// them.
void feed_pixels(std::span<const std::uint8_t> pixels, int block, const InputContract& input, const PlanarView& view);

// Runs the input; returns the largest difference from the known outputs, relative to max(1, largest |output|) of the
// output. Infinite where an output is not finite. `outputs` are the executable's, in its order.
[[nodiscard]] float golden_error(const Golden& golden, const InputContract& input, std::span<const TensorInfo> outputs,
                                 const Executable& executable, Workspace& workspace);

}  // namespace liveness
