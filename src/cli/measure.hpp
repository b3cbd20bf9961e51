// What `liveness eval` and `liveness calibrate` share: what is to be scored, the scoring, and the score file that grows
// meanwhile.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inputs.hpp"
#include "liveness/calibration.hpp"
#include "models.hpp"
#include "score_file.hpp"

namespace liveness::cli {

struct MeasureFlags {
  std::vector<std::string> inputs;     // lists, score files, folders with a folder a species
  std::vector<std::string> bona_fide;  // pictures, videos, folders of them
  std::vector<std::string> attacks;    // SPECIES=PATH
  std::string scores;                  // our score file: written line by line, gone on with
  ModelFlags models;
  std::string fusion = "mean";
  std::vector<float> weights;
  std::string profile = "balanced";
  std::string calibration;
  std::string box_convention = "yunet";
  float min_face = 0;
  int threads = 1;
  SourceOptions source;

  // Without --profile and --calibration where `plain`.
  void add_to(CLI::App& app, bool plain);
};

// Scores with what is known of where they come from.
struct Measured {
  std::vector<ScoreRow> rows;
  // Of scores that our own models gave; empty for those of others.
  std::vector<Calibration::ModelId> models;
  Fusion fusion = Fusion::kMean;
  std::vector<float> weights;
  bool calibrated = false;
  std::optional<Bounds> bounds;  // on P(live), of the profile
  std::string origin;            // the models' names, or the file
  std::size_t failed = 0;        // rows with an error
};

// Reads what has scores, scores what has none. Failures are listed on stderr and do not end it. Throws UsageError.
[[nodiscard]] Measured measure(const MeasureFlags& flags);
// A score file alone.
[[nodiscard]] Measured read_measured(const std::string& file);

// How the rows without an error look to Evaluation.
[[nodiscard]] std::vector<Presentation> presentations(const std::vector<ScoreRow>& rows);

// "mean", "weighted", ... Throws UsageError.
[[nodiscard]] Fusion fusion_of(const std::string& name);
[[nodiscard]] std::vector<std::string> fusion_names();

// Creates the folder of a file that is to be written. Throws UsageError.
void make_parent(const std::string& file);
// Writes a whole text ("-": standard output). Throws UsageError.
void write_text(const std::string& file, const std::string& text);

}  // namespace liveness::cli
