# SPDX-License-Identifier: Apache-2.0
"""Fitted estimators of scikit-learn's as graphs. scikit-learn is not imported here: what is read are attributes."""

from edgeling.formats.scikit_learn.convert import Converted, converted, is_estimator, preparing

__all__ = ["Converted", "converted", "is_estimator", "preparing"]
