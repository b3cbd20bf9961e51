// Version, names, and the text of the last error.
#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "guard.hpp"
#include "liveness.h"
#include "liveness/types.hpp"
#include "liveness/version.hpp"

namespace liveness::capi {
namespace {

constinit thread_local std::array<char, 1024> last_error{};

constexpr bool is_one_reason(liveness_reasons_t reason) {
  return reason != 0 && (reason & (reason - 1)) == 0 && reason < (1U << kReasonCount);
}

}  // namespace

void set_last_error(std::string_view message) noexcept {
  std::size_t n = std::min(message.size(), last_error.size() - 1);
  // A cut must not leave half of a UTF-8 character: bytes 10xxxxxx continue one.
  if (n < message.size())
    while (n > 0 && (static_cast<unsigned char>(message[n]) & 0xC0U) == 0x80U) --n;
  std::memcpy(last_error.data(), message.data(), n);
  last_error[n] = '\0';
}

}  // namespace liveness::capi

// The names are views of string literals, which end with a zero byte.
extern "C" {

const char* liveness_version(void) noexcept {
  return liveness::kVersion.data();
}

int32_t liveness_abi_version(void) noexcept {
  return LIVENESS_ABI_VERSION;
}

const char* liveness_status_name(liveness_status_t status) noexcept {
  return to_string(static_cast<liveness::Status>(status)).data();
}

const char* liveness_last_error(void) noexcept {
  return liveness::capi::last_error.data();
}

const char* liveness_verdict_name(liveness_verdict_t verdict) noexcept {
  const bool known = verdict >= 0 && verdict <= LIVENESS_VERDICT_NO_FACE;
  return to_string(known ? static_cast<liveness::Verdict>(verdict) : liveness::Verdict::kUncertain).data();
}

const char* liveness_reason_name(liveness_reasons_t reason) noexcept {
  if (!liveness::capi::is_one_reason(reason)) return nullptr;
  return to_string(static_cast<liveness::Reason>(reason)).data();
}

const char* liveness_reason_sentence(liveness_reasons_t reason) noexcept {
  if (!liveness::capi::is_one_reason(reason)) return nullptr;
  return sentence(static_cast<liveness::Reason>(reason)).data();
}

}  // extern "C"
