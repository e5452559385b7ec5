# SPDX-License-Identifier: Apache-2.0
"""Keras trained for many seeds at once: its layers, loss and optimizer, inside one JAX loop over batches and epochs.

``keras.Model.fit`` takes a second and more a seed. Here Keras's own ``stateless_call`` and ``stateless_apply`` run
under ``jax.lax.scan``, and ``jax.vmap`` runs all seeds side by side; nothing of the arithmetic is rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.tasks import Array, Split, Task, score


def keras_scores(task: Task, splits: Sequence[Split], first_seed: int = 0) -> Array:
    """The test score of every split, float64 [splits]: split ``i`` starts from Keras's initial weights of its seed."""
    import jax

    starts = [_initial(task, splits[0], first_seed + i) for i in range(len(splits))]
    trained = train(task, splits, starts, first_seed)
    model = _model(task, splits[0])
    predict = jax.jit(lambda weights, x: model.stateless_call(weights, [], x, training=False)[0])
    return np.array([score(task, predict(w, s.x_test), s.y_test) for w, s in zip(trained, splits, strict=True)])


def train(task: Task, splits: Sequence[Split], starts: Sequence[list[Array]], first_seed: int) -> list[list[Array]]:
    """The weights of every split after the task's epochs, from the given ones; Adam as Keras sets it."""
    import jax
    import jax.numpy as jnp

    rows = len(splits[0].x_train)
    slots, step = _step(task, splits[0])
    shares = jnp.tile(jnp.asarray(_shares(rows, task.batch_size)), (task.epochs, 1))

    @jax.jit
    @jax.vmap
    def run(weights: Any, x: Array, y: Array, orders: Array) -> Any:
        (weights, _, _, _), _ = jax.lax.scan(step, (weights, slots, x, y), (orders, shares))
        return weights

    weights = [jnp.stack(same) for same in zip(*starts, strict=True)]
    x, y = jnp.stack([s.x_train for s in splits]), jnp.stack([s.y_train for s in splits])
    orders = jnp.asarray(np.stack([_orders(rows, task, first_seed + i) for i in range(len(splits))]))
    trained = run(weights, x, y, orders)
    return [[np.asarray(w[i]) for w in trained] for i in range(len(splits))]


def _step(task: Task, like: Split) -> tuple[list[Any], Callable[[Any, Any], Any]]:
    """What the optimizer keeps before the first step, and one step as ``scan`` wants it."""
    import jax
    import jax.numpy as jnp
    import keras

    model, optimizer, loss = _model(task, like), keras.optimizers.Adam(), keras.losses.get(task.loss)
    optimizer.build(model.trainable_variables)

    def mean_loss(weights: Any, x: Array, y: Array, share: Array) -> Any:
        prediction, _ = model.stateless_call(weights, [], x, training=True)
        return jnp.sum(loss(y, prediction) * share)

    def step(carry: Any, batch: Any) -> Any:
        weights, slots, x, y = carry
        order, share = batch
        gradient = jax.grad(mean_loss)(weights, x[order], y[order], share)
        weights, slots = optimizer.stateless_apply(slots, gradient, weights)
        return (weights, slots, x, y), None

    return [variable.value for variable in optimizer.variables], step


def _model(task: Task, like: Split) -> Any:
    import keras

    model = task.model(keras.Sequential, keras.layers.Dense)
    model.build((None, like.x_train.shape[1]))
    return model


def _initial(task: Task, like: Split, seed: int) -> list[Array]:
    import keras

    keras.utils.set_random_seed(seed)
    return [np.asarray(weight) for weight in _model(task, like).get_weights()]


def _orders(rows: int, task: Task, seed: int) -> Array:
    """Rows of every batch, int32 [epochs * batches, batch_size]; the last batch is filled up with row 0."""
    generator = np.random.default_rng(seed)
    batches = -(-rows // task.batch_size)
    filled = np.zeros((task.epochs, batches * task.batch_size), np.int32)
    for epoch in filled:
        epoch[:rows] = shuffled(generator, rows)
    return filled.reshape(task.epochs * batches, task.batch_size)


def shuffled(generator: np.random.Generator, rows: int) -> Array:
    """The order of one epoch."""
    return generator.permutation(rows)


def _shares(rows: int, batch_size: int) -> Array:
    """What each row of a batch counts in its mean, float32 [batches, batch_size]; what fills up counts nothing."""
    real = np.arange(-(-rows // batch_size) * batch_size).reshape(-1, batch_size) < rows
    return np.asarray(real / real.sum(axis=1, keepdims=True), np.float32)
