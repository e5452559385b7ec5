# SPDX-License-Identifier: Apache-2.0
"""Files that are damaged, forged or hostile: only EdgelingErrors come out, and soon."""

from __future__ import annotations

import io
import os
import struct
import sys
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling.errors import ArtifactError, EdgelingError, UnsupportedError
from edgeling.formats import archive, hdf5
from edgeling.formats.archive import zip_of
from edgeling.formats.keras_file import load_keras
from tests.formats.models import good, good_h5, members_of, with_config

h5py = pytest.importorskip("h5py", reason="reads and writes HDF5")
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


@pytest.fixture
def load(tmp_path: Path) -> Callable[[bytes], Any]:
    def loaded(content: bytes) -> Any:
        path = tmp_path / "m.keras"
        path.write_bytes(content)
        return load_keras(path)

    return loaded


def with_weights(change: Callable[[Any], Any], content: bytes | None = None) -> bytes:
    """A file whose HDF5 part was changed by h5py."""
    members = members_of(content or good())
    buffer = io.BytesIO(members[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        change(file)
    return zip_of({**members, WEIGHTS: buffer.getvalue()})


def test_the_file_is_good(load: Callable[[bytes], Any]) -> None:
    assert load(good()).built


# ------------------------------------------------------------------------------------------------ the file and the zip


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArtifactError, match="file"):
        load_keras(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.keras")
    with pytest.raises(ArtifactError):
        load_keras(tmp_path / "m.keras")


@pytest.mark.parametrize(
    "content", [b"", b"P", b"PK\3\4", b"hello", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(99)]
)
def test_not_a_model(load: Callable[[bytes], Any], content: bytes) -> None:
    with pytest.raises(ArtifactError):
        load(content)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_truncated(load: Callable[[bytes], Any], share: float) -> None:
    with pytest.raises(ArtifactError, match="whole and well formed"):
        load(good()[: int(len(good()) * share)])


@pytest.mark.parametrize("name", ["metadata.json", CONFIG, WEIGHTS])
def test_a_member_missing(load: Callable[[bytes], Any], name: str) -> None:
    with pytest.raises(ArtifactError, match=name):
        load(zip_of({k: v for k, v in members_of(good()).items() if k != name}))


def test_a_member_twice(load: Callable[[bytes], Any]) -> None:
    buffer = io.BytesIO(good())
    with zipfile.ZipFile(buffer, "a") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.writestr(CONFIG, b"{}")
    with pytest.raises(ArtifactError, match="2 members"):
        load(buffer.getvalue())


def test_a_name_that_leaves_the_folder_leads_nowhere(load: Callable[[bytes], Any], tmp_path: Path) -> None:
    before = set(tmp_path.parent.iterdir())
    assert load(zip_of({"../escaped.txt": b"x", "/abs.txt": b"x", **members_of(good())})).built
    assert {p.name for p in tmp_path.iterdir()} == {"m.keras"}
    assert set(tmp_path.parent.iterdir()) == before


def bomb(name: str, size: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for member, data in members_of(good()).items():
            file.writestr(member, bytes(size) if member == name else data)
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "size"), [("metadata.json", 2 << 20), (CONFIG, 17 << 20)])
def test_a_bomb_is_not_unpacked(load: Callable[[bytes], Any], name: str, size: int) -> None:
    content = bomb(name, size)
    tracemalloc.start()
    with pytest.raises(ArtifactError, match="more than"):
        load(content)
    assert tracemalloc.get_traced_memory()[1] < size / 2
    tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size(load: Callable[[bytes], Any]) -> None:
    content = bytearray(bomb(CONFIG, 17 << 20))
    second = content.find(b"PK\1\2", content.find(b"PK\1\2") + 1)
    content[second + 24 : second + 28] = struct.pack("<L", 100)  # the size the archive's directory declares
    with pytest.raises(ArtifactError):
        load(bytes(content))


def test_too_many_members(load: Callable[[bytes], Any]) -> None:
    with pytest.raises(ArtifactError, match="members"):
        load(zip_of({**members_of(good()), **{f"assets/{i}": b"" for i in range(1001)}}))


def test_a_file_too_large(load: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 1000)
    with pytest.raises(ArtifactError, match="1 to 1,000 are read"):
        load(good())


# --------------------------------------------------------------------------------------------------- the configuration


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{", b"\xff", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": 1, "a": 2}', b"[" * 100_000, b"null", b"{}"],
)
def test_bad_json(load: Callable[[bytes], Any], text: bytes) -> None:
    with pytest.raises(EdgelingError):
        load(zip_of({**members_of(good()), CONFIG: text}))


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (x for x in config["config"]["layers"] if x["config"]["name"] == name)
    return found


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "lambda": (lambda c: layer(c, "first").update(class_name="Lambda"), "never run"),
    "custom layer": (lambda c: layer(c, "first").update(module=None, registered_name="Mine"), "custom objects"),
    "registered layer": (lambda c: layer(c, "first").update(registered_name="Custom>Mine"), "custom objects"),
    "other module": (lambda c: layer(c, "first").update(module="os", class_name="system"), "custom objects"),
    "unknown layer": (lambda c: layer(c, "first").update(class_name="LSTM"), "LSTM"),
    "constraint": (lambda c: layer(c, "first")["config"].update(kernel_constraint={"a": 1}), "constraint"),
    "mixed precision": (lambda c: layer(c, "first")["config"].update(dtype="mixed_float16"), "float32"),
    "own activation": (lambda c: layer(c, "first")["config"].update(activation="my_relu"), "my_relu"),
    "layer as activation": (
        lambda c: layer(c, "first")["config"].update(activation={"class_name": "LeakyReLU", "config": {}}),
        "put a layer such as",
    ),
    "lambda as activation": (
        lambda c: layer(c, "first")["config"].update(activation={"class_name": "__lambda__", "config": {}}),
        "custom objects",
    ),
    "code as initializer": (
        lambda c: layer(c, "first")["config"].update(kernel_initializer={"module": "os", "class_name": "x"}),
        "custom objects",
    ),
    "unknown initializer": (lambda c: layer(c, "first")["config"].update(kernel_initializer="mine"), "mine"),
    "subclassed": (lambda c: c.update(class_name="MyModel"), "MyModel"),
    "registered model": (lambda c: c.update(registered_name="Mine>Sequential"), "custom objects"),
    "no input": (
        lambda c: (c["config"]["layers"].pop(0), c["config"].pop("build_input_shape"), c.pop("build_config")),
        "never built",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_named_with_a_remedy(load: Callable[[bytes], Any], name: str) -> None:
    change, words = REFUSED[name]
    with pytest.raises(UnsupportedError) as caught:
        load(with_config(good(), change))
    assert words in str(caught.value)
    assert caught.value.remedy


INCONSISTENT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "more units than the file has": lambda c: layer(c, "first")["config"].update(units=9),
    "units beyond memory": lambda c: layer(c, "first")["config"].update(units=10**15),
    "units beyond sense": lambda c: layer(c, "first")["config"].update(units=10**400),
    "units of text": lambda c: layer(c, "first")["config"].update(units="8"),
    "no units": lambda c: layer(c, "first")["config"].pop("units"),
    "no bias in the configuration": lambda c: layer(c, "first")["config"].update(use_bias=False),
    "input beyond memory": lambda c: c["config"]["layers"][0]["config"].update(batch_shape=[None, 10**12]),
    "input of text": lambda c: c["config"]["layers"][0]["config"].update(batch_shape="four"),
    "no layers": lambda c: c["config"].update(layers=[]),
    "layers of text": lambda c: c["config"].update(layers=["Dense"]),
    "a layer without configuration": lambda c: layer(c, "first").pop("config"),
    "a layer too many": lambda c: c["config"]["layers"].append(
        {**deepcopy(layer(c, "first")), "config": {**layer(c, "first")["config"], "name": "another"}}
    ),
    "layers beyond count": lambda c: c["config"].update(layers=c["config"]["layers"] * 100),
    "configuration of text": lambda c: c.update(config="Dense"),
}


@pytest.mark.parametrize("name", INCONSISTENT)
def test_a_configuration_that_does_not_fit_its_weights(load: Callable[[bytes], Any], name: str) -> None:
    content = with_config(good(), INCONSISTENT[name])
    tracemalloc.start()
    with pytest.raises(EdgelingError):
        load(content)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": [{"module": "keras.metrics", "class_name": "MeanIoU", "config": {}}]},
        {"loss": {"module": "builtins", "class_name": "function", "config": "my_loss", "registered_name": "function"}},
        {"optimizer": {"module": "os", "class_name": "system", "config": {}}},
        {"optimizer": {"module": "keras.optimizers", "class_name": "Muon", "config": {}}},
        {"optimizer": 3},
        {"loss_weights": [2.0]},
        {"metrics": 7},
        {"steps_per_execution": "many"},
        {"loss": ["mse", "mae"]},
    ],
)
def test_training_settings_that_are_not_supported_are_named(load: Callable[[bytes], Any], change: Any) -> None:
    """Each by itself, and the others are kept."""
    with pytest.warns(UserWarning, match="call compile"):
        model = load(with_config(good(), lambda c: c["compile_config"].update(change)))
    assert model.built
    held = {"optimizer": model.optimizer, "loss": model.loss, "metrics": model.metrics_names[1:]}
    assert {name for name, value in held.items() if not value} == change.keys() & held.keys()


# --------------------------------------------------------------------------------------------------------- the weights


def replace(path: str, values: Any, **options: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[path]
        file.create_dataset(path, data=values, **options)

    return change


FIRST = "layers/dense/vars/0"
WRONG: dict[str, Callable[[Any], Any]] = {
    "shape": replace(FIRST, np.zeros((8, 4), np.float32)),
    "text": replace(FIRST, np.full((4, 8), b"x")),
    "NaN": replace(FIRST, np.full((4, 8), np.nan, np.float32)),
    "infinite in float32": replace(FIRST, np.full((4, 8), 1e300)),
    "complex": replace(FIRST, np.zeros((4, 8), np.complex64)),
    "missing array": lambda f: f.__delitem__(FIRST),
    "missing layer": lambda f: f.__delitem__("layers/dense"),
    "array too many": lambda f: f.create_dataset("layers/dense/vars/2", data=np.zeros(3)),
    "group for array": lambda f: (f.__delitem__(FIRST), f.create_group(FIRST)),
    "array for group": lambda f: (f.__delitem__("layers/dense/vars"), f.create_dataset("layers/dense/vars", data=[1])),
    "soft link": lambda f: (f.__delitem__(FIRST), f.__setitem__(FIRST, h5py.SoftLink("/layers/dense/vars/1"))),
    "external link": lambda f: (f.__delitem__(FIRST), f.__setitem__(FIRST, h5py.ExternalLink("/etc/x.h5", "/x"))),
    "external data": lambda f: (
        f.__delitem__(FIRST),
        f.create_dataset(FIRST, (4, 8), "f4", external=[("/etc/passwd", 0, 128)]),
    ),
    "no data": lambda f: (f.__delitem__(FIRST), f.create_dataset(FIRST, (4, 8), "f4")),
    "huge chunks": lambda f: (
        f.__delitem__(FIRST),
        f.create_dataset(FIRST, (4, 8), "f4", chunks=(1 << 12, 1 << 12), maxshape=(None, None), compression="gzip"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_weights_that_are_wrong(load: Callable[[bytes], Any], name: str) -> None:
    with pytest.raises(ArtifactError):
        load(with_weights(WRONG[name]))


@pytest.mark.parametrize("stored", [False, True])
def test_weights_beyond_memory_declared_on_both_sides(load: Callable[[bytes], Any], stored: bool) -> None:
    """A dataset may be declared of any size and hold next to nothing."""
    units = 10**9

    def change(file: Any) -> None:
        del file[FIRST], file["layers/dense/vars/1"]
        compressed = {"chunks": (1, 1 << 16), "compression": "gzip"} if stored else {}
        array = file.create_dataset(FIRST, (4, units), "f4", **compressed)
        if stored:
            array[0, 0] = 1
        file.create_dataset("layers/dense/vars/1", (units,), "f4")

    content = with_config(good(), lambda c: layer(c, "first")["config"].update(units=units))
    content = with_weights(change, content)
    tracemalloc.start()
    with pytest.raises(ArtifactError):
        load(content)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_virtual_array_is_refused(load: Callable[[bytes], Any]) -> None:
    def change(file: Any) -> None:
        del file[FIRST]
        virtual = h5py.VirtualLayout((4, 8), "f4")
        virtual[:] = h5py.VirtualSource("/etc/other.h5", "x", (4, 8))
        file.create_virtual_dataset(FIRST, virtual)

    with pytest.raises(ArtifactError, match="outside the file"):
        load(with_weights(change))


def test_compressed_weights_of_ordinary_size_are_read(load: Callable[[bytes], Any]) -> None:
    values = np.arange(32, dtype=np.float32).reshape(4, 8)
    model = load(with_weights(replace(FIRST, values, compression="gzip")))
    assert np.array_equal(model.get_layer("first").get_weights()[0], values)


@pytest.mark.parametrize(
    "change",
    [
        replace("optimizer/vars/0", np.int32(-1)),
        replace("optimizer/vars/2", np.full((4, 8), np.inf)),
        replace("optimizer/vars/2", np.zeros((3, 8))),
        lambda f: f.__delitem__("optimizer/vars/3"),
    ],
)
def test_a_damaged_optimizer_begins_afresh(load: Callable[[bytes], Any], change: Callable[[Any], Any]) -> None:
    with pytest.warns(UserWarning, match="starts afresh"):
        model = load(with_weights(change))
    assert model.optimizer.iterations == 0
    assert not model.optimizer_state


# --------------------------------------------------------------------------------------------------------- .h5 files


def test_a_crash_of_the_hdf5_library_is_a_damaged_file(
    load: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    crashing = tmp_path / "crashing.py"
    crashing.write_text("import os\nos.abort()\n")
    monkeypatch.setattr(hdf5, "_READER", crashing)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load(good_h5())


def test_a_library_that_never_ends_is_stopped(
    load: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(hdf5, "_READER", endless)
    monkeypatch.setattr(hdf5, "_TIMEOUT_SECONDS", 0.5)
    with pytest.raises(ArtifactError, match="longer than"):
        load(good_h5())


@pytest.mark.skipif(sys.platform != "linux", reason="the system keeps no bound on a process's time")
def test_a_library_that_goes_round_in_circles_ends_itself(
    load: Callable[[bytes], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever waits for it may be gone: the bound is the reading process's own."""
    circling = tmp_path / "circling.py"
    setting = f"import sys\nsys.path.insert(0, {str(Path(hdf5._READER).parent)!r})\nimport hdf5_dump\n"
    circling.write_text(setting + "hdf5_dump.OWN_SECONDS = 1\nhdf5_dump._bound_time(0)\nwhile True:\n    pass\n")
    monkeypatch.setattr(hdf5, "_READER", circling)
    with pytest.raises(ArtifactError, match="found no end"):
        load(good_h5())


def test_the_h5_file_is_good(load: Callable[[bytes], Any]) -> None:
    model = load(good_h5())
    assert model.input_shape == (None, 4)
    assert type(model.optimizer).__name__ == "SGD"
    assert np.array_equal(model.get_weights()[0], np.ones((4, 3)))


NAMES = "weight_names"
H5_WRONG: dict[str, Callable[[Any], Any]] = {
    "no configuration": lambda f: f.attrs.__delitem__("model_config"),
    "configuration of numbers": lambda f: f.attrs.__setitem__("model_config", np.arange(4)),
    "no weights": lambda f: f.__delitem__("model_weights"),
    "no names": lambda f: f["model_weights/first"].attrs.__delitem__(NAMES),
    "too few names": lambda f: f["model_weights/first"].attrs.__setitem__(NAMES, [b"first/kernel:0"]),
    "too many names": lambda f: f["model_weights/first"].attrs.__setitem__(NAMES, [b"x"] * 2000),
    "names that climb": lambda f: f["model_weights/first"].attrs.__setitem__(NAMES, [b"../first/first/kernel:0"] * 2),
    "absolute names": lambda f: f["model_weights/first"].attrs.__setitem__(NAMES, [b"/model_weights", b""]),
}


@pytest.mark.parametrize("name", H5_WRONG)
def test_h5_files_that_are_wrong(load: Callable[[bytes], Any], name: str) -> None:
    buffer = io.BytesIO(good_h5())
    with h5py.File(buffer, "r+") as file:
        H5_WRONG[name](file)
    with pytest.raises(ArtifactError):
        load(buffer.getvalue())
