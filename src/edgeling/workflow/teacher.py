# SPDX-License-Identifier: Apache-2.0
"""What a teacher answers, learned by a small network: distillation (Hinton, Vinyals and Dean, 2015).

A teacher is an estimator of scikit-learn's: by its name it is fitted here, to the rows that are learned from; one that
is fitted already is asked as it is, and nobody knows which rows it has seen. Nothing is ever unpickled. Synthetic rows,
in which some cells are another row's, let it tell more than the table does (as Bucila, Caruana and Niculescu-Mizil,
2006).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeling.data import Preparation
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import run_rows
from edgeling.graph.random import random_bits, random_uniform
from edgeling.graph.types import Array

SHORT_NAMES = {
    "boosted-trees": "HistGradientBoosting",
    "random-forest": "RandomForest",
    "extra-trees": "ExtraTrees",
    "nearest-neighbors": "KNeighbors",
}
SYNTHETIC_SHARE, MOST_SYNTHETIC = 3, 20_000  # synthetic rows for each real one; and at the most
EXCHANGED = 0.3  # the share of a synthetic row's cells that are another row's
TRUTH = 0.3  # how much the truth counts beside what the teacher says, on real rows
_STREAM = 0x7EAC


def estimator_named(name: str, classes: bool) -> Any:
    """An unfitted estimator of scikit-learn's, by its class's name, with or without "Classifier" or "Regressor".

    Raises:
        UnsupportedError: there is none, or scikit-learn is not installed.
    """
    try:
        from sklearn.utils import all_estimators
    except ImportError:
        raise UnsupportedError(
            "a teacher is an estimator of scikit-learn's", received="no scikit-learn",
            remedy="pip install 'edgeling[scikit-learn]'",
        ) from None  # fmt: skip
    kind = "classifier" if classes else "regressor"
    known = dict(all_estimators(type_filter=kind))
    stem = SHORT_NAMES.get(name, name)
    found = known.get(stem) or known.get(stem + kind.capitalize())
    if found is None or (classes and not hasattr(found, "predict_proba")):
        raise UnsupportedError(
            f"a teacher is a {kind} of scikit-learn's{' that tells probabilities' if classes else ''}",
            received=repr(name), remedy=f"{', '.join(SHORT_NAMES)}, or a class's name such as HistGradientBoosting",
        )  # fmt: skip
    parameters = found().get_params()
    return found(**({"random_state": 0} if "random_state" in parameters else {}))


@dataclass(frozen=True, eq=False)
class Teacher:
    """An estimator, and what it is asked with.

    Attributes:
        estimator: a name, or a fitted estimator: of a frame with the table's columns, or of these as numbers in order.
        raw: float32 [rows, raw columns] of the whole table.
        taught: what was fitted, by the rows it was fitted to.
    """

    estimator: Any
    raw: Array
    preparation: Preparation
    taught: dict[bytes, Any] = field(default_factory=dict)

    def lesson(self, rows: Array, x: Array, y: Array, seed: int) -> tuple[Array, Array]:
        """Rows to learn from, [n, columns], and what is to be answered, [n, outputs]: these, and synthetic ones.

        Args:
            rows: positions of rows.
            x: those rows, prepared.
            y: their truth, as the network's last layer gives it: codes, or standardised numbers.
        """
        raw = np.concatenate([self.raw[rows], self._synthetic(rows, seed)])
        wide = np.concatenate([x, run_rows(self.preparation.graph(), raw[len(rows) :])[0]])
        told = self._told(rows, x, y, wide, raw)
        told[: len(rows)] = (1 - TRUTH) * told[: len(rows)] + TRUTH * self._as_answers(y)
        return wide, told

    def _synthetic(self, rows: Array, seed: int) -> Array:
        """Rows of which some cells are another row's: float32 [n, raw columns]."""
        count = min(SYNTHETIC_SHARE * len(rows), MOST_SYNTHETIC)
        first, second = (random_bits(count, seed=seed, stream=_STREAM, substream=i) % len(rows) for i in (0, 1))
        dice = random_uniform(count * self.raw.shape[1], seed=seed, stream=_STREAM, substream=2)
        swapped = dice.reshape(count, -1) < EXCHANGED
        return np.where(swapped, self.raw[rows[second]], self.raw[rows[first]])

    @property
    def is_fitted_here(self) -> bool:
        """To the rows that are learned from, and no others."""
        return isinstance(self.estimator, str)

    @property
    def name(self) -> str:
        """For people."""
        return self.estimator if isinstance(self.estimator, str) else type(self.estimator).__name__

    def answers(self, rows: Array, x: Array, y: Array, asked: Array) -> Array:
        """What one fitted here answers for prepared rows: float32 [n, outputs].

        Args:
            rows, x, y: what it is fitted to, as in :meth:`lesson`.
        """
        return self._asked(self._fitted(rows, x, y), asked)

    def _told(self, rows: Array, x: Array, y: Array, wide: Array, raw: Array) -> Array:
        if self.is_fitted_here:
            return self.answers(rows, x, y, wide)
        *others, last = _in_columns(self.estimator, raw, self.preparation)
        for each in others:
            with suppress(DataError):
                return self._asked(self.estimator, each)
        return self._asked(self.estimator, last)

    def _asked(self, fitted: Any, asked: Any) -> Array:
        """The teacher's answers, float32 [n, outputs]."""
        target = self.preparation.target
        try:
            if not target.labels:
                found = np.asarray(fitted.predict(asked), np.float64).reshape(-1, 1)
                return found.astype(np.float32) if self.is_fitted_here else target.encoded(found)
            shares = np.asarray(fitted.predict_proba(asked), np.float32)
        except (ValueError, AttributeError, TypeError) as error:
            raise DataError(
                "the teacher answers rows of the table's columns, as numbers in their order",
                received=f"{type(fitted).__name__}: {error}", remedy="a teacher by its name, which is fitted here",
            ) from error  # fmt: skip
        every = shares[:, _places(fitted.classes_, target.labels, self.is_fitted_here)]
        return every[:, 1:] if len(target.labels) == 2 else every

    def _fitted(self, rows: Array, x: Array, y: Array) -> Any:
        key = rows.tobytes()
        if key not in self.taught:
            estimator = estimator_named(self.estimator, bool(self.preparation.target.labels))
            self.taught[key] = estimator.fit(x, y)
        return self.taught[key]

    def _as_answers(self, y: Array) -> Array:
        labels = self.preparation.target.labels
        if len(labels) > 2:
            return np.eye(len(labels), dtype=np.float32)[y]
        return np.asarray(y, np.float32).reshape(-1, 1)


def _in_columns(fitted: Any, raw: Array, preparation: Preparation) -> list[Any]:
    """Rows as a fitted estimator may know them: one that has learned names, by name in a frame.

    Categories there are texts, as objects or of the type made for them, or else numbers.
    """
    if not hasattr(fitted, "feature_names_in_"):
        return [raw]
    import pandas as pd  # type: ignore[import-untyped]

    frame = pd.DataFrame(raw, columns=list(preparation.names))
    lacking = [name for name in fitted.feature_names_in_ if name not in frame.columns]
    if lacking:
        raise DataError(
            "the teacher's columns are in the table", received=f"none named {lacking[0]!r}",
            remedy="a teacher fitted on this table's columns",
        )  # fmt: skip
    texts = {}
    for i, feature in preparation.categorical:
        words = np.array([*feature.categories, np.nan], object)
        known = (raw[:, i] >= 0) & (raw[:, i] < len(feature.categories))
        texts[feature.name] = words[np.where(known, raw[:, i], len(feature.categories)).astype(np.int64)]
    own = list(fitted.feature_names_in_)
    if not texts:
        return [frame[own]]
    told = frame.assign(**texts)
    return [told[own], told.astype(dict.fromkeys(texts, "category"))[own], frame[own]]


def _places(classes: Any, labels: tuple[str, ...], named: bool) -> list[int]:
    """Where each label is among the teacher's classes."""
    from edgeling.data.table import number_text

    if named:
        texts = [labels[int(code)] for code in classes]
    else:
        plain = (each.item() if isinstance(each, np.generic) else each for each in classes)
        texts = [number_text(float(each)) if isinstance(each, (int, float)) else str(each) for each in plain]
    lacking = [label for label in labels if label not in texts]
    if lacking:
        raise DataError(
            "the teacher knows every class", received=f"none called {lacking[0]!r} among {', '.join(texts[:10])}",
            remedy="a teacher fitted on this table's target",
        )  # fmt: skip
    return [texts.index(label) for label in labels]
