#include "liveness/config.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace liveness;
using Catch::Contains;
using test::refusal;

namespace {

Config yaml(const std::string& text) {
  return Config::parse(text, "c.yaml");
}

std::string refused(const std::string& text) {
  return refusal(Status::kConfigInvalid, [&] { static_cast<void>(yaml(text)); });
}

bool have_yaml() {
  try {
    static_cast<void>(yaml(""));
    return true;
  } catch (const Error& e) {
    CHECK(e.status() == Status::kUnsupported);
    WARN("skipped: the library was built without YAML");
    return false;
  }
}

// A variable of the environment for the length of a scope.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("docs/configuration.md is what the table says") {
  std::ifstream file(std::string(LIVENESS_SOURCE_DIR) + "/docs/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  INFO("if a key was changed: build/dev/bin/liveness config docs > docs/configuration.md");
  CHECK((text.str() == Config::reference()));
}

TEST_CASE("keys are unique, sorted into their sections, and their variables are unique too") {
  std::set<std::string> keys;
  std::set<std::string> variables;
  std::vector<std::string> sections;
  for (const auto& e : Config().entries()) {
    CAPTURE(e.key);
    CHECK(std::regex_match(e.key, std::regex("[a-z]+\\.[a-z_0-9]+")));
    CHECK(keys.insert(e.key).second);
    std::string variable = e.key;
    std::replace(variable.begin(), variable.end(), '.', '_');
    CHECK(variables.insert(variable).second);
    const std::string section = e.key.substr(0, e.key.find('.'));
    if (sections.empty() || sections.back() != section) sections.push_back(section);
    CHECK(e.source == Config::Source::kDefault);
    CHECK(!e.meaning.empty());
  }
  CHECK(sections ==
        std::vector<std::string>{"models", "pipeline", "decision", "resources", "accuracy", "monitoring", "logging"});
}

TEST_CASE("an empty configuration is the defaults of the option structs") {
  const Config c;
  const Verifier::Options stream;
  CHECK(c.settings().stream.pace.detect_every == stream.pace.detect_every);
  CHECK(c.settings().stream.scoring.abstain == stream.scoring.abstain);
  CHECK(c.settings().governor.min_fps == Governor::Options().min_fps);
  if (!have_yaml()) return;
  for (const char* text : {"", "{}", "pipeline:\n", "# nothing\n"}) CHECK(yaml(text).to_yaml() == c.to_yaml());
}

TEST_CASE("every key goes from the file into the options and back") {
  if (!have_yaml()) return;
  const Config c = yaml(R"(
models: {pad: [a.safetensors, b.safetensors], detector: d.safetensors, isa: portable, verify: false}
pipeline:
  tracker: none
  detect_every: 12
  min_face: 40.5
  detector_threshold: 0.7
  all_faces: true
decision:
  profile: strict
  apcer: 0.002
  threshold: 0.8
  abstain: [dark, blurred]
resources: {cpu: 0.25, memory_mb: 80.5, capture_width: 640}
accuracy: {fusion: weighted, weights: [1, 2.5], adaptive: true, max_yaw: 30}
monitoring: {metrics: m.prom, port: 9464, high_memory_mb: 100}
logging: {level: debug}
)");
  const Settings& s = c.settings();
  CHECK(s.pad == std::vector<std::string>{"a.safetensors", "b.safetensors"});
  CHECK(s.detector == "d.safetensors");
  CHECK(s.loading.isa == Isa::kPortable);
  CHECK_FALSE(s.loading.verify);
  CHECK(s.stream.tracking.method == TrackMethod::kNone);
  CHECK(s.stream.pace.detect_every == 12);
  CHECK(s.stream.tracking.min_face == 40.5F);
  CHECK(s.stream.tracking.detection.score_threshold == 0.7F);
  CHECK(s.stream.tracking.detection.nms_iou < 0);
  CHECK(s.stream.all_faces);
  CHECK(s.stream.scoring.profile == "strict");
  CHECK(s.stream.targets.value().apcer == 0.002F);
  CHECK(s.stream.targets.value().bpcer == targets_of("strict")->bpcer);
  CHECK(s.stream.scoring.threshold.value() == 0.8F);
  CHECK(s.stream.scoring.abstain == (mask(Reason::kDark) | mask(Reason::kBlurred)));
  CHECK(s.governor.cpu == 0.25);
  CHECK(s.governor.memory == 80'500'000);
  CHECK(s.governor.best.capture.width == 640);
  CHECK(s.stream.scoring.fusion == Fusion::kWeighted);
  CHECK(s.stream.scoring.weights == std::vector<float>{1, 2.5F});
  CHECK(s.stream.adaptive.enabled);
  CHECK(s.stream.scoring.limits.max_yaw == 30);
  CHECK(s.monitoring.metrics == "m.prom");
  CHECK(s.monitoring.port == 9464);
  CHECK(s.monitoring.high_memory == 100'000'000);
  CHECK(s.log_level == LogLevel::kDebug);
  // The effective values are a file themselves.
  const Config again = yaml(c.to_yaml());
  for (const auto& e : c.entries()) CHECK(again.entry(e.key).value == e.value);
  CHECK(yaml(again.to_yaml()).entries().size() == c.entries().size());
}

TEST_CASE("refusals name file, line, column, key, and the nearest known one") {
  if (!have_yaml()) return;
  CHECK(refused("pipeline:\n  detect_evry: 3\n") ==
        "c.yaml:2:3: pipeline.detect_evry: unknown key; did you mean \"pipeline.detect_every\"?");
  CHECK(refused("pipeline:\n  profile: strict\n") ==
        "c.yaml:2:3: pipeline.profile: unknown key; did you mean \"decision.profile\"?");
  CHECK(refused("\npipelin: {}\n") == "c.yaml:2:1: pipelin: unknown section; did you mean \"pipeline\"?");
  CHECK(refused("nonsense: {}\n") == "c.yaml:1:1: nonsense: unknown section");
  CHECK(refused("pipeline:\n  detect_every: often\n") ==
        "c.yaml:2:3: pipeline.detect_every: expected a whole number, found the text \"often\"");
  CHECK(refused("pipeline:\n  detect_every: 0\n") == "c.yaml:2:3: pipeline.detect_every: 0 is not in 1..300");
  CHECK(refused("pipeline:\n  detect_every: 2.5\n") ==
        "c.yaml:2:3: pipeline.detect_every: expected a whole number, found the number 2.5");
  CHECK(refused("resources: {cpu: -1}\n") == "c.yaml:1:13: resources.cpu: -1 is not in 0..4096");
  CHECK_THAT(refused("resources: {cpu: .nan}\n"), Contains("resources.cpu: expected a number"));
  CHECK(refused("resources:\n  cpu:\n") == "c.yaml:2:3: resources.cpu: expected a number, found nothing");
  CHECK(refused("models: {verify: 1}\n") == "c.yaml:1:10: models.verify: expected true or false, found the number 1");
  CHECK(refused("accuracy: {fusion: men}\n") ==
        "c.yaml:1:12: accuracy.fusion: \"men\" is none of mean, weighted, log_odds_mean, majority, minimum; did you "
        "mean \"mean\"?");
  CHECK_THAT(refused("decision: {abstain: [dark, drak]}\n"),
             Contains("c.yaml:1:28: decision.abstain[1]: \"drak\" is none of too_small, blurred, dark") &&
                 Contains("did you mean \"dark\"?"));
  CHECK(refused("models: {pad: a}\n") == "c.yaml:1:10: models.pad: expected a list, found the text \"a\"");
  CHECK(refused("pipeline: [1]\n") == "c.yaml:1:1: pipeline: expected a map of keys");
  CHECK(refused("just words\n") == "c.yaml:1:1: expected sections, each a map of keys");
  CHECK_THAT(refused("a: [\n"), Contains("c.yaml:2:1: not valid YAML"));
  CHECK_THAT(refused("pipeline:\n  skip: 1\n  skip: 2\n"), Contains("c.yaml:3:3: the key \"skip\" occurs twice"));
  CHECK_THAT(refused("logging: {file: \"\xff\"}\n"), Contains("not valid UTF-8"));
  CHECK_THAT(refused(std::string("decision: {profile:\0strict}\n", 28)), Contains("zero byte"));
}

TEST_CASE("keys of the earlier system are refused with what replaces them") {
  if (!have_yaml()) return;
  CHECK(
      refused("processing_pipeline:\n  face_detection:\n    redetection_interval: 10\n") ==
      "c.yaml:3:5: processing_pipeline.face_detection.redetection_interval: unknown key: a key of the earlier system; "
      "its place is taken by \"pipeline.detect_every\" (every tracked box is a detected one anyway)");
  CHECK_THAT(refused("monitoring:\n  alerts:\n    thresholds:\n      high_cpu: 85\n"),
             Contains("c.yaml:4:7") && Contains("\"monitoring.high_cpu\" (in cores)"));
  CHECK_THAT(refused("resource_management: 3\n"), Contains("docs/configuration.md says what replaces each key below"));
  // Every successor is a key, and every key of the earlier system has a row in the page.
  const std::string page = Config::reference();
  const std::regex row("\\| `([a-z_.]+)` \\| (-|`([a-z_.]+)`) \\| ([^|]*) \\|");
  int rows = 0;
  for (auto at = std::sregex_iterator(page.begin() + static_cast<std::ptrdiff_t>(page.find("## Keys of the earlier")),
                                      page.end(), row);
       at != std::sregex_iterator(); ++at) {
    ++rows;
    CAPTURE(at->str());
    if ((*at)[3].matched) CHECK_NOTHROW(Config().entry((*at)[3].str()));
    CHECK(((*at)[3].matched || (*at)[4].length() > 1));
  }
  CHECK(rows > 60);
}

TEST_CASE("flags are above the environment, that is above the file, that is above the defaults") {
  if (!have_yaml()) return;
  const test::TemporaryFolder folder;
  const auto file = folder.file("c.yaml", "pipeline:\n  detect_every: 11\n  score_every: 12\n  skip: 13\n");
  const Variable score("LIVENESS_PIPELINE_SCORE_EVERY", "22");
  const Variable skip("LIVENESS_PIPELINE_SKIP", "23");
  const Variable unrelated("LIVENESS_MODELS", "/somewhere");
  const Variable unrelated_too("LIVENESS_ISA", "portable");
  Config c = Config::load(file);
  c.set("pipeline.skip", "29");
  CHECK(c.settings().stream.pace.detect_every == 11);
  CHECK(c.settings().stream.pace.score_every == 22);
  CHECK(c.settings().stream.pace.skip == 29);
  CHECK(c.entry("pipeline.detect_every").where == file.string() + ":2:3");
  CHECK(c.entry("pipeline.detect_every").source == Config::Source::kFile);
  CHECK(c.entry("pipeline.score_every").where == "LIVENESS_PIPELINE_SCORE_EVERY");
  CHECK(c.entry("pipeline.score_every").source == Config::Source::kEnvironment);
  CHECK(c.entry("pipeline.skip").source == Config::Source::kFlag);
  CHECK(c.entry("pipeline.queue").source == Config::Source::kDefault);
  CHECK_THAT(c.to_yaml(), Contains("detect_every: 11") && Contains("# " + file.string() + ":2:3"));
}

TEST_CASE("environment and flags are checked like the file") {
  const auto from = [](const char* name, const char* value) {
    const Variable v(name, value);
    Config c;
    std::string said = refusal(Status::kConfigInvalid, [&] { c.read_environment(); });
    CHECK(c.to_yaml() == Config().to_yaml());
    return said;
  };
  CHECK(from("LIVENESS_PIPELINE_SKIP", "31") == "LIVENESS_PIPELINE_SKIP: 31 is not in 0..30");
  CHECK(from("LIVENESS_PIPELINE_SKIPS", "1") ==
        "LIVENESS_PIPELINE_SKIPS: no key has this name; did you mean \"LIVENESS_PIPELINE_SKIP\"?");
  Config c;
  CHECK(refusal(Status::kConfigInvalid, [&] { c.set("pipeline.skip", "x"); }) ==
        "pipeline.skip: expected a whole number, found the text \"x\"");
  CHECK(refusal(Status::kConfigInvalid, [&] { c.set("pipeline.skp", "1"); }) ==
        "\"pipeline.skp\": unknown key; did you mean \"pipeline.skip\"?");
  CHECK(refusal(Status::kNotFound, [&] { static_cast<void>(c.entry("skip")); }) ==
        "\"skip\": unknown key; did you mean \"pipeline.skip\"?");
  CHECK_THAT(refusal(Status::kConfigInvalid, [&] { c.set("logging.file", "\xff"); }), Contains("UTF-8"));
  CHECK(c.settings().stream.tracking.window < 0);
  CHECK(c.entry("pipeline.window").value == "null");
  c.set("pipeline.window", "64");
  c.set("pipeline.window_scale", "1.6");
  CHECK(c.settings().stream.tracking.window == 64);
  CHECK(c.settings().stream.tracking.window_scale == 1.6F);
  CHECK(c.entry("pipeline.window_scale").value == "1.6");
  for (const char* key : {"pipeline.window", "pipeline.window_scale"}) c.set(key, "null");
  CHECK(c.settings().stream.tracking.window < 0);
  CHECK(c.settings().stream.tracking.window_scale < 0);
  CHECK(refusal(Status::kConfigInvalid, [&] { c.set("pipeline.window", "-1"); }) ==
        "pipeline.window: -1 is not in 8..1024");
  CHECK(refusal(Status::kConfigInvalid, [&] { c.set("pipeline.window_scale", "0"); }) ==
        "pipeline.window_scale: 0 is not in 1.2..8");
  c.set("models.pad", "a,b");
  c.set("decision.abstain", "dark");
  c.set("accuracy.weights", "1,0.5");
  c.set("decision.threshold", "0.75");
  c.set("decision.profile", "7");  // text, whatever it looks like
  CHECK(c.settings().pad == std::vector<std::string>{"a", "b"});
  CHECK(c.settings().stream.scoring.abstain == mask(Reason::kDark));
  CHECK(c.settings().stream.scoring.weights == std::vector<float>{1, 0.5F});
  CHECK(c.settings().stream.scoring.profile == "7");
  c.set("decision.threshold", "null");
  c.set("models.pad", "");
  CHECK_FALSE(c.settings().stream.scoring.threshold);
  CHECK(c.settings().pad.empty());
}

TEST_CASE("paths in a file are relative to the file, where they exist") {
  if (!have_yaml()) return;
  const test::TemporaryFolder folder;
  static_cast<void>(folder.file("here.safetensors", ""));
  const auto file = folder.file("c.yaml", "models: {pad: [here.safetensors, named], detector: here.safetensors}\n");
  const Config c = Config::load(file);
  CHECK(c.settings().pad == std::vector<std::string>{(folder / "here.safetensors").string(), "named"});
  CHECK(c.settings().detector == (folder / "here.safetensors").string());
  CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(c.ensemble()); }), Contains("here"));
  static_cast<void>(refusal(Status::kNotFound, [] {
    Config missing;
    missing.set("models.pad", "none.safetensors");
    missing.set("models.calibration", "none.yaml");
    static_cast<void>(missing.ensemble());
  }));
}

TEST_CASE("JSON files work in every build, with the same messages") {
  const test::TemporaryFolder folder;
  CHECK(Config::load(folder.file("c.json", "{\"pipeline\": {\"skip\": 3}}")).settings().stream.pace.skip == 3);
  const auto bad = folder.file("bad.json", "{\n  \"pipeline\": {\n    \"skip\": 31}}");
  CHECK(refusal(Status::kConfigInvalid, [&] { static_cast<void>(Config::load(bad)); }) ==
        bad.string() + ":3:5: pipeline.skip: 31 is not in 0..30");
  CHECK_THAT(refusal(Status::kConfigInvalid, [&] { static_cast<void>(Config::load(folder.file("c.txt", ""))); }),
             Contains("ends in .yaml, .yml or .json"));
  static_cast<void>(refusal(Status::kNotFound, [&] { static_cast<void>(Config::load(folder / "none.yaml")); }));
}

TEST_CASE("reload changes what may change in a running stream, and says what waits") {
  if (!have_yaml()) return;
  const test::TemporaryFolder folder;
  const auto file = folder.file("c.yaml", "resources: {cpu: 0.25}\npipeline: {queue: 4}\n");
  Config c = Config::load(file);
  c.set("pipeline.skip", "2");
  static_cast<void>(folder.file("c.yaml", "resources: {cpu: 0.5, memory_mb: 90}\npipeline: {queue: 5, skip: 3}\n"));
  const auto done = c.reload();
  CHECK(done.changed == std::vector<std::string>{"resources.cpu", "resources.memory_mb"});
  CHECK(done.waiting == std::vector<std::string>{"pipeline.queue"});
  CHECK(c.settings().governor.cpu == 0.5);
  CHECK(c.settings().governor.memory == 90'000'000);
  CHECK(c.settings().stream.queue == 4);
  CHECK(c.settings().stream.pace.skip == 2);
  CHECK(c.entry("resources.memory_mb").where == file.string() + ":1:23");
  const Config before(c);
  static_cast<void>(folder.file("c.yaml", "resources: {cpu: 1, memory_mb: lots}\n"));
  CHECK_THAT(refusal(Status::kConfigInvalid, [&] { c.reload(); }), Contains("c.yaml:1:21: resources.memory_mb"));
  CHECK(c.to_yaml() == before.to_yaml());
  static_cast<void>(refusal(Status::kInvalidState, [] { Config().reload(); }));
}
