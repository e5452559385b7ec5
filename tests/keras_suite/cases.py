# SPDX-License-Identifier: Apache-2.0
"""The assertions Keras's cases are written with, and what they check of any object and any layer, for Edgeling."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from absl.testing import parameterized

from edgeling import layers, models
from edgeling.configurable import custom_object_scope
from edgeling.saving import deserialize_keras_object, serialize_keras_object
from edgeling.utils import clear_session
from tests.keras_suite.outcomes import AcceptsError, InternalsError, NotThereError

_REFUSALS = (ValueError, TypeError)


class TestCase(parameterized.TestCase):
    """Keras's ``testing.TestCase``."""

    maxDiff = None

    def setUp(self) -> None:
        clear_session()

    def get_temp_dir(self) -> str:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def convert_to_numpy(self, x: Any) -> np.ndarray:
        return np.array(x)

    def assertAllClose(
        self, actual: Any, desired: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: Any = None, **_: Any
    ) -> None:
        np.testing.assert_allclose(np.array(actual), np.array(desired), atol=atol, rtol=rtol, err_msg=msg or "")

    def assertNotAllClose(self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: Any = None) -> None:
        assert not np.allclose(np.array(x1), np.array(x2), atol=atol, rtol=rtol), msg

    def assertAlmostEqual(self, actual: Any, desired: Any, decimal: int = 3, msg: Any = None, **_: Any) -> None:
        np.testing.assert_almost_equal(np.array(actual), np.array(desired), decimal=decimal, err_msg=msg or "")

    def assertAllEqual(self, actual: Any, desired: Any, msg: Any = None) -> None:
        np.testing.assert_array_equal(np.array(actual), np.array(desired), err_msg=msg or "")

    def assertLen(self, iterable: Any, expected_len: int, msg: Any = None) -> None:
        assert len(iterable) == expected_len, msg

    def assertDType(self, x: Any, dtype: Any, msg: Any = None) -> None:
        assert np.asarray(x).dtype == np.dtype(dtype), msg

    def assertWarnsRegex(self, expected: Any, expected_regex: Any, *args: Any, **kwargs: Any) -> Any:
        """Texts are our own, so they are not compared."""
        return self.assertWarns(expected, *args, **kwargs)

    def assertFileExists(self, path: Any) -> None:
        assert Path(path).is_file(), path

    def assertSparse(self, x: Any, sparse: bool = True) -> None:
        raise InternalsError("sparse tensors")

    def assertRagged(self, x: Any, ragged: bool = True) -> None:
        raise InternalsError("ragged tensors")

    def assertRaises(self, expected: Any, *args: Any, **kwargs: Any) -> Any:
        """The kind of error must be right; ValueError and TypeError count as one kind."""
        if not args:
            return raises(expected)
        with raises(expected):
            args[0](*args[1:], **kwargs)
        return None

    def assertRaisesRegex(self, expected: Any, expected_regex: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Texts are our own, so they are not compared."""
        del expected_regex
        return TestCase.assertRaises(self, expected, *args, **kwargs)  # noqa: PT027

    def run_class_serialization_test(self, instance: Any, custom_objects: Any = None) -> Any:
        """The configuration survives two ways of being read back."""
        config = instance.get_config()
        with custom_object_scope(custom_objects):
            again = type(instance).from_config(config)
            assert _plain(again.get_config()) == _plain(config)
            if not hasattr(instance, "module") or isinstance(instance, models.Model):
                return again
            revived = deserialize_keras_object(json.loads(_plain(serialize_keras_object(instance))))
        assert _plain(revived.get_config()) == _plain(config)
        return revived

    def run_layer_test(self, layer_cls: Any, init_kwargs: Any = None, **expected: Any) -> None:
        """Shapes, weights, values, serialization, a step of training: see :class:`LayerCheck`."""
        LayerCheck(self, layer_cls, init_kwargs or {}, expected).run()


@contextlib.contextmanager
def raises(expected: Any, match: Any = None) -> Iterator[Any]:
    """``pytest.raises`` without the texts, which are our own."""
    del match
    kinds = expected if isinstance(expected, tuple) else (expected,)
    kinds += _REFUSALS if any(issubclass(k, _REFUSALS) for k in kinds) else ()
    seen = _Seen()
    try:
        yield seen
    except (NotThereError, InternalsError):
        raise
    except kinds as error:
        seen.exception = error
        return
    raise AcceptsError(f"nothing raised where Keras raises {expected}")


class _Seen:
    exception: BaseException | None = None


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=lambda x: x.tolist())


class LayerCheck:
    """Keras's checks of any layer, as far as they are about what a person sees of it."""

    def __init__(self, case: TestCase, layer_cls: Any, kwargs: dict[str, Any], expected: dict[str, Any]) -> None:
        self._case, self._make, self._expected = case, lambda: layer_cls(**kwargs), expected
        if expected.get("input_sparse") or expected.get("input_ragged"):
            raise InternalsError("sparse and ragged tensors")

    def run(self) -> None:
        layer = self._make()
        self._case.run_class_serialization_test(layer, self._expected.get("custom_objects"))
        data = self._data()
        if data is None:
            return
        output = _called(layer, data)
        self._weights(layer)
        self._output(output)
        if self._expected.get("run_training_check", True) and type(layer) not in self._trained:
            self._trained.add(type(layer))  # once: each time it is compiled
            self._trains(data)

    _trained: ClassVar[set[type]] = set()

    def _data(self) -> Any:
        shape, data = self._expected.get("input_shape"), self._expected.get("input_data")
        if shape is None:
            return None if data is None else _each(np.asarray, data)
        draws, kind = np.random.default_rng(0), self._expected.get("input_dtype")
        shape = shape if _is_several(shape) else [shape]
        made = _each(lambda one: draws.uniform(0, 3, one).astype(kind or "float32"), shape)
        return made if len(made) > 1 else made[0]

    def _weights(self, layer: Any) -> None:
        assert layer.built
        count = self._expected.get("expected_num_trainable_weights")
        if count is not None:  # of what a layer keeps otherwise, its outputs tell
            self._case.assertLen(layer.trainable_weights, count)

    def _output(self, output: Any) -> None:
        wanted, shape = self._expected.get("expected_output"), self._expected.get("expected_output_shape")
        if wanted is not None:
            self._case.assertAllClose(output, wanted)
        if shape is not None:
            assert len(output.shape) == len(shape)
            assert all(n in (None, got) for n, got in zip(shape, output.shape, strict=True))

    def _trains(self, data: Any) -> None:
        inputs = _each(lambda x: layers.Input(x.shape[1:]), data)
        output = _called(self._make(), inputs)
        model = models.Model([*inputs.values()] if isinstance(inputs, dict) else inputs, output)
        model.compile(optimizer="sgd", loss="mse")
        given = [*data.values()] if isinstance(data, dict) else data
        model.fit(given, np.zeros_like(model.predict(given)), verbose=0)


def _called(layer: Any, given: Any) -> Any:
    """What a layer makes of an array, of several, or of several by the names of their shapes."""
    return layer(**{_argument(key): x for key, x in given.items()}) if isinstance(given, dict) else layer(given)


def _is_several(shape: Any) -> bool:
    return isinstance(shape, (dict, list)) or any(isinstance(n, (tuple, list)) for n in shape)


def _each(function: Any, data: Any) -> Any:
    """Of each of several: a mapping or a list of them; else of the one."""
    if isinstance(data, dict):
        return {key: function(x) for key, x in data.items()}
    several = isinstance(data, (list, tuple)) and bool(data) and not isinstance(data[0], (int, type(None)))
    return [function(x) for x in data] if several else function(data)


def _argument(shape_name: str) -> str:
    return shape_name.removesuffix("_shape")
