// Writes networks back to ONNX, for export.py to check and to score.
//
//   parity_export FOLDER OUT    every NAME.onnx (or the file that NAME.path names) of FOLDER becomes
//   OUT/NAME@OPSET.onnx
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "liveness/error.hpp"
#include "model/onnx.hpp"
#include "model/package.hpp"
#include "model/storage.hpp"
#include "optimize/onnx_writer.hpp"

namespace fs = std::filesystem;

namespace {

// Rounds every weight that may be int8. False where there is none.
bool round_weights(liveness::Graph& graph) {
  bool any = false;
  for (const auto& node : graph.nodes) {
    const int axis = liveness::channel_axis(node.op, 1);
    if (axis < 0) continue;
    auto& weight = graph.tensors[static_cast<std::size_t>(node.inputs[1].id)];
    if (weight.storage == liveness::Tensor::Storage::kFp32)
      liveness::round_to(weight, liveness::Tensor::Storage::kInt8, static_cast<std::size_t>(axis));
    any = true;
  }
  return any;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: parity_export FOLDER OUT\n");
    return 2;
  }
  const fs::path out = argv[2];
  fs::create_directories(out / "rounded");
  int written = 0;
  for (const auto& entry : fs::directory_iterator(argv[1])) {
    fs::path file = entry.path();
    const std::string name = file.stem().string();
    if (file.extension() == ".path") {
      std::ifstream in(file);
      std::string line;
      std::getline(in, line);
      file = line;
    }
    if (file.extension() != ".onnx") continue;
    try {
      liveness::Graph graph = liveness::read_onnx(liveness::read_file(file), name);
      liveness::check_graph(graph);
      for (const int opset : {11, 13, 17}) {
        liveness::OnnxForm form;
        form.opset = opset;
        liveness::write_file(out / (name + "@" + std::to_string(opset) + ".onnx"), liveness::write_onnx(graph, form));
        ++written;
      }
      if (!round_weights(graph)) continue;
      liveness::OnnxForm form;
      liveness::write_file(out / "rounded" / (name + ".onnx"), liveness::write_onnx(graph, form));
      form.quantized = true;
      liveness::write_file(out / (name + "@qdq.onnx"), liveness::write_onnx(graph, form));
    } catch (const liveness::Error& e) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), e.what());
      return 1;
    }
  }
  std::printf("%d files written\n", written);
  return written > 0 ? 0 : 1;
}
