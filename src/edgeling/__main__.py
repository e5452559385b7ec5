# SPDX-License-Identifier: Apache-2.0
"""``python -m edgeling``: the ``edgeling`` command, where its folder is not on the path."""

from edgeling.cli import main

if __name__ == "__main__":
    main()
