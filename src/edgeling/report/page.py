# SPDX-License-Identifier: Apache-2.0
"""The page as a whole."""

from __future__ import annotations

from importlib import resources

from edgeling.markup import Markup, element, join
from edgeling.report import deciding, deployment, diagnosing, evaluation, explaining, learning, selecting
from edgeling.report.comparing import comparison_section
from edgeling.report.content import Content
from edgeling.report.headline import headline
from edgeling.report.tuning import search_section


def render(content: Content) -> str:
    """One self-contained HTML5 page: no script, nothing fetched, the same text for the same content."""
    sections = (
        explaining.row_section,
        selecting.selection_section,
        diagnosing.diagnosis_section,
        learning.data_section,
        learning.training_section,
        _comparison,
        evaluation.evaluation_section,
        deciding.deciding_section,
        learning.importance_section,
        explaining.dependence_section,
        _search,
        deployment.network_section,
        deployment.deployment_section,
        deployment.explaining_section,
        deployment.reproduction_section,
    )
    body = element(
        "body", headline(content), element("main", *(build(content) for build in sections)), _footer(content)
    )
    return f"<!DOCTYPE html>\n{element('html', _head(content), body, lang='en')}\n"


class ReportPage(Content):
    """A content that a notebook shows as its page."""

    def _repr_html_(self) -> str:
        style = "width:100%;height:36em;border:1px solid rgba(128,128,128,0.4)"
        return element("iframe", srcdoc=render(self), sandbox="", style=style, title=f"{self.name}: report")

    def __repr__(self) -> str:
        return f"<report on {self.name}: a page in a notebook>"


def _comparison(content: Content) -> Markup | None:
    return comparison_section(content.comparison) if content.comparison else None


def _search(content: Content) -> Markup | None:
    return search_section(content.search) if content.search else None


def standalone(drawing: Markup) -> str:
    """A drawing as an SVG file: with its style, and nothing fetched."""
    head, _, rest = drawing.partition(">")
    style = element("style", Markup(_css()))
    return f'{head} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'


def _css() -> str:
    return resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")


def _head(content: Content) -> Markup:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("title", f"{content.name} · Edgeling report"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("style", Markup(_css())),
    )


def _footer(content: Content) -> Markup:
    version = content.reproduction.version if content.reproduction else ""
    made = f"Written by Edgeling {version}".rstrip()
    return element("footer", join(made, f", {content.created}" if content.created else None, "."))
