// liveness calibrate: thresholds for one's own camera.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>
#include <map>
#include <opencv2/imgcodecs.hpp>

#include "eval_report.hpp"
#include "measure.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace fs = std::filesystem;
namespace {

struct Options {
  MeasureFlags measure;
  std::string out;
  std::vector<std::string> targets;
  std::string method = "auto";
  int folds = 5;
  std::uint64_t seed = 1;
  double confidence = 0.95;
  std::string capture;
  std::string save;
  int shots = 10;
};

double rate_of(std::string text, const std::string& option) {
  double scale = 1;
  if (!text.empty() && text.back() == '%') {
    text.pop_back();
    scale = 0.01;
  }
  double rate = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), rate);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() || !(rate * scale > 0 && rate * scale < 1))
    throw UsageError(fmt::format("--target {}: expected a rate such as 0.01 or 1%", option));
  return rate * scale;
}

CalibrationOptions fit_options(const Options& o) {
  CalibrationOptions c;
  for (int i = 0; i < kCalibrationMethodCount; ++i)
    if (o.method == to_string(static_cast<CalibrationMethod>(i))) c.method = static_cast<CalibrationMethod>(i);
  c.folds = o.folds;
  c.seed = o.seed;
  c.confidence = o.confidence;
  for (const std::string& given : o.targets) {
    const auto equals = given.find('=');
    const auto colon = given.find(':');
    const std::string name = given.substr(0, equals);
    const std::string kind = equals == std::string::npos ? "" : given.substr(equals + 1, colon - equals - 1);
    if (kind == "equal" && colon == std::string::npos && !name.empty())
      c.targets[name] = {ErrorTarget::Kind::kEqual, 0};
    else if ((kind == "apcer" || kind == "bpcer") && colon != std::string::npos && !name.empty())
      c.targets[name] = {kind == "apcer" ? ErrorTarget::Kind::kApcer : ErrorTarget::Kind::kBpcer,
                         rate_of(given.substr(colon + 1), given)};
    else
      throw UsageError(
          fmt::format("--target {}: expected PROFILE=equal, PROFILE=apcer:RATE or PROFILE=bpcer:RATE", given));
  }
  return c;
}

// Pictures from the camera, with a person who is told what to do.
class Capture {
 public:
  explicit Capture(const Options& o) : options_(o) {}

  void run() {
    fmt::print(
        "{} pictures are taken of each scene, into {}. Press Enter when you are ready, s and Enter to leave a scene "
        "out.\n\n"
        "Bona fide: show your own face.\n",
        options_.shots, options_.save);
    scene("bona_fide", "near", "Come close: the face fills half of the picture's height.");
    scene("bona_fide", "far", "Step back: the face fills a quarter of the picture's height.");
    scene("bona_fide", "turned", "Look at the camera and turn the head slowly a little to each side.");
    scene("bona_fide", "light", "Change the light: a lamp on or off, or a window behind you.");
    fmt::print("\nAttacks: hold up a print or a screen with your face.\n");
    for (int i = 1;; ++i) {
      fmt::print("What do you hold up (print, screen, mask, ...)? Only Enter: no more. ");
      const std::string species = answer();
      if (species.empty()) break;
      if (species.find_first_of("/\\.") != std::string::npos || is_bona_fide(species)) {
        fmt::print("That cannot be the name of a folder of attacks.\n");
        continue;
      }
      scene(species, fmt::format("attack{}", i), "Hold it before the camera and move it slowly.");
    }
  }

 private:
  static std::string answer() {
    std::fflush(stdout);
    std::string text;
    if (!std::getline(std::cin, text))
      throw UsageError("--capture: needs somebody at the keyboard; standard input has ended");
    const auto first = text.find_first_not_of(" \t\r");
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
  }

  void scene(const std::string& species, const std::string& name, const char* what) {
    fmt::print("  {} ", what);
    if (answer() == "s") return;
    // A camera's first pictures are too dark or too bright: it is still finding its exposure. Then one in five, so that
    // they differ.
    constexpr std::int64_t kSettle = 5;
    constexpr std::int64_t kEvery = 5;
    const bool camera = kind_of(options_.capture) == InputKind::kCamera;
    Source source({options_.capture}, SourceOptions{});
    fs::path folder;
    for (int i = 1; fs::exists(folder = fs::path(options_.save) / species / fmt::format("{}-{}", name, i)); ++i) {
    }
    fs::create_directories(folder);
    int taken = 0;
    Frame frame;
    for (std::int64_t n = 0; taken < options_.shots && source.next(frame); ++n) {
      if (!frame.error.empty()) throw UsageError(fmt::format("{}: {}", options_.capture, frame.error));
      if (camera && (n < kSettle || n % kEvery != 0)) continue;
      const std::string file = (folder / fmt::format("{:03}.png", taken)).string();
      bool written = false;
      try {
        written = cv::imwrite(file, frame.image);
      } catch (const cv::Exception&) {
        written = false;
      }
      if (!written) throw UsageError(fmt::format("'{}': cannot be written", file));
      ++taken;
    }
    fmt::print("  {} pictures in {}\n", taken, folder.string());
  }

  const Options& options_;
};

std::map<std::string, std::vector<double>> observations(const Measured& m) {
  std::map<std::string, std::vector<double>> all;
  for (const ScoreRow& row : m.rows) {
    if (!row.species.empty() || !row.error.empty()) continue;
    const auto add = [&](const char* name, double value) {
      if (!std::isnan(value)) all[name].push_back(value);
    };
    add("logit", row.score);
    add("luminance", row.luminance);
    add("sharpness", row.sharpness);
    add("face_pixels", row.face_pixels);
  }
  return all;
}

void print(const Calibration& c, const Measured& m, const Options& o) {
  std::int64_t attacks = 0;
  std::string species;
  for (const auto& [name, n] : c.attacks) {
    attacks += n;
    species += fmt::format("{}{} {}", species.empty() ? "" : ", ", n, name);
  }
  std::size_t silent = 0;
  for (const ScoreRow& row : m.rows) silent += row.error.empty() && std::isnan(row.score) ? 1 : 0;
  fmt::print("{}: {} bona fide, {} attacks{} from {} subjects or clips", m.origin, c.bona_fide, attacks,
             species.empty() ? "" : " (" + species + ")", c.groups);
  fmt::print("{}{}\n", silent > 0 ? fmt::format("; {} without a response", silent) : "",
             m.failed > 0 ? fmt::format("; {} could not be scored", m.failed) : "");
  if (!c.losses.empty()) {
    fmt::print("held-out loss:");
    for (int i = 0; i < kCalibrationMethodCount; ++i) {
      const auto method = static_cast<CalibrationMethod>(i);
      fmt::print(" {} {:.4f}{}", to_string(method), c.losses.at(std::string(to_string(method))),
                 method == c.method ? " (taken)" : "");
    }
    fmt::print("\n");
  }
  for (const auto& [name, p] : c.profiles) {
    fmt::print("{:<10} LIVE from {:.4f}  {}\n", name, p.live, p.target);
    const auto h = c.held_out.find(name);
    if (h == c.held_out.end()) continue;
    fmt::print("           held out: APCER {} ({}), BPCER {}\n",
               rate_text(make_rate(h->second.apcer_errors, h->second.apcer_total, o.confidence)), h->second.species,
               rate_text(make_rate(h->second.bpcer_errors, h->second.bpcer_total, o.confidence)));
  }
  for (const auto& note : c.notes) fmt::print("- {}\n", note);
}

int run_calibrate(Options o) {
  const CalibrationOptions fit = fit_options(o);
  if (!o.capture.empty()) {
    Capture(o).run();
    o.measure.inputs.push_back(o.save);
  }
  const Measured m = measure(o.measure);
  if (m.models.empty())
    throw UsageError("the scores do not say which models gave them: a calibration belongs to models");
  if (m.calibrated) throw UsageError("the scores are calibrated already: score without --calibration");
  Calibration c = fit_calibration(presentations(m.rows), fit);
  c.models = m.models;
  c.fusion = m.fusion;
  c.weights = m.weights;
  for (auto& [name, values] : observations(m))
    if (Quantiles q = quantiles(std::move(values)); !q.values.empty()) c.reference[name] = std::move(q);
  if (c.attacks.empty() && m.bounds && c.profiles.at("balanced").live < m.bounds->live)
    c.notes.push_back(fmt::format(
        "The floor is below the models' own threshold ({:g}): attacks that the models would stop now pass, and nobody "
        "knows how many.",
        m.bounds->live));
  make_parent(o.out);
  c.save(o.out);
  print(c, m, o);
  fmt::print("written: {}\n", o.out);
  return m.failed > 0 ? kExitFailed : kExitOk;
}

}  // namespace

void add_calibrate(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App& verb = *app.add_subcommand("calibrate", "Fits scores and thresholds to your own camera");
  o->measure.add_to(verb, true);
  verb.add_option("-o,--out", o->out, "the calibration, YAML or .json")->required()->type_name("FILE");
  verb.add_option("--target", o->targets,
                  "a threshold profile: NAME=equal, NAME=apcer:RATE, NAME=bpcer:RATE; default strict=apcer:1% "
                  "balanced=equal lenient=bpcer:1%")
      ->allow_extra_args(false)
      ->type_name("TARGET");
  std::vector<std::string> methods = {"auto"};
  for (int i = 0; i < kCalibrationMethodCount; ++i) methods.emplace_back(to_string(static_cast<CalibrationMethod>(i)));
  verb.add_option("--method", o->method, "auto: the smallest held-out loss")
      ->check(CLI::IsMember(methods))
      ->capture_default_str();
  verb.add_option("--folds", o->folds, "of the cross-validation")->check(CLI::Range(2, 100))->capture_default_str();
  verb.add_option("--seed", o->seed, "of the folds")->capture_default_str();
  verb.add_option("--confidence", o->confidence, "of the intervals")
      ->check(CLI::Range(0.5, 0.9999))
      ->capture_default_str();
  auto* capture = verb.add_option("--capture", o->capture, "take the pictures first, guided: camera:N, or a video")
                      ->type_name("SOURCE");
  verb.add_option("--save", o->save, "folder for the pictures that --capture takes")->needs(capture)->type_name("DIR");
  verb.add_option("--shots", o->shots, "pictures a scene")->check(CLI::Range(1, 1000))->capture_default_str();
  verb.footer(
      "Examples:\n"
      "  liveness calibrate --capture camera:0 --save mine/ -o camera.yaml    asks you to sit before the camera\n"
      "  liveness calibrate mine/ -o camera.yaml       mine/bona_fide, mine/print, mine/screen, ...\n"
      "  liveness calibrate list.csv --target strict=apcer:5% -o camera.yaml\n"
      "  liveness score --calibration camera.yaml camera:0\n"
      "  liveness eval today/ --against camera.yaml    says when the camera has changed\n"
      "Pictures of one folder below a species are taken for one clip; a list may name subject and clip.");
  verb.callback([o, &action] {
    if (!o->capture.empty() && o->save.empty()) throw CLI::RequiredError("--save");
    if (o->capture.empty() && o->measure.inputs.empty() && o->measure.bona_fide.empty())
      throw CLI::RequiredError("pictures, a list, a score file or --capture");
    action = [o] { return run_calibrate(*o); };
  });
}

}  // namespace liveness::cli
