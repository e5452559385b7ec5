# SPDX-License-Identifier: Apache-2.0
"""What every room that writes or reads files shares: files written whole, arrays as bytes, JSON without tricks."""
