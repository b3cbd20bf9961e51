// The one table of keys: it reads, checks, writes and documents every setting. A new option is one line in table.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "liveness/config.hpp"
#include "model/json.hpp"

namespace liveness::config {

// How a value is written where it is no YAML: in the environment and in flags.
enum class Kind : std::uint8_t { kWord, kText, kList };

struct Row {
  std::string_view key;  // "section.name"
  std::string meaning;
  bool live = false;  // may change in a running stream
  Kind kind = Kind::kWord;
  bool path = false;  // text that names files
  std::string type;   // for people: "whole number, 1..300"
  std::function<void(Settings&, const Field&)> read;
  std::function<Json(const Settings&)> write;
};

[[nodiscard]] const std::vector<Row>& table();

// What replaced a key of the earlier system; `now` is empty where nothing did.
struct Replaced {
  std::string_view key;
  std::string_view now;
  std::string_view remark;
};
[[nodiscard]] const std::vector<Replaced>& replaced();

}  // namespace liveness::config
