#include "core.hpp"

namespace liveness::python {

void fail(const std::string& message) {
  throw Error(Status::kInvalidArgument, message);
}

// The classes are written in Python, where their bases and documentation are easy to read.
void register_errors(py::module_& m) {
  (void)m;
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Error& e) {
      const std::string text = e.what();
      const auto message = py::reinterpret_steal<py::str>(
          PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
      const py::object error =
          py::module_::import("liveness._errors").attr("error_of")(static_cast<int>(e.status()), message);
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
    }
  });
}

}  // namespace liveness::python
