# SPDX-License-Identifier: Apache-2.0
"""Training and evaluating with threads: the same bits however many, Ctrl-C, forks, and nobody left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

from edgeling.codegen import block, row_blocks
from edgeling.codegen.row_blocks import blocks_of
from edgeling.graph.types import Array
from edgeling.layers import GRU, LSTM, BatchNormalization, Dense, Dropout, Input, Masking, SimpleRNN
from edgeling.models import Sequential
from edgeling.optimizers import Adam, RMSprop
from edgeling.toolchain import predictor
from edgeling.training import engine
from edgeling.utils import set_random_seed

pytestmark = pytest.mark.skipif(os.name != "posix", reason="threads are POSIX's")

RULES = {"adam": Adam, "rmsprop": lambda: RMSprop(momentum=0.5, centered=True)}


def _fitted(rule: Any) -> tuple[list[Array], list[float], Array]:
    """Sizes that no number of threads divides: 211 inputs, 131 and 150 units, 97 rows at a time, 33 left over."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2 * 97 + 33, 211)).astype(np.float32)
    y = rng.integers(0, 7, len(x))
    layers = [Dense(131, activation="tanh"), BatchNormalization(), Dropout(0.2, seed=1), Dense(150, activation="relu")]
    set_random_seed(5)
    model = Sequential([Input((211,)), *layers, Dense(7, activation="softmax")])
    model.compile(rule(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=97, epochs=2, verbose=0, validation_data=(x, y)).history
    many = np.tile(x, (6, 1))
    evaluated = model.evaluate(many, np.tile(y, 6), verbose=0)
    numbers = [value for values in history.values() for value in values]
    return model.get_weights(), [*numbers, *evaluated], model.predict(many, verbose=0)


@pytest.mark.parametrize("rule", RULES)
def test_every_bit_is_the_same_however_many_threads(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    for module in (engine, predictor):
        monkeypatch.setattr(module, "_SHARED_PRODUCTS", 1)  # else so little is done by one
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setenv("EDGELING_THREADS", str(threads))
        results.append(_fitted(RULES[rule]))
    (weights, numbers, predictions), *others = results
    assert np.isfinite(numbers).all()
    for other_weights, other_numbers, other_predictions in others:
        for one, other in zip(weights, other_weights, strict=True):
            np.testing.assert_array_equal(one, other)
        assert numbers == other_numbers
        np.testing.assert_array_equal(predictions, other_predictions)


def _recurrent() -> list[Array]:
    """Rows that no number of threads divides, through loops there and back."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(29, 4, 5)).astype(np.float32)
    set_random_seed(5)
    loops = [GRU(16, return_sequences=True, recurrent_dropout=0.3, seed=2), LSTM(19, return_sequences=True),
             SimpleRNN(64, go_backwards=True)]  # fmt: skip
    model = Sequential([Input((4, 5)), Masking(), *loops, Dense(3)])
    model.compile("adam", "mse")
    loss = model.fit(x, x[:, 0, :3], batch_size=29, epochs=2, verbose=0).history["loss"]
    return [*model.get_weights(), np.array(loss), model.predict(np.tile(x, (6, 1, 1)), verbose=0)]


def test_loops_that_threads_divide_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (engine, predictor):
        monkeypatch.setattr(module, "_SHARED_PRODUCTS", 1)
    monkeypatch.setattr(row_blocks, "SHARED_PRODUCTS", 1)
    found, divided = [], list[Any]()
    monkeypatch.setattr(block, "blocks_of", lambda *given: divided.append(blocks_of(*given)) or divided[-1])
    for threads in (1, 2, 3):
        monkeypatch.setenv("EDGELING_THREADS", str(threads))
        found.append(_recurrent())
        assert any(divided) == (threads > 1)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


_HEAD = """
    import os, signal, sys, threading, time
    import numpy as np
    from edgeling.layers import Dense, Input
    from edgeling.models import Sequential
    from edgeling.toolchain import predictor
    from edgeling.training import engine
    engine._SHARED_PRODUCTS = predictor._SHARED_PRODUCTS = 1

    def model():
        made = Sequential([Input((128,)), Dense(128, activation="relu"), Dense(128)])
        made.compile("adam", "mse")
        return made

    x = np.ones((256, 128), np.float32)
    how = dict(batch_size=64, verbose=0)
    model().fit(x, x, **how)  # compiled now
    def threads():
        return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
"""
_SCRIPTS = {
    "no thread outlives a call": """
        before = threads()
        model().fit(x, x, epochs=30, **how)
        model().evaluate(np.tile(x, (9, 1)), np.tile(x, (9, 1)), verbose=0)
        assert threads() == before
    """,
    "a process that forks meanwhile": """
        training = threading.Thread(target=lambda: model().fit(x, x, epochs=4000, **how))
        training.start()
        for _ in range(4):
            time.sleep(0.05)
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                model().fit(x, x, epochs=3, **how)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        training.join()
    """,
    "several models at a time": """
        models = [model() for _ in range(4)]
        start = models[0].get_weights()
        for other in models:
            other.set_weights(start)
        work = [threading.Thread(target=lambda m=m: m.fit(x, x, epochs=40, shuffle=False, **how)) for m in models]
        [w.start() for w in work], [w.join() for w in work]
        for other in models[1:]:
            for one, two in zip(models[0].get_weights(), other.get_weights()):
                np.testing.assert_array_equal(one, two)
    """,
    "predictions of one model meanwhile": """
        trained, many = model(), np.tile(x, (5, 1))
        trained.compile("sgd", "mse")
        trained.optimizer.learning_rate = 0.0
        before, wrong = trained.predict(many, verbose=0), []
        def predict():
            while not done.is_set():
                if not np.array_equal(trained.predict(many, verbose=0), before):
                    wrong.append(1)
        done = threading.Event()
        asking = [threading.Thread(target=predict) for _ in range(3)]
        [a.start() for a in asking]
        trained.fit(x, x, epochs=300, **how)
        done.set()
        [a.join() for a in asking]
        assert not wrong and np.array_equal(trained.predict(many, verbose=0), before)
    """,
    "Ctrl-C": """
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        trained, before = model(), threads()
        try:
            trained.fit(x, x, epochs=10_000_000, **how)
        except KeyboardInterrupt:
            pass
        assert np.isfinite(trained.get_weights()[0]).all()
        assert threads() <= before
    """,
}


@pytest.mark.parametrize("case", _SCRIPTS)
def test_threads_in_a_process_of_its_own(case: str) -> None:
    script = textwrap.dedent(_HEAD) + textwrap.dedent(_SCRIPTS[case])
    settings = os.environ | {"EDGELING_THREADS": "3"}
    done = subprocess.run([sys.executable, "-c", script], env=settings, capture_output=True, text=True, timeout=120,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
