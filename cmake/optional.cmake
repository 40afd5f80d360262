# Libraries that are used when found: ZLIB::ZLIB (.gz data), rung::cjson (JSON: safetensors, metadata), rung::onnx (the
# messages of onnx.proto, compiled to C here, over protobuf-c), RUNG_CHART_JS (Chart.js, a file that reports have in
# them). A cross compiler finds those of its own architecture.
find_package(ZLIB)

# rung_find_library(TARGET HEADER LIBRARY): an imported TARGET where both are found.
function(rung_find_library TARGET HEADER LIBRARY)
  string(MAKE_C_IDENTIFIER ${LIBRARY} variable)
  find_path(RUNG_${variable}_INCLUDE ${HEADER})
  find_library(RUNG_${variable}_LIBRARY ${LIBRARY})
  mark_as_advanced(RUNG_${variable}_INCLUDE RUNG_${variable}_LIBRARY)
  if(RUNG_${variable}_INCLUDE AND RUNG_${variable}_LIBRARY)
    add_library(${TARGET} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(${TARGET} PROPERTIES IMPORTED_LOCATION ${RUNG_${variable}_LIBRARY}
                                               INTERFACE_INCLUDE_DIRECTORIES ${RUNG_${variable}_INCLUDE})
  endif()
endfunction()

rung_find_library(rung::cjson cjson/cJSON.h cjson)
rung_find_library(rung::protobuf-c protobuf-c/protobuf-c.h protobuf-c)

# The same on every machine, so a cross compiler takes it from the host.
find_file(RUNG_CHART_JS NAMES chart.min.js chart.umd.js PATHS /usr/share/javascript PATH_SUFFIXES chart.js
          NO_CMAKE_FIND_ROOT_PATH)
mark_as_advanced(RUNG_CHART_JS)

find_program(RUNG_PROTOC_C NAMES protoc-c)
find_path(RUNG_ONNX_PROTO onnx/onnx.proto)
mark_as_advanced(RUNG_PROTOC_C RUNG_ONNX_PROTO)
if(TARGET rung::protobuf-c AND RUNG_PROTOC_C AND RUNG_ONNX_PROTO)
  set(RUNG_HAVE_ONNX TRUE)
  set(folder ${CMAKE_BINARY_DIR}/onnx)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(
    OUTPUT ${folder}/onnx/onnx.pb-c.c ${folder}/onnx/onnx.pb-c.h
    COMMAND ${RUNG_PROTOC_C} --proto_path=${RUNG_ONNX_PROTO} --c_out=${folder} onnx/onnx.proto
    DEPENDS ${RUNG_ONNX_PROTO}/onnx/onnx.proto)
  add_library(rung_onnx OBJECT ${folder}/onnx/onnx.pb-c.c ${folder}/onnx/onnx.pb-c.h) # not our code: none of our flags
  target_include_directories(rung_onnx SYSTEM PUBLIC ${folder})
  target_link_libraries(rung_onnx PUBLIC rung::protobuf-c)
endif()
