// Calibration files: one small document, read with suspicion; and whether one fits the models at hand.
#include "liveness/calibration.hpp"

#include <array>
#include <limits>
#include <utility>

#include "model/json.hpp"
#include "model/package.hpp"

namespace liveness {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxEntries = 256;  // models, profiles, species, notes
constexpr std::size_t kMaxQuantiles = 1001;
constexpr std::int64_t kMaxCount = std::int64_t{1} << 53;  // exact in JSON readers everywhere

constexpr std::array<std::string_view, kCalibrationMethodCount> kMethods = {"none", "temperature", "platt", "beta"};
constexpr std::array<std::string_view, kFusionCount> kFusions = {"mean", "weighted", "log_odds_mean", "majority",
                                                                 "minimum"};

// Numbers keep all their digits: a threshold belongs to exactly these parameters.
double precise(const Field& field) {
  static_cast<void>(field.number());  // refuses what is none
  return field.json().get<double>();
}

float within(const Field& field, float low, float high) {
  const float value = field.number();
  if (!(value >= low && value <= high))
    field.fail(field.json().dump() + " is not in " + short_number(low).dump() + ".." + short_number(high).dump());
  return value;
}

std::vector<std::pair<std::string, Field>> entries(const Field& field) {
  auto all = field.members();
  if (all.size() > kMaxEntries) field.fail("more than " + std::to_string(kMaxEntries) + " entries");
  for (const auto& [name, entry] : all)
    if (name.empty()) field.fail("an entry without a name");
  return all;
}

std::pair<std::int64_t, std::int64_t> read_counts(const Field& field) {
  const auto items = field.items(2);
  if (items.size() != 2) field.fail("expected [errors, total]");
  const std::int64_t total = items[1].integer(0, kMaxCount);
  return {items[0].integer(0, total), total};
}

void read_parameters(const Field& field, Calibration& c) {
  for (const Field& item : field["parameters"].items(3)) c.parameters.push_back(precise(item));
  const Field list = field["parameters"];
  if (c.parameters.size() != parameter_count(c.method))
    list.fail(std::to_string(c.parameters.size()) + " for method " + std::string(to_string(c.method)) +
              ", which takes " + std::to_string(parameter_count(c.method)));
  // Slopes: without them a higher score would no longer mean more alive.
  const std::size_t slopes = c.method == CalibrationMethod::kBeta ? 2 : c.parameters.empty() ? 0 : 1;
  for (std::size_t i = 0; i < slopes; ++i)
    if (!(c.parameters[i] >= 1e-6 && c.parameters[i] <= 1e6))
      list.fail("number " + std::to_string(i + 1) + " is " + Json(c.parameters[i]).dump() + ", not in 1e-6..1e6");
}

Calibration read(const Field& field) {
  field.only({"liveness_calibration", "models", "fusion", "weights", "method", "parameters", "profiles", "samples",
              "losses", "held_out", "reference", "notes"});
  static_cast<void>(field["liveness_calibration"].integer(kFormat, kFormat));
  Calibration c;
  for (const Field& item : field["models"].items(kMaxEntries)) {
    item.only({"name", "identity"});
    c.models.push_back({item["name"].text(), item["identity"].text()});
  }
  if (c.models.empty()) field["models"].fail("is empty");
  c.fusion = static_cast<Fusion>(field["fusion"].one_of(kFusions));
  if (field.has("weights"))
    for (const Field& item : field["weights"].items(kMaxEntries)) c.weights.push_back(within(item, 0, 1e9F));
  if (c.weights.size() != (c.fusion == Fusion::kWeighted ? c.models.size() : 0))
    field.fail_at("weights", std::to_string(c.weights.size()) + " for " + std::to_string(c.models.size()) +
                                 " models with fusion " + std::string(to_string(c.fusion)));
  c.method = static_cast<CalibrationMethod>(field["method"].one_of(kMethods));
  read_parameters(field, c);
  for (const auto& [name, entry] : entries(field["profiles"])) {
    entry.only({"live", "spoof", "target"});
    ThresholdProfile& p = c.profiles[name];
    p.live = within(entry["live"], std::numeric_limits<float>::min(), 1);
    p.spoof = within(entry["spoof"], 0, p.live);
    p.target = entry["target"].text();
  }
  if (!c.profiles.contains("balanced")) field["profiles"].fail_at("balanced", "missing");

  const Field samples = field["samples"];
  samples.only({"bona_fide", "attacks", "groups"});
  c.bona_fide = samples["bona_fide"].integer(0, kMaxCount);
  for (const auto& [species, n] : entries(samples["attacks"])) c.attacks[species] = n.integer(0, kMaxCount);
  c.groups = samples["groups"].integer(0, kMaxCount);
  if (field.has("losses"))
    for (const auto& [method, loss] : field["losses"].only({"none", "temperature", "platt", "beta"}).members())
      c.losses[method] = precise(loss);
  if (field.has("held_out"))
    for (const auto& [name, entry] : entries(field["held_out"])) {
      entry.only({"species", "apcer", "bpcer"});
      Calibration::HeldOut& h = c.held_out[name];
      h.species = entry["species"].text();
      std::tie(h.apcer_errors, h.apcer_total) = read_counts(entry["apcer"]);
      std::tie(h.bpcer_errors, h.bpcer_total) = read_counts(entry["bpcer"]);
    }
  if (field.has("reference"))
    for (const auto& [name, entry] : entries(field["reference"])) {
      entry.only({"count", "quantiles"});
      Quantiles& q = c.reference[name];
      q.count = entry["count"].integer(2, kMaxCount);
      for (const Field& item : entry["quantiles"].items(kMaxQuantiles)) {
        q.values.push_back(precise(item));
        if (q.values.size() > 1 && q.values.back() < q.values[q.values.size() - 2])
          item.fail("is below the one before");
      }
      if (q.values.size() < 2) entry["quantiles"].fail("expected at least 2");
    }
  if (field.has("notes"))
    for (const Field& item : field["notes"].items(kMaxEntries)) c.notes.push_back(item.text());
  return c;
}

Json numbers(const std::vector<double>& values) {
  Json all = Json::array();
  for (const double v : values) all.push_back(v);
  return all;
}

// In the order in which people read it: key and value on one line each, lists and maps below them.
std::vector<std::pair<std::string, Json>> fields(const Calibration& c) {
  Json models = Json::array();
  for (const auto& m : c.models) models.push_back({{"name", m.name}, {"identity", m.identity}});
  Json weights = Json::array();
  for (const float w : c.weights) weights.push_back(short_number(w));
  Json profiles = Json::object();
  for (const auto& [name, p] : c.profiles)
    profiles[name] = {{"live", short_number(p.live)}, {"spoof", short_number(p.spoof)}, {"target", p.target}};
  Json held_out = Json::object();
  for (const auto& [name, h] : c.held_out)
    held_out[name] = {
        {"species", h.species}, {"apcer", {h.apcer_errors, h.apcer_total}}, {"bpcer", {h.bpcer_errors, h.bpcer_total}}};
  Json reference = Json::object();
  for (const auto& [name, q] : c.reference) reference[name] = {{"count", q.count}, {"quantiles", numbers(q.values)}};
  return {{"liveness_calibration", kFormat},
          {"models", models},
          {"fusion", to_string(c.fusion)},
          {"weights", weights},
          {"method", to_string(c.method)},
          {"parameters", numbers(c.parameters)},
          {"profiles", profiles},
          {"samples", {{"bona_fide", c.bona_fide}, {"attacks", c.attacks}, {"groups", c.groups}}},
          {"losses", c.losses},
          {"held_out", held_out},
          {"reference", reference},
          {"notes", c.notes}};
}

std::string id(const Calibration::ModelId& m) {
  return in_quotes(m.name) + " (" + m.identity.substr(0, 8) + ")";
}

}  // namespace

void Calibration::require(std::span<const Model> of, Fusion how, std::span<const float> how_weighted) const {
  const auto refuse = [](const std::string& what) { throw Error(Status::kInvalidArgument, "calibration: " + what); };
  if (of.size() != models.size())
    refuse("made for " + std::to_string(models.size()) + " models, given are " + std::to_string(of.size()));
  for (std::size_t i = 0; i < models.size(); ++i) {
    const ModelId given{of[i].contract().name, of[i].info().identity};
    if (models[i].identity != given.identity) refuse("made for model " + id(models[i]) + ", given is " + id(given));
  }
  if (models.size() > 1 && how != fusion)
    refuse("made for fusion " + std::string(to_string(fusion)) + ", given is " + std::string(to_string(how)));
  if (models.size() > 1 && !std::equal(weights.begin(), weights.end(), how_weighted.begin(), how_weighted.end()))
    refuse("made for other weights");
  if (how == Fusion::kMajority) refuse("fusion majority has no log-odds to calibrate");
  if (parameters.size() != parameter_count(method)) refuse("its parameters do not fit its method");
}

Calibration Calibration::parse(std::string_view text, std::string_view origin) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    Document document = parse_json(text, std::string(origin), Status::kConfigInvalid);
    document.positions = [text] { return json_positions(text); };
    return read(Field(document));
  }
  const Document document = parse_yaml(text, origin);
  return read(Field(document));
}

Calibration Calibration::load(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path, kMaxFileBytes);
  return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
}

std::string Calibration::to_yaml() const {
  std::string text =
      "# Calibration of a face presentation attack detector; `live` and `spoof` are bounds on the calibrated "
      "P(live).\n";
  for (const auto& [key, value] : fields(*this)) {
    text += key + ":";
    if (value.is_structured() && !value.empty() && key != "parameters" && key != "weights" && key != "samples") {
      for (auto it = value.begin(); it != value.end(); ++it)
        text += (value.is_array() ? "\n  - " : "\n  " + dump_json(Json(it.key())) + ": ") + dump_json(it.value());
      text += '\n';
    } else {
      text += " " + dump_json(value) + "\n";
    }
  }
  return text;
}

void Calibration::save(const std::filesystem::path& path) const {
  std::string text;
  if (path.extension() == ".json") {
    nlohmann::ordered_json all;
    for (const auto& [key, value] : fields(*this)) all[key] = value;
    text = all.dump(2) + "\n";
  } else {
    text = to_yaml();
  }
  write_file(path, std::as_bytes(std::span(text)));
}

}  // namespace liveness
