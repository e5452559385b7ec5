# SPDX-License-Identifier: Apache-2.0
# cmake -B build -DCMAKE_TOOLCHAIN_FILE=cmake/arm-none-eabi.cmake -DEDGELING_CPU=cortex-m4
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(EDGELING_CPU cortex-m4 CACHE STRING "The core, as the compiler calls it")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES EDGELING_CPU)
set(CMAKE_C_FLAGS_INIT "-mcpu=${EDGELING_CPU} -mthumb -ffunction-sections -fdata-sections")
if(EDGELING_CPU STREQUAL "cortex-m4")
  string(APPEND CMAKE_C_FLAGS_INIT " -mfloat-abi=hard -mfpu=fpv4-sp-d16")
endif()
set(CMAKE_CXX_FLAGS_INIT "${CMAKE_C_FLAGS_INIT}")
