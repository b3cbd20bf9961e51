// A library without networks inside: this program is built with an empty table of them.
#include <catch2/catch.hpp>

#include "liveness/builtin.hpp"
#include "liveness/config.hpp"
#include "refusal.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;
using Catch::Contains;

TEST_CASE("a configuration must name what is not inside") {
  CHECK(builtin_models().empty());
  const Networks none = Config().networks();
  CHECK(none.pad.empty());
  CHECK_FALSE(none.detector);
  CHECK_THAT(refusal(Status::kConfigInvalid, [] { static_cast<void>(Config().ensemble()); }),
             Contains("models.pad: names no PAD network, and none is built into this library"));
  CHECK_THAT(refusal(Status::kConfigInvalid, [] { static_cast<void>(Config().verifier()); }), Contains("models.pad"));
  Config pad;
  pad.set("models.pad", std::string(LIVENESS_TINY) + "/pad.safetensors");
  CHECK_NOTHROW(pad.ensemble());  // boxes may be given to it
  CHECK_THAT(refusal(Status::kConfigInvalid, [&] { static_cast<void>(pad.verifier()); }),
             Contains("models.detector: names no detector, and none is built into this library"));
}
