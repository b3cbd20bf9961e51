// A network with everything that is needed to feed it rightly: the model package.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// What a network is for.
enum class Task : std::uint8_t {
  kPad,       ///< presentation attack detection: class scores of one face crop
  kDetector,  ///< face detector
  kOther,     ///< runs through `Model::run` only
};

/// Channel order that a network was trained on.
enum class ColorOrder : std::uint8_t { kBgr, kRgb, kGray };

/// What fills the part of a crop that lies outside the frame.
enum class BorderRule : std::uint8_t {
  kShift,       ///< nothing does: the crop is shrunk to the frame and shifted inside (publisher's rule of MiniFASNet)
  kConstant,    ///< one grey level
  kReplicate,   ///< the nearest pixel of the frame
  kReflect101,  ///< mirrored without repeating the edge pixel
};

/// Resize filter; bilinear and area follow OpenCV's INTER_LINEAR and INTER_AREA, Lanczos is its INTER_LANCZOS4.
enum class ResizeFilter : std::uint8_t { kBilinear, kArea, kLanczos };

/// How pixels become the values that a network reads: value = (pixel / 255 * (high - low) + low - mean[c]) / std[c].
struct InputContract {
  int width = 0;
  int height = 0;
  ColorOrder color = ColorOrder::kBgr;
  float low = 0;            ///< value of a pixel of 0 before mean and std
  float high = 255;         ///< value of a pixel of 255 before mean and std
  std::vector<float> mean;  ///< one a channel, in the network's channel order
  std::vector<float> std;   ///< one a channel, greater than 0

  [[nodiscard]] int channels() const noexcept { return color == ColorOrder::kGray ? 1 : 3; }
};

/// Linear map from the boxes of one detector convention to the boxes that a network was trained on.
/// new width = width[0] * w + width[1] * h, new height likewise; the centre moves by shift[0] * w and shift[1] * h.
struct BoxMap {
  float width[2] = {1, 0};
  float height[2] = {0, 1};
  float shift[2] = {0, 0};
};

/// Which part of the frame a PAD network wants to see.
struct CropContract {
  float scale = 1;      ///< times the face box, greater than 0
  bool square = false;  ///< true: side = scale * max(w, h); false: scale * w by scale * h, stretched to the input
  BorderRule border = BorderRule::kShift;
  std::uint8_t border_value = 0;                   ///< grey level of kConstant
  ResizeFilter enlarge = ResizeFilter::kBilinear;  ///< filter where the crop is smaller than the input
  ResizeFilter shrink = ResizeFilter::kBilinear;   ///< filter where it is larger
  std::string box = "retinaface";                  ///< box convention of the training data
  std::map<std::string, BoxMap> from;              ///< how boxes of other conventions become that one
};

/// Two bounds on P(live): at or above `live` the verdict is LIVE, below `spoof` it is SPOOF, between them UNCERTAIN.
struct ThresholdProfile {
  float live = 0.5F;
  float spoof = 0.5F;
  std::string target;  ///< the error target in words, e.g. "APCER <= 1 %"; "uncalibrated" where nobody measured it
};

/// How the outputs of a PAD network become P(live).
struct ScoreContract {
  std::string output;                                ///< name of the graph output that holds the classes
  std::vector<std::string> classes;                  ///< names in index order
  int live = -1;                                     ///< index of the bona fide class
  bool softmax_inside = false;                       ///< true: the outputs already are probabilities
  float temperature = 1;                             ///< logits are divided by it before softmax; greater than 0
  std::map<std::string, ThresholdProfile> profiles;  ///< at least "balanced"
};

/// The window through which a FaceTracker looks for a face again: what suits a detector depends on the sizes of faces
/// that it was trained on.
struct TrackingContract {
  int window = 96;         ///< side of the network's input, pixels: 8..1024, a multiple of every stride
  float window_scale = 2;  ///< 1.2..8: side of the window, times the longer side of the face
};

/// How the outputs of a detector become boxes.
struct DetectorContract {
  /// kYunet: per stride the outputs cls, obj, bbox, kps over a grid of points (YuNet); kSsd: anchors with variances;
  /// kGrid: per stride one map of 15 channels over a grid of points.
  enum class Decode : std::uint8_t { kYunet, kSsd, kGrid };
  Decode decode = Decode::kYunet;
  std::vector<int> strides;
  std::vector<std::vector<float>> anchor_sizes;  ///< kSsd: sizes in pixels of the input, one list a stride
  float variances[2] = {0.1F, 0.2F};             ///< kSsd: centre and size
  bool softmax_scores = false;                   ///< kSsd: class outputs are logits of (background, face)
  bool nms_average = false;  ///< a face is the mean of its best box and of those that overlap it by IoU >= 0.5
  std::map<std::string, std::vector<std::string>>
      outputs;  ///< role (cls, obj, bbox, kps; map for kGrid) to output names, one a stride (one in all for kSsd)
  float score_threshold = 0.6F;
  float nms_iou = 0.3F;
  std::string box = "yunet";                 ///< box convention of what it finds
  std::optional<TrackingContract> tracking;  ///< absent: the defaults of TrackingContract
};

/// An input with its known outputs; the pixels are in the network's own size and colour order, values as InputContract
/// says.
struct Golden {
  std::vector<std::uint8_t> pixels;  ///< (height / block) x (width / block) x channels
  int block = 1;                     ///< each pixel stands for so many by so many of the input
  /// Expected values by graph output name: all n of them, or m < n, of which value i is the output's at i * n / m.
  std::map<std::string, std::vector<float>> outputs;
  float tolerance = 1e-3F;  ///< largest allowed |difference| relative to max(1, largest |output|); 0..0.1, not 0
};

/// What the dense convolutions are computed in; tensors between layers, depthwise convolutions, the first layer and the
/// classifier stay fp32. Ordered from exact to coarse but for kFp16.
enum class Precision : std::uint8_t {
  kAuto,  ///< the fastest that the package is qualified for and that the machine gains from, otherwise fp32
  kFp32,
  kBf16,  ///< operands of the matrix products rounded to bfloat16, sums in fp32
  kInt8,  ///< unsigned activations with scale and zero point a pixel, signed weights with a scale an output channel
  kFp16,  ///< devices that have it (CUDA); the native engine does not
};
[[nodiscard]] std::string_view to_string(Precision precision) noexcept;  // "auto", "fp32", "bf16", "int8", "fp16"

/// Who runs the network.
enum class Backend : std::uint8_t {
  kAuto,    ///< native, unless the device asks for another
  kNative,  ///< this library's own engine, on the CPU
  kTorch,   ///< LibTorch, through a plugin that is loaded when it is asked for
};
[[nodiscard]] std::string_view to_string(Backend backend) noexcept;  // "auto", "native", "torch"

/// Everything whose absence makes integrators feed a network wrongly. Checked when a package is read and when it is
/// written.
struct Contract {
  std::string name;     ///< identity in results, e.g. "minifasnet_v2_80"
  std::string version;  ///< free text
  Task task = Task::kOther;
  InputContract input;
  std::optional<CropContract> crop;          ///< required for Task::kPad
  std::optional<ScoreContract> score;        ///< required for Task::kPad
  std::optional<DetectorContract> detector;  ///< required for Task::kDetector
  std::string licence;                       ///< SPDX identifier or a sentence
  std::string provenance;                    ///< where the weights come from and what they were trained on
  /// Of the ONNX file, 64 lower-case hexadecimal digits. Where a contract names one, another file is refused; empty:
  /// any file, and loading fills it in.
  std::string source_sha256;
  /// Precisions below fp32 that passed the accuracy gate of the optimizer: what Precision::kAuto may choose. Each at
  /// most once; neither kAuto nor kFp32.
  std::vector<Precision> qualified;
};

/// Instruction set of the CPU engine, slowest first.
enum class Isa : std::uint8_t { kAuto, kPortable, kAvx2, kAvx512, kAmx };

[[nodiscard]] std::string_view to_string(Isa isa) noexcept;
/// The instruction sets that this machine can run, slowest first; always holds kPortable.
[[nodiscard]] std::vector<Isa> available_isas();
/// What kAuto means here: the best one, or what LIVENESS_ISA (portable, avx2, avx512, amx) in the environment names.
/// Throws Error(kUnsupported) where it names one that the machine lacks, Error(kInvalidArgument) where it names none.
[[nodiscard]] Isa default_isa();
/// Precisions below fp32 in which the native engine is faster than in fp32 on this machine, fastest first; `isa` must
/// be available and not kAuto. The others work too, but gain nothing.
[[nodiscard]] std::vector<Precision> fast_precisions(Isa isa);

/// Name and shape of a graph input or output; shape without the batch axis, in the order of the original file (C, H,
/// W).
struct TensorInfo {
  std::string name;
  std::vector<std::int64_t> shape;
  [[nodiscard]] std::size_t elements() const noexcept {
    std::size_t n = 1;
    for (const auto d : shape) n *= static_cast<std::size_t>(d);
    return n;
  }
};

/// One line of the graph, for people.
struct NodeInfo {
  std::string name;
  std::string type;
  std::vector<std::int64_t> output_shape;
  std::int64_t macs = 0;
  std::int64_t parameters = 0;
};

/// Figures about a loaded model.
struct ModelInfo {
  std::vector<NodeInfo> nodes;
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  std::int64_t macs = 0;               ///< multiply-accumulates of one pass
  std::int64_t parameters = 0;         ///< weights and biases, before folding
  std::size_t weight_bytes = 0;        ///< packed weights in memory
  std::size_t workspace_bytes = 0;     ///< scratch of one running pass
  Isa isa = Isa::kPortable;            ///< what the plan was made for
  std::string identity;                ///< 32 hexadecimal digits of graph, weights and contract; docs/model_format.md
  Backend backend = Backend::kNative;  ///< who runs it, never kAuto
  Precision precision = Precision::kFp32;  ///< what it runs in, never kAuto
  std::string device = "cpu";              ///< "cpu", "cuda:0", ...
  std::string fallback;  ///< why something else than what was asked for was chosen; empty where nothing was
};

/// Time of one planned step, for `liveness bench` and people who tune.
struct StepTime {
  std::string name;
  std::int64_t macs = 0;
  double microseconds = 0;
};

/// An immutable network with its contract. Cheap to copy: copies share one instance. Any number of threads may use it
/// at once.
class Model {
 public:
  struct Options {
    Isa isa = Isa::kAuto;
    /// Score the package's first golden input after loading and fail where it misses: one pass, so that a start stays
    /// short. `Model::verify` scores them all.
    bool verify = true;
    /// Contract for an ONNX file; empty: FILE.yaml, FILE.yml or FILE.json beside it. Not used for packages.
    std::filesystem::path contract;
    Precision precision = Precision::kAuto;
    Backend backend = Backend::kAuto;
    std::string device = "cpu";  ///< "cpu", "cuda" (the first) or "cuda:1"; others than "cpu" need Backend::kTorch
    /// Backend::kTorch: allow a user's TorchScript or AOTInductor file, which is a program and not data.
    bool allow_code = false;
    /// Backend::kTorch: the plugin's file; empty: beside this library, then the folders of LIVENESS_PLUGIN_PATH.
    std::filesystem::path plugin;
  };

  /// Reads a package (.safetensors), an ONNX file with its contract or, where `allow_code` is set, a TorchScript (.pt)
  /// or AOTInductor (.pt2) file with its contract. Throws Error: kNotFound, kIo, kModelInvalid
  /// (names the field, node or tensor), kUnsupported (an operator, instruction set, precision or device),
  /// kConfigInvalid (the contract file, with its line).
  [[nodiscard]] static Model load(const std::filesystem::path& path, const Options& options);
  [[nodiscard]] static Model load(const std::filesystem::path& path) { return load(path, Options()); }
  /// The same from the bytes of a package, which are not needed after the call.
  [[nodiscard]] static Model from_memory(std::span<const std::byte> package, const Options& options);
  [[nodiscard]] static Model from_memory(std::span<const std::byte> package) { return from_memory(package, Options()); }

  [[nodiscard]] const Contract& contract() const noexcept;
  [[nodiscard]] const ModelInfo& info() const noexcept;
  [[nodiscard]] const std::vector<Golden>& goldens() const noexcept;

  /// Scores every golden input; returns the largest difference found, relative to max(1, largest |output|) of its
  /// output. Throws Error(kModelInvalid) where a tolerance is missed.
  float verify() const;

  /// The raw pass. `input`: batch x C x H x W floats as the network takes them (mean and std already applied).
  /// `outputs`: one span per graph output in the order of info().outputs, each batch x elements long.
  /// `threads` images are worked on side by side; the result does not depend on it, nor on the batch size.
  /// Throws Error(kInvalidArgument) where a size is wrong.
  void run(std::span<const float> input, std::span<const std::span<float>> outputs, int batch = 1,
           int threads = 1) const;
  /// The same from pixels: batch x H x W x C bytes in the network's own size and colour order, which become values as
  /// InputContract says; on an accelerator that is done there.
  void run(std::span<const std::uint8_t> pixels, std::span<const std::span<float>> outputs, int batch = 1,
           int threads = 1) const;

  /// Medians of `rounds` passes over a fixed input, step by step.
  [[nodiscard]] std::vector<StepTime> profile(int rounds) const;

  /// The same detector network, planned for pictures of another size; it has no golden inputs. Both sides must be
  /// multiples of its strides. Throws Error(kInvalidArgument) for a size, Error(kUnsupported) where the model is no
  /// detector or its graph cannot follow (names the node).
  [[nodiscard]] Model resized(Size input) const;

  class Impl;
  /// For the library's own parts.
  [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

 private:
  explicit Model(std::shared_ptr<const Impl> impl) noexcept : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// Reads an ONNX file and a contract (YAML or JSON), makes `goldens` synthetic golden inputs with the portable kernels,
/// checks that the package loads and that this machine's best kernels agree, and writes it. The file appears whole or
/// not at all. Throws as Model::load, and Error(kIo) where writing fails.
void convert_onnx(const std::filesystem::path& onnx, const std::filesystem::path& contract,
                  const std::filesystem::path& package, int goldens = 4);

/// The contract as JSON text, in the form that a package holds.
[[nodiscard]] std::string contract_to_json(const Contract& contract);

}  // namespace liveness
