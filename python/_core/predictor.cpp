// Predictor and Ensemble, which differ in their options only.
#include <deque>
#include <span>

#include "core.hpp"
#include "options.hpp"

namespace liveness::python {

Ensemble::Options to_options(const py::dict& d, Profiler* profiler) {
  Ensemble::Options o;
  o.detector = d["detector"].cast<std::optional<Model>>();
  o.detection = detection_options(d["detection"].cast<DetectionTuple>());
  o.box_convention = d["box_convention"].cast<std::string>();
  o.profile = d["profile"].cast<std::string>();
  o.threshold = d["threshold"].cast<std::optional<float>>();
  o.calibration = d["calibration"].cast<std::optional<Calibration>>();
  const auto l = d["limits"].cast<std::array<float, 7>>();
  o.limits = {l[0], l[1], l[2], l[3], l[4], l[5], l[6]};
  o.abstain = d["abstain"].cast<ReasonMask>();
  o.all_faces = d["all_faces"].cast<bool>();
  const auto [crops, flip, brightness, settled] = d["augmentation"].cast<std::tuple<int, bool, float, float>>();
  o.augmentation = {crops, flip, brightness, settled};
  o.cache = d["cache"].cast<std::shared_ptr<PredictionCache>>();
  o.pool = d["pool"].cast<std::shared_ptr<WorkerPool>>();
  o.profiler = profiler;
  const int fusion = d["fusion"].cast<int>();
  if (fusion < 0 || fusion >= kFusionCount) fail("fusion is " + std::to_string(fusion) + ", which is none");
  o.fusion = static_cast<Fusion>(fusion);
  o.weights = d["weights"].cast<std::vector<float>>();
  o.disagreement = d["disagreement"].cast<float>();
  return o;
}

namespace {

py::tuple to_python(const FaceResult& f) {
  py::list members;
  for (const auto& m : f.members) members.append(py::make_tuple(m.model, m.score, m.logit));
  const Quality& q = f.quality;
  return py::make_tuple(to_tuple(f.face), static_cast<int>(f.verdict), f.score, f.logit, f.threshold, members,
                        py::make_tuple(q.face_pixels, q.sharpness, q.luminance, q.overexposed, q.underexposed,
                                       q.outside, q.yaw, q.pitch, q.roll),
                        f.reasons, f.views, f.spread);
}

py::tuple to_python(const Result& r) {
  py::list faces;
  for (const auto& f : r.faces) faces.append(to_python(f));
  return py::make_tuple(static_cast<int>(r.verdict), r.score, r.logit, r.threshold, r.reasons, faces, r.model,
                        py::make_tuple(r.time.detect, r.time.roi, r.time.infer, r.time.total), r.from_cache);
}

using ProfilerPtr = std::shared_ptr<Profiler>;

template <class P>
class Scorer {
 public:
  template <class Models>
  Scorer(Models models, const py::dict& options, ProfilerPtr profiler)
      : profiler_(std::move(profiler)), predictor_(std::move(models), to_options(options, profiler_.get())) {}

  Scorer(const Config& config, ProfilerPtr profiler)
      : profiler_(std::move(profiler)), predictor_(config.ensemble(profiler_.get())) {}

  py::tuple predict(const py::object& image, const std::string& color, const std::optional<FaceTuple>& face) const {
    const Frame frame(image, color, "image");
    Result result;
    {
      const py::gil_scoped_release release;
      result = face ? predictor_.predict(frame.view(), to_face(*face)) : predictor_.predict(frame.view());
    }
    return to_python(result);
  }

  // One (result or None, status, error) an image. An array that does not fit costs its own item only.
  py::list predict_batch(const py::sequence& images, const std::string& color,
                         const std::optional<std::vector<Box>>& boxes, int threads) const {
    const std::size_t n = images.size();
    if (boxes && boxes->size() != n)
      fail("boxes: got " + std::to_string(boxes->size()) + " for " + std::to_string(n) + " images");
    std::deque<Frame> frames;
    std::vector<ImageView> views;
    std::vector<Rect> rects;
    std::vector<std::size_t> places;  // of the frames among the images
    std::vector<Predictor::BatchItem> items(n);
    for (std::size_t i = 0; i < n; ++i) {
      try {
        frames.emplace_back(images[i], color, "images[" + std::to_string(i) + "]");
      } catch (const Error& e) {
        items[i] = {std::nullopt, e.status(), e.what()};
        continue;
      }
      views.push_back(frames.back().view());
      if (boxes) rects.push_back(to_rect((*boxes)[i]));
      places.push_back(i);
    }
    {
      const py::gil_scoped_release release;
      auto scored = predictor_.predict_batch(views, rects, threads);
      for (std::size_t i = 0; i < scored.size(); ++i) items[places[i]] = std::move(scored[i]);
    }
    py::list all;
    for (const auto& item : items) {
      const py::object result = item.result ? py::object(to_python(*item.result)) : py::object(py::none());
      all.append(py::make_tuple(result, static_cast<int>(item.status), item.error));
    }
    return all;
  }

 private:
  ProfilerPtr profiler_;  // declared first: destroyed after the predictor that uses it
  P predictor_;
};

template <class P, class Models>
py::class_<Scorer<P>> register_scorer(py::module_& m, const char* name) {
  using S = Scorer<P>;
  return py::class_<S>(m, name)
      .def(py::init<Models, const py::dict&, ProfilerPtr>(), py::arg("models"), py::arg("options"), py::arg("profiler"))
      .def("predict", &S::predict, py::arg("image"), py::arg("color"), py::arg("face"))
      .def("predict_batch", &S::predict_batch, py::arg("images"), py::arg("color"), py::arg("boxes"),
           py::arg("threads"));
}

}  // namespace

void register_predictor(py::module_& m) {
  register_scorer<Predictor, Model>(m, "Predictor");
  register_scorer<Ensemble, std::vector<Model>>(m, "Ensemble")
      .def_static(
          "from_config",
          [](const Config& config, ProfilerPtr profiler) {
            const py::gil_scoped_release release;
            return std::make_unique<Scorer<Ensemble>>(config, std::move(profiler));
          },
          py::arg("config"), py::arg("profiler"));
}

}  // namespace liveness::python
