# SPDX-License-Identifier: Apache-2.0
if(CONFIG_EDGELING_@UPPER@)

zephyr_include_directories(../include)

zephyr_library_named(edgeling_@NAME@)
zephyr_library_sources(
@SOURCES@
)
@TEXT@zephyr_library_include_directories(../src)

endif()
