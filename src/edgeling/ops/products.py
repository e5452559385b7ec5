# SPDX-License-Identifier: Apache-2.0
"""Products of matrices, and sums of products by the letters of their axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.layers.traced import TracedValue
from edgeling.ops.operation import operation
from edgeling.ops.values import node, permuted, reshaped, summed, together, value


@operation()
def matmul(x1: Any, x2: Any) -> TracedValue:
    """Matrix products [..., n, i] and [..., i, m] of each row; or rows [..., i] with a matrix [i, m] for all of them.

    Raises:
        UnsupportedError: shapes that do not meet.
    """
    first, second = value(x1), value(x2)
    if len(second.lengths) == 2 and not second.per_row and first.lengths[-1:] == second.lengths[:1]:
        *heads, terms = first.lengths
        flat = node("matmul", reshaped(first, (prod(heads), terms)), second)
        return reshaped(flat, (*heads, second.lengths[1]))
    ranks = len(first.lengths), len(second.lengths)
    fits = ranks[0] == ranks[1] > 2 and first.lengths[:-2] == second.lengths[:-2]
    if not fits or first.lengths[-1] != second.lengths[-2]:
        raise UnsupportedError(
            "matmul takes matrices [..., n, i] and [..., i, m], the axes before alike, or one matrix [i, m]",
            received=f"{first.shape} and {second.shape}", remedy="edgeling.ops.transpose(x, axes)",
        )  # fmt: skip
    return node("matmul", first, second)


@operation()
def dot(x1: Any, x2: Any) -> TracedValue:
    """NumPy's ``dot``: with a number the product, else the sum over the last axis of x1 and the first of x2.

    Raises:
        UnsupportedError: shapes that do not meet; several rows of a batch in x2.
    """
    first, second = value(x1), value(x2)
    if not first.lengths or not second.lengths:
        return node("multiply", *together(first, second))
    if len(second.lengths) == 1 and not second.per_row:
        product = matmul.body(first, reshaped(second, (*second.lengths, 1)))
        return reshaped(product, product.lengths[:-1])
    if len(second.lengths) != 2 or second.per_row:
        raise UnsupportedError(
            "dot multiplies with one matrix or vector for all rows", received=f"{first.shape} and {second.shape}",
            remedy="edgeling.ops.sum(x * y, axis=-1), or einsum",
        )  # fmt: skip
    return matmul.body(first, second)


def _letters(subscripts: Any, operands: Sequence[TracedValue]) -> tuple[list[str], str]:
    """The letters of each operand, and of the result.

    Raises:
        UnsupportedError: others than one letter for each axis, each once, of axes of one length.
    """
    left, arrow, right = str(subscripts).replace(" ", "").partition("->")
    parts = left.split(",")
    given = "".join(parts)
    right = right if arrow else "".join(sorted(x for x in {*given} if given.count(x) == 1))
    fits = len(parts) == len(operands) and all(
        part.isalpha() and len({*part}) == len(part) == len(x.lengths) for part, x in zip(parts, operands, strict=False)
    )
    lengths = {pair for part, x in zip(parts, operands, strict=False) for pair in zip(part, x.lengths, strict=False)}
    if (
        not fits
        or len({*right}) != len(right)
        or not {*right} <= {*given}
        or len({x for x, _ in lengths}) != len(lengths)
    ):
        raise UnsupportedError(
            "einsum names each axis of each value by a letter, once, and axes of one length by the same letter",
            received=f"{subscripts!r} of {' and '.join(str(x.shape) for x in operands)}",
            remedy="'bij,bjk->bik', of (None, i, j) and (None, j, k)",
        )  # fmt: skip
    return parts, right


@operation(settings=("subscripts",))
def einsum(subscripts: str, x: Any, y: Any = None) -> TracedValue:
    """The sum of products of one value or two, by a letter for each axis: ``einsum("bij,bjk->bik", x, y)``.

    Raises:
        UnsupportedError: a letter twice in one value, an ellipsis, shapes that do not meet.
    """
    operands = [value(x)] if y is None else [value(x), value(y)]
    parts, result = _letters(subscripts, operands)
    for place, part in enumerate(parts):
        alone = [
            n for n, letter in enumerate(part) if letter not in result + "".join(parts[:place] + parts[place + 1 :])
        ]
        operands[place], parts[place] = _without(operands[place], part, alone)
    if len(operands) == 1:
        return _in_order(operands[0], [parts[0].index(letter) for letter in result], result)
    return _product_of(operands, parts, result)


def _in_order(x: TracedValue, order: Sequence[int], result: str) -> TracedValue:
    if x.per_row and order[0] != 0:
        raise UnsupportedError(
            "the batch's axis is the first of the result", received=repr(result), remedy="'bij->bji'"
        )
    return permuted(x, order)


def _without(x: TracedValue, letters: str, axes: Sequence[int]) -> tuple[TracedValue, str]:
    """Summed over axes that are nowhere else."""
    left = "".join(letter for n, letter in enumerate(letters) if n not in axes)
    if not axes:
        return x, left
    if x.per_row and 0 in axes:
        raise UnsupportedError(
            "each row of a batch is answered for itself",
            received=f"a sum over {letters[0]!r}",
            remedy=f"'{letters}->{letters[0]}'",
        )
    return reshaped(summed(x, axes), [n for i, n in enumerate(x.lengths) if i not in axes]), left


def _product_of(operands: Sequence[TracedValue], parts: Sequence[str], result: str) -> TracedValue:
    """By one product of matrices for each place of the letters that both and the result have."""
    (x, y), (of_x, of_y) = operands, parts
    both = [letter for letter in of_x if letter in of_y and letter in result]
    summed_over = [letter for letter in of_x if letter in of_y and letter not in result]
    mine = [letter for letter in of_x if letter not in of_y]
    yours = [letter for letter in of_y if letter not in of_x]
    lengths = dict(zip(of_x + of_y, x.lengths + y.lengths, strict=True))
    heads, terms = [lengths[n] for n in both], prod(lengths[n] for n in summed_over)

    def arranged(given: TracedValue, letters: str, wanted: Sequence[str], shape: Sequence[int]) -> TracedValue:
        if given.per_row and wanted[0] != letters[0]:
            raise UnsupportedError(
                "the batch's axis is the first of the result", received=f"{letters!r} and {result!r}",
                remedy="'bij,bjk->bik', 'bi,ij->bj'",
            )  # fmt: skip
        return reshaped(permuted(given, [letters.index(n) for n in wanted]), shape)

    rows, columns = prod(lengths[n] for n in mine), prod(lengths[n] for n in yours)
    first = arranged(x, of_x, [*both, *mine, *summed_over], (*heads, rows, terms))
    second = arranged(y, of_y, [*both, *summed_over, *yours], (*heads, terms, columns))
    if y.per_row and not x.per_row:
        raise UnsupportedError(
            "a batch of rows comes first", received=",".join(parts), remedy="einsum('bi,ij->bj', x, y)"
        )
    product = node("matmul", first, second, per_row=x.per_row or y.per_row)
    order = [*both, *mine, *yours]
    product = reshaped(product, [lengths[n] for n in order])
    return _in_order(product, [order.index(n) for n in result], result)
