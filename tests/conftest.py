# SPDX-License-Identifier: Apache-2.0
"""What all tests share: Keras's backend, and how hypothesis draws."""

import os
import signal

from hypothesis import settings

from edgeling.passes.contracts import Contracts

# No test waits for the disk; that it is asked to keep what is written is counted, in tests/artifact.
os.fsync = lambda descriptor: None

# What every pass requires and ensures is looked at whenever one runs.
Contracts.enforced = True

# A shell that runs the tests in the background has Ctrl-C ignored, by us and by what we start; the tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The choice must be made before Keras is imported.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# What Keras computes here is small: to compile it takes far longer than to run it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# CI draws the same examples every time, so that a change is judged by what it changes; elsewhere they are new ones.
# No example has a deadline: how long one takes says how busy the machine is.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
