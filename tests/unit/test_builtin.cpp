// Networks inside the library: this program is built with the tiny ones in place of the project's own.
#include "liveness/builtin.hpp"

#include <catch2/catch.hpp>
#include <cstdint>

#include "liveness/config.hpp"
#include "liveness/predictor.hpp"
#include "model/package.hpp"
#include "refusal.hpp"
#include "same_result.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;
using Catch::Contains;

namespace {

ImageView live_scene() {
  static Scene scene = [] {
    Scene s;
    s.face(1, 1, 190);
    return s;
  }();
  return scene.view();
}

}  // namespace

TEST_CASE("what is built in is listed in the order of the build, as it is in the files") {
  const auto& all = builtin_models();
  REQUIRE(all.size() == 3);
  const std::string names[] = {"tiny_pad", "tiny_detector", "tiny_strict"};
  const Task tasks[] = {Task::kPad, Task::kDetector, Task::kPad};
  const char* files[] = {"pad", "detector", "strict"};
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i].name == names[i]);
    CHECK(all[i].task == tasks[i]);
    CHECK(all[i].licence == "Apache-2.0");
    const auto file = read_file(std::string(LIVENESS_TINY) + "/" + files[i] + ".safetensors");
    CHECK(std::equal(file.begin(), file.end(), all[i].package.begin(), all[i].package.end()));
    CHECK(reinterpret_cast<std::uintptr_t>(all[i].package.data()) % 64 == 0);
  }
}

TEST_CASE("a network is asked for by task or by name") {
  CHECK(builtin_model("pad").contract().name == "tiny_pad");
  CHECK(builtin_model("detector").contract().name == "tiny_detector");
  CHECK(builtin_model("tiny_strict").contract().name == "tiny_strict");
  CHECK(builtin_model("tiny_pad").info().identity == tiny_pad().info().identity);
  CHECK_THAT(refusal(Status::kNotFound, [] { static_cast<void>(builtin_model("tiny")); }),
             Contains("\"tiny\"") && Contains("tiny_pad, tiny_detector, tiny_strict"));
  Model::Options portable;
  portable.isa = Isa::kPortable;
  CHECK(builtin_model("pad", portable).info().isa == Isa::kPortable);
}

TEST_CASE("a predictor needs no file") {
  const Predictor plain;
  CHECK(plain.model().contract().name == "tiny_pad");
  const Result found = plain.predict(live_scene());
  CHECK(found.verdict == Verdict::kLive);

  Predictor::Options options;
  options.threshold = 0.999F;
  CHECK(Predictor(options).predict(live_scene()).verdict == Verdict::kSpoof);

  // A detector that is given is the one that is used.
  Package other = tiny_detector_package();
  other.contract.name = "other";
  options.detector = tiny_model(other);
  CHECK(Predictor(options).options().detector->contract().name == "other");

  // The same as from files.
  Predictor::Options with;
  with.detector = Model::load(LIVENESS_TINY "/detector.safetensors");
  const Predictor loaded(Model::load(LIVENESS_TINY "/pad.safetensors"), with);
  CHECK(same(loaded.predict(live_scene()), found));
}

TEST_CASE("a configuration that names no network takes those inside") {
  const Networks inside = Config().networks();
  REQUIRE(inside.pad.size() == 1);
  CHECK(inside.pad[0].contract().name == "tiny_pad");
  REQUIRE(inside.detector);
  CHECK(inside.detector->contract().name == "tiny_detector");
  CHECK(Config().ensemble().predict(live_scene()).score == Predictor().predict(live_scene()).score);
  CHECK_NOTHROW(Config().verifier());

  Config named;
  named.set("models.pad", std::string(LIVENESS_TINY) + "/strict.safetensors");
  named.set("models.isa", "portable");
  const Networks one = named.networks();
  REQUIRE(one.pad.size() == 1);
  CHECK(one.pad[0].contract().name == "tiny_strict");
  REQUIRE(one.detector);
  CHECK(one.detector->info().isa == Isa::kPortable);
}
