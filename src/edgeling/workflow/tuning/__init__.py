# SPDX-License-Identifier: Apache-2.0
"""Searching for networks under a device's limits: ``edgeling.tune``.

``space`` says what is searched, ``costs`` what a choice takes on the chip, ``trainer`` what it scores; ``search`` goes
through trials with a sampler of Optuna's, ``workers`` share them out, ``journal`` keeps them, ``front`` compares them.
"""
