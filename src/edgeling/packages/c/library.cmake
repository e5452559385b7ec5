# SPDX-License-Identifier: Apache-2.0
cmake_minimum_required(VERSION 3.15)
project(edgeling_@NAME@ VERSION @VERSION@ LANGUAGES C)

if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  set(is_top_level ON)
else()
  set(is_top_level OFF)
endif()
if(is_top_level AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
if(CMAKE_CROSSCOMPILING OR NOT is_top_level)
  set(with_example OFF)
else()
  set(with_example ON)
endif()
option(EDGELING_@UPPER@_EXAMPLE "Build the example, which reads rows from standard input" ${with_example})

add_library(edgeling_@NAME@ STATIC
@SOURCES@
)
add_library(edgeling::@NAME@ ALIAS edgeling_@NAME@)
set_target_properties(edgeling_@NAME@ PROPERTIES EXPORT_NAME @NAME@ C_STANDARD 99 C_STANDARD_REQUIRED ON)
target_include_directories(edgeling_@NAME@
  PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include/edgeling_@NAME@>
  PRIVATE src)

if(EDGELING_@UPPER@_EXAMPLE)
  add_executable(edgeling_@NAME@_example example/main.c)
  set_target_properties(edgeling_@NAME@_example PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON)
  target_link_libraries(edgeling_@NAME@_example PRIVATE edgeling::@NAME@)
endif()

include(CMakePackageConfigHelpers)
set(config_dir lib/cmake/edgeling_@NAME@)
configure_package_config_file(cmake/config.cmake.in edgeling_@NAME@-config.cmake INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(edgeling_@NAME@-config-version.cmake COMPATIBILITY SameMajorVersion)
install(TARGETS edgeling_@NAME@ EXPORT edgeling_@NAME@-targets ARCHIVE DESTINATION lib)
install(EXPORT edgeling_@NAME@-targets NAMESPACE edgeling:: DESTINATION ${config_dir})
install(FILES @HEADERS@ DESTINATION include/edgeling_@NAME@)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/edgeling_@NAME@-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/edgeling_@NAME@-config-version.cmake
  DESTINATION ${config_dir})
