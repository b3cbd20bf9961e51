// The options --config and --set, the same for every verb that has them.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "liveness/config.hpp"

namespace liveness::cli {

struct ConfigFlags {
  std::string file;
  std::vector<std::string> set;  // KEY=VALUE

  // `positional`: the file is the verb's first argument, and needed.
  void add_to(CLI::App& app, bool positional) {
    if (positional)
      app.add_option("file", file, "configuration, .yaml, .yml or .json")->type_name("FILE")->required();
    else
      app.add_option("--config", file, "configuration; docs/configuration.md lists the keys")->type_name("FILE");
    app.add_option("--set", set, "one key, over file and environment; may be repeated")
        ->allow_extra_args(false)
        ->type_name("KEY=VALUE")
        ->check([](const std::string& text) {
          return text.find('=') == std::string::npos ? "expected KEY=VALUE, got '" + text + "'" : std::string();
        });
  }

  // Defaults, file, environment, flags. Throws Error.
  [[nodiscard]] Config load() const {
    Config config;
    if (file.empty())
      config.read_environment();
    else
      config = Config::load(file);
    for (const auto& one : set) {
      const auto equals = one.find('=');
      config.set(one.substr(0, equals), one.substr(equals + 1));
    }
    return config;
  }
};

}  // namespace liveness::cli
