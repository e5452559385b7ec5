# SPDX-License-Identifier: Apache-2.0
"""Programs as their users' tools take them: libraries of Arduino, PlatformIO, ESP-IDF, Zephyr and CMake, a page of the
web, a command."""
