# SPDX-License-Identifier: Apache-2.0
"""How weights move: Keras's optimizers, with its defaults and update rules."""

from typing import Any

from edgeling.configurable import resolve, serialize, table_of
from edgeling.optimizers import schedules
from edgeling.optimizers.base import Optimizer
from edgeling.optimizers.more_rules import Adadelta, Adafactor, Ftrl, Lamb, Lion
from edgeling.optimizers.rules import SGD, Adagrad, Adam, Adamax, AdamW, Nadam, RMSprop

__all__ = [
    "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Nadam", "Optimizer",
    "RMSprop", "SGD", "deserialize", "get", "schedules", "serialize",
]  # fmt: skip

TABLE: dict[str, type[Optimizer]] = table_of(
    [SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Lion, Ftrl, Lamb, Adafactor],
    sgd=SGD, rmsprop=RMSprop, adamw=AdamW,
)  # fmt: skip


def get(identifier: Any) -> Optimizer:
    """An optimizer from its name, class, description or itself.

    Raises:
        UnsupportedError: no such optimizer.
    """
    if isinstance(identifier, str):
        identifier = identifier if identifier in TABLE else identifier.lower()
    return resolve("optimizer", Optimizer, TABLE, identifier)


deserialize = get
