#include "engine/backend.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/isa.hpp"
#include "engine/torch_backend.hpp"
#include "liveness/error.hpp"

namespace liveness {

namespace {

Isa choose_isa(Isa wanted) {
  if (wanted == Isa::kAuto) return default_isa();
  const std::vector<Isa> available = available_isas();
  if (std::find(available.begin(), available.end(), wanted) == available.end()) {
    throw Error(Status::kUnsupported, "this machine cannot run the instruction set " + std::string(to_string(wanted)));
  }
  return wanted;
}

void check_device(const std::string& device) {
  constexpr std::string_view kCuda = "cuda";
  std::string_view rest = device;
  if (rest == "cpu" || rest == kCuda) return;
  if (rest.starts_with(kCuda) && rest.size() > kCuda.size() + 1 && rest.size() <= kCuda.size() + 4 &&
      rest[kCuda.size()] == ':') {
    rest.remove_prefix(kCuda.size() + 1);
    if (std::all_of(rest.begin(), rest.end(), [](char c) { return c >= '0' && c <= '9'; })) return;
  }
  throw Error(Status::kInvalidArgument, "device: \"" + device + "\" is none; expected cpu, cuda or cuda:NUMBER");
}

std::unique_ptr<const Executable> make_native(Graph graph, const Contract& contract, const Model::Options& options,
                                              ModelInfo& info) {
  if (options.device != "cpu") {
    throw Error(Status::kUnsupported, "device: the native backend runs on cpu, not on " + options.device);
  }
  if (options.precision == Precision::kFp16) {
    throw Error(Status::kUnsupported, "precision: the native backend has no fp16; use bf16, int8 or fp32");
  }
  info.backend = Backend::kNative;
  info.device = options.device;
  info.isa = choose_isa(options.isa);
  info.precision = options.precision;
  const std::vector<Precision> fast = fast_precisions(info.isa);
  if (options.precision == Precision::kAuto) {
    const std::vector<Precision>& qualified = contract.qualified;
    const auto best = std::find_first_of(fast.begin(), fast.end(), qualified.begin(), qualified.end());
    info.precision = best == fast.end() ? Precision::kFp32 : *best;
  }
  const Precision planned = info.precision;
  if (planned == Precision::kBf16 && !engine::has_bf16(info.isa)) {
    info.precision = Precision::kFp32;
    info.fallback = "bf16: " + std::string(to_string(info.isa)) +
                    " has no instructions for it here; the same rounded weights are computed with in fp32";
  }
  return plan_cpu(std::move(graph), info.isa, planned);
}

}  // namespace

std::string_view to_string(Precision precision) noexcept {
  switch (precision) {
    case Precision::kAuto: return "auto";
    case Precision::kFp32: return "fp32";
    case Precision::kBf16: return "bf16";
    case Precision::kInt8: return "int8";
    case Precision::kFp16: return "fp16";
  }
  return "unknown";
}

std::string_view to_string(Backend backend) noexcept {
  switch (backend) {
    case Backend::kAuto: return "auto";
    case Backend::kNative: return "native";
    case Backend::kTorch: return "torch";
  }
  return "unknown";
}

void Executable::run_from(Workspace& workspace, const float* values, const InputContract& size) const {
  const PlanarView view = input(workspace);
  for (int c = 0; c < size.channels(); ++c) {
    for (int y = 0; y < size.height; ++y, values += size.width) {
      std::copy_n(values, size.width, view.data + c * view.plane_stride + y * view.row_stride);
    }
  }
  run(workspace);
}

std::unique_ptr<const Executable> make_executable(Graph graph, const Contract& contract, const Model::Options& options,
                                                  ModelInfo& info) {
  check_device(options.device);
  const bool elsewhere = options.device != "cpu";
  if (options.backend == Backend::kTorch || (options.backend == Backend::kAuto && elsewhere)) {
    return make_torch(std::move(graph), contract, options, info);
  }
  return make_native(std::move(graph), contract, options, info);
}

}  // namespace liveness
