// Networks that are compiled into the library, so that a program needs no file.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "liveness/model.hpp"

namespace liveness LIVENESS_PUBLIC {

/// A package inside the library.
struct BuiltinModel {
  std::string name;  ///< its contract's
  Task task = Task::kOther;
  std::string licence;                 ///< its contract's
  std::span<const std::byte> package;  ///< read-only memory of the library, for as long as that is loaded
};

/// What is built in, in the order of the build option LIVENESS_EMBED; empty where that was OFF. The networks are not
/// loaded: `builtin_model` does that. Throws Error(kModelInvalid) where a file that was built in is no package.
[[nodiscard]] const std::vector<BuiltinModel>& builtin_models();

/// Loads one, by its contract's name, or "pad" and "detector": the first one for that task, which is what `Predictor()`
/// takes. Throws as Model::from_memory, and Error(kNotFound) where there is none such.
[[nodiscard]] Model builtin_model(std::string_view name, const Model::Options& options = {});

}  // namespace liveness
