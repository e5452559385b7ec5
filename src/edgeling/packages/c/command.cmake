# SPDX-License-Identifier: Apache-2.0
cmake_minimum_required(VERSION 3.13)
project(edgeling_@NAME@ VERSION 1.0.0 LANGUAGES C)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_executable(edgeling_@NAME@ src/main.c src/@NAME@.c src/@NAME@_text.c)
set_target_properties(edgeling_@NAME@ PROPERTIES OUTPUT_NAME "@NAME@" C_STANDARD 99 C_STANDARD_REQUIRED ON)
install(TARGETS edgeling_@NAME@ RUNTIME DESTINATION bin)
