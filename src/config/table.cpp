#include "config/table.hpp"

#include <cmath>

namespace liveness::config {
namespace {

// What all rows have in common beside the field. Bounds include their ends.
struct About {
  std::string_view key;
  std::string meaning;
  double low = 0;
  double high = 0;
  bool live = false;
};

std::string short_text(double value) {
  return Json(value == std::floor(value) && std::fabs(value) < 1e15 ? Json(static_cast<std::int64_t>(value))
                                                                    : Json(value))
      .dump();
}

double checked(const Field& field, double low, double high) {
  if (!field.json().is_number()) (void)field.number();  // refuses, and says what was found
  const double value = field.json().get<double>();
  if (!(value >= low && value <= high))
    field.fail(field.json().dump() + " is not in " + short_text(low) + ".." + short_text(high));
  return value;
}

Json shortest(float value) {
  return short_number(value);
}
Json shortest(double value) {
  return value;
}

// A number of any kind; `unit`: how much of the field is 1 in the file (1e6: megabytes of bytes).
template <class Get>
Row number(About a, Get get, double unit = 1) {
  using T = std::remove_cvref_t<decltype(get(std::declval<Settings&>()))>;
  const std::string range = short_text(a.low) + ".." + short_text(a.high);
  Row row{a.key, std::move(a.meaning), a.live, Kind::kWord, false, "", {}, {}};
  if constexpr (std::same_as<T, bool>) {
    row.type = "true or false";
    row.read = [get](Settings& s, const Field& f) { get(s) = f.boolean(); };
    row.write = [get](const Settings& s) { return Json(get(s)); };
  } else if constexpr (std::integral<T>) {
    row.type = "whole number, " + range;
    if (unit != 1) {  // megabytes may have a fraction
      row.type = "number, " + range;
      row.read = [get, unit, a](Settings& s, const Field& f) {
        get(s) = static_cast<T>(std::llround(checked(f, a.low, a.high) * unit));
      };
      row.write = [get, unit](const Settings& s) { return Json(static_cast<double>(get(s)) / unit); };
    } else {
      row.read = [get, a](Settings& s, const Field& f) {
        get(s) = static_cast<T>(f.integer(static_cast<std::int64_t>(a.low), static_cast<std::int64_t>(a.high)));
      };
      row.write = [get](const Settings& s) { return Json(get(s)); };
    }
  } else {
    row.type = "number, " + range;
    row.read = [get, a](Settings& s, const Field& f) { get(s) = static_cast<T>(checked(f, a.low, a.high)); };
    row.write = [get](const Settings& s) { return shortest(get(s)); };
  }
  return row;
}

// A number or nothing, as std::optional.
template <class Get>
Row maybe(About a, Get get) {
  Row row{a.key,  std::move(a.meaning),
          a.live, Kind::kWord,
          false,  "number, " + short_text(a.low) + ".." + short_text(a.high) + ", or null",
          {},     {}};
  row.read = [get, a](Settings& s, const Field& f) {
    if (f.json().is_null())
      get(s).reset();
    else
      get(s) = static_cast<float>(checked(f, a.low, a.high));
  };
  row.write = [get](const Settings& s) { return get(s) ? shortest(*get(s)) : Json(nullptr); };
  return row;
}

// A number, or nothing where a negative value stands for "the package's own".
template <class Get>
Row own(const About& a, Get get) {
  using T = std::remove_cvref_t<decltype(get(std::declval<Settings&>()))>;
  Row row = number(a, get);
  row.type += ", or null";
  row.read = [get, read = row.read](Settings& s, const Field& f) {
    if (f.json().is_null())
      get(s) = T{-1};
    else
      read(s, f);
  };
  row.write = [get, write = row.write](const Settings& s) { return get(s) < 0 ? Json(nullptr) : write(s); };
  return row;
}

template <class Get>
Row text(About a, Get get, bool path = false) {
  Row row{a.key, std::move(a.meaning), a.live, Kind::kText, path, path ? "path" : "text", {}, {}};
  row.read = [get](Settings& s, const Field& f) { get(s) = f.text(); };
  row.write = [get](const Settings& s) {
    if constexpr (requires { get(s).string(); })
      return Json(get(s).string());
    else
      return Json(get(s));
  };
  return row;
}

// One of an enumeration's names, numbered as the enumeration from 0.
template <class Get, std::size_t N>
Row choice(About a, Get get, const std::array<std::string_view, N>& names) {
  using T = std::remove_cvref_t<decltype(get(std::declval<Settings&>()))>;
  Row row{a.key, std::move(a.meaning), a.live, Kind::kText, false, "", {}, {}};
  for (const auto name : names) row.type += (row.type.empty() ? "" : ", ") + std::string(name);
  row.read = [get, names](Settings& s, const Field& f) { get(s) = static_cast<T>(f.one_of(names)); };
  row.write = [get, names](const Settings& s) { return Json(names.at(static_cast<std::size_t>(get(s)))); };
  return row;
}

// The names of an enumeration, from its own to_string.
template <class E, std::size_t N>
std::array<std::string_view, N> names_of() {
  std::array<std::string_view, N> names;
  for (std::size_t i = 0; i < N; ++i) names[i] = to_string(static_cast<E>(i));
  return names;
}

Row reasons(About a, const std::function<ReasonMask&(Settings&)>& get) {
  Row row{a.key, std::move(a.meaning), a.live, Kind::kList, false, "list of reasons", {}, {}};
  std::array<std::string_view, kReasonCount> names;
  for (int i = 0; i < kReasonCount; ++i) names[static_cast<std::size_t>(i)] = to_string(static_cast<Reason>(1U << i));
  row.read = [get, names](Settings& s, const Field& f) {
    ReasonMask all = 0;
    for (const auto& item : f.items(kReasonCount)) all |= 1U << item.one_of(names);
    get(s) = all;
  };
  row.write = [get, names](const Settings& s) {
    Json list = Json::array();
    Settings copy = s;
    for (std::size_t i = 0; i < names.size(); ++i)
      if ((get(copy) >> i & 1U) != 0) list.push_back(names[i]);
    return list;
  };
  return row;
}

Row texts(About a, std::vector<std::string> Settings::*field) {
  Row row{a.key, std::move(a.meaning), a.live, Kind::kList, true, "list of paths", {}, {}};
  row.read = [field](Settings& s, const Field& f) {
    std::vector<std::string> all;
    for (const auto& item : f.items(64)) all.push_back(item.text());
    s.*field = std::move(all);
  };
  row.write = [field](const Settings& s) { return Json(s.*field); };
  return row;
}

// clang-format off
#define FIELD(path) [](auto& s) -> auto& { return s.path; }  // NOLINT(bugprone-macro-parentheses): a path of members
// clang-format on

Row targets(About a, float DecisionTargets::*which) {
  Row row{a.key,  std::move(a.meaning),
          a.live, Kind::kWord,
          false,  "number, " + short_text(a.low) + ".." + short_text(a.high) + ", or null",
          {},     {}};
  row.read = [a, which](Settings& s, const Field& f) {
    if (f.json().is_null()) return;
    const double value = checked(f, a.low, a.high);
    if (!s.stream.targets) s.stream.targets = targets_of(s.stream.scoring.profile).value_or(*targets_of("balanced"));
    (*s.stream.targets).*which = static_cast<float>(value);
  };
  row.write = [which](const Settings& s) {
    return s.stream.targets ? shortest((*s.stream.targets).*which) : Json(nullptr);
  };
  return row;
}

std::vector<Row> make_table() {
  constexpr bool kLive = true;
  constexpr double kMega = 1e6;
  std::vector<Row> t;
  // ---- models
  t.push_back(texts(
      {"models.pad",
       "PAD networks, several of them as an ensemble: packages, or ONNX files with a contract beside them; none: that "
       "inside the library. `liveness watch` also takes names of packages in its search path, and where none is named "
       "looks into LIVENESS_MODEL_PATH first"},
      &Settings::pad));
  t.push_back(text({"models.detector", "face detector, as above"}, FIELD(detector), true));
  t.push_back(text({"models.calibration", "what `liveness calibrate` made for these PAD networks; empty: none"},
                   FIELD(calibration), true));
  t.push_back(choice(
      {"models.isa", "instruction set of the engine; auto: the best of this machine, or what LIVENESS_ISA names"},
      FIELD(loading.isa), std::array<std::string_view, 5>{"auto", "portable", "avx2", "avx512", "amx"}));
  t.push_back(
      number({"models.verify", "score the first golden input of a package after loading it, and fail where it misses"},
             FIELD(loading.verify)));

  t.push_back(
      choice({"models.precision", "of the dense convolutions; auto: the fastest that package and machine are fit for"},
             FIELD(loading.precision), names_of<Precision, 5>()));
  t.push_back(choice(
      {"models.backend", "who runs the networks; auto: the library's own engine, unless the device asks for another"},
      FIELD(loading.backend), names_of<Backend, 3>()));
  t.push_back(
      text({"models.device", "cpu, cuda or cuda:N; others than cpu need the LibTorch plugin"}, FIELD(loading.device)));
  t.push_back(number({"models.allow_code", "allow TorchScript and AOTInductor files, which are programs and not data"},
                     FIELD(loading.allow_code)));
  t.push_back(text({"models.plugin",
                    "file of the LibTorch plugin; empty: beside the library, then the folders of LIVENESS_PLUGIN_PATH"},
                   FIELD(loading.plugin), true));

  // ---- pipeline
  t.push_back(choice({"pipeline.tracker",
                      "how a face is followed between searches of the whole frame; flow, csrt and kcf are "
                      "OpenCV's: `liveness watch` has them, a C++ program gives a follower"},
                     FIELD(stream.tracking.method),
                     std::array<std::string_view, 5>{"redetect", "none", "flow", "csrt", "kcf"}));
  t.push_back(
      number({"pipeline.detect_every", "frames from one search of the whole frame to the next, at most", 1, 300, kLive},
             FIELD(stream.pace.detect_every)));
  t.push_back(number({"pipeline.score_every", "a track is scored in every so many frames", 1, 300, kLive},
                     FIELD(stream.pace.score_every)));
  t.push_back(number({"pipeline.skip", "frames left out after each one that is looked at", 0, 30, kLive},
                     FIELD(stream.pace.skip)));
  t.push_back(
      number({"pipeline.all_faces", "score and decide every face, not only the largest"}, FIELD(stream.all_faces)));
  t.push_back(number(
      {"pipeline.early_exit", "a decided track is scored again only every rescore_every frames, or where it changes"},
      FIELD(stream.early_exit)));
  t.push_back(number({"pipeline.rescore_every", "frames", 1, 3000}, FIELD(stream.rescore_every)));
  t.push_back(number({"pipeline.changed_face",
                      "likeness of a face to the one last scored below which it is scored at once, and to the one "
                      "decided on below which the verdict is reopened",
                      -1, 1},
                     FIELD(stream.changed_face)));
  t.push_back(number({"pipeline.max_faces", "the largest so many faces are followed", 1, 32},
                     FIELD(stream.tracking.max_faces)));
  t.push_back(number({"pipeline.min_face", "pixels, shorter side of the box: smaller faces are not followed", 0, 10000},
                     FIELD(stream.tracking.min_face)));
  t.push_back(own({"pipeline.detector_threshold",
                   "confidence of the detector from which it is a face; null: the package's own", 0, 1},
                  FIELD(stream.tracking.detection.score_threshold)));
  t.push_back(
      own({"pipeline.detector_nms", "overlap (IoU) from which two boxes are one face; null: the package's own", 0, 1},
          FIELD(stream.tracking.detection.nms_iou)));
  t.push_back(
      number({"pipeline.quality_floor", "quality of a track below which its box is doubtful and not scored", 0, 1},
             FIELD(stream.tracking.quality_floor)));
  t.push_back(number({"pipeline.confirm_within",
                      "frames: a box that the detector has not confirmed for longer is never scored", 0, 30},
                     FIELD(stream.tracking.confirm_within)));
  t.push_back(number({"pipeline.birth", "detections in a row that make a track", 1, 30}, FIELD(stream.tracking.birth)));
  t.push_back(number({"pipeline.death", "frames without the face after which its track ends", 1, 300},
                     FIELD(stream.tracking.death)));
  t.push_back(own({"pipeline.window",
                   "side of the detector's input around a tracked face, pixels; a multiple of its strides; null: the "
                   "detector's own (`detector.tracking` of its contract), or 96",
                   8, 1024},
                  FIELD(stream.tracking.window)));
  t.push_back(own({"pipeline.window_scale",
                   "side of that window, times the longer side of the face; null: the detector's own, or 2", 1.2, 8},
                  FIELD(stream.tracking.window_scale)));
  t.push_back(number({"pipeline.match_iou", "least overlap of a face with its predicted box", 0, 1},
                     FIELD(stream.tracking.match_iou)));
  t.push_back(number({"pipeline.same_face", "least likeness from frame to frame of one and the same face", -1, 1},
                     FIELD(stream.tracking.same_face)));
  t.push_back(number({"pipeline.same_scene", "likeness of two frames below which there was a cut", -1, 1},
                     FIELD(stream.tracking.same_scene)));
  t.push_back(number({"pipeline.max_gap", "seconds without a frame after which every track ends", 0.01, 3600},
                     FIELD(stream.tracking.max_gap)));
  t.push_back(
      number({"pipeline.queue", "frames that wait in asynchronous mode; the oldest is dropped for a newer one", 1, 64},
             FIELD(stream.queue)));
  t.push_back(number(
      {"pipeline.cache_mb",
       "megabytes of results of pictures that are kept for equal pictures; 0: none. Streams do not use it", 0, 1e6},
      FIELD(cache_bytes), kMega));
  t.push_back(number({"pipeline.cache_seconds", "older results are not used; 0: they do not age", 0, 1e6},
                     FIELD(cache_seconds)));
  t.push_back(
      number({"pipeline.threads", "pictures of a batch that are worked on side by side", 1, 1024}, FIELD(threads)));

  // ---- decision
  t.push_back(
      text({"decision.profile",
            "strict, balanced or lenient: error targets, which the packages' calibration turns into thresholds"},
           FIELD(stream.scoring.profile)));
  t.push_back(
      maybe({"decision.threshold", "replaces the profile's: LIVE at or above this score; null: the profile's", 0, 1},
            FIELD(stream.scoring.threshold)));
  t.push_back(targets(
      {"decision.apcer", "share of attack presentations that may be called LIVE; null: the profile's", 1e-6, 0.5},
      &DecisionTargets::apcer));
  t.push_back(targets(
      {"decision.bpcer", "share of bona fide presentations that may be called SPOOF; null: the profile's", 1e-6, 0.5},
      &DecisionTargets::bpcer));
  t.push_back(reasons({"decision.abstain", "reasons that turn LIVE or SPOOF into UNCERTAIN"},
                      [](Settings& s) -> ReasonMask& { return s.stream.scoring.abstain; }));
  t.push_back(
      number({"decision.min_frames", "scores that LIVE takes at least", 1, 1000}, FIELD(stream.decision.min_frames)));
  t.push_back(number({"decision.min_seconds", "time from the first score that LIVE takes at least", 0, 60},
                     FIELD(stream.decision.min_seconds)));
  t.push_back(number({"decision.max_seconds", "time with a face after which an open decision is UNCERTAIN", 0.1, 600},
                     FIELD(stream.decision.max_seconds)));
  t.push_back(number({"decision.gain", "evidence of one unit of log-odds", 0.001, 100}, FIELD(stream.decision.gain)));
  t.push_back(number({"decision.max_step", "most evidence of one score", 0.001, 100}, FIELD(stream.decision.max_step)));
  t.push_back(
      number({"decision.correlation_seconds", "time in which the correlation of two scores falls to 1/e", 0, 60},
             FIELD(stream.decision.correlation_seconds)));
  t.push_back(
      number({"decision.shared", "share of the variance of a score that all scores of a track have in common", 0, 1},
             FIELD(stream.decision.shared)));
  t.push_back(
      number({"decision.window", "scores over which the log-odds are steadied; 1: none", 1, TemporalFilter::kMaxWindow},
             FIELD(stream.smoothing.window)));
  t.push_back(number({"decision.spike", "log-odds above the median of the window that make a score a spike", 0.01, 60},
                     FIELD(stream.smoothing.spike)));
  t.push_back(
      number({"decision.spread", "standard deviation, log-odds, at which the weight of a score is halved", 0.01, 60},
             FIELD(stream.smoothing.spread)));

  // ---- resources
  t.push_back(
      number({"resources.cpu", "budget of the process in cores, 0.25 is a quarter of one; 0: none", 0, 4096, kLive},
             FIELD(governor.cpu)));
  t.push_back(number({"resources.memory_mb", "budget of resident memory, megabytes; 0: none", 0, 1e6, kLive},
                     FIELD(governor.memory), kMega));
  t.push_back(number({"resources.min_fps", "frames a second below which each frame is made cheaper instead", 0.1, 1000},
                     FIELD(governor.min_fps)));
  t.push_back(
      number({"resources.period", "seconds between two decisions of the governor", 0.1, 60}, FIELD(governor.period)));
  t.push_back(number({"resources.patience", "seconds before a better level is tried again", 0.1, 3600},
                     FIELD(governor.patience)));
  t.push_back(number({"resources.capture_width", "to ask the camera for; 0: as it is", 0, 65536},
                     FIELD(governor.best.capture.width)));
  t.push_back(number({"resources.capture_height", "to ask the camera for; 0: as it is", 0, 65536},
                     FIELD(governor.best.capture.height)));
  t.push_back(number({"resources.capture_fps", "to ask the camera for; 0: as it is", 0, 1000},
                     FIELD(governor.best.capture_fps)));

  // ---- accuracy
  t.push_back(choice({"accuracy.fusion", "how several networks' scores become one"}, FIELD(stream.scoring.fusion),
                     names_of<Fusion, kFusionCount>()));
  {
    Row row{"accuracy.weights",
            "for fusion weighted: one a network",
            false,
            Kind::kList,
            false,
            "list of numbers, 0 or more",
            {},
            {}};
    row.read = [](Settings& s, const Field& f) {
      std::vector<float> all;
      for (const auto& item : f.items(64)) all.push_back(static_cast<float>(checked(item, 0, 1e6)));
      s.stream.scoring.weights = std::move(all);
    };
    row.write = [](const Settings& s) {
      Json list = Json::array();
      for (const float w : s.stream.scoring.weights) list.push_back(shortest(w));
      return list;
    };
    t.push_back(std::move(row));
  }
  t.push_back(
      number({"accuracy.disagreement",
              "difference of the networks' scores from which they disagree, if their verdicts differ too", 0, 1},
             FIELD(stream.scoring.disagreement)));
  t.push_back(
      number({"accuracy.augmentation_crops",
              "other views of a face that are scored too: boxes moved a little; each view costs a pass a network", 0,
              kJitterCount},
             FIELD(stream.scoring.augmentation.crops)));
  t.push_back(number({"accuracy.augmentation_flip", "and mirrored"}, FIELD(stream.scoring.augmentation.flip)));
  t.push_back(number({"accuracy.augmentation_brightness", "and darker and lighter by this part; 0: not", 0, 0.9},
                     FIELD(stream.scoring.augmentation.brightness)));
  t.push_back(number({"accuracy.augmentation_settled",
                      "standard errors away from both bounds at which no more views are scored; 0: all are", 0, 100},
                     FIELD(stream.scoring.augmentation.settled)));
  t.push_back(number({"accuracy.adaptive",
                      "threshold that follows light, sharpness and size of the face, never below the calibrated one; "
                      "stays off in profile strict"},
                     FIELD(stream.adaptive.enabled)));
  t.push_back(number({"accuracy.adaptive_max_raise", "log-odds above the calibrated threshold, at most", 0, 10},
                     FIELD(stream.adaptive.max_raise)));
  t.push_back(number({"accuracy.adaptive_per_step", "log-odds for each halving of light, sharpness or size", 0, 10},
                     FIELD(stream.adaptive.per_step)));
  t.push_back(number({"accuracy.adaptive_memory", "scores of the stream that it learns from", 10, 100000},
                     FIELD(stream.adaptive.memory)));
  t.push_back(
      number({"accuracy.adaptive_max_speed", "log-odds a second", 0.001, 100}, FIELD(stream.adaptive.max_speed)));
  t.push_back(number({"accuracy.motion_cues",
                      "reasons from motion: a flat face, a frozen texture, a flickering screen; they can only deny"},
                     FIELD(stream.cues.enabled)));
  t.push_back(
      number({"accuracy.min_face_pixels", "shorter side of the face box below which a face is too_small", 0, 10000},
             FIELD(stream.scoring.limits.min_face_pixels)));
  t.push_back(number({"accuracy.min_sharpness",
                      "variance of the Laplacian of the face at 64 x 64 below which it is blurred", 0, 100000},
                     FIELD(stream.scoring.limits.min_sharpness)));
  t.push_back(number({"accuracy.min_luminance", "mean grey level below which it is dark", 0, 255},
                     FIELD(stream.scoring.limits.min_luminance)));
  t.push_back(
      number({"accuracy.max_overexposed", "share of pixels at 250 and above beyond which it is saturated", 0, 1},
             FIELD(stream.scoring.limits.max_overexposed)));
  t.push_back(
      number({"accuracy.max_outside", "share of a network's crop outside the frame beyond which it is at_border", 0, 1},
             FIELD(stream.scoring.limits.max_outside)));
  t.push_back(number({"accuracy.max_yaw", "degrees beyond which it is turned_away", 0, 180},
                     FIELD(stream.scoring.limits.max_yaw)));
  t.push_back(number({"accuracy.max_pitch", "degrees beyond which it is turned_away", 0, 180},
                     FIELD(stream.scoring.limits.max_pitch)));

  // ---- monitoring
  t.push_back(number({"monitoring.interval",
                      "seconds between two samples of the resources, and two writes of the metrics", 0.1, 3600, kLive},
                     FIELD(monitoring.interval)));
  t.push_back(number({"monitoring.gpu", "ask NVML for the GPUs' use too"}, FIELD(monitoring.gpu)));
  t.push_back(text({"monitoring.metrics", "file that is kept up to date in Prometheus' text format; empty: none"},
                   FIELD(monitoring.metrics)));
  t.push_back(number({"monitoring.port", "port of 127.0.0.1 where /metrics is served; 0: none", 0, 65535},
                     FIELD(monitoring.port)));
  t.push_back(text({"monitoring.events", "file for events as JSON lines; -: standard output; empty: none"},
                   FIELD(monitoring.events)));
  t.push_back(number({"monitoring.low_fps", "frames a second below which there is an alert; 0: never", 0, 1000, kLive},
                     FIELD(monitoring.low_fps)));
  t.push_back(number({"monitoring.high_cpu", "cores above which there is an alert; 0: never", 0, 4096, kLive},
                     FIELD(monitoring.high_cpu)));
  t.push_back(
      number({"monitoring.high_memory_mb", "megabytes resident above which there is an alert; 0: never", 0, 1e6, kLive},
             FIELD(monitoring.high_memory), kMega));
  t.push_back(number({"monitoring.high_latency_ms", "milliseconds of a frame above which there is an alert; 0: never",
                      0, 100000, kLive},
                     FIELD(monitoring.high_latency_ms)));

  // ---- logging
  t.push_back(choice(
      {"logging.level",
       "error: what failed; info: what happened to stream and tracks too; debug: what the governor chose and why too",
       0, 0, kLive},
      FIELD(log_level), names_of<LogLevel, 3>()));
  t.push_back(text({"logging.file", "file that lines are added to; empty: standard error"}, FIELD(log_file)));
  return t;
}

}  // namespace

const std::vector<Row>& table() {
  static const std::vector<Row> all = make_table();
  return all;
}

const std::vector<Replaced>& replaced() {
  static const std::vector<Replaced> all = {
      {"model_optimization.cnn.use_quantization", "models.precision",
       "auto picks the fastest that a package is qualified for"},
      {"model_optimization.cnn.quantization_type", "models.precision", "activations are quantized while it runs"},
      {"model_optimization.cnn.model_pruning.enabled", "", "`liveness optimize prune` writes a pruned package once"},
      {"model_optimization.cnn.model_pruning.sparsity", "", "its ratio"},
      {"model_optimization.cnn.onnx_export.enabled", "", "`liveness export` writes an ONNX file"},
      {"model_optimization.cnn.onnx_export.opset_version", "", "an option of `liveness export`"},
      {"model_optimization.cnn.onnx_export.optimization_level", "", "the engine's plan has one level, all"},
      {"model_optimization.cnn.input_size", "", "the package's contract says what its network takes"},
      {"model_optimization.cnn.batch_size", "", "a stream is scored face by face; batches take any size"},
      {"model_optimization.model_cache.enabled", "pipeline.cache_mb", "0 is off"},
      {"model_optimization.model_cache.max_cache_size", "pipeline.cache_mb", "bounded by bytes, not by entries"},
      {"model_optimization.model_cache.cache_duration", "pipeline.cache_seconds", ""},
      {"model_optimization.model_cache.similarity_threshold", "",
       "only equal pixels hit: a similar picture is another picture"},
      {"model_optimization.ensemble.enabled", "models.pad", "more than one network is an ensemble"},
      {"model_optimization.ensemble.models", "models.pad", ""},
      {"model_optimization.ensemble.weights", "accuracy.weights", ""},
      {"model_optimization.ensemble.voting_strategy", "accuracy.fusion", ""},
      {"processing_pipeline.face_detection.use_tracking", "pipeline.tracker", "none detects every frame"},
      {"processing_pipeline.face_detection.tracking_quality_threshold", "pipeline.quality_floor", ""},
      {"processing_pipeline.face_detection.max_tracking_frames", "pipeline.detect_every", ""},
      {"processing_pipeline.face_detection.redetection_interval", "pipeline.detect_every",
       "every tracked box is a detected one anyway"},
      {"processing_pipeline.roi.enabled", "", "always"},
      {"processing_pipeline.roi.face_expansion_factor", "pipeline.window_scale",
       "of the window searched; the crop that is scored is the contract's"},
      {"processing_pipeline.roi.roi_update_frequency", "", "the window follows the face in every frame"},
      {"processing_pipeline.frame_processing.frame_skip", "pipeline.skip", "frames left out: the earlier 2 is 1"},
      {"processing_pipeline.frame_processing.early_exit_threshold", "pipeline.early_exit",
       "when to stop follows from the error targets"},
      {"processing_pipeline.frame_processing.batch_processing.enabled", "", "predict_batch for pictures"},
      {"processing_pipeline.frame_processing.batch_processing.max_batch_size", "", "predict_batch for pictures"},
      {"processing_pipeline.antispoofing.multi_stage", "pipeline.early_exit",
       "a clear attack is denied early by the sequential test"},
      {"processing_pipeline.antispoofing.stages", "decision.profile", ""},
      {"processing_pipeline.challenges", "", "there are no challenges: detection is passive"},
      {"resource_management.webcam.resolution.width", "resources.capture_width", ""},
      {"resource_management.webcam.resolution.height", "resources.capture_height", ""},
      {"resource_management.webcam.fps_target", "resources.capture_fps", ""},
      {"resource_management.webcam.dynamic_fps", "resources.cpu", "a budget makes the rate follow"},
      {"resource_management.webcam.fps_adjustment_threshold", "resources.cpu", ""},
      {"resource_management.cpu.max_cpu_usage", "resources.cpu",
       "in cores of this process, not percent of the machine"},
      {"resource_management.cpu.thread_count", "pipeline.threads", "of batches; a stream works on one thread"},
      {"resource_management.cpu.priority", "", "the system's business: nice, systemd"},
      {"resource_management.memory.max_memory_mb", "resources.memory_mb", ""},
      {"resource_management.memory.cleanup_interval", "",
       "nothing is allocated after warm-up; caches are trimmed under pressure"},
      {"resource_management.memory.garbage_collection", "", "there is none"},
      {"resource_management.memory.landmark_history_limit", "", "every history has a fixed length"},
      {"resource_management.gpu.enabled", "models.backend", ""},
      {"resource_management.gpu.device", "models.device", ""},
      {"resource_management.gpu.memory_fraction", "", "a network takes a few megabytes"},
      {"resource_management.gpu.allow_growth", "", "a network takes a few megabytes"},
      {"accuracy_improvements.temporal.enabled", "decision.window", "1 is off"},
      {"accuracy_improvements.temporal.window_size", "decision.window", ""},
      {"accuracy_improvements.temporal.consistency_threshold", "decision.spread", "scores that vary weigh less"},
      {"accuracy_improvements.temporal.smoothing_factor", "decision.correlation_seconds", ""},
      {"accuracy_improvements.augmentation.enabled", "accuracy.augmentation_crops", "0 is off"},
      {"accuracy_improvements.augmentation.techniques", "accuracy.augmentation_flip",
       "and augmentation_crops, augmentation_brightness"},
      {"accuracy_improvements.augmentation.augmentation_count", "accuracy.augmentation_crops", ""},
      {"accuracy_improvements.adaptive_thresholds.enabled", "accuracy.adaptive", ""},
      {"accuracy_improvements.adaptive_thresholds.environment_factors.lighting_adaptation", "accuracy.adaptive", ""},
      {"accuracy_improvements.adaptive_thresholds.environment_factors.face_size_adaptation", "accuracy.adaptive", ""},
      {"accuracy_improvements.adaptive_thresholds.environment_factors.movement_adaptation", "accuracy.adaptive",
       "by the sharpness of the face"},
      {"accuracy_improvements.adaptive_thresholds.learning_rate", "accuracy.adaptive_max_speed", ""},
      {"accuracy_improvements.quality_validation.enabled", "decision.abstain", ""},
      {"accuracy_improvements.quality_validation.min_face_size", "accuracy.min_face_pixels", ""},
      {"accuracy_improvements.quality_validation.max_blur_threshold", "accuracy.min_sharpness", ""},
      {"accuracy_improvements.quality_validation.min_brightness", "accuracy.min_luminance", ""},
      {"accuracy_improvements.quality_validation.max_brightness", "accuracy.max_overexposed", "a share of pixels"},
      {"monitoring.realtime_metrics.enabled", "monitoring.metrics", ""},
      {"monitoring.realtime_metrics.update_interval", "monitoring.interval", ""},
      {"monitoring.realtime_metrics.metrics", "monitoring.metrics", "all of them are there"},
      {"monitoring.alerts.enabled", "monitoring.low_fps", "each alert has its own key, 0 is off"},
      {"monitoring.alerts.thresholds.low_fps", "monitoring.low_fps", ""},
      {"monitoring.alerts.thresholds.high_cpu", "monitoring.high_cpu", "in cores"},
      {"monitoring.alerts.thresholds.high_memory", "monitoring.high_memory_mb", ""},
      {"monitoring.alerts.thresholds.high_latency", "monitoring.high_latency_ms", ""},
      {"monitoring.logging.performance_log", "monitoring.events", ""},
      {"monitoring.logging.error_log", "logging.file", ""},
      {"monitoring.logging.debug_mode", "logging.level", ""},
      {"monitoring.logging.log_rotation", "", "the system's business: logrotate, journald"},
      {"monitoring.logging.max_log_size_mb", "", "the system's business: logrotate, journald"},
  };
  return all;
}

}  // namespace liveness::config
