# SPDX-License-Identifier: Apache-2.0
"""Every operation has a row in every table, or an entry that says why not."""

from __future__ import annotations

import pytest

from edgeling.codegen.calls import CALLS, NO_CALL
from edgeling.codegen.schedule import SCHEDULED
from edgeling.graph.cost import COSTS
from edgeling.graph.meaning import MEANINGS
from edgeling.graph.operations import OPERATIONS
from edgeling.graph.type_rules import TYPE_RULES
from edgeling.passes.differentiate import GRADIENTS
from edgeling.passes.quantization_rules import RULES

C_CALLS = {name: call[-1].line for name, call in CALLS.items() if name not in SCHEDULED} | dict(NO_CALL)
TABLES = {
    "types": TYPE_RULES, "meaning": MEANINGS, "gradient": GRADIENTS, "quantisation": RULES, "C call": C_CALLS,
    "cost": COSTS,
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_every_operation_has_its_row_and_no_row_is_left_over(table: str) -> None:
    assert set(TABLES[table]) == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_entry_without_a_rule_says_why(operation: str) -> None:
    for table in TABLES.values():
        entry = table[operation]
        assert callable(entry) or (isinstance(entry, str) and len(entry) > 10)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_described(operation: str) -> None:
    assert OPERATIONS[operation].description
