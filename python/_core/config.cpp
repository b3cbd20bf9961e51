#include "liveness/config.hpp"

#include <utility>

#include "core.hpp"

namespace liveness::python {

void register_config(py::module_& m) {
  py::class_<Config>(m, "Config")
      .def(py::init<>())
      .def_static(
          "load", [](const std::string& path) { return Config::load(path); }, py::arg("path"))
      .def_static(
          "parse", [](const std::string& text, const std::string& origin) { return Config::parse(text, origin); },
          py::arg("text"), py::arg("origin"))
      .def("read_environment", &Config::read_environment)
      .def(
          "set", [](Config& c, const std::string& key, const std::string& value) { c.set(key, value); }, py::arg("key"),
          py::arg("value"))
      .def(
          "entry",
          [](const Config& c, const std::string& key) {
            const Config::Entry e = c.entry(key);
            return py::make_tuple(e.key, e.value, std::string(to_string(e.source)), e.where, e.meaning, e.live);
          },
          py::arg("key"))
      .def("keys",
           [](const Config& c) {
             std::vector<std::string> all;
             for (const auto& e : c.entries()) all.push_back(e.key);
             return all;
           })
      .def("to_yaml", &Config::to_yaml)
      .def("reload",
           [](Config& c) {
             const Config::Reloaded done = c.reload();
             return py::make_tuple(done.changed, done.waiting);
           })
      .def("load_models",
           [](const Config& c) {
             const py::gil_scoped_release release;
             Networks all = c.networks();
             return std::make_pair(std::move(all.pad), std::move(all.detector));
           })
      .def("governor", &Config::governor)
      .def_static("reference", &Config::reference);
}

}  // namespace liveness::python
