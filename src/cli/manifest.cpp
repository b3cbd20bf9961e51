#include "manifest.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>

#include "model/json.hpp"
#include "model/package.hpp"
#include "model/sha256.hpp"
#include "models.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxManifest = std::size_t{1} << 20;
constexpr std::size_t kMaxFiles = 16;
constexpr std::int64_t kMaxSize = std::int64_t{1} << 62;
constexpr std::array<std::string_view, 3> kTasks = {"pad", "detector", "other"};

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

ManifestFile read_entry_file(const Field& field, const fs::path& folder) {
  field.only({"file", "address", "size", "sha256", "contract"});
  ManifestFile f;
  f.file = field["file"].text();
  if (!is_plain_name(f.file)) field["file"].fail("a plain file name is needed");
  if (field.has("address")) {
    f.address = field["address"].text();
    if (!f.address.starts_with("https://") && !f.address.starts_with("file:///"))
      field["address"].fail("an address begins with https:// or file:///");
  } else {
    f.own = folder / f.file;
  }
  f.size = static_cast<std::uint64_t>(field["size"].integer(1, kMaxSize));
  f.sha256 = field["sha256"].text();
  if (f.sha256.size() != 64 || f.sha256.find_first_not_of("0123456789abcdef") != std::string::npos)
    field["sha256"].fail("64 lower-case hexadecimal digits are needed");
  if (field.has("contract")) f.contract = folder / field["contract"].text();
  return f;
}

ManifestEntry read_entry(const std::string& name, const Field& field, const fs::path& folder) {
  field.only({"task", "licence", "provenance", "files"});
  ManifestEntry e;
  e.name = name;
  e.task = kTasks.at(field["task"].one_of(kTasks));
  e.licence = field["licence"].text();
  e.provenance = field["provenance"].text();
  for (const Field& file : field["files"].items(kMaxFiles)) e.files.push_back(read_entry_file(file, folder));
  if (e.files.empty()) field["files"].fail("is empty");
  return e;
}

}  // namespace

const ManifestEntry& Manifest::entry(const std::string& name) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.name == name; });
  if (found != entries.end()) return *found;
  std::vector<std::string_view> names;
  std::string all;
  for (const ManifestEntry& e : entries) {
    names.push_back(e.name);
    all += (all.empty() ? "" : ", ") + e.name;
  }
  const std::string near = suggestion(name, names);
  throw UsageError("model '" + name + "': not in " + path.string() +
                   (near.empty() ? ", which has " + (all.empty() ? "none" : all) : near));
}

Manifest read_manifest(const std::string& given) {
  Manifest m;
  m.path = given.empty() ? shipped_file("manifest.yaml") : fs::path(given);
  if (m.path.empty()) throw UsageError("no manifest.yaml in this installation; --manifest names one");
  const auto bytes = read_file(m.path, kMaxManifest);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string origin = m.path.string();
  const Document document =
      m.path.extension() == ".json" ? parse_json(text, origin, Status::kConfigInvalid) : parse_yaml(text, origin);
  const Field root(document);
  root.only({"models"});
  std::set<std::string> files;
  for (const auto& [name, field] : root["models"].members()) {
    m.entries.push_back(read_entry(name, field, m.path.parent_path()));
    for (const ManifestFile& f : m.entries.back().files)
      if (!files.insert(f.file).second) field["files"].fail(in_quotes(f.file) + " is a file of two models");
  }
  return m;
}

std::string sha256_of(const fs::path& file) {
  const FileSource source(file);
  Sha256 hash;
  std::array<std::byte, 65536> part;
  for (std::uint64_t at = 0; at < source.size(); at += part.size()) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), source.size() - at));
    source.read(at, std::span(part).first(n));
    hash.add(std::span(part).first(n));
  }
  return hash.finish();
}

}  // namespace liveness::cli
