# SPDX-License-Identifier: Apache-2.0
"""Keras 3's own test cases, run against Edgeling; ``python -m tests.keras_suite`` prints the table."""
