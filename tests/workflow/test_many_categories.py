# SPDX-License-Identifier: Apache-2.0
"""Columns of hundreds of categories are learned, deployed and asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgeling
from edgeling.workflow.train import Trained, train

CATEGORIES, ROWS = 200, 4000


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    """An answer that each of two columns shifts, by category; a number that matters, and one of few categories."""
    rng = np.random.default_rng(5)
    shop, article = rng.integers(0, CATEGORIES, (2, ROWS))
    effect = rng.normal(size=(2, CATEGORIES))
    x = rng.normal(size=ROWS)
    told = effect[0, shop] + effect[1, article] + x > 0
    names = np.array([f"n{i:03d}" for i in range(CATEGORIES)])
    colour = np.array(["red", "green"])[rng.integers(0, 2, ROWS)]
    return {"x": x, "shop": names[shop], "colour": colour, "article": names[article], "y": np.where(told, "yes", "no")}


@pytest.fixture(scope="module")
def trained(data: dict[str, np.ndarray]) -> Trained:
    return train(data, "y", targets=["native", "cortex-m4"], recipe="plain")


def test_it_learns_what_one_hot_regression_learns(data: dict[str, np.ndarray], trained: Trained) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder

    parts = trained.division.parts
    encoder = OneHotEncoder(handle_unknown="ignore")
    one_hot = encoder.fit_transform(np.stack([data["shop"], data["article"]], axis=1)).toarray()
    rows = np.concatenate([one_hot, data["x"][:, None]], axis=1)
    learned = np.concatenate([parts.train, parts.validation])
    theirs = LogisticRegression(max_iter=200).fit(rows[learned], data["y"][learned])
    right = theirs.score(rows[parts.test], data["y"][parts.test])
    # Two deviations of a share of that many rows.
    room = 2 * np.sqrt(right * (1 - right) / len(parts.test))
    assert all(scores["accuracy"] > right - room for scores in trained.scores.values())


def test_a_category_takes_a_few_numbers_not_a_column(trained: Trained) -> None:
    preparation = trained.pipeline.preparation
    assert preparation.prepared_names == ("x", "colour=green", "colour=red", "shop", "article")
    assert [w.shape for w in trained.fitted.network.layers[0].weights] == [(2 * CATEGORIES, 4)]
    graph = trained.pipeline.deployable.graphs["float32"]
    assert max(kind.size for name, kind in graph.types.items() if name not in graph.constants) < 50
    assert (trained.settings.batch_size, trained.settings.learning_rate) == (256, 0.002)


def test_every_precision_is_proven_on_the_chip(trained: Trained) -> None:
    assert set(trained.proofs) == {"float32", "int8"}
    assert all(proof.matches for by_target in trained.proofs.values() for proof in by_target.values())


def test_what_matters_is_found(trained: Trained) -> None:
    assert trained.importance
    best = [trained.importance.feature_names[i] for i in trained.importance.ranking[:3]]
    assert set(best) == {"x", "shop", "article"}


def test_an_artifact_answers_alike_and_a_category_never_seen_counts_as_none(trained: Trained, tmp_path: Path) -> None:
    edgeling.save(trained, tmp_path / "shops.edgeling")
    loaded = edgeling.load(tmp_path / "shops.edgeling")
    table = {"x": [0.5, 0.5], "shop": ["n001", "new"], "colour": ["red", "red"], "article": ["", "n7"]}
    found = loaded.predict(table)
    assert found.values.tolist() == trained.pipeline.predict(table).values.tolist()
    assert found.strange
    assert edgeling.verify(tmp_path / "shops.edgeling")


def test_the_steps_may_be_chosen(data: dict[str, np.ndarray]) -> None:
    how = {"recipe": "plain", "targets": ["native"], "importance": False}
    few = train(data, "y", batch_size=64, learning_rate=0.01, epochs=1, **how)
    assert (few.settings.batch_size, few.settings.learning_rate) == (64, 0.01)
