"""Keras trained for many seeds at once: its layers, loss and optimizer, inside one JAX loop over batches and epochs.

``keras.Model.fit`` takes a second and more a seed. Here Keras's own ``stateless_call`` and ``stateless_apply`` run
under ``jax.lax.scan``, and ``jax.vmap`` runs all seeds side by side; nothing of the arithmetic is rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.tasks import Array, Split, Task, score


def keras_scores(task: Task, splits: Sequence[Split], first_seed: int = 0) -> Array:
    """The test score of every split, float64 [splits]: split ``i`` starts from Keras's initial weights of its seed."""
    import jax
    import jax.numpy as jnp
    import keras

    model = task.model(keras.Sequential, keras.layers.Dense)
    model.build((None, splits[0].x_train.shape[1]))
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    loss = keras.losses.get(task.loss)
    rows = len(splits[0].x_train)

    def mean_loss(weights: Any, x: Array, y: Array, share: Array) -> Any:
        prediction, _ = model.stateless_call(weights, [], x, training=True)
        return jnp.sum(loss(y, prediction) * share)

    def step(carry: Any, batch: Any) -> Any:
        weights, slots, x, y = carry
        order, share = batch
        gradient = jax.grad(mean_loss)(weights, x[order], y[order], share)
        weights, slots = optimizer.stateless_apply(slots, gradient, weights)
        return (weights, slots, x, y), None

    @jax.jit
    @jax.vmap
    def train(weights: Any, slots: Any, x: Array, y: Array, orders: Array) -> Any:
        shares = jnp.tile(jnp.asarray(_shares(rows, task.batch_size)), (task.epochs, 1))
        (weights, _, _, _), _ = jax.lax.scan(step, (weights, slots, x, y), (orders, shares))
        return weights

    starts = [_initial(task, splits[0], first_seed + i) for i in range(len(splits))]
    weights = [jnp.stack(same) for same in zip(*starts, strict=True)]
    slots = [jnp.stack([v.value] * len(splits)) for v in optimizer.variables]
    x, y = jnp.stack([s.x_train for s in splits]), jnp.stack([s.y_train for s in splits])
    orders = jnp.asarray(np.stack([_orders(rows, task, first_seed + i) for i in range(len(splits))]))
    trained = train(weights, slots, x, y, orders)
    predict = jax.jit(lambda weights, x: model.stateless_call(weights, [], x, training=False)[0])
    scores = [
        score(task, predict([w[i] for w in trained], s.x_test), s.y_test) for i, s in enumerate(splits)
    ]  # fmt: skip
    return np.array(scores)


def _initial(task: Task, split: Split, seed: int) -> list[Array]:
    import keras

    keras.utils.set_random_seed(seed)
    model = task.model(keras.Sequential, keras.layers.Dense)
    model.build((None, split.x_train.shape[1]))
    return [np.asarray(variable.value) for variable in model.trainable_variables]


def _orders(rows: int, task: Task, seed: int) -> Array:
    """Rows of every batch, int32 [epochs * batches, batch_size]; the last batch is filled up with row 0."""
    generator = np.random.default_rng(seed)
    batches = -(-rows // task.batch_size)
    filled = np.zeros((task.epochs, batches * task.batch_size), np.int32)
    for epoch in filled:
        epoch[:rows] = generator.permutation(rows)
    return filled.reshape(task.epochs * batches, task.batch_size)


def _shares(rows: int, batch_size: int) -> Array:
    """What each row of a batch counts in its mean, float32 [batches, batch_size]; what fills up counts nothing."""
    real = np.arange(-(-rows // batch_size) * batch_size).reshape(-1, batch_size) < rows
    return (real / real.sum(axis=1, keepdims=True)).astype(np.float32)
