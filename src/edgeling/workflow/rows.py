# SPDX-License-Identifier: Apache-2.0
"""A table's rows for a model that knows no columns' names."""

from __future__ import annotations

import numpy as np

from edgeling.data import Table
from edgeling.errors import DataError
from edgeling.graph import Graph
from edgeling.graph.types import Array
from edgeling.models import Sequential
from edgeling.network.network import inference_graph


def all_columns(table: Table, model: Sequential | Graph) -> Array:
    """Every column, in order: float32 [rows, columns].

    Raises:
        DataError: text, or more or fewer columns than the model takes.
    """
    graph = model if isinstance(model, Graph) else inference_graph(model)
    wanted, columns = graph.types[graph.inputs[0]].size, table.columns
    if text := [column.name for column in columns if not column.is_numeric]:
        raise DataError(
            "a bare model takes columns of numbers",
            received=f"text in {text[0]!r}",
            remedy="a table of the model's inputs only, prepared as it was trained on them",
        )
    if len(columns) != wanted:
        raise DataError(
            f"a table for this model has {wanted} columns, its inputs in order",
            received=f"{len(columns)}: {', '.join(column.name for column in columns[:6])}"
            + (", ..." if len(columns) > 6 else ""),
            remedy="leave other columns, such as the target, out of the table",
        )
    return np.stack([column.values for column in columns], axis=1).astype(np.float32)
