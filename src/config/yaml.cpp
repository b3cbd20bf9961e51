// YAML: the tree becomes the JSON value that the readers take, with the place of every field.
#include <yaml-cpp/yaml.h>

#include <string>
#include <utility>

#include "model/json.hpp"

namespace liveness {
namespace {

constexpr std::size_t kMaxFields = 65536;  // aliases can make a small file huge

class Converter {
 public:
  explicit Converter(std::string_view origin) : origin_(origin) {}

  Json convert(const YAML::Node& node, const std::string& path, std::size_t depth) {
    const Position here = position(node.Mark());
    positions_.emplace(path, here);
    if (depth >= kMaxJsonDepth) fail(here, "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    if (++fields_ > kMaxFields) fail(here, "more than " + std::to_string(kMaxFields) + " fields");
    switch (node.Type()) {
      case YAML::NodeType::Map: return map(node, path, depth);
      case YAML::NodeType::Sequence: {
        Json list = Json::array();
        for (std::size_t i = 0; i < node.size(); ++i) {
          list.push_back(convert(node[i], path + "[" + std::to_string(i) + "]", depth + 1));
        }
        return list;
      }
      case YAML::NodeType::Scalar: return scalar(node);
      default: return nullptr;
    }
  }

  [[nodiscard]] Positions positions() { return std::move(positions_); }

 private:
  static Position position(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

  [[noreturn]] void fail(const Position& at, const std::string& what) const {
    throw Error(Status::kConfigInvalid,
                origin_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " + what);
  }

  Json map(const YAML::Node& node, const std::string& path, std::size_t depth) {
    Json result = Json::object();
    for (const auto& entry : node) {
      const Position at = position(entry.first.Mark());
      if (!entry.first.IsScalar()) fail(at, "a key must be a word");
      const std::string& key = entry.first.Scalar();
      if (result.contains(key)) fail(at, "the key " + in_quotes(key) + " occurs twice");
      const std::string below = path.empty() ? key : path + "." + key;
      positions_.emplace(below, at);
      result[key] = convert(entry.second, below, depth + 1);
    }
    return result;
  }

  // Words that are not quoted may be numbers, true, false or nothing.
  static Json scalar(const YAML::Node& node) {
    return node.Tag() == "!" ? Json(node.Scalar()) : parse_word(node.Scalar());
  }

  std::string origin_;
  Positions positions_;
  std::size_t fields_ = 0;
};

}  // namespace

Document parse_yaml(std::string_view yaml, std::string_view origin) {
  Document document{std::string(origin), Status::kConfigInvalid, nullptr, {}};
  try {
    static_cast<void>(Json(yaml).dump());
  } catch (const Json::exception&) {
    throw Error(Status::kConfigInvalid, document.origin + ": not valid UTF-8");
  }
  // yaml-cpp would make something else of it, which is no UTF-8.
  if (yaml.find('\0') != std::string_view::npos)
    throw Error(Status::kConfigInvalid, document.origin + ": has a zero byte, which no text has");
  try {
    Converter converter(origin);
    document.root = converter.convert(YAML::Load(std::string(yaml)), "", 0);
    document.positions = [positions = converter.positions()] { return positions; };
  } catch (const YAML::Exception& e) {
    throw Error(Status::kConfigInvalid, document.origin + ":" + std::to_string(e.mark.line + 1) + ":" +
                                            std::to_string(e.mark.column + 1) + ": not valid YAML: " + e.msg);
  }
  return document;
}

}  // namespace liveness
