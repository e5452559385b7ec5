# SPDX-License-Identifier: Apache-2.0
"""A page of the web that answers while one types: one file, WebAssembly inside, nothing fetched."""

from __future__ import annotations

import base64
import html
import json
from dataclasses import asdict
from typing import Any

from edgeling.codegen.program import Port
from edgeling.packages.columns import InputColumn
from edgeling.packages.readme import one_line
from edgeling.packages.shipment import Shipment
from edgeling.packages.text_c import template
from edgeling.packages.typical import moment, typed
from edgeling.toolchain import wasm


def web_files(shipment: Shipment) -> dict[str, str]:
    """``index.html``.

    Raises:
        CompilerNotFoundError: the package ziglang is not installed.
    """
    called = tuple(filter(None, (_called(shipment), _why(shipment))))
    module = wasm.build(shipment.program, shipment.target, more=called)
    page = template("web/page.html", {
        "TITLE": html.escape(one_line(shipment.answer)), "STYLE": template("web/page.css", {}),
        "FACTS": _facts(shipment), "MODEL": _in_script(_model(shipment)),
        "CODE": base64.b64encode(module.path.read_bytes()).decode(), "SCRIPT": template("web/page.js", {}),
    })  # fmt: skip
    return {"index.html": page}


def _called(shipment: Shipment) -> str:
    return f"{shipment.name}_classify" if shipment.interface.decision else shipment.run.function


def _why(shipment: Shipment) -> str:
    return shipment.why.function if shipment.why else ""


def _model(shipment: Shipment) -> dict[str, Any]:
    """What the page knows of the network."""
    program, run, why = shipment.program, shipment.run, shipment.why
    return {
        "columns": [_column(column) for column in shipment.columns] if shipment.is_named else [],
        "size": len(shipment.columns), "usual": " ".join(typed(column) for column in shipment.columns),
        "inputs": list(map(_port, run.inputs)), "outputs": list(map(_port, run.outputs)),
        "run": _called(shipment), "start": program.initializer, "weights": program.weights_bytes,
        "arena": program.arena_bytes, "takesWeights": bool(run.weights), "takesArena": run.takes_arena,
        "keeps": run.weights == "updated", "decides": bool(shipment.interface.decision), "labels": shipment.labels,
        "why": _why(shipment), "whyTakesArena": bool(why and why.takes_arena),
        "reasons": list(map(_port, why.outputs[1:])) if why else [],
    }  # fmt: skip


def _port(port: Port) -> dict[str, Any]:
    return {"name": port.name, "type": port.type.dtype.c_name, "size": port.type.size}


def _column(column: InputColumn) -> dict[str, Any]:
    typical = moment(column, "T") if column.held in ("days", "minutes") else typed(column)
    told = {**asdict(column), "typical": typical, "sentence": column.sentence}
    return {_camel(key): value for key, value in told.items()}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _in_script(value: Any) -> str:
    """JSON that ends no script, whatever texts are in it."""
    text = json.dumps(value)  # ASCII, so no separator of lines is left either
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _facts(shipment: Shipment) -> str:
    told = {"model": shipment.program.model_hash[:16], "precision": shipment.precision, **shipment.figures}
    return "".join(f"<tr><td>{html.escape(k)}</td><td>{html.escape(v)}</td></tr>" for k, v in told.items())
