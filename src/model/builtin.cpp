#include "liveness/builtin.hpp"

#include <algorithm>
#include <string_view>

#include "liveness/error.hpp"
#include "model/builtin.hpp"
#include "model/package.hpp"

namespace liveness {
namespace {

std::vector<BuiltinModel> read_all() {
  std::vector<BuiltinModel> all;
  for (const std::span<const std::byte> package : embedded_packages()) {
    Contract contract = read_package_contract(MemorySource(package));
    all.push_back({std::move(contract.name), contract.task, std::move(contract.licence), package});
  }
  return all;
}

// What `name` asks for: the first network of a task, or the one of that name.
bool is_asked_for(const BuiltinModel& model, std::string_view name) {
  if (name == "pad") return model.task == Task::kPad;
  if (name == "detector") return model.task == Task::kDetector;
  return model.name == name;
}

}  // namespace

const std::vector<BuiltinModel>& builtin_models() {
  static const std::vector<BuiltinModel> all = read_all();
  return all;
}

Model builtin_model(std::string_view name, const Model::Options& options) {
  const auto& all = builtin_models();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& m) { return is_asked_for(m, name); });
  if (found != all.end()) return Model::from_memory(found->package, options);
  std::string known;
  for (const BuiltinModel& model : all) known += (known.empty() ? "" : ", ") + model.name;
  throw Error(Status::kNotFound, "no network \"" + std::string(name) + "\" is built into this library, which has " +
                                     (known.empty() ? "none" : known) +
                                     "; load one from a file, or build with LIVENESS_EMBED");
}

}  // namespace liveness
