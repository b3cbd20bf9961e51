#include "core.hpp"

namespace liveness::python {
namespace {

std::vector<FaceTuple> detect(const FaceDetector& detector, const py::object& image, const std::string& color) {
  const Frame frame(image, color, "image");
  std::vector<FaceTuple> faces;
  const py::gil_scoped_release release;
  for (const Face& f : detector.detect(frame.view())) faces.push_back(to_tuple(f));
  return faces;
}

}  // namespace

void register_detector(py::module_& m) {
  py::class_<FaceDetector>(m, "FaceDetector")
      .def(py::init([](const Model& model, const DetectionTuple& options) {
             return FaceDetector(model, detection_options(options));
           }),
           py::arg("model"), py::arg("options"))
      .def("detect", &detect, py::arg("image"), py::arg("color"));
}

}  // namespace liveness::python
