// One file for everything that can be set. docs/configuration.md, which is generated from the table that validates,
// lists every key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "liveness/ensemble.hpp"
#include "liveness/model.hpp"
#include "liveness/resources.hpp"
#include "liveness/verifier.hpp"

namespace liveness LIVENESS_PUBLIC {

/// The sections `monitoring` and `logging`: what a program that runs a stream (`liveness watch`) tells about it.
struct MonitoringOptions {
  double interval = 1;          ///< seconds between two samples of the resources
  bool gpu = true;              ///< ask NVML too
  std::string metrics;          ///< file that is kept up to date in Prometheus' text format; empty: none
  int port = 0;                 ///< of 127.0.0.1, where /metrics is served; 0: none
  std::string events;           ///< file for events as JSON lines; "-": standard output; empty: none
  double low_fps = 0;           ///< an alert below; 0: never
  double high_cpu = 0;          ///< cores: an alert above; 0: never
  std::size_t high_memory = 0;  ///< bytes resident: an alert above; 0: never
  double high_latency_ms = 0;   ///< of one frame, 99th percentile: an alert above; 0: never
};

enum class LogLevel : std::uint8_t { kError, kInfo, kDebug };
/// "error", "info" or "debug".
[[nodiscard]] inline constexpr std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::kError: return "error";
    case LogLevel::kDebug: return "debug";
    default: return "info";
  }
}

/// What a configuration says, in the options that the parts of the library take.
struct Settings {
  std::vector<std::string> pad;  ///< PAD networks: files (the program also takes names of packages)
  std::string detector;          ///< face detector
  std::string calibration;       ///< file of a Calibration for `pad`; empty: none
  Model::Options loading;        ///< of all of them
  Verifier::Options stream;      ///< its `scoring` is what a Predictor or Ensemble takes
  std::size_t cache_bytes = 0;   ///< of an Ensemble's PredictionCache; 0: it has none
  double cache_seconds = 0;      ///< its time to live; 0: results do not age
  int threads = 1;               ///< of an Ensemble's WorkerPool
  Governor::Options governor;    ///< Config::governor() adds the pace of `stream`
  MonitoringOptions monitoring;
  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;  ///< empty: standard error
};

/// The models of a configuration.
struct Networks {
  std::vector<Model> pad;
  std::optional<Model> detector;
};

/// Values of keys, each from one of four places, later ones first: defaults, file, environment, flags. Copyable; one
/// thread at a time.
class Config {
 public:
  enum class Source : std::uint8_t { kDefault, kFile, kEnvironment, kFlag };

  /// One key and what it says now.
  struct Entry {
    std::string key;    ///< "section.name"
    std::string value;  ///< as JSON
    Source source = Source::kDefault;
    std::string where;    ///< "default", "FILE:LINE:COLUMN", the variable's name, "flag"
    std::string meaning;  ///< for people
    bool live = false;    ///< reload() may change it in a running stream
  };

  /// What reload() did. Keys whose value in the file is another now.
  struct Reloaded {
    std::vector<std::string> changed;  ///< they hold from now on
    std::vector<std::string> waiting;  ///< they need a new start; the values that run are kept
  };

  /// Defaults.
  Config();
  /// Defaults, then a file (.yaml, .yml or .json), then the environment. Relative paths in the file that exist from the
  /// file's folder mean that. Throws Error: kNotFound, kIo, kConfigInvalid (FILE:LINE:COLUMN: KEY: what is wrong, with
  /// the nearest known key), kUnsupported (YAML in a library built without it).
  [[nodiscard]] static Config load(const std::filesystem::path& file);
  /// Defaults, then a text in YAML, of which JSON is a part; `origin` names it in messages. No environment.
  [[nodiscard]] static Config parse(std::string_view text, std::string_view origin);
  ~Config();
  Config(const Config& other);
  Config(Config&&) noexcept;
  Config& operator=(Config other) noexcept;

  /// Takes every variable LIVENESS_SECTION_NAME of the environment (LIVENESS_PIPELINE_DETECT_EVERY=10); lists are
  /// separated by commas. Throws Error(kConfigInvalid), also for a name in a known section that is no key.
  void read_environment();
  /// As a flag: over file and environment. Throws Error(kConfigInvalid).
  void set(std::string_view key, std::string_view value);

  [[nodiscard]] const Settings& settings() const noexcept;
  /// Every key, in the order of the documentation.
  [[nodiscard]] std::vector<Entry> entries() const;
  /// Throws Error(kNotFound), with the nearest known key.
  [[nodiscard]] Entry entry(std::string_view key) const;
  /// The effective values as YAML that load() reads, each with where it came from.
  [[nodiscard]] std::string to_yaml() const;

  /// Reads the file again (environment and flags stay above it). A file that does not check out changes nothing: throws
  /// as load(). Throws Error(kInvalidState) where there is no file.
  Reloaded reload();

  /// Loads the models that are named; where no PAD network or no detector is, the first of that task inside the library
  /// takes its place, if there is one. Throws as Model::load.
  [[nodiscard]] Networks networks() const;

  /// What scores single pictures with networks(). `profiler` as in Predictor::Options. Throws as networks() and
  /// Ensemble's constructor, and Error(kConfigInvalid) where there is no PAD network.
  [[nodiscard]] Ensemble ensemble(Profiler* profiler = nullptr) const;

  /// The same for one stream, which needs a detector too. Throws as Verifier's constructor as well.
  [[nodiscard]] Verifier verifier(Profiler* profiler = nullptr) const;
  /// A governor with the budgets of the section `resources`, whose best workload has the pace of the stream.
  [[nodiscard]] Governor governor() const;

  /// docs/configuration.md.
  [[nodiscard]] static std::string reference();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// "default", "file", "environment" or "flag".
[[nodiscard]] inline constexpr std::string_view to_string(Config::Source source) noexcept {
  switch (source) {
    case Config::Source::kFile: return "file";
    case Config::Source::kEnvironment: return "environment";
    case Config::Source::kFlag: return "flag";
    default: return "default";
  }
}

}  // namespace liveness
