# SPDX-License-Identifier: Apache-2.0
"""JSON that means one thing, and texts that do not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.files import strict_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_it_reads_what_the_standard_library_writes(value: object) -> None:
    text = json.dumps(value)
    assert strict_json.parse(text) == strict_json.parse(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "twice"),
        ("[NaN]", "NaN is not JSON"),
        ("[-Infinity]", "not JSON"),
        ("[1e999]", "too large"),
        ("[" * 100_000, "recursion"),
        ("{", "Expecting"),
        (b"\xff", "utf-8"),
        (r'["\ud800"]', "surrogates"),
        (r'{"\uDfff": 1}', "surrogates"),
    ],
)
def test_whatever_is_not_strict_json_is_a_value_error(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        strict_json.parse(text)
