// The one place where exceptions end. Every entry of the C ABI runs inside guard().
#pragma once

#include <exception>
#include <new>
#include <string_view>

#include "liveness.h"
#include "liveness/error.hpp"

namespace liveness::capi {

// Fixed storage of the calling thread: nothing is allocated, since this also runs when memory has run out.
void set_last_error(std::string_view message) noexcept;

template <class F>
liveness_status_t guard(F&& body) noexcept {
  try {
    body();
    return LIVENESS_STATUS_OK;
  } catch (const Error& e) {
    set_last_error(e.what());
    return static_cast<liveness_status_t>(e.status());
  } catch (const std::bad_alloc&) {
    set_last_error("out of memory");
    return LIVENESS_STATUS_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    set_last_error(e.what());
  } catch (...) {
    set_last_error("an exception of unknown type");
  }
  return LIVENESS_STATUS_INTERNAL;
}

}  // namespace liveness::capi
