# Parts of the C ABI that are left out of libliveness_c. The ABI keeps every symbol: in place of a part's source file comes
# one whose functions do nothing but say so. It is made from that file, so that the prototypes are its own.
function(liveness_absent result source part)
  cmake_path(GET source STEM name)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
  file(READ "${source}" text)
  string(REGEX MATCHALL "\n(liveness_status_t|void) liveness_[a-z_0-9]+\\([^)]*\\) noexcept" functions "${text}")
  set(body "")
  foreach(function ${functions})
    if(function MATCHES "^\nvoid")
      string(APPEND body "${function} {}\n")
    else()
      string(APPEND body "${function} {\n  return absent();\n}\n")
    endif()
  endforeach()
  set(made "${CMAKE_CURRENT_BINARY_DIR}/absent_${name}.cpp")
  file(CONFIGURE OUTPUT "${made}" CONTENT "// Made by cmake/LivenessAbsent.cmake from ${source}.
#include \"guard.hpp\"
#include \"liveness.h\"

namespace {
liveness_status_t absent() noexcept {
  liveness::capi::set_last_error(\"${part}: not built in: this library was built with LIVENESS_CAPI_WITHOUT\");
  return LIVENESS_STATUS_UNSUPPORTED;
}
}  // namespace

extern \"C\" {
${body}}
" @ONLY)
  set_source_files_properties("${made}" PROPERTIES COMPILE_OPTIONS "-Wno-unused-parameter")
  set(${result} "${made}" PARENT_SCOPE)
endfunction()
