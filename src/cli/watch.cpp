// A camera, a video or a folder of pictures as one stream: verdicts as they fall, and what they cost.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "camera.hpp"
#include "configured.hpp"
#include "draw.hpp"
#include "inputs.hpp"
#include "liveness/opencv.hpp"
#include "liveness/verifier.hpp"
#include "metrics.hpp"
#include "models.hpp"
#include "module.hpp"
#include "record.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace {

using Clock = std::chrono::steady_clock;

// With --until-decided; 0 to 2 are those of every verb.
constexpr int kExitSpoof = 3;
constexpr int kExitUndecided = 4;

struct Options {
  std::string input;
  ConfigFlags config;
  std::vector<std::string> models;
  std::string detector;
  std::string tracker;
  bool show = false;
  bool real_time = false;
  bool until_decided = false;
  double timeout = 0;
  std::int64_t frames = 0;
  std::string record;
  std::string events;
};

std::atomic<bool> interrupted{false};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// ---- frames

// camera:N or /dev/videoN.
std::optional<int> camera_number(std::string_view input) {
  for (const std::string_view prefix : {"camera:", "/dev/video"}) {
    if (!input.starts_with(prefix)) continue;
    const auto digits = input.substr(prefix.size());
    int number = -1;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (end.ec != std::errc() || end.ptr != digits.data() + digits.size() || number < 0)
      throw UsageError(fmt::format("'{}': expected {}N with a number", input, prefix));
    return number;
  }
  return std::nullopt;
}

// ---- window

class Window {
 public:
  Window() {
    if (std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) {
      fmt::print(stderr, "liveness: --show: there is no display here (DISPLAY is not set); going on without\n");
      return;
    }
    show_ = from_module<Show>("liveness_window", "liveness_window_show");
    if (show_ == nullptr)
      fmt::print(stderr, "liveness: --show: the window module is not installed (OpenCV without highgui?)\n");
  }

  [[nodiscard]] bool open() const { return show_ != nullptr; }
  // False where the user has closed it or pressed q or Escape.
  bool show(cv::Mat& picture) {
    const int key = show_("liveness", picture.data, picture.cols, picture.rows, picture.step);
    if (key == -2 || key == 'q' || key == 27) show_ = nullptr;
    return show_ != nullptr;
  }

 private:
  using Show = int (*)(const char*, unsigned char*, int, int, std::size_t);
  Show show_ = nullptr;
};

// ---- output

// Events as JSON lines, and as lines for people where the log's level asks for them.
class Log {
 public:
  Log(const Settings& settings, const std::string& events, bool terminal)
      : level_(settings.log_level), terminal_(terminal) {
    if (!settings.log_file.empty()) text_ = open(settings.log_file, "a");
    if (events == "-")
      json_ = stdout;
    else if (!events.empty())
      json_ = open(events, "w");
  }
  ~Log() {
    clear();
    if (text_ != nullptr) std::fclose(text_);
    if (json_ != nullptr && json_ != stdout) std::fclose(json_);
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void level(LogLevel level) { level_ = level; }

  void event(LogLevel level, const Json& fields, const std::string& text) {
    if (json_ != nullptr && !write(json_, line(fields) + '\n')) complain(json_, "events");
    if (level > level_) return;
    clear();
    const std::string words = fmt::format("{:9.3f}  {}\n", fields.at("seconds").get<double>(), text);
    if (text_ != nullptr && !write(text_, words)) complain(text_, "the log");
    if (text_ == nullptr) write(stderr, words);
  }

  // Something could not be written: a full disk, a reader that went away.
  [[nodiscard]] bool failed() const { return failed_; }

  // One line on the terminal that is written over.
  void status(const std::string& text) {
    if (!terminal_ || (json_ == stdout && isatty(STDOUT_FILENO) != 0)) return;
    fmt::print(stderr, "\r\033[K{}", text);
    std::fflush(stderr);
    shown_ = true;
  }

 private:
  static std::FILE* open(const std::string& file, const char* mode) {
    std::FILE* const opened = std::fopen(file.c_str(), mode);
    if (opened == nullptr) throw Error(Status::kIo, fmt::format("cannot write {}", file));
    return opened;
  }
  // Where nothing more can be written what follows goes to the terminal alone.
  void complain(std::FILE*& file, const char* what) {
    const std::string why = std::error_code(errno, std::generic_category()).message();
    if (file != stdout) std::fclose(file);
    file = nullptr;
    failed_ = true;
    clear();
    write(stderr, fmt::format("liveness: {} cannot be written ({}); going on without\n", what, why));
  }
  static bool write(std::FILE* file, const std::string& words) {
    return std::fwrite(words.data(), 1, words.size(), file) == words.size() && std::fflush(file) == 0;
  }
  void clear() {
    if (shown_) fmt::print(stderr, "\r\033[K");
    shown_ = false;
  }

  LogLevel level_;
  bool terminal_;
  bool shown_ = false;
  bool failed_ = false;
  std::FILE* text_ = nullptr;
  std::FILE* json_ = nullptr;
};

// The update as the picture that is drawn for single results.
Record drawn(const StreamUpdate& update) {
  Record record;
  Result result;
  result.verdict = update.verdict;
  for (const auto& track : update.tracks) {
    FaceResult face;
    face.face = track.face;
    face.verdict = track.verdict;
    face.score = track.score;
    face.reasons = track.reasons;
    if (track.scores > 0) face.members.push_back({"", track.score, 0});
    result.faces.push_back(std::move(face));
  }
  record.result = std::move(result);
  return record;
}

// ---- the verb

class Watch {
 public:
  explicit Watch(const Options& o)
      : options_(o),
        config_(configured(o)),
        settings_(config_.settings()),
        camera_(camera_number(o.input)),
        governor_(config_.governor()),
        monitor_(ResourceMonitor::Options{"/", settings_.monitoring.gpu ? "libnvidia-ml.so.1" : ""}),
        log_(settings_, o.events.empty() ? settings_.monitoring.events : o.events, isatty(STDERR_FILENO) != 0) {
    if (!camera_) {
      expanded_ = expand({o.input});
      if (!expanded_.errors.empty()) throw UsageError(fmt::format("'{}': {}", o.input, expanded_.errors[0].second));
    }
    Chosen chosen = choose(settings_.pad, settings_.detector, settings_.loading, true);
    Verifier::Options v = settings_.stream;
    v.scoring.profiler = &profiler_;
    v.tracking.follower = follower(v.tracking.method);
    if (!settings_.calibration.empty()) v.scoring.calibration = Calibration::load(settings_.calibration);
    verifier_.emplace(std::move(chosen.members), std::move(*chosen.detector), v);
    if (settings_.monitoring.port > 0) {
      server_.emplace(settings_.monitoring.port);
      server_->publish(to_prometheus(figures_, profiler_));
    }
    if (o.show) window_.emplace();
    real_time_ = o.real_time || (window_ && window_->open()) || settings_.governor.cpu > 0;
  }

  int run() {
    interrupted = false;
    std::signal(SIGINT, [](int) { interrupted = true; });
    std::signal(SIGTERM, [](int) { interrupted = true; });
    start_ = Clock::now();
    file_time_ = modified();
    tell("started", LogLevel::kInfo, options_.input);
    if (camera_)
      run_camera();
    else
      run_files();
    measure(true);
    video_.release();
    const double seconds = seconds_since(start_);
    tell("stopped", LogLevel::kInfo,
         fmt::format("{} frames in {:.1f} s, {:.1f} a second; {} left out", figures_.frames, seconds,
                     static_cast<double>(figures_.frames) / std::max(seconds, 1e-9), figures_.left_out));
    return exit_code();
  }

 private:
  static Config configured(const Options& o) {
    Config config = o.config.load();
    if (!o.models.empty()) config.set("models.pad", joined(o.models, ","));
    if (!o.detector.empty()) config.set("models.detector", o.detector);
    if (!o.tracker.empty()) config.set("pipeline.tracker", o.tracker);
    return config;
  }

  // OpenCV's, where the method follows boxes by their pixels.
  static std::function<std::unique_ptr<BoxFollower>()> follower(TrackMethod method) {
    if (method == TrackMethod::kRedetect || method == TrackMethod::kNone) return nullptr;
    const auto create = from_module<BoxFollower* (*)(int)>("liveness_followers", "liveness_followers_create");
    if (create == nullptr) {
      throw Error(
          Status::kUnsupported,
          fmt::format("tracker '{}': the module liveness_followers is not installed (an OpenCV without video and "
                      "tracking, which is one of its contrib modules?)",
                      to_string(method)));
    }
    return [create, method] { return std::unique_ptr<BoxFollower>(create(static_cast<int>(method))); };
  }

  void run_camera() {
    Camera camera(fmt::format("camera:{}", *camera_), std::make_unique<OpencvDevice>(*camera_), settings_.governor);
    if (!camera.open()) {
      failed_ = true;
      tell("camera_lost", LogLevel::kError, fmt::format("camera:{}: no such camera, or it is in use", *camera_));
      if (options_.timeout <= 0) return;  // with a limit it may still be plugged in
    }
    fps_ = camera.fps();
    cv::Mat image;
    while (!over()) {
      std::optional<Notice> notice;
      const auto before = Clock::now();
      const bool got = camera.next(image, notice);
      profiler_.record(Profiler::Stage::kRead, Clock::now() - before);
      if (notice) tell(notice->kind, notice->kind == "camera_back" ? LogLevel::kInfo : LogLevel::kError, notice->text);
      if (got) {
        failed_ = false;
        look(image, seconds_since(start_));
        camera.ask(governor_.decision().workload);
      }
      idle();
    }
  }

  void run_files() {
    Source source(expanded_.inputs, {});
    Frame frame;
    std::int64_t stills = 0;
    double offset = 0;  // several files are one stream
    std::string current;
    while (!over() && source.next(frame)) {
      frame.decode();
      profiler_.record(Profiler::Stage::kRead,
                       std::chrono::nanoseconds(static_cast<std::int64_t>(frame.read_ms * 1e6)));
      if (!frame.error.empty()) {
        failed_ = true;
        tell("input_failed", LogLevel::kError, fmt::format("{}: {}", frame.input, frame.error));
        continue;
      }
      const bool still = frame.kind == InputKind::kStill;
      if (!still && frame.input != current) {
        if (!current.empty()) offset = last_seconds_ + 1 / kStillFps;
        current = frame.input;
      }
      fps_ = frame.fps > 0 ? frame.fps : kStillFps;
      double seconds = still ? static_cast<double>(stills++) / kStillFps : offset + frame.seconds;
      if (figures_.frames > 0 && seconds <= last_seconds_) {
        tell("clock", LogLevel::kError,
             fmt::format("time went from {:.3f} back to {:.3f} s; the frame counts as the next one", last_seconds_,
                         seconds));
        offset += last_seconds_ + 1 / fps_ - seconds;
        seconds = last_seconds_ + 1 / fps_;
      }
      if (real_time_) {
        if (!media_start_) media_start_ = seconds_since(start_) - seconds;
        const double ahead = *media_start_ + seconds - seconds_since(start_);
        if (ahead > 0) std::this_thread::sleep_for(std::chrono::duration<double>(ahead));
      }
      look(frame.image, seconds);
      idle();
    }
  }

  // One frame: governor, verifier, everything that shows it.
  void look(cv::Mat& image, double seconds) {
    last_seconds_ = seconds;
    ++figures_.frames;
    arrivals_.push_back(Clock::now());
    while (arrivals_.size() > 2 && arrivals_.back() - arrivals_.front() > std::chrono::seconds(3))
      arrivals_.pop_front();
    const bool admitted =
        settings_.governor.cpu <= 0 || governor_.admit(real_time_ || camera_ ? seconds_since(start_) : seconds);
    if (!admitted) {
      ++figures_.left_out;
    } else {
      const Workload& w = governor_.decision().workload;
      cv::Mat small;
      if (w.scale < 1)
        cv::resize(image, small, {}, static_cast<double>(w.scale), static_cast<double>(w.scale), cv::INTER_AREA);
      try {
        const Profiler::Timer timer(&profiler_, Profiler::Stage::kTotal);
        update_ = verifier_->push(view(small.empty() ? image : small), seconds);
        scale_ = small.empty() ? 1 : 1 / static_cast<double>(w.scale);
        events();
      } catch (const Error& e) {
        failed_ = true;
        tell("bad_frame", LogLevel::kError, e.what());
      }
    }
    if (window_ || !options_.record.empty()) draw(image);
  }

  void events() {
    figures_.tracks = update_.tracks.size();
    for (const Event& e : update_.events) {
      const bool verdict = e.kind == EventKind::kDecided || e.kind == EventKind::kChanged;
      Json fields = {{"event", to_string(e.kind)}, {"seconds", e.seconds}, {"frame", update_.frame}};
      std::string text = std::string(to_string(e.kind));
      if (e.track > 0) {
        fields["track"] = e.track;
        text += fmt::format("  track {}", e.track);
      }
      if (verdict || e.kind == EventKind::kLost) {
        fields["verdict"] = to_string(e.verdict);
        text += fmt::format("  {}", to_string(e.verdict));
      }
      if (verdict) {
        fields["previous"] = to_string(e.previous);
        ++figures_.decisions[std::string(to_string(e.verdict))];
        for (const auto& track : update_.tracks)
          if (track.id == e.track) {
            fields["score"] = number(track.score);
            fields["confidence"] = number(track.confidence);
            fields["scores"] = track.scores;
            Json reasons = Json::array();
            for (const Reason r : reasons_in(track.reasons)) reasons.push_back(to_string(r));
            fields["reasons"] = reasons;
            text += fmt::format(" {:.3f} after {:.2f} s{}{}", track.score, e.seconds - track.since,
                                track.reasons != 0 ? "  " : "", reason_names(track.reasons, ", "));
          }
      }
      fields["text"] = e.text;
      if (!e.text.empty()) text += "  " + e.text;
      ++figures_.events[std::string(to_string(e.kind))];
      log_.event(LogLevel::kInfo, fields, text);
    }
    if (!update_.tracks.empty() && update_.tracks[0].state == TrackState::kDecided)
      decided_ = update_.tracks[0].verdict;
    else if (!options_.until_decided)
      decided_.reset();
  }

  // An event of the program's own.
  void tell(std::string_view kind, LogLevel level, const std::string& text) {
    ++figures_.events[std::string(kind)];
    log_.event(level, {{"event", kind}, {"seconds", last_seconds_}, {"frame", figures_.frames}, {"text", text}},
               fmt::format("{}  {}", kind, text));
  }

  void draw(const cv::Mat& image) {
    cv::Mat picture = image.clone();
    annotate(picture, drawn(update_), scale_);
    if (!options_.record.empty() && !record_failed_) record(picture);
    if (window_ && window_->open() && !window_->show(picture)) closed_ = true;
  }

  void record(const cv::Mat& picture) {
    namespace fs = std::filesystem;
    const fs::path file = options_.record;
    std::error_code ignored;
    if (!video_.isOpened()) {
      if (file.has_parent_path()) fs::create_directories(file.parent_path(), ignored);
      // Writers seek back to the beginning, which devices and pipes do not allow.
      if (fs::exists(file, ignored) && !fs::is_regular_file(file, ignored))
        return record_fails("it is not a file that can be written over");
      video_size_ = picture.size();
      try {
        video_.open(options_.record, cv::VideoWriter::fourcc('m', 'p', '4', 'v'), fps_ > 0 ? fps_ : 25, video_size_);
      } catch (const cv::Exception&) {
      }
      if (!video_.isOpened()) return record_fails("no encoder takes it, or the folder does not");
    }
    // OpenCV does not tell what could not be written.
    if (fs::space(fs::absolute(file, ignored).parent_path(), ignored).available < kLeastSpace && !ignored) {
      video_.release();
      return record_fails("the disk is full; what was recorded is kept");
    }
    cv::Mat fitted = picture;  // a stream may change its format, a file cannot
    if (picture.size() != video_size_) cv::resize(picture, fitted, video_size_);
    video_.write(fitted);
  }

  void record_fails(const std::string& why) {
    record_failed_ = failed_ = true;
    tell("record_failed", LogLevel::kError, fmt::format("cannot write {}: {}", options_.record, why));
  }

  // What happens beside the frames: samples, governor, metrics, reload, status.
  void idle() {
    const double now = seconds_since(start_);
    if (now - governed_ >= settings_.governor.period) {
      governed_ = now;
      figures_.usage = monitor_.sample();
      const Governor::Decision& d = governor_.update(figures_.usage, now);
      figures_.level = d.level;
      figures_.workload_fps = d.workload.fps;
      if (d.changed) {
        Pace pace = settings_.stream.pace;
        pace.detect_every = std::min(d.workload.detect_every, 300);
        pace.score_every = std::min(d.workload.score_every, 300);
        verifier_->set_pace(pace);
        tell("workload", LogLevel::kDebug, fmt::format("level {}: {}", d.level, d.why));
      }
    }
    if (now - measured_ >= settings_.monitoring.interval) measure(false);
    if (now - shown_ >= 0.2) {
      shown_ = now;
      status();
    }
  }

  void measure(bool last) {
    measured_ = seconds_since(start_);
    if (last) figures_.usage = monitor_.sample();
    const auto span =
        arrivals_.size() > 1 ? std::chrono::duration<double>(arrivals_.back() - arrivals_.front()).count() : 0;
    figures_.fps = span > 0 ? static_cast<double>(arrivals_.size() - 1) / span : 0;
    figures_.latency_ms = profiler_.figures(Profiler::Stage::kTotal).p99_ms;
    if (!last) {
      reload();
      alerts();
    }
    const MonitoringOptions& m = settings_.monitoring;
    if (m.metrics.empty() && !server_) return;
    const std::string text = to_prometheus(figures_, profiler_);
    if (server_) server_->publish(text);
    if (m.metrics.empty()) return;
    if (const std::string error = write_metrics(m.metrics, text); !error.empty()) {
      failed_ = true;
      tell("metrics_failed", LogLevel::kError, error);
    }
  }

  // An alert is told when it begins and when it ends, not all the time between.
  void alerts() {
    const MonitoringOptions& m = settings_.monitoring;
    const auto alert = [&](bool& on, bool now, std::string_view what, double value, double bound) {
      if (on == now) return;
      on = now;
      tell(now ? "alert" : "alert_over", now ? LogLevel::kError : LogLevel::kInfo,
           fmt::format("{}: {:.4g}, bound {:.4g}", what, value, bound));
    };
    const auto memory = static_cast<double>(figures_.usage.resident_bytes);
    alert(alert_[0], m.low_fps > 0 && figures_.fps < m.low_fps, "low_fps", figures_.fps, m.low_fps);
    alert(alert_[1], m.high_cpu > 0 && figures_.usage.process_cpu > m.high_cpu, "high_cpu", figures_.usage.process_cpu,
          m.high_cpu);
    alert(alert_[2], m.high_memory > 0 && memory > static_cast<double>(m.high_memory), "high_memory_mb", memory / 1e6,
          static_cast<double>(m.high_memory) / 1e6);
    alert(alert_[3], m.high_latency_ms > 0 && figures_.latency_ms > m.high_latency_ms, "high_latency_ms",
          figures_.latency_ms, m.high_latency_ms);
  }

  [[nodiscard]] std::filesystem::file_time_type modified() const {
    std::error_code ignored;
    return options_.config.file.empty() ? std::filesystem::file_time_type()
                                        : std::filesystem::last_write_time(options_.config.file, ignored);
  }

  void reload() {
    if (options_.config.file.empty() || modified() == file_time_) return;
    file_time_ = modified();
    try {
      const Config::Reloaded done = config_.reload();
      settings_ = config_.settings();
      governor_.set_budget(settings_.governor.cpu, settings_.governor.memory);
      verifier_->set_pace(settings_.stream.pace);
      log_.level(settings_.log_level);
      tell("reloaded", LogLevel::kInfo,
           fmt::format("changed: {}; waiting for a new start: {}",
                       done.changed.empty() ? "nothing" : joined(done.changed, ", "),
                       done.waiting.empty() ? "nothing" : joined(done.waiting, ", ")));
    } catch (const Error& e) {
      tell("reload_refused", LogLevel::kError, e.what());
    }
  }

  void status() {
    std::string text = fmt::format("{:5.1f} fps  cpu {:4.2f}  {:3.0f} MB", figures_.fps, figures_.usage.process_cpu,
                                   static_cast<double>(figures_.usage.resident_bytes) / 1e6);
    if (figures_.level > 0 || figures_.workload_fps > 0)
      text += fmt::format("  level {} at {:.1f} fps", figures_.level, figures_.workload_fps);
    if (update_.tracks.empty()) text += "  NO_FACE";
    for (const auto& t : update_.tracks)
      text += fmt::format("  [{}] {} {:.2f} {}", t.id, to_string(t.verdict), t.score, to_string(t.state));
    log_.status(text);
  }

  [[nodiscard]] bool over() const {
    if (interrupted || closed_) return true;
    if (options_.until_decided && decided_) return true;
    if (options_.frames > 0 && static_cast<std::int64_t>(figures_.frames) >= options_.frames) return true;
    // Of a video that runs faster than time the limit is its own time.
    const double passed = camera_ || real_time_ ? seconds_since(start_) : last_seconds_;
    return options_.timeout > 0 && passed >= options_.timeout;
  }

  [[nodiscard]] int exit_code() const {
    const bool failed = failed_ || log_.failed();
    if (!options_.until_decided) return failed ? kExitFailed : kExitOk;
    if (decided_ == Verdict::kLive) return kExitOk;
    if (decided_ == Verdict::kSpoof) return kExitSpoof;
    return failed ? kExitFailed : kExitUndecided;
  }

  static constexpr std::uintmax_t kLeastSpace = 1 << 20;  // bytes: below that a disk is full
  static constexpr double kStillFps = 10;                 // pictures of a folder count as so many a second

  const Options& options_;
  Config config_;
  Settings settings_;
  std::optional<int> camera_;
  Expanded expanded_;
  Profiler profiler_;
  Governor governor_;
  ResourceMonitor monitor_;
  Log log_;
  std::optional<Verifier> verifier_;
  std::optional<MetricsServer> server_;
  std::optional<Window> window_;
  cv::VideoWriter video_;
  cv::Size video_size_;
  bool real_time_ = false;
  bool failed_ = false;
  bool record_failed_ = false;
  bool closed_ = false;
  std::array<bool, 4> alert_{};
  double fps_ = 0;
  double scale_ = 1;  // from the picture that was scored to the frame
  StreamUpdate update_;
  StreamFigures figures_;
  std::optional<Verdict> decided_;
  std::deque<Clock::time_point> arrivals_;
  Clock::time_point start_;
  std::filesystem::file_time_type file_time_;
  std::optional<double> media_start_;
  double last_seconds_ = 0;
  double governed_ = 0;
  double measured_ = 0;
  double shown_ = 0;
};

}  // namespace

void add_watch(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App& verb = *app.add_subcommand("watch", "Decides on the faces of a camera, a video or a folder of pictures");
  verb.add_option("input", o->input, "camera:N, /dev/videoN, a video, or a folder of pictures in their order")
      ->type_name("CAMERA|VIDEO|DIR")
      ->required();
  o->config.add_to(verb, false);
  verb.add_option("--model", o->models, "PAD network, as for score; may be repeated")
      ->allow_extra_args(false)
      ->type_name("FILE");
  verb.add_option("--detector", o->detector, "face detector, as --model")->type_name("FILE");
  verb.add_option("--tracker", o->tracker, "how faces are followed; flow, csrt and kcf are OpenCV's")
      ->check(CLI::IsMember({"redetect", "none", "flow", "csrt", "kcf"}))
      ->type_name("redetect|none|flow|csrt|kcf");
  verb.add_flag("--show", o->show, "a window with boxes and verdicts, where there is a display; q ends");
  verb.add_option("--record", o->record, "the same as a video")->type_name("OUT.mp4");
  verb.add_option("--events", o->events, "events as JSON lines; - is standard output")->type_name("FILE");
  verb.add_flag("--real-time", o->real_time, "a video at its own pace, not as fast as it can be read");
  verb.add_flag("--until-decided", o->until_decided, "end with the first decision; the exit code tells it");
  verb.add_option("--timeout", o->timeout, "end after so many seconds")
      ->check(CLI::Range(0.0, 1e9))
      ->type_name("SECONDS");
  verb.add_option("--frames", o->frames, "end after so many frames")->check(CLI::Range(1, 1000000000))->type_name("N");
  verb.footer(
      "Examples:\n"
      "  liveness watch camera:0 --show\n"
      "  liveness watch camera:0 --until-decided --timeout 10 && open_the_door\n"
      "  liveness watch clip.mp4 --events - --record clip_watched.mp4\n"
      "  liveness watch camera:0 --config door.yaml --set resources.cpu=0.25\n"
      "Exit codes with --until-decided: 0 LIVE, 3 SPOOF, 4 undecided, 1 the input failed, 2 nothing could be done.");
  verb.callback([o, &action] { action = [o] { return Watch(*o).run(); }; });
}

}  // namespace liveness::cli
