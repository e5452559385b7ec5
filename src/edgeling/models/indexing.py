# SPDX-License-Identifier: Apache-2.0
"""Numbers that name rows of a table, looked at before a model learns from them: those that name none become zeros."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edgeling.errors import DataError
from edgeling.layers.embedding import Embedding
from edgeling.network.arrays import Rows, parts_of
from edgeling.network.network import chain


def require_indices(model: Any, rows: Rows) -> None:
    """Raise where an input that goes straight into an ``Embedding`` holds what names none of its rows.

    Raises:
        DataError: it does.
    """
    given = [part for part in parts_of(rows) if part is not None]
    for place, layer in _tables(model, range(len(given))):
        codes, last = given[place], layer.input_dim - 1
        least, most = codes.min(), codes.max()
        if least < 0 or most > last or (codes != np.floor(codes)).any():
            raise DataError(
                f"layer {layer.name!r} takes whole numbers from 0 to {last}, for its input_dim is {last + 1}",
                received=f"numbers from {least:g} to {most:g}",
                remedy=f"input_dim={int(most) + 1}" if least >= 0 and most > last else "numbers of the rows, from 0 on",
            )


def _tables(model: Any, inputs: Sequence[int | None]) -> Iterator[tuple[int, Embedding]]:
    """Embeddings of the model, and of models within, with the input that each is called on.

    Args:
        inputs: of each input of the model which one of the outermost it is; None: it is made of something.
    """
    layers, values = model.layers_within(), list(inputs)
    for call in model._layer_calls or chain(len(layers)):
        layer, read = layers[call.layer], [values[place] for place in call.inputs]
        if isinstance(layer, Embedding) and read[0] is not None:
            yield read[0], layer
        elif hasattr(layer, "layers_of_files"):
            yield from _tables(layer, read)
        values += [None] * call.outputs
