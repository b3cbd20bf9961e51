#include "liveness/optimize.hpp"

#include "core.hpp"

namespace liveness::python {
namespace {

// Every option that one of the three functions has, by name; the public layer passes those that it takes.
QuantizeOptions quantize_options(const std::string& storage, const std::vector<std::string>& qualify,
                                 const std::array<double, 3>& gate, const Samples* samples, double sensitive,
                                 const std::vector<std::string>& keep) {
  QuantizeOptions o;
  if (storage == "fp32") {
    o.storage = Storage::kFp32;
  } else if (storage == "fp16") {
    o.storage = Storage::kFp16;
  } else if (storage != "int8") {
    fail("storage is \"" + storage + "\", expected one of fp32, fp16, int8");
  }
  o.qualify.clear();
  for (const auto& name : qualify) {
    if (name != "bf16" && name != "int8") fail("qualify has \"" + name + "\", expected bf16 or int8");
    o.qualify.push_back(name == "bf16" ? Precision::kBf16 : Precision::kInt8);
  }
  o.gate = {gate[0], gate[1], gate[2]};
  o.samples = samples;
  o.sensitive = sensitive;
  o.keep = keep;
  return o;
}

void add(Samples& samples, const py::object& image, const std::string& color, const std::optional<Box>& face,
         const std::string& box_convention, const std::string& label) {
  Label shown = Label::kUnknown;
  if (label == "bona_fide") {
    shown = Label::kBonaFide;
  } else if (label == "attack") {
    shown = Label::kAttack;
  } else if (label != "unknown") {
    fail("label is \"" + label + "\", expected one of unknown, bona_fide, attack");
  }
  const Frame frame(image, color, "image");
  if (face) {
    samples.add(frame.view(), to_rect(*face), box_convention, shown);
  } else {
    samples.add(frame.view(), shown);
  }
}

}  // namespace

void register_optimize(py::module_& m) {
  py::class_<Samples>(m, "Samples")
      .def(py::init([](const Model& model) { return Samples(model.contract()); }), py::arg("model"))
      .def("add", &add, py::arg("image"), py::arg("color"), py::arg("face"), py::arg("box_convention"),
           py::arg("label"))
      .def("size", &Samples::size);

  m.def(
      "quantize",
      [](const std::string& package, const std::string& out, const std::string& storage,
         const std::vector<std::string>& qualify, const std::array<double, 3>& gate, const Samples* samples,
         double sensitive, const std::vector<std::string>& keep) {
        const QuantizeOptions o = quantize_options(storage, qualify, gate, samples, sensitive, keep);
        const py::gil_scoped_release release;
        return to_json(quantize(package, out, o));
      },
      py::arg("package"), py::arg("out"), py::arg("storage"), py::arg("qualify"), py::arg("gate"), py::arg("samples"),
      py::arg("sensitive"), py::arg("keep"));
  m.def(
      "prune",
      [](const std::string& package, const std::string& out, double ratio, bool per_layer, int multiple,
         const std::optional<std::string>& gradients, const Samples* samples) {
        PruneOptions o;
        o.ratio = ratio;
        o.per_layer = per_layer;
        o.multiple = multiple;
        if (gradients) o.gradients = *gradients;
        o.samples = samples;
        const py::gil_scoped_release release;
        return to_json(prune(package, out, o));
      },
      py::arg("package"), py::arg("out"), py::arg("ratio"), py::arg("per_layer"), py::arg("multiple"),
      py::arg("gradients"), py::arg("samples"));
  m.def(
      "export_onnx",
      [](const std::string& package, const std::string& onnx, int opset, bool quantized, const Samples* activations) {
        ExportOptions o;
        o.opset = opset;
        o.quantized = quantized;
        o.activations = activations;
        const py::gil_scoped_release release;
        export_onnx(package, onnx, o);
      },
      py::arg("package"), py::arg("onnx"), py::arg("opset"), py::arg("quantized"), py::arg("activations"));
}

}  // namespace liveness::python
