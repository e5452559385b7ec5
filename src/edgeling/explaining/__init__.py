# SPDX-License-Identifier: Apache-2.0
"""What a trained model pays attention to."""

from edgeling.explaining.first_layer import updated_first_layer
from edgeling.explaining.importance import PermutationImportance, permutation_importance

__all__ = ["PermutationImportance", "permutation_importance", "updated_first_layer"]
