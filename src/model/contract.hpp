// The contract as a JSON value; one reader serves JSON files, YAML files and packages.
#pragma once

#include "liveness/model.hpp"
#include "model/json.hpp"

namespace liveness {

[[nodiscard]] Json contract_to_value(const Contract& contract);
// Types, required and unknown keys, then every range. Refusals come from the field's document.
[[nodiscard]] Contract contract_from_value(const Field& field);

}  // namespace liveness
