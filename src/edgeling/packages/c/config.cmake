@PACKAGE_INIT@

include("${CMAKE_CURRENT_LIST_DIR}/edgeling_@NAME@-targets.cmake")
