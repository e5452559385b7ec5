# SPDX-License-Identifier: Apache-2.0
"""C for a target, written to a folder and measured: ``edgeling.build``; and run there: ``edgeling.verify``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Unpack

from edgeling import targets
from edgeling.codegen.interface import Interface
from edgeling.codegen.program import Program
from edgeling.errors import UnsupportedError
from edgeling.explaining.proof import ExplanationProof
from edgeling.graph import Graph
from edgeling.models import Model
from edgeling.notebook.waiting import told_if_long
from edgeling.packages.kinds import package_kind
from edgeling.packages.names import legal_name
from edgeling.passes.quantize import quantize
from edgeling.targets import Target
from edgeling.toolchain.prove import Proof
from edgeling.toolchain.prove_learning import LearningProof
from edgeling.workflow.deploy import PRECISIONS, PROOF_ROWS, Deployable, deployable, identifier
from edgeling.workflow.deployed import DeployedGraph
from edgeling.workflow.ends import with_golden, with_integer_ends
from edgeling.workflow.explained import background_of, prove_explanation, with_explanation
from edgeling.workflow.folder import write_build
from edgeling.workflow.kept import prove_kept, with_kept
from edgeling.workflow.learning import Learning, LearningModel, LearningOptions, learning_model
from edgeling.workflow.opening import Found, Source, graph_of, opened, prepared, stem_of, with_steps
from edgeling.workflow.packaging import packed
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.ports import normal_rows, rows_of_ports
from edgeling.workflow.provable import proven_on
from edgeling.workflow.shipped import Sources, edited_files, with_shipped

BUFFERS = ("float32", "int8")  # what a caller may hold


@dataclass(frozen=True, eq=False)
class Explaining:
    """How a program is to explain itself.

    Attributes:
        method: ``"gradient"``, ``"integrated"`` or ``"shapley"`` (up to 12 columns).
        reasons: how many columns ``NAME_reasons`` names; None: two; 0: there is no such function.
        background: [rows, n] inputs to compare with (up to 8 stand in flash); None: averages that the artifact tells.
        model_output: ``"probability"``, or ``"raw"``: the score before the last sigmoid or softmax (log-odds, logits).
    """

    method: str
    reasons: int | None
    background: Any
    model_output: str = "probability"


@dataclass(frozen=True, eq=False)
class Made:
    """A program, the graph it runs, and what it tells of itself."""

    program: Program
    graph: Graph
    interface: Interface | None
    precision: str


@dataclass(frozen=True, kw_only=True)
class Verification(Proof):
    """What a program did on a target.

    Attributes:
        matches: whether the answers agree and, where the C lies in an artifact, it is what the graph gives.
        precision: what ``"auto"`` came to.
        ran: ``"shipped"``: the C in the artifact; ``"generated"``: C made now, where there is no other, or where it was
            edited and would run on this machine.
        edited: files of the C in the artifact that are not what is generated: changed, missing or added.
        learning: of a program that learns, what steps of it did there.
        explanation: of a program that explains itself, what it does and takes.
    """

    precision: str
    ran: Literal["shipped", "generated"] = "generated"
    edited: tuple[str, ...] = ()
    learning: LearningProof | None = None
    explanation: ExplanationProof | None = None


@dataclass(frozen=True, kw_only=True)
class Build(Verification):
    """C that was written, and what it measures on its target.

    Attributes:
        name: the program's: what its files are called, and what every name in them begins with.
        package: what for: ``"c"``, ``"arduino"``...
        io: the element type of the caller's buffers.
        model_hash: SHA-256 of graph and weights, as the header says it.
        folder: where the C is; None if it was not written.
        files: path to text.
        kept: files of an earlier build in that folder that were edited since, and left there.
    """

    name: str
    package: str
    io: str
    model_hash: str
    folder: Path | None
    files: Mapping[str, str]
    kept: tuple[str, ...] = ()


@told_if_long("building the C, and proving it")
def build(
    source: Source, target: str = "", *, package: str = "c", out: str | Path | None = None, precision: str = "auto",
    name: str = "", calibration_data: Any = None, io: str = "float32", selftest: bool = False,
    flash_bytes: int | None = None, ram_bytes: int | None = None, force: bool = False, compiler: str = "",
    explain: str = "", reasons: int | None = None, background: Any = None, model_output: str = "probability",
    learn: str | int = "", preprocessing: Any = None, steps: int | Sequence[int] | None = None,
    shorter: bool = False, **how: Unpack[LearningOptions],
) -> Build:  # fmt: skip
    """Compile a model to C99 for a target, measure the binary, and write the sources.

    The C is written for a program that is too large for the target too; ``fits`` of what is returned says whether it
    is, ``flash_excess_bytes`` and ``ram_excess_bytes`` by how much. Where the target's compiler or emulator is not
    installed (``edgeling[targets]``), it is written all the same, proven on this machine, and a warning says so.

    Args:
        source: a ``Model``, a live Keras model, a loaded artifact, a graph, a fitted estimator or pipeline of
            scikit-learn's, or the path of an ``.edgeling`` folder or a ``.keras`` or ``.h5`` file.
        target: one of ``edgeling targets``; by default ``"cortex-m4"``, for web ``"wasm32"``, for linux ``"native"``.
        package: ``"c"``: sources and an example; or ``"arduino"``, ``"platformio"``, ``"esp-idf"``, ``"zephyr"``,
            ``"cmake"``, ``"web"`` (a page that answers while one types), ``"linux"`` (a command): docs/packages.md.
        out: folder for the C, created if need be; None writes nothing. Files of an earlier build there are replaced or
            removed, unless somebody edited them. A folder with nothing else in it is exchanged in one step.
        precision: ``"float32"``, ``"int8"``, ``"int16x8"`` (int16 between layers), or ``"auto"``: int8 where ``io`` or
            ``calibration_data`` ask for it, else what the artifact was trained for, else float32.
        name: of the program; by default the path's, the pipeline's or the model's own.
        calibration_data: [rows, n] inputs whose ranges decide the scales of integers (of several inputs a mapping or
            tuple of such arrays); by default the rows last fitted.
        io: ``"float32"``, or ``"int8"``: the caller's buffers hold int8, as the header says.
        selftest: also write ``NAME_selftest``, with inputs and answers in flash.
        flash_bytes, ram_bytes: of the chip, instead of the target's own.
        compiler: the command of the C compiler that measures, for an Arm target (``"arm-none-eabi-gcc -Os"``); by
            default that of ``EDGELING_CC_ARM``, else ziglang's.
        force: replace files in ``out`` even if they are not an earlier build's, or were edited since.
        preprocessing: a fitted transformer of scikit-learn's that the model was trained behind: the C takes its input.
        steps, shorter: of a model for rows of any length: :func:`edgeling.workflow.opening.with_steps`.
        learn, how: ``"last"``, ``"all"`` or how many layers, counted from the answer, go on learning on the device, in
            float; and ``optimizer``, ``loss``, ``adapt``, ``remember``: :class:`edgeling.workflow.learning.Learning`.
        explain, reasons, background, model_output: for ``NAME_explain``: :class:`edgeling.workflow.build.Explaining`.

    Raises:
        TargetError, CompilerNotFoundError: no such target or compiler, or a compiler for what is no Arm core.
        UnsupportedError: integers without rows to calibrate on, a layer that cannot be deployed, what a package refuses
        ToolchainError: it does not compile.
        EdgelingError: ``out`` cannot be written, or holds files of the same names that no build wrote.

    Example:
        >>> build(model, target="cortex-m4", out="firmware").flash_bytes  # doctest: +SKIP
    """
    kind, buffers = package_kind(package), io if io != "float32" else ""
    chip = targets.get(target or kind.target).with_memory(flash_bytes, ram_bytes).with_compiler(compiler)
    kind.require(chip, io=buffers, selftest=selftest, learn=learn, reasons="0" if explain and reasons == 0 else "")
    found, title = _named(*with_steps(prepared(source, preprocessing), steps, name, shorter))
    if learn:
        _require_plain(io, selftest, explain, "learns on the device")
        made, proof = _learning(found, chip, precision, title, calibration_data, Learning(layers=learn, **how))
    else:
        asked = Explaining(explain, reasons, background, model_output) if explain else None
        made, proof = _proven(found, chip, precision, title, calibration_data, io, selftest, asked)
    files = packed(kind, made.program, made.graph, made.interface or Interface(), found, made.precision, chip, proof)
    return _written(made, files, proof, chip, package, io, out, force)


def _named(source: Source, name: str) -> tuple[Found, str]:
    """What is built, and the program's name: one that is none of a platform's own."""
    found, title = opened(source), name or (stem_of(source) if isinstance(source, str | Path) else "")
    return found, legal_name(identifier(title or found.name))


def _learning(
    found: Found, chip: Target, precision: str, name: str, calibration_data: Any, how: Learning
) -> tuple[Made, Proof]:
    model = as_learning(found, how, precision, name, calibration_data)
    made = Made(model.program(chip), model.learner.run, model.deployed.interface, model.precision)
    return made, _learned_proof(model, proven_on(chip))


def _proven(
    source: Source, chip: Target, precision: str, name: str, calibration_data: Any, io: str, selftest: bool,
    asked: Explaining | None,
) -> tuple[Made, Proof]:  # fmt: skip
    if asked:
        _require_plain(io, selftest, "", "explains itself")
    deployed, precision = _with_ends(source, precision, name, calibration_data, io, selftest, asked is not None)
    deployed, place = deployed.for_target(chip), proven_on(chip)
    proof = deployed.for_emulation(precision, place).prove(precision, place)
    if asked:
        deployed = _explaining(deployed, opened(source), precision, asked)
        proof = _explained(proof, prove_explanation(deployed, precision, place, proof), precision)
    return Made(deployed.program(precision), deployed.graphs[precision], deployed.interface, precision), proof


def _explained(proof: Proof, explanation: ExplanationProof, precision: str) -> Verification:
    """Both agree, or it does not match."""
    whole = {**vars(proof), "matches": proof.matches and explanation.matches, "precision": precision}
    return Verification(**{**whole, "explanation": explanation})


def _written(
    made: Made, files: Mapping[str, str], proof: Proof, chip: Target, package: str, io: str, out: str | Path | None,
    force: bool,
) -> Build:  # fmt: skip
    told = {"name": made.program.name, "package": package, "precision": made.precision, "io": io}
    about, folder = {**told, "model_hash": made.program.model_hash}, Path(out).expanduser() if out is not None else None
    explanation = getattr(proof, "explanation", None)
    explains = {} if explanation is None else {"explain": asdict(explanation)}
    kept = write_build(folder, files, {**about, "target": chip.name, **explains}, force=force) if folder else []
    return Build(**{**vars(proof), **about}, folder=folder, files=files, kept=tuple(kept))


def _explaining(deployed: Deployable, found: Found, precision: str, asked: Explaining) -> Deployable:
    columns = sum(deployed.graphs[precision].types[x].size for x in deployed.graphs[precision].inputs)
    rows = background_of(found, asked.background, columns)
    return with_explanation(deployed, precision, asked.method, rows, asked.reasons, asked.model_output)


def _require_plain(io: str, selftest: bool, explain: str, what: str) -> None:
    """Programs that do more than answer do that alone."""
    asked = {"io": io if io != "float32" else "", "selftest": selftest, "explain": explain}
    if odd := [f"{name}={value!r}" for name, value in asked.items() if value]:
        raise UnsupportedError(
            f"a program that {what} takes floats, and does nothing else", received=", ".join(odd),
            remedy="leave io, selftest and explain (--io, --selftest, --explain) out, or a build of its own",
        )  # fmt: skip


def as_learning(
    source: Source, how: Learning, precision: str = "auto", name: str = "", calibration_data: Any = None
) -> LearningModel:
    """What ``source`` deploys, with layers that learn.

    Raises:
        UnsupportedError: a layer or a network that cannot learn; the message names it.
    """
    found = opened(source)
    how.count()  # before anything is compiled
    title = name or (stem_of(source) if isinstance(source, str | Path) else "")
    deployed, precision = as_deployable(found, precision, title, calibration_data, also_float32=True)
    return learning_model(deployed, precision, how, found.preparation if isinstance(found, Pipeline) else None)


def _with_ends(
    source: Source, precision: str, name: str, calibration_data: Any, io: str, selftest: bool, also_float32: bool
) -> tuple[Deployable, str]:
    if io not in BUFFERS:
        raise UnsupportedError(f"buffers hold {' or '.join(BUFFERS)}", received=repr(io), remedy=f"io={BUFFERS[0]!r}")
    wanted = "int8" if precision == "auto" and io == "int8" else precision
    deployed, chosen = as_deployable(source, wanted, name, calibration_data, also_float32=also_float32)
    if io == "int8":
        deployed = with_integer_ends(deployed, chosen)
    return (with_golden(deployed, chosen) if selftest else deployed), chosen


@told_if_long("proving the C")
def verify(
    source: Source,
    target: str = "cortex-m4",
    *,
    precision: str = "auto",
    rows: Any = None,
    calibration_data: Any = None,
    flash_bytes: int | None = None,
    ram_bytes: int | None = None,
    compiler: str = "",
    learn: str | int = "",
    truths: Any = None,
    learning_rate: float | None = None,
    explain: str = "",
    background: Any = None,
    model_output: str = "probability",
    preprocessing: Any = None,
    steps: int | Sequence[int] | None = None,
    shorter: bool = False,
    **how: Unpack[LearningOptions],
) -> Verification:
    """Run a model's C on an emulated target against the meaning of its graph.

    Of an ``.edgeling`` folder, the C that lies there is compared with what its graph gives, built, and run.

    Args:
        rows: float32 [rows, n] inputs, of several inputs a mapping by their names or a tuple; by default rows drawn
            from the preparation's statistics, or for a bare model from the standard normal distribution.
        flash_bytes, ram_bytes: of the chip, instead of the target's own.
        compiler, preprocessing, steps, shorter: as for :func:`build`.
        learn, how: as for :func:`build`: C is generated that learns, and does so.
        truths: what is learned of ``rows``, one each: numbers of classes, or of each output; by default both are made
            up.
        learning_rate: of each step; by default the optimizer's.
        explain, background, model_output: as for :func:`build`: rows are explained too.

    Returns:
        ``matches`` says whether they agree: to the last bit for integers, to 1e-5 of the largest answer for float32. C
        that somebody edited never matches, for its answers on other rows are not known; ``edited`` names the files.

    Raises:
        DataError: rows of another width, or none.
        TargetError, UnsupportedError, ToolchainError: as :func:`build`; or the target's compiler or emulator is not
            installed (``edgeling[targets]``).
    """
    chip = targets.get(target).with_memory(flash_bytes, ram_bytes).with_compiler(compiler)
    source, _ = with_steps(prepared(source, preprocessing), steps, "", shorter)
    if learn:
        model = as_learning(source, Learning(layers=learn, **how), precision, "", calibration_data)
        return _learned_proof(model, chip, rows, truths, learning_rate)
    found = opened(source)
    deployed, precision = as_deployable(found, precision, "", calibration_data, also_float32=bool(explain))
    proof = _verified(found, deployed, precision, chip, rows)
    if not explain:
        return proof
    asked = Explaining(explain, None, background, model_output)
    explaining = _explaining(deployed.for_target(chip), found, precision, asked)
    if rows is not None:
        explaining = replace(explaining, rows=rows_of_ports(deployed.graphs[precision], rows))
    return _explained(proof, prove_explanation(explaining, precision, chip, proof), precision)


def _verified(found: Found, deployed: Deployable, precision: str, chip: Target, rows: Any) -> Verification:
    shipped = _shipped_of(found, deployed, precision)
    if rows is None:
        deployed = deployed.for_emulation(precision, chip)
    else:
        deployed = replace(deployed, rows=rows_of_ports(deployed.graphs[precision], rows))
    if shipped is None:
        deployed = deployed.for_target(chip)
        return Verification(**vars(deployed.prove(precision, chip)), precision=precision)
    if isinstance(found, Pipeline):
        deployed = with_kept(found, deployed, precision)
    return _verify_shipped(deployed, precision, chip, shipped)


def _learned_proof(
    model: LearningModel, chip: Target, rows: Any = None, truths: Any = None, learning_rate: float | None = None
) -> Verification:
    """What a program that learns answers and learns on a target; both agree, or it does not match."""
    if (rows is None) != (truths is None):
        raise UnsupportedError(
            "what is learned from is rows and truths", received="one without the other", remedy="verify(rows=, truths=)"
        )
    lessons = model.made_up() if rows is None else model.lessons(rows, truths)
    proof, learned = model.prove_answers(chip), model.prove(chip, lessons, learning_rate)
    whole = {**vars(proof), "matches": proof.matches and learned.matches}
    return Verification(**whole, precision=model.precision, learning=learned)


def _shipped_of(found: Found, deployed: Deployable, precision: str) -> Sources | None:
    """The C in an artifact of the very graph that is to be verified."""
    if (
        isinstance(found, Pipeline | DeployedGraph)
        and found.deployable.graphs.get(precision) is deployed.graphs[precision]
    ):
        return found.shipped.get(precision)
    return None


def _verify_shipped(deployed: Deployable, precision: str, chip: Target, shipped: Sources) -> Verification:
    edited = edited_files(deployed.program(precision), shipped)
    runs_here = chip.core == "native"
    if not (edited and runs_here):
        deployed = with_shipped(deployed, precision, shipped)
    proof = deployed.prove(precision, chip)
    found = Verification(
        **{**vars(proof), "matches": proof.matches and not edited},
        precision=precision,
        ran="generated" if edited and runs_here else "shipped",
        edited=edited,
    )
    if deployed.explanation is None:
        return found
    return _explained(found, prove_kept(deployed, precision, chip), precision)


def as_deployable(
    source: Source, precision: str, name: str = "", calibration_data: Any = None, *, also_float32: bool = False
) -> tuple[Deployable, str]:
    """What ``source`` deploys, and the precision ``"auto"`` stands for.

    Args:
        also_float32: beside int8.
    """
    if precision not in ("auto", *PRECISIONS):
        raise UnsupportedError(
            f"a precision is auto, {' or '.join(PRECISIONS)}", received=repr(precision), remedy="precision='auto'"
        )
    title = name or (stem_of(source) if isinstance(source, str | Path) else "")
    found = opened(source)
    usual = found.precision if isinstance(found, Pipeline | DeployedGraph) else "float32"
    auto = "int8" if calibration_data is not None else usual
    chosen = auto if precision == "auto" else precision
    if isinstance(found, Pipeline | DeployedGraph):
        deployed = _of_artifact(found, chosen, calibration_data)
        return deployed.named(identifier(title or found.name)), chosen
    graph = graph_of(found)
    calibration = rows_of_ports(graph, _calibration(found, chosen, calibration_data)) if chosen != "float32" else None
    rows = normal_rows(graph, PROOF_ROWS) if calibration is None else tuple(x[:PROOF_ROWS] for x in calibration)
    precisions = dict.fromkeys(["float32", chosen] if also_float32 else [chosen])
    return deployable(identifier(title or graph.name), graph, rows, calibration, list(precisions)), chosen


def _of_artifact(found: Pipeline | DeployedGraph, precision: str, calibration_data: Any) -> Deployable:
    """What it deploys; integers anew where there are rows to calibrate on."""
    deployed = found.deployable
    if precision != "float32" and calibration_data is not None:
        if "float32" not in deployed.graphs:
            raise UnsupportedError(
                "scales are chosen anew for a network that is also there in float32",
                received=f"{found.name} in {' and '.join(deployed.graphs)} only",
                remedy="leave the calibration out, or train with precision='auto' (--precision auto)",
            )
        graph = deployed.graphs["float32"]
        rows = dict(zip(graph.inputs, rows_of_ports(graph, calibration_data), strict=True))
        small = quantize(
            graph, rows, precision, fine=deployed.interface is not None and deployed.interface.decides_finely
        )
        return replace(deployed, graphs={**deployed.graphs, precision: small}, programs={})
    deployed.program(precision)
    return deployed


def _calibration(source: Model | Graph, precision: str, given: Any) -> Any:
    rows = given if given is not None else getattr(source, "calibration_rows", None)
    if rows is None:
        raise UnsupportedError(
            f"{precision} needs rows to calibrate its scales on",
            received="a model that was not fitted in this process",
            remedy="calibration_data=X_train, or on the command line --calibration TABLE",
        )
    return rows
