// Contracts as JSON and YAML: complete, exact, and refused with the place of the fault.
#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "model/package.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"
#include "tiny_models.hpp"

using namespace liveness;
using namespace liveness::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;

namespace {

const std::filesystem::path kShipped = std::filesystem::path(LIVENESS_SOURCE_DIR) / "models" / "contracts";

// A contract that uses every field of a PAD network.
Contract full_pad() {
  Contract c = tiny_pad_package({}).contract;
  c.crop->border = BorderRule::kConstant;
  c.crop->border_value = 114;
  c.crop->from["retinaface"] = {{0.1F, 0.85F}, {0.2F, 0.9F}, {-0.01F, 0.067F}};
  c.source_sha256 = std::string(64, 'a');
  c.qualified = {Precision::kInt8, Precision::kBf16};
  return c;
}

Contract full_detector() {
  Contract c = tiny_detector_package().contract;
  c.detector->decode = DetectorContract::Decode::kSsd;
  c.detector->anchor_sizes = {{10, 16}};
  c.detector->softmax_scores = true;
  c.detector->outputs = {{"cls", {"a"}}, {"bbox", {"b"}}, {"kps", {"c"}}};
  return c;
}

Contract grid_detector() {
  Contract c = tiny_detector_package().contract;
  c.detector->decode = DetectorContract::Decode::kGrid;
  c.detector->outputs = {{"map", {"a"}}};
  c.detector->nms_average = true;
  c.detector->tracking = {128, 1.6F};
  return c;
}

std::string refused_json(const Json& value) {
  return refusal(Status::kConfigInvalid, [&] { static_cast<void>(contract_from_json(value.dump(2), "c.json")); });
}

struct Change {
  std::string pointer;  // JSON pointer to the field
  Json value;           // what is put there
  std::string message;  // what the refusal must hold
};

// Visits every field below `value`.
void each_field(const Json& value, const Json::json_pointer& here,
                const std::function<void(const Json::json_pointer&, const Json&)>& visit) {
  for (const auto& [key, field] : value.items()) {
    const auto path = value.is_array() ? here / static_cast<std::size_t>(std::stoul(key)) : here / key;
    visit(path, field);
    if (field.is_structured()) each_field(field, path, visit);
  }
}

// "/input/std/1" as messages have it: "input.std[1]".
std::string message_path(const Json::json_pointer& pointer) {
  std::string path;
  std::istringstream parts(pointer.to_string().substr(1));
  for (std::string part; std::getline(parts, part, '/');) {
    const bool index = part.find_first_not_of("0123456789") == std::string::npos;
    path += index ? "[" + part + "]" : (path.empty() ? "" : ".") + part;
  }
  return path;
}

}  // namespace

TEST_CASE("a contract survives JSON") {
  for (const Contract& contract : {full_pad(), full_detector(), grid_detector(), tiny_detector_package().contract}) {
    const std::string text = contract_to_json(contract);
    const Contract copy = contract_from_json(text, "copy");
    CHECK(contract_to_json(copy) == text);
  }
  const Contract pad = full_pad();
  const Contract copy = contract_from_json(contract_to_json(pad), "copy");
  CHECK(copy.crop->from.at("retinaface").width[1] == 0.85F);
  CHECK(copy.crop->from.at("retinaface").shift[0] == -0.01F);
  CHECK(copy.crop->border_value == 114);
  CHECK(copy.score->profiles.at("strict").live == 0.9F);
  CHECK(copy.score->classes == pad.score->classes);
  CHECK(copy.qualified == pad.qualified);
  CHECK(contract_from_json(contract_to_json(grid_detector()), "copy").detector->nms_average);
  CHECK(contract_to_json(full_detector()).find("nms_average") == std::string::npos);
  const auto tracking = contract_from_json(contract_to_json(grid_detector()), "copy").detector->tracking;
  REQUIRE(tracking);
  CHECK(tracking->window == 128);
  CHECK(tracking->window_scale == 1.6F);
  CHECK_FALSE(contract_from_json(contract_to_json(full_detector()), "copy").detector->tracking);
  CHECK(contract_to_json(pad).find("0.85") != std::string::npos);
  CHECK(contract_to_json(pad).find("0.8500") == std::string::npos);
}

TEST_CASE("every field of a contract is needed, but for those that have a meaning when they are absent") {
  const std::set<std::string> optional{"crop.from",
                                       "source_sha256",
                                       "qualified",
                                       "crop.from.retinaface",
                                       "score.profiles.strict",
                                       "detector.outputs.kps",
                                       "detector.nms_average",
                                       "detector.tracking"};
  for (const Contract& contract : {full_pad(), full_detector(), grid_detector(), tiny_detector_package().contract}) {
    const Json whole = Json::parse(contract_to_json(contract));
    each_field(whole, Json::json_pointer(), [&](const Json::json_pointer& pointer, const Json&) {
      const std::string path = message_path(pointer);
      if (path.back() == ']') return;
      INFO(path);
      Json changed = whole;
      changed[pointer.parent_pointer()].erase(pointer.back());
      if (optional.contains(path) ||
          (path == "detector.outputs.kps" && contract.detector->decode == DetectorContract::Decode::kYunet)) {
        CHECK_NOTHROW(contract_from_json(changed.dump(), "c.json"));
      } else {
        CHECK_THAT(refused_json(changed), Contains(path + ": missing"));
      }
    });
  }
}

TEST_CASE("a misspelt key is refused, and the right one is named") {
  const Json whole = Json::parse(contract_to_json(full_pad()));
  each_field(whole, Json::json_pointer(), [&](const Json::json_pointer& pointer, const Json& value) {
    const std::string path = message_path(pointer);
    const std::string parent = message_path(pointer.parent_pointer().empty() ? pointer : pointer.parent_pointer());
    const bool free_names = parent == "crop.from" || parent == "score.profiles";
    if (path.back() == ']' || free_names) return;
    INFO(path);
    Json changed = whole;
    changed[pointer.parent_pointer()].erase(pointer.back());
    changed[pointer.parent_pointer()][pointer.back() + "x"] = value;
    CHECK_THAT(refused_json(changed), Contains(path + "x: unknown key; did you mean \"" + pointer.back() + "\"?"));
  });
}

TEST_CASE("a value of the wrong type is refused by its path") {
  for (const Contract& contract : {full_pad(), full_detector()}) {
    const Json whole = Json::parse(contract_to_json(contract));
    each_field(whole, Json::json_pointer(), [&](const Json::json_pointer& pointer, const Json& value) {
      const std::string path = message_path(pointer);
      INFO(path);
      for (const Json& wrong : {Json(nullptr), Json("text"), Json(true), Json(1.5), Json::array(), Json::object()}) {
        const bool same = wrong.type() == value.type() || (wrong.is_number() && value.is_number());
        // A text in the place of an enumerated word, a list or map that may be empty: other tests.
        if (same) continue;
        if (path == "crop.from" && wrong.is_object()) continue;
        Json changed = whole;
        changed[pointer] = wrong;
        CHECK_THAT(refused_json(changed), Contains(": " + path));
      }
    });
  }
}

TEST_CASE("values out of range are refused by their path") {
  const std::vector<Change> pad{
      {"/name", "", "name: is empty"},
      {"/name", "a+b", "name: \"a+b\" is not a name"},
      {"/version", "", "version: is empty"},
      {"/task", "pda", "task: \"pda\" is none of pad, detector, other; did you mean \"pad\"?"},
      {"/task", "other", "score: has no meaning for task other"},
      {"/task", "detector", "crop: has no meaning for task detector"},
      {"/input/width", 0, "input.width: 0 is not in 1..4096"},
      {"/input/height", 4097, "input.height: 4097 is not in 1..4096"},
      {"/input/color", "gray", "input.mean: has 3 values; color gray needs 1"},
      {"/input/color", "hsv", "input.color: \"hsv\" is none of bgr, rgb, gray"},
      {"/input/range", Json{0}, "input.range: expected 2 numbers, found 1"},
      {"/input/range", Json{1, 1}, "input.range: the value of black must be below"},
      {"/input/range", Json{0, 1e7}, "input.range: 10000000.0 is not in"},
      {"/input/mean", Json{0, 0}, "input.mean: has 2 values; color bgr needs 3"},
      {"/input/mean/2", 1e39, "input.mean[2]: 1e+39 does not fit a 32-bit float"},
      {"/input/std", Json::array(), "input.std: has 0 values"},
      {"/input/std/0", 0, "input.std[0]: 0.0 is not greater than 0"},
      {"/input/std/1", -1, "input.std[1]: -1.0 is not greater than 0"},
      {"/input/std/1", 1e-30, "input.std[1]: is too near to 0"},
      {"/crop/scale", 0, "crop.scale: 0.0 is not greater than 0"},
      {"/crop/scale", -2.7, "crop.scale: -2.7 is not greater than 0"},
      {"/crop/border", "mirror", "crop.border: \"mirror\" is none of shift, constant, replicate, reflect101"},
      {"/crop/border", "shift", "crop.border_value: only has a meaning with border: constant"},
      {"/crop/border_value", 256, "crop.border_value: 256 is not in 0..255"},
      {"/crop/enlarge", "cubic", "crop.enlarge: \"cubic\" is none of bilinear, area, lanczos"},
      {"/crop/shrink", "are", "did you mean \"area\"?"},
      {"/crop/box", "", "crop.box: is empty"},
      {"/crop/box", "retinaface", "crop.from.retinaface: maps the box convention to itself"},
      {"/crop/from/retinaface/width", Json{0, 0}, "crop.from.retinaface.width: makes every box empty"},
      {"/crop/from/retinaface/height/1", -1, "crop.from.retinaface.height[1]: -1.0 is not in 0.0..10.0"},
      {"/crop/from/retinaface/shift/0", 11, "crop.from.retinaface.shift[0]: 11.0 is not in"},
      {"/score/output", "", "score.output: is empty"},
      {"/score/classes", Json{"live"}, "score.classes: 1 classes; 2 to 1000 are needed"},
      {"/score/classes", Json{"a", "live", "a"}, "score.classes[2]: \"a\" occurs twice"},
      {"/score/live", 3, "score.live: 3 is no index of the 3 classes"},
      {"/score/live", -1, "score.live: -1 is not in"},
      {"/score/live", "live", "score.live: expected a whole number, found the text \"live\""},
      {"/score/temperature", 0, "score.temperature: 0.0 is not greater than 0"},
      {"/score/profiles/balanced/live", 1.1, "score.profiles.balanced.live: 1.1 is not greater than 0 and at most 1.0"},
      {"/score/profiles/balanced/live", 0, "score.profiles.balanced.live: 0.0 is not greater than 0"},
      {"/score/profiles/balanced/spoof", 0.7, "score.profiles.balanced.spoof: 0.7 is not in 0.0..0.5"},
      {"/score/profiles/strict/spoof", -0.1, "score.profiles.strict.spoof: -0.1 is not in"},
      {"/score/profiles/strict/target", "", "score.profiles.strict.target: is empty"},
      {"/licence", "", "licence: is empty"},
      {"/provenance", "", "provenance: is empty"},
      {"/qualified", "int8", "qualified: expected a list"},
      {"/qualified", Json{"int4"}, "qualified[0]: \"int4\" is none of bf16, int8, fp16"},
      {"/qualified", Json{"bf16", "fp32"}, "qualified[1]: \"fp32\" is none of"},
      {"/qualified", Json{"int8", "int8"}, "qualified[1]: \"int8\" occurs twice"},
      {"/source_sha256", "ABC", "source_sha256: \"ABC\" is not 64 lower-case hexadecimal digits"},
  };
  const Json good = Json::parse(contract_to_json(full_pad()));
  for (const Change& change : pad) {
    INFO(change.pointer << " = " << change.value.dump());
    Json changed = good;
    changed[Json::json_pointer(change.pointer)] = change.value;
    CHECK_THAT(refused_json(changed), Contains(change.message));
  }
  const std::vector<Change> detector{
      {"/detector/decode", "yunet", "only has a meaning with decode: ssd"},
      {"/detector/strides", Json::array(), "detector.strides: is empty"},
      {"/detector/strides", Json{64}, "detector.strides[0]: 64 is not in 1..32"},
      {"/detector/strides", Json{8, 8}, "detector.strides[1]: is not above the one before"},
      {"/detector/strides", Json{8, 16}, "detector.anchor_sizes: 1 lists; one a stride is 2"},
      {"/detector/anchor_sizes/0", Json::array(), "detector.anchor_sizes[0]: is empty"},
      {"/detector/anchor_sizes/0/1", 0, "detector.anchor_sizes[0][1]: 0.0 is not greater than 0"},
      {"/detector/variances/1", 0, "detector.variances[1]: 0.0 is not greater than 0"},
      {"/detector/outputs/obj", Json{"d"}, "detector.outputs.obj: has no meaning with decode: ssd"},
      {"/detector/outputs/box", Json{"d"}, "detector.outputs.box: unknown key; did you mean \"bbox\"?"},
      {"/detector/outputs/cls", Json{"a", "d"}, "detector.outputs.cls: 2 names; 1 expected"},
      {"/detector/outputs/cls", Json{"b"}, "\"b\" has a role already"},
      {"/detector/score_threshold", 1.5, "detector.score_threshold: 1.5 is not in 0.0..1.0"},
      {"/detector/nms_iou", 0, "detector.nms_iou: 0.0 is not greater than 0"},
      {"/detector/box", "a box", "detector.box: \"a box\" is not a name"},
      {"/crop", Json::object(), "crop.scale: missing"},
  };
  const std::vector<Change> grid{
      {"/detector/outputs/cls", Json{"d"}, "detector.outputs.cls: has no meaning with decode: grid"},
      {"/detector/outputs/map", Json{"a", "d"}, "detector.outputs.map: 2 names; 1 expected"},
      {"/detector/anchor_sizes", Json::array(), "only has a meaning with decode: ssd"},
      {"/detector/decode", "yunet", "detector.outputs.cls: missing"},
      {"/detector/nms_average", 1, "detector.nms_average"},
      {"/detector/tracking", 128, "detector.tracking: expected"},
      {"/detector/tracking/windw", 128, "detector.tracking.windw: unknown key; did you mean \"window\"?"},
      {"/detector/tracking/window", 1032, "detector.tracking.window: 1032 is not in 8..1024"},
      {"/detector/tracking/window", 100, "detector.tracking.window: 100 is no multiple of the stride 8"},
      {"/detector/tracking/window_scale", 1.1, "detector.tracking.window_scale: 1.1 is not in 1.2..8.0"},
      {"/detector/tracking/window_scale", 8.5, "detector.tracking.window_scale: 8.5 is not in 1.2..8.0"},
  };
  const Json good_grid = Json::parse(contract_to_json(grid_detector()));
  for (const Change& change : grid) {
    INFO(change.pointer << " = " << change.value.dump());
    Json changed = good_grid;
    changed[Json::json_pointer(change.pointer)] = change.value;
    CHECK_THAT(refused_json(changed), Contains(change.message));
  }
  const Json good_detector = Json::parse(contract_to_json(full_detector()));
  for (const Change& change : detector) {
    INFO(change.pointer << " = " << change.value.dump());
    Json changed = good_detector;
    changed[Json::json_pointer(change.pointer)] = change.value;
    CHECK_THAT(refused_json(changed), Contains(change.message));
  }
}

TEST_CASE("a contract that does not fit its graph is refused") {
  const Package pad = tiny_pad_package({});
  const Package detector = tiny_detector_package();
  const auto refused = [](const Package& package, const std::function<void(Contract&)>& change) {
    Contract contract = package.contract;
    change(contract);
    return refusal(Status::kModelInvalid, [&] { check_contract(contract, package.graph); });
  };
  CHECK_NOTHROW(check_contract(pad.contract, pad.graph));
  CHECK_NOTHROW(check_contract(detector.contract, detector.graph));
  CHECK_THAT(refused(pad, [](Contract& c) { c.input.height = 7; }),
             Contains("1x3x7x8, but the graph's input \"image\""));
  CHECK_THAT(refused(pad, [](Contract& c) { c.score->output = "flat"; }),
             Contains("score.output: \"flat\" is no output of the graph, which has \"scores\""));
  CHECK_THAT(refused(pad, [](Contract& c) { c.score->classes.push_back("more"); }), Contains("score.classes gives 4"));
  CHECK_THAT(refused(pad, [](Contract& c) { c.score.reset(); }), Contains("score: missing; task pad needs it"));
  CHECK_THAT(refused(pad, [](Contract& c) { c.input.std[2] = std::nanf(""); }), Contains("input.std[2]"));
  CHECK_THAT(refused(detector, [](Contract& c) { c.detector->outputs["kps"] = {"bbox_9"}; }),
             Contains("detector.outputs.kps[0]: \"bbox_9\" is no output of the graph"));
  CHECK_THAT(refused(detector,
                     [](Contract& c) {
                       c.detector->tracking = {4, 2};
                     }),
             Contains("detector.tracking.window: 4 is not in 8..1024"));
  CHECK_THAT(refused(detector, [](Contract& c) { c.detector->strides = {16}; }),
             Contains("the grid of 4 points gives"));
}

TEST_CASE("JSON contracts are refused with line and column") {
  CHECK_THAT(
      refusal(Status::kConfigInvalid, [] { static_cast<void>(contract_from_json("{\n  \"name\": oops}", "c.json")); }),
      Contains("c.json:2:11: not valid JSON"));
  std::string text = contract_to_json(full_pad());
  text.replace(text.find("\"color\""), 7, "\"colour\"");
  const auto before = text.substr(0, text.find("\"colour\""));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto column = before.size() - before.rfind('\n');
  CHECK_THAT(refusal(Status::kConfigInvalid, [&] { static_cast<void>(contract_from_json(text, "c.json")); }),
             Contains("c.json:" + std::to_string(line) + ":" + std::to_string(column) + ": input.colour: unknown key"));
  CHECK_THAT(refusal(Status::kConfigInvalid,
                     [] { static_cast<void>(contract_from_json("{\"name\": 1, \"name\": 2}", "c.json")); }),
             Contains("\"name\" occurs twice"));
  // Escapes, nested lists and spaces do not lead the search for the place astray.
  CHECK_THAT(refusal(Status::kConfigInvalid,
                     [] {
                       static_cast<void>(contract_from_json(
                           "{\"name\" : \"a\\\"{b\\\\\",\n\t\"input\":[1, [2,{}] ],\"tsak\":3}", "c.json"));
                     }),
             Contains("c.json:2:23: tsak: unknown key; did you mean \"task\"?"));
}

TEST_CASE("a contract file's name says what it holds") {
  const TemporaryFolder folder;
  const std::string json = contract_to_json(full_pad());
  CHECK(read_contract(folder.file("c.json", json)).name == "tiny_pad");
  CHECK_THAT(refusal(Status::kConfigInvalid, [&] { static_cast<void>(read_contract(folder.file("c.toml", json))); }),
             Contains("c.toml: a contract's name ends in .yaml, .yml or .json"));
  CHECK_THAT(refusal(Status::kNotFound, [&] { static_cast<void>(read_contract(folder / "missing.json")); }),
             Contains("missing.json: cannot be opened"));
  CHECK_THAT(
      refusal(Status::kIo, [&] { static_cast<void>(read_contract(folder.file("l.json", std::string(2 << 20, ' ')))); }),
      Contains("limit of 1048576 bytes"));
}

TEST_CASE("YAML contracts") {
  const auto yaml = [](const std::string& text) { return contract_from_yaml(text, "c.yaml"); };
  try {
    static_cast<void>(yaml("name: x"));
  } catch (const Error& e) {
    if (e.status() == Status::kUnsupported) {
      CHECK_THAT(e.what(), Contains("c.yaml: this library was built without YAML"));
      return;
    }
  }
  const auto refused = [&](const std::string& text) {
    return refusal(Status::kConfigInvalid, [&] { static_cast<void>(yaml(text)); });
  };
  const auto bytes = read_file(kShipped / "minifasnet_v2_80.yaml");
  const std::string good(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  const auto line_of = [&](const std::string& word) {
    const auto end = good.begin() + static_cast<std::ptrdiff_t>(good.find(word));
    return std::to_string(1 + std::count(good.begin(), end, '\n'));
  };

  SECTION("every shipped contract reads, and survives JSON") {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kShipped)) {
      INFO(entry.path());
      const Contract contract = read_contract(entry.path());
      CHECK(contract.name == entry.path().stem());
      CHECK(contract.source_sha256.size() == 64);
      const std::string json = contract_to_json(contract);
      CHECK(contract_to_json(contract_from_json(json, "json")) == json);
      ++count;
    }
    CHECK(count >= 6);
  }
  SECTION("the manual's example is a contract") {
    const auto manual = read_file(std::filesystem::path(LIVENESS_SOURCE_DIR) / "docs" / "model_format.md");
    const std::string text(reinterpret_cast<const char*>(manual.data()), manual.size());
    const auto begin = text.find("```yaml\n") + 8;
    const Contract example = yaml(text.substr(begin, text.find("```", begin) - begin));
    Contract shipped = read_contract(kShipped / "minifasnet_v2_80.yaml");
    shipped.provenance = example.provenance;
    CHECK(contract_to_json(example) == contract_to_json(shipped));
  }
  SECTION("the published rules of the third-party networks") {
    const Contract v2 = read_contract(kShipped / "minifasnet_v2_80.yaml");
    CHECK(v2.crop->scale == 2.7F);
    CHECK(v2.crop->border == BorderRule::kShift);
    CHECK(v2.input.color == ColorOrder::kBgr);
    CHECK(v2.score->live == 1);
    CHECK(v2.crop->from.at("yunet").width[1] == 0.85F);
    CHECK(v2.crop->from.at("yunet").shift[1] == 0.067F);
    const Contract v2se = read_contract(kShipped / "minifasnet_v2se_128.yaml");
    CHECK(v2se.crop->square);
    CHECK(v2se.crop->enlarge == ResizeFilter::kLanczos);
    CHECK(v2se.crop->shrink == ResizeFilter::kArea);
    CHECK(v2se.score->live == 0);
    CHECK(read_contract(kShipped / "landmark68_64.yaml").input.high == 255.0F / 256.0F);
  }
  SECTION("a misspelt key is refused with its line and the right one") {
    CHECK_THAT(refused(with("  color:", "  colour:")),
               Contains("c.yaml:" + line_of("  color:") + ":3: input.colour: unknown key; did you mean \"color\"?"));
    CHECK_THAT(refused(with("{live: 0.6, spoof", "{live: 0.6, sppof")),
               Contains("c.yaml:" + line_of("{live: 0.6") +
                        ":27: score.profiles.balanced.sppof: unknown key; did you mean \"spoof\"?"));
  }
  SECTION("a bad value is refused with its line") {
    CHECK_THAT(refused(with("scale: 2.7", "scale: zero")),
               Contains("c.yaml:" + line_of("scale:") + ":3: crop.scale: expected a number, found the text \"zero\""));
    CHECK_THAT(refused(with("std: [1, 1, 1]", "std: [1, 0, 1]")),
               Contains("c.yaml:" + line_of("std:") + ":12: input.std[1]: 0.0 is not greater than 0"));
    CHECK_THAT(refused(with("version: \"1\"", "version: 1")),
               Contains("version: expected text (put it in quotes), found the number 1"));
    CHECK_THAT(refused(with("live: 1", "live: 1.0")), Contains("score.live: expected a whole number"));
    CHECK_THAT(refused(with("softmax_inside: false", "softmax_inside: no")), Contains("expected true or false"));
  }
  SECTION("a missing field is refused with the line of what should hold it") {
    CHECK_THAT(refused(with("  mean: [0, 0, 0]\n", "")),
               Contains("c.yaml:" + line_of("input:") + ":1: input.mean: missing"));
    CHECK_THAT(refused("{}"), Contains("c.yaml:1:1: name: missing"));
  }
  SECTION("what is no YAML, or no map, is refused with its line") {
    CHECK_THAT(refused("name: [1,\n  2"), Contains("c.yaml:2:1: not valid YAML"));
    CHECK_THAT(refused("just words"), Contains("c.yaml:1:1: expected a map, found the text \"just words\""));
    CHECK_THAT(refused(""), Contains("expected a map, found nothing"));
    CHECK_THAT(refused("name: a\nname: b\n"), Contains("c.yaml:2:1: the key \"name\" occurs twice"));
    CHECK_THAT(refused("name: \xff"), Contains("c.yaml: not valid UTF-8"));
    CHECK_THAT(refused("? [1, 2]\n: b\n"), Contains("a key must be a word"));
  }
  SECTION("hostile nesting and aliases are bounded") {
    CHECK_THAT(refused(std::string(200, '[') + std::string(200, ']')), Contains("nested deeper than 32 levels"));
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 9; ++i) {
      const std::string below = "*a" + std::to_string(i - 1);
      bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
      for (int k = 0; k < 10; ++k) bomb += (k == 0 ? "" : ", ") + below;
      bomb += "]\n";
    }
    CHECK_THAT(refused(bomb), Contains("more than 65536 fields"));
    CHECK_THAT(refused(std::string(100000, '[')), Contains("c.yaml:"));
  }
}
