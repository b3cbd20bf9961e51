// liveness quantize, prune, export: smaller packages, and the way back to ONNX.
#include "liveness/optimize.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "inputs.hpp"
#include "liveness/opencv.hpp"
#include "models.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace {

// Pictures to measure on, the same options for every verb that has them.
struct SampleFlags {
  std::vector<std::string> pictures;
  std::vector<std::string> bona_fide;
  std::vector<std::string> attacks;
  std::string boxes;
  std::string box_convention = "yunet";
  std::string detector;

  void add_to(CLI::App& verb) {
    verb.add_option("--samples", pictures, "pictures, folders or videos to measure on; nobody says what they show")
        ->type_name("IMAGE|DIR|VIDEO");
    verb.add_option("--bona-fide", bona_fide, "the same, of living persons")->type_name("IMAGE|DIR|VIDEO");
    verb.add_option("--attacks", attacks, "the same, of presentation attacks")->type_name("IMAGE|DIR|VIDEO");
    verb.add_option("--boxes", boxes, "face boxes, lines of input,x,y,width,height or input,frame,x,y,width,height")
        ->type_name("FILE");
    verb.add_option("--box-convention", box_convention, "whose boxes those are")->capture_default_str();
    verb.add_option("--detector", detector,
                    "finds the faces where no boxes are given; pictures in the network's own size need neither")
        ->type_name("FILE");
  }

  // Nothing where no pictures were named. Pictures that cannot be used are told and left out.
  [[nodiscard]] std::optional<Samples> read(const Contract& contract, int& failed) const {
    std::optional<Samples> samples;
    if (pictures.empty() && bona_fide.empty() && attacks.empty()) return samples;
    samples.emplace(contract);
    std::optional<Boxes> known;
    if (!boxes.empty()) known.emplace(boxes);
    std::optional<FaceDetector> finder;
    if (!detector.empty()) finder.emplace(load(resolve(detector)));
    add(*samples, contract, pictures, Label::kUnknown, known, finder, failed);
    add(*samples, contract, bona_fide, Label::kBonaFide, known, finder, failed);
    add(*samples, contract, attacks, Label::kAttack, known, finder, failed);
    if (samples->size() == 0) throw UsageError("none of the pictures can be measured on");
    return samples;
  }

 private:
  void add(Samples& samples, const Contract& contract, const std::vector<std::string>& given, Label label,
           const std::optional<Boxes>& known, const std::optional<FaceDetector>& finder, int& failed) const {
    const auto complain = [&](const std::string& input, const std::string& what) {
      fmt::print(stderr, "liveness: {}: {}\n", input, what);
      ++failed;
    };
    Expanded expanded = expand(given);
    for (const auto& [input, message] : expanded.errors) complain(input, message);
    Source source(std::move(expanded.inputs), {});
    for (Frame frame; source.next(frame);) {
      frame.decode();
      if (!frame.error.empty()) {
        complain(frame.input, frame.error);
        continue;
      }
      const ImageView image = view(frame.image);
      const InputContract& in = contract.input;
      try {
        if (const auto box = known ? known->find(frame.input, frame.index) : std::nullopt) {
          samples.add(image, *box, box_convention, label);
        } else if (finder) {
          const auto faces = finder->detect(image);
          if (faces.empty()) throw UsageError("no face found");
          const auto largest = std::max_element(faces.begin(), faces.end(),
                                                [](const Face& a, const Face& b) { return area(a.box) < area(b.box); });
          samples.add(image, largest->box, finder->model().contract().detector->box, label);
        } else if (contract.task == Task::kDetector || (image.width == in.width && image.height == in.height)) {
          samples.add(image, label);
        } else {
          throw UsageError("not the network's own size; give --boxes or --detector");
        }
      } catch (const std::exception& e) {
        complain(frame.input, e.what());
      }
    }
  }
};

Contract contract_of(const std::string& package) {
  Model::Options options;
  options.verify = false;
  return Model::load(package, options).contract();
}

std::string percent(double share) {
  return fmt::format("{:.2f} %", 100 * share);
}

std::string to_text(const ScoreDrift& d) {
  std::string text = fmt::format(
      "{} samples: outputs move by {:.4f} at most, scores by {:.4f} on average and {:.4f} at most, {} of verdicts flip",
      d.samples, d.outputs, d.mean_score, d.max_score, percent(d.flips));
  if (d.boxes > 0 || d.landmarks > 0)
    text += fmt::format("; boxes move by {:.4f}, landmarks by {:.4f}", d.boxes, d.landmarks);
  if (d.before)
    text += fmt::format("; APCER {} -> {}, BPCER {} -> {}", percent(d.before->apcer), percent(d.after->apcer),
                        percent(d.before->bpcer), percent(d.after->bpcer));
  return text;
}

// ---------------------------------------------------------------- quantize

struct QuantizeFlags {
  std::string package;
  std::string out;
  std::string storage = "int8";
  std::optional<std::vector<std::string>> qualify;
  QuantizeOptions options;
  SampleFlags samples;
  bool json = false;
};

int quantize(QuantizeFlags& f) {
  static const std::map<std::string, Storage> kStorages = {
      {"fp32", Storage::kFp32}, {"fp16", Storage::kFp16}, {"int8", Storage::kInt8}};
  f.options.storage = kStorages.at(f.storage);
  if (f.qualify || f.options.storage != Storage::kInt8) f.options.qualify.clear();
  for (const auto& name : f.qualify.value_or(std::vector<std::string>()))
    f.options.qualify.push_back(name == "bf16" ? Precision::kBf16 : Precision::kInt8);
  int failed = 0;
  const auto samples = f.samples.read(contract_of(f.package), failed);
  if (samples) f.options.samples = &*samples;
  const QuantizeReport r = liveness::quantize(f.package, f.out, f.options);
  if (f.json) {
    fmt::print("{}\n", to_json(r));
    return failed > 0 ? kExitFailed : kExitOk;
  }
  std::size_t width = 5;
  for (const auto& l : r.layers) width = std::max(width, l.name.size());
  fmt::print("{:<{}}  {:>9}  {:>9}\n", "layer", width, "bytes", "error");
  for (const auto& l : r.layers)
    fmt::print("{:<{}}  {:>9}  {:>9.5f}{}\n", l.name, width, l.bytes, l.error, l.quantized ? "" : "  left in fp32");
  fmt::print("{}: {} bytes, {} smaller\n", f.out, r.bytes_after,
             percent(1 - static_cast<double>(r.bytes_after) / static_cast<double>(r.bytes_before)));
  fmt::print("stored, computed in fp32: {}\n", to_text(r.stored));
  for (const auto& q : r.qualifications) {
    fmt::print("{}: {}; {:.3f} ms a pass, {:.3f} in fp32: {}\n", to_string(q.precision),
               q.passed ? "qualified" : "NOT qualified", q.milliseconds, r.milliseconds_before, q.reason);
    if (q.drift.samples > 0) fmt::print("  {}\n", to_text(q.drift));
  }
  return failed > 0 ? kExitFailed : kExitOk;
}

// ---------------------------------------------------------------- prune

struct PruneFlags {
  std::string package;
  std::string out;
  std::string gradients;
  PruneOptions options;
  SampleFlags samples;
  bool json = false;
};

int prune(PruneFlags& f) {
  f.options.gradients = f.gradients;
  int failed = 0;
  const auto samples = f.samples.read(contract_of(f.package), failed);
  if (samples) f.options.samples = &*samples;
  const PruneReport r = liveness::prune(f.package, f.out, f.options);
  const int code = failed > 0 ? kExitFailed : kExitOk;
  if (f.json) {
    fmt::print("{}\n", to_json(r));
    return code;
  }
  for (const auto& w : r.widths)
    if (w.before != w.after) fmt::print("{}: {} -> {} channels\n", w.name, w.before, w.after);
  const auto less = [](auto before, auto after) {
    return percent(1 - static_cast<double>(after) / static_cast<double>(before));
  };
  fmt::print("{}: {:.2f} MMAC, {} less; {} parameters, {} less; {:.3f} ms a pass, {} less\n", f.out,
             static_cast<double>(r.macs_after) * 1e-6, less(r.macs_before, r.macs_after), r.parameters_after,
             less(r.parameters_before, r.parameters_after), r.milliseconds_after,
             less(r.milliseconds_before, r.milliseconds_after));
  if (r.drift) fmt::print("{}\n", to_text(*r.drift));
  return code;
}

// ---------------------------------------------------------------- export

struct ExportFlags {
  std::string package;
  std::string out;
  ExportOptions options;
  SampleFlags samples;
};

int export_package(ExportFlags& f) {
  int failed = 0;
  const auto samples = f.samples.read(contract_of(f.package), failed);
  if (samples) f.options.activations = &*samples;
  export_onnx(f.package, f.out, f.options);
  fmt::print("{}: opset {}, {} bytes\n", f.out, f.options.opset, std::filesystem::file_size(f.out));
  return failed > 0 ? kExitFailed : kExitOk;
}

void add_files(CLI::App& verb, std::string& package, std::string& out, const char* out_name) {
  verb.add_option("package", package, "the network")->required()->type_name("IN.safetensors");
  verb.add_option("-o,--out", out, "where it goes")->required()->type_name(out_name);
}

}  // namespace

void add_optimize(CLI::App& app, Action& action) {
  auto q = std::make_shared<QuantizeFlags>();
  CLI::App& quantize_verb =
      *app.add_subcommand("quantize", "Makes a smaller package, and measures which precisions it may claim");
  add_files(quantize_verb, q->package, q->out, "OUT.safetensors");
  quantize_verb.add_option("--storage", q->storage, "how the weights are kept")
      ->check(CLI::IsMember({"int8", "fp16", "fp32"}))
      ->capture_default_str();
  quantize_verb
      .add_option("--qualify", q->qualify,
                  "precisions to be measured: bf16, int8; with --storage int8 int8 unless told")
      ->delimiter(',')
      ->check(CLI::IsMember({"bf16", "int8"}))
      ->type_name("P,P");
  const auto share = CLI::Range(0.0, 1.0);
  quantize_verb.add_option("--max-acer", q->options.gate.acer, "gate: growth of (APCER + BPCER) / 2, as a share")
      ->check(share)
      ->capture_default_str();
  quantize_verb.add_option("--max-flips", q->options.gate.flips, "gate: share of verdicts that change")
      ->check(share)
      ->capture_default_str();
  quantize_verb.add_option("--max-score", q->options.gate.score, "gate: mean change of the score")
      ->check(share)
      ->capture_default_str();
  quantize_verb.add_option("--sensitive", q->options.sensitive, "share of layers that may be left in fp32 to pass it")
      ->check(share)
      ->capture_default_str();
  quantize_verb.add_option("--keep", q->options.keep, "layer that stays in fp32; may be repeated")
      ->allow_extra_args(false)
      ->type_name("NAME");
  q->samples.add_to(quantize_verb);
  quantize_verb.add_flag("--json", q->json, "the report as JSON");
  quantize_verb.footer(
      "Example:\n  liveness quantize net.safetensors -o small.safetensors --detector yunet --bona-fide live/ --attacks "
      "spoof/");
  quantize_verb.callback([q, &action] { action = [q] { return quantize(*q); }; });

  auto p = std::make_shared<PruneFlags>();
  CLI::App& prune_verb = *app.add_subcommand("prune", "Takes the least important channels out of a package");
  add_files(prune_verb, p->package, p->out, "OUT.safetensors");
  prune_verb.add_option("--ratio", p->options.ratio, "share of the multiply-accumulates to take out")
      ->check(share)
      ->capture_default_str();
  prune_verb.add_flag("--per-layer", p->options.per_layer,
                      "the same share of every width, not the least important first");
  prune_verb.add_option("--multiple", p->options.multiple, "widths stay multiples of it, or as they were")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  prune_verb
      .add_option("--gradients", p->gradients,
                  "safetensors file with the gradient of each weight: importance is then the change of the loss")
      ->type_name("FILE");
  p->samples.add_to(prune_verb);
  prune_verb.add_flag("--json", p->json, "the report as JSON");
  prune_verb.footer("Example:\n  liveness prune net.safetensors -o pruned.safetensors --ratio 0.3");
  prune_verb.callback([p, &action] { action = [p] { return prune(*p); }; });

  auto e = std::make_shared<ExportFlags>();
  CLI::App& export_verb = *app.add_subcommand("export", "Makes an ONNX file of a package");
  add_files(export_verb, e->package, e->out, "OUT.onnx");
  export_verb.add_option("--opset", e->options.opset, "of the file")->check(CLI::Range(11, 17))->capture_default_str();
  export_verb.add_flag("--quantized", e->options.quantized,
                       "int8 weights stay int8 (QDQ); with --samples, activations become uint8 too");
  e->samples.add_to(export_verb);
  export_verb.footer("Example:\n  liveness export net.safetensors -o net.onnx --opset 17");
  export_verb.callback([e, &action] { action = [e] { return export_package(*e); }; });
}

}  // namespace liveness::cli
