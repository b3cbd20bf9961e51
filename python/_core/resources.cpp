#include "core.hpp"

namespace liveness::python {
namespace {

// Frames a second, detect every, score every, scale, capture size, captures a second, level, changed, trim, why.
py::tuple to_tuple(const Governor::Decision& d) {
  const Workload& w = d.workload;
  return py::make_tuple(w.fps, w.detect_every, w.score_every, w.scale, w.capture.width, w.capture.height, w.capture_fps,
                        d.level, d.changed, d.trim, d.why);
}

}  // namespace

void register_resources(py::module_& m) {
  py::class_<ResourceMonitor>(m, "ResourceMonitor").def(py::init<>()).def("sample", [](ResourceMonitor& monitor) {
    const ResourceUsage u = monitor.sample();
    return py::make_tuple(u.seconds, u.process_cpu, u.machine_cpu, u.resident_bytes, u.gpu_use, u.gpu_bytes,
                          u.temperature);
  });
  py::class_<Governor>(m, "Governor")
      .def(py::init([](double cpu, std::size_t memory, double min_fps, double fps, int detect_every, int score_every,
                       std::pair<int, int> capture) {
             Governor::Options o;
             o.cpu = cpu;
             o.memory = memory;
             o.min_fps = min_fps;
             o.best.fps = fps;
             o.best.detect_every = detect_every;
             o.best.score_every = score_every;
             o.best.capture = {capture.first, capture.second};
             if (capture.first > 0) o.best.capture_fps = fps;
             return Governor(o);
           }),
           py::arg("cpu"), py::arg("memory"), py::arg("min_fps"), py::arg("fps"), py::arg("detect_every"),
           py::arg("score_every"), py::arg("capture"))
      .def("admit", &Governor::admit, py::arg("seconds"))
      .def(
          "update",
          [](Governor& governor, double seconds, double process_cpu, std::size_t resident, double now) {
            ResourceUsage u;
            u.seconds = seconds;
            u.process_cpu = process_cpu;
            u.resident_bytes = resident;
            return to_tuple(governor.update(u, now));
          },
          py::arg("seconds"), py::arg("process_cpu"), py::arg("resident"), py::arg("now"));
}

}  // namespace liveness::python
