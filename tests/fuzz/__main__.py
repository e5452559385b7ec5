# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of every reader, from a committed corpus: ``python -m tests.fuzz --seconds 60``.

Each reader runs in a process of its own with limits on memory and on the time of one input, so that a crash, a fault
of a library, a flood or a standstill is found as well as an exception that is not an ``EdgelingError``. Input number n
of a reader is the same everywhere for one seed: ``--reader NAME --first n --inputs 1`` shows it again, and keeps the
bytes in ``fuzz-failures/``.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory

from edgeling.errors import EdgelingError
from tests.fuzz.readers import READERS, read_quietly

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path("fuzz-failures")
MEMORY_BYTES = 3 << 30
"""Above what the libraries reserve when they are imported, below what a hostile file would take."""
INPUT_SECONDS = 20
FAILED = 3
PROGRAM = ("-m", "tests.fuzz")


def fuzz(name: str, seed: int, first: int, inputs: int, seconds: float) -> int:
    """Try inputs in this process until their number or the time is reached; the number tried."""
    until, tried = time.monotonic() + seconds, 0
    while tried < inputs and (tried == 0 or time.monotonic() < until):
        print(first + tried, flush=True)  # what a process that dies was at
        with TemporaryDirectory() as folder:
            _try(name, seed, first + tried, Path(folder))
        tried += 1
    return tried


def _try(name: str, seed: int, number: int, folder: Path) -> None:
    READERS[name].write(random.Random(f"{name}/{seed}/{number}"), folder)
    signal.alarm(INPUT_SECONDS)
    try:
        read_quietly(READERS[name], folder)
    except EdgelingError:
        pass
    except BaseException:
        print(f"{name}, seed {seed}, input {number}:", file=sys.stderr)
        traceback.print_exc()
        shutil.copytree(folder, KEPT / f"{name}-{seed}-{number}", dirs_exist_ok=True)
        sys.exit(FAILED)
    finally:
        signal.alarm(0)


def _limited(name: str, seed: int, first: int, inputs: int, seconds: float) -> None:
    """The process of one reader."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(all_threads=False)
    fuzz(name, seed, first, inputs, seconds)


def run(name: str, seed: int, first: int, inputs: int, seconds: float) -> tuple[int, str]:
    """One reader in a process of its own: how many inputs it tried, and what went wrong."""
    command = [sys.executable, *PROGRAM, "--child", "--reader", name]
    command += ["--seed", str(seed), "--first", str(first), "--inputs", str(inputs), "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    numbers = done.stdout.split()
    if done.returncode == 0:
        return len(numbers), ""
    died = "" if done.returncode == FAILED else f"{name}, seed {seed}, input {(numbers or ['none'])[-1]}: the process "
    if died:
        slow = done.returncode == -signal.SIGALRM
        died += f"took more than {INPUT_SECONDS} s\n" if slow else f"died with {done.returncode}\n"
    return len(numbers), died + done.stderr[-3000:]


def main() -> int:
    """Run the readers asked for, one after another; 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=READERS, help="only this one")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--inputs", type=int, default=10**9, help="at most so many inputs of each reader")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    how = given.seed, given.first, given.inputs
    if given.child:
        _limited(given.reader, *how, given.seconds)
        return 0
    chosen = [given.reader] if given.reader else list(READERS)
    shares = sum(READERS[name].share for name in chosen)
    failed = False
    for name in chosen:
        tried, wrong = run(name, *how, given.seconds * READERS[name].share / shares)
        print(f"{name:15} {tried:6} inputs  {'failed' if wrong else 'ok'}\n{wrong}".rstrip(), flush=True)
        failed |= bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
