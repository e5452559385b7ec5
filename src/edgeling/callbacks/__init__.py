# SPDX-License-Identifier: Apache-2.0
"""What happens between epochs: Keras's callbacks. Own subclasses of :class:`Callback` override the hooks they need.

Hooks of single batches cost speed only where they are overridden: without them whole epochs run natively.
"""

from edgeling.callbacks.backup import BackupAndRestore
from edgeling.callbacks.core import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    Monitor,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from edgeling.callbacks.diagnose import Diagnose
from edgeling.callbacks.swapping import SwapEMAWeights
from edgeling.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "Diagnose", "EarlyStopping", "History",
    "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "Monitor", "ReduceLROnPlateau", "SwapEMAWeights",
    "TensorBoard", "TerminateOnNaN",
]  # fmt: skip
