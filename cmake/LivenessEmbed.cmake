# Packages inside a binary: the assembler takes the files as they are into read-only data, from where they are read in
# place. liveness_embed(TARGET FILE...) gives TARGET the table that src/model/builtin.hpp declares.
function(liveness_embed target)
  set(number 0)
  set(assembly "")
  set(symbols "")
  set(rows "")
  foreach(package ${ARGN})
    string(APPEND assembly ".balign 64\\nliveness_embedded_${number}:\\n.incbin \\\"${package}\\\"\\nliveness_embedded_end_${number}:\\n")
    string(APPEND symbols "extern \"C\" [[gnu::visibility(\"hidden\")]] const std::byte liveness_embedded_${number}[];\n"
      "extern \"C\" [[gnu::visibility(\"hidden\")]] const std::byte liveness_embedded_end_${number}[];\n")
    string(APPEND rows "      {liveness_embedded_${number}, liveness_embedded_end_${number}},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  if(number EQUAL 0)
    set(body "  return {};\n")
  else()
    set(body "  static const std::span<const std::byte> packages[] = {\n${rows}  };\n  return packages;\n")
    string(PREPEND symbols "asm(\".section .rodata\\n${assembly}.previous\");\n")
  endif()
  set(source "${CMAKE_CURRENT_BINARY_DIR}/embedded_${target}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "// Made by cmake/LivenessEmbed.cmake.
#include \"model/builtin.hpp\"

${symbols}
std::span<const std::span<const std::byte>> liveness::embedded_packages() noexcept {
${body}}
" @ONLY)
  # The symbols are the assembler's: a compiler that works on the whole program would not see them.
  set_source_files_properties("${source}" PROPERTIES OBJECT_DEPENDS "${ARGN}" COMPILE_OPTIONS "-fno-lto")
  target_sources(${target} PRIVATE "${source}")
endfunction()

# The files that LIVENESS_EMBED names.
function(liveness_packages_to_embed result)
  set(packages "")
  if(LIVENESS_EMBED STREQUAL "default")
    foreach(name pad_default face_detector)
      set(package "${PROJECT_SOURCE_DIR}/models/${name}.safetensors")
      if(EXISTS "${package}")
        list(APPEND packages "${package}")
      else()
        message(STATUS "liveness: ${package} is not there, and so not built in")
      endif()
    endforeach()
  elseif(LIVENESS_EMBED)
    foreach(name ${LIVENESS_EMBED})
      cmake_path(ABSOLUTE_PATH name BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" NORMALIZE OUTPUT_VARIABLE package)
      if(NOT EXISTS "${package}")
        message(FATAL_ERROR "LIVENESS_EMBED: there is no file ${package}")
      endif()
      list(APPEND packages "${package}")
    endforeach()
  endif()
  set(${result} "${packages}" PARENT_SCOPE)
endfunction()
