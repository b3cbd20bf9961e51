#include <algorithm>
#include <array>
#include <span>

#include "core.hpp"
#include "liveness/builtin.hpp"

namespace liveness::python {
namespace {

// The enumerator of this name, from the first one on.
template <class Enum>
Enum enumerator(const char* what, const std::string& name, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) {
    const Enum value = static_cast<Enum>(i);
    if (to_string(value) == name) return value;
    all += (all.empty() ? "" : ", ") + std::string(to_string(value));
  }
  fail(std::string(what) + " is \"" + name + "\", expected one of " + all);
}

// isa, verify, precision, backend, device, plugin, allow_code.
using OptionsTuple =
    std::tuple<std::string, bool, std::string, std::string, std::string, std::optional<std::string>, bool>;

Model::Options options(const OptionsTuple& from) {
  const auto& [isa, verify, precision, backend, device, plugin, allow_code] = from;
  Model::Options o;
  o.isa = enumerator<Isa>("isa", isa, 5);
  o.verify = verify;
  o.precision = enumerator<Precision>("precision", precision, 5);
  o.backend = enumerator<Backend>("backend", backend, 3);
  o.device = device;
  if (plugin) o.plugin = *plugin;
  o.allow_code = allow_code;
  return o;
}

Model load(const std::string& path, const OptionsTuple& how, const std::optional<std::string>& contract) {
  Model::Options o = options(how);
  if (contract) o.contract = *contract;
  const py::gil_scoped_release release;
  return Model::load(path, o);
}

Model from_bytes(const py::bytes& package, const OptionsTuple& how) {
  const Model::Options o = options(how);
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(package.ptr(), &data, &size) != 0) throw py::error_already_set();
  const py::gil_scoped_release release;  // bytes do not change, and the argument keeps them alive
  return Model::from_memory(std::as_bytes(std::span(data, static_cast<std::size_t>(size))), o);
}

Model builtin(const std::string& name, const OptionsTuple& how) {
  const Model::Options o = options(how);
  const py::gil_scoped_release release;
  return builtin_model(name, o);
}

using Tensors = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

Tensors to_tuples(const std::vector<TensorInfo>& tensors) {
  Tensors all;
  for (const auto& t : tensors) all.emplace_back(t.name, t.shape);
  return all;
}

py::dict info(const Model& model) {
  const ModelInfo& i = model.info();
  const InputContract& input = model.contract().input;
  py::list nodes;
  for (const auto& n : i.nodes) nodes.append(py::make_tuple(n.name, n.type, n.output_shape, n.macs, n.parameters));
  py::dict d;
  d["input_shape"] = py::make_tuple(input.channels(), input.height, input.width);
  d["inputs"] = to_tuples(i.inputs);
  d["outputs"] = to_tuples(i.outputs);
  d["nodes"] = nodes;
  d["macs"] = i.macs;
  d["parameters"] = i.parameters;
  d["weight_bytes"] = i.weight_bytes;
  d["workspace_bytes"] = i.workspace_bytes;
  d["isa"] = std::string(to_string(i.isa));
  d["identity"] = i.identity;
  d["backend"] = std::string(to_string(i.backend));
  d["precision"] = std::string(to_string(i.precision));
  d["device"] = i.device;
  d["fallback"] = i.fallback;
  return d;
}

// `input`: values (batch, channels, height, width) or pixels (batch, height, width, channels). One array a graph
// output, (batch, *shape).
template <class T>
std::vector<py::array_t<float>> run(const Model& model, const py::array_t<T, py::array::c_style>& input, int threads) {
  const auto& contract = model.contract().input;
  std::array<py::ssize_t, 3> wanted{contract.channels(), contract.height, contract.width};
  if constexpr (sizeof(T) == 1) wanted = {contract.height, contract.width, contract.channels()};
  if (input.ndim() != 4 || !std::equal(wanted.begin(), wanted.end(), input.shape() + 1))
    fail("input: expected shape (batch, " + std::to_string(wanted[0]) + ", " + std::to_string(wanted[1]) + ", " +
         std::to_string(wanted[2]) + "), got " + std::string(py::str(input.attr("shape"))));
  std::vector<py::array_t<float>> outputs;
  std::vector<std::span<float>> spans;
  for (const auto& o : model.info().outputs) {
    std::vector<py::ssize_t> shape = {input.shape(0)};
    for (const auto d : o.shape) shape.push_back(static_cast<py::ssize_t>(d));
    auto& array = outputs.emplace_back(shape);
    spans.emplace_back(array.mutable_data(), static_cast<std::size_t>(array.size()));
  }
  const std::span<const T> values(input.data(), static_cast<std::size_t>(input.size()));
  const int batch = static_cast<int>(input.shape(0));
  const py::gil_scoped_release release;
  model.run(values, spans, batch, threads);
  return outputs;
}

std::vector<std::tuple<std::string, std::int64_t, double>> profile(const Model& model, int rounds) {
  std::vector<std::tuple<std::string, std::int64_t, double>> steps;
  const py::gil_scoped_release release;
  for (const auto& s : model.profile(rounds)) steps.emplace_back(s.name, s.macs, s.microseconds);
  return steps;
}

}  // namespace

void register_model(py::module_& m) {
  py::class_<Model>(m, "Model")
      .def_static("load", &load, py::arg("path"), py::arg("options"), py::arg("contract"))
      .def_static("from_bytes", &from_bytes, py::arg("package"), py::arg("options"))
      .def_static("builtin", &builtin, py::arg("name"), py::arg("options"))
      .def("contract_json", [](const Model& model) { return contract_to_json(model.contract()); })
      .def("info", &info)
      .def("verify", &Model::verify, py::call_guard<py::gil_scoped_release>())
      .def("run", &run<float>, py::arg("input"), py::arg("threads"))
      .def("run_pixels", &run<std::uint8_t>, py::arg("pixels"), py::arg("threads"))
      .def("profile", &profile, py::arg("rounds"));

  m.def(
      "convert",
      [](const std::string& onnx, const std::string& contract, const std::string& package, int goldens) {
        const py::gil_scoped_release release;
        convert_onnx(onnx, contract, package, goldens);
      },
      py::arg("onnx"), py::arg("contract"), py::arg("package"), py::arg("goldens"));
  m.def(
      "backends",
      [](const std::optional<std::string>& plugin) {
        std::vector<BackendStatus> found;
        {
          const py::gil_scoped_release release;
          found = backends(plugin ? *plugin : std::string());
        }
        std::vector<std::tuple<std::string, bool, std::string, std::string, std::vector<std::string>, std::string, bool,
                               std::string>>
            all;
        for (const auto& s : found)
          all.emplace_back(to_string(s.backend), s.available, s.version, s.file, s.devices, s.blas, s.graphs,
                           s.missing);
        return all;
      },
      py::arg("plugin"));
  m.def("builtin_models", [] {
    std::vector<std::tuple<std::string, std::string, std::string, std::size_t>> all;
    for (const BuiltinModel& b : builtin_models())
      all.emplace_back(b.name,
                       b.task == Task::kPad        ? "pad"
                       : b.task == Task::kDetector ? "detector"
                                                   : "other",
                       b.licence, b.package.size());
    return all;
  });
  m.def("available_isas", [] {
    std::vector<std::string> names;
    for (const Isa isa : available_isas()) names.emplace_back(to_string(isa));
    return names;
  });
}

}  // namespace liveness::python
