# SPDX-License-Identifier: Apache-2.0
# idf.py set-target esp32 && idf.py build flash monitor
cmake_minimum_required(VERSION 3.16)

# This component is called @NAME@, whatever the folder is called that it lies in.
get_filename_component(here "${CMAKE_CURRENT_LIST_DIR}/../.." REALPATH)
file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/components")
file(CREATE_LINK "${here}" "${CMAKE_CURRENT_BINARY_DIR}/components/@NAME@" SYMBOLIC)
set(EXTRA_COMPONENT_DIRS "${CMAKE_CURRENT_BINARY_DIR}/components")

include($ENV{IDF_PATH}/tools/cmake/project.cmake)
project(@NAME@_console)
