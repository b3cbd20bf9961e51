#include "core.hpp"

namespace liveness::python {

void register_cache(py::module_& m) {
  py::class_<PredictionCache, std::shared_ptr<PredictionCache>>(m, "PredictionCache")
      .def(py::init([](std::size_t bytes, std::int64_t milliseconds) {
             return std::make_shared<PredictionCache>(
                 PredictionCache::Options{bytes, std::chrono::milliseconds(milliseconds)});
           }),
           py::arg("bytes"), py::arg("milliseconds"))
      .def("statistics",
           [](const PredictionCache& cache) {
             const auto s = cache.statistics();
             return py::make_tuple(s.hits, s.misses, s.evictions, s.entries, s.bytes);
           })
      .def("shrink", &PredictionCache::shrink, py::arg("bytes"));

  py::class_<WorkerPool, std::shared_ptr<WorkerPool>>(m, "WorkerPool")
      .def(py::init<int>(), py::arg("threads"))
      .def("threads", &WorkerPool::threads)
      .def("cancel", &WorkerPool::cancel);
}

}  // namespace liveness::python
