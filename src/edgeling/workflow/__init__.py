# SPDX-License-Identifier: Apache-2.0
"""The main job in order: train, deploy, prove, store, explain."""
