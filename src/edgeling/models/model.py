# SPDX-License-Identifier: Apache-2.0
"""Layers that train, predict and become a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from edgeling.callbacks import CallbackList
from edgeling.checking import require_float32, whole
from edgeling.configurable import custom_object_scope, is_ours, refuse
from edgeling.errors import DataError, UnsupportedError
from edgeling.layers.base import Layer
from edgeling.layers.eager import call, refuse_symbols
from edgeling.layers.symbolic import symbols_among
from edgeling.layers.traced import present
from edgeling.models import saving
from edgeling.models.arguments import batch_size_of, verbosity
from edgeling.models.batches import adds_rows_to_loss, predicted_batch
from edgeling.models.feeding import feed_of
from edgeling.models.prediction import Followed, not_ready
from edgeling.models.stateful import require_whole_batches, stateful_layers
from edgeling.models.trained import Trainable
from edgeling.models.views import is_open, rows_in, view
from edgeling.network.arrays import Rows, Several, joined, parts_of
from edgeling.network.weights import Weight
from edgeling.notebook.waiting import told_if_long, untold
from edgeling.toolchain.direct import Answer


class Model(Trainable):
    """What computes outputs of inputs; ``Model(inputs, outputs)`` makes a :class:`Functional`.

    A class of one's own says in ``__init__`` what it is made of, and in ``call(self, x, training=None, mask=None)``
    what it computes with that, as a layer of one's own does; or it calls ``super().__init__(inputs, outputs)``.

    Args:
        name: what summaries call it; the class's name, numbered, if not given.
        trainable: whether training moves its weights.

    Raises:
        UnsupportedError: a method that Keras would call and compiled code does not.

    Example:
        >>> class Classifier(Model):
        ...     def __init__(self, classes, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.hidden = Dense(8, activation="relu")
        ...         self.answer = Dense(classes, activation="softmax")
        ...
        ...     def call(self, x):
        ...         return self.answer(self.hidden(x))
        >>> model = Classifier(3)
    """

    never_called: ClassVar[tuple[str, ...]] = (
        "__call__", "train_step", "test_step", "predict_step", "compute_loss", "compute_metrics",
        "make_train_function", "make_test_function", "make_predict_function", "compute_output_spec", "stateless_call",
        "stateless_compute_loss", "metrics",
    )  # fmt: skip
    instead = (
        "compile() with a loss and metrics, which may be functions of one's own, add_loss() in call(), and callbacks"
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A model of inputs and outputs is ``Functional``."""
        made = import_module("edgeling.models.functional").Functional if cls is Model else cls
        return super().__new__(made, *args, **kwargs)

    def __init__(
        self, *args: Any, name: str | None = None, trainable: bool = True, dtype: Any = None, **kwargs: Any
    ) -> None:  # fmt: skip
        for unknown in [] if args else kwargs.keys() - {"inputs", "outputs"}:
            raise TypeError(f"{type(self).__name__} has no argument {unknown!r}")
        if args or kwargs:
            become_functional(type(self)).__init__(self, *args, name=name, trainable=trainable, **kwargs)
            return
        require_float32(type(self).__name__, dtype)
        before = set(self.__dict__)
        super().__init__(name, trainable)
        self.__dict__["_own"] = frozenset(self.__dict__) - before

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """The inverse of ``get_config``: the same layers with new weights.

        Args:
            custom_objects: classes and functions of one's own by the names that the configuration has for them.
        """
        if cls is Model or "input_layers" in config:
            functional: Any = import_module("edgeling.models.functional").Functional
            return functional.from_config.__func__(cls, config, custom_objects)
        with custom_object_scope(custom_objects):
            return super().from_config(config)

    def _forget_compiled(self) -> None:
        super()._forget_compiled()
        self._predictor: Followed | None = None
        self._direct: Answer = not_ready
        self._calls = 0

    def __getstate__(self) -> dict[str, Any]:
        """To copy or pickle: everything but what is compiled, which is found again."""
        own: dict[str, Any] = {
            "_network": None,
            "_fitted": None,
            "_predictor": None,
            "_direct": not_ready,
            "_views": {},
        }
        return {**self.__dict__, **own}

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:  # fmt: skip
        """The outputs of rows or batches: [rows, ...] -> float32 [rows, outputs].

        Several inputs are handed over in a list or by names, several outputs come as ``Model`` was given them.

        One float32 row of shape (1, ...) takes the shortest way to the compiled code. Without a C compiler the
        interpreter answers, slowly, after one warning.

        Raises:
            DataError: rows of the wrong shape, or not numbers. NaN is let through.
        """
        if callbacks is None:
            try:
                return self._direct(x)
            except TypeError:
                pass  # the general way says what is wrong, if anything is
        size, steps = batch_size_of(batch_size), None if steps is None else whole("steps", steps)
        shown = verbosity(verbose)
        batches, together = feed_of(x), size > 1 and self._keeps_states()
        parts: Iterable[Any]
        if batches:
            parts = (batch[0] for batch in batches.batches(steps))
        else:
            floats = self._inputs_of(x, finite=False)[: None if steps is None else steps * size]
            if together:
                size = min(size, len(floats))
                require_whole_batches(self, size, len(floats))
            else:
                size = size * self._per_call() if callbacks is not None else len(floats)
            parts = (floats[i : i + size] for i in range(0, len(floats), size))
        with told_if_long("predicting") if shown else untold():
            made = self._predict(parts, CallbackList(callbacks, self), together)
        return self._structures[1].answered(made)

    predict_on_batch = predict

    def reset_states(self) -> None:
        """Have the layers that keep states (``stateful=True``) begin anew."""
        for layer in stateful_layers(self):
            layer.reset_states()

    def __call__(self, x: Any = None, *others: Any, training: bool | None = None, **named: Any) -> Any:
        """As :meth:`predict`; while ``training`` dropout drops, and statistics are the batch's own and move.

        The latter is interpreted with NumPy, not compiled; so is a model whose layers add to the loss what they make of
        the batch, which :attr:`losses` has afterwards.
        """
        if present() or symbols_among((x, others, named)):
            return self._within(x, others, training, named)
        if others and not self.traces_calls:  # Keras's second argument
            (training,), others = others, ()
        refuse_symbols(None if isinstance(x, Mapping) else x)
        if not self.built and not self.traces_calls:
            _require_one(x)
        if others or named:
            return Layer.__call__(self, x, *others, training=training, **named)
        floats = self._inputs_of(x, finite=False)
        if not training and not adds_rows_to_loss(self):
            return self.predict(x, batch_size=len(floats) if self._keeps_states() else None)
        batches = [part for part in parts_of(floats) if part is not None]
        self._calls += 1
        network = view(self, tuple(batch.shape[1:] for batch in batches))._as_network()
        made = call(
            lambda tracer, *given: network.answer(tracer, given), network.names, batches, bool(training), self._calls
        )
        return self._structures[1].answered(Several(made) if len(self.output_rows) > 1 else made)

    def _within(self, x: Any, others: tuple[Any, ...], training: bool | None, named: dict[str, Any]) -> Any:
        """What stands for the outputs where the model is a layer of another."""
        if self.traces_calls:
            return Layer.__call__(self, x, *others, training=training, **named)
        if others:
            (training,), others = others, ()
        given = self._in_order(x, "inputs") if len(self.input_layers) > 1 else x
        made = Layer.__call__(self, given, training=training, **named)
        return self._structures[1].filled(made) if len(self.output_rows) > 1 else self._structures[1].answered(made)

    def _keeps_states(self) -> bool:
        return any(stateful_layers(self))

    def _predict(self, parts: Iterable[Any], hooks: CallbackList, together: bool = False) -> Rows:
        """The outputs of batches, one after another. ``stop_predicting`` ends it early.

        Args:
            together: rows of a batch have a state each.
        """
        self.stop_predicting = False
        hooks.call("on_predict_begin")
        outputs: list[Rows] = []
        each = self._per_call()
        for part in parts:
            hooks.call("on_predict_batch_begin", len(outputs) * each)
            outputs.append(self._outputs_together(part) if together else self._outputs(part))
            given = self._structures[1].answered(outputs[-1])
            hooks.call("on_predict_batch_end", len(outputs) * each - 1, logs={"outputs": given})
            if self.stop_predicting:
                break
        if not outputs:
            raise DataError("x has at least one row", received="no batches", remedy="a row: x[:1]")
        hooks.call("on_predict_end")
        return joined(outputs) if len(outputs) > 1 else outputs[0]

    def _outputs_together(self, x: Any) -> Rows:
        floats: Rows = x if isinstance(x, Several) else self._inputs_of(x, finite=False)
        known = view(self, rows_in(floats))
        return predicted_batch(known, floats, known._signature(None)) if len(floats) > 1 else self._outputs(floats)

    def _outputs(self, x: Any) -> Rows:
        floats = x if isinstance(x, Several) else self._inputs_of(x, finite=False)
        if is_open(self):
            known = view(self, rows_in(floats))
            answers, self._direct = known._outputs(floats), known._direct
            return answers
        if self._predictor is None or self._predictor.seen != Weight.changes.value:
            self._follow()
        assert self._predictor
        answers = self._predictor.rows(floats)
        self._direct = not_ready if self._structures[1].is_mapping else self._predictor.direct
        return answers

    def _follow(self) -> None:
        """Have a predictor of the layers and weights as they are now."""
        signature = self._signature(None)
        if self._predictor is None or self._predictor.signature != signature:
            self._predictor = Followed(self._as_network(), signature)
        self._predictor.follow()

    def save(
        self, filepath: str | Path, overwrite: bool = True, zipped: bool | None = None, save_format: str | None = None
    ) -> None:
        """Write a ``.keras`` file, which Keras reads too.

        Args:
            zipped, save_format: Keras's; only what such a file is: a zip archive in the format "keras".

        Raises:
            UnsupportedError: another format; a model that is not built, or holds classes of one's own.
        """
        if zipped is False or save_format not in (None, "keras"):
            raise UnsupportedError(
                "a model is saved as .keras, a zip archive", received=f"zipped={zipped}, save_format={save_format!r}",
                remedy="leave both out",
            )  # fmt: skip
        saving.save(self, Path(filepath).expanduser(), overwrite)

    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Write the weights alone: ``.weights.h5``, which Keras reads too and which holds the optimizer's state, or
        ``.npz``."""
        saving.save_weights(self, Path(filepath).expanduser(), overwrite)

    def load_weights(
        self, filepath: str | Path, skip_mismatch: bool = False, by_name: bool = False, objects_to_skip: Any = None
    ) -> None:
        """Read weights that :meth:`save_weights` or Keras wrote (``.weights.h5``, ``.keras``, Keras 2's ``.h5``).

        Raises:
            DataError, ArtifactError: weights of another model, or none; nothing is changed.
        """
        switches = {"skip_mismatch": skip_mismatch, "by_name": by_name, "objects_to_skip": objects_to_skip}
        for name, value in switches.items():
            refuse("load_weights", name, value)
        saving.load_weights(self, Path(filepath).expanduser())

    def to_json(
        self, *, indent: int | str | None = None, separators: tuple[str, str] | None = None, sort_keys: bool = False,
        ensure_ascii: bool = True,
    ) -> str:  # fmt: skip
        """The model without its weights, as text: see :func:`edgeling.models.model_from_json`. The arguments are those
        of :func:`json.dumps`.
        """
        how = {"indent": indent, "separators": separators, "sort_keys": sort_keys, "ensure_ascii": ensure_ascii}
        return saving.to_json(self, **how)


def become_functional(kind: type) -> Any:
    """Have a class of one's own that calls ``super().__init__(inputs, outputs)`` be one of functional models, which are
    given: as in Keras that is seen only then.

    Raises:
        UnsupportedError: it says in ``call`` what it computes too.
    """
    functional: Any = import_module("edgeling.models.functional").Functional
    if issubclass(kind, functional):
        return functional
    if kind.call is not Model.call:  # type: ignore[attr-defined]
        raise UnsupportedError(
            "a model has inputs and outputs, or call()", received=f"{kind.__name__} with both",
            remedy="super().__init__() without them",
        )  # fmt: skip
    for part in kind.__mro__:
        if Model in part.__bases__ and not is_ours(part):
            part.__bases__ = tuple(functional if base is Model else base for base in part.__bases__)
    return functional


def _require_one(x: Any) -> None:
    if isinstance(x, (list, tuple)) and len(x) > 1 and hasattr(x[0], "shape"):
        raise DataError(
            "a model whose inputs are not known yet is called on one array", received=f"{len(x)} arrays",
            remedy="Model(inputs, outputs), which tells them",
        )  # fmt: skip
