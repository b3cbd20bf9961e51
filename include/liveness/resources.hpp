// What the process costs the machine, and holding it within a budget.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "liveness/detail/public.hpp"
#include "liveness/error.hpp"
#include "liveness/types.hpp"

namespace liveness LIVENESS_PUBLIC {

/// One look at the machine. Values without an answer here are empty.
struct ResourceUsage {
  double seconds = 0;                    ///< the time that `process_cpu` and `machine_cpu` are means over
  double process_cpu = 0;                ///< cores that this process kept busy: 0.25 is a quarter of one
  double machine_cpu = 0;                ///< share of all cores that were busy, 0..1
  std::size_t resident_bytes = 0;        ///< memory of this process
  std::optional<double> gpu_use;         ///< of the busiest device, 0..1
  std::optional<std::size_t> gpu_bytes;  ///< memory in use on all devices, by anybody
  std::optional<double> temperature;     ///< degrees Celsius, the hottest of processor and GPUs
};

/// Reads what the process costs: the process clock, /proc, the thermal sensors of Linux, and NVML where it is
/// installed (loaded when the monitor is made; its absence is no error). One thread at a time.
class ResourceMonitor {
 public:
  struct Options {
    std::filesystem::path root = "/";        ///< where `proc` and `sys` lie: a container may have the host's elsewhere
    std::string nvml = "libnvidia-ml.so.1";  ///< empty: no GPU figures
  };

  explicit ResourceMonitor(const Options& options);
  ResourceMonitor() : ResourceMonitor(Options()) {}
  ~ResourceMonitor();
  ResourceMonitor(ResourceMonitor&&) noexcept;
  ResourceMonitor& operator=(ResourceMonitor&&) noexcept;

  /// The means are over the time since the last call, at first since the monitor was made; at least a tenth of a second
  /// should lie between two calls. What cannot be read is 0 or empty.
  [[nodiscard]] ResourceUsage sample();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// How much work a stream does. `Governor` chooses it; whoever runs the stream does as it says.
struct Workload {
  double fps = 0;          ///< frames a second to work on; 0: every frame
  int detect_every = 1;    ///< of the frames worked on, look for new faces in every so-manieth
  int score_every = 1;     ///< of the frames worked on, score every so-manieth
  float scale = 1;         ///< of the frame's sides, before anything else is done with it
  Size capture;            ///< to ask the camera for; 0 x 0: as it is
  double capture_fps = 0;  ///< to ask the camera for; 0: as it is

  friend bool operator==(const Workload& a, const Workload& b) noexcept {
    return a.fps == b.fps && a.detect_every == b.detect_every && a.score_every == b.score_every && a.scale == b.scale &&
           a.capture.width == b.capture.width && a.capture.height == b.capture.height && a.capture_fps == b.capture_fps;
  }
};

/// Holds a CPU and a memory budget by choosing the workload. It reads no clock and no sensor: times and measurements
/// come from the caller, so that it can be tried out in simulation. One thread at a time. Header only.
///
/// Two loops. The rate of frames follows the budget: it is the last rate times budget / measured, less what pays back
/// the time that was spent over the budget. Where that rate falls below `min_fps`, each frame becomes cheaper by one
/// level (fewer detections and scores, then a smaller working resolution and a smaller picture from the camera); where
/// it has been more than twice `min_fps` for `patience`, the level before is tried again, and the patience doubles each
/// time that did not last. Memory over the budget asks for a trim, and if that did not help for `patience`, takes the
/// cheaper level too.
class Governor {
 public:
  struct Options {
    double cpu = 0;          ///< cores, e.g. 0.25 for a quarter of one; 0: no budget
    std::size_t memory = 0;  ///< bytes resident; 0: no budget
    double min_fps = 8;      ///< frames a second below which each frame is made cheaper; above 0
    double period = 0.5;     ///< seconds between two decisions; above 0
    double patience = 6;     ///< seconds before a better level is tried, or the camera is asked for something else
    Workload best;           ///< the workload where there is plenty; its `fps` is that of the source, 0: unknown
  };

  /// Levels of cost a frame: 0 is `best`, each next one is cheaper.
  static constexpr int kLevels = 6;

  /// What was chosen last, and why.
  struct Decision {
    Workload workload;
    int level = 0;
    bool changed = false;  ///< against the decision before, in more than the rate of frames
    bool trim = false;     ///< memory is over its budget: caches should give back what they can
    std::string why;       ///< for people, in words and numbers
  };

  /// Throws Error(kInvalidArgument) where an option is out of range (named).
  explicit Governor(const Options& options) : options_(options), patience_(options.patience) {
    const auto check = [](bool fine, const char* name, double value) {
      if (!fine)
        throw Error(Status::kInvalidArgument, "governor." + std::string(name) + " is out of range: " + text(value));
    };
    check(options.cpu >= 0 && options.cpu <= 4096, "cpu", options.cpu);
    check(options.min_fps > 0 && options.min_fps <= 1000, "min_fps", options.min_fps);
    check(options.period > 0 && options.period <= 60, "period", options.period);
    check(options.patience >= options.period && options.patience <= 3600, "patience", options.patience);
    check(options.best.fps >= 0 && options.best.fps <= 1000, "best.fps", options.best.fps);
    check(options.best.detect_every >= 1, "best.detect_every", options.best.detect_every);
    check(options.best.score_every >= 1, "best.score_every", options.best.score_every);
    check(options.best.scale > 0 && options.best.scale <= 1, "best.scale", static_cast<double>(options.best.scale));
    decision_.workload = options.best;
    decision_.why = "no measurement yet";
  }

  /// Whether to work on a frame that was taken at `seconds` (any clock that runs evenly; a jump costs one frame at
  /// most). Frames that are left out are spread evenly.
  [[nodiscard]] bool admit(double seconds) noexcept {
    ++offered_;
    if (rate_ > 0) {
      const double passed = std::clamp(seconds - last_frame_.value_or(seconds - 1 / rate_), 0.0, 1.0);
      last_frame_ = seconds;
      credit_ = std::min(credit_ + passed * rate_, 1.5);
      if (credit_ < 1) return false;
      credit_ -= 1;
    }
    ++taken_;
    return true;
  }

  /// Takes a measurement made at `seconds`, the same clock as admit()'s. Decides once a period; between, the last
  /// decision is returned with `changed` and `trim` off.
  const Decision& update(const ResourceUsage& usage, double seconds) {
    decision_.changed = false;
    decision_.trim = false;
    const double passed = seconds - last_update_.value_or(seconds - usage.seconds);
    if (!last_update_ || passed < 0) {
      last_update_ = seconds;
      level_since_ = capture_since_ = seconds;
      busy_ = usage.process_cpu * usage.seconds;
      span_ = usage.seconds;
      return decision_;
    }
    busy_ += usage.process_cpu * usage.seconds;
    span_ += usage.seconds;
    if (passed < options_.period * 0.999 || !(span_ > 0)) return decision_;
    last_update_ = seconds;
    const double used = busy_ / span_;
    const double frames = static_cast<double>(taken_) / passed;
    const bool any = offered_ > 0;
    busy_ = span_ = 0;
    taken_ = offered_ = 0;
    const Decision before = decision_;
    decision_.why = steer_cpu(used, frames, any, passed, seconds);
    steer_memory(usage.resident_bytes, seconds);
    decision_.workload = at_level(decision_.level);
    steer_capture(seconds);
    Workload same_rate = decision_.workload;
    if (before.workload.fps > 0 && same_rate.fps > 0) same_rate.fps = before.workload.fps;
    decision_.changed = !(before.workload == same_rate);
    return decision_;
  }

  [[nodiscard]] const Decision& decision() const noexcept { return decision_; }
  [[nodiscard]] const Options& options() const noexcept { return options_; }

  /// New budgets for a running stream; what was learnt is kept. Throws as the constructor.
  void set_budget(double cpu, std::size_t memory) {
    Options o = options_;
    o.cpu = cpu;
    o.memory = memory;
    Governor checked(o);
    options_ = checked.options_;
    if (options_.cpu <= 0) rate_ = 0;
  }

 private:
  [[nodiscard]] static std::string text(double value) {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, 2);
    return {buffer, end.ptr};
  }

  // The frames a second that the source can give; a stream that nobody knows is taken for 30.
  [[nodiscard]] double source_fps() const noexcept { return options_.best.fps > 0 ? options_.best.fps : 30; }

  // `any`: the source gave frames, though perhaps none was taken.
  std::string steer_cpu(double used, double frames, bool any, double passed, double seconds) {
    if (options_.cpu <= 0) return "no CPU budget";
    std::string why = text(used) + " of " + text(options_.cpu) + " cores at " + text(frames) + " frames a second";
    if (!any || (frames <= 0 && mean_frames_ <= 0)) return why + ": nothing to steer";
    // What a frame costs is a mean that forgets half in three periods, since single frames (those with a detection)
    // cost many times others. The mean alone would settle beside the budget where the cost varies, so the core seconds
    // spent over or under it are kept as a debt and paid back over `kPayback` seconds.
    mean_used_ += (used - mean_used_) * (mean_frames_ > 0 ? kNew : 1);
    mean_frames_ += (frames - mean_frames_) * (mean_frames_ > 0 ? kNew : 1);
    const double allowed = mean_frames_ * options_.cpu / std::max(mean_used_, 1e-6);
    const bool limited = rate_ > 0;
    debt_ = std::clamp(debt_ + (used - options_.cpu) * passed, limited ? -kPayback * options_.cpu : 0.0,
                       2 * kPayback * options_.cpu);
    double rate = 0;
    if (limited || debt_ > kSlack * options_.cpu)
      // However large the debt: a stream with long pauses loses its faces.
      rate =
          std::max(allowed * std::clamp(1 - debt_ / (kPayback * options_.cpu), 0.25, 1.5), std::min(allowed, kSteady));
    const double floor = std::min(options_.min_fps, source_fps());
    if (seconds - level_since_ >= 4 * options_.period) {
      if (allowed < floor && decision_.level + 1 < kLevels) {
        // A level that was tried and did not last is left alone for longer.
        if (tried_better_ && seconds - level_since_ < 4 * options_.patience)
          patience_ = std::min(patience_ * 2, 20 * options_.patience);
        else
          patience_ = options_.patience;
        set_level(decision_.level + 1, false, seconds);
        why += ": cheaper frames, since only " + text(allowed) + " a second fit";
      } else if (decision_.level > 0 && !memory_tight_ && allowed > kRoom * floor &&
                 seconds - level_since_ >= patience_) {
        set_level(decision_.level - 1, true, seconds);
        why += ": better frames, since " + text(allowed) + " a second fit";
      }
    }
    // Where all that the source gives fits with room to spare, nothing is left out.
    if (rate >= source_fps() * 1.2 && mean_used_ < options_.cpu && debt_ <= 0) rate = 0;
    rate_ = rate > 0 ? std::max(rate, kLeastRate) : 0;
    if (rate_ <= kLeastRate && rate_ > 0 && mean_used_ > options_.cpu)
      why += ": the budget does not suffice for one frame a second";
    return why;
  }

  void steer_memory(std::size_t resident, double seconds) {
    const auto used = static_cast<double>(resident);
    const auto budget = static_cast<double>(options_.memory);
    if (options_.memory > 0 && used > budget) {
      decision_.trim = true;
      decision_.why += "; memory is over its budget: " + text(used / 1e6) + " of " + text(budget / 1e6) + " MB";
      if (!over_since_) over_since_ = seconds;
      if (seconds - *over_since_ >= options_.patience && decision_.level + 1 < kLevels) {
        set_level(decision_.level + 1, false, seconds);
        over_since_ = seconds;
      }
    } else {
      over_since_.reset();
    }
    memory_tight_ = options_.memory > 0 && used > kTight * budget;
    if (options_.cpu <= 0 && !memory_tight_ && decision_.level > 0 && seconds - level_since_ >= options_.patience)
      set_level(decision_.level - 1, true, seconds);
  }

  // A camera that changes its mode stops for a moment, so it is asked rarely.
  void steer_capture(double seconds) {
    Workload& w = decision_.workload;
    if (options_.best.capture_fps > 0) {
      const double wanted = rate_ > 0 && rate_ < options_.best.capture_fps * 0.45 ? options_.best.capture_fps / 2
                                                                                  : options_.best.capture_fps;
      // Back to full speed only where nearly all that the camera gives now is used.
      const bool back = wanted > capture_fps_ && (rate_ <= 0 || rate_ > capture_fps_ * 0.95);
      if (capture_fps_ <= 0) capture_fps_ = options_.best.capture_fps;
      if ((wanted < capture_fps_ || back) && seconds - capture_since_ >= options_.patience) {
        capture_fps_ = wanted;
        capture_since_ = seconds;
      }
      w.capture_fps = capture_fps_;
    }
    w.fps = rate_;
  }

  void set_level(int level, bool better, double seconds) noexcept {
    decision_.level = level;
    tried_better_ = better;
    level_since_ = seconds;
  }

  [[nodiscard]] Workload at_level(int level) const noexcept {
    struct Step {
      int detect;
      int score;
      float scale;
      bool small_capture;
    };
    constexpr Step kSteps[kLevels] = {{1, 1, 1, false},     {2, 1, 1, false},    {2, 2, 1, false},
                                      {4, 3, 0.75F, false}, {4, 4, 0.5F, false}, {8, 6, 0.5F, true}};
    const Step& s = kSteps[level];
    Workload w = options_.best;
    w.detect_every *= s.detect;
    w.score_every *= s.score;
    w.scale *= s.scale;
    if (s.small_capture) w.capture = {w.capture.width / 2, w.capture.height / 2};
    return w;
  }

  static constexpr double kNew = 0.2;    // share of the newest period in the means
  static constexpr double kPayback = 6;  // seconds
  static constexpr double kSlack = 0.1;  // seconds of the budget that may be overdrawn before frames are left out
  static constexpr double kRoom = 2.2;   // times min_fps that must fit before frames become dearer
  static constexpr double kTight = 0.9;  // share of the memory budget above which nothing is made dearer
  static constexpr double kSteady = 2;   // frames a second that debts are not paid out of
  static constexpr double kLeastRate = 0.5;

  Options options_;
  Decision decision_;
  double rate_ = 0;  // frames a second that admit() lets through; 0: all
  double credit_ = 0;
  std::optional<double> last_frame_;
  std::optional<double> last_update_;
  std::uint64_t offered_ = 0;  // frames since the last decision
  std::uint64_t taken_ = 0;    // those of them that were worked on
  double mean_used_ = 0;       // cores
  double mean_frames_ = 0;     // a second
  double debt_ = 0;            // core seconds spent over the budget
  double busy_ = 0;            // core seconds since the last decision, over `span_` seconds
  double span_ = 0;
  double patience_;
  double level_since_ = 0;
  double capture_since_ = 0;
  double capture_fps_ = 0;
  bool tried_better_ = false;
  bool memory_tight_ = false;
  std::optional<double> over_since_;
};

/// Keeps what several caches hold together under one cap. Any number of threads may use it at once; a holder's
/// functions are called by whoever calls trim(), and must not call back into the manager.
class MemoryManager {
 public:
  /// Takes a holder out of the manager when destroyed. Must not outlive the manager.
  class Registration {
   public:
    Registration(MemoryManager& manager, int id) noexcept : manager_(&manager), id_(id) {}
    Registration(Registration&& other) noexcept : manager_(std::exchange(other.manager_, nullptr)), id_(other.id_) {}
    Registration& operator=(Registration&& other) noexcept {
      std::swap(manager_, other.manager_);
      std::swap(id_, other.id_);
      return *this;
    }
    ~Registration() {
      if (manager_ != nullptr) manager_->remove(id_);
    }

   private:
    MemoryManager* manager_;
    int id_;
  };

  /// `cap`: bytes that all holders together may keep; above 0. Throws Error(kInvalidArgument).
  explicit MemoryManager(std::size_t cap);
  ~MemoryManager();
  MemoryManager(const MemoryManager&) = delete;
  MemoryManager& operator=(const MemoryManager&) = delete;

  /// `used`: bytes that the holder keeps now; `shrink(bytes)`: keep at most so many. Throws Error(kInvalidArgument)
  /// where one is empty.
  [[nodiscard]] Registration add(std::string name, std::function<std::size_t()> used,
                                 std::function<void(std::size_t)> shrink);

  [[nodiscard]] std::size_t cap() const noexcept;
  [[nodiscard]] std::size_t used() const;

  /// Where the holders keep more than `share` (0..1) of the cap, each shrinks in proportion until they do not; what was
  /// freed goes back to the system. Call it after adding to a cache, and with a small share under memory pressure
  /// (Governor::Decision::trim). Returns the bytes freed. Throws Error(kInvalidArgument), and Error(kInternal) that
  /// names the holder that did not shrink.
  std::size_t trim(double share = 1);

 private:
  void remove(int id) noexcept;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace liveness
