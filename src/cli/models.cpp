#include "models.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string_view>

#include "liveness/builtin.hpp"
#include "manifest.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace fs = std::filesystem;
namespace {

struct ThirdParty {
  std::string_view file;
  std::string_view contract;
};
// Publishers' file names and the contracts that this project wrote for them.
constexpr ThirdParty kV2 = {"minifasnet_v2_80_scale2.7.onnx", "minifasnet_v2_80.yaml"};
constexpr ThirdParty kV1Se = {"minifasnet_v1se_80_scale4.0.onnx", "minifasnet_v1se_80.yaml"};
constexpr ThirdParty kV2Se = {"minifasnet_v2se_128_scale1.5.onnx", "minifasnet_v2se_128.yaml"};
constexpr ThirdParty kYunet320 = {"yunet_s_320_320.onnx", "yunet_320.yaml"};
constexpr ThirdParty kYunet640 = {"yunet_s_640_640.onnx", "yunet_640.yaml"};
constexpr ThirdParty kLandmark68 = {"landmark68_64.onnx", "landmark68_64.yaml"};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}
bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// Where the program itself lies, for an installation that was moved.
fs::path program_folder() {
  std::error_code failed;
  const fs::path self = fs::read_symlink("/proc/self/exe", failed);
  return failed ? fs::path() : self.parent_path();
}

fs::path installed_models() {
  return (program_folder() / ".." / LIVENESS_DATA_DIR / "models").lexically_normal();
}

fs::path contract_file(std::string_view name) {
  return shipped_file("contracts/" + std::string(name));
}

ModelFile third_party(const ThirdParty& t) {
  return {third_party_folder() / t.file, contract_file(t.contract)};
}

bool usable(const ModelFile& file) {
  return is_file(file.path) && is_file(file.contract);
}

void add_folder(std::vector<fs::path>& all, const fs::path& folder) {
  if (!folder.empty() && is_folder(folder) && std::find(all.begin(), all.end(), folder) == all.end())
    all.push_back(folder);
}

// Those of LIVENESS_MODEL_PATH.
std::vector<fs::path> user_folders() {
  std::vector<fs::path> all;
  if (const char* given = std::getenv("LIVENESS_MODEL_PATH")) {
    std::stringstream list(given);
    for (std::string folder; std::getline(list, folder, ':');) add_folder(all, folder);
  }
  return all;
}

bool is_built_in(Task task) {
  const auto& all = builtin_models();
  return std::any_of(all.begin(), all.end(), [task](const BuiltinModel& m) { return m.task == task; });
}

}  // namespace

fs::path shipped_file(const std::string& name) {
  for (const fs::path& folder : {installed_models(), fs::path(LIVENESS_SOURCE_DIR) / "models"})
    if (fs::path file = folder / name; is_file(file)) return file;
  return {};
}

fs::path data_folder() {
  if (const char* given = std::getenv("XDG_DATA_HOME"); given != nullptr && *given == '/')
    return fs::path(given) / "liveness" / "models";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return fs::path(home) / ".local" / "share" / "liveness" / "models";
  return {};
}

std::vector<fs::path> search_path() {
  std::vector<fs::path> all = user_folders();
  const auto add = [&](const fs::path& folder) { add_folder(all, folder); };
  add(data_folder());
  add(installed_models());
  add(fs::path(LIVENESS_SOURCE_DIR) / "models");
  return all;
}

std::vector<fs::path> packages_in(const fs::path& folder) {
  std::vector<fs::path> all;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".safetensors" && is_file(entry.path())) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}

fs::path third_party_folder() {
  const char* given = std::getenv("LIVENESS_MODELS");
  return given != nullptr ? fs::path(given)
                          : (fs::path(LIVENESS_SOURCE_DIR) / ".." / "shared" / "models").lexically_normal();
}

std::vector<ModelFile> third_party_pair() {
  std::vector<ModelFile> all = {third_party(kV2), third_party(kV1Se)};
  return std::all_of(all.begin(), all.end(), usable) ? all : std::vector<ModelFile>();
}

ModelFile third_party_detector() {
  ModelFile file = third_party(kYunet320);
  return usable(file) ? file : ModelFile();
}

namespace {

// An ONNX file with its contract: that beside it, otherwise the shipped one for it.
ModelFile with_contract(const fs::path& path) {
  for (const char* extension : {".yaml", ".yml", ".json"})
    if (is_file(fs::path(path).replace_extension(extension))) return {path, {}};
  for (const auto& t : {kV2, kV1Se, kV2Se, kYunet320, kYunet640, kLandmark68})
    if (path.filename() == t.file) return {path, contract_file(t.contract)};
  return {path, contract_file(path.stem().string() + ".yaml")};
}

// What lies in the search path under this name, or is built in.
std::optional<ModelFile> named(const std::string& name) {
  for (const auto& folder : search_path()) {
    for (const auto& package : packages_in(folder))
      if (package.stem() == name || package.filename() == name) return ModelFile{package, {}};
    for (const char* extension : {"", ".onnx"})
      if (const fs::path file = folder / (name + extension); file.extension() == ".onnx" && is_file(file))
        return with_contract(file);
  }
  for (const BuiltinModel& model : builtin_models())
    if (model.name == name) return ModelFile{"built in: " + model.name, {}, model.name};
  return {};
}

// The files of a model of the manifest.
std::vector<ModelFile> listed(const std::string& name) {
  std::vector<ModelFile> all;
  if (shipped_file("manifest.yaml").empty()) return all;
  const Manifest manifest = read_manifest();
  for (const ManifestEntry& entry : manifest.entries) {
    if (entry.name != name) continue;
    for (const ManifestFile& file : entry.files) {
      const auto found = named(file.file);
      if (!found)
        throw UsageError(fmt::format("model '{}': not here; `liveness models get {}` fetches it ({} bytes, {})", name,
                                     name, file.size, entry.licence));
      all.push_back(*found);
    }
  }
  return all;
}

}  // namespace

std::vector<ModelFile> resolve_all(const std::string& given) {
  const fs::path path = given;
  if (is_file(path)) return {path.extension() == ".onnx" ? with_contract(path) : ModelFile{path, {}}};
  if (path.has_filename() && !path.has_parent_path()) {
    if (const auto one = named(given)) return {*one};
    if (auto all = listed(given); !all.empty()) return all;
  }
  throw UsageError(fmt::format(
      "model '{}': no such file, and no model of that name in the search path (see `liveness models list`)", given));
}

ModelFile resolve(const std::string& given) {
  const std::vector<ModelFile> all = resolve_all(given);
  if (all.size() > 1) {
    std::string names;
    for (const ModelFile& file : all) names += (names.empty() ? "" : ", ") + file.path.stem().string();
    throw UsageError(fmt::format("model '{}' is several networks: name one of {}", given, names));
  }
  return all.front();
}

Model load(const ModelFile& file, Model::Options options) {
  if (!file.builtin.empty()) return builtin_model(file.builtin, options);
  options.contract = file.contract;
  return Model::load(file.path, options);
}

void EngineFlags::add_to(CLI::App& app) {
  app.add_option("--isa", isa, "instruction set of the engine")
      ->check(CLI::IsMember({"auto", "portable", "avx2", "avx512", "amx"}))
      ->capture_default_str();
  app.add_option("--precision", precision, "what dense convolutions are computed in; auto: what the package allows")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "int8", "fp16"}))
      ->capture_default_str();
  app.add_option("--backend", backend, "who runs the networks")
      ->check(CLI::IsMember({"auto", "native", "torch"}))
      ->capture_default_str();
  app.add_option("--device", device, "cpu, cuda or cuda:NUMBER")->capture_default_str();
  app.add_option("--plugin", plugin,
                 "file of the torch backend; otherwise beside the library or in LIVENESS_PLUGIN_PATH")
      ->type_name("FILE");
  app.add_flag("--allow-code", allow_code, "allow TorchScript (.pt) and AOTInductor (.pt2) files, which are programs");
}

Model::Options EngineFlags::options() const {
  Model::Options options;
  for (const Isa one : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAmx})
    if (isa == to_string(one)) options.isa = one;
  for (const Precision one : {Precision::kFp32, Precision::kBf16, Precision::kInt8, Precision::kFp16})
    if (precision == to_string(one)) options.precision = one;
  for (const Backend one : {Backend::kNative, Backend::kTorch})
    if (backend == to_string(one)) options.backend = one;
  options.device = device;
  options.plugin = plugin;
  options.allow_code = allow_code;
  return options;
}

void ModelFlags::add_to(CLI::App& app) {
  app.add_option(
         "--model", models,
         "PAD network: a package, an ONNX file with its contract beside it, or a package's name; may be repeated")
      ->allow_extra_args(false)
      ->type_name("FILE");
  app.add_option("--detector", detector, "face detector, as --model")->type_name("FILE");
  engine.add_to(app);
}

Chosen choose(const ModelFlags& flags, bool need_detector) {
  return choose(flags.models, flags.detector, flags.engine.options(), need_detector);
}

Chosen choose(const std::vector<std::string>& models, const std::string& detector, const Model::Options& options,
              bool need_detector) {
  Chosen chosen;
  for (const auto& name : models)
    for (const ModelFile& file : resolve_all(name)) chosen.members.push_back(load(file, options));
  if (!detector.empty()) chosen.detector = load(resolve(detector), options);

  for (const auto& folder : user_folders()) {
    if (!chosen.members.empty() && (chosen.detector || !need_detector)) break;
    std::vector<Model> pads;
    std::optional<Model> found;
    for (const auto& package : packages_in(folder)) {
      Model model = load({package, {}}, options);
      if (model.contract().task == Task::kPad)
        pads.push_back(std::move(model));
      else if (model.contract().task == Task::kDetector && !found)
        found = std::move(model);
    }
    if (chosen.members.empty()) chosen.members = std::move(pads);
    if (!chosen.detector) chosen.detector = std::move(found);
  }
  if (chosen.members.empty() && is_built_in(Task::kPad)) chosen.members.push_back(builtin_model("pad", options));
  if (need_detector && !chosen.detector && is_built_in(Task::kDetector))
    chosen.detector = builtin_model("detector", options);

  std::string foreign;
  const auto take = [&](const ModelFile& file) {
    foreign += (foreign.empty() ? "" : ", ") + file.path.filename().string();
    return load(file, options);
  };
  if (chosen.members.empty())
    for (const auto& file : third_party_pair()) chosen.members.push_back(take(file));
  if (need_detector && !chosen.detector)
    if (const ModelFile file = third_party_detector(); !file.path.empty()) chosen.detector = take(file);
  if (!foreign.empty())
    fmt::print(stderr, "liveness: no package of the project's own; using third-party networks of {}: {}\n",
               third_party_folder().string(), foreign);
  if (chosen.members.empty())
    throw UsageError(
        "no PAD network found: give --model FILE, or set LIVENESS_MODEL_PATH to a folder with packages (see `liveness "
        "doctor`)");
  if (need_detector && !chosen.detector)
    throw UsageError(
        "no face detector found: give --detector FILE or --boxes FILE, or set LIVENESS_MODEL_PATH (see `liveness "
        "doctor`)");
  std::set<std::string> said;
  const auto say = [&said](const Model& model) {
    const std::string& fallback = model.info().fallback;
    if (!fallback.empty() && said.insert(fallback).second) fmt::print(stderr, "liveness: {}\n", fallback);
  };
  std::for_each(chosen.members.begin(), chosen.members.end(), say);
  if (chosen.detector) say(*chosen.detector);
  return chosen;
}

}  // namespace liveness::cli
