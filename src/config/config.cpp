#include "liveness/config.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "config/table.hpp"
#include "liveness/builtin.hpp"
#include "model/json.hpp"
#include "model/package.hpp"

extern char** environ;

namespace liveness {
namespace {

using config::Kind;
using config::Row;
using config::table;

constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
constexpr std::string_view kPrefix = "LIVENESS_";
constexpr const char* kNoPad = "models.pad: names no PAD network, and none is built into this library";
constexpr const char* kNoDetector = "models.detector: names no detector, and none is built into this library";

std::string_view section_of(std::string_view key) {
  return key.substr(0, key.find('.'));
}
std::string_view name_of(std::string_view key) {
  return key.substr(key.find('.') + 1);
}

std::vector<std::string_view> sections() {
  std::vector<std::string_view> all;
  for (const Row& row : table())
    if (all.empty() || all.back() != section_of(row.key)) all.push_back(section_of(row.key));
  return all;
}

std::vector<std::string_view> names_in(std::string_view section) {
  std::vector<std::string_view> all;
  for (const Row& row : table())
    if (section_of(row.key) == section) all.push_back(name_of(row.key));
  return all;
}

const Row* find_row(std::string_view key) {
  const auto& rows = table();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.key == key; });
  return found == rows.end() ? nullptr : &*found;
}

// `; did you mean "X"?` for a key that there is not: near in its section, of the same name in another, or near
// anywhere.
std::string nearest(std::string_view key) {
  const auto section = section_of(key);
  const auto near = names_in(section);
  if (std::string said = suggestion(name_of(key), near); !said.empty()) {
    // The whole key is what can be pasted.
    const auto quote = said.find('"');
    return said.insert(quote + 1, std::string(section) + ".");
  }
  for (const Row& row : table())
    if (name_of(row.key) == name_of(key)) return "; did you mean \"" + std::string(row.key) + "\"?";
  std::vector<std::string_view> all;
  for (const Row& row : table()) all.push_back(row.key);
  return suggestion(key, all);
}

// What replaced a key of the earlier system, or nothing.
std::string successor(std::string_view key) {
  for (const auto& r : config::replaced())
    if (r.key == key || r.key.starts_with(std::string(key) + ".")) {
      std::string said = ": a key of the earlier system; ";
      if (r.key != key) return said + "docs/configuration.md says what replaces each key below it";
      said += r.now.empty() ? "nothing replaces it" : "its place is taken by \"" + std::string(r.now) + "\"";
      return r.remark.empty() ? said : said + " (" + std::string(r.remark) + ")";
    }
  return "";
}

std::string variable_of(std::string_view key) {
  std::string name(kPrefix);
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

Json split(std::string_view text) {
  Json list = Json::array();
  while (!text.empty()) {
    const auto comma = text.find(',');
    list.push_back(std::string(text.substr(0, comma)));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return list;
}

// A value as a shell can write it.
Json from_word(const Row& row, std::string_view text) {
  if (row.kind == Kind::kText) return std::string(text);
  if (row.kind == Kind::kWord) return parse_word(std::string(text));
  Json list = split(text);
  if (row.path) return list;
  for (Json& item : list) item = parse_word(item.get<std::string>());
  return list;
}

void read_word(Settings& settings, const Row& row, std::string_view text, const std::string& origin) {
  const Document document{origin, Status::kConfigInvalid, from_word(row, text), {}};
  try {
    static_cast<void>(document.root.dump());
  } catch (const Json::exception&) {
    document.fail("", "not valid UTF-8");
  }
  row.read(settings, Field(document));
}

std::string beside(const std::filesystem::path& folder, const std::string& path) {
  std::error_code ignored;
  if (path.empty() || std::filesystem::path(path).is_absolute()) return path;
  const auto there = folder / path;
  return std::filesystem::exists(there, ignored) ? there.string() : path;
}

}  // namespace

class Config::Impl {
 public:
  struct From {
    Source source = Source::kDefault;
    std::string where = "default";
  };

  void read(const Document& document, const std::filesystem::path& folder) {
    const Json& root = document.root;
    if (root.is_null()) return;  // an empty file says nothing
    if (!root.is_object()) document.fail("", "expected sections, each a map of keys");
    const auto known = sections();
    const Positions positions = document.positions ? document.positions() : Positions();
    for (auto section = root.begin(); section != root.end(); ++section) {
      const std::string& name = section.key();
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        refuse_old(document, name, *section);
        document.fail(name, "unknown section" + suggestion(name, known));
      }
      if (section->is_null()) continue;
      if (!section->is_object()) document.fail(name, "expected a map of keys");
      for (auto value = section->begin(); value != section->end(); ++value)
        if (const std::string key = name + "." + value.key(); find_row(key) == nullptr) {
          refuse_old(document, key, *value);
          document.fail(key, "unknown key" + nearest(key));
        }
    }
    // In the order of the table: a profile is known before what changes it.
    for (const Row& row : table()) {
      const auto section = root.find(std::string(section_of(row.key)));
      if (section == root.end() || section->is_null()) continue;
      const auto value = section->find(std::string(name_of(row.key)));
      if (value == section->end()) continue;
      row.read(settings_, Field(document, *value));
      if (row.path) resolve(row, *value, folder);
      std::string where = document.origin;
      if (const auto at = positions.find(std::string(row.key)); at != positions.end())
        where += ":" + std::to_string(at->second.line) + ":" + std::to_string(at->second.column);
      from_[row.key] = {Source::kFile, where};
    }
  }

  void read_environment() {
    const auto known = sections();
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view text = *entry;
      const auto equals = text.find('=');
      if (!text.starts_with(kPrefix) || equals == std::string_view::npos) continue;
      const std::string name(text.substr(0, equals));
      const bool ours = std::any_of(known.begin(), known.end(), [&](std::string_view section) {
        return name.starts_with(variable_of(std::string(section) + "."));
      });
      if (!ours) continue;
      const auto& rows = table();
      const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return variable_of(r.key) == name; });
      if (row == rows.end()) {
        std::vector<std::string> names;
        for (const Row& r : rows) names.push_back(variable_of(r.key));
        const std::vector<std::string_view> views(names.begin(), names.end());
        throw Error(Status::kConfigInvalid, name + ": no key has this name" + suggestion(name, views));
      }
      read_word(settings_, *row, text.substr(equals + 1), name);
      from_[row->key] = {Source::kEnvironment, name};
    }
    environment_ = true;
  }

  void set(std::string_view key, std::string_view value) {
    const Row* row = find_row(key);
    if (row == nullptr) throw Error(Status::kConfigInvalid, in_quotes(key) + ": unknown key" + nearest(key));
    read_word(settings_, *row, value, std::string(key));
    from_[row->key] = {Source::kFlag, "flag"};
    flags_.emplace_back(key, value);
  }

  [[nodiscard]] Entry entry(const Row& row) const {
    const auto found = from_.find(row.key);
    const From from = found == from_.end() ? From() : found->second;
    return {std::string(row.key), dump_json(row.write(settings_)), from.source, from.where, row.meaning, row.live};
  }

  Reloaded reload() {
    if (file_.empty()) throw Error(Status::kInvalidState, "reload: this configuration was not read from a file");
    Impl fresh;
    fresh.read_file(file_);
    if (environment_) fresh.read_environment();
    for (const auto& [key, value] : flags_) fresh.set(key, value);
    Reloaded result;
    for (const Row& row : table()) {
      const Json value = row.write(fresh.settings_);
      if (value == row.write(settings_)) {
        copy_origin(row, fresh);
        continue;
      }
      auto& list = row.live ? result.changed : result.waiting;
      list.emplace_back(row.key);
      if (!row.live) continue;
      const Document document{"", Status::kConfigInvalid, value, {}};
      row.read(settings_, Field(document));
      copy_origin(row, fresh);
    }
    return result;
  }

  [[nodiscard]] Networks networks() const {
    Networks all;
    for (const auto& file : settings_.pad) all.pad.push_back(Model::load(file, settings_.loading));
    if (!settings_.detector.empty()) all.detector = Model::load(settings_.detector, settings_.loading);
    const auto inside = [](Task task) {
      const auto& models = builtin_models();
      return std::any_of(models.begin(), models.end(), [task](const BuiltinModel& m) { return m.task == task; });
    };
    if (all.pad.empty() && inside(Task::kPad)) all.pad.push_back(builtin_model("pad", settings_.loading));
    if (!all.detector && inside(Task::kDetector)) all.detector = builtin_model("detector", settings_.loading);
    return all;
  }

  void read_file(const std::filesystem::path& file) {
    const std::vector<std::byte> bytes = liveness::read_file(file, kMaxConfigBytes);
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto extension = file.extension();
    if (extension == ".json") {
      Document document = parse_json(text, file.string(), Status::kConfigInvalid);
      document.positions = [&text] { return json_positions(text); };
      read(document, file.parent_path());
    } else if (extension == ".yaml" || extension == ".yml") {
      read(parse_yaml(text, file.string()), file.parent_path());
    } else {
      throw Error(Status::kConfigInvalid, file.string() + ": a configuration's name ends in .yaml, .yml or .json");
    }
    file_ = file;
  }

  Settings settings_;
  std::map<std::string_view, From> from_;  // keys of the table
  std::filesystem::path file_;
  bool environment_ = false;
  std::vector<std::pair<std::string, std::string>> flags_;

 private:
  // Says what became of a key of the earlier system, at the first key below `path` that it had.
  static void refuse_old(const Document& document, const std::string& path, const Json& value) {
    if (successor(path).empty()) return;
    if (value.is_object())
      for (auto below = value.begin(); below != value.end(); ++below)
        refuse_old(document, path + "." + below.key(), *below);
    document.fail(path, "unknown key" + successor(path));
  }

  void resolve(const Row& row, const Json& given, const std::filesystem::path& folder) {
    Json value = given;
    if (value.is_array()) {
      for (Json& item : value) item = beside(folder, item.get<std::string>());
    } else {
      value = beside(folder, value.get<std::string>());
    }
    const Document document{"", Status::kConfigInvalid, value, {}};
    row.read(settings_, Field(document));
  }

  void copy_origin(const Row& row, const Impl& other) {
    const auto found = other.from_.find(row.key);
    if (found == other.from_.end())
      from_.erase(row.key);
    else
      from_[row.key] = found->second;
  }
};

Config::Config() : impl_(std::make_unique<Impl>()) {}
Config::~Config() = default;
Config::Config(const Config& other) : impl_(std::make_unique<Impl>(*other.impl_)) {}
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config other) noexcept {
  impl_.swap(other.impl_);
  return *this;
}

Config Config::load(const std::filesystem::path& file) {
  Config config;
  config.impl_->read_file(file);
  config.impl_->read_environment();
  return config;
}

Config Config::parse(std::string_view text, std::string_view origin) {
  Config config;
  config.impl_->read(parse_yaml(text, origin), {});
  return config;
}

void Config::read_environment() {
  Config changed(*this);
  changed.impl_->read_environment();
  impl_.swap(changed.impl_);
}

void Config::set(std::string_view key, std::string_view value) {
  impl_->set(key, value);
}

const Settings& Config::settings() const noexcept {
  return impl_->settings_;
}

std::vector<Config::Entry> Config::entries() const {
  std::vector<Entry> all;
  for (const Row& row : table()) all.push_back(impl_->entry(row));
  return all;
}

Config::Entry Config::entry(std::string_view key) const {
  const Row* row = find_row(key);
  if (row == nullptr) throw Error(Status::kNotFound, in_quotes(key) + ": unknown key" + nearest(key));
  return impl_->entry(*row);
}

std::string Config::to_yaml() const {
  std::string text;
  std::string_view section;
  for (const Row& row : table()) {
    if (section_of(row.key) != section) {
      section = section_of(row.key);
      text += (text.empty() ? "" : "\n") + std::string(section) + ":\n";
    }
    const Entry e = impl_->entry(row);
    std::string line = "  " + std::string(name_of(row.key)) + ": " + e.value;
    line.resize(std::max<std::size_t>(line.size() + 1, 44), ' ');
    text += line + "# " + e.where + "\n";
  }
  return text;
}

Config::Reloaded Config::reload() {
  return impl_->reload();
}

Networks Config::networks() const {
  return impl_->networks();
}

Ensemble Config::ensemble(Profiler* profiler) const {
  const Settings& s = impl_->settings_;
  Ensemble::Options o = s.stream.scoring;
  o.detection = s.stream.tracking.detection;
  o.detection.min_face = s.stream.tracking.min_face;
  o.detection.max_faces = s.stream.tracking.max_faces;
  o.all_faces = s.stream.all_faces;
  o.profiler = profiler;
  if (s.cache_bytes > 0) {
    PredictionCache::Options cache;
    cache.bytes = s.cache_bytes;
    cache.time_to_live = std::chrono::milliseconds(std::llround(s.cache_seconds * 1000));
    o.cache = std::make_shared<PredictionCache>(cache);
  }
  if (s.threads > 1) o.pool = std::make_shared<WorkerPool>(s.threads);
  Networks use = networks();
  if (use.pad.empty()) throw Error(Status::kConfigInvalid, kNoPad);
  o.detector = std::move(use.detector);
  if (!s.calibration.empty()) o.calibration = Calibration::load(s.calibration);
  return {std::move(use.pad), o};
}

Verifier Config::verifier(Profiler* profiler) const {
  const Settings& s = impl_->settings_;
  Verifier::Options o = s.stream;
  o.scoring.profiler = profiler;
  if (!s.calibration.empty()) o.scoring.calibration = Calibration::load(s.calibration);
  Networks use = networks();
  if (use.pad.empty()) throw Error(Status::kConfigInvalid, kNoPad);
  if (!use.detector) throw Error(Status::kConfigInvalid, kNoDetector);
  return {std::move(use.pad), std::move(*use.detector), o};
}

Governor Config::governor() const {
  const Settings& s = impl_->settings_;
  Governor::Options o = s.governor;
  o.best.detect_every = s.stream.pace.detect_every;
  o.best.score_every = s.stream.pace.score_every;
  return Governor(o);
}

std::string Config::reference() {
  std::string text = R"(# Configuration

One file, YAML or JSON, for everything that can be set. This page is generated from the table that validates
(`liveness config docs`); a test keeps them equal.

```yaml
models:
  pad: [pad_a.safetensors, pad_b.safetensors]   # relative to this file
  detector: faces.safetensors
decision:
  profile: strict
resources:
  cpu: 0.25          # a quarter of a core
monitoring:
  port: 9464         # curl http://127.0.0.1:9464/metrics
```

* `liveness config check FILE` says whether a file is right, `liveness config show [FILE]` which values hold and where each came from.
* Values come from, the later the stronger: defaults, the file, the environment (`LIVENESS_SECTION_NAME`, for instance
  `LIVENESS_PIPELINE_DETECT_EVERY=10`; lists separated by commas), flags (`--set pipeline.detect_every=10`).
* An unknown key, a wrong type or a value out of range is refused with file, line, column and the nearest known key.
* Keys marked "live" take hold in a running `liveness watch` when the file changes; others wait for a new start, and it says so. A file that does not
  check out changes nothing.
* In C++ `liveness::Config` fills the options of the library's parts, in C `liveness_config_*`, in Python `liveness.Config`.
)";
  const Config defaults;
  std::string_view section;
  for (const Row& row : table()) {
    if (section_of(row.key) != section) {
      section = section_of(row.key);
      text += "\n## " + std::string(section) + "\n\n| key | value | default | |\n|---|---|---|---|\n";
    }
    std::string value = dump_json(row.write(defaults.settings()));
    text += "| `" + std::string(name_of(row.key)) + "` | " + row.type + " | `" + value + "` | " +
            (row.live ? "live; " : "") + row.meaning + " |\n";
  }
  text += R"(
## Keys of the earlier system

What replaces the keys of the sections `model_optimization`, `processing_pipeline`, `resource_management`, `accuracy_improvements` and `monitoring`
of the system that this library grew out of. Where one of them stands in a file, the refusal says the same.

| earlier key | now | |
|---|---|---|
)";
  for (const auto& r : config::replaced())
    text += "| `" + std::string(r.key) + "` | " + (r.now.empty() ? "-" : "`" + std::string(r.now) + "`") + " | " +
            std::string(r.remark) + " |\n";
  return text;
}

}  // namespace liveness
