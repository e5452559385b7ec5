# SPDX-License-Identifier: Apache-2.0
"""What a model file says of training: optimizer, loss and metrics in the forms of Keras 3 and 2."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from edgeling import losses
from edgeling.errors import EdgelingError
from edgeling.formats.archive import distrust
from edgeling.formats.description import function_name, refuse_custom
from edgeling.models import Sequential

_KERAS_2_ONLY = ("decay", "is_legacy_optimizer")


def compile_model(model: Sequential, config: Any) -> bool:
    """Compile as the file says. What is not supported is named in a warning, and the model left as it is.

    Predictions do not depend on any of this: a metric that Edgeling lacks is no reason to refuse a network.

    Returns:
        Whether the model is compiled.
    """
    if not config:
        return False
    try:
        with distrust("compile settings"):
            model.compile(**arguments(config))
    except EdgelingError as error:
        message = f"the file's training settings are left out, call compile(...) before fit or evaluate: {error}"
        warnings.warn(message, stacklevel=4)
        return False
    return True


def arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of ``compile`` that a file's settings stand for.

    Raises:
        UnsupportedError: custom objects, or a loss that is not supported.
    """
    refuse_custom(config)
    loss = _loss(config.get("loss"))
    return {
        "optimizer": _optimizer(config["optimizer"]),
        "loss": losses.get(loss) if isinstance(loss, Mapping) else loss,
        "loss_weights": config.get("loss_weights"),
        "metrics": _metrics(config.get("metrics")),
        "weighted_metrics": _metrics(config.get("weighted_metrics")),
    }


def from_keras_2(config: Mapping[str, Any]) -> dict[str, Any]:
    """The ``training_config`` of an ``.h5`` file in the form of Keras 3."""
    return {**config, "optimizer": config.get("optimizer_config")}


def _optimizer(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    settings = dict(given.get("config") or {})
    for key in _KERAS_2_ONLY:
        if not settings.get(key):
            settings.pop(key, None)
    return {**given, "config": settings}


def _loss(given: Any) -> Any:
    """One loss, taken out of a list or a mapping of outputs; Keras 2's reduction "auto" by its meaning."""
    given = function_name(given)
    if isinstance(given, Mapping) and "class_name" not in given:
        given = list(given.values())
    if isinstance(given, (list, tuple)) and len(given) == 1:
        return _loss(given[0])
    if isinstance(given, Mapping) and isinstance(settings := given.get("config"), Mapping):
        reduction = settings.get("reduction", "sum_over_batch_size")
        kept = {key: value for key, value in settings.items() if key != "fn"}
        return {**given, "config": {**kept, "reduction": "sum_over_batch_size" if reduction == "auto" else reduction}}
    return given


def _metrics(given: Any) -> list[Any]:
    """A flat list of metrics, taken out of lists and mappings of outputs."""
    if given is None:
        return []
    if isinstance(given, Mapping) and "class_name" not in given:
        given = list(given.values())
    if isinstance(given, (list, tuple)):
        return [metric for part in given for metric in _metrics(part)]
    return [function_name(given)]
