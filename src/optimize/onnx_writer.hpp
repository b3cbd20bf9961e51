// The package's graph to an ONNX file.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "model/graph.hpp"

namespace liveness {

struct OnnxForm {
  int opset = 13;  // kOldestExport..kNewestExport
  // QDQ: weights stored as int8 are written as whole numbers with their scales, and the values named here (by id, with
  // the least and greatest number seen in them) go through QuantizeLinear and DequantizeLinear wherever a layer with
  // such weights reads them. Needs opset 13, the first with a scale a channel.
  bool quantized = false;
  std::map<int, std::pair<float, float>> ranges;
};

inline constexpr int kOldestExport = 11;
inline constexpr int kNewestExport = 17;

// The graph is checked. The batch axis is free in the file ("batch"). Throws Error(kInvalidArgument) for an opset that
// is not written.
[[nodiscard]] std::vector<std::byte> write_onnx(const Graph& graph, const OnnxForm& form);

}  // namespace liveness
