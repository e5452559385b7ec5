# SPDX-License-Identifier: Apache-2.0
idf_component_register(SRCS @SOURCES@
                       INCLUDE_DIRS "include"
                       PRIV_INCLUDE_DIRS "src")
