# SPDX-License-Identifier: Apache-2.0
# west build -b BOARD samples/console
cmake_minimum_required(VERSION 3.20.0)

list(APPEND ZEPHYR_EXTRA_MODULES "${CMAKE_CURRENT_SOURCE_DIR}/../..")
find_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})
project(@NAME@_console)

target_sources(app PRIVATE src/main.c)
