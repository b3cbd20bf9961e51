// Lists and score files of `liveness eval` and `calibrate`: CSV with a header, or bob's columns. Standard library only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "liveness/evaluation.hpp"
#include "liveness/types.hpp"

namespace liveness::cli {

// A list or score file that cannot be read: ORIGIN:LINE: what is wrong.
struct ScoreFileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// One picture or frame.
struct ScoreRow {
  std::string input;
  std::int64_t frame = 0;
  std::string species;  // empty: bona fide
  std::string subject;
  std::string clip;
  std::string set;
  std::string verdict;      // "LIVE", ...; empty in files of others
  double score = kUnknown;  // log-odds in our own files; NaN: no response
  double face_pixels = kUnknown;
  double sharpness = kUnknown;
  double luminance = kUnknown;
  std::optional<Rect> box;  // in lists
  std::string error;        // not empty: it could not be scored and counts nowhere

  [[nodiscard]] Presentation presentation() const { return {score, species, subject, clip}; }
};

struct ScoreTable {
  bool scored = false;   // false: a list of what is to be scored
  std::string identity;  // of our own score files: the JSON of their first line
  std::vector<ScoreRow> rows;
  std::size_t whole_bytes = 0;  // of our own: where the last whole line ends
  bool damaged_end = false;     // of our own: the last line was cut, and is not among the rows
};

// What is bona fide by name: bona_fide, bonafide, bona-fide, live, real, genuine (in any case).
[[nodiscard]] bool is_bona_fide(std::string_view name);

// The text of a list or score file. CSV with a header line; columns by name, in any order, others are not looked at:
//   input (or path, file, filename, test_label, probe_key)
//   species (or attack_type, label): a name, or one of is_bona_fide(); where there is is_bonafide (True or False), it
//     decides and an empty species is allowed
//   subject (or claimed_id, client_id), clip (or video), set (or group, split), frame (or sequence_number), score,
//   logit, verdict, response (0: none), face_pixels, sharpness, luminance, x, y, width, height, error
// Without a header: bob's four columns (claimed id, real id, label, score; bona fide where both ids are equal, else the
// real id is the species) or five (claimed id, model, real id, label, score), separated by blanks. Throws
// ScoreFileError.
[[nodiscard]] ScoreTable parse_scores(std::string_view text, const std::string& origin);
// Reads a file ("-": standard input) and parses it. Throws ScoreFileError.
[[nodiscard]] ScoreTable read_scores(const std::string& file);

// Our own score file, line by line.
[[nodiscard]] std::string score_file_header(std::string_view identity);
[[nodiscard]] std::string score_file_line(const ScoreRow& row);
// bob.pad.base's CSV; rows without a score are left out.
[[nodiscard]] std::string bob_csv(const std::vector<ScoreRow>& rows);
// bob's four columns; blanks in names become underscores.
[[nodiscard]] std::string bob_columns(const std::vector<ScoreRow>& rows);

// A cell as CSV wants it.
[[nodiscard]] std::string csv_cell(std::string_view text);

}  // namespace liveness::cli
