// Arrays as pictures, without a copy.
#include <cstdint>
#include <string_view>

#include "core.hpp"

namespace liveness::python {
namespace {

struct Color {
  std::string_view name;
  PixelFormat format;
  int channels;  // 1: an array without a third axis
};

constexpr std::array<Color, 7> kColors = {{{"bgr", PixelFormat::kBgr, 3},
                                           {"rgb", PixelFormat::kRgb, 3},
                                           {"bgra", PixelFormat::kBgra, 4},
                                           {"rgba", PixelFormat::kRgba, 4},
                                           {"gray", PixelFormat::kGray, 1},
                                           {"nv12", PixelFormat::kNv12, 1},
                                           {"nv21", PixelFormat::kNv21, 1}}};

const Color& find_color(const std::string& name) {
  std::string all;
  for (const auto& c : kColors) {
    if (c.name == name) return c;
    all += (all.empty() ? "" : ", ") + std::string(c.name);
  }
  fail("color is \"" + name + "\", expected one of " + all);
}

std::string to_text(const Py_ssize_t* values, int n) {
  std::string text = "(";
  for (int i = 0; i < n; ++i) text += (i > 0 ? ", " : "") + std::to_string(values[i]);
  return text + (n == 1 ? ",)" : ")");
}

std::string dtype_of(const py::handle& array, const Py_buffer& buffer) {
  if (py::hasattr(array, "dtype")) return py::str(array.attr("dtype"));
  return buffer.format != nullptr ? "format '" + std::string(buffer.format) + "'" : "no format";
}

// The strides are those of rows of adjacent pixels. An axis of length 1 has no stride to speak of.
void check_strides(const Py_buffer& b, const Color& color, const std::string& name) {
  const Py_ssize_t channels = color.channels;
  const bool pixels_adjacent =
      (color.channels == 1 || b.strides[2] == 1) && (b.shape[1] == 1 || b.strides[1] == channels);
  const bool rows_apart = b.shape[0] == 1 || b.strides[0] >= b.shape[1] * channels;
  if (pixels_adjacent && rows_apart) return;
  fail(name + ": the pixels of a row must be adjacent and rows go down in memory, got strides " +
       to_text(b.strides, b.ndim) + " for shape " + to_text(b.shape, b.ndim) +
       "; numpy.ascontiguousarray() makes a copy that fits");
}

}  // namespace

Frame::Frame(const py::handle& array, const std::string& color, const std::string& name) {
  const Color& c = find_color(color);
  if (PyObject_GetBuffer(array.ptr(), &buffer_, PyBUF_RECORDS_RO) != 0) {
    PyErr_Clear();
    throw py::type_error(name + ": expected an array of uint8, got " +
                         std::string(py::str(py::type::of(array).attr("__name__"))));
  }
  try {
    const Py_buffer& b = buffer_;
    if (b.itemsize != 1 || b.format == nullptr || std::string_view(b.format) != "B")
      fail(name + ": expected dtype uint8, got " + dtype_of(array, b));
    const int rank = c.channels == 1 ? 2 : 3;
    if (b.ndim != rank || (rank == 3 && b.shape[2] != c.channels))
      fail(name + ": color \"" + color + "\" takes an array of shape (height, width" +
           (rank == 3 ? ", " + std::to_string(c.channels) : std::string()) + "), got " + to_text(b.shape, b.ndim));
    for (int i = 0; i < 2; ++i)
      if (b.shape[i] < 1 || b.shape[i] > INT32_MAX) fail(name + ": cannot have shape " + to_text(b.shape, b.ndim));
    check_strides(b, c, name);
    Py_ssize_t height = b.shape[0];
    if (c.format == PixelFormat::kNv12 || c.format == PixelFormat::kNv21) {
      if (height % 3 != 0)
        fail(name + ": color \"" + color + "\" takes an array of shape (height * 3 / 2, width), got " +
             to_text(b.shape, b.ndim));
      height = height / 3 * 2;
    }
    const Py_ssize_t row = b.shape[1] * c.channels;
    view_ = {static_cast<const std::uint8_t*>(b.buf),
             static_cast<int>(b.shape[1]),
             static_cast<int>(height),
             b.shape[0] == 1 ? row : b.strides[0],
             c.format,
             nullptr,
             0};
    check_image(view_);
  } catch (...) {
    PyBuffer_Release(&buffer_);
    throw;
  }
}

Rect to_rect(const Box& box) noexcept {
  return {box[0], box[1], box[2], box[3]};
}
Box to_box(const Rect& rect) noexcept {
  return {rect.x, rect.y, rect.width, rect.height};
}

Face to_face(const FaceTuple& face) {
  const auto& [box, landmarks, score] = face;
  Face f;
  f.box = to_rect(box);
  f.score = score;
  f.has_landmarks = landmarks.has_value();
  if (landmarks)
    for (std::size_t i = 0; i < f.landmarks.size(); ++i) f.landmarks[i] = {(*landmarks)[i][0], (*landmarks)[i][1]};
  return f;
}

FaceTuple to_tuple(const Face& face) {
  FaceTuple t{to_box(face.box), std::nullopt, face.score};
  if (face.has_landmarks) {
    auto& points = std::get<1>(t).emplace();
    for (std::size_t i = 0; i < points.size(); ++i) points[i] = {face.landmarks[i].x, face.landmarks[i].y};
  }
  return t;
}

FaceDetector::Options detection_options(const DetectionTuple& detection) {
  const auto& [score_threshold, nms_iou, max_faces, min_face] = detection;
  FaceDetector::Options o;
  // A negative number means "the package's own" in C++; here that is None, and a negative number is a mistake.
  if (score_threshold && *score_threshold < 0)
    fail("score_threshold is " + std::to_string(*score_threshold) + ", expected 0 to 1");
  if (nms_iou && *nms_iou < 0) fail("nms_iou is " + std::to_string(*nms_iou) + ", expected 0 to 1");
  if (score_threshold) o.score_threshold = *score_threshold;
  if (nms_iou) o.nms_iou = *nms_iou;
  o.max_faces = max_faces;
  o.min_face = min_face;
  return o;
}

}  // namespace liveness::python
