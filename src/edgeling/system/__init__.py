# SPDX-License-Identifier: Apache-2.0
"""What is asked of the operating system: programs that end with us, folders that only we write, names exchanged."""
