# SPDX-License-Identifier: Apache-2.0
"""C identifiers for the values of a graph: readable, legal, and unique within what the compiler sees together."""

from __future__ import annotations

import re

from edgeling.graph.naming import unused

_KEYWORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    main asm typeof int8_t uint8_t int16_t uint16_t int32_t uint32_t int64_t uint64_t

    alignas alignof and and_eq bitand bitor bool catch char8_t char16_t char32_t class co_await co_return co_yield
    compl concept const_cast consteval constexpr constinit decltype delete dynamic_cast explicit export false friend
    mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public reinterpret_cast
    requires static_assert static_cast template this thread_local throw true try typeid typename using virtual wchar_t
    xor xor_eq""".split()  # noqa: SIM905
)  # C's, C23's and C++'s: headers are read by all of them
# What <stdint.h> defines. What the kernels define begins with "edgeling".
_RESERVED = re.compile(r"U?INT.*_(MAX|MIN|C)$|(PTRDIFF|SIG_ATOMIC|SIZE|WCHAR|WINT)_(MAX|MIN)$")


def identifier(text: str) -> str:
    """``text`` with everything C forbids replaced by an underscore.

    Example:
        >>> identifier("dense/kernel:0")
        'dense_kernel_0'
    """
    cleaned = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_") or "value"
    if cleaned[0].isdigit():
        cleaned = f"v{cleaned}"
    if cleaned.lower().startswith("edgeling"):
        cleaned = f"v_{cleaned}"
    return f"{cleaned}_" if cleaned in _KEYWORDS or _RESERVED.match(cleaned) else cleaned


class Names:
    """Hands out identifiers, each once. A child (a function in a file) and its parent avoid each other's names."""

    def __init__(self, parent: Names | None = None) -> None:
        self._parent = parent
        self._children: list[Names] = []
        self._taken: set[str] = set()
        if parent is not None:
            parent._children.append(self)

    def take(self, text: str) -> str:
        """An identifier like ``text``; a number is appended while it is taken."""
        name = unused(identifier(text), self)
        self._taken.add(name)
        return name

    def __contains__(self, name: object) -> bool:
        above = self._parent is not None and name in self._parent._taken
        return name in self._taken or above or any(name in child._taken for child in self._children)
