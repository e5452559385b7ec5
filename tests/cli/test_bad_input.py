# SPDX-License-Identifier: Apache-2.0
"""Bad input: a clear message, a non-zero exit, nothing half-written, never a traceback."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TABLES = {
    "empty.csv": "",
    "header.csv": "a,b,species\n",
    "one_column.csv": "species\nx\ny\n",
    "one_class.csv": "a,species\n" + "".join(f"{i},x\n" for i in range(20)),
    "fewer_rows.csv": "a,species\n1,x\n2,y\n3,z\n",
    "text.csv": "a,species\n" + "".join(f"{i},{'xy'[i % 2]}\n" for i in range(20)) + "oops,x\n",
    "infinite.csv": "a,species\n" + "".join(f"{i},{'xy'[i % 2]}\n" for i in range(20)) + "inf,x\n",
    "unknown.csv": "a,species\n" + "".join(f"{i},\n" for i in range(20)),
    "constant.csv": "a,species\n" + "".join(f"1,{'xy'[i % 2]}\n" for i in range(20)),
    "ragged.csv": "a,species\n1,x\n2,y,3\n",
}
SAYS = {
    "empty.csv": "empty", "one_class.csv": "class", "text.csv": "oops", "infinite.csv": "inf", "fewer_rows.csv": "row",
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_learned_from(edgeling, name: str) -> None:
    (edgeling.folder / name).write_text(TABLES[name])
    message = edgeling.refused("train", name, "--target", "species")
    assert message.startswith("Error: ") or "\nError: " in message
    assert SAYS.get(name, "") in message


def test_no_such_file(edgeling) -> None:
    assert "nowhere.csv" in edgeling.refused("train", "nowhere.csv", "--target", "species")


def test_no_such_target_offers_the_nearest(edgeling) -> None:
    assert "species" in edgeling.refused("train", "flowers.csv", "--target", "specie")


def test_no_such_chip_is_said_before_training(edgeling) -> None:
    assert "cortex-m4" in edgeling.refused("train", "flowers.csv", "--target", "species", "--for", "native,cortex-m5")


def test_a_wrong_choice_is_a_usage_error(edgeling) -> None:
    for wrong in (
        ["--precision", "int4"],
        ["--task", "guess"],
        ["--hidden", "many"],
        ["--seed", "-1"],
        ["--weight-decay", "-1"],
    ):
        done = edgeling.run("train", "flowers.csv", "--target", "species", *wrong)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_errors_are_json_too(edgeling) -> None:
    done = edgeling.run("train", "nowhere.csv", "--target", "species", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["type"] == "DataError"


@pytest.mark.parametrize("wrong", [["--precision", "int4"], ["--nope"], ["--epochs", "0"]])
def test_wrong_usage_is_json_too(edgeling, wrong: list[str]) -> None:
    done = edgeling.run("train", "flowers.csv", "--target", "species", "--json", *wrong)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["type"] == "UsageError"
    assert done.stderr.startswith("Usage: ")


def test_errors_quote_names_without_the_characters_a_terminal_obeys(edgeling) -> None:
    (edgeling.folder / "hostile.csv").write_text("a\x1b[31m,b\x1b]0;x\x07\n1,x\n2,y\n3,x\n4,y\n")
    message = edgeling.refused("train", "hostile.csv", "--target", "c")
    assert "[31m" in message
    assert not {"\x1b", "\x07"} & set(message)


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_standard_output_that_takes_nothing(trained, arguments: list[str]) -> None:
    code = "from edgeling.cli import main; main()"
    command = [sys.executable, "-c", code, "predict", "flowers.edgeling", "flowers.csv", *arguments]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, cwd=trained.folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


def test_a_compiler_that_writes_nothing(edgeling) -> None:
    command = {"EDGELING_CC": shutil.which("true") or "", "EDGELING_CACHE_DIR": str(edgeling.folder.parent / "cache")}
    message = edgeling.refused("train", "flowers.csv", "--target", "species", **command)
    assert "a compiler must write" in message


def test_training_without_a_compiler_says_what_to_install(edgeling) -> None:
    assert "compiler" in edgeling.refused("train", "flowers.csv", "--target", "species", EDGELING_CC="none")


def test_the_wrong_columns_at_predict(trained) -> None:
    (trained.folder / "new.csv").write_text("a,b\n1,2\n")
    assert "sepal" in trained.refused("predict", "flowers.edgeling", "new.csv")


def test_text_where_numbers_were_at_predict(trained) -> None:
    text = (trained.folder / "flowers.csv").read_text().splitlines()
    (trained.folder / "new.csv").write_text("\n".join([text[0], "long,2,3,4,setosa"]))
    trained.refused("predict", "flowers.edgeling", "new.csv")


def test_an_unknown_target(trained) -> None:
    assert "cortex-m4" in trained.refused("build", "flowers.edgeling", "--for", "cortex-m44", "--out", "firmware")


def spoil_manifest(folder: Path, change) -> None:
    path = folder / "flowers.edgeling" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def _lie_about_size(manifest) -> None:
    entry = manifest["files"]["weights_float32.npz"]
    entry[next(k for k in entry if "bytes" in k or "size" in k)] = 10**15


def _leave_the_folder(manifest) -> None:
    manifest["files"]["../secret"] = manifest["files"]["preparation.json"]


SPOILT = {
    "truncated": lambda f: (f / "flowers.edgeling/weights_float32.npz").write_bytes(b"PK"),
    "changed": lambda f: (f / "flowers.edgeling/graph_float32.json").write_text("{}"),
    "missing": lambda f: (f / "flowers.edgeling/preparation.json").unlink(),
    "no manifest": lambda f: (f / "flowers.edgeling/manifest.json").unlink(),
    "not JSON": lambda f: (f / "flowers.edgeling/manifest.json").write_text("{"),
    "lying": lambda f: spoil_manifest(f, _lie_about_size),
    "leaving": lambda f: spoil_manifest(f, _leave_the_folder),
    "unnamed": lambda f: spoil_manifest(f, lambda m: m.pop("program")),
    "a file": lambda f: (shutil.rmtree(f / "flowers.edgeling"), (f / "flowers.edgeling").write_text("hello")),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_artifact(trained, how: str) -> None:
    SPOILT[how](trained.folder)
    message = trained.refused("predict", "flowers.edgeling", "flowers.csv")
    assert "Error: " in message


def test_an_artifact_of_fitting_parts_that_do_not_fit_together(trained) -> None:
    """Hashes may be right and the graph still be for another network."""
    import hashlib

    folder = trained.folder / "flowers.edgeling"
    graph = json.loads((folder / "graph_float32.json").read_text())
    graph["outputs"] = graph["inputs"]
    content = json.dumps(graph).encode()
    (folder / "graph_float32.json").write_bytes(content)

    def accept(manifest) -> None:
        entry = manifest["files"]["graph_float32.json"]
        entry.update({k: len(content) for k in entry if "bytes" in k or "size" in k})
        entry.update({k: hashlib.sha256(content).hexdigest() for k in entry if "sha" in k})

    spoil_manifest(trained.folder, accept)
    assert "graph" in trained.refused("predict", "flowers.edgeling", "flowers.csv")


def test_something_else_in_the_way(edgeling) -> None:
    (edgeling.folder / "flowers.edgeling").mkdir()
    (edgeling.folder / "flowers.edgeling" / "diary.txt").write_text("mine")
    edgeling.refused("train", "flowers.csv", "--target", "species")
    assert (edgeling.folder / "flowers.edgeling" / "diary.txt").read_text() == "mine"


def test_a_folder_that_is_not_there(edgeling) -> None:
    message = edgeling.refused("train", "flowers.csv", "--target", "species", "--out", "no/such/place.edgeling")
    assert "Training" not in message  # not found out only after an hour of it


def test_a_network_too_large_for_its_targets_is_not_even_trained(edgeling) -> None:
    message = edgeling.refused("train", "flowers.csv", "--target", "species", "--hidden", "600,600")
    assert "must fit cortex-m4" in message
    assert "epochs" not in message


def test_a_build_that_fails_leaves_no_folder(trained) -> None:
    command = [sys.executable, "-c", "from edgeling.cli import main; main()", "build", "flowers.edgeling"]
    assert subprocess.run(command, cwd=trained.folder, capture_output=True, check=False).returncode == 0
    shutil.rmtree(trained.folder / "firmware")
    done = subprocess.run(
        command, cwd=trained.folder, capture_output=True, text=True, check=False,
        preexec_fn=lambda: (
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)),
        ),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert not (trained.folder / "firmware").exists()


def test_a_full_disk(trained) -> None:
    """No file may grow beyond 4 KB: the artifact that was there stays whole."""
    before = (trained.folder / "flowers.edgeling" / "manifest.json").read_bytes()
    code = "from edgeling.cli import main; main()"
    command = [sys.executable, "-c", code, "train", "flowers.csv", "--target", "species", "--seed", "1"]
    done = subprocess.run(
        command, cwd=trained.folder, capture_output=True, text=True, check=False,
        preexec_fn=lambda: (
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        ),
    )  # fmt: skip
    assert done.returncode not in (0, -11)
    assert "Traceback" not in done.stderr
    assert (trained.folder / "flowers.edgeling" / "manifest.json").read_bytes() == before
    assert {p.name for p in trained.folder.iterdir()} == {"flowers.csv", "flowers.edgeling"}


@pytest.mark.parametrize("delay_seconds", [0.1, 0.3, 0.6, 0.9, 1.2])
def test_ctrl_c_at_any_moment_leaves_nothing_half_written(edgeling, delay_seconds: float) -> None:
    code = "from edgeling.cli import main; main()"
    command = [sys.executable, "-c", code, "train", "flowers.csv", "--target", "species", "--epochs", "100000"]
    process = subprocess.Popen(command, cwd=edgeling.folder, stderr=subprocess.PIPE, text=True)
    time.sleep(delay_seconds)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    left = {p.name for p in edgeling.folder.iterdir()}
    assert left <= {"flowers.csv", "flowers.edgeling"}
    if "flowers.edgeling" in left:
        assert edgeling.json("info", "flowers.edgeling")
    else:
        assert process.returncode in (130, -signal.SIGINT), message


def test_two_runs_writing_the_same_folder_leave_one_whole(edgeling) -> None:
    code = "from edgeling.cli import main; main()"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, "train", "flowers.csv", "--target", "species", "--seed", str(seed)],
            cwd=edgeling.folder, stderr=subprocess.DEVNULL,
        )
        for seed in (1, 2)
    ]  # fmt: skip
    codes = [run.wait(timeout=120) for run in runs]
    assert 0 in codes
    assert edgeling.json("info", "flowers.edgeling")["seed"] in (1, 2)
    assert {p.name for p in edgeling.folder.iterdir()} == {"flowers.csv", "flowers.edgeling"}


def test_a_closed_pipe_is_no_accident(trained) -> None:
    command = (
        f"{sys.executable} -c 'from edgeling.cli import main; main()' predict flowers.edgeling flowers.csv | head -1"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=trained.folder, capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert "Traceback" not in done.stderr
