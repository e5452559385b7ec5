# SPDX-License-Identifier: Apache-2.0
"""Turns C into something that runs: in this process, on an emulated chip, in WebAssembly.

Each part is imported from its own module: ``native`` (run here), ``firmware``, ``emulator`` and ``measure`` (Cortex-M),
``wasm``, and ``prove``, which does all of it for one program and one target.
"""
