// Calibration files and score files: any text is read or refused. What is read survives being written.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "cli/score_file.cpp"  // the program's, which is no library
#include "fuzz_seeds.hpp"
#include "liveness/calibration.hpp"

namespace {

using namespace liveness;

constexpr std::uint8_t kCalibration = 'c';
constexpr std::uint8_t kScores = 's';

std::vector<std::byte> tagged(std::uint8_t tag, const std::string& text) {
  std::vector<std::byte> bytes{std::byte{tag}};
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

bool same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

void calibrations(std::string_view text) {
  Calibration c;
  try {
    c = Calibration::parse(text, "fuzz");
  } catch (const Error& e) {
    if (e.status() != Status::kConfigInvalid && e.status() != Status::kUnsupported) std::abort();
    return;
  }
  const std::string yaml = c.to_yaml();
  if (Calibration::parse(yaml, "again").to_yaml() != yaml) std::abort();
  float before = -kMaxLogit;
  for (float x = -35; x <= 35; x += 2.5F) {
    const float y = c.apply(x);
    if (!(y >= before)) std::abort();  // never the other way round, never NaN
    before = y;
  }
  for (const auto& [name, reference] : c.reference)
    if (!std::isfinite(drift(name, reference, {0.0, 1.0}).distance)) std::abort();
}

void scores(std::string_view text) {
  cli::ScoreTable table;
  try {
    table = cli::parse_scores(text, "fuzz");
  } catch (const cli::ScoreFileError&) {
    return;
  }
  if (table.whole_bytes > text.size()) std::abort();
  std::vector<Presentation> all;
  std::string written = cli::score_file_header("{}");
  for (const auto& row : table.rows) {
    all.push_back(row.presentation());
    written += cli::score_file_line(row);
  }
  if (!table.scored) return;
  static_cast<void>(Evaluation(aggregate(all, EvaluationUnit::kClip)).report());
  for (const auto& row : table.rows)
    if (row.verdict.find_first_of(",\"\n\r") != std::string::npos) return;  // ours never has these
  const cli::ScoreTable again = cli::parse_scores(written, "again");
  if (again.rows.size() != table.rows.size() || again.damaged_end) std::abort();
  for (std::size_t i = 0; i < again.rows.size(); ++i)
    if (!same(again.rows[i].score, table.rows[i].score)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  Calibration c;
  c.models = {{"net", "0123456789abcdef0123456789abcdef"}};
  c.method = CalibrationMethod::kBeta;
  c.parameters = {0.5, 0.25, -1};
  c.profiles["balanced"] = {0.5F, 0.25F, "made up"};
  c.attacks = {{"print", 2}};
  c.held_out["balanced"] = {"print", 1, 2, 0, 3};
  c.reference["logit"] = {3, {-1, 0, 2}};
  c.notes = {"a note"};
  cli::ScoreRow row;
  row.input = "a, b.png";
  row.species = "print";
  row.verdict = "SPOOF";
  row.score = -2.5;
  const std::string own = cli::score_file_header("{\"models\":[]}") + cli::score_file_line(row);
  test::write_seeds(
      *argc, *argv,
      {tagged(kCalibration, c.to_yaml()), tagged(kScores, own), tagged(kScores, own.substr(0, own.size() - 9)),
       tagged(kScores, "file,label,score,frame\na,live,1,0\nb,print,0.5,3\n"),
       tagged(kScores, "claimed_id,test_label,is_bonafide,attack_type,score\n1,a,True,,0.9\n1,b,False,print,0.1\n"),
       tagged(kScores, "ann ann a 0.5\nann print b 0.25\n"),
       tagged(kScores, "input,species,x,y,width,height\na,live,1,2,3,4\n")});
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == kCalibration)
    calibrations(text);
  else
    scores(text);
  return 0;
}
