# SPDX-License-Identifier: Apache-2.0
"""No public name stands for something else once some room has been imported, in whatever order that happens."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import edgeling

ROOM_NAMES = {module.name for module in pkgutil.iter_modules(edgeling.__path__)}

# Each order starts from an interpreter that knows nothing of Edgeling: its modules are thrown out before.
IMPORTED_IN_EVERY_ORDER = """
import json, pkgutil, random, sys
from importlib import import_module

def forget():
    for name in [n for n in sys.modules if n.split(".")[0] == "edgeling"]:
        del sys.modules[name]

def kind(value):
    return getattr(value, "__module__", ""), getattr(value, "__qualname__", ""), type(value).__name__

def faces():
    packages = [m for n, m in sys.modules.items() if n.split(".")[0] == "edgeling" and hasattr(m, "__all__")]
    return {f"{p.__name__}.{name}": kind(getattr(p, name)) for p in packages for name in p.__all__}

edgeling = import_module("edgeling")
left_out = {"edgeling.formats.hdf5_dump", "edgeling.__main__"}  # programs, not modules
modules = sorted(m.name for m in pkgutil.walk_packages(edgeling.__path__, "edgeling.") if m.name not in left_out)
orders = [modules, modules[::-1], random.Random(0).sample(modules, len(modules))]
orders += [[f"edgeling.{name}"] for name in edgeling._MODULES]
found = []
for order in orders:
    forget()
    for module in order:
        import_module(module)
    found.append(faces())
print(json.dumps(found))
"""

CALLED_IN_EVERY_ORDER = """
import itertools, os, random, sys
import edgeling
from edgeling.errors import EdgelingError

table, folder = sys.argv[1], "flowers.edgeling"
def train():
    global trained
    trained = edgeling.train(table, "species", targets=("native",), epochs=3, precision="float32", hidden=2)
    edgeling.save(trained, folder)
def calls():
    yield lambda: edgeling.explain(folder, table)
    yield lambda: edgeling.build(folder, "native")
    yield lambda: edgeling.verify(folder, "native")
    yield lambda: edgeling.load(folder).predict(table)
    yield lambda: edgeling.save(trained, "again.edgeling")
    yield lambda: edgeling.Sequential([edgeling.Input((2,)), edgeling.layers.Dense(1)]).summary(print_fn=str)
    yield lambda: edgeling.targets.get("cortex-m4")
    yield lambda: edgeling.utils.set_random_seed(0)
train()
orders = [list(calls()), list(calls())[::-1], *(random.Random(i).sample(list(calls()), 8) for i in range(4))]
for order in orders:
    for call in order:
        call()
    assert isinstance(edgeling.errors, type(sys)) and issubclass(edgeling.EdgelingError, Exception)
"""


def run(script: str, folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_room_is_named_like_a_public_function() -> None:
    assert ROOM_NAMES.isdisjoint(edgeling._FUNCTIONS)
    assert set(edgeling._MODULES) <= ROOM_NAMES


def test_names_mean_the_same_in_whatever_order_modules_are_imported(tmp_path: Path) -> None:
    orders = json.loads(run(IMPORTED_IN_EVERY_ORDER, tmp_path))
    everything = orders[0]
    assert {"edgeling.explain", "edgeling.layers.Dense", "edgeling.targets.get"} <= set(everything)
    for found in orders:
        assert found.items() <= everything.items()


def test_every_public_function_can_be_called_after_every_other(tmp_path: Path) -> None:
    run(CALLED_IN_EVERY_ORDER, tmp_path, str(Path(edgeling.__file__).parent / "data" / "iris.csv"))


def test_the_command_without_its_script() -> None:
    command = [sys.executable, "-m", "edgeling", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"edgeling {edgeling.__version__}\n"), done.stderr
