# SPDX-License-Identifier: Apache-2.0
"""Which of Keras's test files are run, and what of them is left out, by rules that can be read.

Left out is what is no part of these areas: storage by Orbax, sparse gradients, layers for images, quantized and
low-rank forms of Dense, and a warning that only Keras's JAX backend gives.
"""

from __future__ import annotations

import re
from pathlib import Path

AREAS: dict[str, tuple[str, ...]] = {
    "layers": (
        "layers/core/dense_test.py", "layers/core/input_layer_test.py", "layers/core/identity_test.py",
        "layers/activations/*_test.py", "layers/normalization/batch_normalization_test.py",
        "layers/regularization/*dropout_test.py", "layers/regularization/gaussian_noise_test.py",
        "layers/regularization/activity_regularization_test.py", "layers/reshaping/flatten_test.py",
        "layers/reshaping/reshape_test.py", "layers/preprocessing/normalization_test.py",
        "layers/preprocessing/rescaling_test.py",
    ),
    "core": (
        "layers/core/embedding_test.py", "layers/core/masking_test.py", "layers/core/einsum_dense_test.py",
        "layers/core/lambda_layer_test.py", "layers/core/wrapper_test.py", "layers/core/reversible_embedding_test.py",
    ),
    "recurrent": ("layers/rnn/*_test.py",),
    "attention": ("layers/attention/*_test.py",),
    "merging": ("layers/merging/*_test.py",),
    "normalization": ("layers/normalization/*_test.py",),
    "regularization": ("layers/regularization/*_test.py",),
    "convolution": ("layers/convolutional/*_test.py",),
    "pooling": ("layers/pooling/*_pooling_test.py",),
    "reshaping": ("layers/reshaping/*_test.py",),
    "preprocessing": ("layers/preprocessing/category_encoding_test.py", "layers/preprocessing/discretization_test.py"),
    "constraints": ("constraints/*_test.py",),
    "activations": ("activations/*_test.py",),
    "losses": ("losses/*_test.py",),
    "metrics": ("metrics/*_test.py",),
    "optimizers": ("optimizers/*_test.py",),
    "schedules": ("optimizers/schedules/*_test.py",),
    "callbacks": ("callbacks/*_test.py",),
    "initializers": ("initializers/*_test.py",),
    "regularizers": ("regularizers/*_test.py",),
    "Sequential": ("models/sequential_test.py",),
    "trainer": ("trainers/trainer_test.py",),
}  # fmt: skip
LEFT_OUT = ("orbax_checkpoint_test.py", "optimizer_sparse_test.py", "spatial_dropout_test.py")
LEFT_OUT_CASES = re.compile(
    r"test_\w*(quantize|lora|gptq|awq|int4|int8|float8|overwrite_with_gradient|TensorBoard_auto_trace)", re.IGNORECASE
)


NOT_PORTABLE = {
    "metrics/iou_metrics_test.py::MeanIoUTest.test_big_chunk":
        "asks that counts beyond 2 ** 24 be lost in float32; Edgeling's are exact",
    "layers/merging/merging_test.py::MergingLayersTest.test_concatenate_with_mask":
        "where all steps count Edgeling notes no mask, Keras one of ones",
}  # fmt: skip
"""Cases that ask for something else than Edgeling means to do, and why it does."""


def files_of(source: Path, area: str) -> list[Path]:
    """The area's test files, in order."""
    found = {path for pattern in AREAS[area] for path in source.glob(pattern)}
    return sorted(path for path in found if path.name not in LEFT_OUT)
