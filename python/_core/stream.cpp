// Streams: FaceTracker and Verifier.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core.hpp"
#include "liveness/config.hpp"
#include "options.hpp"

namespace liveness::python {
namespace {

FaceTracker::Options tracker_options(const py::dict& d) {
  FaceTracker::Options o;
  const auto method = d["method"].cast<std::string>();
  bool known = false;
  for (int i = 0; i < kTrackMethodCount; ++i) {
    if (to_string(static_cast<TrackMethod>(i)) != method) continue;
    o.method = static_cast<TrackMethod>(i);
    known = true;
  }
  if (!known) fail("method: \"" + method + "\" is none of redetect, none");
  o.detect_every = d["detect_every"].cast<int>();
  // As in detection_options(): a negative number is a mistake here.
  const auto window = d["window"].cast<std::optional<int>>();
  const auto window_scale = d["window_scale"].cast<std::optional<float>>();
  if (window && *window < 0) fail("window is " + std::to_string(*window) + ", expected 8 to 1024");
  if (window_scale && *window_scale < 0)
    fail("window_scale is " + std::to_string(*window_scale) + ", expected 1.2 to 8");
  if (window) o.window = *window;
  if (window_scale) o.window_scale = *window_scale;
  o.quality_floor = d["quality_floor"].cast<float>();
  o.confirm_within = d["confirm_within"].cast<int>();
  o.birth = d["birth"].cast<int>();
  o.death = d["death"].cast<int>();
  o.max_faces = d["max_faces"].cast<int>();
  o.min_face = d["min_face"].cast<float>();
  o.match_iou = d["match_iou"].cast<float>();
  o.same_face = d["same_face"].cast<float>();
  o.same_scene = d["same_scene"].cast<float>();
  o.max_gap = d["max_gap"].cast<double>();
  o.noise = {d["noise_measurement"].cast<float>(), d["noise_acceleration"].cast<float>()};
  o.detection = detection_options(d["detection"].cast<DetectionTuple>());
  return o;
}

Verifier::Options verifier_options(const py::dict& d, const py::dict& scoring, const py::dict& tracking,
                                   Profiler* profiler) {
  Verifier::Options o;
  o.scoring = to_options(scoring, profiler);
  o.tracking = tracker_options(tracking);
  const auto [detect, score, skip] = d["pace"].cast<std::tuple<int, int, int>>();
  o.pace = {detect, score, skip};
  if (const auto targets = d["targets"].cast<std::optional<std::pair<float, float>>>(); targets)
    o.targets = DecisionTargets{targets->first, targets->second};
  o.decision.gain = d["gain"].cast<float>();
  o.decision.max_step = d["max_step"].cast<float>();
  o.decision.correlation_seconds = d["correlation_seconds"].cast<float>();
  o.decision.shared = d["shared"].cast<float>();
  o.decision.min_frames = d["min_frames"].cast<int>();
  o.decision.min_seconds = d["min_seconds"].cast<float>();
  o.decision.max_seconds = d["max_seconds"].cast<float>();
  o.smoothing = {d["smoothing_window"].cast<int>(), d["smoothing_spike"].cast<float>(),
                 d["smoothing_spread"].cast<float>()};
  o.adaptive = {d["adaptive"].cast<bool>(),
                d["adaptive_max_raise"].cast<float>(),
                d["adaptive_per_step"].cast<float>(),
                d["adaptive_luminance"].cast<float>(),
                d["adaptive_sharpness"].cast<float>(),
                d["adaptive_face_pixels"].cast<float>(),
                d["adaptive_deviations"].cast<float>(),
                d["adaptive_memory"].cast<int>(),
                d["adaptive_max_speed"].cast<float>()};
  o.cues = {d["cues"].cast<bool>(),        d["cues_least_turn"].cast<float>(), d["cues_flat"].cast<float>(),
            d["cues_still"].cast<float>(), d["cues_least_move"].cast<float>(), d["cues_flicker"].cast<float>(),
            d["cues_frames"].cast<int>()};
  o.all_faces = d["all_faces"].cast<bool>();
  o.early_exit = d["early_exit"].cast<bool>();
  o.rescore_every = d["rescore_every"].cast<int>();
  o.changed_face = d["changed_face"].cast<float>();
  o.queue = d["queue"].cast<int>();
  return o;
}

Verifier::Options configured_options(const Config& config, Profiler* profiler) {
  const Settings& s = config.settings();
  Verifier::Options o = s.stream;
  o.scoring.profiler = profiler;
  if (!s.calibration.empty()) o.scoring.calibration = Calibration::load(s.calibration);
  return o;
}

py::tuple to_python(const Track& t) {
  return py::make_tuple(t.id, to_tuple(t.face), t.quality, t.age, t.unconfirmed, t.scorable, t.since);
}

py::tuple to_python(const StreamUpdate& u) {
  py::list tracks;
  for (const TrackResult& t : u.tracks)
    tracks.append(py::make_tuple(t.id, to_tuple(t.face), static_cast<int>(t.state), static_cast<int>(t.verdict),
                                 t.score, t.confidence, t.evidence, t.threshold, t.reasons, t.quality, t.found,
                                 t.scored, t.scores, t.since, t.decided));
  py::list events;
  for (const Event& e : u.events)
    events.append(py::make_tuple(std::string(to_string(e.kind)), e.track, e.seconds, static_cast<int>(e.verdict),
                                 static_cast<int>(e.previous), e.text));
  return py::make_tuple(u.frame, u.seconds, u.skipped, static_cast<int>(u.verdict), tracks, events,
                        py::make_tuple(u.time.detect, u.time.roi, u.time.infer, u.time.total));
}

class PyTracker {
 public:
  PyTracker(Model detector, const py::dict& options) : tracker_(std::move(detector), tracker_options(options)) {}

  py::tuple update(const py::object& image, const std::string& color, double seconds) {
    const Frame frame(image, color, "image");
    const FaceTracker::Update* seen = nullptr;
    {
      const py::gil_scoped_release release;
      seen = &tracker_.update(frame.view(), seconds);
    }
    py::list tracks;
    for (const Track& t : seen->tracks) tracks.append(to_python(t));
    py::list ended;
    for (const std::uint64_t id : seen->ended) ended.append(id);
    return py::make_tuple(tracks, ended, seen->searched, seen->cut, seen->gap, seen->frozen, seen->resized);
  }
  void reset() { tracker_.reset(); }

 private:
  FaceTracker tracker_;
};

class PyVerifier {
 public:
  PyVerifier(std::vector<Model> members, Model detector, const py::dict& options, const py::dict& scoring,
             const py::dict& tracking, std::shared_ptr<Profiler> profiler)
      : profiler_(std::move(profiler)),
        verifier_(std::move(members), std::move(detector),
                  verifier_options(options, scoring, tracking, profiler_.get())) {}
  PyVerifier(const Config& config, std::vector<Model> members, Model detector, std::shared_ptr<Profiler> profiler)
      : profiler_(std::move(profiler)),
        verifier_(std::move(members), std::move(detector), configured_options(config, profiler_.get())) {}
  ~PyVerifier() { stop(); }
  PyVerifier(const PyVerifier&) = delete;
  PyVerifier& operator=(const PyVerifier&) = delete;

  py::tuple push(const py::object& image, const std::string& color, double seconds) {
    const Frame frame(image, color, "image");
    StreamUpdate update;
    {
      const py::gil_scoped_release release;
      update = verifier_.push(frame.view(), seconds);
    }
    return to_python(update);
  }
  void submit(const py::object& image, const std::string& color, double seconds) {
    const Frame frame(image, color, "image");
    const py::gil_scoped_release release;
    verifier_.submit(frame.view(), seconds);
  }
  void start(py::function callback) {
    // The function is let go of with the GIL held, wherever the last copy dies.
    const std::shared_ptr<py::function> kept(new py::function(std::move(callback)), [](py::function* f) {
      const py::gil_scoped_acquire acquire;
      delete f;
    });
    const py::gil_scoped_release release;
    verifier_.start([kept](const StreamUpdate& update) {
      const py::gil_scoped_acquire acquire;
      try {
        (*kept)(to_python(update));
      } catch (py::error_already_set& e) {
        throw std::runtime_error(e.what());  // e must not outlive the GIL
      }
    });
  }
  // Without the GIL: the worker may wait for it in a callback.
  void stop() {
    const py::gil_scoped_release release;
    verifier_.stop();
  }
  [[nodiscard]] std::uint64_t dropped() const { return verifier_.dropped(); }
  [[nodiscard]] std::tuple<int, int, int> pace() const {
    const Pace p = verifier_.pace();
    return {p.detect_every, p.score_every, p.skip};
  }
  void set_pace(const std::tuple<int, int, int>& p) {
    verifier_.set_pace({std::get<0>(p), std::get<1>(p), std::get<2>(p)});
  }
  void reset() { verifier_.reset(); }
  [[nodiscard]] std::vector<std::tuple<double, float, float, std::string>> threshold_log() const {
    std::vector<std::tuple<double, float, float, std::string>> all;
    for (const auto& c : verifier_.threshold_log())
      all.emplace_back(c.seconds, to_score(c.from), to_score(c.to), std::string(to_string(c.cause)));
    return all;
  }

 private:
  std::shared_ptr<Profiler> profiler_;  // declared first: destroyed after the verifier that uses it
  Verifier verifier_;
};

}  // namespace

void register_stream(py::module_& m) {
  py::class_<PyTracker>(m, "FaceTracker")
      .def(py::init<Model, const py::dict&>(), py::arg("detector"), py::arg("options"))
      .def("update", &PyTracker::update, py::arg("image"), py::arg("color"), py::arg("seconds"))
      .def("reset", &PyTracker::reset);
  py::class_<PyVerifier>(m, "Verifier")
      .def(py::init<std::vector<Model>, Model, const py::dict&, const py::dict&, const py::dict&,
                    std::shared_ptr<Profiler>>(),
           py::arg("models"), py::arg("detector"), py::arg("options"), py::arg("scoring"), py::arg("tracking"),
           py::arg("profiler"))
      .def_static(
          "from_config",
          [](const Config& config, std::vector<Model> models, Model detector, std::shared_ptr<Profiler> profiler) {
            const py::gil_scoped_release release;
            return std::make_unique<PyVerifier>(config, std::move(models), std::move(detector), std::move(profiler));
          },
          py::arg("config"), py::arg("models"), py::arg("detector"), py::arg("profiler"))
      .def("push", &PyVerifier::push, py::arg("image"), py::arg("color"), py::arg("seconds"))
      .def("submit", &PyVerifier::submit, py::arg("image"), py::arg("color"), py::arg("seconds"))
      .def("start", &PyVerifier::start, py::arg("callback"))
      .def("stop", &PyVerifier::stop)
      .def("dropped", &PyVerifier::dropped)
      .def("pace", &PyVerifier::pace)
      .def("set_pace", &PyVerifier::set_pace, py::arg("pace"))
      .def("reset", &PyVerifier::reset)
      .def("threshold_log", &PyVerifier::threshold_log);
}

}  // namespace liveness::python
