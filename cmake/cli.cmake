# The top floor: the command, an executable that stands on the static library and sees its own folder and the public
# headers alone. It writes its man pages and completion scripts itself.
file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/cli/*.c)
list(FILTER sources EXCLUDE REGEX "/main\\.c$")
# What a report's page is put together from, as arrays of C.
set(assets "")
set(asset_files "")
foreach(name page.html page.css page.js)
  string(REPLACE "." "_" variable ${name})
  list(APPEND assets ${variable}=${CMAKE_CURRENT_SOURCE_DIR}/src/cli/report/${name})
  list(APPEND asset_files ${CMAKE_CURRENT_SOURCE_DIR}/src/cli/report/${name})
endforeach()
if(RUNG_CHART_JS)
  list(APPEND asset_files ${RUNG_CHART_JS})
  set(chart_js ${RUNG_CHART_JS})
endif()
add_custom_command(
  OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/report/assets.c
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${CMAKE_CURRENT_BINARY_DIR}/report/assets.c -P
          ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed.cmake -- ${assets} chart_js=${chart_js}
  DEPENDS ${asset_files} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed.cmake)
list(APPEND sources ${CMAKE_CURRENT_BINARY_DIR}/report/assets.c)

add_library(rung_cli OBJECT ${sources}) # apart from main: the tests read its table
target_include_directories(rung_cli PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src/cli ${CMAKE_CURRENT_SOURCE_DIR}/include)
target_link_libraries(rung_cli PRIVATE rung_flags)
target_compile_definitions(rung_cli PRIVATE RUNG_VERSION="${PROJECT_VERSION}" RUNG_CLI_ONNX=$<BOOL:${RUNG_HAVE_ONNX}>)
if(TARGET rung::cjson)
  target_link_libraries(rung_cli PRIVATE rung::cjson)
  target_compile_definitions(rung_cli PRIVATE RUNG_HAVE_CJSON)
endif()

add_executable(rung src/cli/main.c $<TARGET_OBJECTS:rung_cli>)
target_link_libraries(rung PRIVATE rung_static rung_flags)
if(TARGET rung::cjson)
  target_link_libraries(rung PRIVATE rung::cjson)
endif()
install(TARGETS rung)

if(CMAKE_CROSSCOMPILING)
  return()
endif()
set(folder ${CMAKE_CURRENT_BINARY_DIR}/cli)
add_custom_command(
  OUTPUT ${folder}/man1/rung.1 ${folder}/rung.bash ${folder}/_rung ${folder}/rung.fish
  COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
  COMMAND rung man -o ${folder}/man1
  COMMAND rung completion bash > ${folder}/rung.bash
  COMMAND rung completion zsh > ${folder}/_rung
  COMMAND rung completion fish > ${folder}/rung.fish
  DEPENDS rung)
add_custom_target(rung_manual ALL DEPENDS ${folder}/man1/rung.1)
install(DIRECTORY ${folder}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
install(FILES ${folder}/rung.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME rung)
install(FILES ${folder}/_rung DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${folder}/rung.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
