# SPDX-License-Identifier: Apache-2.0
"""The report: one self-contained page (``page``) about what a run found out (``content``)."""
