# SPDX-License-Identifier: Apache-2.0
"""The plan of the house held against the code: who may import whom, how large things are, what importing costs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgeling
from edgeling import errors

ROOT = Path(edgeling.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Room -> rooms it may import (docs/architecture.md). Every room may import errors and itself.
KERAS = "keras"
KERAS_MODULES = {
    "activations", "applications", "backend", "callbacks", "checking", "config", "configurable", "constraints",
    "initializers", "layers", "losses", "metrics", "models", "ops", "optimizers", "random", "regularizers", "saving",
    "utils", "written_activations", "written_losses",
}  # fmt: skip
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "markup": set(),
    "notebook": {"markup"},
    "system": set(),
    "files": {"system"},
    "graph": set(),
    "passes": {"graph"},
    "targets": set(),
    "codegen": {"graph", "targets"},
    "toolchain": {"system", "graph", "targets", "codegen", "notebook", "markup"},
    "artifact": {"files", "system"},
    "data": {"graph", "system"},
    "explaining": {"graph", "passes", "toolchain", "notebook"},
    "diagnosis": {"graph"},
    "report": {"markup", "graph", "data", "toolchain", "explaining", "diagnosis"},
    "network": {"graph", "passes"},
    "training": {"graph", "passes", "codegen", "toolchain", "network"},
    KERAS: {"notebook", "files", "graph", "passes", "codegen", "toolchain", "network", "training", "diagnosis"},
    "sklearn": {"graph", KERAS},
    "formats": {"files", "system", "graph", "network", KERAS},
    "packages": {"graph", "targets", "codegen", "toolchain", "data"},
    "workflow": {
        "markup", "notebook",
        "files", "system", "graph", "passes", "targets", "codegen", "toolchain", "artifact", "data", "explaining",
        "report", "network", "training", "formats", "diagnosis", "packages", KERAS,
    },
}  # fmt: skip
ANYTHING = {"cli", "", "__main__"}  # the command line, and the package's own front doors
HEAVY = ["polars", "unicorn", "wasmtime", "elftools", "h5py", "rich", "typer", "keras", "jax", "torch", "tensorflow"]
HEAVY += ["sklearn", "scipy", "pandas", "onnx", "ziglang", "optuna", "ray"]


def room_of(module: str) -> str:
    part = module.split(".")[1] if "." in module else ""
    return KERAS if part in KERAS_MODULES else part


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports when it runs (not those only for types)."""
    tree = ast.parse(path.read_text("utf-8"))
    guarded = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "edgeling")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "edgeling":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = (ROOT.parent / Path(*inner.split("."))).with_suffix(".py").exists()
                is_package = (ROOT.parent / Path(*inner.split("."))).is_dir()
                yield inner if is_module or is_package else node.module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = room_of(module_of(path))
    if room in ANYTHING:
        return
    assert room in MAY_IMPORT, f"{room} has no row in the table of rooms"
    reached = {room_of(module) for module in imports(path)} - {room, "errors", ""}
    assert reached <= MAY_IMPORT[room]


def test_no_import_cycle_between_modules() -> None:
    edges = {module_of(path): set(imports(path)) - {module_of(path)} for path in FILES if path.name != "__init__.py"}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for other in edges.get(module, ()):
                visit(other, (*trail, module))
            done.add(module)

    for module in edges:
        visit(module, ())


@pytest.mark.parametrize("part", sorted(KERAS_MODULES - {"models", "callbacks"}))
def test_what_a_network_is_made_of_knows_nothing_of_how_it_is_trained(part: str) -> None:
    files = [path for path in FILES if module_of(path).split(".")[1:2] == [part]]
    assert files
    assert [path.name for path in files if "training" in map(room_of, imports(path))] == []


def test_no_cycle_between_rooms() -> None:
    for room, allowed in MAY_IMPORT.items():
        for other in allowed:
            assert room not in MAY_IMPORT[other], f"{room} and {other} may import each other"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


TESTS = Path(__file__).parent
NEARNESS = {"allclose", "assert_allclose", "isclose", "approx", "assert_almost_equal", "prove"}
SMALL = 0.02  # what a number is compared with below it, is a bound
BOUNDS_OF_THEIR_OWN = {  # constant bounds that may stand, and why
    "keras_suite/cases.py": "Keras's own test cases bring theirs",
    "fuzz/mutate.py": "a probability",
    "passes/test_quantize_graphs.py": "what int8 costs networks of any shape is measured, not derived",
}


def _constant_bounds(tree: ast.AST) -> Iterator[int]:
    """Lines that call numbers near, or small, by a constant: given as such, or as a function's default."""
    for node in ast.walk(tree):
        name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and name in NEARNESS:
            told = [k.value for k in node.keywords if k.arg in ("rtol", "atol", "rel", "abs", "tolerance")]
            told += node.args[1 if name == "approx" else 2 :]
            constants = [one for one in told if isinstance(one, ast.Constant) and isinstance(one.value, float)]
            if constants or (not told and name != "prove"):
                yield node.lineno
        elif isinstance(node, ast.Compare):
            sides = (one.value for one in (node.left, *node.comparators) if isinstance(one, ast.Constant))
            if any(isinstance(value, float) and 0 < value < SMALL for value in sides):
                yield node.lineno


def test_constant_bounds_are_seen() -> None:
    for bad in (
        "assert_allclose(a, b, rtol=1e-5)", "assert_allclose(a, b, 1e-5)", "a == approx(b)", "a == approx(b, rel=1e-6)",
        "assert abs(a - b) < 1e-6", "assert 0 < a <= 0.01", "prove(p, t, x, y, 1e-5)", "np.allclose(a, b)",
    ):  # fmt: skip
        assert list(_constant_bounds(ast.parse(bad))) == [1], bad
    for good in (
        "assert_allclose(a, b, rtol=4 / n**0.5)",
        "a == approx(b, abs=room)",
        "a < 0.9",
        "prove(p, t, x, y, 0)",
    ):
        assert not list(_constant_bounds(ast.parse(good))), good


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda p: str(p.relative_to(TESTS)))
def test_no_bound_on_floats_is_a_constant(path: Path) -> None:
    """It is derived (CONTRIBUTING.md says how), so that it holds on every processor and is no looser than that."""
    if str(path.relative_to(TESTS)) not in BOUNDS_OF_THEIR_OWN:
        lines = list(_constant_bounds(ast.parse(path.read_text("utf-8"))))
        assert not lines, f"derive the bounds in lines {lines}: tests/support/close.py, tests/support/rounding.py"


def _loaded_by(statement: str) -> list[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(list(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return json.loads(output)


@pytest.mark.parametrize(
    "statement",
    ["import edgeling", "import edgeling.models, edgeling.layers", "from edgeling import Sequential"],
)
def test_importing_loads_numpy_and_nothing_heavier(statement: str) -> None:
    loaded = {name.split(".")[0] for name in _loaded_by(statement)}
    assert not loaded & set(HEAVY)


def test_the_help_of_the_command_does_not_wait_for_numpy() -> None:
    loaded = {name.split(".")[0] for name in _loaded_by("import edgeling.cli.app")}
    assert not loaded & ({"numpy", *HEAVY} - {"typer", "rich"})


def test_predicting_from_an_artifact_loads_nothing_of_training() -> None:
    loaded = _loaded_by("import edgeling.workflow.store")
    rooms = {room_of(module) for module in loaded if module.startswith("edgeling.")}
    assert "workflow" in rooms
    assert not rooms & {KERAS, "training", "formats", "report", "explaining"}


def test_the_public_face() -> None:
    functions = {"Input", "build", "explain", "find_learning_rate", "load", "save", "select", "train", "tune", "verify"}
    classes = {"Initializer", "Layer", "Loss", "Metric", "Model", "Optimizer", "Regularizer", "Sequential"}
    modules = {"activations", "applications", "backend", "callbacks", "errors", "ops", "random", "saving", "sklearn"}
    modules |= {"config", "constraints", "initializers", "layers", "losses", "metrics", "models"}
    modules |= {"optimizers", "regularizers", "targets", "utils"}
    assert set(edgeling.__all__) == functions | classes | modules | {"EdgelingError", "__version__"}


@pytest.mark.parametrize("name", edgeling.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(edgeling, name)
    assert name == "__version__" or (value.__doc__ or "").strip()


def test_every_source_file_states_its_licence() -> None:
    sources = [path for path in ROOT.rglob("*") if path.suffix in {".py", ".c", ".h", ".ld", ".css", ".toml"}]
    assert [path for path in sources if "SPDX-License-Identifier: Apache-2.0" not in path.read_text()[:200]] == []


def test_a_class_has_its_name_to_itself() -> None:
    """Keras's pairs apart: a loss and the metric of it, the initializer and the layer Identity."""
    owners: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners.setdefault(node.name, []).append(module_of(path))
    shared = {name: sorted(modules) for name, modules in owners.items() if len(modules) > 1}
    of_keras = [["edgeling.losses", "edgeling.metrics.rows"], ["edgeling.initializers", "edgeling.layers.core"]]
    assert {name: modules for name, modules in shared.items() if modules not in of_keras} == {}


ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ValueError)}


def test_every_error_has_a_remedy_and_a_row_in_the_documentation() -> None:
    page = (ROOT.parents[1] / "docs" / "errors.md").read_text("utf-8")
    rows = set(re.findall(r'id="(\w+-\w+)"', page))
    reached = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if name in ERRORS and isinstance(node, ast.Call):
                told = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                here = f"{path.relative_to(ROOT)}, line {node.lineno}"
                assert told.get("remedy", "''") != "''", f"{here}: say what to try (remedy=)"
                anchor = f"{name.lower()}-{module_of(path).split('.')[1]}"
                assert anchor in rows, f"{here}: add a row with the anchor {anchor} to docs/errors.md"
                reached.add(anchor)
    assert rows == reached, "docs/errors.md has rows that no error leads to"
