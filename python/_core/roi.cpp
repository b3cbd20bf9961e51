#include "core.hpp"

namespace liveness::python {
namespace {

class Roi {
 public:
  Roi(const std::vector<Model>& models, std::optional<std::string> convention)
      : processor_(specs_of(models, convention)), convention_(std::move(convention)) {}

  // One (values, region, outside) a model; values are (channels, height, width).
  py::list extract(const py::object& image, const std::string& color, const Box& face) const {
    const Frame frame(image, color, "image");
    std::vector<py::array_t<float>> arrays;
    std::vector<PlanarView> planes;
    for (std::size_t i = 0; i < processor_.size(); ++i) {
      const InputContract& input = processor_.spec(i).input;
      auto& a = arrays.emplace_back(std::vector<py::ssize_t>{input.channels(), input.height, input.width});
      planes.push_back({a.mutable_data(), input.width, static_cast<std::ptrdiff_t>(input.width) * input.height});
    }
    std::vector<CropInfo> infos(arrays.size());
    {
      const py::gil_scoped_release release;
      for (std::size_t i = 0; i < infos.size(); ++i) {
        const CropContract& crop = processor_.spec(i).crop;
        const Rect box = convention_ ? map_box(to_rect(face), *convention_, crop) : to_rect(face);
        infos[i] = processor_.extract(frame.view(), box, i, planes[i]);
      }
    }
    py::list all;
    for (std::size_t i = 0; i < infos.size(); ++i)
      all.append(py::make_tuple(arrays[i], to_box(infos[i].region), infos[i].outside));
    return all;
  }

 private:
  static std::vector<RoiSpec> specs_of(const std::vector<Model>& models, const std::optional<std::string>& convention) {
    std::vector<RoiSpec> specs;
    for (const auto& m : models) {
      const Contract& c = m.contract();
      if (!c.crop) fail("model \"" + c.name + "\" has no crop rule");
      if (convention) (void)map_box({0, 0, 1, 1}, *convention, *c.crop);  // refused here and not at the first picture
      specs.push_back({c.input, *c.crop});
    }
    if (specs.empty()) fail("models is empty: at least one model is needed");
    return specs;
  }

  RoiProcessor processor_;
  std::optional<std::string> convention_;  // of the boxes that come in; none: each crop's own
};

}  // namespace

void register_roi(py::module_& m) {
  py::class_<Roi>(m, "RoiProcessor")
      .def(py::init<const std::vector<Model>&, std::optional<std::string>>(), py::arg("models"),
           py::arg("box_convention"))
      .def("extract", &Roi::extract, py::arg("image"), py::arg("color"), py::arg("face"));
}

}  // namespace liveness::python
