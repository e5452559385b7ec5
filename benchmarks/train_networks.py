# SPDX-License-Identifier: Apache-2.0
"""Training of six networks in batches of 32 and 128, one thread: an epoch of ``fit``, shuffled, with Adam."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks import widths
from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.networks import Array

BATCHES = (32, 128)
EPOCHS = 4  # of a call: a fit of one epoch would be half Python on the small networks
Make = Callable[[str, int, Array, Array], Callable[[], Any]]


def comparisons() -> list[Comparison]:
    """One a network and batch size: seconds of a call of :data:`EPOCHS` epochs."""
    return [_comparison(name, batch) for name in widths.SIZES for batch in BATCHES]


def _comparison(name: str, batch: int) -> Comparison:
    made: dict[str, tuple[Make, float | None]] = {
        "JAX, one scan": (jax_scan, 1),
        "Keras on JAX": (keras, 1),
        "PyTorch": (pytorch, 1),
        "PyTorch, compiled": (partial(pytorch, compiled=True), 1),
        "scikit-learn": (scikit_learn, 1),
    }
    peers = tuple(
        Contender(peer, partial(_measured, make, name, batch), goal) for peer, (make, goal) in made.items()
    )  # fmt: skip
    ours = Contender("Edgeling", partial(_measured, edgeling, name, batch))
    work = EPOCHS * _rows(name) * widths.training(name)
    return Comparison(f"{name}, batches of {batch}", "s", ours, peers, repetitions=9, work=work)


def _rows(name: str) -> int:
    return 2048 if widths.SIZES[name][0] > 100 else 8192


def _measured(make: Make, name: str, batch: int) -> Measure:
    return seconds_per_call(make(name, batch, *rows_of(name)))


def rows_of(name: str) -> tuple[Array, Array]:
    """Random rows, and what is to be learned of them."""
    rng = np.random.default_rng(0)
    sizes, rows = widths.SIZES[name], _rows(name)
    x = rng.normal(size=(rows, sizes[0])).astype(np.float32)
    return x, x if sizes[-1] == sizes[0] else rng.integers(0, max(2, sizes[-1]), rows).astype(np.int32)


def _ends(name: str) -> tuple[str, str]:
    """Activation of the last layer, and the loss."""
    sizes = widths.SIZES[name]
    if sizes[-1] == sizes[0]:
        return "linear", "mean_squared_error"
    return ("sigmoid", "binary_crossentropy") if sizes[-1] == 1 else ("softmax", "sparse_categorical_crossentropy")


def _model(sequential: Any, layers: Any, name: str, **compiling: Any) -> Any:
    sizes, (last, loss) = widths.SIZES[name], _ends(name)
    model = sequential([layers.Input((sizes[0],)), *(layers.Dense(n, activation="relu") for n in sizes[1:-1])])
    model.add(layers.Dense(sizes[-1], activation=last))
    model.compile(optimizer="adam", loss=loss, **compiling)
    return model


def edgeling_model(name: str) -> Any:
    """A network of that name, compiled."""
    from edgeling import layers
    from edgeling.models import Sequential

    return _model(Sequential, layers, name)


def edgeling(name: str, batch: int, x: Array, y: Array) -> Callable[[], Any]:
    model = edgeling_model(name)
    return lambda: model.fit(x, y, batch_size=batch, epochs=EPOCHS, verbose=0)


def keras(name: str, batch: int, x: Array, y: Array) -> Callable[[], Any]:
    from keras import Sequential, layers

    model = _model(Sequential, layers, name, steps_per_execution=len(x) // batch)
    return lambda: model.fit(x, y, batch_size=batch, epochs=EPOCHS, verbose=0)


def scikit_learn(name: str, batch: int, x: Array, y: Array) -> Callable[[], Any]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if _ends(name)[0] == "linear" else MLPClassifier
    hidden = widths.SIZES[name][1:-1]
    model = kind(hidden_layer_sizes=hidden, batch_size=batch, max_iter=EPOCHS, tol=0.0, alpha=0.0)

    def call() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, y)

    return call


def pytorch(name: str, batch: int, x: Array, y: Array, *, compiled: bool = False) -> Callable[[], Any]:
    """Its fused Adam either way; compiled: loss and gradients by ``torch.compile``."""
    import torch

    torch.set_num_threads(1)
    sizes, (_, loss_name) = widths.SIZES[name], _ends(name)
    modules = [m for i, o in pairwise(sizes) for m in (torch.nn.Linear(i, o), torch.nn.ReLU())]
    model = torch.nn.Sequential(*modules[:-1])
    rule = torch.optim.Adam(model.parameters(), fused=True)
    kinds = {"mean_squared_error": "mse_loss", "binary_crossentropy": "binary_cross_entropy_with_logits"}
    loss_of = getattr(torch.nn.functional, kinds.get(loss_name, "cross_entropy"))
    shaped = y.reshape(len(y), -1).astype(np.float32) if loss_name in kinds else y.astype(np.int64)
    loss_and_model = lambda x, y: loss_of(model(x), y)  # noqa: E731
    score = torch.compile(loss_and_model, dynamic=False) if compiled else loss_and_model
    inputs, targets = torch.from_numpy(x), torch.from_numpy(shaped)

    def call() -> Any:
        for _ in range(EPOCHS):
            for chosen in torch.randperm(len(inputs)).split(batch):
                rule.zero_grad(set_to_none=True)
                score(inputs[chosen], targets[chosen]).backward()
                rule.step()

    return call


def jax_scan(name: str, batch: int, x: Array, y: Array) -> Callable[[], Any]:
    """What a person who knows JAX would write for speed: shuffling, Adam and losses in one compiled function."""
    import jax
    import jax.numpy as jnp

    sizes, (_, loss_name), n = widths.SIZES[name], _ends(name), len(x)
    rows, truth = jnp.asarray(x), jnp.asarray(y)
    rng = np.random.default_rng(0)
    drawn = [rng.normal(size=(i, o)) / i**0.5 for i, o in pairwise(sizes)]
    weights = [(jnp.asarray(kernel, jnp.float32), jnp.zeros(kernel.shape[1])) for kernel in drawn]

    def loss(weights: Any, x: Any, y: Any) -> Any:
        for kernel, bias in weights[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        z = x @ weights[-1][0] + weights[-1][1]
        if loss_name == "mean_squared_error":
            return jnp.mean((z - y) ** 2)
        if loss_name == "binary_crossentropy":
            z = z[:, 0]
            return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1))

    def step(carry: Any, chosen: Any) -> Any:
        weights, m, v, t = carry
        value, gradient = jax.value_and_grad(loss)(weights, rows[chosen], truth[chosen])
        t = t + 1
        m = jax.tree.map(lambda m, g: m + (g - m) * 0.1, m, gradient)
        v = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, v, gradient)
        rate = 0.001 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, m, v)
        return (weights, m, v, t), value

    def epoch(carry: Any, key: Any) -> Any:
        return jax.lax.scan(step, carry, jax.random.permutation(key, n).reshape(-1, batch))

    epochs = jax.jit(lambda carry, key: jax.lax.scan(epoch, carry, jax.random.split(key, EPOCHS)))
    zeros = jax.tree.map(jnp.zeros_like, weights)
    held = [(weights, zeros, zeros, 0.0)]

    def call() -> Any:
        held[0], losses = epochs(held[0], jax.random.key(0))
        return jax.block_until_ready(losses)

    return call
