// Options of scoring, which Predictor, Ensemble and Verifier share.
#pragma once

#include "core.hpp"

namespace liveness::python {

// Keys are the names of the fields in C++; the public layer gives all of them.
[[nodiscard]] Ensemble::Options to_options(const py::dict& options, Profiler* profiler);

}  // namespace liveness::python
