# SPDX-License-Identifier: Apache-2.0
"""Moving averages of the weights in the weights' place, for a while."""

from __future__ import annotations

from typing import Any

from edgeling.callbacks.core import Callback, Logs
from edgeling.errors import TrainingError
from edgeling.optimizers.averaging import average


class SwapEMAWeights(Callback):
    """Evaluates and validates with the moving averages of an optimizer that has ``use_ema=True``, and trains without.

    Args:
        swap_on_epoch: exchange them when an epoch ends until the next begins, so that what other callbacks save then
            are the averages too.

    Raises:
        TrainingError: the optimizer keeps no averages (when they are first exchanged).
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch, self._is_swapped = swap_on_epoch, False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._have_averages(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._have_averages(True)
            if epoch == self.params["epochs"] - 1:
                self._keep_averages()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._have_averages(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._have_averages(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._have_averages(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._have_averages(False)

    def _have_averages(self, wanted: bool) -> None:
        """Exchange the weights and their averages, unless the model has what is wanted."""
        self._require_averages()
        if wanted != self._is_swapped:
            state = self.model.optimizer_state
            for weight, name in self._averaged():
                state[name], weight.value = weight.value, state[name]
            self._is_swapped = wanted

    def _keep_averages(self) -> None:
        """What ends the fit has the averages in the weights' place: they are the averages from now on too."""
        for weight, name in self._averaged():
            self.model.optimizer_state[name] = weight.value

    def _averaged(self) -> list[tuple[Any, str]]:
        """Each weight that has an average, and the average's name."""
        names = ((weight, average(name)) for weight, name in self.model._as_network().names.items())
        return [(weight, name) for weight, name in names if name in self.model.optimizer_state]

    def _require_averages(self) -> None:
        if not getattr(self.model.optimizer, "use_ema", False):
            raise TrainingError(
                "SwapEMAWeights is for an optimizer that keeps averages", received="use_ema=False",
                remedy="optimizer=Adam(use_ema=True)",
            )  # fmt: skip
