// Reading and writing model packages and contracts. docs/model_format.md is the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "liveness/model.hpp"
#include "model/graph.hpp"

namespace liveness {

// What a package holds.
struct Package {
  Graph graph;
  Contract contract;
  std::vector<Golden> goldens;
};

// Bytes that are read where they are needed, so that weights go from a file to their place without a stop between.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
  // Fills `into` from `offset`; the range lies within size(). Throws Error(kIo).
  virtual void read(std::uint64_t offset, std::span<std::byte> into) const = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> into) const override;

 private:
  std::span<const std::byte> bytes_;  // not owned
};

class FileSource final : public ByteSource {
 public:
  // Throws Error(kNotFound) or Error(kIo).
  explicit FileSource(std::filesystem::path path);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> into) const override;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

// The bytes are hostile until proven otherwise: header capped, offsets in range and not overlapping, shape times
// element size without overflow, node count capped, no NaN or infinity in weights. Throws Error(kModelInvalid), naming
// field or tensor.
[[nodiscard]] Package read_package(const ByteSource& source);
[[nodiscard]] inline Package read_package(std::span<const std::byte> bytes) {
  return read_package(MemorySource(bytes));
}
[[nodiscard]] std::vector<std::byte> write_package(const Package& package);

// Writes beside the target and renames: the file appears whole or not at all. Throws Error(kIo), e.g. on a full disk.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
// Throws Error(kNotFound) or Error(kIo); refuses more than `limit` bytes.
[[nodiscard]] std::vector<std::byte> read_file(const std::filesystem::path& path,
                                               std::size_t limit = std::size_t{1} << 30);

// From JSON text, the form that contract_to_json gives. `origin` names the source in messages. Throws
// Error(kConfigInvalid): ORIGIN:LINE:COLUMN: FIELD: what is wrong.
[[nodiscard]] Contract contract_from_json(std::string_view json, std::string_view origin);
// The same from YAML. Throws Error(kUnsupported) where the library was built without it.
[[nodiscard]] Contract contract_from_yaml(std::string_view yaml, std::string_view origin);
// A contract file: JSON always; YAML (src/config, yaml-cpp) where the library was built with it. Errors carry line and
// column.
[[nodiscard]] Contract read_contract(const std::filesystem::path& path);

// Checks that the contract is complete and fits the graph (input shape, output names and sizes), which is checked
// already. Throws Error(kModelInvalid) naming the field. A contract must not leave anything to a guess.
void check_contract(const Contract& contract, const Graph& graph);

// 128-bit hash of graph, weights and contract, as 32 hexadecimal digits.
[[nodiscard]] std::string identity(const Contract& contract, const Graph& graph);

inline constexpr int kMaxGoldens = 64;
// Synthetic pictures (smooth noise, ramps; no faces) with the outputs that the portable kernels give.
[[nodiscard]] std::vector<Golden> make_goldens(const Package& package, int count);

}  // namespace liveness
