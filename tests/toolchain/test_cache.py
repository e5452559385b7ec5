# SPDX-License-Identifier: Apache-2.0
"""The cache: whole entries or none, whatever other processes, disks and people do."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.errors import ToolchainError
from edgeling.system import private
from edgeling.toolchain import cache, cache_folder, cache_limit, library
from edgeling.toolchain.native import load
from tests.support.tiny_programs import dense

KEY = cache.key_of(["a", "b"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGELING_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make_hello(workspace: Path, result: Path) -> None:
    assert list(workspace.iterdir()) == []
    (workspace / "scratch").write_text("x")
    result.write_bytes(b"hello")


def never(workspace: Path, result: Path) -> None:
    pytest.fail("made again though it was there")


@given(st.lists(st.text(max_size=4)), st.lists(st.text(max_size=4)))
def test_keys_differ_exactly_when_the_parts_do(first, second):
    assert (cache.key_of(first) == cache.key_of(second)) == (first == second)


def test_an_entry_is_made_once_and_leaves_nothing_else(folder):
    path = cache.get_or_make(KEY, "x", make_hello)
    assert path.read_bytes() == b"hello"
    assert cache.get_or_make(KEY, "x", never) == path
    assert list(folder.iterdir()) == [path.parent]


@pytest.mark.parametrize("damage", ["truncate", "flip", "no hash", "no file", "empty folder", "a file"])
def test_a_damaged_entry_is_made_again(folder, damage):
    path = cache.get_or_make(KEY, "x", make_hello)
    if damage == "truncate":
        path.write_bytes(b"hel")
    elif damage == "flip":
        path.write_bytes(b"jello")
    elif damage == "no hash":
        (path.parent / "sha256").write_bytes(b"\xff\xfe")
    elif damage == "no file":
        path.unlink()
    else:
        for file in path.parent.iterdir():
            file.unlink()
        if damage == "a file":
            path.parent.rmdir()
            path.parent.write_text("in the way")
    assert cache.get_or_make(KEY, "x", make_hello).read_bytes() == b"hello"
    assert cache.get_or_make(KEY, "x", never)
    assert list(folder.iterdir()) == [path.parent]


def test_what_a_killed_process_left_is_swept_away_and_what_another_makes_is_not(folder):
    script = (
        "import os, sys\nfrom edgeling.toolchain import cache\n"
        "def make(workspace, result):\n    print('making', flush=True)\n    sys.stdin.read()\n"
        "cache.get_or_make('k' * 64, 'x', make)\n"
    )
    command, pipe = [sys.executable, "-c", script], subprocess.PIPE
    maker = subprocess.Popen(command, env=python_environment(), stdin=pipe, stdout=pipe)
    assert maker.stdout.readline() == b"making\n"
    path = cache.get_or_make(KEY, "x", make_hello)
    assert len(list(folder.iterdir())) == 2
    maker.kill()
    maker.communicate()
    cache.get_or_make(cache.key_of(["other"]), "x", make_hello)
    assert {entry.name for entry in folder.iterdir()} == {path.parent.name, cache.key_of(["other"])[:40]}


def test_a_failure_to_make_leaves_nothing(folder):
    def fail(workspace: Path, result: Path) -> None:
        result.write_bytes(b"half")
        raise ToolchainError("no")

    with pytest.raises(ToolchainError, match="no"):
        cache.get_or_make(KEY, "x", fail)
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_said_so_and_leaves_nothing(folder):
    def full(workspace: Path, result: Path) -> None:
        result.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ToolchainError, match=r"room on the disk.*EDGELING_CACHE_DIR"):
        cache.get_or_make(KEY, "x", full)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_real_limit_on_writing_is_said_so(folder):
    script = (
        "import resource, signal\n"
        "from edgeling.errors import ToolchainError\n"
        "from edgeling.toolchain import cache\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: cache.get_or_make('k' * 64, 'x', lambda w, r: r.write_bytes(bytes(5000)))\n"
        "except ToolchainError as error: print(error)\n"
    )
    assert "room on the disk" in run_python(script)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_falls_back_to_a_temporary_one(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("EDGELING_CACHE_DIR", str(tmp_path / "file" / "cache"))
    path = cache.get_or_make(KEY, "x", make_hello)
    assert path.read_bytes() == b"hello"
    assert not path.is_relative_to(tmp_path / "file")
    assert stat.S_IMODE(cache.cache_dir().stat().st_mode) == 0o700
    assert str(tmp_path / "file") in cache_folder.place().why_temporary


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a file system nobody can write to")
@pytest.mark.parametrize("relative", ["cache", ".", "../cache", "~/cache"])
def test_a_relative_cache_home_is_ignored_as_its_specification_says(tmp_path, monkeypatch, relative) -> None:
    monkeypatch.delenv("EDGELING_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", relative)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert cache.cache_dir() == tmp_path / "home" / ".cache" / "edgeling"
    assert {p.name for p in tmp_path.iterdir()} == {"home"}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "chosen"))
    assert cache.cache_dir() == tmp_path / "chosen" / "edgeling"


def test_a_relative_home_leaves_the_folder_one_works_in_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("EDGELING_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "relative")
    monkeypatch.chdir(tmp_path)
    assert cache.cache_dir().is_absolute()
    assert not list(tmp_path.iterdir())


def test_a_read_only_file_system_falls_back_too(monkeypatch):
    monkeypatch.setenv("EDGELING_CACHE_DIR", "/proc")
    assert cache.get_or_make(KEY, "x", make_hello).read_bytes() == b"hello"


def python_environment() -> dict[str, str]:
    folders = (Path(cache.__file__).parents[2], Path(__file__).parents[2])
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}


def run_python(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=python_environment(), capture_output=True, text=True, check=True).stdout


CONTENDER = """
import time, sys
from pathlib import Path
from edgeling.toolchain import cache
def make(workspace, result):
    result.write_bytes(b"from " + str(time.time_ns()).encode())
    time.sleep(0.02)
for i in range(20):
    key = cache.key_of([str(i)])
    path = cache.get_or_make(key, "x", make)
    assert path.read_bytes()[:4] in (b"from", b"dama", b""), path
    if i % 3 == 0:
        path.write_bytes(b"damaged")  # while the others are reading
"""


def test_processes_that_make_and_damage_the_same_entries_all_succeed(folder):
    running = [
        subprocess.Popen([sys.executable, "-c", CONTENDER], env=python_environment(), stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[1] for process in running] == [""] * 4
    assert not [path for path in folder.iterdir() if path.name.startswith(".making")]


def test_processes_that_compile_the_same_program_all_run_it(folder):
    script = (
        "import numpy as np\n"
        "from tests.support.tiny_programs import dense\n"
        "from edgeling.toolchain.native import load\n"
        "y = np.zeros(2, np.float32)\n"
        "load(dense()).function('dense_run')(np.array([4, -1, 0], np.float32), y)\nprint(y.tolist())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script], env=python_environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0] for process in running] == ["[3.5, 6.375]\n"] * 4
    assert len(list(folder.iterdir())) == 2  # the program and the bridge, each once


def test_a_damaged_library_is_compiled_again(folder):
    library.compile_program(dense()).write_bytes(b"not a library")
    y = np.zeros(2, np.float32)
    load(dense()).function("dense_run")(np.array([4, -1, 0], np.float32), y)
    assert y.tolist() == [3.5, 6.375]


def test_compiled_once_found_again(folder, monkeypatch):
    path = library.compile_program(dense())

    def refuse(*_: object) -> None:
        raise ToolchainError("a compiler was started")

    monkeypatch.setattr(library, "run", refuse)
    assert library.compile_program(dense()) == path
    with pytest.raises(ToolchainError, match="a compiler was started"):
        library.compile_program(dense("other"))


# ------------------------------------------------------------------------------------------ other users of the machine

posix = pytest.mark.skipif(not private.HAS_OWNERS, reason="owners and permissions are POSIX's")


@pytest.fixture
def planted(folder):
    """An entry that answers to the right key, as somebody else who may write into the folder could leave it."""
    path = cache.get_or_make(KEY, "x", lambda workspace, result: result.write_bytes(b"evil"))
    assert cache.get_or_make(KEY, "x", never) == path
    return path


@posix
@pytest.mark.parametrize(("place", "mode"), [(".", 0o777), (".", 0o775), (".", 0o1777), ("..", 0o777)])
def test_a_folder_that_others_may_write_is_not_used_and_that_is_said(folder, planted, place, mode):
    (folder / place).chmod(mode)
    with pytest.warns(UserWarning, match=r"may be written by others.*set EDGELING_CACHE_DIR"):
        path = cache.get_or_make(KEY, "x", make_hello)
    assert path.read_bytes() == b"hello"
    assert not path.is_relative_to(folder)
    assert cache_folder.place().is_exposed
    assert planted.read_bytes() == b"evil"


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives things away")
def test_a_folder_of_another_user_is_not_used(folder, planted):
    os.chown(folder, 65534, 65534)
    with pytest.warns(UserWarning, match="belongs to another user"):
        assert cache.get_or_make(KEY, "x", make_hello).read_bytes() == b"hello"


@posix
@pytest.mark.parametrize("place", ["entry", "file", "hash"])
def test_an_entry_that_others_may_write_is_made_again(planted, place):
    {"entry": planted.parent, "file": planted, "hash": planted.parent / "sha256"}[place].chmod(0o722)
    assert cache.get_or_make(KEY, "x", make_hello).read_bytes() == b"hello"
    assert stat.S_IMODE(planted.parent.stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("what", ["file", "entry"])
def test_a_link_is_no_entry(folder, planted, what):
    moved = planted if what == "file" else planted.parent
    moved.rename(folder / "elsewhere")
    moved.symlink_to(folder / "elsewhere")
    assert cache.get_or_make(KEY, "x", make_hello).read_bytes() == b"hello"
    assert not planted.is_symlink()
    assert not planted.parent.is_symlink()


def test_an_entry_under_the_name_of_another_is_none(folder, planted):
    other = cache.key_of(["other"])
    planted.parent.rename(folder / other[:40])
    assert cache.get_or_make(other, "x", make_hello).read_bytes() == b"hello"


@posix
def test_what_is_made_is_private_whatever_the_mask(folder):
    mask = os.umask(0)
    try:
        path = cache.get_or_make(KEY, "x", make_hello)
    finally:
        os.umask(mask)
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (folder, path.parent, path, path.parent / "sha256")]
    assert modes == [0o700, 0o700, 0o700, 0o600]
    assert cache.get_or_make(KEY, "x", never) == path


@posix
def test_without_any_safe_folder_nothing_is_compiled(tmp_path, folder, monkeypatch):
    folder.mkdir()
    folder.chmod(0o777)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o777)
    monkeypatch.setattr(cache_folder.tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(cache_folder, "_temporary_dir", cache_folder._temporary_dir.__wrapped__)
    with pytest.raises(ToolchainError, match=r"nobody else can change.*may be written by others.*mkdir -m 700"):
        cache.get_or_make(KEY, "x", never)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_user_without_a_home_has_a_temporary_folder(monkeypatch):
    monkeypatch.delenv("EDGELING_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.get_or_make(KEY, "x", make_hello).read_bytes() == b"hello"


FORKED = """
import os, sys
from pathlib import Path
from edgeling.toolchain import cache
folder = cache.cache_dir()
child = os.fork()
if child: os.waitpid(child, 0)
assert folder.exists()
if child: print(folder)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_temporary_folder_goes_with_its_process_and_not_with_a_fork_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGELING_CACHE_DIR", "/dev/null/cache")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert Path(run_python(FORKED).strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------- how much it holds


def age(path: Path, hours: float) -> None:
    os.utime(path.parent / "sha256", (time.time() - hours * 3600,) * 2)


def make_large(workspace: Path, result: Path) -> None:
    result.write_bytes(bytes(range(256)) * 256)


def test_what_was_not_used_for_longest_makes_room(folder, monkeypatch):
    keys = [cache.key_of([str(i)]) for i in range(6)]
    paths = [cache.get_or_make(key, "x", make_large) for key in keys[:5]]
    for hours, path in enumerate(reversed(paths)):
        age(path, 10 + hours)  # the first is the oldest
    cache.get_or_make(keys[0], "x", never)  # used just now
    size = cache_limit.entries(folder)[0].size_bytes
    assert size >= 65536
    monkeypatch.setenv("EDGELING_CACHE_BYTES", str(3 * size))
    paths.append(cache.get_or_make(keys[5], "x", make_large))
    assert {path for path in paths if path.exists()} == {paths[0], paths[4], paths[5]}
    assert sum(entry.size_bytes for entry in cache_limit.entries(folder)) <= 3 * size
    assert len(list(folder.iterdir())) == 3


def test_what_was_just_asked_for_stays_however_little_room_there_is(folder, monkeypatch):
    monkeypatch.setenv("EDGELING_CACHE_BYTES", "0")
    paths = [cache.get_or_make(cache.key_of([str(i)]), "x", make_large) for i in range(3)]
    assert all(path.exists() for path in paths)
    age(paths[1], 1)
    cache.get_or_make(cache.key_of(["3"]), "x", make_large)
    assert [path.exists() for path in paths] == [True, False, True]


@pytest.mark.parametrize("given", ["1G", "-1", "many"])
def test_a_limit_is_a_number_of_bytes(monkeypatch, given):
    monkeypatch.setenv("EDGELING_CACHE_BYTES", given)
    with pytest.raises(ToolchainError, match="EDGELING_CACHE_BYTES is a number"):
        cache_limit.limit_bytes()
