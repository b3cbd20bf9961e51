// ONNX files to the package's graph.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "model/graph.hpp"

namespace liveness {

// Opsets 9 to 21. Folds constants and shape computations, drops Identity and Dropout, takes Split apart into slices,
// recognises decomposed HardSwish, turns MatMul and Gemm with a constant into kLinear, Squeeze/Unsqueeze/Flatten into
// kReshape. A free batch axis becomes 1; other free axes are refused unless `height` and `width` are given (used for a
// 4-D image input). Throws Error(kModelInvalid) for bytes that are no ONNX model (says where), Error(kUnsupported) for
// a node that cannot be mapped: its name, type and what would be needed. `origin` names the source in messages.
[[nodiscard]] Graph read_onnx(std::span<const std::byte> bytes, std::string_view origin, int height = 0, int width = 0);

}  // namespace liveness
