# SPDX-License-Identifier: Apache-2.0
"""Tables in files of columns: Parquet, Arrow's IPC (Feather) and Excel's workbooks, read by native libraries.

Only ``native_reader`` calls these, in a process that may die."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgeling.data.delimited import require_memory
from edgeling.data.parquet_size import unpacked_bytes
from edgeling.data.series import require_polars
from edgeling.data.source import Source, limit_bytes, too_large
from edgeling.errors import DataError, UnsupportedError

if TYPE_CHECKING:
    import polars

_RICHER = 4  # files of columns hold more in a byte than packed text does
_CELL_BYTES = 16
"""What polars and NumPy take of a cell, at the most while it is taken over; texts besides."""


def read_native(source: Source, kind: str, sheet: str = "") -> tuple[polars.DataFrame, tuple[str, ...]]:
    """The columns of a file, and sentences about them.

    Args:
        kind: ``parquet``, ``arrow`` or ``excel``.

    Raises:
        DataError: broken, or larger than memory.
        UnsupportedError: a package that reads it is not installed.
    """
    require_polars(f"{source.name!r}")
    frame, notes = _READERS[kind](source, sheet)
    _require_texts(source, frame)
    if not frame.height or not frame.width:
        raise DataError("a table needs rows", received=f"{source.name!r} without any", remedy="export it again")
    return frame, notes


@contextmanager
def _readable(source: Source, kind: str) -> Iterator[None]:
    import polars

    try:
        yield
    # A file that is broken in the right place panics in polars' native code, and that is not an Exception.
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError, ValueError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{kind} must be whole and readable",
            received=f"{source.name!r}: {str(error).splitlines()[0][:300] if str(error) else type(error).__name__}",
            remedy="write the file again, or export it as CSV",
        ) from error


def _parquet(source: Source, _: str) -> tuple[polars.DataFrame, tuple[str, ...]]:
    import polars

    with _readable(source, "a Parquet file"):
        _require_budget(source, unpacked_bytes(source.content))
        return _scanned(source, polars.scan_parquet(io.BytesIO(source.content))), ()


def _arrow(source: Source, _: str) -> tuple[polars.DataFrame, tuple[str, ...]]:
    import polars

    with _readable(source, "an Arrow file"):
        _require_budget(source, _arrow_bytes(source.content))
        if source.content[:6] == b"ARROW1":
            return _scanned(source, polars.scan_ipc(io.BytesIO(source.content))), ()
        return polars.read_ipc_stream(io.BytesIO(source.content)), ()


def _scanned(source: Source, scan: polars.LazyFrame) -> polars.DataFrame:
    """Collected, if what its own description says of rows and columns is within the budget."""
    import polars

    rows, width = int(scan.select(polars.len()).collect().item()), len(scan.collect_schema())
    require_memory(rows * width)
    _require_budget(source, rows * width * _CELL_BYTES)
    return scan.collect()


def budget_bytes(source: Source) -> int:
    """What a file may unpack to."""
    return _RICHER * limit_bytes(len(source.content))


def _require_budget(source: Source, size: int) -> None:
    if size > budget_bytes(source):
        raise too_large(source.name, budget_bytes(source))


def _require_texts(source: Source, frame: polars.DataFrame) -> None:
    """A text said once and meant by a million rows takes room only now that rows are taken one by one."""
    import polars

    texts = [column for column in frame.get_columns() if column.dtype == polars.String]
    _require_budget(source, sum(int(column.str.len_bytes().sum()) for column in texts))


def _arrow_bytes(content: bytes) -> int:
    """What packed buffers say they unpack to: each begins with its length, then the mark of LZ4 or Zstandard."""
    marks = re.finditer(rb"\x04\x22\x4d\x18|\x28\xb5\x2f\xfd", content)
    said = (int.from_bytes(content[m.start() - 8 : m.start()], "little") for m in marks if m.start() % 8 == 0)
    return sum(size for size in said if size < 2**40)  # larger ones are no lengths but what packing made of data


def _excel(source: Source, sheet: str) -> tuple[polars.DataFrame, tuple[str, ...]]:
    fastexcel = _fastexcel()
    _require_small(source)
    with _readable(source, "a workbook"), _readable_workbook(source, fastexcel):
        book = fastexcel.read_excel(source.content)
        names = list(book.sheet_names)
        if sheet and sheet not in names:
            raise DataError(
                f"no sheet is named {sheet!r}", received=", ".join(map(repr, names[:20])), remedy="one of them"
            )
        chosen = sheet or names[0]
        frame = book.load_sheet(chosen).to_polars()
        others = ", ".join(repr(name) for name in names if name != chosen)
        return frame, (
            f"of the workbook's sheets, {chosen!r} is read and {others} are not",
        ) if others and not sheet else ()


def _fastexcel() -> Any:
    try:
        import fastexcel
    except ImportError:
        raise UnsupportedError(
            "reading a workbook takes the package fastexcel",
            received="an .xlsx file",
            remedy="pip install 'edgeling[excel]', or export the sheet as CSV",
        ) from None
    return fastexcel


@contextmanager
def _readable_workbook(source: Source, fastexcel: Any) -> Iterator[None]:
    try:
        yield
    except fastexcel.FastExcelError as error:
        raise DataError(
            "a workbook must be whole and readable",
            received=f"{source.name!r}: {str(error).splitlines()[0][:300]}",
            remedy="save it again in Excel, or export the sheet as CSV",
        ) from error


def _require_small(source: Source) -> None:
    """A workbook is a zip archive: unpack it once to see how much it holds, keeping nothing."""
    import zipfile

    if not source.content.startswith(b"PK"):
        return
    limit = limit_bytes(len(source.content))
    try:
        with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
            size = 0
            for member in archive.infolist():
                with archive.open(member) as stream:
                    while part := stream.read(2**20):
                        size += len(part)
                        if size > limit:
                            raise too_large(source.name, limit)
    except DataError:
        raise
    except Exception as error:  # of a parser not written for hostile bytes, which raises nearly anything
        raise DataError(
            "a workbook must be whole and without a password",
            received=f"{source.name!r}: {error}",
            remedy="save it again without one, or export the sheet as CSV",
        ) from error


_READERS: dict[str, Callable[[Source, str], tuple[Any, tuple[str, ...]]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "excel": _excel,
}
