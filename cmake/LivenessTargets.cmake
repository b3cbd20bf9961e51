# Warnings, sanitizers and size flags, per target and never global.

function(liveness_target target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic
    $<$<COMPILE_LANGUAGE:CXX>:-Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast>
    # GCC 12 sees overlapping copies in std::string's operator+ that are not there (GCC bug 105651).
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
    $<$<BOOL:${LIVENESS_WERROR}>:-Werror>)
  if(LIVENESS_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${LIVENESS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${LIVENESS_SANITIZE})
  endif()
  # Folding an expression into a fused multiply-add where one compiler likes it would make results depend on the compiler.
  target_compile_options(${target} PRIVATE -ffp-contract=off -ffunction-sections -fdata-sections)
endfunction()

function(liveness_small target)
  target_link_options(${target} PRIVATE -Wl,--gc-sections -Wl,--exclude-libs,ALL -Wl,-z,relro,-z,now)
endfunction()
