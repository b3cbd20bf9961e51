// The one exception type of the library and the status codes behind it.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "liveness/detail/public.hpp"

namespace liveness LIVENESS_PUBLIC {

/// Numbered blocks: 0 ok; 1-99 the caller; 100-199 the environment; 200-254 at run time; 255 a defect of the library.
/// The same numbers are the C ABI's `liveness_status_t`.
enum class Status : int {
  kOk = 0,
  kInvalidArgument = 1,
  kInvalidState = 2,
  kUnsupported = 3,
  kBufferTooSmall = 4,
  kAbiMismatch = 5,
  kOutOfMemory = 100,
  kIo = 101,
  kNotFound = 102,
  kModelInvalid = 103,
  kConfigInvalid = 104,
  kDeviceUnavailable = 105,
  kCancelled = 200,
  kInternal = 255,
};

[[nodiscard]] inline constexpr std::string_view to_string(Status s) noexcept {
  switch (s) {
    case Status::kOk: return "ok";
    case Status::kInvalidArgument: return "invalid argument";
    case Status::kInvalidState: return "invalid state";
    case Status::kUnsupported: return "unsupported";
    case Status::kBufferTooSmall: return "buffer too small";
    case Status::kAbiMismatch: return "ABI mismatch";
    case Status::kOutOfMemory: return "out of memory";
    case Status::kIo: return "input/output error";
    case Status::kNotFound: return "not found";
    case Status::kModelInvalid: return "model invalid";
    case Status::kConfigInvalid: return "configuration invalid";
    case Status::kDeviceUnavailable: return "device unavailable";
    case Status::kCancelled: return "cancelled";
    case Status::kInternal: return "internal error";
  }
  return "unknown status";
}

/// Thrown by every part of the library. The message names the thing at fault (file, field, node, argument) and what was
/// found.
class Error : public std::runtime_error {
 public:
  Error(Status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  [[nodiscard]] Status status() const noexcept { return status_; }

 private:
  Status status_;
};

}  // namespace liveness
