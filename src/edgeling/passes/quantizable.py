# SPDX-License-Identifier: Apache-2.0
"""The quantisation table: where each operation may stand in an int8 network, or why it may not."""

from __future__ import annotations

from collections.abc import Mapping

PREPARATION = "before the first layer: taken over by the input's scales, or computed in float"
LAYER = "a layer: computed in int8"

_TRAINING = "it trains; an int8 network is deployed"
_INT8 = "it is int8 already"
_LATER = "its int8 form is not written yet"

QUANTIZATION: Mapping[str, str] = {
    **dict.fromkeys(("dense", "activation", "softmax"), LAYER),
    **dict.fromkeys(
        (
            "gather", "impute", "standardize", "calendar", "one_hot", "concatenate", "batch_normalization", "add",
            "subtract", "multiply", "divide", "clip", "square",
        ),
        PREPARATION,
    ),
    **dict.fromkeys(("quantize", "dense_int8", "lookup_int8", "softmax_int8", "dequantize"), _INT8),
    **dict.fromkeys(("log_softmax", "matmul", "sum", "broadcast", "reshape", "reciprocal_sqrt"), _LATER),
    "scan": _LATER,
    "scatter": _TRAINING,
    **dict.fromkeys(
        (
            "activation_gradient", "softmax_gradient", "log_softmax_gradient", "loss", "loss_gradient", "metric",
            "penalty", "penalty_gradient", "dropout_mask", "count", "sgd_update", "momentum_update", "rmsprop_update",
            "adagrad_update", "adam_update", "amsgrad_update", "adamax_update", "nadam_update", "lion_update",
            "adadelta_update", "ftrl_update", "lamb_update", "adafactor_update", "decay", "power_step", "adam_alpha",
            "adamax_alpha", "nadam_product", "norm", "clip_scale",
        ),
        _TRAINING,
    ),
}  # fmt: skip
