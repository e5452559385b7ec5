"""Keras's tests run on its JAX backend, which is chosen before Keras is first imported."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
