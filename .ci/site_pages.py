# SPDX-License-Identifier: Apache-2.0
"""Pages of the site that are not files of docs/: those of the root, and the reference, made of the docstrings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
# Files of the root, and what they are on the site. Links to them, and from them, are followed there.
PAGES = {
    "README.md": "index.md",
    "README.zh.md": "zh/index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
# Modules of the reference, in order; of the package itself each function where it is defined.
MODULES = (
    "activations", "applications", "callbacks", "constraints", "initializers", "layers", "losses", "metrics", "models",
    "ops", "optimizers", "regularizers", "sklearn", "targets", "utils", "errors",
)  # fmt: skip
# A function that has the name of the module it is in.
HIDDEN = {"applications": "edgeling.applications.mobilenet_v2.mobilenet_v2"}
LINK = re.compile(r"\]\(([^)#:]+)(#[^)]*)?\)")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=_moved((ROOT / source).read_text("utf-8"), "", page)))
    for page, text in reference().items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Have links of the pages of docs/ to files of the root lead to their pages."""
    at = page.file.src_uri
    return markdown if page.file.generated_by else _moved(markdown, "docs", at)


def _moved(text: str, folder: str, page: str) -> str:
    """A page with its links as they are on the site.

    Args:
        folder: where in the repository the page's tree begins: ``docs``, or the root.
        page: its place on the site.
    """
    here = Path(folder) / page if folder else Path(page).name

    def follow(found: re.Match[str]) -> str:
        target, anchor = found[1], found[2] or ""
        there = (ROOT / here).parent / target
        try:
            name = there.resolve().relative_to(ROOT.resolve()).as_posix()
        except ValueError:
            return found[0]
        place = PAGES.get(name) or (name.removeprefix("docs/") if name.startswith("docs/") else None)
        if place is None:
            return found[0]
        place = place if not there.is_dir() else f"{place}/decisions.md"
        return f"]({'../' * page.count('/')}{place}{anchor})"

    parts = FENCE.split(text)
    return "".join(part if part.startswith("```") else LINK.sub(follow, part) for part in parts)


def reference() -> dict[str, str]:
    """The pages of the reference, by their places."""
    import edgeling

    functions = "\n\n".join(f"::: {home}.{name}" for name, home in edgeling._FUNCTIONS.items() if ".workflow." in home)
    listed = "\n".join(f"- [edgeling.{name}]({name}.md)" for name in MODULES)
    said = "What arguments mean that many have is said [on one page](../arguments.md)."
    pages = {"reference/index.md": f"# The Python interface\n\n{said}\n\n{listed}\n\n{functions}\n"}
    for name in MODULES:
        hidden = f"\n::: {HIDDEN[name]}\n" if name in HIDDEN else ""
        pages[f"reference/{name}.md"] = f"# edgeling.{name}\n\n::: edgeling.{name}\n    options: {OPTIONS}\n{hidden}"
    return pages


OPTIONS = "{show_root_heading: false, show_root_toc_entry: false, members: true}"
