# SPDX-License-Identifier: Apache-2.0
"""The gates of recurrent cells, and the way back through them; Keras's order of gates.

``gates`` is what the way back reads of each gate: its activation, or, of functions whose derivative is told by their
input, what is activated. Sources: Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000; Cho et
al., 2014, with the reset gate behind the product (``reset_after``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.requiring import Types, require
from edgeling.graph.types import Array, TensorType


@dataclass(frozen=True)
class _Gate:
    """An activation function with its alpha."""

    function: str
    alpha: float

    @classmethod
    def pair(cls, a: Mapping[str, Any]) -> tuple[_Gate, _Gate]:
        """A cell's activation, and its gates'."""
        return cls(a["function"], a["alpha"]), cls(a["recurrent_function"], a["recurrent_alpha"])

    def value(self, z: Array) -> Array:
        return ACTIVATIONS[self.function].value(z, self.alpha)

    def kept(self, z: Array, value: Array) -> Array:
        return z if ACTIVATIONS[self.function].from_input else value

    def of_kept(self, kept: Array) -> Array:
        return self.value(kept) if ACTIVATIONS[self.function].from_input else kept

    def derivative(self, kept: Array) -> Array:
        return ACTIVATIONS[self.function].derivative(kept, self.alpha)


def lstm_gates(a: Mapping[str, Any], x: Array, g: Array, c: Array) -> tuple[Array, ...]:
    """c' = f c + i tanh(n), h = o tanh(c') of the gates i, f, n, o of x + g."""
    activation, recurrent = _Gate.pair(a)
    kinds = (recurrent, recurrent, activation, recurrent)
    z = np.split(x + g, 4, axis=1)
    i, f, n, o = values = [kind.value(part) for kind, part in zip(kinds, z, strict=True)]
    following = f * c + i * n
    kept = [kind.kept(part, value) for kind, part, value in zip(kinds, z, values, strict=True)]
    return o * activation.value(following), following, np.concatenate(kept, axis=1)


def lstm_gates_gradient(a: Mapping[str, Any], dh: Array, dc: Array, gates: Array, c: Array) -> tuple[Array, ...]:
    """The way back through :func:`lstm_gates`."""
    activation, recurrent = _Gate.pair(a)
    kinds = (recurrent, recurrent, activation, recurrent)
    kept = np.split(gates, 4, axis=1)
    i, f, n, o = (kind.of_kept(part) for kind, part in zip(kinds, kept, strict=True))
    following = f * c + i * n
    out = activation.value(following)
    total = dc + dh * o * activation.derivative(activation.kept(following, out))
    arriving = (total * n, total * c, total * i, dh * out)
    dz = [d * kind.derivative(part) for d, kind, part in zip(arriving, kinds, kept, strict=True)]
    return np.concatenate(dz, axis=1), total * f


def gru_gates(a: Mapping[str, Any], x: Array, g: Array, h: Array) -> tuple[Array, ...]:
    """h' = z h + (1 - z) tanh(x_n + r g_n) of the gates z and r of x + g."""
    activation, recurrent = _Gate.pair(a)
    (x_z, x_r, x_n), (g_z, g_r, g_n) = (np.split(part, 3, axis=1) for part in (x, g))
    z, r = recurrent.value(x_z + g_z), recurrent.value(x_r + g_r)
    n = activation.value(x_n + r * g_n)
    kept = (
        recurrent.kept(x_z + g_z, z), recurrent.kept(x_r + g_r, r), activation.kept(x_n + r * g_n, n),
    )  # fmt: skip
    return z * h + (1 - z) * n, np.concatenate(kept, axis=1)


def gru_gates_gradient(a: Mapping[str, Any], dh: Array, gates: Array, g: Array, h: Array) -> tuple[Array, ...]:
    """The way back through :func:`gru_gates`."""
    activation, recurrent = _Gate.pair(a)
    kept_z, kept_r, kept_n = np.split(gates, 3, axis=1)
    z, r, n = recurrent.of_kept(kept_z), recurrent.of_kept(kept_r), activation.of_kept(kept_n)
    dn = dh * (1 - z) * activation.derivative(kept_n)
    dz = dh * (h - n) * recurrent.derivative(kept_z)
    dr = dn * np.split(g, 3, axis=1)[2] * recurrent.derivative(kept_r)
    return np.concatenate((dz, dr, dn), axis=1), np.concatenate((dz, dr, dn * r), axis=1), dh * z


MEANINGS: Mapping[str, Callable[..., tuple[Array, ...]]] = {
    "lstm_gates": lstm_gates,
    "lstm_gates_gradient": lstm_gates_gradient,
    "gru_gates": gru_gates,
    "gru_gates_gradient": gru_gates_gradient,
}


def _rule(given: Sequence[int], made: Sequence[int]) -> Callable[[Types, Mapping[str, Any]], Types]:
    """Matrices of as many rows, and so many times as many columns as a cell has units."""

    def rule(types: Types, _: Mapping[str, Any]) -> Types:
        require(all(len(kind.shape) == 2 for kind in types), "takes matrices", types)
        rows, units = types[given.index(1)].shape
        fits = all(kind.shape == (rows, units * n) for kind, n in zip(types, given, strict=True))
        require(fits, f"matrices of as many rows, {list(given)} times as many columns as units", types)
        return tuple(TensorType((rows, units * n)) for n in made)

    return rule


RULES = {
    "lstm_gates": _rule((4, 4, 1), (1, 1, 4)),
    "lstm_gates_gradient": _rule((1, 1, 4, 1), (4, 1)),
    "gru_gates": _rule((3, 3, 1), (1, 3)),
    "gru_gates_gradient": _rule((1, 3, 3, 1), (3, 3, 1)),
}
