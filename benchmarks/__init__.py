# SPDX-License-Identifier: Apache-2.0
"""Ratios against peers, measured side by side in one run: ``python -m benchmarks`` from the repository's root."""
