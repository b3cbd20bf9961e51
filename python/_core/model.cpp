#include <span>

#include "core.hpp"

namespace liveness::python {
namespace {

Isa to_isa(const std::string& name) {
  std::string all;
  for (const Isa isa : {Isa::kAuto, Isa::kPortable, Isa::kAvx2, Isa::kAvx512}) {
    if (to_string(isa) == name) return isa;
    all += (all.empty() ? "" : ", ") + std::string(to_string(isa));
  }
  fail("isa is \"" + name + "\", expected one of " + all);
}

Model load(const std::string& path, const std::string& isa, bool verify, const std::optional<std::string>& contract) {
  Model::Options o;
  o.isa = to_isa(isa);
  o.verify = verify;
  if (contract) o.contract = *contract;
  const py::gil_scoped_release release;
  return Model::load(path, o);
}

Model from_bytes(const py::bytes& package, const std::string& isa, bool verify) {
  Model::Options o;
  o.isa = to_isa(isa);
  o.verify = verify;
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(package.ptr(), &data, &size) != 0) throw py::error_already_set();
  const py::gil_scoped_release release;  // bytes do not change, and the argument keeps them alive
  return Model::from_memory(std::as_bytes(std::span(data, static_cast<std::size_t>(size))), o);
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
  return d;
}

// `input`: (batch, channels, height, width). One array a graph output, (batch, *shape).
std::vector<py::array_t<float>> run(const Model& model, const py::array_t<float, py::array::c_style>& input,
                                    int threads) {
  const auto& contract = model.contract().input;
  if (input.ndim() != 4 || input.shape(1) != contract.channels() || input.shape(2) != contract.height ||
      input.shape(3) != contract.width)
    fail("input: expected shape (batch, " + std::to_string(contract.channels()) + ", " +
         std::to_string(contract.height) + ", " + std::to_string(contract.width) + "), got " +
         std::string(py::str(input.attr("shape"))));
  std::vector<py::array_t<float>> outputs;
  std::vector<std::span<float>> spans;
  for (const auto& o : model.info().outputs) {
    std::vector<py::ssize_t> shape = {input.shape(0)};
    for (const auto d : o.shape) shape.push_back(static_cast<py::ssize_t>(d));
    auto& array = outputs.emplace_back(shape);
    spans.emplace_back(array.mutable_data(), static_cast<std::size_t>(array.size()));
  }
  const std::span<const float> values(input.data(), static_cast<std::size_t>(input.size()));
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
      .def_static("load", &load, py::arg("path"), py::arg("isa"), py::arg("verify"), py::arg("contract"))
      .def_static("from_bytes", &from_bytes, py::arg("package"), py::arg("isa"), py::arg("verify"))
      .def("contract_json", [](const Model& model) { return contract_to_json(model.contract()); })
      .def("info", &info)
      .def("verify", &Model::verify, py::call_guard<py::gil_scoped_release>())
      .def("run", &run, py::arg("input"), py::arg("threads"))
      .def("profile", &profile, py::arg("rounds"));

  m.def(
      "convert",
      [](const std::string& onnx, const std::string& contract, const std::string& package, int goldens) {
        const py::gil_scoped_release release;
        convert_onnx(onnx, contract, package, goldens);
      },
      py::arg("onnx"), py::arg("contract"), py::arg("package"), py::arg("goldens"));
  m.def("available_isas", [] {
    std::vector<std::string> names;
    for (const Isa isa : available_isas()) names.emplace_back(to_string(isa));
    return names;
  });
}

}  // namespace liveness::python
