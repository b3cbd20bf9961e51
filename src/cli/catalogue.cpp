// liveness models: which there are, fetching them, checking them.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>

#include "download.hpp"
#include "liveness/builtin.hpp"
#include "manifest.hpp"
#include "model/package.hpp"
#include "models.hpp"
#include "record.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::string manifest;
  std::string to;
  std::vector<std::string> names;
  bool json = false;
};

// Where the contract of an ONNX file lies when that is in place: beside it.
fs::path contract_beside(const fs::path& target, const ManifestFile& file) {
  return fs::path(target).replace_extension(file.contract.extension());
}

// The file where it is: beside the manifest, in `to`, otherwise in the search path; empty where it is nowhere.
fs::path find(const ManifestFile& file, const std::string& to) {
  std::error_code none;
  if (!file.own.empty()) return fs::is_regular_file(file.own, none) ? file.own : fs::path();
  if (!to.empty()) return fs::is_regular_file(fs::path(to) / file.file, none) ? fs::path(to) / file.file : fs::path();
  for (const fs::path& folder : search_path())
    if (fs::is_regular_file(folder / file.file, none)) return folder / file.file;
  return {};
}

bool is_here(const ManifestEntry& entry, const std::string& to) {
  return std::all_of(entry.files.begin(), entry.files.end(), [&](const auto& f) { return !find(f, to).empty(); });
}

std::uint64_t size_of(const ManifestEntry& entry) {
  std::uint64_t size = 0;
  for (const ManifestFile& f : entry.files) size += f.size;
  return size;
}

int list(const Options& o) {
  const Manifest manifest = read_manifest(o.manifest);
  if (o.json) {
    Json models = Json::array();
    for (const ManifestEntry& e : manifest.entries) {
      Json files = Json::array();
      for (const ManifestFile& f : e.files) {
        const fs::path here = find(f, o.to);
        files.push_back({{"file", f.file},
                         {"address", f.address.empty() ? Json(nullptr) : Json(f.address)},
                         {"size", f.size},
                         {"sha256", f.sha256},
                         {"here", here.empty() ? Json(nullptr) : Json(here.string())}});
      }
      models.push_back({{"name", e.name},
                        {"task", e.task},
                        {"licence", e.licence},
                        {"provenance", e.provenance},
                        {"here", is_here(e, o.to)},
                        {"files", files}});
    }
    Json built_in = Json::array();
    for (const BuiltinModel& m : builtin_models())
      built_in.push_back({{"name", m.name}, {"licence", m.licence}, {"bytes", m.package.size()}});
    const Json all = {{"manifest", manifest.path.string()}, {"models", models}, {"built_in", built_in}};
    fmt::print("{}\n", all.dump(2, ' ', false, Json::error_handler_t::replace));
    return kExitOk;
  }
  const auto row = [](const std::string& name, std::string_view task, std::uint64_t bytes, const std::string& licence,
                      const std::string& state) {
    fmt::print("{:<20} {:<9} {:>9}  {:<12} {}\n", name, task, bytes, licence, state);
  };
  std::set<std::string> inside;
  for (const BuiltinModel& m : builtin_models()) {
    inside.insert(m.name);
    row(m.name,
        m.task == Task::kPad        ? "pad"
        : m.task == Task::kDetector ? "detector"
                                    : "other",
        m.package.size(), m.licence, "built in");
  }
  for (const ManifestEntry& e : manifest.entries)
    if (!inside.contains(e.name))
      row(e.name, e.task, size_of(e), e.licence,
          is_here(e, o.to) ? "here" : "to be had: liveness models get " + e.name);
  return kExitOk;
}

// Throws where the file in that place is not the one of the manifest, or does not load.
Model check(const ManifestFile& file, const fs::path& place) {
  std::error_code none;
  const auto size = fs::file_size(place, none);
  if (size != file.size)
    throw Error(Status::kModelInvalid,
                fmt::format("{}: {} bytes, the manifest says {}", place.string(), size, file.size));
  const std::string found = sha256_of(place);
  if (found != file.sha256)
    throw Error(Status::kModelInvalid,
                fmt::format("{}: its SHA-256 is {}, the manifest says {}", place.string(), found, file.sha256));
  ModelFile model{place, {}};
  if (!file.contract.empty()) model.contract = contract_beside(place, file);
  return load(model);
}

void get(const ManifestFile& file, const fs::path& target) {
  std::error_code none;
  if (fs::is_regular_file(target, none) && fs::file_size(target, none) == file.size && sha256_of(target) == file.sha256)
    fmt::print("{}: here already\n", target.string());
  else
    download(file, target);
  if (!file.contract.empty()) write_file(contract_beside(target, file), read_file(file.contract));
}

int get(const Options& o) {
  const Manifest manifest = read_manifest(o.manifest);
  const fs::path folder = o.to.empty() ? data_folder() : fs::path(o.to);
  if (folder.empty()) throw UsageError("neither XDG_DATA_HOME nor HOME is set: --to DIR says where the models go");
  std::vector<const ManifestEntry*> entries;
  for (const std::string& name : o.names) entries.push_back(&manifest.entry(name));
  for (const ManifestEntry* entry : entries) {
    fmt::print("{}: {} bytes, {}\n  {}\n", entry->name, size_of(*entry), entry->licence, entry->provenance);
    std::string use;
    for (const ManifestFile& file : entry->files) {
      const fs::path target = file.own.empty() ? folder / file.file : file.own;
      if (file.own.empty()) get(file, target);
      const Model model = check(file, target);
      fmt::print("  {}: checked, {:.1f} MMAC\n", target.string(), static_cast<double>(model.info().macs) * 1e-6);
      use +=
          (entry->task == "detector" ? " --detector " : " --model ") + (o.to.empty() ? target.stem() : target).string();
    }
    fmt::print("  use: liveness score{} PICTURE\n", use);
  }
  return kExitOk;
}

int verify(const Options& o) {
  const Manifest manifest = read_manifest(o.manifest);
  std::vector<const ManifestEntry*> entries;
  for (const std::string& name : o.names) entries.push_back(&manifest.entry(name));
  if (o.names.empty())
    for (const ManifestEntry& e : manifest.entries) entries.push_back(&e);
  int code = kExitOk;
  const auto say = [&](const std::string& what, const auto& work) {
    try {
      work();
      fmt::print("{}: right\n", what);
    } catch (const Error& e) {
      code = kExitFailed;
      fmt::print("{}: WRONG: {}\n", what, e.what());
    }
  };
  if (o.names.empty())
    for (const BuiltinModel& m : builtin_models())
      say(m.name + " (built in)", [&] { static_cast<void>(builtin_model(m.name).verify()); });
  for (const ManifestEntry* e : entries)
    for (const ManifestFile& file : e->files) {
      const fs::path place = find(file, o.to);
      if (!place.empty()) {
        say(place.string(), [&] { static_cast<void>(check(file, place).verify()); });
      } else if (!o.names.empty()) {
        code = kExitFailed;
        fmt::print("{}: not here; `liveness models get {}` fetches it\n", file.file, e->name);
      }
    }
  return code;
}

}  // namespace

void add_models(CLI::App& app, Action& action) {
  CLI::App& verb = *app.add_subcommand("models", "Lists, fetches and checks the models that can be had");
  verb.require_subcommand(1);
  auto o = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* what, int (*run)(const Options&)) -> CLI::App& {
    CLI::App& sub = *verb.add_subcommand(name, what);
    sub.add_option("--manifest", o->manifest, "another list of models than the one that came with the program")
        ->type_name("FILE");
    sub.add_option("--to", o->to, "folder of the models; otherwise $XDG_DATA_HOME/liveness/models or ~/.local/share")
        ->type_name("DIR");
    sub.callback([o, run, &action] { action = [o, run] { return run(*o); }; });
    return sub;
  };
  add("list", "What there is, and what is here", list).add_flag("--json", o->json, "one JSON document");
  add("get", "Fetches models: over https by the program curl, gone on with where it broke off, checked by SHA-256", get)
      .add_option("names", o->names, "as `list` names them")
      ->required()
      ->type_name("NAME");
  add("verify", "Checks size, SHA-256 and golden inputs; without a name, of all that is here", verify)
      .add_option("names", o->names, "as `list` names them")
      ->type_name("NAME");
  verb.footer("Example:\n  liveness models get minifasnet-pair\n  liveness score --model minifasnet-pair photo.jpg");
}

}  // namespace liveness::cli
