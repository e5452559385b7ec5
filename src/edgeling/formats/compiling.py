# SPDX-License-Identifier: Apache-2.0
"""What a model file says of training: optimizer, loss and metrics in the forms of Keras 3 and 2.

Each is taken over by itself. Predictions depend on none of them, and the others not on one that Edgeling lacks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from edgeling import losses, metrics, optimizers
from edgeling.checking import whole
from edgeling.configurable import custom_object, refuse_custom
from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.formats.archive import distrust
from edgeling.models import Model
from edgeling.models.arguments import leaves

_KERAS_2_ONLY = ("decay", "is_legacy_optimizer")
_HOW = ("run_eagerly", "steps_per_execution", "jit_compile")
_AGAIN = "call compile(...) to train or judge with another"


def compile_model(model: Model, config: Any) -> None:
    """Compile as the file says, as far as that is supported: everything else is left out, each in a warning of its own.

    Without its optimizer a model can still be evaluated, and without its loss it keeps optimizer and metrics.
    """
    if not config:
        return
    settings, left_out = supported(config)
    left_out += _of_one_output(model, settings)
    optimizer = settings.pop("optimizer")
    if optimizer is None:
        model._judge_by(settings["loss"], settings["metrics"], settings["weighted_metrics"], settings["loss_weights"])
    else:
        model.compile(optimizer, **settings)
    for what, error in left_out:
        warnings.warn(f"{what} of the loaded model is left out, {_AGAIN}: {error}", stacklevel=4)


def _of_one_output(model: Model, settings: dict[str, Any]) -> list[Omission]:
    """What a model of one output cannot be told, taken out of its settings: several losses, a weight of its loss."""
    omissions: list[Omission] = []
    if model.built and len(model.output_rows) > 1:
        return omissions
    if len(list(leaves(settings["loss"]))) > 1:
        settings["loss"] = None
        omissions.append(
            (
                "the losses",
                UnsupportedError(
                    "a model of one output has one loss",
                    received="several",
                    remedy="name the one loss, such as loss='mse'",
                ),
            )
        )
    if settings["loss_weights"] is not None:
        received, settings["loss_weights"] = repr(settings["loss_weights"]), None
        omissions.append(
            (
                "the setting loss_weights=",
                UnsupportedError("one loss has no weight", received=received, remedy="weight rows with sample_weight"),
            )
        )
    return omissions


def require_supported(config: Any) -> None:
    """Raise unless all of a file's settings can be taken over.

    Raises:
        UnsupportedError: they cannot.
    """
    for _, error in supported(config)[1] if config else ():
        raise error


Omission = tuple[str, EdgelingError]


def supported(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Omission]]:
    """The arguments of ``compile`` that a file's settings stand for, and what cannot be taken over, and why."""
    left_out: list[Omission] = []

    def found(what: str, get: Callable[[Any], Any], given: Any) -> Any:
        if given is None:
            return None
        try:
            with distrust("compile settings"):
                return get(given)
        except EdgelingError as error:
            left_out.append((f"the {what}{_name(given)}", error))
            return None

    def metrics_of(key: str) -> Any:
        return _each(config.get(key), lambda given: found("metric ", _metric, given))

    settings = {
        "optimizer": found("optimizer ", _optimizer, config.get("optimizer")),
        "loss": _each(config.get("loss"), lambda given: found("loss ", _loss, given)),
        "loss_weights": found("setting loss_weights=", _loss_weights, config.get("loss_weights")),
        "metrics": metrics_of("metrics"),
        "weighted_metrics": metrics_of("weighted_metrics"),
        **{key: config[key] for key in _HOW if found(f"setting {key}=", _how, config.get(key)) is not None},
    }
    return settings, left_out


def _each(told: Any, found: Callable[[Any], Any]) -> Any:
    """What stands in lists and mappings of outputs, taken over; what is left out is not in them."""
    if isinstance(told, Mapping) and "class_name" not in told:
        return {str(key): _each(value, found) for key, value in told.items()}
    if isinstance(told, (list, tuple)):
        made = [_each(value, found) for value in told]
        return [new for old, new in zip(told, made, strict=True) if new is not None or old is None]
    return None if told is None else found(told)


def from_keras_2(config: Mapping[str, Any]) -> dict[str, Any]:
    """The ``training_config`` of an ``.h5`` file in the form of Keras 3."""
    return {**config, "optimizer": config.get("optimizer_config")}


def _name(given: Any) -> str:
    """What a person calls it: ``'AUC'``."""
    if not isinstance(given, Mapping):
        return repr(getattr(given, "__name__", given))
    held = given.get("config")
    if given.get("class_name") == "function":
        return repr(held)
    own = held.get("name") if isinstance(held, Mapping) else None
    kind = given.get("class_name", "of several outputs")
    return f"{kind!r}" + (f" (named {own!r})" if own else "")


def _optimizer(given: Any) -> optimizers.Optimizer:
    if not isinstance(given, Mapping):
        return optimizers.get(given)
    settings = dict(given.get("config") or {})
    for key in _KERAS_2_ONLY:
        if not settings.get(key):
            settings.pop(key, None)
    return optimizers.get({**given, "config": settings})


def _loss(given: Any) -> Any:
    """A loss; Keras 2's reduction "auto" by its meaning."""
    loss = _function("loss", given)
    refuse_custom(loss)
    if isinstance(loss, Mapping) and isinstance(settings := loss.get("config"), Mapping):
        reduction = settings.get("reduction", "sum_over_batch_size")
        kept = {key: value for key, value in settings.items() if key != "fn"}
        loss = {**loss, "config": {**kept, "reduction": "sum_over_batch_size" if reduction == "auto" else reduction}}
    if isinstance(loss, str) and custom_object(loss) is not None:
        return custom_object(loss)
    found = losses.get(loss)  # "crossentropy" depends on the model's width and stays a name
    found = getattr(found, "owner", found)  # of a loss of one's own the object itself
    return found if isinstance(loss, Mapping) else loss


def _metric(given: Any) -> Any:
    """What ``compile`` takes, if the metric is there."""
    metric = _function("metric", given)
    refuse_custom(metric)
    if isinstance(metric, Mapping) and metric.get("class_name") == "MeanMetricWrapper":
        settings = {key: value for key, value in metric["config"].items() if key != "fn"}
        return metrics.MeanMetricWrapper(_named_function("metric", metric["config"].get("fn")), **settings)
    if isinstance(metric, str) and custom_object(metric) is not None:
        return custom_object(metric)
    found = metrics.get(metric, 1)
    return found if isinstance(metric, Mapping) else metric


def _function(what: str, given: Any) -> Any:
    """One of Keras's functions by its name in full, where a function is described; anything else as it is.

    A user's function has only its name in a file: ``mse`` is none of Keras's, whose function of it goes by its name in
    full.
    """
    described = isinstance(given, Mapping) and given.get("class_name") == "function"
    return _named_function(what, given) if described else given


def _named_function(what: str, given: Any) -> Any:
    refuse_custom(given)
    name = str(given.get("config") if isinstance(given, Mapping) else given)
    if custom_object(name) is not None:
        return custom_object(name)
    known: Mapping[str, Any] = losses.FUNCTIONS if what == "loss" else metrics.FUNCTIONS
    if name not in known:
        raise UnsupportedError(
            f"a {what} that is a function is one of Keras's", received=repr(name), remedy=f"one of {sorted(known)}"
        )
    return known[name]


def _how(given: Any) -> Any:
    return given if given in ("auto", 0, 1) else whole("steps_per_execution", given)


def _loss_weights(given: Any) -> Any:
    weights = list(leaves(given)) if isinstance(given, (Mapping, list, tuple)) else [given]
    return None if weights in ([], [1], [None]) else given
