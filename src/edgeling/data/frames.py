# SPDX-License-Identifier: Apache-2.0
"""Tables that are in memory already: pandas, polars and Arrow, dicts of columns, NumPy arrays and lists of rows.

None of these packages is imported to recognise their objects; what is handed over was imported by whom it came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.data.cells import Cells, Understood, understand
from edgeling.data.dates import DAY_SECONDS
from edgeling.data.delimited import CodedCells, TextCells, require_memory
from edgeling.data.reading import Reading, Role, role_of
from edgeling.data.series import SeriesCells, require_polars
from edgeling.data.table import Column, Table, numeric_column, require_distinct_names
from edgeling.errors import DataError
from edgeling.graph.types import Array

if TYPE_CHECKING:
    import polars

_TEXT = np.dtypes.StringDType()
_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)
_REMEDY = "a DataFrame, a dict of columns, or an array [rows, columns]"


def from_arrays(
    X: ArrayLike,  # noqa: N803  (the field's name for a feature matrix)
    y: ArrayLike,
    feature_names: Sequence[str] | None = None,
    *,
    target: str = "target",
) -> Table:
    """A table of arrays: the columns of ``X`` [rows, features], then ``y`` [rows] as the column ``target``.

    Raises:
        DataError: shapes or names that do not go together, or an infinity.
    """
    features, labels = np.asarray(X), np.asarray(y)
    _require_shapes(features, labels)
    if feature_names is not None and len(set(feature_names)) != features.shape[1]:
        raise DataError(
            "feature_names names every column of X, each by a name of its own",
            received=f"{len(set(feature_names))} names, {features.shape[1]} columns",
            remedy=f"list {features.shape[1]} different names",
        )
    names = list(feature_names) if feature_names is not None else default_names(features.shape[1])
    columns = {name: features[:, i] for i, name in enumerate(names)}
    if target in columns:
        raise DataError("column names must differ", received=f"{target!r} more than once", remedy="another target")
    return _table({**columns, target: labels.reshape(-1)}, Reading(), {})


def from_data(
    data: Any,
    reading: Reading | None = None,
    roles: Mapping[str, Role] | None = None,
    names: Sequence[str] | None = None,
) -> Table:
    """A table of whatever holds columns.

    Columns are numbers, truth values, dates or texts; NaN, ``None``, ``NaT`` and ``pandas.NA`` are missing. The index
    of a DataFrame is left out.

    Args:
        reading: how texts are understood.
        roles: what is known of columns by name.
        names: of the columns of an array; by default ``feature_0``...

    Raises:
        DataError: it holds no columns, columns of unequal length, or values that are none of these.
    """
    return _table(_columns_of(data, names), reading or Reading(), roles or {})


def with_target(table: Table, values: Any) -> tuple[Table, str]:
    """A table with one more column, the target, and what that is called: as the series is, or ``target``.

    Raises:
        DataError: it has not one value a row, or a column is called so already.
    """
    name = series_name(values) or "target"
    if name in table:
        raise DataError("column names must differ", received=f"{name!r} more than once", remedy="rename the target")
    shape = np.shape(values)
    if len(shape) == 2 and shape[1] == 1:
        values = np.asarray(values).reshape(-1)
    if len(shape) not in (1, 2) or np.shape(values) != (table.rows,):
        raise DataError(
            "the target has one value a row", received=f"shape {shape} for {table.rows} rows", remedy="y.reshape(-1)"
        )
    target = from_data({name: values})
    return Table((*table.columns, *target.columns), notes=(*table.notes, *target.notes)), name


def default_names(count: int) -> list[str]:
    """Of the columns of an array."""
    return [f"feature_{i}" for i in range(count)]


def series_name(values: Any) -> str:
    """What a pandas or polars series is called; empty if it is nothing of the kind."""
    name = getattr(values, "name", None)
    return str(name) if name is not None and not callable(name) else ""


def _columns_of(data: Any, names: Sequence[str] | None) -> dict[str, Any]:
    if isinstance(data, Mapping):
        alone = bool(data) and all(map(_is_cell, data.values()))  # one row
        return _named(list(data.keys()), [[value] if alone else value for value in data.values()])
    if hasattr(data, "collect_schema") and hasattr(data, "collect"):  # polars, lazily
        data = data.collect()
    if hasattr(data, "get_columns"):  # polars
        return _named(data.columns, data.get_columns())
    if hasattr(data, "column_names") and hasattr(data, "to_pylist"):  # Arrow
        require_polars("an Arrow table")
        import polars

        return _columns_of(polars.from_arrow(data), names)
    if hasattr(data, "iloc") and hasattr(data, "columns"):  # pandas
        return _named(list(data.columns), [data.iloc[:, i] for i in range(data.shape[1])])
    if _is_records(data):
        return _named(*_of_records(data))
    return _of_array(data, names)


def _named(names: Sequence[Any], columns: Sequence[Any]) -> dict[str, Any]:
    for name in names:
        if isinstance(name, tuple):
            raise DataError(
                "a column has one name", received=f"{name!r}, a name in levels", remedy="df.columns = ['_'.join(...)]"
            )
    texts = [str(name) for name in names]
    require_distinct_names(texts)
    return dict(zip(texts, columns, strict=True))


def _is_cell(value: Any) -> bool:
    return isinstance(value, str) or not hasattr(value, "__len__")


def _is_records(data: Any) -> bool:
    return isinstance(data, list | tuple) and len(data) > 0 and all(isinstance(row, Mapping) for row in data)


def _of_records(rows: Sequence[Mapping[Any, Any]]) -> tuple[list[Any], list[Any]]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return names, [[row.get(name) for row in rows] for name in names]


def _of_array(data: Any, names: Sequence[str] | None) -> dict[str, Any]:
    if hasattr(data, "toarray"):  # SciPy's sparse matrices
        require_memory(int(np.prod(data.shape)))
        data = data.toarray()
    try:
        array = np.asarray(data)
    except (ValueError, TypeError) as error:
        raise DataError("an array has rows of one length", received=str(error)[:200], remedy=_REMEDY) from None
    if fields := array.dtype.names:
        return {name: array[name] for name in fields}
    if array.ndim != 2:
        raise DataError(
            "a table has rows and columns", received=f"{type(data).__name__} of shape {array.shape}",
            remedy=_REMEDY + "; one row is x.reshape(1, -1), one column x.reshape(-1, 1)",
        )  # fmt: skip
    if array.dtype.kind in "US" and not isinstance(data, np.ndarray):  # NumPy makes texts of mixed lists
        array = np.array([list(row) for row in data], dtype=object)
    named = list(names) if names is not None else default_names(array.shape[1])
    if len(named) != array.shape[1]:
        raise DataError(
            f"an array without names has the {len(named)} columns of training, in their order",
            received=f"{array.shape[1]} columns",
            remedy=f"the columns {', '.join(named[:6])[:80]}...; or a DataFrame, whose columns have names",
        )
    return {name: array[:, i] for i, name in enumerate(named)}


# --------------------------------------------------------------------------------------------------------- columns


def _table(columns: Mapping[str, Any], reading: Reading, roles: Mapping[str, Role]) -> Table:
    if short := [name for name, column in columns.items() if _is_cell(column)]:
        raise DataError("a column is a list of values", received=f"a single one in {short[0]!r}", remedy=_REMEDY)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(
            "every column of a table has as many rows", received=f"lengths {sorted(set(lengths.values()))}",
            remedy="lists of one length; None where a value is missing",
        )  # fmt: skip
    if not columns or not next(iter(lengths.values())):
        raise DataError("a table needs columns and rows", received="none", remedy=_REMEDY)
    require_memory(len(columns) * next(iter(lengths.values())))
    found = [(name, column_of(name, values, role_of(name, roles))) for name, values in columns.items()]
    return assembled(found, reading, roles)


def assembled(
    found: Sequence[tuple[str, Column | Cells]], reading: Reading, roles: Mapping[str, Role], notes: Sequence[str] = ()
) -> Table:
    """A table of columns, some of them texts that are to be understood first; numbers may have to be texts."""
    found = [(name, _as_role_says(column, role_of(name, roles))) for name, column in found]
    texts = {name: column for name, column in found if not isinstance(column, Column)}
    understood, said = understand(texts, reading, roles, typed=True) if texts else ((), Understood())
    whole = {name: column for name, column in found if isinstance(column, Column)}
    whole |= {column.name: column for column in understood}
    return Table(tuple(whole[name] for name, _ in found), notes=(*notes, *said.sentences()))


def _as_role_says(column: Column | Cells, role: Role | None) -> Column | Cells:
    if role is None or role.kind != "category" or not isinstance(column, Column):
        return column
    return TextCells(np.array([text or "" for text in column.texts()], dtype=_TEXT))


def column_of(name: str, values: Any, role: Role | None = None) -> Column | Cells:
    """A column, or its texts if it has to be understood first."""
    as_text, lenient = (role.kind == "category", role.lenient) if role else (False, False)
    if _is_polars(values):
        return _from_polars(name, values, as_text, lenient)
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if hasattr(values, "cat") and hasattr(values, "astype"):  # pandas: what its categories are
        return _from_objects(name, values.astype(object), as_text, lenient)
    if getattr(getattr(values, "dtype", None), "tz", None) is not None:  # pandas, with a time zone
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
        kind = "M"
    if kind in "iufM" and kind and hasattr(values, "to_numpy") and _is_nullable(values):  # pandas' Int64 and kin
        values = values.to_numpy(dtype=np.float64, na_value=np.nan)
    array = _array(name, values)
    if array.dtype.kind in "iuf" and not as_text:
        return numeric_column(name, array.astype(np.float64), lenient=lenient)
    if array.dtype.kind == "M":
        return _moments(name, array)
    if array.dtype.kind == "m":
        return numeric_column(name, _seconds_of(array))
    return _from_objects(name, array, as_text, lenient)


def _is_nullable(values: Any) -> bool:
    return not isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf"


def _is_polars(values: Any) -> bool:
    return hasattr(values, "to_physical") and hasattr(values, "null_count")


def _array(name: str, values: Any) -> Array:
    try:
        if isinstance(values, np.ndarray):
            array = values
        elif hasattr(values, "to_numpy"):
            array = values.to_numpy()
        else:
            array = np.empty(len(values), object)
            array[:] = values if isinstance(values, list) else list(values)
    except (TypeError, ValueError) as error:
        raise DataError(
            "a column is a list of values", received=f"{name!r}: {str(error)[:200]}",
            remedy="one kind of value in the column, or a list",
        ) from None  # fmt: skip
    if array.ndim != 1:
        raise DataError("a column is a list of values", received=f"{name!r} of shape {array.shape}", remedy=_REMEDY)
    return array


def _moments(name: str, array: Array) -> Column:
    seconds = np.where(np.isnat(array), np.nan, array.astype("datetime64[us]").astype(np.int64) / 1e6)
    return moments(name, seconds)


def moments(name: str, seconds: Array) -> Column:
    """A column of float64 seconds since 1970, NaN where missing; dates where none has a time of day."""
    whole = bool(np.all((seconds % DAY_SECONDS == 0) | np.isnan(seconds)))
    return Column(name, seconds, temporal="date" if whole else "timestamp")


def _seconds_of(array: Array) -> Array:
    return np.where(np.isnat(array), np.nan, array.astype("timedelta64[us]").astype(np.int64) / 1e6)


def _from_objects(name: str, values: Any, as_text: bool, lenient: bool) -> Column | Cells:
    cells = [None if _is_missing(value) else value for value in np.asarray(values, dtype=object).tolist()]
    present = [value for value in cells if value is not None]
    if not as_text and all(isinstance(value, Number) and not isinstance(value, bool) for value in present):
        numbers = np.array([np.nan if v is None else _number(name, v) for v in cells], np.float64)
        return numeric_column(name, numbers, lenient=lenient)
    if present and all(isinstance(value, date) for value in present):
        return moments(name, np.array([np.nan if v is None else _moment(v) for v in cells], np.float64))
    if present and all(isinstance(value, timedelta | time) for value in present):
        return numeric_column(name, np.array([np.nan if v is None else _duration(v) for v in cells], np.float64))
    return TextCells(np.strings.strip(np.array(["" if v is None else _text(name, v) for v in cells], dtype=_TEXT)))


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas.NA: what is not equal to itself, or does not know."""
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


def _number(name: str, value: Any) -> float:
    if isinstance(value, complex):
        raise _not_a_cell(name, value)
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _moment(value: date) -> float:
    if not isinstance(value, datetime):
        return float((value - _EPOCH.date()).days * DAY_SECONDS)
    return (value - (_EPOCH if value.tzinfo is None else _EPOCH_UTC)).total_seconds()


def _duration(value: timedelta | time) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6


def _text(name: str, value: Any) -> str:
    if isinstance(value, list | tuple | set | dict | np.ndarray | bytes):
        raise _not_a_cell(name, value)
    return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")


def _not_a_cell(name: str, value: Any) -> DataError:
    return DataError(
        "a column holds numbers, texts, dates or truth values", received=f"{type(value).__name__} in {name!r}",
        remedy="unpack the column into plain ones, or drop it",
    )  # fmt: skip


def _from_polars(name: str, series: polars.Series, as_text: bool, lenient: bool) -> Column | Cells:
    import polars

    kind = series.dtype
    if kind.is_nested() or kind in (polars.Binary, polars.Object):
        raise DataError(
            "a column holds numbers, texts, dates or truth values", received=f"{name!r} of type {kind}",
            remedy="unpack the column into plain ones, or drop it",
        )  # fmt: skip
    if kind.is_numeric() and not as_text:
        values = series.cast(polars.Float64).fill_null(float("nan")).to_numpy()
        return numeric_column(name, values, lenient=lenient)
    if kind == polars.Null:
        return numeric_column(name, np.full(len(series), np.nan))
    if kind in (polars.Date, polars.Datetime):
        seconds = series.cast(polars.Datetime("us")).to_physical().cast(polars.Float64) / 1e6
        return moments(name, seconds.fill_null(float("nan")).to_numpy())
    if kind in (polars.Duration, polars.Time):
        scale = 1e9 if kind == polars.Time else {"ms": 1e3, "us": 1e6, "ns": 1e9}[kind.time_unit]  # type: ignore[attr-defined]
        return numeric_column(
            name, (series.to_physical().cast(polars.Float64) / scale).fill_null(float("nan")).to_numpy()
        )
    if kind in (polars.Categorical, polars.Enum):
        return _from_codes(series)
    return SeriesCells(series.cast(polars.String))


def _from_codes(series: polars.Series) -> Cells:
    """Each category is looked at once, however many rows have it."""
    import polars

    pairs = polars.DataFrame({"code": series.to_physical(), "text": series}).unique("code")
    words = ["" if text is None else text.strip() for text in pairs["text"].cast(polars.String).to_list()]
    codes = series.to_physical().fill_null(0).to_numpy()
    null = series.is_null().to_numpy()
    distinct = sorted({*words, ""})
    place = {word: i for i, word in enumerate(distinct)}
    known = [(code, place[word]) for code, word in zip(pairs["code"], words, strict=True) if code is not None]
    table = np.zeros(1 + max((code for code, _ in known), default=0), np.int64)
    for code, where in known:
        table[code] = where
    return CodedCells(distinct, np.where(null, place[""], table[codes]))


def _require_shapes(features: Array, labels: Array) -> None:
    rows_agree = labels.ndim in (1, 2) and labels.size == len(labels) == len(features) if features.ndim else False
    if features.ndim != 2 or not rows_agree:
        raise DataError(
            "X is [rows, features] and y is [rows]",
            received=f"X of shape {features.shape}, y of shape {labels.shape}",
            remedy="reshape them; one feature is X.reshape(-1, 1)",
        )
