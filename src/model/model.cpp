#include "liveness/model.hpp"

#include <algorithm>
#include <array>

#include "engine/backend.hpp"
#include "engine/torch_backend.hpp"
#include "liveness/error.hpp"
#include "model/goldens.hpp"
#include "model/model_impl.hpp"
#include "model/onnx.hpp"
#include "model/sha256.hpp"

namespace liveness {
namespace {

namespace fs = std::filesystem;

// Below fp32, golden inputs tell a network that works from one that does not; how far scores drift is the optimizer's
// question.
constexpr float kCoarseTolerance = 0.25F;

TensorInfo tensor_info(const Graph& graph, int id) {
  const Value& value = graph.values[static_cast<std::size_t>(id)];
  return {value.name, {value.shape.begin() + 1, value.shape.end()}};
}

bool is_onnx(const fs::path& path, const ByteSource& file) {
  if (path.extension() == ".onnx") return true;
  if (path.extension() == ".safetensors") return false;
  // A package's JSON header follows 8 bytes of length; an ONNX file begins with the field ir_version.
  std::array<std::byte, 9> first{};
  file.read(0, std::span(first).first(std::min<std::size_t>(first.size(), file.size())));
  if (first[8] == std::byte{'{'}) return false;
  if (first[0] == std::byte{0x08}) return true;
  throw Error(Status::kModelInvalid, path.string() + ": neither a model package (.safetensors) nor an ONNX file");
}

fs::path contract_beside(const fs::path& onnx) {
  for (const char* extension : {".yaml", ".yml", ".json"}) {
    fs::path candidate = onnx;
    candidate.replace_extension(extension);
    if (fs::exists(candidate)) return candidate;
  }
  throw Error(Status::kNotFound, onnx.string() + ": such a file needs a contract; there is no " + onnx.stem().string() +
                                     ".yaml, .yml or .json beside it");
}

// Messages of the parts below name fields, nodes and tensors; this adds the file.
template <class Work>
auto naming(const fs::path& path, const Work& work) {
  try {
    return work();
  } catch (const Error& e) {
    const std::string_view what = e.what();
    const std::string name = path.string();
    throw Error(e.status(), what.starts_with(name) ? std::string(what) : name + ": " + std::string(what));
  }
}

// Ties the contract to the file: to that very file, where it names one.
void claim_source(Contract& contract, const fs::path& path, std::span<const std::byte> bytes,
                  const fs::path& contract_path) {
  const std::string digest = sha256(bytes);
  std::string& wanted = contract.source_sha256;
  if (!wanted.empty() && wanted != digest) {
    throw Error(Status::kModelInvalid, path.string() + ": its SHA-256 is " + digest + ", but source_sha256 of " +
                                           contract_path.string() + " is " + wanted);
  }
  wanted = digest;
}

// The contract alone: what the program takes and gives is known when it is loaded.
Package package_from_program(const fs::path& path, const Model::Options& options) {
  if (options.backend == Backend::kNative) {
    throw Error(Status::kUnsupported, path.string() + ": a program of PyTorch needs the torch backend");
  }
  if (!options.allow_code) {
    throw Error(Status::kUnsupported, path.string() +
                                          ": such a file is a program, which may do anything; allow_code "
                                          "allows it");
  }
  Package package;
  const fs::path contract_path = options.contract.empty() ? contract_beside(path) : options.contract;
  package.contract = read_contract(contract_path);
  claim_source(package.contract, path, read_file(path), contract_path);
  return package;
}

Package package_from_onnx(const fs::path& path, std::span<const std::byte> bytes, const fs::path& contract_path) {
  Package package;
  package.contract = read_contract(contract_path);
  claim_source(package.contract, path, bytes, contract_path);
  return naming(path, [&] {
    package.graph = read_onnx(bytes, path.string(), package.contract.input.height, package.contract.input.width);
    check_graph(package.graph);
    check_contract(package.contract, package.graph);
    return std::move(package);
  });
}

}  // namespace

Model::Impl::Impl(Package package, const Options& options, const fs::path& program)
    : contract(std::move(package.contract)), goldens(std::move(package.goldens)) {
  Graph& graph = package.graph;
  if (!program.empty()) {
    executable = make_torch_program(program, contract, graph, options, info);
    check_contract(contract, graph);
  }
  info.nodes = describe(graph);
  for (const NodeInfo& node : info.nodes) {
    info.macs += node.macs;
    info.parameters += node.parameters;
  }
  for (const int id : graph.inputs) info.inputs.push_back(tensor_info(graph, id));
  for (const int id : graph.outputs) info.outputs.push_back(tensor_info(graph, id));
  info.identity = identity(contract, graph);
  if (program.empty()) {
    if (contract.task == Task::kDetector) origin = std::make_unique<const Origin>(Origin{graph, options});
    executable = make_executable(std::move(graph), contract, options, info);
  }
  info.weight_bytes = executable->weight_bytes();
  info.workspace_bytes = executable->workspace_bytes();
  if (options.verify && !goldens.empty()) check_golden(0);
}

std::unique_ptr<Workspace> Model::Impl::acquire() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto workspace = std::move(idle_.back());
      idle_.pop_back();
      return workspace;
    }
    idle_.reserve(++made_);
  }
  return executable->make_workspace();
}

void Model::Impl::release(std::unique_ptr<Workspace> workspace) const noexcept {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(workspace));
}

float Model::Impl::check_golden(std::size_t index) const {
  const Golden& golden = goldens[index];
  const Lease lease(*this);
  const float error = golden_error(golden, contract.input, info.outputs, *executable, *lease);
  const bool exact = info.precision == Precision::kFp32 && info.fallback.empty();
  const float tolerance = exact ? golden.tolerance : std::max(golden.tolerance, kCoarseTolerance);
  if (!(error <= tolerance)) {
    throw Error(Status::kModelInvalid, "goldens[" + std::to_string(index) + "]: the outputs are off by " +
                                           std::to_string(error) + ", more than the tolerance of " +
                                           std::to_string(tolerance));
  }
  return error;
}

Model Model::load(const fs::path& path, const Options& options) {
  const FileSource file(path);
  if (path.extension() == ".pt" || path.extension() == ".pt2") {
    Package package = package_from_program(path, options);
    return naming(path, [&] { return Model(std::make_shared<const Impl>(std::move(package), options, path)); });
  }
  if (!is_onnx(path, file)) {
    return naming(path, [&] { return Model(std::make_shared<const Impl>(read_package(file), options)); });
  }
  const fs::path contract = options.contract.empty() ? contract_beside(path) : options.contract;
  Package package = package_from_onnx(path, read_file(path), contract);
  return naming(path, [&] { return Model(std::make_shared<const Impl>(std::move(package), options)); });
}

Model Model::from_memory(std::span<const std::byte> package, const Options& options) {
  return Model(std::make_shared<const Impl>(read_package(package), options));
}

const Contract& Model::contract() const noexcept {
  return impl_->contract;
}
const ModelInfo& Model::info() const noexcept {
  return impl_->info;
}
const std::vector<Golden>& Model::goldens() const noexcept {
  return impl_->goldens;
}

float Model::verify() const {
  float worst = 0;
  for (std::size_t i = 0; i < impl_->goldens.size(); ++i) worst = std::max(worst, impl_->check_golden(i));
  return worst;
}

Model Model::resized(Size input) const {
  const Contract& own = impl_->contract;
  if (input.width < 1 || input.height < 1 || input.width > 1 << 16 || input.height > 1 << 16) {
    throw Error(Status::kInvalidArgument, "input: " + std::to_string(input.width) + " x " +
                                              std::to_string(input.height) + " pixels; 1 to 65536 are needed");
  }
  if (impl_->origin == nullptr) {
    throw Error(Status::kUnsupported,
                "model \"" + own.name + "\": only a detector takes another input size, and this is none");
  }
  for (const int stride : own.detector->strides) {
    if (input.width % stride == 0 && input.height % stride == 0) continue;
    throw Error(Status::kInvalidArgument, "input: " + std::to_string(input.width) + " x " +
                                              std::to_string(input.height) + " is no multiple of the stride " +
                                              std::to_string(stride) + " of model \"" + own.name + "\"");
  }
  Package package;
  package.graph = impl_->origin->graph;
  package.contract = own;
  package.contract.input.width = input.width;
  package.contract.input.height = input.height;
  try {
    resize_graph(package.graph, input.height, input.width);
    check_contract(package.contract, package.graph);
  } catch (const Error& e) {
    throw Error(Status::kUnsupported, "model \"" + own.name + "\" at " + std::to_string(input.width) + " x " +
                                          std::to_string(input.height) + ": " + e.what());
  }
  return Model(std::make_shared<const Impl>(std::move(package), impl_->origin->options));
}

void Model::Impl::run(const float* values, const std::uint8_t* pixels, std::size_t given,
                      std::span<const std::span<float>> outputs, int batch, int threads) const {
  const auto fail = [](const std::string& what) { throw Error(Status::kInvalidArgument, what); };
  if (batch < 1) fail("batch: " + std::to_string(batch) + "; at least 1 is needed");
  if (threads < 1) fail("threads: " + std::to_string(threads) + "; at least 1 is needed");
  const auto images = static_cast<std::size_t>(batch);
  const std::size_t size = info.inputs.front().elements();
  if (given != images * size) {
    fail("input: " + std::to_string(given) + (values != nullptr ? " floats; " : " bytes; ") + std::to_string(batch) +
         " images of " + std::to_string(size) + " are needed");
  }
  if (outputs.size() != info.outputs.size()) {
    fail("outputs: " + std::to_string(outputs.size()) + " spans; the network has " +
         std::to_string(info.outputs.size()) + " outputs");
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::size_t elements = info.outputs[i].elements();
    if (outputs[i].size() == images * elements) continue;
    fail("outputs[" + std::to_string(i) + "] (" + info.outputs[i].name + "): " + std::to_string(outputs[i].size()) +
         " floats; " + std::to_string(batch) + " images of " + std::to_string(elements) + " are needed");
  }
  if (executable->best_batch() > 0) {
    std::vector<float*> places;
    for (const std::span<float>& output : outputs) places.push_back(output.data());
    const Lease lease(*this);
    executable->run_batch(*lease, values, pixels, batch, places);
    return;
  }
  workers.run(images, threads, [&](std::size_t image) {
    const Lease lease(*this);
    const std::size_t first = image * size;
    if (values != nullptr) {
      executable->run_from(*lease, values + first, contract.input);
    } else {
      feed_pixels({pixels + first, size}, 1, contract.input, executable->input(*lease));
      executable->run(*lease);
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::span<const float> found = executable->output(*lease, i);
      std::copy(found.begin(), found.end(), outputs[i].begin() + static_cast<std::ptrdiff_t>(found.size() * image));
    }
  });
}

void Model::run(std::span<const float> input, std::span<const std::span<float>> outputs, int batch, int threads) const {
  impl_->run(input.data(), nullptr, input.size(), outputs, batch, threads);
}

void Model::run(std::span<const std::uint8_t> pixels, std::span<const std::span<float>> outputs, int batch,
                int threads) const {
  impl_->run(nullptr, pixels.data(), pixels.size(), outputs, batch, threads);
}

std::vector<StepTime> Model::profile(int rounds) const {
  if (rounds < 1) throw Error(Status::kInvalidArgument, "rounds: " + std::to_string(rounds) + "; at least 1 is needed");
  return impl_->executable->profile(rounds);
}

void convert_onnx(const fs::path& onnx, const fs::path& contract, const fs::path& package, int goldens) {
  if (goldens < 0 || goldens > kMaxGoldens) {
    throw Error(Status::kInvalidArgument,
                "goldens: " + std::to_string(goldens) + " is not in 0.." + std::to_string(kMaxGoldens));
  }
  Package made = package_from_onnx(onnx, read_file(onnx), contract);
  const std::vector<std::byte> bytes = naming(onnx, [&] {
    made.goldens = make_goldens(made, goldens);
    std::vector<std::byte> written = write_package(made);
    // What is handed out must load, and give the golden outputs on this machine's best kernels too.
    static_cast<void>(Model::from_memory(written).verify());
    return written;
  });
  write_file(package, bytes);
}

}  // namespace liveness
