# cmake --install: the headers, both libraries, what find_package(rung) reads, and rung.pc. All of it finds its way from
# where it lies, so an installed folder may be moved.
include(CMakePackageConfigHelpers)

install(DIRECTORY include/rung DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS rung_static rung_shared EXPORT rung-targets)

set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/rung)
configure_package_config_file(cmake/rung-config.cmake.in rung-config.cmake INSTALL_DESTINATION ${folder})
write_basic_package_version_file(rung-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT rung-targets NAMESPACE rung:: DESTINATION ${folder})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rung-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/rung-config-version.cmake
        DESTINATION ${folder})

set(rung_private_requires "")
if(ZLIB_FOUND)
  list(APPEND rung_private_requires zlib)
endif()
if(TARGET rung::cjson)
  list(APPEND rung_private_requires libcjson)
endif()
if(TARGET rung::protobuf-c)
  list(APPEND rung_private_requires libprotobuf-c)
endif()
list(JOIN rung_private_requires " " rung_private_requires)
file(RELATIVE_PATH rung_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/rung.pc.in rung.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rung.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
