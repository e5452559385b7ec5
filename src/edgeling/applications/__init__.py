# SPDX-License-Identifier: Apache-2.0
"""Networks that are known to do well on small devices, each an ordinary model with new weights.

    function                    made for                        from
    mlp                         rows of a table
    ds_cnn                      keywords in 49 x 10 features    MLPerf Tiny; Zhang et al., "Hello Edge", 2017
    mobilenet_v1                a person in a picture           MLPerf Tiny; Howard et al., "MobileNets", 2017
    mobilenet_v2                pictures                        Sandler et al., "MobileNetV2", 2018
    resnet8                     small pictures                  MLPerf Tiny; He et al., 2016
    temporal_cnn                windows of sensors              Bai, Kolter, Koltun, 2018
    gru                         windows of sensors              Cho et al., 2014
    tiny_transformer            windows of sensors              Vaswani et al., 2017
    dense_autoencoder           anomalies in features           MLPerf Tiny
    convolutional_autoencoder   anomalies in pictures, windows  Hinton and Salakhutdinov, 2006

Each states what it takes as it stands (:data:`BUDGETS`); docs/applications.md has them beside one another.
``MobileNet`` and ``MobileNetV2`` are Keras's own, with its arguments and the names of its layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeling.applications.mobilenet import MobileNet, mobilenet_v1
from edgeling.applications.mobilenet_v2 import MobileNetV2, mobilenet_v2
from edgeling.applications.pictures import convolutional_autoencoder, ds_cnn, resnet8
from edgeling.applications.pixels import preprocess_input
from edgeling.applications.sequences import gru, temporal_cnn, tiny_transformer
from edgeling.applications.tables import dense_autoencoder, mlp

__all__ = [
    "BUDGETS", "MobileNet", "MobileNetV2", "convolutional_autoencoder", "dense_autoencoder", "ds_cnn", "gru",
    "mlp", "mobilenet_v1", "mobilenet_v2", "NetworkBudget", "resnet8", "temporal_cnn", "tiny_transformer",
]  # fmt: skip


@dataclass(frozen=True)
class NetworkBudget:
    """What a network takes as it stands, its arguments unchanged, in float32 C for a Cortex-M4.

    Attributes:
        parameters: those of batch normalisation included, which are no more in the C.
        weight_bytes: constants in flash.
        ram_bytes: the arena; one row and its answer, which are the caller's, come beside.
        multiply_accumulates: of one answer.
        int8: whether ``precision="int8"`` builds it too.
    """

    parameters: int
    weight_bytes: int
    ram_bytes: int
    multiply_accumulates: int
    int8: bool = False


BUDGETS: Mapping[str, NetworkBudget] = {
    "mlp": NetworkBudget(3_267, 13_068, 384, 3_168, int8=True),
    "ds_cnn": NetworkBudget(24_332, 90_776, 34_560, 2_656_768),
    "mobilenet_v1": NetworkBudget(219_058, 844_660, 221_184, 7_489_664),
    "mobilenet_v2": NetworkBudget(412_770, 1_569_780, 552_960, 10_656_688),
    "resnet8": NetworkBudget(78_426, 311_424, 196_608, 12_501_632),
    "temporal_cnn": NetworkBudget(10_726, 41_728, 32_768, 1_278_144),
    "gru": NetworkBudget(4_038, 16_212, 17_280, 467_136),
    "tiny_transformer": NetworkBudget(11_910, 47_940, 65_536, 983_232),
    "dense_autoencoder": NetworkBudget(269_992, 1_063_456, 1_056, 264_192, int8=True),
    "convolutional_autoencoder": NetworkBudget(3_141, 12_924, 49_152, 501_760),
}
"""By function: see :class:`NetworkBudget`; ``edgeling.build`` measures it with other arguments."""

# Keras has a module of that name: what it holds is found here too.
vars(mobilenet_v2).update(MobileNetV2=MobileNetV2, preprocess_input=preprocess_input)

_KERAS = (
    "ConvNeXt", "DenseNet", "EfficientNet", "Inception", "MobileNetV3", "NASNet", "ResNet", "VGG", "Xception",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name.startswith(_KERAS):
        told = "; use resnet8 or MobileNetV2, or load_model() of a file in which Keras saved its own"
        raise AttributeError(f"edgeling.applications has no {name}: it is made for servers{told}")
    raise AttributeError(f"module 'edgeling.applications' has no attribute {name!r}")
