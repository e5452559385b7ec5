# SPDX-License-Identifier: Apache-2.0
"""The command line: one short file a verb, each over the public API."""

import os
import signal
import sys
from typing import Any, NoReturn


def main() -> None:
    """Entry point of the ``edgeling`` command."""
    # Read when NumPy loads: products are small here; threads that wait for one another take more CPU than they save.
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is signal.SIG_DFL:  # not what nohup has it ignore
            signal.signal(number, _leave)
    try:
        from edgeling.cli.app import app

        app()
    except KeyboardInterrupt:  # while the verbs were still loading
        sys.stderr.write("Stopped.\n")
        raise SystemExit(130) from None


def _leave(number: int, _: Any) -> NoReturn:
    """Asked to end: clear up first, as after Ctrl-C."""
    raise SystemExit(128 + number)
