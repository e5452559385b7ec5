# SPDX-License-Identifier: Apache-2.0
"""The Iris tutorial program's ``model.fit``: 4-4-3, Adam, 100 epochs of 12 batches of 10, in a warm process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call, seconds_per_call_on_new
from benchmarks.iris import BATCH_SIZE, EPOCHS, training_rows

SCAN = "JAX, the whole fit in one jitted scan"


def comparisons() -> list[Comparison]:
    """Seconds of ``fit``: of the program run again (a new model each time), and of one model fitted again.

    The first is what a person who runs the program again in a notebook waits for. The second favours Keras, which
    need not trace the step again.
    """
    return [
        Comparison("fit of the Iris program, run again in one process", "s", Contender("Edgeling", edgeling_again),
                   (Contender("Keras 3 on JAX", keras_again, 500), Contender(SCAN, jax_scan, 1)), repetitions=9),
        Comparison("fit of the same Iris model, again", "s", Contender("Edgeling", edgeling_warm),
                   (Contender("Keras 3 on JAX", keras_warm), Contender(SCAN, jax_scan, 1)), repetitions=9),
    ]  # fmt: skip


def edgeling_again() -> Measure:
    from edgeling import layers, models

    return _program_again(partial(_new_model, models.Sequential, layers.Dense))


def edgeling_warm() -> Measure:
    from edgeling import layers, models

    return _same_model(_new_model(models.Sequential, layers.Dense))


def keras_again() -> Measure:
    from keras import layers, models

    return _program_again(partial(_new_model, models.Sequential, layers.Dense))


def keras_warm() -> Measure:
    from keras import layers, models

    return _same_model(_new_model(models.Sequential, layers.Dense))


def _new_model(sequential: Any, dense: Any) -> Any:
    """The tutorial's lines, whoever the classes are from."""
    model = sequential()
    model.add(dense(4, input_dim=4, activation="relu"))
    model.add(dense(3, activation="softmax"))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def _program_again(new_model: Callable[[], Any]) -> Measure:
    return seconds_per_call_on_new(_fit(), new_model)


def _same_model(model: Any) -> Measure:
    return seconds_per_call(partial(_fit(), model))


def _fit() -> Callable[[Any], object]:
    x, y = training_rows()
    return lambda model: model.fit(x, y, epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=0)


def jax_scan() -> Measure:
    """What a person who knows JAX would write for speed: shuffling, Adam and the logs inside one compiled function."""
    import jax
    import jax.numpy as jnp

    x, y = (jnp.asarray(rows, kind) for rows, kind in zip(training_rows(), (jnp.float32, jnp.int32), strict=True))

    def loss(weights: Any, x: Any, y: Any) -> Any:
        k1, b1, k2, b2 = weights
        logits = jax.nn.relu(x @ k1 + b1) @ k2 + b2
        correct = jnp.mean(jnp.argmax(logits, axis=1) == y)
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(BATCH_SIZE), y]), correct

    def step(carry: Any, rows: Any) -> Any:
        weights, m, v, t = carry
        logs, gradient = jax.value_and_grad(loss, has_aux=True)(weights, x[rows], y[rows])
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)
        rate = 0.001 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, m, v)
        return (weights, m, v, t), logs

    def epoch(carry: Any, key: Any) -> Any:
        order = jax.random.permutation(key, len(x)).reshape(-1, BATCH_SIZE)
        carry, logs = jax.lax.scan(step, carry, order)
        return carry, jax.tree.map(jnp.mean, logs)

    @jax.jit
    def fit(weights: Any, key: Any) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, weights)
        return jax.lax.scan(epoch, (weights, zeros, zeros, 0.0), jax.random.split(key, EPOCHS))

    generator = np.random.default_rng(0)
    shapes = ((4, 4), (4,), (4, 3), (3,))
    weights = tuple(jnp.asarray(generator.normal(size=s) * 0.5, jnp.float32) for s in shapes)
    key = jax.random.key(0)
    return seconds_per_call(lambda: jax.block_until_ready(fit(weights, key)))
