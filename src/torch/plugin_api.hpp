// What passes between the library and its LibTorch plugin: plain data and pure virtual classes, so that neither side
// sees the other's exceptions, allocator or standard containers. No torch header is needed to read this.
#pragma once

#include <cstddef>
#include <cstdint>

namespace liveness::torch_plugin {

// Raised with every change of this file. The two sides must also be of one library version.
inline constexpr std::uint32_t kApiVersion = 1;
inline constexpr const char* kEntryName = "liveness_torch_plugin";

// Why a call did not succeed. `status` is a liveness::Status; 0: it succeeded.
struct Failure {
  int status = 0;
  char message[2000] = {};
};

// Texts and figures handed over one by one; what they point to lives for the duration of the call.
struct TextSink {
  void* to;
  void (*add)(void* to, const char* text);
};
struct StepSink {
  void* to;
  void (*add)(void* to, const char* name, std::int64_t macs, double microseconds);
};

inline constexpr std::size_t kMaxChannels = 8;

struct LoadOptions {
  const void* package = nullptr;  // the bytes of a model package; null: `program` is loaded
  std::size_t package_size = 0;
  const char* program = nullptr;  // path of a TorchScript (.pt) or AOTInductor (.pt2) file
  const char* device = "cpu";
  int precision = 0;          // liveness::Precision
  std::int64_t channels = 0;  // of the input image
  std::int64_t height = 0;
  std::int64_t width = 0;
  // What pixels become: pixel * factor[c] + offset[c].
  float factor[kMaxChannels] = {};
  float offset[kMaxChannels] = {};
};

// Planes of floats.
struct Planes {
  float* data = nullptr;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t plane_stride = 0;
};

// One thread at a time.
class Workspace {
 public:
  virtual void destroy() noexcept = 0;
  [[nodiscard]] virtual Planes input() noexcept = 0;
  // One pass over the image that lies in input().
  virtual void run(Failure& failure) noexcept = 0;
  // Of the latest run(): output i, dense.
  [[nodiscard]] virtual const float* output(std::size_t i) const noexcept = 0;
  // `batch` images at once: floats (N, C, H, W) where `pixels` is null, otherwise pixels (N, H, W, C), which are
  // normalised on the device. outputs[i]: N x elements of output i.
  virtual void run_batch(const float* values, const std::uint8_t* pixels, int batch, float* const* outputs,
                         Failure& failure) noexcept = 0;

 protected:
  ~Workspace() = default;
};

// Immutable; any number of threads, each with a workspace of its own.
class Model {
 public:
  virtual void destroy() noexcept = 0;
  [[nodiscard]] virtual Workspace* make_workspace(Failure& failure) const noexcept = 0;
  [[nodiscard]] virtual std::size_t output_count() const noexcept = 0;
  // Empty where the network does not name its outputs.
  [[nodiscard]] virtual const char* output_name(std::size_t i) const noexcept = 0;
  // Without the batch axis; returns the number of axes, at most `capacity` of which are written.
  [[nodiscard]] virtual std::size_t output_shape(std::size_t i, std::int64_t* shape,
                                                 std::size_t capacity) const noexcept = 0;
  [[nodiscard]] virtual const char* device() const noexcept = 0;
  [[nodiscard]] virtual int precision() const noexcept = 0;
  // Why something else than what was asked for was chosen; empty where nothing was.
  [[nodiscard]] virtual const char* fallback() const noexcept = 0;
  // As Executable::best_batch().
  [[nodiscard]] virtual int best_batch() const noexcept = 0;
  [[nodiscard]] virtual std::size_t weight_bytes() const noexcept = 0;
  [[nodiscard]] virtual std::size_t workspace_bytes() const noexcept = 0;
  virtual void profile(int rounds, const StepSink& sink, Failure& failure) const noexcept = 0;

 protected:
  ~Model() = default;
};

struct Plugin {
  std::uint32_t api_version;
  const char* library_version;  // of the library that the plugin was built with
  const char* torch_version;
  Model* (*load)(const LoadOptions& options, Failure& failure) noexcept;
  // "cpu", then every accelerator: "cuda:0", ...
  void (*devices)(const TextSink& sink) noexcept;
  // File of the BLAS that LibTorch's fp32 matrix products are bound to.
  void (*blas)(const TextSink& sink) noexcept;
  // "graphs", where a pass on an accelerator is recorded once and replayed.
  void (*features)(const TextSink& sink) noexcept;
};

// The one symbol that leaves the plugin: extern "C" const Plugin* liveness_torch_plugin().
using Entry = const Plugin* (*)();

}  // namespace liveness::torch_plugin
