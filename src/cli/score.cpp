// liveness score: pictures in, verdicts out.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/videoio.hpp>
#include <set>

#include "draw.hpp"
#include "inputs.hpp"
#include "liveness/opencv.hpp"
#include "logits.hpp"
#include "measure.hpp"
#include "models.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace fs = std::filesystem;
namespace {

struct Options {
  std::vector<std::string> inputs;
  std::string list;
  ModelFlags models;
  std::string fusion = "mean";
  std::vector<float> weights;
  std::string profile = "balanced";
  std::optional<float> threshold;
  std::string calibration;
  std::string boxes;
  std::string box_convention = "yunet";
  std::string faces = "largest";
  float min_face = 0;
  Augmentation views;
  std::uint64_t cache = 0;
  int threads = 1;
  SourceOptions source;
  bool json = false;
  bool csv = false;
  bool times = false;
  std::string annotate;
  std::string sheet;
  std::string logits;
};

bool write_picture(const std::string& file, const cv::Mat& picture) {
  try {
    return cv::imwrite(file, picture);
  } catch (const cv::Exception&) {
    return false;
  }
}

// Where annotated pictures and videos go: one file for one input, otherwise a folder with a file an input.
class Annotations {
 public:
  Annotations(const std::string& out, const std::vector<std::string>& inputs) {
    if (out.empty()) return;
    const std::string extension = fs::path(out).extension().string();
    if (inputs.size() == 1 && !extension.empty() && !fs::is_directory(out)) {
      const bool video = kind_of(out) == InputKind::kVideo;
      if (video != (kind_of(inputs[0]) != InputKind::kStill))
        throw UsageError(fmt::format("--annotate {}: pictures become pictures and videos become videos", out));
      file_ = out;
      make_parent(out);
    } else {
      if (fs::exists(out) && !fs::is_directory(out))
        throw UsageError(fmt::format("--annotate {}: is a file; several inputs need a folder", out));
      folder_ = out;
      std::error_code failed;
      fs::create_directories(folder_, failed);
      if (failed) throw UsageError(fmt::format("--annotate {}: {}", out, failed.message()));
    }
  }
  [[nodiscard]] bool wanted() const { return !file_.empty() || !folder_.empty(); }

  // Frames of one video come in order. Empty, or what went wrong.
  std::string write(const Record& record, const cv::Mat& picture, double fps) {
    const std::string file = file_for(record);
    if (!record.moving) return write_picture(file, picture) ? "" : fmt::format("cannot write {}", file);
    if (video_of_ != record.input) {
      video_.release();
      video_of_ = record.input;
      const bool avi = fs::path(file).extension() == ".avi";
      const int codec = avi ? cv::VideoWriter::fourcc('M', 'J', 'P', 'G') : cv::VideoWriter::fourcc('m', 'p', '4', 'v');
      video_.open(file, codec, fps > 0 ? fps : 25, picture.size());
    }
    if (!video_.isOpened()) return fmt::format("cannot write {}", file);
    video_.write(picture);
    return {};
  }

 private:
  std::string file_for(const Record& record) {
    if (!file_.empty()) return file_;
    const auto [entry, fresh] = names_.try_emplace(record.input);
    if (fresh) {
      const fs::path input = kind_of(record.input) == InputKind::kCamera ? fs::path("camera") : fs::path(record.input);
      const char* extension = record.moving ? ".mp4" : ".png";
      std::string name = input.stem().string();
      for (int i = 2; !taken_.insert(name + extension).second; ++i)
        name = fmt::format("{}-{}", input.stem().string(), i);
      entry->second = (folder_ / (name + extension)).string();
    }
    return entry->second;
  }

  std::string file_;
  fs::path folder_;
  std::map<std::string, std::string> names_;
  std::set<std::string> taken_;
  cv::VideoWriter video_;
  std::string video_of_;
};

// What a frame becomes on its way through a worker.
struct Work {
  Frame frame;
  Record record;
  cv::Mat annotated;
  cv::Mat tile;
  std::string logits;  // lines, ended
};

class Scorer {
 public:
  explicit Scorer(const Options& o) : options_(o), pool_(o.threads) {
    const bool need_detector = o.boxes.empty();
    if (!need_detector) boxes_.emplace(o.boxes);
    Chosen chosen = choose(o.models, need_detector);
    Ensemble::Options e;
    e.fusion = fusion_of(o.fusion);
    e.weights = o.weights;
    e.profile = o.profile;
    e.threshold = o.threshold;
    if (!o.calibration.empty()) e.calibration = Calibration::load(o.calibration);
    e.all_faces = o.faces == "all";
    e.augmentation = o.views;
    if (o.cache > 0) e.cache = std::make_shared<PredictionCache>(PredictionCache::Options{o.cache, {}});
    e.detection.min_face = o.min_face;
    e.box_convention = o.box_convention;
    if (!o.logits.empty()) {
      make_parent(o.logits);
      const std::string& boxes = need_detector ? chosen.detector->contract().detector->box : o.box_convention;
      logits_.emplace(chosen.members, boxes, o.logits);
    }
    if (need_detector) e.detector = std::move(chosen.detector);
    e.profiler = o.times ? &profiler_ : nullptr;
    ensemble_.emplace(std::move(chosen.members), e);
  }

  int run() {
    std::vector<std::string> given = options_.inputs;
    if (!options_.list.empty()) {
      const auto listed = read_list(options_.list);
      given.insert(given.end(), listed.begin(), listed.end());
    }
    Expanded expanded = expand(given);
    Annotations annotations(options_.annotate, expanded.inputs);
    annotate_ = annotations.wanted();
    if (!options_.sheet.empty()) make_parent(options_.sheet);
    if (options_.csv) fmt::print("{}", csv_header());
    for (const auto& [input, message] : expanded.errors) {
      Work work;
      work.record.input = input;
      work.record.error = message;
      if (!options_.sheet.empty()) work.tile = ContactSheet::tile({}, work.record);
      report(work, annotations);
    }

    Source source(std::move(expanded.inputs), options_.source);
    const std::size_t chunk = options_.threads == 1 ? 1 : static_cast<std::size_t>(options_.threads) * 4;
    std::vector<Work> works;
    for (bool more = true; more;) {
      works.clear();
      while (works.size() < chunk && (more = source.next(works.emplace_back().frame))) {
      }
      if (!more) works.pop_back();
      score(works);
      for (const auto& work : works) report(work, annotations);
      progress_.show(source.progress(), done_);
    }
    return finish();
  }

 private:
  void score(std::vector<Work>& works) {
    pool_.run(works.size(), [&](std::size_t i) { score(works[i]); });
  }

  void score(Work& work) {
    Frame& frame = work.frame;
    Record& record = work.record;
    frame.decode();
    record.input = frame.input;
    record.frame = frame.index;
    record.moving = frame.kind != InputKind::kStill;
    record.width = frame.image.cols;
    record.height = frame.image.rows;
    record.read_ms = frame.read_ms;
    record.error = frame.error;
    if (options_.times)
      profiler_.record(Profiler::Stage::kRead,
                       std::chrono::nanoseconds(static_cast<std::int64_t>(frame.read_ms * 1e6)));
    if (record.error.empty()) try {
        if (!boxes_) {
          record.result = ensemble_->predict(view(frame.image));
        } else if (const auto box = boxes_->find(frame.input, frame.index)) {
          record.result = ensemble_->predict(view(frame.image), *box);
        } else {
          record.error = fmt::format("no box for it in {}", options_.boxes);
        }
      } catch (const std::exception& e) {
        record.error = e.what();
      }
    if (logits_ && record.result) try {
        work.logits = logits_->lines(record, view(frame.image));
      } catch (const std::exception& e) {
        record.error = e.what();
      }
    if (annotate_ && !frame.image.empty()) {
      work.annotated = frame.image.clone();
      annotate(work.annotated, record);
    }
    const auto second = std::max<std::int64_t>(1, std::llround(frame.fps));  // of a video one frame a second will do
    if (!options_.sheet.empty() && (frame.taken % second == 0 || !record.error.empty()))
      work.tile = ContactSheet::tile(frame.image, record);
    frame.image.release();
  }

  void report(const Work& work, Annotations& annotations) {
    const Record& record = work.record;
    ++done_;
    if (record.result)
      ++verdicts_[static_cast<std::size_t>(record.result->verdict)];
    else
      ++failed_;
    progress_.clear();
    if (logits_) logits_->write(work.logits);
    if (options_.json)
      fmt::print("{}", to_json_line(record));
    else if (options_.csv)
      fmt::print("{}", to_csv(record));
    else if (record.result)
      fmt::print("{}", to_text(name_of(record), *record.result));
    std::fflush(stdout);
    if (!record.error.empty()) fmt::print(stderr, "liveness: {}: {}\n", name_of(record), record.error);
    if (!work.annotated.empty()) {
      if (const std::string error = annotations.write(record, work.annotated, work.frame.fps); !error.empty())
        complain(error);
    }
    if (!work.tile.empty() && !sheet_.add(work.tile)) ++left_out_;
  }

  void complain(const std::string& what) {
    fmt::print(stderr, "liveness: {}\n", what);
    output_failed_ = true;
  }

  int finish() {
    progress_.clear();
    if (logits_ && !logits_->finish()) complain(fmt::format("cannot write {}", options_.logits));
    if (!options_.sheet.empty() && !sheet_.empty()) {
      if (!write_picture(options_.sheet, sheet_.compose())) complain(fmt::format("cannot write {}", options_.sheet));
      if (left_out_ > 0)
        fmt::print(stderr, "liveness: the sheet shows {} pictures; {} more are left out\n", ContactSheet::kMaxTiles,
                   left_out_);
    }
    if (done_ > 1 && !options_.json && !options_.csv) {
      std::string summary = fmt::format("{} pictures:", done_);
      for (const Verdict v : {Verdict::kLive, Verdict::kSpoof, Verdict::kUncertain, Verdict::kNoFace})
        if (const auto n = verdicts_[static_cast<std::size_t>(v)]; n > 0)
          summary += fmt::format(" {} {},", n, to_string(v));
      if (failed_ > 0) summary += fmt::format(" {} failed,", failed_);
      summary.pop_back();
      fmt::print(stderr, "{}\n", summary);
    }
    if (options_.times) fmt::print(stderr, "{}", profiler_.to_table());
    return failed_ > 0 || output_failed_ ? kExitFailed : kExitOk;
  }

  const Options& options_;
  WorkerPool pool_;
  Profiler profiler_;
  std::optional<Ensemble> ensemble_;
  std::optional<Boxes> boxes_;
  std::optional<Logits> logits_;
  ContactSheet sheet_;
  Progress progress_;
  bool annotate_ = false;
  bool output_failed_ = false;
  std::int64_t done_ = 0;
  std::int64_t failed_ = 0;
  std::int64_t left_out_ = 0;
  std::array<std::int64_t, 4> verdicts_{};
};

}  // namespace

void add_score(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App& verb = *app.add_subcommand("score", "Scores pictures, folders, videos and cameras");
  verb.add_option("inputs", o->inputs, "pictures, folders of them, videos, camera:N")->type_name("IMAGE|DIR|VIDEO");
  verb.add_option("--list", o->list, "text file with one input a line; - is standard input")->type_name("FILE");
  o->models.add_to(verb);
  verb.add_option("--fusion", o->fusion, "how several networks' scores become one")
      ->check(CLI::IsMember(fusion_names()))
      ->capture_default_str();
  verb.add_option("--weights", o->weights, "for --fusion weighted: one a network")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("W,W,...");
  auto* profile =
      verb.add_option("--profile", o->profile, "threshold profile of the networks: strict, balanced, lenient")
          ->capture_default_str();
  verb.add_option("--threshold", o->threshold, "LIVE at or above this score, SPOOF below")->excludes(profile);
  verb.add_option("--calibration", o->calibration, "made by liveness calibrate for these networks and this camera")
      ->type_name("FILE");
  verb.add_option("--boxes", o->boxes,
                  "face boxes, lines of input,x,y,width,height or input,frame,x,y,width,height; no detection then")
      ->type_name("FILE");
  verb.add_option("--box-convention", o->box_convention, "whose boxes those are")->capture_default_str();
  verb.add_option("--faces", o->faces, "which faces are scored; the largest decides")
      ->check(CLI::IsMember({"largest", "all"}))
      ->capture_default_str();
  verb.add_option("--min-face", o->min_face, "smaller faces are not seen")->type_name("PIXELS");
  verb.add_option("--crops", o->views.crops, "score so many moved boxes as well; UNCERTAIN where they disagree")
      ->check(CLI::Range(0, kJitterCount))
      ->type_name("N");
  verb.add_flag("--flip", o->views.flip, "score the mirrored face as well");
  verb.add_option("--brightness", o->views.brightness, "score it lighter and darker by this share as well")
      ->check(CLI::Range(0.0, 0.9))
      ->type_name("SHARE");
  verb.add_option("--settled", o->views.settled,
                  "stop when the log-odds are so many standard errors away from the threshold; 0: score all of them")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  verb.add_option("--cache", o->cache, "keep results of so many bytes (16MB), for pictures that come again")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("BYTES");
  verb.add_option("--threads", o->threads, "pictures worked on side by side")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb.add_option("--every", o->source.every, "of a video each so-manieth frame")
      ->check(CLI::Range(1, 1000000))
      ->type_name("N");
  verb.add_option("--frames", o->source.frames, "at most so many frames of each video")
      ->check(CLI::Range(1, 1000000000))
      ->type_name("N");
  verb.add_option("--logits", o->logits,
                  "JSON lines with every network's class outputs for each face: what a training script learns from")
      ->type_name("FILE");
  auto* json = verb.add_flag("--json", o->json, "one JSON line a picture");
  verb.add_flag("--csv", o->csv, "one line a face")->excludes(json);
  verb.add_flag("--times", o->times, "a table of times a stage, on stderr");
  verb.add_option("--annotate", o->annotate,
                  "pictures with boxes, verdicts and reasons: a file for one input, otherwise a folder")
      ->type_name("OUT");
  verb.add_option("--sheet", o->sheet, "one contact sheet of all inputs")->type_name("OUT.png");
  verb.footer(
      "Examples:\n"
      "  liveness score photo.jpg\n"
      "  liveness score --json --threads 4 pictures/ > scores.jsonl\n"
      "  liveness score clip.mp4 --every 5 --annotate clip_scored.mp4\n"
      "  liveness score --model a.safetensors --model b.onnx --fusion minimum photo.jpg\n"
      "Without --model: the packages of the first folder that has some, in LIVENESS_MODEL_PATH, the installation, the "
      "source tree.");
  verb.callback([o, &action] {
    if (o->inputs.empty() && o->list.empty()) throw CLI::RequiredError("an input or --list");
    action = [o] { return Scorer(*o).run(); };
  });
}

}  // namespace liveness::cli
