# SPDX-License-Identifier: Apache-2.0
"""Every layer has Keras's arguments, in Keras's order and with its defaults; those it has not are refused by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling.layers.registry import TABLE  # noqa: E402

pytestmark = pytest.mark.keras
OF_ALL = {"self", "args", "kwargs", "name", "dtype", "trainable", "activity_regularizer"}  # what the base class takes
REFUSED = {  # and why
    "lora_rank": "what is learned is the layer's own weights", "lora_alpha": "as lora_rank",
    "quantization_config": "quantising is a pass over graphs", "flash_attention": "a kernel is chosen by the target",
    "renorm": "batch renormalisation is not there", "renorm_clipping": "as renorm",
    "synchronized": "a batch is in one place", "sparse": "arrays are dense", "ragged": "rows have one shape",
    "optional": "inputs are given", "input_tensor": "as Keras 3 says of it", "unroll": "loops are loops",
    "use_cudnn": "there is no such library", "stateful": "state is the model's",
}  # fmt: skip

# Recurrent layers hand most of their arguments on to cells.
_ELSEWHERE = ("recurrent", "wrappers", "cells")
NAMES = sorted(
    name for name, kind in TABLE.items() if hasattr(keras.layers, name) and not kind.__module__.endswith(_ELSEWHERE)
)


def parameters(owner: type) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(owner.__init__).parameters  # type: ignore[misc]


def alike(one: Any, other: Any) -> bool:
    """Defaults; what Keras asks for may have one here, and of pairs of equal numbers one is enough."""
    return one is inspect.Parameter.empty or one == other or (np.ndim(one) == 1 and {*one} == {other})


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_has_kerass_arguments(name: str) -> None:
    theirs, ours = parameters(getattr(keras.layers, name)), parameters(TABLE[name])
    shared = [argument for argument in theirs if argument in ours and argument not in OF_ALL]
    assert shared == [argument for argument in ours if argument in theirs and argument not in OF_ALL]
    others = [argument for argument in shared if not alike(theirs[argument].default, ours[argument].default)]
    assert not others, f"{others} of {name} have other defaults"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_there_is_refused_by_name_and_for_a_reason(name: str) -> None:
    kind = TABLE[name]
    missing = {*parameters(getattr(keras.layers, name))} - {*parameters(kind)} - OF_ALL - kind.ignored
    assert missing <= {*kind.refused}
    unexplained = missing - REFUSED.keys()
    assert not unexplained, f"{unexplained} of {name}"
