#include "engine/torch_backend.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "liveness/error.hpp"
#include "liveness/version.hpp"
#include "torch/plugin_api.hpp"

namespace liveness {

namespace {

namespace fs = std::filesystem;
namespace api = torch_plugin;

constexpr const char* kFileName = "libliveness_torch.so";
constexpr const char* kHowToGet =
    "build it with LIVENESS_BUILD_TORCH=ON (needs PyTorch 2.11 or later) and put it beside this library, into a folder "
    "of "
    "LIVENESS_PLUGIN_PATH, or name its file";

// The folder of the file that this code lies in: a library of ours, or the program that it is linked into.
fs::path own_folder() {
  Dl_info info{};
  const auto* here = reinterpret_cast<const void*>(&own_folder);
  if (dladdr(here, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  return fs::weakly_canonical(info.dli_fname, ignored).parent_path();
}

std::vector<fs::path> places() {
  std::vector<fs::path> found;
  const fs::path own = own_folder();
  if (!own.empty()) found = {own, (own / ".." / "lib").lexically_normal()};
  const char* list = std::getenv("LIVENESS_PLUGIN_PATH");
  std::string_view rest = list == nullptr ? std::string_view() : std::string_view(list);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    if (end > 0) found.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return found;
}

fs::path find_plugin(const fs::path& given) {
  std::error_code ignored;
  if (!given.empty()) {
    if (fs::is_regular_file(given, ignored)) return given;
    throw Error(Status::kNotFound, "plugin: there is no " + given.string());
  }
  std::string looked;
  for (const fs::path& folder : places()) {
    if (fs::is_regular_file(folder / kFileName, ignored)) return folder / kFileName;
    looked += (looked.empty() ? "" : ", ") + folder.string();
  }
  throw Error(Status::kNotFound,
              std::string("backend torch: there is no ") + kFileName + " (looked in " + looked + "); " + kHowToGet);
}

struct Loaded {
  const api::Plugin* plugin = nullptr;
  fs::path file;
};

// Loaded once for each file and never unloaded: LibTorch's threads and tables would not survive it. Local, so that
// LibTorch's symbols meet nobody else's.
Loaded load_plugin(const fs::path& given) {
  static std::mutex mutex;
  static auto& known = *new std::map<fs::path, const api::Plugin*>;
  std::error_code ignored;
  fs::path file = fs::weakly_canonical(find_plugin(given), ignored);
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(file); found != known.end()) return {found->second, file};
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = dlerror();
    throw Error(Status::kUnsupported, "plugin: " + std::string(why == nullptr ? file.c_str() : why));
  }
  void* symbol = dlsym(handle, api::kEntryName);
  if (symbol == nullptr) {
    throw Error(Status::kUnsupported, "plugin: " + file.string() + " is no plugin of this library: it has no " +
                                          std::string(api::kEntryName));
  }
  const api::Plugin* plugin = reinterpret_cast<api::Entry>(symbol)();
  if (plugin->api_version != api::kApiVersion || plugin->library_version != library_version()) {
    throw Error(Status::kUnsupported, "plugin: " + file.string() + " belongs to version " + plugin->library_version +
                                          " of the library (interface " + std::to_string(plugin->api_version) +
                                          "), this is " + std::string(library_version()) + " (interface " +
                                          std::to_string(api::kApiVersion) + ")");
  }
  known.emplace(file, plugin);
  return {plugin, std::move(file)};
}

void check(const api::Failure& failure) {
  if (failure.status != 0) throw Error(static_cast<Status>(failure.status), failure.message);
}

struct Destroy {
  template <class T>
  void operator()(T* object) const noexcept {
    object->destroy();
  }
};
using ModelHandle = std::unique_ptr<api::Model, Destroy>;

class TorchWorkspace final : public Workspace {
 public:
  explicit TorchWorkspace(api::Workspace* workspace) : handle(workspace) {}
  std::unique_ptr<api::Workspace, Destroy> handle;
};

api::Workspace& handle_of(Workspace& workspace) {
  return *static_cast<TorchWorkspace&>(workspace).handle;
}

class TorchExecutable final : public Executable {
 public:
  explicit TorchExecutable(ModelHandle model) : model_(std::move(model)) {
    for (std::size_t i = 0; i < model_->output_count(); ++i) {
      std::size_t size = 1;
      for (const std::int64_t d : shape(i)) size *= static_cast<std::size_t>(d);
      sizes_.push_back(size);
    }
  }

  std::unique_ptr<Workspace> make_workspace() const override {
    api::Failure failure;
    api::Workspace* made = model_->make_workspace(failure);
    check(failure);
    return std::make_unique<TorchWorkspace>(made);
  }
  PlanarView input(Workspace& workspace) const override {
    const api::Planes planes = handle_of(workspace).input();
    return {planes.data, planes.row_stride, planes.plane_stride};
  }
  void run(Workspace& workspace) const override {
    api::Failure failure;
    handle_of(workspace).run(failure);
    check(failure);
  }
  std::span<const float> output(const Workspace& workspace, std::size_t i) const override {
    return {static_cast<const TorchWorkspace&>(workspace).handle->output(i), sizes_.at(i)};
  }
  int best_batch() const noexcept override { return model_->best_batch(); }
  void run_batch(Workspace& workspace, const float* values, const std::uint8_t* pixels, int batch,
                 std::span<float* const> outputs) const override {
    api::Failure failure;
    handle_of(workspace).run_batch(values, pixels, batch, outputs.data(), failure);
    check(failure);
  }
  std::size_t weight_bytes() const noexcept override { return model_->weight_bytes(); }
  std::size_t workspace_bytes() const noexcept override { return model_->workspace_bytes(); }
  std::vector<StepTime> profile(int rounds) const override {
    std::vector<StepTime> steps;
    const api::StepSink sink{&steps, [](void* to, const char* name, std::int64_t macs, double microseconds) {
                               static_cast<std::vector<StepTime>*>(to)->push_back({name, macs, microseconds});
                             }};
    api::Failure failure;
    model_->profile(rounds, sink, failure);
    check(failure);
    return steps;
  }

  [[nodiscard]] std::vector<std::int64_t> shape(std::size_t i) const {
    std::vector<std::int64_t> found(kMaxRank);
    const std::size_t rank = model_->output_shape(i, found.data(), found.size());
    if (rank > found.size()) {
      throw Error(Status::kModelInvalid, "output " + std::to_string(i) + " has " + std::to_string(rank) + " axes");
    }
    found.resize(rank);
    return found;
  }
  [[nodiscard]] std::string name(std::size_t i) const { return model_->output_name(i); }
  [[nodiscard]] std::size_t outputs() const noexcept { return sizes_.size(); }

 private:
  ModelHandle model_;
  std::vector<std::size_t> sizes_;
};

// What LibTorch computes in, of what is asked for; adds to info.fallback where it is something else.
Precision choose_precision(const Contract& contract, const Model::Options& options, ModelInfo& info) {
  const auto qualified = [&](Precision p) {
    return std::find(contract.qualified.begin(), contract.qualified.end(), p) != contract.qualified.end();
  };
  const bool cpu = options.device == "cpu";
  switch (options.precision) {
    case Precision::kFp32: return Precision::kFp32;
    case Precision::kAuto:
      if (cpu) return qualified(Precision::kInt8) ? Precision::kInt8 : Precision::kFp32;
      return qualified(Precision::kFp16) ? Precision::kFp16 : Precision::kFp32;
    case Precision::kInt8:
      if (cpu) return Precision::kInt8;
      break;
    case Precision::kFp16:
      if (!cpu) return Precision::kFp16;
      throw Error(Status::kUnsupported, "precision: the torch backend has no fp16 on the cpu; use int8 or fp32");
    case Precision::kBf16:
      if (cpu) throw Error(Status::kUnsupported, "precision: the torch backend has no bf16; use int8 or fp32");
      break;
  }
  info.fallback = "precision: " + std::string(to_string(options.precision)) + " is not there on " + options.device +
                  "; weights are expanded to fp16";
  return Precision::kFp16;
}

ModelHandle load_model(const api::LoadOptions& options, const fs::path& plugin) {
  api::Failure failure;
  ModelHandle model(load_plugin(plugin).plugin->load(options, failure));
  check(failure);
  return model;
}

api::LoadOptions load_options(const Contract& contract, const Model::Options& options) {
  const InputContract& input = contract.input;
  api::LoadOptions made;
  made.device = options.device.c_str();
  made.channels = input.channels();
  made.height = input.height;
  made.width = input.width;
  for (int c = 0; c < input.channels(); ++c) {
    const auto i = static_cast<std::size_t>(c);
    made.factor[i] = (input.high - input.low) / 255.0F / input.std[i];
    made.offset[i] = (input.low - input.mean[i]) / input.std[i];
  }
  return made;
}

void describe_model(const api::Model& model, ModelInfo& info) {
  info.backend = Backend::kTorch;
  info.device = model.device();
  info.precision = static_cast<Precision>(model.precision());
  const std::string fallback = model.fallback();
  if (!fallback.empty()) info.fallback += (info.fallback.empty() ? "" : "; ") + fallback;
}

// Names of the outputs in the order in which a program that does not name them must give them.
std::vector<std::string> contract_outputs(const Contract& contract) {
  if (contract.score) return {contract.score->output};
  std::vector<std::string> names;
  if (contract.detector) {
    for (const auto& [role, outputs] : contract.detector->outputs) {
      names.insert(names.end(), outputs.begin(), outputs.end());
    }
  }
  return names;
}

}  // namespace

std::unique_ptr<const Executable> make_torch(Graph graph, const Contract& contract, const Model::Options& options,
                                             ModelInfo& info) {
  api::LoadOptions made = load_options(contract, options);
  made.precision = static_cast<int>(choose_precision(contract, options, info));
  const std::vector<std::byte> bytes = write_package({std::move(graph), contract, {}});
  made.package = bytes.data();
  made.package_size = bytes.size();
  ModelHandle model = load_model(made, options.plugin);
  describe_model(*model, info);
  return std::make_unique<TorchExecutable>(std::move(model));
}

std::unique_ptr<const Executable> make_torch_program(const fs::path& program, const Contract& contract, Graph& graph,
                                                     const Model::Options& options, ModelInfo& info) {
  if (options.precision != Precision::kAuto && options.precision != Precision::kFp32) {
    throw Error(Status::kUnsupported, "precision: a program computes in what it was written for; use auto or fp32");
  }
  api::LoadOptions made = load_options(contract, options);
  made.precision = static_cast<int>(Precision::kFp32);
  const std::string path = program.string();
  made.program = path.c_str();
  ModelHandle model = load_model(made, options.plugin);
  describe_model(*model, info);
  auto executable = std::make_unique<TorchExecutable>(std::move(model));
  graph.values.push_back({"input", {1, made.channels, made.height, made.width}});
  graph.inputs = {0};
  const std::vector<std::string> names = contract_outputs(contract);
  for (std::size_t i = 0; i < executable->outputs(); ++i) {
    std::string name = executable->name(i);
    if (name.empty()) name = i < names.size() ? names[i] : "output" + std::to_string(i);
    Shape shape = executable->shape(i);
    shape.insert(shape.begin(), 1);
    graph.outputs.push_back(static_cast<int>(graph.values.size()));
    graph.values.push_back({std::move(name), std::move(shape)});
  }
  return executable;
}

std::vector<BackendStatus> backends(const fs::path& plugin) {
  BackendStatus native;
  native.available = true;
  native.version = library_version();
  native.devices = {"cpu"};
  BackendStatus torch;
  torch.backend = Backend::kTorch;
  try {
    const Loaded loaded = load_plugin(plugin);
    torch.available = true;
    torch.version = loaded.plugin->torch_version;
    torch.file = loaded.file.string();
    loaded.plugin->devices({&torch.devices, [](void* to, const char* name) {
                              static_cast<std::vector<std::string>*>(to)->emplace_back(name);
                            }});
    loaded.plugin->blas({&torch.blas, [](void* to, const char* file) { *static_cast<std::string*>(to) = file; }});
    loaded.plugin->features({&torch.graphs, [](void* to, const char* feature) {
                               if (std::string_view(feature) == "graphs") *static_cast<bool*>(to) = true;
                             }});
  } catch (const Error& e) {
    torch.missing = e.what();
  }
  return {std::move(native), std::move(torch)};
}

}  // namespace liveness
