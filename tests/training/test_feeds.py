# SPDX-License-Identifier: Apache-2.0
"""Whatever gives rows or batches feeds a model alike: tables, generators, loaders and datasets, real and in short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Barrier
from threading import enumerate as enumerate_threads
from typing import Any

import numpy as np
import pytest

from edgeling.errors import DataError
from edgeling.layers import Concatenate, Dense, Input
from edgeling.models import Model, Sequential
from edgeling.utils import PyDataset, set_random_seed
from tests.support.close import require_close

ROWS, SIZE = 22, 4  # the last batch has two rows
X = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
Y = X @ np.float32([[1], [-2], [0.5]])
BATCHES = [(X[i : i + SIZE], Y[i : i + SIZE]) for i in range(0, ROWS, SIZE)]


class Indexed:
    """Keras's PyDataset in short: indexed, with a number of batches; it is told of epochs."""

    def __init__(self, batches: int | None = len(BATCHES)) -> None:
        self.num_batches = batches
        self.asked: list[int] = []
        self.told: list[str] = []

    def __getitem__(self, i: int) -> Any:
        if self.num_batches is not None and not 0 <= i < self.num_batches:
            raise IndexError
        self.asked.append(i)
        return BATCHES[i % len(BATCHES)]

    def on_epoch_begin(self) -> None:
        self.told.append("begin")

    def on_epoch_end(self) -> None:
        self.told.append("end")


class Tensor:
    """A tensor of TensorFlow's in short: no NumPy array, but NumPy can read it."""

    def __init__(self, values: Any) -> None:
        self._values, self.shape = values, values.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._values, dtype=dtype)

    def __len__(self) -> int:
        return len(self._values)


class Grown(Tensor):
    """One of PyTorch's in short, which NumPy cannot read before it is detached."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def detach(self) -> Grown:
        return self

    def cpu(self) -> Grown:
        return self

    def numpy(self) -> Any:
        return self._values


class Dataset:
    """A tf.data.Dataset in short, or a torch DataLoader, which gives lists: iterated over again and again."""

    def __init__(self, tensor: Any, kind: Callable[..., Any] = tuple) -> None:
        self._tensor, self._kind = tensor, kind

    def __iter__(self) -> Iterator[Any]:
        return (self._kind([self._tensor(x), self._tensor(y)]) for x, y in BATCHES)

    def __len__(self) -> int:
        return len(BATCHES)


def _pydataset() -> Any:
    keras = pytest.importorskip("keras")

    class Rows(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(BATCHES)

        def __getitem__(self, i: int) -> Any:
            return BATCHES[i]

    return Rows()


def _loader() -> Any:
    torch = pytest.importorskip("torch")
    rows = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(rows, batch_size=SIZE)


def _dataset() -> Any:
    return pytest.importorskip("tensorflow").data.Dataset.from_tensor_slices((X, Y)).batch(SIZE)


FEEDS: dict[str, Callable[[], Any]] = {
    "generator": lambda: iter(BATCHES * 3), "list": lambda: BATCHES, "indexed": Indexed,
    "tf.data in short": lambda: Dataset(Tensor), "DataLoader in short": lambda: Dataset(Grown, list),
    "keras PyDataset": _pydataset, "torch DataLoader": _loader, "tf.data": _dataset,
}  # fmt: skip
TABLES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "lists": lambda: (X.tolist(), Y.tolist()),
    "pandas": lambda: (_frame("pandas", X), _frame("pandas", Y)),
    "polars": lambda: (_frame("polars", X), _frame("polars", Y)),
}


def _frame(package: str, values: Any) -> Any:
    return pytest.importorskip(package).DataFrame({f"c{i}": column for i, column in enumerate(values.T)})


def model() -> Sequential:
    set_random_seed(3)
    made = Sequential([Input((3,)), Dense(5, activation="tanh"), Dense(1)])
    made.compile("adam", "mse")
    return made


def weights_of(x: Any, y: Any = None, **how: Any) -> list[Any]:
    made = model()
    made.fit(x, y, epochs=3, shuffle=False, verbose=0, **how)
    return made.get_weights()


def require_same_bits(got: list[Any], expected: list[Any]) -> None:
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", FEEDS)
def test_batches_train_as_the_rows_they_hold(name: str) -> None:
    how = {"steps_per_epoch": len(BATCHES)} if name == "generator" else {}
    require_same_bits(weights_of(FEEDS[name](), **how), weights_of(X, Y, batch_size=SIZE))


@pytest.mark.parametrize("name", TABLES)
def test_tables_train_as_the_rows_they_hold(name: str) -> None:
    require_same_bits(weights_of(*TABLES[name](), batch_size=SIZE), weights_of(X, Y, batch_size=SIZE))


@pytest.mark.parametrize("name", FEEDS)
def test_they_validate_evaluate_and_predict_too(name: str) -> None:
    made = model()
    loss = made.evaluate(X, Y, verbose=0)
    steps = len(BATCHES) if name == "generator" else None
    require_close(made.evaluate(FEEDS[name](), verbose=0, steps=steps), loss, ROWS + 2)  # a mean of means
    answers = made.predict(FEEDS[name](), verbose=0, steps=steps)
    np.testing.assert_array_equal(answers, np.concatenate([made.predict(x, verbose=0) for x, _ in BATCHES]))
    first = iter(BATCHES[:2] * 2) if name == "generator" else FEEDS[name]()
    how = {"epochs": 2, "verbose": 0, "shuffle": False}
    by_feed = made.fit(X, Y, validation_data=first, validation_steps=2, **how).history["val_loss"]
    held = (X[: 2 * SIZE], Y[: 2 * SIZE])
    require_close(by_feed, model().fit(X, Y, validation_data=held, **how).history["val_loss"], 2 * SIZE + 2)


def test_batches_of_what_is_indexed_are_shuffled_by_the_seed_as_in_keras() -> None:
    def asked(shuffle: bool) -> list[int]:
        source = Indexed()
        set_random_seed(5)
        model().fit(source, epochs=3, shuffle=shuffle, verbose=0)
        return source.asked

    n = len(BATCHES)
    assert asked(False) == [*range(n)] * 3
    one = asked(True)
    assert one == asked(True)
    assert all(sorted(one[i : i + n]) == [*range(n)] for i in range(0, 3 * n, n))
    assert one[:n] != one[n : 2 * n]


def test_a_source_is_told_of_epochs_and_one_without_an_end_goes_on_where_it_was() -> None:
    source = Indexed(None)
    model().fit(source, epochs=3, steps_per_epoch=4, verbose=0)
    assert source.told == ["begin", "end"] * 3
    assert source.asked == [*range(12)]


@pytest.mark.parametrize("multiprocessing", [False, True])
def test_workers_make_batches_side_by_side_and_in_order(multiprocessing: bool) -> None:
    meeting = Barrier(3, timeout=30)

    class Slow(PyDataset):
        def __len__(self) -> int:
            return len(BATCHES)

        def __getitem__(self, i: int) -> Any:
            meeting.wait()  # six batches, three at a time: one thread alone would wait for ever
            return BATCHES[i]

    source = Slow(workers=3, use_multiprocessing=multiprocessing, max_queue_size=4)
    require_same_bits(weights_of(source), weights_of(X, Y, batch_size=SIZE))


def stopping(error: BaseException) -> Iterator[Any]:
    """Batches of a whole epoch, some of the next, then an error."""
    yield from BATCHES
    yield BATCHES[0]
    raise error


class Stopping(PyDataset):
    """The same by number, made by threads or not."""

    def __init__(self, error: BaseException, workers: int = 1) -> None:
        super().__init__(workers=workers)
        self.error, self.epochs = error, 0

    def __len__(self) -> int:
        return len(BATCHES)

    def __getitem__(self, i: int) -> Any:
        if self.epochs and i == 2:
            raise self.error
        return BATCHES[i]

    def on_epoch_end(self) -> None:
        self.epochs += 1


STOPPED: dict[str, Callable[[BaseException], Any]] = {
    "generator": stopping,
    "dataset": Stopping,
    "dataset with workers": lambda error: Stopping(error, workers=2),
}


@pytest.mark.parametrize("name", STOPPED)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("a broken file")], ids=["Ctrl-C", "error"])
def test_what_stops_in_the_middle_of_an_epoch_leaves_the_epoch_before(name: str, error: BaseException) -> None:
    made, whole = model(), model()
    whole.fit(X, Y, batch_size=SIZE, epochs=1, shuffle=False, verbose=0)
    with pytest.raises(type(error)):
        made.fit(STOPPED[name](error), steps_per_epoch=len(BATCHES), epochs=3, shuffle=False, verbose=0)
    require_same_bits(made.get_weights(), whole.get_weights())
    whole.fit(X, Y, batch_size=SIZE, epochs=1, shuffle=False, verbose=0)
    made.fit(BATCHES, epochs=1, shuffle=False, verbose=0)
    require_same_bits(made.get_weights(), whole.get_weights())
    alive = [thread for thread in enumerate_threads() if thread.name.startswith("edgeling-batches")]
    for thread in alive:
        thread.join(30)
    assert not any(thread.is_alive() for thread in alive)


@pytest.mark.parametrize("kind", ["pandas", "polars", "columns", "batches"])
def test_several_inputs_come_by_the_names_of_columns(kind: str) -> None:
    def joining() -> Model:
        set_random_seed(3)
        inputs = [Input((1,), name=f"c{i}") for i in range(3)]
        made = Model(inputs, Dense(1)(Concatenate()(inputs)))
        made.compile("adam", "mse")
        return made

    columns: Any = [X[:, i : i + 1] for i in range(3)]
    expected = joining()
    expected.fit(columns, Y, batch_size=SIZE, epochs=2, shuffle=False, verbose=0)
    made = joining()
    if kind == "batches":
        batches = [(tuple(c[i : i + SIZE] for c in columns), Y[i : i + SIZE]) for i in range(0, ROWS, SIZE)]
        made.fit(batches, epochs=2, shuffle=False, verbose=0)
    else:
        table = _frame("polars" if kind == "polars" else "pandas", X)
        given = {name: table[name] for name in table.columns} if kind == "columns" else table
        made.fit(given, Y[:, 0], batch_size=SIZE, epochs=2, shuffle=False, verbose=0)
        np.testing.assert_array_equal(made.predict(given, verbose=0), expected.predict(columns, verbose=0))
    require_same_bits(made.get_weights(), expected.get_weights())


def _column(kind: str) -> Any:
    pandas = pytest.importorskip("pandas")
    values = {
        "text": pandas.Categorical(["x", "y"] * 11),
        "missing": pandas.array([1, None] * 11, dtype="Int64"),
        "date": pandas.date_range("2020-01-01", periods=ROWS),
    }[kind]
    return pandas.DataFrame({"a": X[:, 0], "b": X[:, 1] > 0, "c": values})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: _column("text"), "the text 'x'.*one-hot"),
        (lambda: _column("missing"), "missing.*fillna"),
        (lambda: _column("date"), "2020-01-01.*days since"),
        (lambda: Indexed, "Indexed, which is to be called"),
        (lambda: [[X, Y], [X, Y[:2]]], "batches as tuples"),
    ],
    ids=["text", "missing", "date", "class", "lists"],
)
def test_what_holds_no_numbers_is_told_by_what_it_holds(given: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        model().fit(given(), None if message.startswith(("Indexed", "batches")) else Y, verbose=0)
