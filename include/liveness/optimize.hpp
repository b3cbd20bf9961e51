// Smaller and faster packages, what that does to the scores, and the way back to ONNX.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "liveness/model.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// What a picture shows, where somebody knows it.
enum class Label : std::uint8_t { kUnknown, kBonaFide, kAttack };

/// Crops to measure a network on, made from pictures one at a time, so that the pictures need not stay in memory. Each
/// takes channels x height x width floats. To be filled by one thread; the functions below only read it.
class Samples {
 public:
  /// For networks with this contract's input and crop.
  explicit Samples(const Contract& contract);
  ~Samples();
  Samples(Samples&&) noexcept;
  Samples& operator=(Samples&&) noexcept;

  /// The face in a picture. Throws Error(kInvalidArgument): a bad picture or box, a network without a crop rule;
  /// Error(kUnsupported): no map from boxes of this convention.
  void add(const ImageView& image, const Rect& face, std::string_view box_convention, Label label = Label::kUnknown);
  /// A crop in the network's own size; for a detector any picture, which is scaled as it would be for detection. Throws
  /// Error(kInvalidArgument).
  void add(const ImageView& crop, Label label = Label::kUnknown);

  [[nodiscard]] std::size_t size() const noexcept;
  /// Sample i as the network takes it: planes of rows.
  [[nodiscard]] std::span<const float> values(std::size_t i) const;
  [[nodiscard]] Label label(std::size_t i) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Error rates over labelled samples by the score alone, at the bound of LIVE of the profile "balanced" (ISO/IEC
/// 30107-3; attacks of all species together). 0 where there are none of a kind.
struct ErrorRates {
  double apcer = 0;  ///< share of attacks that are called LIVE
  double bpcer = 0;  ///< share of bona fide presentations that are not
  std::int64_t attacks = 0;
  std::int64_t bona_fide = 0;
  [[nodiscard]] double acer() const noexcept { return (apcer + bpcer) / 2; }
};

/// How far a changed network is from the one it was made of.
struct ScoreDrift {
  std::int64_t samples = 0;
  double outputs = 0;  ///< largest |difference| of an output value, relative to max(1, largest |value| of that output)
  /// Of a PAD network P(live) and verdicts; of a detector the confidence of the faces that both find. Of others 0.
  double mean_score = 0;             ///< mean |difference| of scores
  double max_score = 0;              ///< largest
  double flips = 0;                  ///< share of samples that are LIVE, or in which a face is found, by one alone
  double boxes = 0;                  ///< of a detector: mean of 1 - IoU of the faces that both find
  double landmarks = 0;              ///< likewise: mean distance of their landmarks over the longer side of the box
  std::optional<ErrorRates> before;  ///< where there are labels
  std::optional<ErrorRates> after;   ///< likewise
};

/// The accuracy gate: how much a change may move the verdicts of a PAD network, or the faces of a detector.
struct Gate {
  double acer = 0.005;  ///< growth of (APCER + BPCER) / 2, as a share: 0.005 is half a point; needs labels
  double flips = 0.01;  ///< share of samples whose verdict changes, or in which a face comes or goes
  double score = 0.02;  ///< mean |difference| of scores; of a detector also of boxes and landmarks (see ScoreDrift)
};

// ---------------------------------------------------------------- export

struct ExportOptions {
  int opset = 13;  ///< 11 to 17
  /// Weights that the package keeps as int8 are written as whole numbers behind DequantizeLinear (opset 13 and later).
  bool quantized = false;
  /// With `quantized`: activations that feed such layers go through QuantizeLinear too (unsigned 8 bits, one scale a
  /// tensor, over the range of least squared error on these samples). Not owned; null: activations stay float.
  const Samples* activations = nullptr;
};

/// Writes a package as an ONNX file with a free batch axis. The contract stays behind; `contract_to_json` gives it.
/// Throws Error: kInvalidArgument (an option), otherwise as Model::load, and kIo.
void export_onnx(const std::filesystem::path& package, const std::filesystem::path& onnx,
                 const ExportOptions& options = {});

// ---------------------------------------------------------------- quantize

/// How a package keeps its weights.
enum class Storage : std::uint8_t {
  kFp32,
  kFp16,  ///< half the size
  kInt8,  ///< whole numbers with a scale an output channel: a quarter; layers with few weights are half floats
};

struct QuantizeOptions {
  Storage storage = Storage::kInt8;
  /// Precisions that the package is to be qualified for: each passes the gate or is left out. kBf16 and kInt8.
  std::vector<Precision> qualify = {Precision::kInt8};
  Gate gate;
  const Samples* samples = nullptr;  ///< for the gate; not owned. Null: nothing can be qualified
  /// Layers that may be left in fp32 to pass the gate, the most sensitive ones first, as a share of all of them.
  double sensitive = 0.25;
  std::vector<std::string> keep;  ///< layers (node names) that stay fp32 in any case
};

/// One layer with weights.
struct LayerReport {
  std::string name;
  std::size_t bytes = 0;  ///< of its weights in the new package
  /// What rounding this layer alone, weights and arithmetic, does to the outputs: root mean square of the difference
  /// relative to that of the outputs.
  double error = 0;
  bool quantized = false;  ///< false: left in fp32
};

/// The gate's answer for one precision.
struct Qualification {
  Precision precision = Precision::kFp32;
  bool passed = false;
  std::string reason;  ///< in words: what passed, or what was too much
  ScoreDrift drift;
  double milliseconds = 0;  ///< of one pass on this machine, median
};

struct QuantizeReport {
  std::uint64_t bytes_before = 0;  ///< of the files
  std::uint64_t bytes_after = 0;
  double milliseconds_before = 0;  ///< one pass in fp32, median
  ScoreDrift stored;               ///< what storage alone does, all arithmetic in fp32
  std::vector<LayerReport> layers;
  std::vector<Qualification> qualifications;  ///< one for each of `qualify`
};

/// Package to package: rounds the weights, finds out which layers suffer, lets the package claim the precisions that
/// pass the gate and no others. Golden outputs are made anew. Throws Error: kInvalidArgument (an option, samples of
/// another network), otherwise as Model::load, and kIo. The file appears whole or not at all.
QuantizeReport quantize(const std::filesystem::path& package, const std::filesystem::path& out,
                        const QuantizeOptions& options = {});

// ---------------------------------------------------------------- prune

struct PruneOptions {
  double ratio = 0.3;      ///< share of the multiply-accumulates to take out, above 0 and below 1
  bool per_layer = false;  ///< every width shrinks by the same share; otherwise the least important channels go first
  int multiple = 16;       ///< widths stay multiples of it (or as they were): the engine's vectors would run empty
  /// A safetensors file with a gradient for each weight, under the weight's name and in its shape: importance is then
  /// the first-order change of the loss (Taylor). Empty: the weights' L2 norm.
  std::filesystem::path gradients;
  const Samples* samples = nullptr;  ///< for the drift; not owned
};

/// One width of the network.
struct WidthReport {
  std::string name;  ///< of the layer that makes it
  int before = 0;
  int after = 0;
};

struct PruneReport {
  std::int64_t parameters_before = 0;
  std::int64_t parameters_after = 0;
  std::int64_t macs_before = 0;
  std::int64_t macs_after = 0;
  double milliseconds_before = 0;  ///< one pass in fp32, median
  double milliseconds_after = 0;
  std::vector<WidthReport> widths;
  std::optional<ScoreDrift> drift;  ///< where there are samples
};

/// Package to package without the least important channels: they are taken out of every layer that they run through, so
/// that the network is smaller for any engine. Scores suffer; models/training/finetune.py mends them. The result is
/// qualified for nothing, and its thresholds want calibrating anew. Throws Error: kInvalidArgument (an option,
/// gradients that do not fit), kUnsupported (so much cannot be taken out), otherwise as Model::load, and kIo.
PruneReport prune(const std::filesystem::path& package, const std::filesystem::path& out,
                  const PruneOptions& options = {});

/// The reports as JSON objects, keys as the fields are called.
[[nodiscard]] std::string to_json(const QuantizeReport& report);
[[nodiscard]] std::string to_json(const PruneReport& report);

}  // namespace liveness
