# SPDX-License-Identifier: Apache-2.0
"""The C calls of what only training needs: losses, metrics, penalties, dropout and the optimizer updates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from edgeling.codegen.schedule import OUTPUT_STEP, PRODUCT_UPDATE
from edgeling.codegen.site import SHARED_ELEMENTS, Call, Line, Setting, Site
from edgeling.codegen.text import float_literal
from edgeling.graph.types import Node

_ALL = tuple(range(16))  # inputs of an update: it reads every element of all of them before it writes it


# Losses with kernels of their own in focal.h: function -> kernel, and the attributes it takes.
_FOCAL: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "binary_focal_crossentropy": (
        "binary_focal", ("from_logits", "label_smoothing", "apply_class_balancing", "alpha", "gamma"),
    ),
    "categorical_focal_crossentropy": ("categorical_focal", ("from_logits", "label_smoothing", "alpha", "gamma")),
    "categorical_generalized_cross_entropy": ("generalized", ("q",)),
}  # fmt: skip


_SMOOTH = ("label_smoothing",)
# Losses of logits: function -> kernel, flags that it is called with, and the attributes it takes.
_OF_LOGITS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "binary_crossentropy": ("binary_cross_entropy", (), _SMOOTH),
    "categorical_crossentropy": ("categorical_cross_entropy", ("0",), _SMOOTH),
    "sparse_categorical_crossentropy": ("categorical_cross_entropy", ("1",), _SMOOTH),
    "binary_focal_crossentropy": ("binary_focal_logits", (), _FOCAL["binary_focal_crossentropy"][1][1:]),
    "categorical_focal_crossentropy": ("categorical_focal_logits", (), _FOCAL["categorical_focal_crossentropy"][1][1:]),
    "categorical_generalized_cross_entropy": ("generalized_logits", (), ("q",)),
    "kl_divergence": ("kl_logits", ("0",), ()),
    "binary_kl_divergence": ("kl_logits", ("1",), ()),
}


def _is_focal(setting: Setting) -> bool:
    return setting.node.attributes["function"] in _FOCAL


def _loss_sizes(site: Site) -> tuple[str, str]:
    truth = len(site.x) - 2
    return site.length(truth, 0), site.length(truth + 1, 1)


def _focal(kind: str) -> Line:
    """``kind``: "loss" or "gradient"."""

    def line(site: Site) -> str:
        name, attributes = _FOCAL[site.attributes["function"]]
        return site.by_rows(f"{name}_{kind}", _loss_sizes(site), *(_number(site, a) for a in attributes))

    return line


def _loss(name: str) -> Line:
    def line(site: Site) -> str:
        options = site.flag("from_logits"), site.float("label_smoothing"), site.float("delta")
        return site.by_rows(name, _loss_sizes(site), site.function(), *options)

    return line


def _cross_entropy(kind: str) -> Line:
    """``kind``: "loss" or "gradient"."""

    def line(site: Site) -> str:
        name, flags, attributes = _OF_LOGITS[site.attributes["function"]]
        options = (*flags, *(_number(site, a) for a in attributes))
        return site.call(f"{name}_{kind}", site.length(-1, 0), site.length(-1, 1), *options)

    return line


def _number(site: Site, attribute: str) -> str:
    return (site.flag if isinstance(site.attributes[attribute], bool) else site.float)(attribute)


def _metric(site: Site) -> str:
    return site.call("metric", site.length(1, 0), site.length(1, 1), site.function(), site.float("threshold"))


def _penalty(name: str, of: int) -> Line:
    return lambda site: site.call(name, site.size(of), site.float("l1"), site.float("l2"))


def _dropout_mask(site: Site) -> str:
    rate = site.attributes["rate"]
    stream = f"{int(site.attributes['stream']) & 0xFFFFFFFF}u"
    return site.call("dropout_mask", site.output_size(), float_literal(rate), float_literal(1 / (1 - rate)), stream)


def _dropout_mask_wide(site: Site) -> str:
    """As :func:`_dropout_mask`, shared by threads where that pays."""
    rate = site.attributes["rate"]
    how = float_literal(rate), float_literal(1 / (1 - rate)), f"{int(site.attributes['stream']) & 0xFFFFFFFF}u"
    if site.threads < 2 or site.output_types[0].size < SHARED_ELEMENTS:
        return site.call("dropout_mask_wide", "0", site.output_size(), *how)
    seed, step, mask = "(const uint32_t *)arrays[0]", "(const uint32_t *)arrays[1]", "(float *)arrays[2] + first"
    task = site.task(f"edgeling_dropout_mask_wide(first, count, {', '.join((*how, seed, step, mask))});")
    arrays = ", ".join(f"(void *){pointer}" for pointer in (*site.x, *site.y))
    return f"edgeling_by_elements({task}, (void *const[]){{{arrays}}}, {site.output_size()});"


def _has_vectors(setting: Setting) -> bool:
    return setting.target is not None and setting.target.has_vectors


def _noise(site: Site) -> str:
    return site.call("noise", site.output_size(), f"{int(site.attributes['stream']) & 0xFFFFFFFF}u")


def _random_affine(site: Site) -> str:
    between = (float_literal(number) for key in ("low", "high") for number in site.attributes[key])
    stream = f"{int(site.attributes['stream']) & 0xFFFFFFFF}u"
    size = (str(length) for length in site.attributes["size"])
    how = site.function(), site.flag("together"), *between, stream
    return site.call("random_affine", site.output_length(0), *size, *how)


def _complement(site: Site, attribute: str) -> str:
    """``1 - attribute``, subtracted in double precision as the meaning does."""
    return float_literal(1 - site.attributes[attribute])


def _numbers(site: Site, attributes: Sequence[str]) -> Iterator[str]:
    """A leading ``-`` asks for one minus the attribute."""
    return (_complement(site, a[1:]) if a.startswith("-") else _number(site, a) for a in attributes)


def _update(name: str, *attributes: str) -> Line:
    def line(site: Site) -> str:
        return site.by_elements(name, *_numbers(site, attributes))

    return line


def _momentum(site: Site) -> str:
    return site.by_elements("momentum_update", site.float("momentum"), site.flag("nesterov"))


def _rmsprop(site: Site) -> str:
    centered, momentum = bool(site.attributes["centered"]), site.attributes["momentum"] > 0
    numbers = site.float("rho"), _complement(site, "rho"), site.float("epsilon"), site.float("momentum")
    slots_in, slots_out = list(site.x[2:-1]), list(site.y[1:])
    for slots in (slots_in, slots_out):  # 0 stands for a slot that is not kept
        if not centered:
            slots.insert(1, "0")
        if not momentum:
            slots.append("0")
    pointers = *site.x[:2], *slots_in, site.x[-1], site.y[0], *slots_out
    return site.by_elements("rmsprop_update", *numbers, pointers=pointers)


def _lamb(site: Site) -> str:
    """Not by elements: its step is as long as the weights are."""
    return site.call("lamb_update", site.size(), *_numbers(site, ("-beta_1", "-beta_2", "epsilon")))


def _adafactor(site: Site) -> str:
    numbers = (site.float(a) for a in ("decay", "epsilon_1", "epsilon_2", "clip_threshold"))
    if len(site.input_types[0].shape) == 2:
        return site.call("adafactor_matrix", site.length(0, 0), site.length(0, 1), *numbers)
    return site.call("adafactor_vector", site.size(), *numbers)


def _norm(site: Site) -> str:
    parts = [f"edgeling_add_squares({site.size(i)}, {x}, {site.y[0]});" for i, x in enumerate(site.x)]
    return "\n".join([f"*{site.y[0]} = 0.0f;", *parts, f"*{site.y[0]} = edgeling_sqrt(*{site.y[0]});"])


def _scalar(name: str, *attributes: str) -> Call:
    return Call("update", lambda site: site.call(name, *(site.float(a) for a in attributes)), _ALL)


# Names that no value of a graph has (names.py).
_ROW, _COLUMN, _PLACE = "edgeling_row", "edgeling_column", "edgeling_place"
_ELEMENT, _ELEMENTS = "edgeling_gradient", "edgeling_gradients"


# Rules with kernels that go over a layer's weights once (layer_step.h), and what those take beside arrays.
_LAYER_RULES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sgd_update": ("sgd", ()),
    "momentum_update": ("momentum", ("momentum", "nesterov")),
    "adam_update": ("adam", ("-beta_1", "-beta_2", "epsilon")),
}


def _has_layer_kernel(setting: Setting) -> bool:
    return setting.node.attributes["rule"] in _LAYER_RULES


def _layer_step(site: Site) -> str:
    """An update whose gradient is the outer product of a row and its gradient; its last output, if there is one more
    than it moves, is the gradient of the row."""
    name, attributes = _LAYER_RULES[site.attributes["rule"]]
    sizes, wanted = (site.length(0, 0), site.length(0, 1)), [] if site.attributes["gives_gradient"] else ["0"]
    return f"edgeling_{name}_layer({', '.join((*sizes, *_numbers(site, attributes), *site.x, *site.y, *wanted))});"


def _product_update(site: Site) -> str:
    """An update whose gradient is the outer product of a row and its gradient, one element at a time."""
    kernel, x, dy, *others = site.x
    slots = len(site.y) - 1
    rows, columns = site.length(0, 0), site.length(0, 1)
    at = f"{_ROW} * {columns} + {_COLUMN}"
    update = _element_update(site, (kernel, *others[:slots]), site.y, others[slots:], at, _ELEMENT)
    return "\n".join([
        f"for (int {_ROW} = 0; {_ROW} < {rows}; {_ROW}++) {{",
        f"    for (int {_COLUMN} = 0; {_COLUMN} < {columns}; {_COLUMN}++) {{",
        f"        const float {_ELEMENT} = {x}[{_ROW}] * {dy}[{_COLUMN}];",
        f"        {update}",
        "    }",
        "}",
    ])  # fmt: skip


def _output_step(site: Site) -> str:
    """A few outputs at a time: what they are, their loss's gradient, and the update of what they are made with."""
    outputs, lines, first = site.input_types[3].shape[1], list[str](), 0
    for block in (8, 4, 2, 1):  # that dense.h has sums of
        end = outputs - (outputs - first) % block
        lines += _outputs_from(site, first, end, block) if end > first else []
        first = end
    return "\n".join(lines)


def _outputs_from(site: Site, first: int, end: int, block: int) -> list[str]:
    """Blocks of outputs."""
    x, truth, d_row, kernel, *others = site.x
    *made, dx = site.y if site.attributes["gives_gradient"] else (*site.y, "")
    slots = len(made) // 2 - 1
    rows, columns = site.length(0, 1), site.length(3, 1)
    bias, scalars = others[slots], others[2 * slots + 1 :]
    loss = replace(site, node=Node("loss_gradient", (), (), site.attributes["loss"]))
    options = loss.function(), loss.flag("from_logits"), loss.float("label_smoothing"), loss.float("delta")
    pointers = d_row, f"{truth} + {_COLUMN}", x, f"{kernel} + {_COLUMN}", f"{bias} + {_COLUMN}", _ELEMENTS
    at = f"{_ROW} * {columns} + {_COLUMN}"
    of_kernel = kernel, *others[:slots]
    of_bias = bias, *others[slots + 1 : 2 * slots + 1]
    if _has_layer_kernel(site) and list(of_kernel) == made[: slots + 1]:
        step = _row_step(site, str(block), of_kernel, scalars[0], at, x, dx)
    else:
        step = _elements_step(site, str(block), of_kernel, made[: slots + 1], scalars, at, x)
    return [
        f"for (int {_COLUMN} = {first}; {_COLUMN} < {end}; {_COLUMN} += {block}) {{",
        f"    float {_ELEMENTS}[{block}];",
        f"    edgeling_output_gradients({', '.join((str(block), rows, columns, *options, *pointers))});",
        f"    for (int {_ROW} = 0; {_ROW} < {rows}; {_ROW}++) {{",
        *(f"        {line}" for line in step),
        "    }",
        f"    {_element_update(site, of_bias, made[slots + 1 :], scalars, _COLUMN, f'{_ELEMENTS}[0]', str(block))}",
        "}",
    ]


def _row_step(site: Site, block: str, held: Sequence[str], rate: str, at: str, x: str, dx: str) -> list[str]:
    """Neighbouring weights of a row; with ``dx``, its gradient is begun, or added to."""
    name, attributes = _LAYER_RULES[site.attributes["rule"]]
    scale = [f"*{rate}", f"{x}[{_ROW}]"] if name == "adam" else [f"*{rate} * {x}[{_ROW}]"]
    arrays = (f"&{pointer}[{at}]" for pointer in held)
    arguments = block, str(int(bool(dx))), *_numbers(site, attributes), *scale, _ELEMENTS, *arrays
    call = f"edgeling_{name}_row({', '.join(arguments)});"
    if not dx:
        return [f"(void){call}"]
    sum_so_far = f"{_COLUMN} == 0 ? {_ELEMENT} : {dx}[{_ROW}] + {_ELEMENT}"
    return [f"const float {_ELEMENT} = {call}", f"{dx}[{_ROW}] = {sum_so_far};"]


def _elements_step(
    site: Site, block: str, held: Sequence[str], made: Sequence[str], scalars: Sequence[str], at: str, x: str
) -> list[str]:
    """The same, one by one."""
    return [
        f"for (int {_PLACE} = 0; {_PLACE} < {block}; {_PLACE}++) {{",
        f"    const float {_ELEMENT} = {x}[{_ROW}] * {_ELEMENTS}[{_PLACE}];",
        f"    {_element_update(site, held, made, scalars, f'{at} + {_PLACE}', _ELEMENT)}",
        "}",
    ]


def _element_update(
    site: Site, held: Sequence[str], made: Sequence[str], scalars: Sequence[str], at: str, gradient: str,
    elements: str = "1",
) -> str:  # fmt: skip
    """The update of one element, or of several neighbouring ones, of a weight and its slots."""
    weight, *slots = (f"&{pointer}[{at}]" for pointer in held)
    inner = replace(
        site, node=Node(site.attributes["rule"], (), (), site.attributes), elements=elements,
        x=(weight, f"&{gradient}", *slots, *scalars), y=tuple(f"&{pointer}[{at}]" for pointer in made),
    )  # fmt: skip
    return _rule_row(site.attributes["rule"]).line(inner)


def _rule_row(rule: str) -> Call:
    row = TRAINING_CALLS[rule]
    assert isinstance(row, Call), "an update has one kernel"
    return row


def _is_in_more(setting: Setting) -> bool:
    return _rule_row(setting.node.attributes["rule"]).header == "update_more"


_KEPT = tuple(i for i in range(16) if i not in (1, 2))  # of a product's update: weight and slots
_LAYER = tuple(range(3, 16))  # of a step of outputs: weights and slots

TRAINING_CALLS: Mapping[str, Call | tuple[Call, ...]] = {
    "loss": (Call("focal", _focal("loss"), fits=_is_focal), Call("loss", _loss("loss"))),
    "loss_gradient": (
        Call("focal", _focal("gradient"), in_place=(2,), fits=_is_focal),
        Call("loss", _loss("loss_gradient"), in_place=(2,)),
    ),
    "cross_entropy": (
        Call("focal_logits", _cross_entropy("loss"), fits=_is_focal),
        Call("cross_entropy", _cross_entropy("loss")),
    ),
    "cross_entropy_gradient": (
        Call("focal_logits", _cross_entropy("gradient"), in_place=(2,), fits=_is_focal),
        Call("cross_entropy", _cross_entropy("gradient"), in_place=(2,)),
    ),
    "metric": Call("metric", _metric),
    "penalty": Call("penalty", _penalty("penalty", 0)),
    "penalty_gradient": Call("penalty", _penalty("penalty_gradient", 1), in_place=(1,)),
    "dropout_mask": (
        Call("dropout_wide", _dropout_mask_wide, fits=_has_vectors),
        Call("dropout", _dropout_mask),
    ),
    "noise": Call("noise", _noise),
    "random_affine": Call("random_affine", _random_affine),
    "count": Call("update", lambda site: site.call("count"), _ALL),
    "sgd_update": Call("update", _update("sgd_update"), _ALL),
    "momentum_update": Call("update", _momentum, _ALL),
    "rmsprop_update": Call("update", _rmsprop, _ALL),
    "adagrad_update": Call("update", _update("adagrad_update", "epsilon"), _ALL),
    "adam_update": Call("update", _update("adam_update", "-beta_1", "-beta_2", "epsilon"), _ALL),
    "amsgrad_update": Call("update", _update("amsgrad_update", "-beta_1", "-beta_2", "epsilon"), _ALL),
    "adamax_update": Call("update", _update("adamax_update", "-beta_1", "beta_2", "epsilon"), _ALL),
    "nadam_update": Call("update", _update("nadam_update", "beta_1", "-beta_1", "-beta_2", "epsilon"), _ALL),
    "lion_update": Call("update_more", _update("lion_update", "beta_1", "-beta_1", "beta_2", "-beta_2"), _ALL),
    "adadelta_update": Call("update_more", _update("adadelta_update", "rho", "-rho", "epsilon"), _ALL),
    "ftrl_update": Call("update_more", _update("ftrl_update", "power", "l1", "l2", "l2_shrinkage", "beta"), _ALL),
    "lamb_update": Call("update_more", _lamb),
    "adafactor_update": Call("update_more", _adafactor),
    "decay": Call("update", _update("decay", "rate"), (0,)),
    "power_step": _scalar("power_step", "beta"),
    "adam_alpha": _scalar("adam_alpha"),
    "adamax_alpha": _scalar("adamax_alpha"),
    "nadam_product": _scalar("nadam_product", "beta_1"),
    "norm": Call("update", _norm),
    PRODUCT_UPDATE: (
        Call("layer_step", _layer_step, _KEPT, fits=_has_layer_kernel),
        Call("update_more", _product_update, _KEPT, fits=_is_in_more),
        Call("update", _product_update, _KEPT),
    ),
    OUTPUT_STEP: Call("output_step", _output_step, _LAYER),
    "clip_scale": _scalar("clip_scale", "limit"),
}
