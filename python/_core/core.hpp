// What the topics of the private module share. Values cross as plain tuples; the public layer in Python gives them
// names.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "liveness/liveness.hpp"

namespace liveness::python {

namespace py = pybind11;

using Box = std::array<float, 4>;
// Box, landmarks (5 points) or none, score.
using FaceTuple = std::tuple<Box, std::optional<std::array<std::array<float, 2>, 5>>, float>;

// An array that the caller owns, read in place. Made and destroyed with the GIL held; the pixels may be read without
// it, since the buffer cannot go away or be resized while this lives.
class Frame {
 public:
  // Throws Error(kInvalidArgument) that names what arrived where dtype, rank, shape or strides do not fit `color`.
  Frame(const py::handle& array, const std::string& color, const std::string& name);
  ~Frame() { PyBuffer_Release(&buffer_); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  [[nodiscard]] const ImageView& view() const noexcept { return view_; }

 private:
  Py_buffer buffer_{};
  ImageView view_;
};

[[noreturn]] void fail(const std::string& message);  // Error(kInvalidArgument)

[[nodiscard]] Rect to_rect(const Box& box) noexcept;
[[nodiscard]] Box to_box(const Rect& rect) noexcept;
[[nodiscard]] Face to_face(const FaceTuple& face);
[[nodiscard]] FaceTuple to_tuple(const Face& face);

// Score threshold, NMS IoU, most faces, smallest face.
using DetectionTuple = std::tuple<std::optional<float>, std::optional<float>, int, float>;
[[nodiscard]] FaceDetector::Options detection_options(const DetectionTuple& detection);

// One file a topic.
void register_errors(py::module_& m);
void register_model(py::module_& m);
void register_optimize(py::module_& m);
void register_roi(py::module_& m);
void register_detector(py::module_& m);
void register_config(py::module_& m);
void register_profiler(py::module_& m);
void register_resources(py::module_& m);
void register_cache(py::module_& m);
void register_evaluation(py::module_& m);
void register_predictor(py::module_& m);
void register_stream(py::module_& m);

}  // namespace liveness::python
