# SPDX-License-Identifier: Apache-2.0
"""Tables: reading, checking, dividing, preparing, balancing, scoring."""

from pathlib import Path

from edgeling.data.balance import Balanced, balanced_rows, oversample
from edgeling.data.check import ColumnCheck, TableCheck, Task, check, infer_task
from edgeling.data.features import CategoricalFeature, DateFeature, NumericFeature
from edgeling.data.frames import from_arrays, from_data
from edgeling.data.preparation import Preparation, TargetColumn
from edgeling.data.read import read_table, table_and_target, table_of
from edgeling.data.reading import Reading, ReadingOptions, Role
from edgeling.data.source import table_stem
from edgeling.data.split import Split, split, split_whole
from edgeling.data.table import Column, Table

IRIS = Path(__file__).with_name("iris.csv")
"""R. A. Fisher's irises (1936): 150 flowers, four lengths in cm, three species (scikit-learn's copy)."""

__all__ = [
    "IRIS",
    "Balanced",
    "CategoricalFeature",
    "Column",
    "ColumnCheck",
    "DateFeature",
    "NumericFeature",
    "Preparation",
    "Split",
    "Table",
    "Reading",
    "ReadingOptions",
    "Role",
    "TableCheck",
    "TargetColumn",
    "Task",
    "balanced_rows",
    "check",
    "from_arrays",
    "from_data",
    "infer_task",
    "oversample",
    "read_table",
    "table_and_target",
    "table_of",
    "table_stem",
    "split",
    "split_whole",
]
