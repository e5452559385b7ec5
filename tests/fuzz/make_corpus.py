# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus anew, ``python -m tests.fuzz.make_corpus``: after a change of what Edgeling itself writes."""

from __future__ import annotations

import gzip
import io
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

import edgeling
from edgeling.artifact import read_artifact, write_artifact
from edgeling.artifact.manifest import OWN_ENTRIES
from edgeling.layers import BatchNormalization, Dense, Input
from edgeling.models import Sequential
from tests.fuzz.readers import CORPUS

TABLE = "width,colour,day,label\n" + "".join(
    f"{n * 0.5:.1f},{('red', 'blue', '')[n % 3]},2026-01-{n + 1:02},{('no', 'yes')[n % 2]}\n" for n in range(24)
)
DATES = "when;amount;share\n" + "".join(f"0{n}.02.2026 12:3{n};1.234,{n};{n} %\n" for n in range(1, 9))


def tables() -> None:
    import polars

    (CORPUS / "table.csv").write_text(TABLE)
    (CORPUS / "dates.csv").write_text(DATES)
    (CORPUS / "table.csv.gz").write_bytes(gzip.compress(TABLE.encode(), mtime=0))
    with ZipFile(CORPUS / "table.zip", "w", ZIP_DEFLATED) as archive:
        archive.writestr("table.csv", TABLE)
    frame = polars.read_csv(io.StringIO(TABLE))
    frame.write_ndjson(CORPUS / "table.jsonl")
    frame.write_parquet(CORPUS / "table.parquet")
    frame.write_ipc(CORPUS / "table.feather")
    frame.write_excel(CORPUS / "table.xlsx")  # by the package xlsxwriter


def models() -> None:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    model = Sequential([Input((3,)), Dense(4, activation="relu"), BatchNormalization(), Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 3)), np.ones((8, 1)), epochs=1, verbose=0)
    model.save(CORPUS / "model.keras")
    model.save_weights(CORPUS / "model.weights.h5")
    theirs = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    theirs.save(CORPUS / "model.h5")


def artifact() -> None:
    """Without the C and the report, which no reader believes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "flowers.csv"
        path.write_text(TABLE.replace("2026-01-", ""))
        trained = edgeling.train(path, "label", epochs=3, hidden=(4,), targets=("native",))
        found = read_artifact(edgeling.save(trained, Path(folder) / "flowers.edgeling", "edgeling train"))
    kept = {name: content for name, content in found.files.items() if name.endswith((".json", ".npz"))}
    shutil.rmtree(CORPUS / "artifact", ignore_errors=True)
    write_artifact(CORPUS / "artifact", {k: v for k, v in found.manifest.items() if k not in OWN_ENTRIES}, kept)


if __name__ == "__main__":
    CORPUS.mkdir(exist_ok=True)
    tables()
    models()
    artifact()
