// Passes on an accelerator: batches in buckets, each with its memory and, where the device can record, a recorded pass.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Stream.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "torch/network.hpp"

namespace liveness::torch_plugin {

// Work of a stream, recorded once and replayed.
class Recording {
 public:
  virtual ~Recording() = default;
  // The current stream is not the device's default one. Tensors made in `body` keep their places.
  virtual void record(const std::function<void()>& body) = 0;
  virtual void replay() = 0;
};
// Null where this build or device has none.
[[nodiscard]] std::unique_ptr<Recording> make_recording(at::Device device);
[[nodiscard]] bool has_recordings() noexcept;

// The accelerator named, or why it cannot be used.
struct FoundDevice {
  std::optional<at::Device> device;
  std::string reason;
};
[[nodiscard]] FoundDevice find_device(const std::string& name);
[[nodiscard]] std::vector<std::string> device_names();

// One thread's passes on a device, on a stream of its own. On the CPU it does the same without streams, for tests.
class Session {
 public:
  static constexpr int kMaxBatch = 64;

  // The network outlives it. Warms the smallest bucket up. Throws c10::Error.
  explicit Session(const Network& network);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // As Workspace::run_batch. Where memory runs out it goes on with smaller batches; throws c10::OutOfMemoryError where
  // there is not even enough for one image.
  void run(const float* values, const std::uint8_t* pixels, int batch, float* const* outputs);
  // The largest batch that memory allowed so far.
  [[nodiscard]] int largest() const noexcept { return largest_; }
  [[nodiscard]] std::size_t bytes() const noexcept;

 private:
  struct Bucket {
    at::Tensor host_input;  // pinned
    at::Tensor input;
    std::vector<at::Tensor> outputs;
    std::vector<at::Tensor> host_outputs;  // pinned
    std::unique_ptr<Recording> recording;
  };
  Bucket& bucket(int size, bool pixels);
  Bucket make_bucket(int size, bool pixels);
  void forward(Bucket& bucket, bool pixels) const;
  void run_part(const void* from, bool pixels, int count, std::int64_t first, float* const* outputs);
  void synchronize() const;

  const Network& network_;
  bool cpu_;
  std::optional<c10::Stream> stream_;
  at::Tensor factor_;
  at::Tensor offset_;
  std::map<std::pair<int, bool>, Bucket> buckets_;
  int largest_ = kMaxBatch;
};

}  // namespace liveness::torch_plugin
