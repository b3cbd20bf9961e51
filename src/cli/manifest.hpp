// models/manifest.yaml: which models can be had, from where, and how one knows that it is them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace liveness::cli {

struct ManifestFile {
  std::string file;           // name in the folder of models
  std::string address;        // https: or file:
  std::filesystem::path own;  // where a file without an address lies: beside the manifest
  std::uint64_t size = 0;
  std::string sha256;
  std::filesystem::path contract;  // of an ONNX file; empty for packages, which hold theirs
};

struct ManifestEntry {
  std::string name;
  std::string task;  // pad, detector or other
  std::string licence;
  std::string provenance;
  std::vector<ManifestFile> files;
};

struct Manifest {
  std::filesystem::path path;
  std::vector<ManifestEntry> entries;

  // Throws UsageError with the nearest name where there is none such.
  [[nodiscard]] const ManifestEntry& entry(const std::string& name) const;
};

// The one that was given, otherwise that of the installation or the source tree. Throws Error, with line and field of
// what is wrong.
[[nodiscard]] Manifest read_manifest(const std::string& given = "");

// SHA-256 of a file, in hexadecimal digits. Throws Error(kIo).
[[nodiscard]] std::string sha256_of(const std::filesystem::path& file);

}  // namespace liveness::cli
