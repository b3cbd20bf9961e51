#include "core.hpp"

namespace liveness::python {

void register_profiler(py::module_& m) {
  py::class_<Profiler, std::shared_ptr<Profiler>>(m, "Profiler")
      .def(py::init<>())
      .def(
          "get", [](const Profiler& p, const std::string& key) { return p.get(key); }, py::arg("key"))
      .def_static("keys", &Profiler::keys)
      .def("to_json", &Profiler::to_json)
      .def("to_table", &Profiler::to_table)
      .def("reset", &Profiler::reset);
}

}  // namespace liveness::python
