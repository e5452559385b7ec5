"""The report: one self-contained page about one model."""

from edgeling.report.content import (
    ClassScore,
    Column,
    Content,
    DataSummary,
    Deployment,
    Evaluation,
    Layer,
    Network,
    Reproduction,
    TrainingSummary,
)
from edgeling.report.page import render

__all__ = [
    "ClassScore",
    "Column",
    "Content",
    "DataSummary",
    "Deployment",
    "Evaluation",
    "Layer",
    "Network",
    "Reproduction",
    "TrainingSummary",
    "render",
]
