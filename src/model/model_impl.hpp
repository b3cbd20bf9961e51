// What a loaded model holds; for the library's own parts, which feed the engine without a copy.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "engine/engine.hpp"
#include "liveness/model.hpp"
#include "model/package.hpp"
#include "model/parallel.hpp"

namespace liveness {

class Model::Impl {
 public:
  // Plans the graph, which is checked already, on the backend of the options.
  // `program`: a user's file that LibTorch runs instead of a graph; the package holds its contract.
  Impl(Package package, const Options& options, const std::filesystem::path& program = {});

  Contract contract;
  ModelInfo info;
  std::vector<Golden> goldens;
  std::unique_ptr<const Executable> executable;
  mutable Workers workers;  // of Model::run
  // What Model::resized() starts from; kept for detectors only, whose graphs are small.
  struct Origin {
    Graph graph;
    Options options;
  };
  std::unique_ptr<const Origin> origin;

  // A workspace for the duration of one call, from a pool that grows to the number of concurrent calls.
  class Lease {
   public:
    explicit Lease(const Impl& impl) : impl_(impl), workspace_(impl.acquire()) {}
    ~Lease() { impl_.release(std::move(workspace_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    [[nodiscard]] Workspace& operator*() const noexcept { return *workspace_; }

   private:
    const Impl& impl_;
    std::unique_ptr<Workspace> workspace_;
  };

  [[nodiscard]] std::unique_ptr<Workspace> acquire() const;
  void release(std::unique_ptr<Workspace> workspace) const noexcept;

  // Model::run, from values or, where those are null, from pixels; `given`: how many there are.
  void run(const float* values, const std::uint8_t* pixels, std::size_t given,
           std::span<const std::span<float>> outputs, int batch, int threads) const;

  // The golden's largest relative difference. Throws Error(kModelInvalid) where it is beyond the tolerance.
  float check_golden(std::size_t index) const;

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> idle_;
  mutable std::size_t made_ = 0;  // workspaces in all; `idle_` has room for every one of them
};

}  // namespace liveness
