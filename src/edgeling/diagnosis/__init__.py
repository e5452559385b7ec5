# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a training run, and what to do about it: findings, and the statistics they rest on."""

from edgeling.diagnosis.finding import Finding, ranked

__all__ = ["Finding", "ranked"]
