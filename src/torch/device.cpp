#include "torch/device.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <shared_mutex>

namespace liveness::torch_plugin {

namespace {

constexpr int kWarmUps = 3;  // libraries choose their algorithms and allocators fill before a pass is recorded

// A recording must not see another thread's work on the device.
std::shared_mutex& device_mutex() {
  static std::shared_mutex mutex;
  return mutex;
}

int bucket_of(int count) {
  int size = 1;
  while (size < count) size *= 2;
  return size;
}

// The stream as the current one, for a scope; nothing on the CPU.
class OnStream {
 public:
  explicit OnStream(const std::optional<c10::Stream>& stream) {
    if (stream) guard_.emplace(*stream);
  }

 private:
  std::optional<c10::StreamGuard> guard_;
};

}  // namespace

FoundDevice find_device(const std::string& name) {
  const at::Device wanted(name);
  if (wanted.is_cpu()) return {wanted, {}};
  const std::string type = c10::DeviceTypeName(wanted.type(), true);
  if (!c10::impl::hasDeviceGuardImpl(wanted.type())) {
    return {{}, "this LibTorch (" LIVENESS_TORCH_VERSION ") is built without " + type};
  }
  const c10::DeviceIndex count = c10::impl::VirtualGuardImpl(wanted.type()).deviceCount();
  if (count == 0) return {{}, "no " + type + " device is present"};
  const c10::DeviceIndex index = wanted.has_index() ? wanted.index() : c10::DeviceIndex{0};
  if (index >= count) {
    return {{}, "there is no " + name + "; the last " + type + " device is " + std::to_string(int{count} - 1)};
  }
  return {at::Device(wanted.type(), index), {}};
}

std::vector<std::string> device_names() {
  std::vector<std::string> names{"cpu"};
  if (!c10::impl::hasDeviceGuardImpl(at::kCUDA)) return names;
  const c10::DeviceIndex count = c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount();
  for (c10::DeviceIndex i = 0; i < count; ++i) names.push_back("cuda:" + std::to_string(int{i}));
  return names;
}

Session::Session(const Network& network) : network_(network), cpu_(network.device.is_cpu()) {
  const c10::InferenceMode inference;
  if (!cpu_) stream_ = c10::impl::VirtualGuardImpl(network.device.type()).getStreamFromGlobalPool(network.device);
  const auto channels = static_cast<std::int64_t>(network.factor.size());
  const auto place = [&](const std::vector<float>& values) {
    return at::from_blob(const_cast<float*>(values.data()), {1, channels, 1, 1}, at::kFloat).clone().to(network.device);
  };
  if (channels > 0) {
    factor_ = place(network.factor);
    offset_ = place(network.offset);
  }
  // Weights and the above were put in place on another stream.
  if (!cpu_) c10::impl::VirtualGuardImpl(network.device.type()).synchronizeDevice(network.device.index());
  static_cast<void>(bucket(1, false));
}

Session::~Session() {
  try {
    synchronize();
  } catch (const std::exception&) {  // the device is lost; what is left of it goes with the process
  }
}

void Session::synchronize() const {
  if (stream_) stream_->synchronize();
}

std::size_t Session::bytes() const noexcept {
  std::size_t sum = 0;
  for (const auto& [key, bucket] : buckets_) {
    sum += bucket.input.nbytes() + bucket.host_input.nbytes();
    for (const at::Tensor& t : bucket.outputs) sum += 2 * t.nbytes();
  }
  return sum;
}

void Session::forward(Bucket& bucket, bool pixels) const {
  at::Tensor x = bucket.input;
  if (pixels) x = at::mul(x.permute({0, 3, 1, 2}).to(at::kFloat), factor_).add_(offset_);
  bucket.outputs = network_.forward(x);
}

Session::Bucket Session::make_bucket(int size, bool pixels) {
  std::vector<std::int64_t> shape = network_.input;
  shape[0] = size;
  if (pixels) shape = {size, shape[2], shape[3], shape[1]};
  const at::TensorOptions host = at::TensorOptions(pixels ? at::kByte : at::kFloat).pinned_memory(!cpu_);
  Bucket made;
  made.host_input = at::zeros(shape, host);
  made.input = made.host_input.to(network_.device);
  for (int i = 0; i < kWarmUps; ++i) forward(made, pixels);
  synchronize();
  // A user's program may do what cannot be recorded.
  if (network_.net != nullptr) made.recording = make_recording(network_.device);
  if (made.recording != nullptr) {
    made.recording->record([&] { forward(made, pixels); });
    synchronize();
  }
  for (const at::Tensor& output : made.outputs) {
    made.host_outputs.push_back(at::empty(output.sizes(), at::TensorOptions(at::kFloat).pinned_memory(!cpu_)));
  }
  return made;
}

Session::Bucket& Session::bucket(int size, bool pixels) {
  const std::pair<int, bool> key(size, pixels);
  const auto found = buckets_.find(key);
  if (found != buckets_.end()) return found->second;
  const std::unique_lock lock(device_mutex());
  const OnStream on(stream_);
  return buckets_.emplace(key, make_bucket(size, pixels)).first->second;
}

void Session::run_part(const void* from, bool pixels, int count, std::int64_t first, float* const* outputs) {
  Bucket& b = bucket(bucket_of(count), pixels);
  const std::shared_lock lock(device_mutex());
  const OnStream on(stream_);
  const std::size_t image = b.host_input.nbytes() / static_cast<std::size_t>(b.host_input.size(0));
  std::memcpy(b.host_input.mutable_data_ptr(), from, image * static_cast<std::size_t>(count));
  b.input.copy_(b.host_input, true);
  if (b.recording != nullptr) {
    b.recording->replay();
  } else {
    forward(b, pixels);
  }
  for (std::size_t i = 0; i < b.outputs.size(); ++i) b.host_outputs[i].copy_(b.outputs[i], true);
  synchronize();
  for (std::size_t i = 0; i < b.outputs.size(); ++i) {
    const std::int64_t size = b.outputs[i].numel() / b.outputs[i].size(0);
    const float* found = b.host_outputs[i].const_data_ptr<float>();
    std::copy_n(found, size * count, outputs[i] + size * first);
  }
}

void Session::run(const float* values, const std::uint8_t* pixels, int batch, float* const* outputs) {
  const c10::InferenceMode inference;
  std::int64_t elements = 1;
  for (std::size_t i = 1; i < network_.input.size(); ++i) elements *= network_.input[i];
  for (int first = 0; first < batch;) {
    const int count = std::min(batch - first, largest_);
    const std::int64_t offset = elements * first;
    try {
      if (pixels != nullptr) {
        run_part(pixels + offset, true, count, first, outputs);
      } else {
        run_part(values + offset, false, count, first, outputs);
      }
      first += count;
    } catch (const c10::OutOfMemoryError&) {
      if (largest_ == 1 || count == 1) throw;
      largest_ = std::max(1, bucket_of(count) / 2);
    }
  }
}

}  // namespace liveness::torch_plugin
