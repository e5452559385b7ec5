# SPDX-License-Identifier: Apache-2.0
"""Each transformer of scikit-learn's as nodes: what its ``transform`` computes with what it has learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.formats.scikit_learn.columns import State, side_by_side
from edgeling.graph.types import Array


def transformed(state: State, transformer: Any) -> State:
    """What a fitted transformer makes of the columns.

    Raises:
        UnsupportedError: there is no row for it in ``TRANSFORMERS``, or it was asked for what has no nodes.
    """
    if transformer is None or (isinstance(transformer, str) and transformer == "passthrough"):
        return state
    rule = rule_of(TRANSFORMERS, transformer, "transformer")
    return rule(state, transformer)


def rule_of(table: Mapping[str, Callable[..., Any]], part: Any, what: str) -> Callable[..., Any]:
    """A class's own row; classes that only derive from one of scikit-learn's compute who knows what."""
    kind = type(part)
    if kind.__name__ in table and kind.__module__.split(".")[0] in ("sklearn", "edgeling"):
        return table[kind.__name__]
    article = "an" if what[0] in "aeiou" else "a"
    raise UnsupportedError(
        f"{article} {what} that becomes C is one of {', '.join(sorted(table))}",
        received=f"{kind.__module__}.{kind.__name__}",
        remedy="one of these, or a network trained on what it gives (edgeling.build(network))",
    )


def refuse(part: Any, argument: str, remedy: str) -> None:
    """Raise for an argument whose value has no nodes."""
    raise UnsupportedError(
        f"{type(part).__name__} becomes C without {argument}", received=f"{argument}={getattr(part, argument)!r}",
        remedy=remedy,
    )  # fmt: skip


def _standardize(state: State, mean: Any, scale: Any) -> State:
    """(x - mean) / scale, either None."""
    zeros, ones = np.zeros(state.width), np.ones(state.width)
    mean, scale = zeros if mean is None else np.asarray(mean), ones if scale is None else np.asarray(scale)
    state.typical(mean, scale)
    named = state.constant(mean, "mean"), state.constant(scale, "scale")
    return state.numbers(state.builder.add("standardize", state.value, *named))


def _standard_scaler(state: State, it: Any) -> State:
    return _standardize(state, it.mean_ if it.with_mean else None, it.scale_ if it.with_std else None)


def _min_max_scaler(state: State, it: Any) -> State:
    low, high = it.feature_range
    found = _standardize(state, it.data_min_ - low / it.scale_, 1 / it.scale_)
    state.typical((it.data_min_ + it.data_max_) / 2, it.data_range_ / 4)
    if not it.clip:
        return found
    return found.numbers(found.builder.add("clip", found.value, minimum=float(low), maximum=float(high)))


def _robust_scaler(state: State, it: Any) -> State:
    return _standardize(state, it.center_ if it.with_centering else None, it.scale_ if it.with_scaling else None)


def _imputer(state: State, it: Any) -> State:
    if not (isinstance(it.missing_values, float) and np.isnan(it.missing_values)) and it.missing_values is not None:
        refuse(it, "missing_values", "missing_values=np.nan")
    if it.add_indicator:
        refuse(it, "add_indicator", "add_indicator=False")
    told = np.asarray(it.statistics_, object)
    known = [i for i, each in enumerate(told) if not (isinstance(each, float) and np.isnan(each))]
    if not it.keep_empty_features and len(known) < len(told):
        state, told = state.taken(known), told[known]
    for column in state.columns:
        if column.place is not None:
            state.raw.filled.add(column.place)
    if any(isinstance(each, str) for each in told):
        return replace(state, columns=tuple(replace(c, fill=f) for c, f in zip(state.columns, told, strict=True)))
    fill = np.array([0.0 if isinstance(x, float) and np.isnan(x) else x for x in told], np.float64)
    state.typical(fill, np.maximum(np.abs(fill), 1))
    value = state.builder.add("impute", state.value, state.constant(fill, "fill"))
    return replace(state, value=value)


def _indicators(state: State, column: int, categories: Sequence[Any]) -> str:
    """[1, categories]: 1 for the one that the column holds; a value that is none of them is all zeros."""
    one, known = state.taken([column]), state.columns[column]
    if all(isinstance(c, int | float | np.number | bool | np.bool_) for c in categories):
        values = np.asarray(categories, np.float64)
        if np.isnan(values).any():
            raise _missing_category(state, column)
        state.typical(*_about(state, column, values))
        return state.builder.add("compare", one.value, state.constant(values, "categories"), function="equal")
    if any(not isinstance(c, str) for c in categories):
        raise _missing_category(state, column)
    if known.place is None:
        raise UnsupportedError(
            "words are encoded before anything is computed with them", received=f"column {column} of a later step",
            remedy="OneHotEncoder first",
        )  # fmt: skip
    state.raw.code(known.place, categories)
    value = one.value
    if known.fill is not None:
        fill = list(categories).index(known.fill) if known.fill in categories else len(categories)
        value = state.builder.add("impute", value, state.constant([fill], "fill"))
    return state.builder.add("one_hot", value, depth=len(categories))


def _about(state: State, column: int, values: Array) -> tuple[Array, Array]:
    """Typical values for ``State.typical``: those of the one column, nothing of the others."""
    center, scale = np.full(state.width, np.nan), np.full(state.width, np.nan)
    center[column], scale[column] = np.median(values), max(float(np.std(values)), 1e-3)
    return center, scale


def _missing_category(state: State, column: int) -> UnsupportedError:
    place = state.columns[column].place
    name = state.raw.names[place] if place is not None else column
    return UnsupportedError(
        "categories are words, or numbers", received=f"a missing value among those of column {name!r}",
        remedy="SimpleImputer(strategy='most_frequent') before the encoder",
    )  # fmt: skip


def _require_each_category(it: Any) -> None:
    """Raise where an encoder takes rare categories for one."""
    if any(rare is not None for rare in getattr(it, "infrequent_categories_", None) or ()):
        refuse(it, "min_frequency", "an encoder without min_frequency and max_categories")


def _one_hot(state: State, it: Any) -> State:
    _require_each_category(it)
    parts = []
    for i, categories in enumerate(it.categories_):
        found = _indicators(state, i, list(categories))
        kept = state.numbers(found, len(categories))
        dropped = None if it.drop_idx_ is None else it.drop_idx_[i]
        parts.append(kept if dropped is None else kept.taken([k for k in range(len(categories)) if k != dropped]))
    return side_by_side([each for each in parts if each.width])


def _ordinal(state: State, it: Any) -> State:
    _require_each_category(it)
    unknown = 0.0 if it.handle_unknown == "error" else float(it.unknown_value)
    if np.isnan(unknown):
        refuse(it, "unknown_value", "unknown_value=-1")
    parts = []
    for i, categories in enumerate(it.categories_):
        found = _indicators(state, i, list(categories))
        steps = state.constant(np.arange(len(categories))[:, None] - unknown, "codes")
        code = state.builder.add("dense", found, steps, state.constant([unknown], "unknown"))
        parts.append(state.numbers(code, 1))
    return side_by_side(parts)


def _selected(state: State, it: Any) -> State:
    return state.taken(it.get_support(indices=True).tolist())


def _components(state: State, it: Any) -> State:
    """PCA and TruncatedSVD."""
    axes = np.asarray(it.components_, np.float64)
    if getattr(it, "whiten", False):
        axes = axes / np.sqrt(np.maximum(it.explained_variance_, np.finfo(np.float64).eps))[:, None]
    centered = _standardize(state, it.mean_, None) if getattr(it, "mean_", None) is not None else state
    bias = state.constant(np.zeros(len(axes)), "bias")
    value = state.builder.add("dense", centered.value, state.constant(axes.T, "components"), bias)
    return state.numbers(value, len(axes))


def _polynomial(state: State, it: Any) -> State:
    powers = np.asarray(it.powers_)
    ones = state.constant(np.ones((1, 1)), "one")
    wide = state.builder.add("concatenate", state.value, ones)
    factors = [np.repeat(np.arange(state.width), row).tolist() for row in powers]
    most = max(1, *(len(each) for each in factors))
    value = ""
    for turn in range(most):
        at = tuple(each[turn] if turn < len(each) else state.width for each in factors)
        taken = state.builder.add("gather", wide, indices=at)
        value = state.builder.add("multiply", value, taken) if value else taken
    return state.numbers(value, len(powers))


def _function(state: State, it: Any) -> State:
    if it.func is not None:
        refuse(it, "func", "func=None, or the function done to the table beforehand")
    return state


def _pipeline(state: State, it: Any) -> State:
    for _, step in it.steps:
        state = transformed(state, step)
    return state


def _union(state: State, it: Any) -> State:
    weights = it.transformer_weights or {}
    if weights:
        refuse(it, "transformer_weights", "transformer_weights=None")
    return side_by_side([transformed(state, step) for _, step in it.transformer_list if _counts(step)])


def _column_transformer(state: State, it: Any) -> State:
    if it.transformer_weights:
        refuse(it, "transformer_weights", "transformer_weights=None")
    parts = []
    for _, step, columns in it.transformers_:
        indices = _places(it, columns, state.width)
        if _counts(step) and indices:
            parts.append(transformed(state.taken(indices), step))
    return side_by_side([each for each in parts if each.width])


def _counts(step: Any) -> bool:
    return not (isinstance(step, str) and step == "drop")


def _places(it: Any, columns: Any, width: int) -> Sequence[int]:
    """Positions of what a ColumnTransformer was told by names, positions, a slice or a mask."""
    names = list(getattr(it, "feature_names_in_", ()))
    if isinstance(columns, slice):
        first, last = (names.index(e) if isinstance(e, str) else e for e in (columns.start, columns.stop))
        last = last + 1 if isinstance(columns.stop, str) else last  # the last of names counts
        return range(width)[slice(first, last, columns.step)]
    told: list[Any] = [columns] if isinstance(columns, str | int | np.integer) else list(columns)
    if told and all(isinstance(each, bool | np.bool_) for each in told):
        return [i for i, each in enumerate(told) if each]
    return [names.index(each) if isinstance(each, str) else range(width)[each] for each in told]


TRANSFORMERS: Mapping[str, Callable[[State, Any], State]] = {
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _union,
    "FunctionTransformer": _function,
    "MaxAbsScaler": lambda state, it: _standardize(state, None, it.scale_),
    "MinMaxScaler": _min_max_scaler,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "PCA": _components,
    "Pipeline": _pipeline,
    "PolynomialFeatures": _polynomial,
    "RobustScaler": _robust_scaler,
    "SelectFromModel": _selected,
    "SelectKBest": _selected,
    "SelectPercentile": _selected,
    "SimpleImputer": _imputer,
    "StandardScaler": _standard_scaler,
    "TruncatedSVD": _components,
    "VarianceThreshold": _selected,
}
