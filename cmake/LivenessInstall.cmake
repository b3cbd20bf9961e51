# What is installed: libraries, headers, contracts, and how CMake and pkg-config find them.
# Three export sets, so that nobody needs yaml-cpp or OpenCV for find_package who does not link what needs them.
include(CMakePackageConfigHelpers)
set(liveness_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/liveness")

set(exported liveness_headers liveness_shared)
if(TARGET liveness_capi)
  list(APPEND exported liveness_capi)
endif()
install(TARGETS ${exported} EXPORT livenessTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(TARGETS liveness_static EXPORT livenessStaticTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
set(export_sets livenessTargets livenessStaticTargets)
if(TARGET liveness_opencv)
  install(TARGETS liveness_opencv EXPORT livenessOpencvTargets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  list(APPEND export_sets livenessOpencvTargets)
endif()
foreach(set ${export_sets})
  install(EXPORT ${set} NAMESPACE liveness:: DESTINATION "${liveness_cmake_dir}")
endforeach()

if(TARGET liveness_program)
  install(TARGETS liveness_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  if(TARGET liveness_window)
    install(TARGETS liveness_window LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/liveness")
  endif()
endif()
if(TARGET liveness_torch)
  install(TARGETS liveness_torch LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()
install(DIRECTORY models/contracts DESTINATION "${CMAKE_INSTALL_DATADIR}/liveness/models")

set(contracts_dir "${CMAKE_INSTALL_DATADIR}/liveness/models/contracts")
configure_package_config_file(cmake/livenessConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/livenessConfig.cmake"
  INSTALL_DESTINATION "${liveness_cmake_dir}" PATH_VARS contracts_dir)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/livenessConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/livenessConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/livenessConfigVersion.cmake"
  DESTINATION "${liveness_cmake_dir}")

# The prefix is found from where the file lies, so that an installed tree can be moved.
file(RELATIVE_PATH pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
function(liveness_pkg_config name library description private)
  set(pc_name ${name})
  set(pc_library ${library})
  set(pc_description "${description}")
  set(pc_private "${private}")
  configure_file(cmake/liveness.pc.in "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()
set(static_links "-lstdc++ -lm -pthread")
if(LIVENESS_WITH_YAML)
  string(PREPEND static_links "-lyaml-cpp ")
endif()
liveness_pkg_config(liveness liveness "${PROJECT_DESCRIPTION}: C++20" "${static_links}")
if(TARGET liveness_capi)
  liveness_pkg_config(liveness-c liveness_c "${PROJECT_DESCRIPTION}: C" "")
endif()
