# cmake --install: the headers, both libraries, what find_package(rung) reads, and rung.pc. All of it finds its way from
# where it lies, so an installed folder may be moved.
include(CMakePackageConfigHelpers)

# What who links librung.a must link besides: the OpenMP library that it was built for, by name where the linker finds it
# without being told (GCC's own). No find_package(OpenMP) for users, which would ask for their compiler's.
set(rung_openmp "")
foreach(name ${OpenMP_C_LIB_NAMES})
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set(name ${OpenMP_${name}_LIBRARY})
  endif()
  list(APPEND rung_openmp ${name})
  target_link_libraries(rung_static PRIVATE $<INSTALL_INTERFACE:${name}>)
endforeach()

install(DIRECTORY include/rung DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS rung_static rung_shared EXPORT rung-targets)

set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/rung)
configure_package_config_file(cmake/rung-config.cmake.in rung-config.cmake INSTALL_DESTINATION ${folder})
write_basic_package_version_file(rung-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT rung-targets NAMESPACE rung:: DESTINATION ${folder})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rung-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/rung-config-version.cmake
        DESTINATION ${folder})

# pkg-config's form of the same: -lNAME, or the path where there is one.
list(TRANSFORM rung_openmp REPLACE "^([^/].*)$" "-l\\1" OUTPUT_VARIABLE rung_private_libs)
list(JOIN rung_private_libs " " rung_private_libs)
if(ZLIB_FOUND)
  set(rung_private_requires zlib)
endif()
file(RELATIVE_PATH rung_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/rung.pc.in rung.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rung.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
