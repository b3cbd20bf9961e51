// What a call that must fail says.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "liveness/error.hpp"

namespace liveness::test {

// The message of the Error that `call` throws with this status; fails the test where it throws none or another.
template <class Call>
std::string refusal(Status status, const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    INFO(e.what());
    CHECK(to_string(e.status()) == to_string(status));
    return e.what();
  }
  FAIL("nothing was refused; expected: " << to_string(status));
  return "";
}

}  // namespace liveness::test
