#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "configured.hpp"
#include "record.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace {

struct Options {
  ConfigFlags config;
  bool json = false;
  bool changed = false;
};

int check(const Options& o) {
  const Config config = o.config.load();
  std::size_t set = 0;
  for (const auto& e : config.entries()) set += e.source == Config::Source::kFile ? 1 : 0;
  fmt::print("{}: {} keys, all right\n", o.config.file, set);
  return kExitOk;
}

int show(const Options& o) {
  const Config config = o.config.load();
  if (!o.json && !o.changed) {
    fmt::print("{}", config.to_yaml());
    return kExitOk;
  }
  Json all = Json::object();
  for (const auto& e : config.entries()) {
    if (o.changed && e.source == Config::Source::kDefault) continue;
    if (!o.json) fmt::print("{} = {}  # {}\n", e.key, e.value, e.where);
    all[e.key] = {
        {"value", Json::parse(e.value)}, {"source", to_string(e.source)}, {"where", e.where}, {"live", e.live}};
  }
  if (o.json) fmt::print("{}\n", line(all));
  return kExitOk;
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App& verb = *app.add_subcommand("config", "Checks a configuration, shows what holds and where it came from");
  verb.require_subcommand(1);
  CLI::App& check_verb = *verb.add_subcommand("check", "Whether a file is right: every key, type and range");
  o->config.add_to(check_verb, true);
  check_verb.callback([o, &action] { action = [o] { return check(*o); }; });
  CLI::App& show_verb = *verb.add_subcommand("show", "The effective values, each with where it came from");
  o->config.add_to(show_verb, true);
  show_verb.get_option("file")->required(false);
  show_verb.add_flag("--json", o->json, "one JSON document");
  show_verb.add_flag("--changed", o->changed, "only what is not a default");
  show_verb.callback([o, &action] { action = [o] { return show(*o); }; });
  CLI::App& docs_verb =
      *verb.add_subcommand("docs", "docs/configuration.md: every key, generated from the table that checks");
  docs_verb.callback([&action] {
    action = [] {
      fmt::print("{}", Config::reference());
      return kExitOk;
    };
  });
  verb.footer(
      "Examples:\n"
      "  liveness config check door.yaml\n"
      "  liveness config show door.yaml --changed\n"
      "  LIVENESS_PIPELINE_SKIP=1 liveness config show --set resources.cpu=0.25");
}

}  // namespace liveness::cli
