# The house: one object library a floor. A floor's include path holds its own folder and the public headers of itself and
# of the floors below it, nothing else, so that a wrong include does not compile.

add_library(rung_flags INTERFACE)
target_compile_options(rung_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -ffp-contract=off
                                            $<$<BOOL:${RUNG_WERROR}>:-Werror>)
target_compile_definitions(rung_flags INTERFACE $<$<BOOL:${RUNG_PORTABLE}>:RUNG_PORTABLE>)
target_link_libraries(rung_flags INTERFACE Threads::Threads m)

set(rung_objects "")
set(rung_floors "")
set(rung_floor_includes "")

# Opens floor NAME: from here on the include path has its public header too, rung/NAME.h, and rung/NAME/*.h if it has
# more than one.
macro(rung_open_floor NAME)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/floors/${NAME}/rung)
  foreach(header ${NAME}.h ${NAME})
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/include/rung/${header})
      file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/include/rung/${header}
           ${CMAKE_BINARY_DIR}/floors/${NAME}/rung/${header} SYMBOLIC)
    endif()
  endforeach()
  list(APPEND rung_floor_includes ${CMAKE_BINARY_DIR}/floors/${NAME})
  list(APPEND rung_floors ${NAME})
endmacro()

# An object library TARGET of floor NAME from SOURCES.
function(rung_objects_of NAME TARGET)
  add_library(${TARGET} OBJECT ${ARGN})
  target_include_directories(${TARGET} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src/${NAME} ${rung_floor_includes})
  target_link_libraries(${TARGET} PRIVATE rung_flags)
  set(rung_objects ${rung_objects} ${TARGET} PARENT_SCOPE)
endfunction()

# A whole floor: every .c file of src/NAME.
macro(rung_floor NAME)
  rung_open_floor(${NAME})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/${NAME}/*.c)
  if(NOT RUNG_HAVE_ONNX)
    list(FILTER sources EXCLUDE REGEX "/src/deploy/onnx/(export|read|write)")
  endif()
  rung_objects_of(${NAME} rung_${NAME} ${sources})
endmacro()

rung_floor(core)
rung_floor(io)
if(ZLIB_FOUND)
  target_link_libraries(rung_io PRIVATE ZLIB::ZLIB)
  target_compile_definitions(rung_io PRIVATE RUNG_HAVE_ZLIB)
endif()
if(TARGET rung::cjson)
  target_link_libraries(rung_io PRIVATE rung::cjson)
  target_compile_definitions(rung_io PRIVATE RUNG_HAVE_CJSON)
endif()

include(cmake/kernels.cmake)

foreach(floor autograd quant nn deploy)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/include/rung/${floor}.h)
    rung_floor(${floor})
  endif()
endforeach()

if(RUNG_HAVE_ONNX)
  target_link_libraries(rung_deploy PRIVATE rung_onnx)
  target_compile_definitions(rung_deploy PRIVATE RUNG_HAVE_ONNX RUNG_VERSION="${PROJECT_VERSION}")
  list(APPEND rung_objects rung_onnx)
endif()

# The library, static and shared, from the same objects.
set(rung_library_objects "")
foreach(target ${rung_objects})
  list(APPEND rung_library_objects $<TARGET_OBJECTS:${target}>)
endforeach()

foreach(kind static shared)
  string(TOUPPER ${kind} type)
  add_library(rung_${kind} ${type} ${rung_library_objects})
  add_library(rung::${kind} ALIAS rung_${kind})
  set_target_properties(rung_${kind} PROPERTIES OUTPUT_NAME rung EXPORT_NAME ${kind} VERSION ${PROJECT_VERSION}
                                                SOVERSION ${PROJECT_VERSION_MAJOR})
  target_include_directories(rung_${kind} PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
                                                 $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(rung_${kind} PRIVATE Threads::Threads m)
  if(ZLIB_FOUND)
    target_link_libraries(rung_${kind} PRIVATE ZLIB::ZLIB)
  endif()
  foreach(library cjson protobuf-c)
    if(TARGET rung::${library})
      target_link_libraries(rung_${kind} PRIVATE $<BUILD_INTERFACE:rung::${library}> $<INSTALL_INTERFACE:${library}>)
    endif()
  endforeach()
endforeach()
add_library(rung::rung ALIAS rung_shared)
