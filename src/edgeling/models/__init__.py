# SPDX-License-Identifier: Apache-2.0
"""Models with Keras's face: made of layers, compiled to C when they train or predict."""

from edgeling.models.functional import Functional
from edgeling.models.model import Model
from edgeling.models.saving import clone_model, load_model, model_from_json, save_model
from edgeling.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
