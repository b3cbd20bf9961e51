// One scored picture, and the three ways to write it down.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "liveness/predictor.hpp"

namespace liveness::cli {

using Json = nlohmann::ordered_json;

struct Record {
  std::string input;
  std::int64_t frame = 0;
  bool moving = false;  // a frame of a video or camera
  int width = 0;
  int height = 0;
  double read_ms = 0;
  std::optional<Result> result;
  std::string error;  // empty where there is a result
};

// As the shortest decimal number that reads back as the same float; null for NaN and infinity.
[[nodiscard]] Json number(float value);
[[nodiscard]] std::vector<Reason> reasons_in(ReasonMask m);
// "too_small, blurred"
[[nodiscard]] std::string reason_names(ReasonMask m, const char* separator);
// The items as text with a separator between them.
template <class List>
[[nodiscard]] std::string joined(const List& items, std::string_view separator) {
  std::string all;
  for (const auto& item : items) {
    if (!all.empty()) all += separator;
    all += fmt::format("{}", item);
  }
  return all;
}
// JSON on one line; bytes that are no UTF-8 (in a file's name) are replaced.
[[nodiscard]] std::string line(const Json& json);

[[nodiscard]] std::string to_json_line(const Record& r);
[[nodiscard]] std::string csv_header();
[[nodiscard]] std::string to_csv(const Record& r);                                 // one line a face, each ended
[[nodiscard]] std::string to_text(const std::string& name, const Result& result);  // for people, ended
[[nodiscard]] std::string name_of(const Record& r);                                // input, with #frame for videos

}  // namespace liveness::cli
