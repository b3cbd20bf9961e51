// Which networks a verb works with, and where they are looked for.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "liveness/ensemble.hpp"

namespace liveness::cli {

// A network on disk; `contract` is empty for packages and for ONNX files that have theirs beside them. One that is
// compiled into the library has its name in `builtin`, and words for people as its path.
struct ModelFile {
  std::filesystem::path path;
  std::filesystem::path contract;
  std::string builtin = {};
};

// A file of the folder `models` as it came with the program: installed, otherwise in the source tree. Empty where there
// is none.
[[nodiscard]] std::filesystem::path shipped_file(const std::string& name);

// The user's own models, where `liveness models get` puts them: XDG_DATA_HOME, otherwise ~/.local/share. Empty without
// a home.
[[nodiscard]] std::filesystem::path data_folder();

// Folders that are searched for names of packages, in order: LIVENESS_MODEL_PATH (colon-separated), the user's own
// models, the installation's share folder, the source tree's models. Only those that exist.
[[nodiscard]] std::vector<std::filesystem::path> search_path();

// Packages (*.safetensors) of a folder, sorted by name.
[[nodiscard]] std::vector<std::filesystem::path> packages_in(const std::filesystem::path& folder);

// The third-party networks that stand in until packages of the project's own are found: the published MiniFASNet pair
// and YuNet 320, from the folder that LIVENESS_MODELS names, otherwise the source tree's ../shared/models.
[[nodiscard]] std::filesystem::path third_party_folder();
[[nodiscard]] std::vector<ModelFile> third_party_pair();
[[nodiscard]] ModelFile third_party_detector();

// A file as the command line names it: a path, or the name of a package or ONNX file in the search path, of a network
// that is built in, or of a model of the manifest. An ONNX file without a contract beside it takes the shipped one that
// has its name. Throws UsageError where there is no such file.
[[nodiscard]] ModelFile resolve(const std::string& given);
// The same for a model of the manifest that is several networks.
[[nodiscard]] std::vector<ModelFile> resolve_all(const std::string& given);
[[nodiscard]] Model load(const ModelFile& file, Model::Options options = {});

// Where and how networks run: --isa, --precision, --backend, --device, --plugin, --allow-code.
struct EngineFlags {
  std::string isa = "auto";
  std::string precision = "auto";
  std::string backend = "auto";
  std::string device = "cpu";
  std::string plugin;
  bool allow_code = false;
  void add_to(CLI::App& app);
  [[nodiscard]] Model::Options options() const;
};

// The options --model and --detector, the same for every verb that has them.
struct ModelFlags {
  std::vector<std::string> models;
  std::string detector;
  EngineFlags engine;
  void add_to(CLI::App& app);
};

struct Chosen {
  std::vector<Model> members;
  std::optional<Model> detector;
};

// What the flags name, otherwise the first folder of LIVENESS_MODEL_PATH that has PAD packages (all of them, and its
// detector), otherwise what is compiled into the library, otherwise the third-party networks; says on stderr when it is
// those. Throws UsageError with a way out
// where nothing is found.
[[nodiscard]] Chosen choose(const ModelFlags& flags, bool need_detector);
[[nodiscard]] Chosen choose(const std::vector<std::string>& models, const std::string& detector,
                            const Model::Options& options, bool need_detector);

}  // namespace liveness::cli
