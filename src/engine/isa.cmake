# Each instruction set has one translation unit; run-time dispatch picks among them, so nothing else may get these flags.
set_source_files_properties(src/engine/kernels_portable.cpp src/engine/kernels_avx2.cpp src/engine/kernels_avx512.cpp
  src/engine/kernels_amx.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON SKIP_UNITY_BUILD_INCLUSION ON)
# Debug builds keep some optimisation here: unrolled tiles without it are too slow to test with.
# A build for size shrinks everything but the kernels; unrolled by hand as they are, -O3 would only make them larger.
set(kernel_flags $<$<CONFIG:Debug>:-O1> $<$<CONFIG:MinSizeRel>:-O2>)
set_property(SOURCE src/engine/kernels_portable.cpp src/engine/kernels_avx2.cpp src/engine/kernels_avx512.cpp APPEND PROPERTY
  COMPILE_DEFINITIONS $<$<CONFIG:MinSizeRel>:LIVENESS_SMALL_KERNELS>)
set_property(SOURCE src/engine/dense_ops.cpp src/vision/roi_kernels.cpp src/vision/roi_kernels_x86.cpp src/vision/resample.cpp
  src/vision/quality.cpp APPEND PROPERTY COMPILE_OPTIONS $<$<CONFIG:MinSizeRel>:-O2>)
set_property(SOURCE src/engine/kernels_portable.cpp src/pipeline/hash_portable.cpp APPEND PROPERTY COMPILE_OPTIONS ${kernel_flags})
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set_property(SOURCE src/engine/kernels_avx2.cpp APPEND PROPERTY COMPILE_OPTIONS ${kernel_flags} -mavx2 -mfma)
  # GCC's own AVX-512 headers raise -W(maybe-)uninitialized.
  set(quiet_avx512 $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized -Wno-maybe-uninitialized>)
  set_property(SOURCE src/engine/kernels_avx512.cpp APPEND PROPERTY COMPILE_OPTIONS ${kernel_flags}
    -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mavx2 ${quiet_avx512})
  # Its tiles are in assembly: of flags it needs those of AVX-512 only.
  set_property(SOURCE src/engine/kernels_amx.cpp APPEND PROPERTY COMPILE_OPTIONS ${kernel_flags}
    -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mavx2 ${quiet_avx512})
  set_property(TARGET liveness_objects APPEND PROPERTY COMPILE_DEFINITIONS LIVENESS_X86=1)
  set_property(SOURCE src/pipeline/hash_avx2.cpp APPEND PROPERTY COMPILE_OPTIONS ${kernel_flags} -mavx2)
  set_property(SOURCE src/pipeline/hash_avx512.cpp APPEND PROPERTY COMPILE_OPTIONS ${kernel_flags} -mavx512f ${quiet_avx512})
else()
  get_target_property(engine_sources liveness_objects SOURCES)
  list(FILTER engine_sources EXCLUDE REGEX "src/(engine/kernels|pipeline/hash)_(avx|amx)")
  set_property(TARGET liveness_objects PROPERTY SOURCES ${engine_sources})
endif()
