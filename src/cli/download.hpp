// Brings a file that is known by size and SHA-256 to its place.
#pragma once

#include <filesystem>

#include "manifest.hpp"

namespace liveness::cli {

// Fetches file.address to `target`, which appears whole and checked or not at all. What a broken transfer left in
// TARGET.part is gone on with. The `curl` program does the transfer. Throws Error: kNotFound (no curl, no such file, no
// network), kIo (disk full, transfer broken off), kModelInvalid (other bytes than the manifest says).
void download(const ManifestFile& file, const std::filesystem::path& target);

}  // namespace liveness::cli
