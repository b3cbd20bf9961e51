// The plugin's side of plugin_api.hpp. Every exception ends here.
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "liveness/error.hpp"
#include "liveness/version.hpp"
#include "model/package.hpp"
#include "torch/device.hpp"
#include "torch/net.hpp"
#include "torch/network.hpp"
#include "torch/plugin_api.hpp"

namespace liveness::torch_plugin {

Network load_package(const LoadOptions& options, at::Device device, Precision precision) {
  Package package = read_package(std::span(static_cast<const std::byte*>(options.package), options.package_size));
  Network network;
  NetOptions net_options;
  net_options.device = device;
  net_options.precision = precision;
  network.net = std::make_shared<const Net>(package.graph, net_options);
  network.forward = [net = network.net](const at::Tensor& x) { return net->run(x); };
  network.device = device;
  network.precision = precision;
  const auto shape_of = [&](int id) { return package.graph.values[static_cast<std::size_t>(id)].shape; };
  network.input = shape_of(package.graph.inputs[0]);
  for (const int id : package.graph.outputs) {
    network.names.push_back(package.graph.values[static_cast<std::size_t>(id)].name);
    const Shape shape = shape_of(id);
    network.outputs.emplace_back(shape.begin() + 1, shape.end());
  }
  network.weight_bytes = network.net->weight_bytes();
  return network;
}

namespace {

void fail(Failure& failure, Status status, const char* message) noexcept {
  failure.status = static_cast<int>(status);
  std::strncpy(failure.message, message, sizeof(failure.message) - 1);
  failure.message[sizeof(failure.message) - 1] = '\0';
}

// Runs `work`; whatever it throws becomes a failure.
template <class Work>
auto guard(Failure& failure, const Work& work) noexcept -> decltype(work()) {
  try {
    return work();
  } catch (const Error& e) {
    fail(failure, e.status(), e.what());
  } catch (const c10::OutOfMemoryError& e) {
    fail(failure, Status::kOutOfMemory, e.what_without_backtrace());
  } catch (const c10::NotImplementedError& e) {
    fail(failure, Status::kUnsupported, e.what_without_backtrace());
  } catch (const c10::AcceleratorError& e) {
    fail(failure, Status::kDeviceUnavailable, e.what_without_backtrace());
  } catch (const c10::Error& e) {
    fail(failure, Status::kInternal, (std::string("LibTorch: ") + e.what_without_backtrace()).c_str());
  } catch (const std::bad_alloc&) {
    fail(failure, Status::kOutOfMemory, "out of memory");
  } catch (const std::exception& e) {
    fail(failure, Status::kInternal, (std::string("LibTorch: ") + e.what()).c_str());
  } catch (...) {
    fail(failure, Status::kInternal, "LibTorch threw what is no exception");
  }
  return decltype(work())();
}

std::int64_t elements_of(const std::vector<std::int64_t>& shape) {
  std::int64_t n = 1;
  for (const std::int64_t d : shape) n *= d;
  return n;
}

class CpuWorkspace final : public Workspace {
 public:
  explicit CpuWorkspace(const Network& network)
      : network_(network), input_(at::zeros(network.input, at::kFloat)), data_(input_.mutable_data_ptr<float>()) {
    outputs_.resize(network.outputs.size());
  }

  void destroy() noexcept override { delete this; }
  Planes input() noexcept override {
    const bool image = network_.input.size() == 4;
    const std::int64_t width = image ? network_.input[3] : 0;
    return {data_, width, image ? network_.input[2] * width : 0};
  }
  void run(Failure& failure) noexcept override {
    guard(failure, [&] {
      const OneThread one;
      outputs_ = network_.forward(input_);
    });
  }
  const float* output(std::size_t i) const noexcept override { return outputs_[i].const_data_ptr<float>(); }

  void run_batch(const float* values, const std::uint8_t* pixels, int batch, float* const* outputs,
                 Failure& failure) noexcept override {
    const auto size = static_cast<std::size_t>(input_.numel());
    for (int image = 0; image < batch && failure.status == 0; ++image) {
      const std::size_t first = size * static_cast<std::size_t>(image);
      if (pixels == nullptr) {
        std::copy_n(values + first, size, data_);
      } else {
        normalise(pixels + first);
      }
      run(failure);
      if (failure.status != 0) return;
      for (std::size_t i = 0; i < outputs_.size(); ++i) {
        const std::int64_t count = outputs_[i].numel();
        std::copy_n(outputs_[i].const_data_ptr<float>(), count, outputs[i] + count * image);
      }
    }
  }

 private:
  void normalise(const std::uint8_t* pixels) {
    const std::size_t channels = network_.factor.size();
    const std::size_t plane = static_cast<std::size_t>(input_.numel()) / channels;
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t i = 0; i < plane; ++i) {
        data_[c * plane + i] = static_cast<float>(pixels[i * channels + c]) * network_.factor[c] + network_.offset[c];
      }
    }
  }

  const Network& network_;
  at::Tensor input_;
  float* data_;
  std::vector<at::Tensor> outputs_;
};

class DeviceWorkspace final : public Workspace {
 public:
  explicit DeviceWorkspace(const Network& network) : network_(network), session_(network) {
    input_.resize(static_cast<std::size_t>(elements_of(network.input)));
    for (const auto& shape : network.outputs) {
      outputs_.emplace_back(static_cast<std::size_t>(elements_of(shape)));
      places_.push_back(outputs_.back().data());
    }
  }

  void destroy() noexcept override { delete this; }
  Planes input() noexcept override {
    const bool image = network_.input.size() == 4;
    const std::int64_t width = image ? network_.input[3] : 0;
    return {input_.data(), width, image ? network_.input[2] * width : 0};
  }
  void run(Failure& failure) noexcept override {
    guard(failure, [&] { session_.run(input_.data(), nullptr, 1, places_.data()); });
  }
  const float* output(std::size_t i) const noexcept override { return outputs_[i].data(); }
  void run_batch(const float* values, const std::uint8_t* pixels, int batch, float* const* outputs,
                 Failure& failure) noexcept override {
    guard(failure, [&] { session_.run(values, pixels, batch, outputs); });
  }

 private:
  const Network& network_;
  Session session_;
  std::vector<float> input_;
  std::vector<std::vector<float>> outputs_;
  std::vector<float*> places_;
};

class LoadedModel final : public Model {
 public:
  LoadedModel(Network network, std::string fallback)
      : network_(std::move(network)), device_(network_.device.str()), fallback_(std::move(fallback)) {
    for (const auto& shape : network_.outputs) output_bytes_ += 4 * static_cast<std::size_t>(elements_of(shape));
  }

  void destroy() noexcept override { delete this; }
  Workspace* make_workspace(Failure& failure) const noexcept override {
    return guard(failure, [&]() -> Workspace* {
      const c10::InferenceMode inference;
      if (network_.device.is_cpu()) return new CpuWorkspace(network_);
      return new DeviceWorkspace(network_);
    });
  }
  std::size_t output_count() const noexcept override { return network_.outputs.size(); }
  const char* output_name(std::size_t i) const noexcept override { return network_.names[i].c_str(); }
  std::size_t output_shape(std::size_t i, std::int64_t* shape, std::size_t capacity) const noexcept override {
    const auto& from = network_.outputs[i];
    std::copy_n(from.begin(), std::min(capacity, from.size()), shape);
    return from.size();
  }
  const char* device() const noexcept override { return device_.c_str(); }
  int precision() const noexcept override { return static_cast<int>(network_.precision); }
  const char* fallback() const noexcept override { return fallback_.c_str(); }
  int best_batch() const noexcept override {
    return network_.device.is_cpu() || network_.net == nullptr ? 0 : Session::kMaxBatch;
  }
  std::size_t weight_bytes() const noexcept override { return network_.weight_bytes; }
  std::size_t workspace_bytes() const noexcept override {
    return 4 * static_cast<std::size_t>(elements_of(network_.input)) + output_bytes_;
  }
  void profile(int rounds, const StepSink& sink, Failure& failure) const noexcept override {
    guard(failure, [&] {
      if (network_.net == nullptr || !network_.device.is_cpu()) {
        throw Error(Status::kUnsupported, "profile: the torch backend tells steps apart only for packages on the cpu");
      }
      const OneThread one;
      auto notes = network_.net->profile(at::zeros(network_.input, at::kFloat), rounds);
      for (auto& note : notes) {
        const auto middle = note.microseconds.begin() + std::ssize(note.microseconds) / 2;
        std::nth_element(note.microseconds.begin(), middle, note.microseconds.end());
        sink.add(sink.to, note.name.c_str(), note.macs, *middle);
      }
    });
  }

 private:
  Network network_;
  std::string device_;
  std::string fallback_;
  std::size_t output_bytes_ = 0;
};

Network load_on(const LoadOptions& options, at::Device device, Precision precision) {
  Network network =
      options.program != nullptr ? load_program(options, device) : load_package(options, device, precision);
  const auto channels = static_cast<std::size_t>(options.channels);
  network.factor.assign(options.factor, options.factor + channels);
  network.offset.assign(options.offset, options.offset + channels);
  // Whether the device has room for a pass is known when it has made one.
  if (!device.is_cpu()) const Session trial(network);
  return network;
}

Model* load(const LoadOptions& options, Failure& failure) noexcept {
  return guard(failure, [&]() -> Model* {
    const auto precision = static_cast<Precision>(options.precision);
    const FoundDevice found = find_device(options.device);
    std::string reason = found.reason;
    if (found.device) {
      if (found.device->is_cpu()) return new LoadedModel(load_on(options, *found.device, precision), {});
      try {
        return new LoadedModel(load_on(options, *found.device, precision), {});
      } catch (const c10::OutOfMemoryError& e) {
        reason = std::string("out of memory: ") + e.what_without_backtrace();
      } catch (const c10::AcceleratorError& e) {
        reason = e.what_without_backtrace();
      }
    }
    reason = "device " + std::string(options.device) + ": " + reason + "; running on cpu";
    Precision instead = precision;
    if (precision == Precision::kFp16) {
      instead = Precision::kFp32;
      reason += " in fp32";
    }
    return new LoadedModel(load_on(options, at::kCPU, instead), std::move(reason));
  });
}

void devices(const TextSink& sink) noexcept {
  Failure ignored;
  guard(ignored, [&] {
    for (const std::string& name : device_names()) sink.add(sink.to, name.c_str());
  });
}

void blas(const TextSink& sink) noexcept {
  // The order in which LibTorch's own calls look it up: what the process has loaded for all, then what the plugin
  // brought.
  Dl_info info{};
  void* found = dlsym(RTLD_DEFAULT, "sgemm_");
  if (found != nullptr && dladdr(found, &info) != 0 && info.dli_fname != nullptr) sink.add(sink.to, info.dli_fname);
}

void features(const TextSink& sink) noexcept {
  if (has_recordings()) sink.add(sink.to, "graphs");
}

}  // namespace

}  // namespace liveness::torch_plugin

extern "C" __attribute__((visibility("default"))) const liveness::torch_plugin::Plugin* liveness_torch_plugin() {
  namespace plugin = liveness::torch_plugin;
  static constexpr plugin::Plugin kPlugin{plugin::kApiVersion, liveness::kVersion.data(), LIVENESS_TORCH_VERSION,
                                          plugin::load,        plugin::devices,           plugin::blas,
                                          plugin::features};
  return &kPlugin;
}
