# SPDX-License-Identifier: Apache-2.0
"""What a trained model pays attention to."""

from edgeling.explaining.importance import PermutationImportance, permutation_importance

__all__ = ["PermutationImportance", "permutation_importance"]
