// Package reader: any bytes are read or refused. What is read is written, read again, and run where it is small.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fuzz_seeds.hpp"
#include "liveness/error.hpp"
#include "package_parts.hpp"

namespace {

using namespace liveness;
using namespace liveness::test;

// The first byte chooses what the rest is: a whole file, or a document to put beside the tensors of a good package, so
// that changes need not agree with a header's length and escapes to get deep into the graph.
constexpr std::uint8_t kFile = 'f';
constexpr std::uint8_t kDocument = 'd';

const PackageParts& good_parts() {
  static const PackageParts parts(write_package(package_with_goldens()));
  return parts;
}

std::vector<std::byte> tagged(std::uint8_t tag, std::vector<std::byte> bytes) {
  bytes.insert(bytes.begin(), std::byte{tag});
  return bytes;
}

void check(std::span<const std::byte> bytes) {
  Package package;
  try {
    package = read_package(bytes);
  } catch (const Error&) {
    return;
  }
  const Package again = read_package(write_package(package));
  if (identity(again.contract, again.graph) != identity(package.contract, package.graph)) std::abort();

  std::int64_t work = 0;
  for (const NodeInfo& node : describe(package.graph)) work += node.macs;
  for (const Value& value : package.graph.values) work += elements(value.shape);
  if (work > 2000000) return;
  try {
    Model::Options options;
    options.verify = false;
    const Model model = Model::from_memory(bytes, options);
    const std::vector<float> input(model.info().inputs[0].elements(), 1.0F);
    std::vector<std::vector<float>> outputs;
    for (const TensorInfo& output : model.info().outputs) outputs.emplace_back(output.elements());
    const std::vector<std::span<float>> spans(outputs.begin(), outputs.end());
    model.run(input, spans);
  } catch (const Error& e) {
    if (e.status() != Status::kUnsupported) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  std::vector<std::vector<std::byte>> seeds;
  seeds.push_back(tagged(kFile, write_package(package_with_goldens())));
  seeds.push_back(tagged(kFile, write_package(package_with_short_golden())));
  seeds.push_back(tagged(kFile, write_package(tiny_detector_package())));
  for (const BrokenPackage& broken : broken_packages()) {
    if (broken.bytes.size() < 16384) seeds.push_back(tagged(kFile, broken.bytes));
  }
  seeds.push_back(tagged(kDocument, to_bytes(good_parts().document.dump())));
  write_seeds(*argc, *argv, seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(data, size)).subspan(1);
  if (data[0] == kDocument) {
    Json header = good_parts().header;
    header["__metadata__"]["liveness"] = std::string(reinterpret_cast<const char*>(rest.data()), rest.size());
    check(assemble(header.dump(-1, ' ', false, Json::error_handler_t::replace), good_parts().data));
  } else {
    check(rest);
  }
  return 0;
}
