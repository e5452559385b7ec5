# SPDX-License-Identifier: Apache-2.0
"""Every layer with any of its arguments: Keras's outputs, gradients, training steps, and files both ways."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

from edgeling.layers.registry import TABLE  # noqa: E402
from edgeling.models import load_model  # noqa: E402
from tests.support.drawn_layers import DRAWN, ELSEWHERE, Case, data_of, draw_each, groups, model_of, some  # noqa: E402
from tests.support.rounding import require_same_answers, training_bounds  # noqa: E402
from tests.training.keras_pairs import compile_both  # noqa: E402
from tests.training.test_against_keras_signatures import OF_ALL, REFUSED, parameters  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore")]
STEPS = 2
TRAINED = [name for name in DRAWN if not name.startswith("Random")]
DISTURBING = [
    name for name, (_, how) in DRAWN.items() if how.keys() & {"rate", "stddev", "factor", "height_factor", "mode"}
]


def joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


@pytest.mark.parametrize("names", groups(TRAINED), ids=joined)
@some
@given(drawing=st.data())
def test_layers_of_any_arguments(names: Sequence[str], drawing: Any) -> None:
    model, ours, x = alike(draw_each(drawing, names, disturbing=False))
    require_same_steps(model, ours, x)


@pytest.mark.parametrize("names", groups([*DISTURBING, "LSTM", "GRU", "SimpleRNN"], 20), ids=joined)
@some
@given(drawing=st.data())
def test_layers_that_disturb_while_training(names: Sequence[str], drawing: Any) -> None:
    alike(draw_each(drawing, names))


def alike(drawn: Sequence[Case]) -> tuple[Any, Any, Any]:
    """A network of them, ours of Keras's file, and rows of which both make the same."""
    keras.utils.set_random_seed(4)
    model, x = model_of(drawn), data_of(drawn)
    dice = np.random.default_rng(1)
    model.set_weights([w + 0.1 * np.abs(dice.normal(size=w.shape)) for w in model.get_weights()])
    ours = through_files(model)
    require_same_answers(ours, model, x)
    return model, ours, x


def through_files(model: Any) -> Any:
    """Ours, as Keras wrote it; what we write is what it was."""
    with TemporaryDirectory() as folder:
        theirs, mine = Path(folder) / "theirs.keras", Path(folder) / "ours.keras"
        model.save(theirs)
        ours = load_model(theirs)
        ours.save(mine)
        back = keras.models.load_model(mine)
    assert told(back) == told(model)
    for one, other in zip(back.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    return ours


def told(model: Any) -> list[Any]:
    """Of each layer what its file says, without operations, whose names are each side's own."""
    return [json.loads(json.dumps(layer.get_config())) for layer in model.layers if isinstance(layer, keras.Layer)]


def require_same_steps(model: Any, ours: Any, x: Any) -> None:
    """Several steps on one batch move every weight as Keras moves it, and report what it reports."""
    y = np.random.default_rng(2).normal(size=(5, 2)).astype(np.float32)
    assume(np.mean(np.square(ours.predict(x) - y)) < 100)  # one step of what is further off goes anywhere
    compile_both(model, ours, keras.optimizers.SGD(0.01), "mse", run_eagerly=False)

    def train(one: Any) -> list[Any]:
        return [np.ravel(one.train_on_batch(x, y))[0] for _ in range(STEPS)]

    allowed = training_bounds(ours, train, samples=6)
    theirs, mine = train(model), train(ours)
    names = [*["loss"] * STEPS, *(weight.path for weight in model.weights)]
    found = zip(allowed, names, [*mine, *ours.get_weights()], [*theirs, *model.get_weights()], strict=True)
    for bound, name, one, other in found:
        bound.require(other, f"Keras's {name}")
        bound.require(one, f"our {name}")


def test_every_argument_of_every_layer_is_drawn() -> None:
    assert TABLE.keys() == DRAWN.keys() | ELSEWHERE.keys()
    others = inspect.Parameter.VAR_KEYWORD
    missing = {
        name: sorted(
            {n for n, p in parameters(getattr(keras.layers, name)).items() if p.kind is not others}
            - drawing.keys() - REFUSED.keys() - {"renorm_momentum", "weights"} - (OF_ALL - {"activity_regularizer"})
        )
        for name, (_, drawing) in DRAWN.items()
    }  # fmt: skip
    assert not {name: arguments for name, arguments in missing.items() if arguments}
