# SPDX-License-Identifier: Apache-2.0
"""Labels, columns and names that would mean something to a C compiler, in comments and in strings."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from edgeling.codegen import Program, generate
from edgeling.codegen.interface import Interface
from edgeling.graph.builder import GraphBuilder
from tests.support.host import write

AWKWARD = (
    "???/", "??/", "what???/\n", "a\\", "ends in backslash \\ ", "*\\", "*/ int x; /*", "/*", "//", "/", '"quoted"',
    "??'??(??)??<??>??!??-??=", "?", "%s%n", "größe", "日本語", "\u202eright to left", "\u2066", "\x00\x07\x1b[31m",
    "\r\n", "\u2028", "#include <x>", "#pragma STDC", "_Pragma(\"x\")", "\\u0041\\x41\\101", "", " ", "a" * 300,
    "\ud800", "R\"(", "<:%:", "'", "int", "defined", "__LINE__", "$", "@", "`", "label", "LABEL", "0", "-1",
    "\N{PILE OF POO}", "e\u0301",
)  # fmt: skip
COMPILERS = ("gcc -std=c99 -trigraphs", "gcc -std=gnu17", "g++ -x c++ -std=c++11", "clang -std=c99")
WARNINGS = "-Wall -Wextra -Wpedantic -Wcomment -Wtrigraphs -Werror -I."
PRINTER = """\
#include <stdio.h>
#include "awkward.h"
static const char *const labels[] = AWKWARD_LABELS;
static const size_t lengths[] = {%s};
int main(void) {
    for (unsigned i = 0; i < sizeof labels / sizeof *labels; i++) {
        fwrite(labels[i], 1, lengths[i], stdout);
    }
    return 0;
}
"""


def program() -> tuple[Program, Program]:
    """Every text as a label, a column's name, a category, a unit, a value's name, and in the description."""
    b, count = GraphBuilder("awkward"), len(AWKWARD)
    b.describe(description="\\ ???/ */ \ud800", labels=list(AWKWARD))
    b.describe(input_names=list(AWKWARD), input_units=list(AWKWARD))
    x = b.input("in*/put\\", (1, count))
    kernel, bias = b.constant(np.ones((count, count)), "??/kernel"), b.constant(np.ones(count), "*/")
    value = b.add("dense", x, kernel, bias, name="???/")
    graph = b.build([b.add("softmax", value, name="out??/")])
    told = Interface("largest", labels=AWKWARD, input_names=AWKWARD, categories={0: AWKWARD})
    return generate(graph, "awkward", interface=told), generate(graph, "awkward")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_awkward_texts_are_told_and_change_nothing(compiler, tmp_path):
    words = [*compiler.split(), *WARNINGS.split()]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    labels = [text.encode("utf-8", "replace") for text in AWKWARD]
    deployed, bare = program()
    printer = PRINTER % ", ".join(str(len(label)) for label in labels)
    write({**deployed.files_and_examples, "printer.c": printer}, tmp_path)
    write(bare.files_and_examples, tmp_path / "bare")
    units = ["awkward.c", "bare/awkward.c", *([] if "c++" in words else ["example/main.c", "bare/example/main.c"])]
    subprocess.run([*words, "-fsyntax-only", *units], cwd=tmp_path, check=True)
    subprocess.run([*words, "printer.c", "-o", "printer"], cwd=tmp_path, check=True)
    said = subprocess.run([tmp_path / "printer"], capture_output=True, check=True).stdout
    assert said == b"".join(labels)
