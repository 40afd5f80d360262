# The kernels floor: what is compiled once, the plain loops as level "ref", and each file of vector/ once per level.

rung_open_floor(kernels)
file(GLOB once CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/kernels/*.c)
list(FILTER once EXCLUDE REGEX "/table\\.c$")
rung_objects_of(kernels rung_kernels ${once})

file(GLOB ref_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/kernels/ref/*.c)
file(GLOB vector_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/kernels/vector/*.c)

function(rung_level LEVEL)
  cmake_parse_arguments(ARG "" "" "SOURCES;FLAGS" ${ARGN})
  rung_objects_of(kernels rung_kernels_${LEVEL} ${ARG_SOURCES} ${CMAKE_CURRENT_SOURCE_DIR}/src/kernels/table.c)
  target_compile_definitions(rung_kernels_${LEVEL} PRIVATE RUNG_LEVEL_ID=${LEVEL})
  target_compile_options(rung_kernels_${LEVEL} PRIVATE ${ARG_FLAGS})
  if(RUNG_FUZZ) # no file's bytes steer the kernels, and instrumented they take minutes to compile
    target_compile_options(rung_kernels_${LEVEL} PRIVATE -fno-sanitize=all)
  endif()
  set(rung_objects ${rung_objects} PARENT_SCOPE)
endfunction()

rung_level(ref SOURCES ${ref_sources})
rung_level(generic SOURCES ${vector_sources})
if(NOT RUNG_PORTABLE)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    rung_level(v2 SOURCES ${vector_sources} FLAGS -march=x86-64-v2)
    rung_level(v3 SOURCES ${vector_sources} FLAGS -march=x86-64-v3)
    rung_level(v4 SOURCES ${vector_sources} FLAGS -march=x86-64-v4 -mprefer-vector-width=512)
    rung_level(v4vnni SOURCES ${vector_sources} FLAGS -march=x86-64-v4 -mavx512vnni -mprefer-vector-width=512)
    rung_level(v4bf16 SOURCES ${vector_sources} FLAGS -march=x86-64-v4 -mavx512vnni -mavx512bf16
                                                      -mprefer-vector-width=512)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    rung_level(neon SOURCES ${vector_sources})
  endif()
endif()
