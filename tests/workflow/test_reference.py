# SPDX-License-Identifier: Apache-2.0
"""The linear reference is scikit-learn's ridge and logistic regression."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.workflow.reference import RIDGE_STRENGTHS, STEEPEST, logistic, ridge
from tests.support.close import DOUBLE, require_close

RNG = np.random.default_rng(11)
X = RNG.normal(size=(90, 4)) @ RNG.normal(size=(4, 4))


@pytest.mark.parametrize(("columns", "strengths"), [(4, [1.0]), (80, RIDGE_STRENGTHS)])
def test_ridge_is_ridge_of_the_usual_strength_unless_leaving_out_each_row_says_otherwise(
    columns: int, strengths: list[float]
) -> None:
    """With nearly as many columns as rows, only a strong hand keeps noise out."""
    from sklearn.linear_model import RidgeCV

    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, columns))
    y = x[:, 0] - 2 * x[:, 1] + 3 + 4 * rng.normal(size=len(x))
    weights, bias = ridge(x, y)
    theirs = RidgeCV(alphas=strengths).fit(x, y)
    assert (theirs.alpha_ > 1) == (columns > 4)
    # A system solved two ways: its condition number, times roundings that grow with what is summed.
    condition = np.linalg.cond(x - x.mean(axis=0)) ** 2
    require_close(weights[:, 0], theirs.coef_, condition * len(x), of=np.abs(theirs.coef_).max(), unit=DOUBLE)
    require_close(bias[0], theirs.intercept_, condition * len(x), of=np.abs(y).max(), unit=DOUBLE)


@pytest.mark.parametrize("columns", [0, 1])
def test_ridge_of_constant_columns_or_none_tells_the_mean(columns: int) -> None:
    weights, bias = ridge(np.ones((5, columns)), np.arange(5.0))
    assert weights.shape == (columns, 1)
    assert bias[0] == 2.0


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_is_as_good_as_scikit_learns(classes: int, strength: float) -> None:
    """Of a convex function, what is lost is at most the slope times the way: that slope is where ours stops."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    codes = np.digitize(X[:, 0] + X[:, 1] + RNG.normal(size=len(X)), [-1.0, 1.0][: classes - 1])
    counts = RNG.uniform(0.5, 2, len(X))
    theirs = LogisticRegression(C=1 / strength, tol=1e-10, max_iter=10_000).fit(X, codes, sample_weight=counts)
    mine = logistic(X, codes, classes, strength, counts)
    other = np.vstack([theirs.coef_.T, theirs.intercept_])

    def loss(w: np.ndarray) -> float:
        logits = X @ w[:-1] + w[-1]
        logits = np.hstack([np.zeros((len(X), 1)), logits]) if classes == 2 else logits
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        told = log_loss(codes, shares, sample_weight=counts, normalize=False, labels=range(classes))
        return float(told + 0.5 * strength * np.sum(w[:-1] ** 2))

    assert loss(mine) - loss(other) <= STEEPEST * counts.sum() * np.abs(mine - other).sum()
    assert loss(mine) < loss(np.zeros_like(mine))
