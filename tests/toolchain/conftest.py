# SPDX-License-Identifier: Apache-2.0
"""One cache for the whole session, away from the user's."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _session_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGELING_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("EDGELING_CC", raising=False)
        patch.delenv("CC", raising=False)
        yield
