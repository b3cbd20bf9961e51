#include "model/contract.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "model/package.hpp"

namespace liveness {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMaxContractBytes = std::size_t{1} << 20;
constexpr int kMaxSide = 4096;
constexpr std::size_t kMaxClasses = 1000;
constexpr std::size_t kMaxList = 64;
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxText = std::size_t{1} << 16;
// As FaceTracker::Options.
constexpr int kMinWindow = 8;
constexpr int kMaxWindow = 1024;
constexpr float kMinWindowScale = 1.2F;
constexpr float kMaxWindowScale = 8;

// In the order of the enumerations.
constexpr std::array kTasks{"pad"sv, "detector"sv, "other"sv};
constexpr std::array kColors{"bgr"sv, "rgb"sv, "gray"sv};
constexpr std::array kBorders{"shift"sv, "constant"sv, "replicate"sv, "reflect101"sv};
constexpr std::array kFilters{"bilinear"sv, "area"sv, "lanczos"sv};
constexpr std::array kDecodes{"yunet"sv, "ssd"sv, "grid"sv};
constexpr std::array kQualified{"bf16"sv, "int8"sv, "fp16"sv};  // from kBf16 on
constexpr std::array kRoles{"cls"sv, "obj"sv, "bbox"sv, "kps"sv, "map"sv};

template <class Enum, std::size_t N>
Json name_of(Enum value, const std::array<std::string_view, N>& names) {
  return names.at(static_cast<std::size_t>(value));
}
template <class Enum, std::size_t N>
Enum enum_of(const Field& field, const std::array<std::string_view, N>& names) {
  return static_cast<Enum>(field.one_of(names));
}

Json numbers(std::span<const float> values) {
  Json list = Json::array();
  for (const float v : values) list.push_back(short_number(v));
  return list;
}

std::vector<float> read_numbers(const Field& field) {
  std::vector<float> result;
  for (const Field& item : field.items(kMaxList)) result.push_back(item.number());
  return result;
}

void read_pair(const Field& field, float (&pair)[2]) {
  const std::vector<float> values = read_numbers(field);
  if (values.size() != 2) field.fail("expected 2 numbers, found " + std::to_string(values.size()));
  std::copy(values.begin(), values.end(), pair);
}

std::vector<std::string> read_texts(const Field& field, std::size_t limit) {
  std::vector<std::string> result;
  for (const Field& item : field.items(limit)) result.push_back(item.text());
  return result;
}

InputContract read_input(const Field& field) {
  field.only({"width", "height", "color", "range", "mean", "std"});
  InputContract input;
  input.width = static_cast<int>(field["width"].integer(1, kMaxSide));
  input.height = static_cast<int>(field["height"].integer(1, kMaxSide));
  input.color = enum_of<ColorOrder>(field["color"], kColors);
  float range[2];
  read_pair(field["range"], range);
  input.low = range[0];
  input.high = range[1];
  input.mean = read_numbers(field["mean"]);
  input.std = read_numbers(field["std"]);
  return input;
}

CropContract read_crop(const Field& field) {
  field.only({"scale", "square", "border", "border_value", "enlarge", "shrink", "box", "from"});
  CropContract crop;
  crop.scale = field["scale"].number();
  crop.square = field["square"].boolean();
  crop.border = enum_of<BorderRule>(field["border"], kBorders);
  if (crop.border == BorderRule::kConstant) {
    crop.border_value = static_cast<std::uint8_t>(field["border_value"].integer(0, 255));
  } else if (field.has("border_value")) {
    field["border_value"].fail("only has a meaning with border: constant");
  }
  crop.enlarge = enum_of<ResizeFilter>(field["enlarge"], kFilters);
  crop.shrink = enum_of<ResizeFilter>(field["shrink"], kFilters);
  crop.box = field["box"].text();
  if (field.has("from")) {
    for (const auto& [name, entry] : field["from"].members()) {
      entry.only({"width", "height", "shift"});
      BoxMap& map = crop.from[name];
      read_pair(entry["width"], map.width);
      read_pair(entry["height"], map.height);
      read_pair(entry["shift"], map.shift);
    }
  }
  return crop;
}

ScoreContract read_score(const Field& field) {
  field.only({"output", "classes", "live", "softmax_inside", "temperature", "profiles"});
  ScoreContract score;
  score.output = field["output"].text();
  score.classes = read_texts(field["classes"], kMaxClasses);
  score.live = static_cast<int>(field["live"].integer(0, static_cast<std::int64_t>(kMaxClasses)));
  score.softmax_inside = field["softmax_inside"].boolean();
  score.temperature = field["temperature"].number();
  for (const auto& [name, entry] : field["profiles"].members()) {
    entry.only({"live", "spoof", "target"});
    ThresholdProfile& profile = score.profiles[name];
    profile.live = entry["live"].number();
    profile.spoof = entry["spoof"].number();
    profile.target = entry["target"].text();
  }
  return score;
}

DetectorContract read_detector(const Field& field) {
  field.only({"decode", "strides", "anchor_sizes", "variances", "softmax_scores", "outputs", "score_threshold",
              "nms_iou", "nms_average", "box", "tracking"});
  DetectorContract detector;
  detector.decode = enum_of<DetectorContract::Decode>(field["decode"], kDecodes);
  for (const Field& item : field["strides"].items(kMaxList)) {
    detector.strides.push_back(static_cast<int>(item.integer(1, kMaxSide)));
  }
  if (detector.decode == DetectorContract::Decode::kSsd) {
    for (const Field& item : field["anchor_sizes"].items(kMaxList)) {
      detector.anchor_sizes.push_back(read_numbers(item));
    }
    read_pair(field["variances"], detector.variances);
    detector.softmax_scores = field["softmax_scores"].boolean();
  } else {
    for (const char* key : {"anchor_sizes", "variances", "softmax_scores"}) {
      if (field.has(key)) field[key].fail("only has a meaning with decode: ssd");
    }
  }
  const Field outputs = field["outputs"];
  outputs.only({"cls", "obj", "bbox", "kps", "map"});
  for (const auto& [role, entry] : outputs.members()) detector.outputs[role] = read_texts(entry, kMaxList);
  detector.score_threshold = field["score_threshold"].number();
  detector.nms_iou = field["nms_iou"].number();
  if (field.has("nms_average")) detector.nms_average = field["nms_average"].boolean();
  detector.box = field["box"].text();
  if (field.has("tracking")) {
    const Field tracking = field["tracking"];
    tracking.only({"window", "window_scale"});
    detector.tracking = {static_cast<int>(tracking["window"].integer(kMinWindow, kMaxWindow)),
                         tracking["window_scale"].number()};
  }
  return detector;
}

// Checks values, wherever they came from. `fail(path, what)` does not return.
template <class Fail>
class ValueChecks {
 public:
  explicit ValueChecks(const Fail& fail) : fail_(fail) {}

  void contract(const Contract& c) const {
    identifier("name", c.name);
    text("version", c.version);
    input(c.input);
    const bool pad = c.task == Task::kPad;
    const bool detector_task = c.task == Task::kDetector;
    presence("crop", c.crop.has_value(), pad, pad || c.task == Task::kOther, c.task);
    presence("score", c.score.has_value(), pad, pad, c.task);
    presence("detector", c.detector.has_value(), detector_task, detector_task, c.task);
    if (c.crop) crop(*c.crop);
    if (c.score) score(*c.score);
    if (c.detector) detector(*c.detector, c.input);
    text("licence", c.licence);
    text("provenance", c.provenance);
    const auto hex = [](char d) { return (d >= '0' && d <= '9') || (d >= 'a' && d <= 'f'); };
    if (!c.source_sha256.empty() &&
        (c.source_sha256.size() != 64 || !std::all_of(c.source_sha256.begin(), c.source_sha256.end(), hex))) {
      fail_("source_sha256", in_quotes(c.source_sha256) + " is not 64 lower-case hexadecimal digits");
    }
    for (std::size_t i = 0; i < c.qualified.size(); ++i) {
      const Precision precision = c.qualified[i];
      const std::string name = in_quotes(to_string(precision));
      if (precision < Precision::kBf16 || precision > Precision::kFp16) {
        fail_(index("qualified", i), name + " is not below fp32");
      }
      const auto here = c.qualified.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::find(c.qualified.begin(), here, precision) != here) {
        fail_(index("qualified", i), name + " occurs twice");
      }
    }
  }

 private:
  void presence(const char* part, bool there, bool required, bool allowed, Task task) const {
    const std::string name(kTasks.at(static_cast<std::size_t>(task)));
    if (required && !there) fail_(part, "missing; task " + name + " needs it");
    if (there && !allowed) fail_(part, "has no meaning for task " + name);
  }

  void text(const std::string& path, const std::string& value) const {
    if (value.empty()) fail_(path, "is empty");
    if (value.size() > kMaxText) fail_(path, "is longer than " + std::to_string(kMaxText) + " bytes");
    if (value.find('\0') != std::string::npos) fail_(path, "holds a zero byte");
  }

  void identifier(const std::string& path, const std::string& value) const {
    text(path, value);
    const auto allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
             c == '.';
    };
    if (value.size() > kMaxName || !std::all_of(value.begin(), value.end(), allowed)) {
      fail_(path, in_quotes(value) + " is not a name of at most " + std::to_string(kMaxName) +
                      " letters, digits, '_', '-' and '.'");
    }
  }

  // Accepts low <= value <= high; NaN fails.
  void within(const std::string& path, float value, float low, float high) const {
    if (!(value >= low && value <= high)) {
      fail_(path,
            short_number(value).dump() + " is not in " + short_number(low).dump() + ".." + short_number(high).dump());
    }
  }

  void positive(const std::string& path, float value, float high) const {
    if (!(value > 0 && value <= high)) {
      fail_(path, short_number(value).dump() + " is not greater than 0 and at most " + short_number(high).dump());
    }
  }

  static std::string index(const std::string& path, std::size_t i) { return path + "[" + std::to_string(i) + "]"; }

  void input(const InputContract& in) const {
    if (in.width < 1 || in.width > kMaxSide) fail_("input.width", outside(in.width, 1, kMaxSide));
    if (in.height < 1 || in.height > kMaxSide) fail_("input.height", outside(in.height, 1, kMaxSide));
    constexpr float kLargest = 1e6F;
    within("input.range", in.low, -kLargest, kLargest);
    within("input.range", in.high, -kLargest, kLargest);
    if (!(in.low < in.high)) fail_("input.range", "the value of black must be below the value of white");
    const auto channels = static_cast<std::size_t>(in.channels());
    const auto per_channel = [&](const char* path, const std::vector<float>& values) {
      if (values.size() == channels) return;
      fail_(path, "has " + std::to_string(values.size()) + " values; color " +
                      std::string(kColors.at(static_cast<std::size_t>(in.color))) + " needs " +
                      std::to_string(channels));
    };
    per_channel("input.mean", in.mean);
    per_channel("input.std", in.std);
    for (std::size_t c = 0; c < channels; ++c) {
      within(index("input.mean", c), in.mean[c], -kLargest, kLargest);
      positive(index("input.std", c), in.std[c], kLargest);
      if (in.std[c] < 1 / kLargest) fail_(index("input.std", c), "is too near to 0");
    }
  }

  static std::string outside(int value, int low, int high) {
    return std::to_string(value) + " is not in " + std::to_string(low) + ".." + std::to_string(high);
  }

  void crop(const CropContract& crop) const {
    positive("crop.scale", crop.scale, 100);
    if (crop.border != BorderRule::kConstant && crop.border_value != 0) {
      fail_("crop.border_value", "only has a meaning with border: constant");
    }
    identifier("crop.box", crop.box);
    for (const auto& [name, map] : crop.from) {
      const std::string path = "crop.from." + name;
      identifier(path, name);
      if (name == crop.box) fail_(path, "maps the box convention to itself");
      constexpr float kLargest = 10;
      for (std::size_t i = 0; i < 2; ++i) {
        within(index(path + ".width", i), map.width[i], 0, kLargest);
        within(index(path + ".height", i), map.height[i], 0, kLargest);
        within(index(path + ".shift", i), map.shift[i], -kLargest, kLargest);
      }
      if (map.width[0] + map.width[1] <= 0) fail_(path + ".width", "makes every box empty");
      if (map.height[0] + map.height[1] <= 0) fail_(path + ".height", "makes every box empty");
    }
  }

  void score(const ScoreContract& score) const {
    text("score.output", score.output);
    if (score.classes.size() < 2 || score.classes.size() > kMaxClasses) {
      fail_("score.classes",
            std::to_string(score.classes.size()) + " classes; 2 to " + std::to_string(kMaxClasses) + " are needed");
    }
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < score.classes.size(); ++i) {
      identifier(index("score.classes", i), score.classes[i]);
      if (!seen.insert(score.classes[i]).second) {
        fail_(index("score.classes", i), in_quotes(score.classes[i]) + " occurs twice");
      }
    }
    if (score.live < 0 || static_cast<std::size_t>(score.live) >= score.classes.size()) {
      fail_("score.live",
            std::to_string(score.live) + " is no index of the " + std::to_string(score.classes.size()) + " classes");
    }
    positive("score.temperature", score.temperature, 1000);
    if (!score.profiles.contains("balanced")) fail_("score.profiles.balanced", "missing");
    for (const auto& [name, profile] : score.profiles) {
      const std::string path = "score.profiles." + name;
      identifier(path, name);
      positive(path + ".live", profile.live, 1);
      within(path + ".spoof", profile.spoof, 0, profile.live);
      text(path + ".target", profile.target);
    }
  }

  void detector(const DetectorContract& d, const InputContract& in) const {
    if (d.strides.empty()) fail_("detector.strides", "is empty");
    for (std::size_t i = 0; i < d.strides.size(); ++i) {
      if (d.strides[i] < 1 || d.strides[i] > std::min(in.width, in.height)) {
        fail_(index("detector.strides", i), outside(d.strides[i], 1, std::min(in.width, in.height)));
      }
      if (i > 0 && d.strides[i] <= d.strides[i - 1]) fail_(index("detector.strides", i), "is not above the one before");
    }
    const bool ssd = d.decode == DetectorContract::Decode::kSsd;
    if (ssd) {
      if (d.anchor_sizes.size() != d.strides.size()) {
        fail_("detector.anchor_sizes",
              std::to_string(d.anchor_sizes.size()) + " lists; one a stride is " + std::to_string(d.strides.size()));
      }
      for (std::size_t i = 0; i < d.anchor_sizes.size(); ++i) {
        const std::string path = index("detector.anchor_sizes", i);
        if (d.anchor_sizes[i].empty()) fail_(path, "is empty");
        for (std::size_t k = 0; k < d.anchor_sizes[i].size(); ++k) {
          positive(index(path, k), d.anchor_sizes[i][k], kMaxSide);
        }
      }
      for (std::size_t i = 0; i < 2; ++i) positive(index("detector.variances", i), d.variances[i], 10);
    } else if (!d.anchor_sizes.empty()) {
      fail_("detector.anchor_sizes", "only has a meaning with decode: ssd");
    }
    // What this way of decoding needs, and what it may have beside that.
    std::set<std::string_view> needed{"cls", "obj", "bbox"};
    std::set<std::string_view> allowed{"cls", "obj", "bbox", "kps"};
    if (ssd) {
      needed = {"cls", "bbox"};
      allowed = {"cls", "bbox", "kps"};
    } else if (d.decode == DetectorContract::Decode::kGrid) {
      needed = allowed = {"map"};
    }
    const std::size_t names = ssd ? 1 : d.strides.size();
    std::set<std::string_view> seen;
    for (const auto role : kRoles) {
      const std::string path = "detector.outputs." + std::string(role);
      const auto found = d.outputs.find(std::string(role));
      if (found == d.outputs.end()) {
        if (needed.contains(role)) fail_(path, "missing");
        continue;
      }
      if (!allowed.contains(role)) {
        fail_(path, "has no meaning with decode: " + std::string(name_of(d.decode, kDecodes)));
      }
      if (found->second.size() != names) {
        fail_(path, std::to_string(found->second.size()) + " names; " + std::to_string(names) + " expected");
      }
      for (std::size_t i = 0; i < names; ++i) {
        text(index(path, i), found->second[i]);
        if (!seen.insert(found->second[i]).second) {
          fail_(index(path, i), in_quotes(found->second[i]) + " has a role already");
        }
      }
    }
    for (const auto& [role, list] : d.outputs) {
      if (std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end()) {
        fail_("detector.outputs." + role, "unknown role" + suggestion(role, kRoles));
      }
    }
    within("detector.score_threshold", d.score_threshold, 0, 1);
    positive("detector.nms_iou", d.nms_iou, 1);
    identifier("detector.box", d.box);
    if (d.tracking) tracking(*d.tracking, d.strides);
  }

  void tracking(const TrackingContract& t, const std::vector<int>& strides) const {
    const char* const window = "detector.tracking.window";
    if (t.window < kMinWindow || t.window > kMaxWindow) fail_(window, outside(t.window, kMinWindow, kMaxWindow));
    for (const int stride : strides) {
      if (t.window % stride == 0) continue;
      fail_(window, std::to_string(t.window) + " is no multiple of the stride " + std::to_string(stride));
    }
    within("detector.tracking.window_scale", t.window_scale, kMinWindowScale, kMaxWindowScale);
  }

  const Fail& fail_;
};

// The graph's output of this name; `path` is the contract's field that names it.
const Value& graph_output(const Graph& graph, const std::string& name, const std::string& path) {
  std::vector<std::string_view> names;
  std::string all;
  for (const int id : graph.outputs) {
    const Value& value = graph.values.at(static_cast<std::size_t>(id));
    if (value.name == name) return value;
    names.emplace_back(value.name);
    if (names.size() <= 16) all += (all.empty() ? "" : ", ") + in_quotes(value.name);
  }
  throw Error(Status::kModelInvalid,
              path + ": " + in_quotes(name) + " is no output of the graph, which has " + all + suggestion(name, names));
}

void check_count(const Graph& graph, const std::string& name, const std::string& path, std::int64_t expected,
                 const std::string& why) {
  const std::int64_t found = elements(graph_output(graph, name, path).shape);
  if (found == expected) return;
  throw Error(Status::kModelInvalid, path + ": output " + in_quotes(name) + " has " + std::to_string(found) +
                                         " values; " + why + " gives " + std::to_string(expected));
}

void check_detector_outputs(const DetectorContract& d, const InputContract& input, const Graph& graph) {
  std::vector<std::int64_t> points;
  for (const int stride : d.strides) {
    points.push_back(std::int64_t{(input.width + stride - 1) / stride} * ((input.height + stride - 1) / stride));
  }
  if (d.decode == DetectorContract::Decode::kSsd) {
    std::int64_t anchors = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      anchors += points[i] * static_cast<std::int64_t>(d.anchor_sizes[i].size());
    }
    points = {anchors};
  }
  for (const auto& [role, names] : d.outputs) {
    const bool ssd = d.decode == DetectorContract::Decode::kSsd;
    const std::int64_t columns = role == "bbox"         ? 4
                                 : role == "kps"        ? 10
                                 : role == "map"        ? 15
                                 : role == "cls" && ssd ? 2
                                                        : 1;
    for (std::size_t i = 0; i < names.size(); ++i) {
      check_count(graph, names[i], "detector.outputs." + role + "[" + std::to_string(i) + "]", points[i] * columns,
                  "the grid of " + std::to_string(points[i]) + (ssd ? " anchors" : " points"));
    }
  }
}

}  // namespace

Json contract_to_value(const Contract& c) {
  const float range[2] = {c.input.low, c.input.high};
  Json result{{"name", c.name},
              {"version", c.version},
              {"task", name_of(c.task, kTasks)},
              {"input",
               {{"width", c.input.width},
                {"height", c.input.height},
                {"color", name_of(c.input.color, kColors)},
                {"range", numbers(range)},
                {"mean", numbers(c.input.mean)},
                {"std", numbers(c.input.std)}}},
              {"licence", c.licence},
              {"provenance", c.provenance}};
  if (!c.source_sha256.empty()) result["source_sha256"] = c.source_sha256;
  for (const Precision precision : c.qualified) result["qualified"].push_back(to_string(precision));
  if (c.crop) {
    Json& crop = result["crop"] = {
        {"scale", short_number(c.crop->scale)},        {"square", c.crop->square},
        {"border", name_of(c.crop->border, kBorders)}, {"enlarge", name_of(c.crop->enlarge, kFilters)},
        {"shrink", name_of(c.crop->shrink, kFilters)}, {"box", c.crop->box}};
    if (c.crop->border == BorderRule::kConstant) crop["border_value"] = c.crop->border_value;
    for (const auto& [name, map] : c.crop->from) {
      crop["from"][name] = {
          {"width", numbers(map.width)}, {"height", numbers(map.height)}, {"shift", numbers(map.shift)}};
    }
  }
  if (c.score) {
    Json& score = result["score"] = {{"output", c.score->output},
                                     {"classes", c.score->classes},
                                     {"live", c.score->live},
                                     {"softmax_inside", c.score->softmax_inside},
                                     {"temperature", short_number(c.score->temperature)}};
    for (const auto& [name, profile] : c.score->profiles) {
      score["profiles"][name] = {
          {"live", short_number(profile.live)}, {"spoof", short_number(profile.spoof)}, {"target", profile.target}};
    }
  }
  if (c.detector) {
    const DetectorContract& d = *c.detector;
    Json& detector = result["detector"] = {{"decode", name_of(d.decode, kDecodes)},
                                           {"strides", d.strides},
                                           {"outputs", d.outputs},
                                           {"score_threshold", short_number(d.score_threshold)},
                                           {"nms_iou", short_number(d.nms_iou)},
                                           {"box", d.box}};
    if (d.nms_average) detector["nms_average"] = true;
    if (d.tracking) {
      detector["tracking"] = {{"window", d.tracking->window}, {"window_scale", short_number(d.tracking->window_scale)}};
    }
    if (d.decode == DetectorContract::Decode::kSsd) {
      detector["anchor_sizes"] = Json::array();
      for (const auto& sizes : d.anchor_sizes) detector["anchor_sizes"].push_back(numbers(sizes));
      detector["variances"] = numbers(d.variances);
      detector["softmax_scores"] = d.softmax_scores;
    }
  }
  return result;
}

Contract contract_from_value(const Field& field) {
  field.only({"name", "version", "task", "input", "crop", "score", "detector", "licence", "provenance", "source_sha256",
              "qualified"});
  Contract contract;
  contract.name = field["name"].text();
  contract.version = field["version"].text();
  contract.task = enum_of<Task>(field["task"], kTasks);
  contract.input = read_input(field["input"]);
  if (field.has("crop")) contract.crop = read_crop(field["crop"]);
  if (field.has("score")) contract.score = read_score(field["score"]);
  if (field.has("detector")) contract.detector = read_detector(field["detector"]);
  contract.licence = field["licence"].text();
  contract.provenance = field["provenance"].text();
  if (field.has("source_sha256")) contract.source_sha256 = field["source_sha256"].text();
  if (field.has("qualified")) {
    for (const Field& item : field["qualified"].items(kQualified.size())) {
      contract.qualified.push_back(
          static_cast<Precision>(item.one_of(kQualified) + static_cast<std::size_t>(Precision::kBf16)));
    }
  }
  const auto fail = [&](const std::string& path, const std::string& what) { field.fail_at(path, what); };
  ValueChecks(fail).contract(contract);
  return contract;
}

std::string contract_to_json(const Contract& contract) {
  return dump_json(contract_to_value(contract), 2);
}

Contract contract_from_json(std::string_view json, std::string_view origin) {
  Document document = parse_json(json, std::string(origin), Status::kConfigInvalid);
  document.positions = [json] { return json_positions(json); };
  return contract_from_value(Field(document));
}

Contract contract_from_yaml(std::string_view yaml, std::string_view origin) {
  return contract_from_value(Field(parse_yaml(yaml, origin)));
}

Contract read_contract(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path, kMaxContractBytes);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto extension = path.extension();
  if (extension == ".json") return contract_from_json(text, path.string());
  if (extension == ".yaml" || extension == ".yml") return contract_from_yaml(text, path.string());
  throw Error(Status::kConfigInvalid, path.string() + ": a contract's name ends in .yaml, .yml or .json");
}

void check_contract(const Contract& contract, const Graph& graph) {
  const auto fail = [](const std::string& path, const std::string& what) {
    throw Error(Status::kModelInvalid, path + ": " + what);
  };
  ValueChecks(fail).contract(contract);
  const Value& input = graph.values.at(static_cast<std::size_t>(graph.inputs.front()));
  const Shape wanted{1, contract.input.channels(), contract.input.height, contract.input.width};
  if (input.shape != wanted) {
    throw Error(Status::kModelInvalid, "input: width, height and color make " + to_string(wanted) +
                                           ", but the graph's input " + in_quotes(input.name) + " is " +
                                           to_string(input.shape));
  }
  if (contract.score) {
    check_count(graph, contract.score->output, "score.output",
                static_cast<std::int64_t>(contract.score->classes.size()), "score.classes");
  }
  if (contract.detector) check_detector_outputs(*contract.detector, contract.input, graph);
}

}  // namespace liveness
