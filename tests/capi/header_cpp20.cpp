// The header as C++20 sees it: every function is noexcept, and the C and C++ headers live in one file side by side.
#include <liveness.h>

#include <liveness/liveness.hpp>
#include <type_traits>

static_assert(noexcept(liveness_version()));
static_assert(noexcept(liveness_predictor_predict(nullptr, nullptr, nullptr, nullptr)));
static_assert(noexcept(liveness_model_destroy(nullptr)));
static_assert(std::is_standard_layout_v<liveness_face_result_t> && std::is_trivial_v<liveness_face_result_t>);
static_assert(std::is_same_v<liveness_status_t, std::int32_t>);

int main() {
  return liveness_abi_version() == LIVENESS_ABI_VERSION && liveness::kReasonCount == 12 ? 0 : 1;
}
