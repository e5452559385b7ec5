# SPDX-License-Identifier: Apache-2.0
"""How weights move: Keras's optimizers, with its defaults and update rules."""

from edgeling.optimizers import schedules
from edgeling.optimizers.base import Optimizer
from edgeling.optimizers.rules import SGD, Adagrad, Adam, Adamax, AdamW, Nadam, RMSprop, get

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Adamax", "Nadam", "Optimizer", "RMSprop", "get", "schedules"]
