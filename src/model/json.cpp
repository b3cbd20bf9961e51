#include "model/json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <system_error>

namespace liveness {
namespace {

std::string describe_value(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "nothing";
    case Json::value_t::boolean: return value.get<bool>() ? "true" : "false";
    case Json::value_t::string: return "the text " + in_quotes(value.get_ref<const std::string&>());
    case Json::value_t::array: return "a list of " + std::to_string(value.size());
    case Json::value_t::object: return "a map";
    default: return "the number " + value.dump();
  }
}

Position position_at(std::string_view text, std::size_t offset) {
  Position p{1, 1};
  for (const char c : text.substr(0, std::min(offset, text.size()))) {
    if (c == '\n') {
      ++p.line;
      p.column = 1;
    } else {
      ++p.column;
    }
  }
  return p;
}

std::string to_string(const Position& p) {
  return std::to_string(p.line) + ":" + std::to_string(p.column);
}

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}
std::string join(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

// Finds the value by its address.
bool find_path(const Json& root, const Json* wanted, std::string& path) {
  if (&root == wanted) return true;
  const std::string here = path;
  if (root.is_object()) {
    for (auto it = root.begin(); it != root.end(); ++it) {
      path = join(here, it.key());
      if (find_path(*it, wanted, path)) return true;
    }
  } else if (root.is_array()) {
    for (std::size_t i = 0; i < root.size(); ++i) {
      if (!root[i].is_structured() && &root[i] != wanted) continue;
      path = join(here, i);
      if (find_path(root[i], wanted, path)) return true;
    }
  }
  path = here;
  return false;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replace = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replace, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// Reads valid JSON only to note where things stand.
class PositionReader {
 public:
  explicit PositionReader(std::string_view text) : text_(text) {}

  Positions read() {
    value("", false);
    return std::move(positions_);
  }

 private:
  void step() {
    if (text_[at_] == '\n') {
      ++here_.line;
      here_.column = 0;
    }
    ++here_.column;
    ++at_;
  }
  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) step();
  }
  char peek() {
    space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  std::string string() {
    const std::size_t begin = at_;
    step();
    while (text_[at_] != '"') {
      if (text_[at_] == '\\') step();
      step();
    }
    step();
    return Json::parse(text_.substr(begin, at_ - begin)).get<std::string>();
  }
  // A member of an object is already noted at its key.
  void value(const std::string& path, bool noted) {
    const char c = peek();
    if (!noted) positions_.emplace(path, here_);
    if (c == '{' || c == '[') {
      step();
      for (std::size_t i = 0; peek() != '}' && peek() != ']'; ++i) {
        if (c == '{') {
          const Position key_at = here_;
          const std::string member = join(path, string());
          positions_.emplace(member, key_at);
          peek();
          step();  // the colon
          value(member, true);
        } else {
          value(join(path, i), false);
        }
        if (peek() == ',') step();
      }
      step();
    } else if (c == '"') {
      string();
    } else {
      while (at_ < text_.size() && std::string_view(",]} \t\r\n").find(text_[at_]) == std::string_view::npos) step();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Position here_{1, 1};
  Positions positions_;
};

// Builds the value while the text is read, so that depth and repeated keys are seen before memory is spent on them.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, const Document& document, Json& root)
      : text_(text), document_(document), root_(root) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    const auto [entry, is_new] = open_.back()->get_ref<Json::object_t&>().emplace(std::move(key), nullptr);
    if (!is_new) document_.fail("", "the key " + in_quotes(entry->first) + " occurs twice");
    member_ = &entry->second;
    return true;
  }
  bool parse_error(std::size_t byte, const std::string&, const Json::exception& e) override {
    std::string what = e.what();
    const auto cut = what.find(": ");
    if (cut != std::string::npos) what = what.substr(cut + 2);
    for (char& c : what) {
      if (c < ' ' || c > '~') c = '?';
    }
    const std::string place = to_string(position_at(text_, byte > 0 ? byte - 1 : 0));
    throw Error(document_.status,
                document_.origin + (document_.origin.empty() ? "" : ":") + place + ": not valid JSON: " + what);
  }

 private:
  bool put(Json&& value) {
    place(std::move(value));
    return true;
  }
  Json& place(Json&& value) {
    if (open_.empty()) return root_ = std::move(value);
    if (open_.back()->is_array()) return open_.back()->emplace_back(std::move(value));
    return *member_ = std::move(value);
  }
  bool open(Json&& value) {
    if (open_.size() >= kMaxJsonDepth) {
      document_.fail("", "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    }
    open_.push_back(&place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  const Document& document_;
  Json& root_;
  std::vector<Json*> open_;  // lists and maps around the present place; they do not move while they are open
  Json* member_ = nullptr;   // where the value of the last key goes
};

// Reads what nearly all texts consist of several times faster than the library's reader: ASCII, no \\u, no mistake.
// Anything else it leaves to that.
class PlainReader {
 public:
  PlainReader(std::string_view text, Builder& builder) : at_(text.data()), end_(at_ + text.size()), builder_(builder) {}

  // False where the text holds something else; the builder has then seen a part of it.
  bool read() {
    if (!value()) return false;
    space();
    return at_ == end_;
  }

 private:
  void space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool take(char c) {
    space();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view expected) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  // The builder bounds how deep lists and maps are nested, and so this recursion.
  bool value() {
    space();
    if (at_ == end_) return false;
    switch (*at_) {
      case '{': return object();
      case '[': return array();
      case '"': return string() && builder_.string(string_);
      case 't': return word("true") && builder_.boolean(true);
      case 'f': return word("false") && builder_.boolean(false);
      case 'n': return word("null") && builder_.null();
      default: return number();
    }
  }

  bool object() {
    ++at_;
    builder_.start_object(0);
    if (take('}')) return builder_.end_object();
    do {
      space();
      if (at_ == end_ || *at_ != '"' || !string()) return false;
      builder_.key(string_);
      if (!take(':') || !value()) return false;
    } while (take(','));
    return take('}') && builder_.end_object();
  }

  bool array() {
    ++at_;
    builder_.start_array(0);
    if (take(']')) return builder_.end_array();
    do {
      if (!value()) return false;
    } while (take(','));
    return take(']') && builder_.end_array();
  }

  bool string() {
    ++at_;
    string_.clear();
    for (;;) {
      const char* const begin = at_;
      while (at_ < end_ && *at_ >= ' ' && *at_ < 0x7f && *at_ != '"' && *at_ != '\\') ++at_;
      string_.append(begin, at_);
      if (at_ == end_) return false;
      if (*at_ == '"') break;
      if (*at_ != '\\' || ++at_ == end_) return false;
      constexpr std::string_view kEscapes = "\"\\/bfnrt";
      constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
      const auto which = kEscapes.find(*at_++);
      if (which == std::string_view::npos) return false;
      string_ += kMeanings[which];
    }
    ++at_;
    return true;
  }

  bool digits() {
    const char* const begin = at_;
    while (at_ < end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != begin;
  }

  bool number() {
    const char* const begin = at_;
    const bool negative = *at_ == '-';
    if (negative) ++at_;
    const char* const first = at_;
    if (!digits() || (*first == '0' && at_ - first > 1)) return false;
    bool whole = true;
    if (at_ < end_ && *at_ == '.') {
      whole = false;
      ++at_;
      if (!digits()) return false;
    }
    if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
      whole = false;
      ++at_;
      if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!digits()) return false;
    }
    if (whole && negative) {
      std::int64_t v = 0;
      return std::from_chars(begin, at_, v).ec == std::errc{} && builder_.number_integer(v);
    }
    if (whole) {
      std::uint64_t v = 0;
      return std::from_chars(begin, at_, v).ec == std::errc{} && builder_.number_unsigned(v);
    }
    double v = 0;
    return std::from_chars(begin, at_, v).ec == std::errc{} && builder_.number_float(v, string_);
  }

  const char* at_;
  const char* end_;
  Builder& builder_;
  std::string string_;
};

}  // namespace

void Document::fail(const std::string& path, const std::string& what) const {
  std::string message = origin;
  if (positions) {
    const Positions known = positions();
    // A missing field has no place of its own; the nearest one around it has.
    std::string around = path;
    auto found = known.find(around);
    while (found == known.end() && !around.empty()) {
      const auto cut = around.find_last_of(".[");
      around.resize(cut == std::string::npos ? 0 : cut);
      found = known.find(around);
    }
    if (found != known.end()) message += (message.empty() ? "" : ":") + to_string(found->second);
  }
  if (!message.empty()) message += ": ";
  if (!path.empty()) message += path + ": ";
  throw Error(status, message + what);
}

Document parse_json(std::string_view text, std::string origin, Status status) {
  Document document{std::move(origin), status, nullptr, {}};
  Builder builder(text, document, document.root);
  if (PlainReader(text, builder).read()) return document;
  document.root = nullptr;
  Builder again(text, document, document.root);
  static_cast<void>(Json::sax_parse(text, &again));
  return document;
}

#if !defined(LIVENESS_WITH_YAML)
Document parse_yaml(std::string_view, std::string_view origin) {
  throw Error(Status::kUnsupported, std::string(origin) + ": this library was built without YAML; give a .json file");
}
#endif

Json parse_word(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (text.empty() || text == "~" || text == "null") return nullptr;
  const char* begin = text.data() + (text.front() == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(begin, end, whole); read.ec == std::errc() && read.ptr == end) return whole;
  double number = 0;
  const auto read = std::from_chars(begin, end, number);
  if (read.ec == std::errc() && read.ptr == end && std::isfinite(number)) return number;
  return text;
}

Positions json_positions(std::string_view text) {
  return PositionReader(text).read();
}

const Field& Field::only(std::initializer_list<std::string_view> keys) const {
  if (!value_->is_object()) expected("a map");
  for (auto it = value_->begin(); it != value_->end(); ++it) {
    if (std::find(keys.begin(), keys.end(), it.key()) != keys.end()) continue;
    document_->fail(join(path(), it.key()), "unknown key" + suggestion(it.key(), std::span(keys.begin(), keys.size())));
  }
  return *this;
}

Field Field::operator[](const char* key) const {
  if (!value_->is_object()) expected("a map");
  const auto it = value_->find(key);
  if (it == value_->end()) document_->fail(join(path(), key), "missing");
  return {*document_, *it};
}

std::vector<std::pair<std::string, Field>> Field::members() const {
  if (!value_->is_object()) expected("a map");
  std::vector<std::pair<std::string, Field>> result;
  for (auto it = value_->begin(); it != value_->end(); ++it) result.emplace_back(it.key(), Field(*document_, *it));
  return result;
}

std::vector<Field> Field::items(std::size_t limit) const {
  if (!value_->is_array()) expected("a list");
  if (value_->size() > limit) {
    fail("a list of " + std::to_string(value_->size()) + "; at most " + std::to_string(limit) + " are allowed");
  }
  std::vector<Field> result;
  result.reserve(value_->size());
  for (const Json& item : *value_) result.emplace_back(*document_, item);
  return result;
}

const std::string& Field::text() const {
  if (!value_->is_string()) {
    expected(value_->is_number() || value_->is_boolean() ? "text (put it in quotes)" : "text");
  }
  return value_->get_ref<const std::string&>();
}

bool Field::boolean() const {
  if (!value_->is_boolean()) expected("true or false");
  return value_->get<bool>();
}

std::int64_t Field::integer(std::int64_t low, std::int64_t high) const {
  if (!value_->is_number_integer()) expected("a whole number");
  const bool too_big =
      value_->is_number_unsigned() &&
      value_->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (too_big || value_->get<std::int64_t>() < low || value_->get<std::int64_t>() > high) {
    fail(value_->dump() + " is not in " + std::to_string(low) + ".." + std::to_string(high));
  }
  return value_->get<std::int64_t>();
}

float Field::number() const {
  if (!value_->is_number()) expected("a number");
  const double value = value_->get<double>();
  if (!(std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()))) {
    fail(value_->dump() + " does not fit a 32-bit float");
  }
  return static_cast<float>(value);
}

std::size_t Field::one_of(std::span<const std::string_view> names) const {
  const std::string& word = text();
  const auto found = std::find(names.begin(), names.end(), word);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  std::string all;
  for (const auto name : names) all += (all.empty() ? "" : ", ") + std::string(name);
  fail(in_quotes(word) + " is none of " + all + suggestion(word, names));
}

std::string Field::path() const {
  std::string path;
  find_path(document_->root, value_, path);
  return path;
}

void Field::fail_at(const std::string& below, const std::string& what) const {
  document_->fail(join(path(), below), what);
}

void Field::expected(std::string_view type) const {
  fail("expected " + std::string(type) + ", found " + describe_value(*value_));
}

std::string dump_json(const Json& value, int indent) {
  try {
    return value.dump(indent);
  } catch (const Json::exception&) {
    throw Error(Status::kModelInvalid, "a name or text of the graph or contract is not valid UTF-8");
  }
}

Json short_number(float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  double result = 0;
  std::from_chars(digits, end, result);
  return result;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> names) {
  if (word.size() > 64) return "";
  std::string_view best;
  std::size_t best_distance = 3;
  for (const auto name : names) {
    const std::size_t distance = edit_distance(word, name);
    if (distance < best_distance && distance < name.size()) {
      best = name;
      best_distance = distance;
    }
  }
  return best.empty() ? "" : "; did you mean \"" + std::string(best) + "\"?";
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 96;
  std::string result = "\"";
  for (const char c : text.substr(0, kLongest)) result += c >= ' ' && c <= '~' ? c : '?';
  return result + (text.size() > kLongest ? "...\"" : "\"");
}

}  // namespace liveness
