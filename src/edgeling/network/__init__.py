# SPDX-License-Identifier: Apache-2.0
"""What layers are made of: weights, tracing, the graph of a network."""
