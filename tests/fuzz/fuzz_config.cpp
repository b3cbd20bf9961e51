// The reader of configurations: any text is read or refused with a place. What is read comes back from its own YAML.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz_seeds.hpp"
#include "liveness/config.hpp"
#include "liveness/error.hpp"

namespace {

using namespace liveness;

std::vector<std::byte> bytes(std::string_view text) {
  std::vector<std::byte> all;
  for (const char c : text) all.push_back(static_cast<std::byte>(c));
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  Config set;
  set.set("models.pad", "a,b");
  set.set("decision.apcer", "0.01");
  set.set("accuracy.weights", "1,2");
  test::write_seeds(*argc, *argv,
                    {bytes(Config().to_yaml()), bytes(set.to_yaml()), bytes("pipeline: {skip: 1}\nlogging: &a {}\n"),
                     bytes("processing_pipeline:\n  roi:\n    enabled: true\n"),
                     bytes("{\"decision\": {\"abstain\": [\"dark\"], \"profile\": \"strict\"}}")});
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Config config;
  try {
    config = Config::parse(text, "fuzz");
  } catch (const Error& e) {
    if (e.status() != Status::kConfigInvalid && e.status() != Status::kUnsupported) std::abort();
    if (std::string_view(e.what()).substr(0, 4) != "fuzz") std::abort();
    return 0;
  }
  const Config again = Config::parse(config.to_yaml(), "again");
  const auto was = config.entries();
  const auto is = again.entries();
  for (std::size_t i = 0; i < was.size(); ++i)
    if (was[i].value != is[i].value) std::abort();
  return 0;
}
