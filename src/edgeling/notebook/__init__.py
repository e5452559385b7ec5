# SPDX-License-Identifier: Apache-2.0
"""What notebooks show: objects as HTML, and what is under way as one output that changes. IPython is never required."""
