# SPDX-License-Identifier: Apache-2.0
"""Everything that reads what somebody else may have written, each with a good file of the corpus to begin from.

``write(dice, folder)`` writes a good input changed at random; ``read(folder)`` reads it as a user's command would. Only
an ``EdgelingError`` may come out.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from edgeling.artifact import MANIFEST
from edgeling.artifact.manifest import FileEntry
from edgeling.files.arrays import arrays_to_npz, npz_to_arrays
from tests.fuzz.mutate import mutate_array, mutate_bytes, mutate_json

CORPUS = Path(__file__).parent / "corpus"
Write = Callable[[random.Random, Path], None]


@dataclass(frozen=True)
class Reader:
    """A reader, and how its inputs are made.

    Attributes:
        share: of the time, relative to the others: a slow reader needs more for as many inputs.
    """

    write: Write
    read: Callable[[Path], object]
    share: float = 1.0


# ------------------------------------------------------------------------------------------------------------- tables


def _table(name: str) -> Reader:
    def write(dice: random.Random, folder: Path) -> None:
        (folder / name).write_bytes(mutate_bytes((CORPUS / name).read_bytes(), dice))

    def read(folder: Path) -> object:
        from edgeling.data import check, read_table

        table = read_table(folder / name)
        return check(table, table.columns[-1].name)

    return Reader(write, read)


# ------------------------------------------------------------------------------------------------------------- models


def _zip(members: Mapping[str, bytes], compression: int = ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _members(content: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write_keras(dice: random.Random, folder: Path) -> None:
    """The archive's bytes, its configuration, or (with checksums made right) its weights."""
    content = (CORPUS / "model.keras").read_bytes()
    if dice.random() < 0.1:
        changed = mutate_bytes(content, dice)
    else:
        members = _members(content)
        if dice.random() < 0.1:
            members["model.weights.h5"] = mutate_bytes(members["model.weights.h5"], dice)
        else:
            members["config.json"] = _json(mutate_json(json.loads(members["config.json"]), dice))
        changed = _zip(members)
    (folder / "model.keras").write_bytes(changed)


def _read_model(name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        from edgeling.formats import hdf5
        from edgeling.models import load_model

        if not hasattr(hdf5.read, "cache_info"):  # a process for each of many equal weights would take all the time
            hdf5.read = cache(hdf5.read)  # type: ignore[assignment]
        return load_model(folder / name)

    return read


def _write_h5(dice: random.Random, folder: Path) -> None:
    (folder / "model.h5").write_bytes(mutate_bytes((CORPUS / "model.h5").read_bytes(), dice))


def _write_weights(dice: random.Random, folder: Path) -> None:
    (folder / "model.weights.h5").write_bytes(mutate_bytes((CORPUS / "model.weights.h5").read_bytes(), dice))


def _read_weights(folder: Path) -> object:
    from edgeling.models import load_model

    return load_model(CORPUS / "model.keras").load_weights(folder / "model.weights.h5")


# ---------------------------------------------------------------------------------------------------------- artifacts


def _write_artifact(dice: random.Random, folder: Path) -> None:
    """One file of the folder changed and vouched for by the manifest, or the manifest itself, or any bytes."""
    source = CORPUS / "artifact"
    files = {p.relative_to(source).as_posix(): p.read_bytes() for p in source.rglob("*") if p.is_file()}
    name = dice.choice([n for n in files if n.endswith((".json", ".npz"))])
    vouched = name != MANIFEST and dice.random() < 0.9
    files[name] = _changed(name, files[name], dice)
    if vouched:
        manifest = json.loads(files[MANIFEST])
        entry = FileEntry.of(files[name])
        manifest["files"][name] = {"size_bytes": entry.size_bytes, "sha256": entry.sha256}
        files[MANIFEST] = _json(manifest)
    for path, content in files.items():
        (folder / "a.edgeling" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "a.edgeling" / path).write_bytes(content)


def _changed(name: str, content: bytes, dice: random.Random) -> bytes:
    if dice.random() < 0.1:
        return mutate_bytes(content, dice)
    if name.endswith(".json"):
        return _json(mutate_json(json.loads(content), dice))
    arrays = npz_to_arrays(content)
    array = dice.choice(list(arrays))
    return arrays_to_npz({**arrays, array: mutate_array(arrays[array], dice)})


def _read_artifact(folder: Path) -> object:
    """As ``info`` does, and ``build`` before it calls a compiler."""
    import edgeling
    from edgeling.cli.display import show_mapping
    from edgeling.cli.info import describe
    from edgeling.cli.output import print_json

    pipeline = edgeling.load(folder / "a.edgeling")
    with contextlib.redirect_stdout(io.StringIO()):
        show_mapping(describe(folder / "a.edgeling"))
        print_json(describe(folder / "a.edgeling"))
    return [pipeline.deployable.program(precision) for precision in pipeline.deployable.graphs]


def _json(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _write_npz(dice: random.Random, folder: Path) -> None:
    (folder / "a.npz").write_bytes(mutate_bytes((CORPUS / "artifact/weights_int8.npz").read_bytes(), dice))


def _read_npz(folder: Path) -> object:
    return npz_to_arrays((folder / "a.npz").read_bytes())


READERS: Mapping[str, Reader] = {
    **{name: _table(name) for name in ("table.csv", "dates.csv", "table.csv.gz", "table.zip", "table.jsonl",
                                       "table.parquet", "table.feather", "table.xlsx")},
    "keras": Reader(_write_keras, _read_model("model.keras"), share=3),
    "h5": Reader(_write_h5, _read_model("model.h5"), share=3),
    "weights.h5": Reader(_write_weights, _read_weights, share=2),
    "artifact": Reader(_write_artifact, _read_artifact, share=3),
    "npz": Reader(_write_npz, _read_npz, share=0.5),
}  # fmt: skip


def read_quietly(reader: Reader, folder: Path) -> None:
    """Read, and let warnings pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader.read(folder)
