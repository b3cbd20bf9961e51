#include "score_file.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

namespace liveness::cli {
namespace {

constexpr std::string_view kMagic = "# liveness-scores 1 ";
constexpr std::string_view kColumns =
    "input,frame,species,subject,clip,set,verdict,score,logit,response,face_pixels,sharpness,luminance,error";

[[noreturn]] void fail(const std::string& origin, std::size_t line, const std::string& what) {
  throw ScoreFileError(origin + ":" + std::to_string(line) + ": " + what);
}

std::string quoted(std::string_view text) {
  std::string all = "'";
  for (const char c : text.substr(0, 80)) all += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return all + (text.size() > 80 ? "...'" : "'");
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string lower(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return all;
}

// Cells of one line; false where a quote does not close.
bool split(std::string_view line, std::vector<std::string>& cells) {
  cells.clear();
  std::size_t i = 0;
  for (;;) {
    std::string cell;
    while (i < line.size() && (line[i] == ' ' || line[i] == '\t')) ++i;
    if (i < line.size() && line[i] == '"') {
      for (++i;; ++i) {
        if (i >= line.size()) return false;
        if (line[i] != '"')
          cell += line[i];
        else if (i + 1 < line.size() && line[i + 1] == '"')
          cell += line[i++];
        else
          break;
      }
      i = std::min(line.find(',', i), line.size());
    } else {
      const std::size_t end = std::min(line.find(',', i), line.size());
      cell = trimmed(line.substr(i, end - i));
      i = end;
    }
    cells.push_back(std::move(cell));
    if (i >= line.size()) return true;
    ++i;
  }
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> all;
  for (std::size_t i = 0; i < line.size();) {
    i = std::min(line.find_first_not_of(" \t\r", i), line.size());
    const std::size_t end = std::min(line.find_first_of(" \t\r", i), line.size());
    if (end > i) all.push_back(line.substr(i, end - i));
    i = end;
  }
  return all;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

enum class Column : std::uint8_t {
  kInput,
  kSpecies,
  kBonaFide,
  kSubject,
  kClip,
  kSet,
  kFrame,
  kScore,
  kLogit,
  kVerdict,
  kResponse,
  kFacePixels,
  kSharpness,
  kLuminance,
  kX,
  kY,
  kWidth,
  kHeight,
  kError,
  kCount,
};

const std::map<std::string, Column, std::less<>>& column_names() {
  static const std::map<std::string, Column, std::less<>> names = {
      {"input", Column::kInput},
      {"path", Column::kInput},
      {"file", Column::kInput},
      {"filename", Column::kInput},
      {"test_label", Column::kInput},
      {"probe_key", Column::kInput},
      {"species", Column::kSpecies},
      {"attack_type", Column::kSpecies},
      {"label", Column::kSpecies},
      {"is_bonafide", Column::kBonaFide},
      {"subject", Column::kSubject},
      {"claimed_id", Column::kSubject},
      {"client_id", Column::kSubject},
      {"clip", Column::kClip},
      {"video", Column::kClip},
      {"set", Column::kSet},
      {"group", Column::kSet},
      {"split", Column::kSet},
      {"frame", Column::kFrame},
      {"sequence_number", Column::kFrame},
      {"score", Column::kScore},
      {"logit", Column::kLogit},
      {"verdict", Column::kVerdict},
      {"response", Column::kResponse},
      {"face_pixels", Column::kFacePixels},
      {"sharpness", Column::kSharpness},
      {"luminance", Column::kLuminance},
      {"x", Column::kX},
      {"y", Column::kY},
      {"width", Column::kWidth},
      {"height", Column::kHeight},
      {"error", Column::kError},
  };
  return names;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& origin) : text_(text), origin_(origin) {}

  ScoreTable read() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    std::string_view line;
    while (next(line)) {
      if (number_ == 1 && line.starts_with(kMagic)) {
        own_ = true;
        table_.identity = trimmed(line.substr(kMagic.size()));
        table_.whole_bytes = at_;
        continue;
      }
      const std::string_view body = trimmed(line);
      if (body.empty() || body.front() == '#') continue;
      if (!headed_) {
        if (own_ && !whole_) break;
        begin(body);
        table_.whole_bytes = at_;
        continue;
      }
      // A run that was killed leaves half a line; one on a full disk, or after a power cut, a line of anything.
      if (own_ && !whole_) break;
      try {
        add(body);
      } catch (const ScoreFileError&) {
        if (own_ && at_ >= text_.size()) break;
        throw;
      }
      table_.whole_bytes = at_;
    }
    table_.damaged_end = own_ && table_.whole_bytes < text_.size();
    if (!headed_ && !own_) fail(origin_, number_ + 1, "is empty: expected a header line, or bob's columns");
    return std::move(table_);
  }

 private:
  bool next(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    const std::size_t end = text_.find('\n', at_);
    whole_ = end != std::string_view::npos;
    line = text_.substr(at_, (whole_ ? end : text_.size()) - at_);
    at_ = whole_ ? end + 1 : text_.size();
    ++number_;
    return true;
  }

  [[noreturn]] void refuse(const std::string& what) const { fail(origin_, number_, what); }

  // NaN says that there is none; sums of the others stay finite.
  static bool usable(double value) { return std::isnan(value) || std::fabs(value) <= 1e30; }

  // The species of what is known to be an attack.
  [[nodiscard]] std::string attack_name(std::string_view name) const {
    if (name.empty()) return "attack";
    if (is_bona_fide(name)) refuse("an attack of the species " + quoted(name));
    return (number(name) ? "attack_" : "") + std::string(name);  // a number alone would not say what it is
  }

  // The first line that says something: a header, or already bob's columns.
  void begin(std::string_view line) {
    headed_ = true;
    const auto blanks = words(line);
    if ((blanks.size() == 4 || blanks.size() == 5) && line.find(',') == std::string_view::npos &&
        number(blanks.back())) {
      bob_ = blanks.size();
      table_.scored = true;
      add(line);
      return;
    }
    std::vector<std::string> cells;
    if (!split(line, cells)) refuse("a quote does not close");
    columns_.fill(kNone);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto found = column_names().find(lower(cells[i]));
      if (found == column_names().end()) continue;
      std::size_t& place = columns_[static_cast<std::size_t>(found->second)];
      if (place != kNone) refuse("two columns for the same: " + quoted(cells[place]) + " and " + quoted(cells[i]));
      place = i;
    }
    table_.scored = has(Column::kScore) || has(Column::kLogit);
    if (!has(Column::kSpecies) && !has(Column::kBonaFide))
      refuse("no column species (or label, attack_type, is_bonafide); found " + quoted(line));
    if (!has(Column::kInput) && !table_.scored) refuse("no column input (or path, file) and none with scores");
    const int box = has(Column::kX) + has(Column::kY) + has(Column::kWidth) + has(Column::kHeight);
    if (box != 0 && box != 4) refuse("a face box takes the columns x, y, width, height");
  }

  [[nodiscard]] bool has(Column c) const { return columns_[static_cast<std::size_t>(c)] != kNone; }
  [[nodiscard]] std::string_view cell(Column c) const {
    const std::size_t place = columns_[static_cast<std::size_t>(c)];
    return place < cells_.size() ? std::string_view(cells_[place]) : std::string_view();
  }
  // NaN where the cell is empty.
  [[nodiscard]] double value(Column c, const char* name) const {
    const std::string_view text = cell(c);
    if (text.empty()) return kUnknown;
    const auto v = number(text);
    if (!v || !usable(*v)) refuse(std::string(name) + ": " + quoted(text) + " is not a number");
    return *v;
  }
  [[nodiscard]] std::int64_t whole(Column c, const char* name) const {
    const std::string_view text = cell(c);
    if (text.empty()) return 0;
    std::int64_t v = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), v);
    if (end.ec != std::errc() || end.ptr != text.data() + text.size() || v < 0)
      refuse(std::string(name) + ": " + quoted(text) + " is not a whole number");
    return v;
  }

  void add(std::string_view line) {
    ScoreRow row;
    if (bob_ > 0) {
      const auto w = words(line);
      if (w.size() != bob_) refuse("expected " + std::to_string(bob_) + " columns, found " + std::to_string(w.size()));
      const auto score = number(w.back());
      if (!score || !usable(*score)) refuse("score: " + quoted(w.back()) + " is not a number");
      const std::string_view real = w[bob_ - 3];
      row.input = w[bob_ - 2];
      row.subject = w[0];
      if (real != w[0]) row.species = attack_name(real);
      row.score = *score;
      table_.rows.push_back(std::move(row));
      return;
    }
    if (!split(line, cells_)) refuse("a quote does not close");
    row.input = cell(Column::kInput);
    row.subject = cell(Column::kSubject);
    row.clip = cell(Column::kClip);
    row.set = cell(Column::kSet);
    row.verdict = cell(Column::kVerdict);
    row.error = cell(Column::kError);
    row.frame = whole(Column::kFrame, "frame");
    read_species(row);
    if (row.input.empty() && !table_.scored) refuse("input: is empty");
    row.score = has(Column::kLogit) ? value(Column::kLogit, "logit") : value(Column::kScore, "score");
    if (cell(Column::kResponse) == "0") row.score = kUnknown;
    row.face_pixels = value(Column::kFacePixels, "face_pixels");
    row.sharpness = value(Column::kSharpness, "sharpness");
    row.luminance = value(Column::kLuminance, "luminance");
    if (has(Column::kX) && !cell(Column::kX).empty()) {
      const std::array<double, 4> b = {value(Column::kX, "x"), value(Column::kY, "y"), value(Column::kWidth, "width"),
                                       value(Column::kHeight, "height")};
      for (const double v : b)
        if (std::isnan(v)) refuse("a face box takes x, y, width and height");
      row.box =
          Rect{static_cast<float>(b[0]), static_cast<float>(b[1]), static_cast<float>(b[2]), static_cast<float>(b[3])};
    }
    table_.rows.push_back(std::move(row));
  }

  void read_species(ScoreRow& row) const {
    const std::string_view name = cell(Column::kSpecies);
    if (has(Column::kBonaFide)) {
      const std::string word = lower(cell(Column::kBonaFide));
      const bool yes = word == "true" || word == "1";
      if (!yes && word != "false" && word != "0")
        refuse("is_bonafide: " + quoted(cell(Column::kBonaFide)) + " is neither True nor False");
      if (!yes) row.species = attack_name(name);
      return;
    }
    if (name.empty()) refuse("species: is empty; expected bona_fide or the name of an attack's species");
    if (number(name))
      refuse("species: " + quoted(name) +
             " is a number, which does not say what is bona fide; write bona_fide, or a name");
    if (!is_bona_fide(name)) row.species = name;
  }

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::string_view text_;
  const std::string& origin_;
  ScoreTable table_;
  std::size_t at_ = 0;
  std::size_t number_ = 0;  // of the line
  bool whole_ = false;      // the line ends in a line break
  bool own_ = false;
  bool headed_ = false;
  std::size_t bob_ = 0;  // columns
  std::array<std::size_t, static_cast<std::size_t>(Column::kCount)> columns_{};
  std::vector<std::string> cells_;
};

void append(std::string& to, double value) {
  if (std::isnan(value)) return;
  std::array<char, 32> text;
  to.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

std::string underscored(std::string text) {
  for (char& c : text)
    if (std::isspace(static_cast<unsigned char>(c)) != 0) c = '_';
  return text.empty() ? "-" : text;
}

}  // namespace

bool is_bona_fide(std::string_view name) {
  const std::string word = lower(name);
  constexpr std::array kNames = {"bona_fide", "bonafide", "bona-fide", "live", "real", "genuine"};
  return std::any_of(kNames.begin(), kNames.end(), [&](const char* n) { return word == n; });
}

ScoreTable parse_scores(std::string_view text, const std::string& origin) {
  return Reader(text, origin).read();
}

ScoreTable read_scores(const std::string& file) {
  std::string text;
  if (file == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw ScoreFileError(file + ": cannot be opened");
    text.assign(std::istreambuf_iterator<char>(in), {});
    if (in.bad()) throw ScoreFileError(file + ": cannot be read");
  }
  return parse_scores(text, file);
}

std::string csv_cell(std::string_view text) {
  const bool plain = text.find_first_of(",\"\r\n") == std::string_view::npos && text == trimmed(text) &&
                     (text.empty() || text.front() != '#');
  if (plain) return std::string(text);
  std::string all = "\"";
  for (const char c : text) {
    if (c == '"') all += '"';
    all += c == '\n' || c == '\r' ? ' ' : c;  // a line is a row
  }
  return all + '"';
}

std::string score_file_header(std::string_view identity) {
  return std::string(kMagic).append(identity).append("\n").append(kColumns).append("\n");
}

std::string score_file_line(const ScoreRow& row) {
  std::string l = csv_cell(row.input) + "," + std::to_string(row.frame) + "," +
                  csv_cell(row.species.empty() ? "bona_fide" : row.species) + "," + csv_cell(row.subject) + "," +
                  csv_cell(row.clip) + "," + csv_cell(row.set) + "," + row.verdict + ",";
  if (!std::isnan(row.score)) append(l, 1 / (1 + std::exp(-row.score)));
  l += ',';
  append(l, row.score);
  l += std::isnan(row.score) ? ",0," : ",1,";
  append(l, row.face_pixels);
  l += ',';
  append(l, row.sharpness);
  l += ',';
  append(l, row.luminance);
  return l + "," + csv_cell(row.error) + "\n";
}

std::string bob_csv(const std::vector<ScoreRow>& rows) {
  std::string all = "claimed_id,test_label,is_bonafide,attack_type,sequence_number,score\n";
  for (const ScoreRow& r : rows) {
    if (std::isnan(r.score)) continue;
    all += csv_cell(r.subject) + "," + csv_cell(r.input) + (r.species.empty() ? ",True," : ",False,") +
           csv_cell(r.species) + "," + std::to_string(r.frame) + ",";
    append(all, r.score);
    all += '\n';
  }
  return all;
}

std::string bob_columns(const std::vector<ScoreRow>& rows) {
  std::string all;
  for (const ScoreRow& r : rows) {
    if (std::isnan(r.score)) continue;
    const std::string claimed = underscored(r.subject);
    all += claimed + " " + (r.species.empty() ? claimed : underscored(r.species)) + " " + underscored(r.input) + " ";
    append(all, r.score);
    all += '\n';
  }
  return all;
}

}  // namespace liveness::cli
