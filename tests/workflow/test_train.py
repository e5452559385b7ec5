# SPDX-License-Identifier: Apache-2.0
"""Training on tables that strain the arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.data import from_arrays
from edgeling.errors import GraphError
from edgeling.workflow.train import train
from tests.support.close import allowed
from tests.support.preparing import prepare
from tests.support.rounding import prediction_bound


@pytest.mark.parametrize("offset", [100, 400, 900, 1e5])
@pytest.mark.parametrize("answers", ["classes", "numbers"])
def test_columns_far_from_zero_are_computed_as_exactly_as_others(offset: float, answers: str) -> None:
    """Years and time stamps: folded into the weights, a mean of hundreds of deviations would cost float32's digits."""
    x = np.random.default_rng(0).normal(size=(200, 3))
    sums = x[:, 0] + x[:, 1]
    table = from_arrays(x + offset, sums if answers == "numbers" else np.where(sums > 0, "p", "q"))
    trained = train(table, "target", epochs=30, targets=("native",), seed=2)
    pipeline, target = trained.pipeline, trained.pipeline.preparation.target
    # As if the network were asked for standardised rows, and its answers brought back to the target's unit.
    bound = prediction_bound(trained.fitted.network, prepare(pipeline.preparation, pipeline.deployable.rows[0]))
    back = 2 * allowed(0, 3, of=np.max(np.abs(bound.exact)) * target.scale + abs(target.mean))
    assert trained.proofs["float32"]["native"].max_error <= bound.tolerance * target.scale + back
    assert trained.scores["float32"].get("accuracy", trained.scores["float32"].get("r2")) > 0.9


def test_where_int8_has_no_scale_auto_is_float32() -> None:
    x = np.random.default_rng(0).normal(size=(120, 2))
    table = from_arrays(x, (x[:, 0] + 4) * 4e37)
    trained = train(table, "target", epochs=30, targets=("native",))
    assert trained.pipeline.precision == "float32"
    assert list(trained.proofs) == ["float32"]
    with pytest.raises(GraphError):
        train(table, "target", epochs=1, targets=("native",), precision="int8")


def test_ctrl_c_before_training_begins_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeling.models.Model.fit", interrupted)
    x = np.random.default_rng(0).normal(size=(120, 2))
    with pytest.raises(KeyboardInterrupt):
        train(from_arrays(x, x[:, 0] > 0), "target", targets=("native",), keep_interrupted=True)
