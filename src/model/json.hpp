// JSON read with suspicion: nesting bounded, keys that occur twice refused, and every refusal says which field it
// means.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "liveness/error.hpp"

namespace liveness {

using Json = nlohmann::json;

// Line and column (from 1) of a field by its path, e.g. "crop.from.yunet.width[1]". A key stands for its value.
struct Position {
  int line = 0;
  int column = 0;
};
using Positions = std::map<std::string, Position>;

inline constexpr std::size_t kMaxJsonDepth = 32;

// A parsed document that can say where its fields stand.
struct Document {
  std::string origin;                     // a file's name, or empty
  Status status = Status::kModelInvalid;  // of every refusal
  Json root;
  std::function<Positions()> positions;  // asked only when something is refused; may be empty

  // Throws "ORIGIN:LINE:COLUMN: PATH: WHAT"; what is not known is left out.
  [[noreturn]] void fail(const std::string& path, const std::string& what) const;
};

// Throws Error(status) with line and column for text that is no JSON, is nested deeper than kMaxJsonDepth or repeats a
// key.
[[nodiscard]] Document parse_json(std::string_view text, std::string origin, Status status);
// The same for YAML, with status kConfigInvalid (src/config/yaml.cpp). Throws Error(kUnsupported) where the library was
// built without it.
[[nodiscard]] Document parse_yaml(std::string_view text, std::string_view origin);
// A word that is not quoted: a number, true, false, nothing, or text (YAML's core schema).
[[nodiscard]] Json parse_word(const std::string& text);
// Where each field of a valid JSON text stands.
[[nodiscard]] Positions json_positions(std::string_view text);

// One value of a document. Holds two pointers, so that reading costs nothing until something is wrong; the path is
// looked up then.
class Field {
 public:
  explicit Field(const Document& document) : Field(document, document.root) {}
  Field(const Document& document, const Json& value) : document_(&document), value_(&value) {}

  // Refuses what is not an object, and any key but these.
  const Field& only(std::initializer_list<std::string_view> keys) const;
  [[nodiscard]] bool has(const char* key) const { return value_->contains(key); }
  [[nodiscard]] Field operator[](const char* key) const;  // refuses where it is missing
  // Every member of an object with its key, in the order of the keys.
  [[nodiscard]] std::vector<std::pair<std::string, Field>> members() const;
  // Every item of a list of at most `limit`.
  [[nodiscard]] std::vector<Field> items(std::size_t limit) const;

  [[nodiscard]] const Json& json() const noexcept { return *value_; }
  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) const;
  [[nodiscard]] float number() const;  // finite and within the range of a float
  // Index of the text among `names`.
  [[nodiscard]] std::size_t one_of(std::span<const std::string_view> names) const;

  [[nodiscard]] std::string path() const;
  [[noreturn]] void fail(const std::string& what) const { document_->fail(path(), what); }
  // The same for a field below this one.
  [[noreturn]] void fail_at(const std::string& below, const std::string& what) const;

 private:
  [[noreturn]] void expected(std::string_view type) const;

  const Document* document_;
  const Json* value_;
};

// As text; Error(kModelInvalid) where a string in it is not valid UTF-8. `indent` < 0: on one line.
[[nodiscard]] std::string dump_json(const Json& value, int indent = -1);

// A float as the shortest decimal number that reads back as the same float.
[[nodiscard]] Json short_number(float value);

// `; did you mean "X"?` where one of the names is near, else nothing.
[[nodiscard]] std::string suggestion(std::string_view word, std::span<const std::string_view> names);

// Text from a file, fit for a message: quoted, shortened, control characters and what is not ASCII replaced.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace liveness
