# SPDX-License-Identifier: Apache-2.0
"""The section of what is wrong with a run, and what to do about it."""

from __future__ import annotations

from edgeling.markup import Markup, element
from edgeling.report.content import Content
from edgeling.report.parts import section, strong

_MARKS = {"error": "Wrong", "warning": "Could be better", "hint": "Worth knowing"}


def diagnosis_section(content: Content) -> Markup | None:
    """Each finding: what was seen, what to do; nothing where nothing was found."""
    if not content.findings:
        return None
    lines = (element("li", strong(f"{_MARKS[f.severity]}: "), str(f)) for f in content.findings)
    return section("What is wrong, and what to do", element("div", element("ul", *lines), class_="warnings"))
