// Contract readers, JSON and YAML: any text is read or refused. What is read survives JSON.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "fuzz_seeds.hpp"
#include "liveness/error.hpp"
#include "tiny_models.hpp"

namespace {

using namespace liveness;

constexpr std::uint8_t kJson = 'j';
constexpr std::uint8_t kYaml = 'y';

std::vector<std::byte> tagged(std::uint8_t tag, const std::string& text) {
  std::vector<std::byte> bytes{std::byte{tag}};
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  std::vector<std::vector<std::byte>> seeds;
  for (const Contract& contract : {test::tiny_pad_package({}).contract, test::tiny_detector_package().contract}) {
    const std::string json = contract_to_json(contract);
    seeds.push_back(tagged(kJson, json));
    seeds.push_back(tagged(kYaml, json));  // JSON is YAML too
  }
  seeds.push_back(tagged(kYaml,
                         "name: &n x\nversion: \"1\"\ntask: other\ninput:\n  width: 8\n  height: 8\n  color: gray\n"
                         "  range: [0, 1]\n  mean: [0]\n  std: [1]\nlicence: *n\nprovenance: >-\n  a\n  b\n"));
  test::write_seeds(*argc, *argv, seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Contract contract;
  try {
    contract = data[0] == kYaml ? contract_from_yaml(text, "fuzz") : contract_from_json(text, "fuzz");
  } catch (const Error& e) {
    if (e.status() != Status::kConfigInvalid && e.status() != Status::kUnsupported) std::abort();
    return 0;
  }
  const std::string json = contract_to_json(contract);
  if (contract_to_json(contract_from_json(json, "again")) != json) std::abort();
  return 0;
}
