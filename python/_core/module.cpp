#include "core.hpp"

PYBIND11_MODULE(_core, m) {
  using namespace liveness::python;
  m.doc() = "Private: the public names are in the package `liveness`.";
  m.attr("version") = std::string(liveness::kVersion);
  register_errors(m);
  register_model(m);
  register_optimize(m);
  register_roi(m);
  register_detector(m);
  register_profiler(m);
  register_resources(m);
  register_cache(m);
  register_config(m);
  register_evaluation(m);
  register_predictor(m);
  register_stream(m);
}
