# SPDX-License-Identifier: Apache-2.0
"""The packages there are: what each is made of, for which targets, and what it has room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgeling.errors import UnsupportedError
from edgeling.packages.boards import arduino_files, esp_idf_files, platformio_files, zephyr_files
from edgeling.packages.cmake import cmake_files
from edgeling.packages.linux import linux_files
from edgeling.packages.readme import readme_files
from edgeling.packages.shipment import Shipment
from edgeling.packages.web import web_files
from edgeling.targets import Target

_CHIPS = ("native", "cortex-m")


@dataclass(frozen=True)
class PackageKind:
    """One way to ship a program.

    Attributes:
        name: as ``--as`` calls it.
        target: whose kernels are called, and where the program is measured, unless another is named.
        cores: how the cores begin that it may be for; empty: any.
        is_whole: whether it is a program by itself, which nobody's C calls: then it has no use for buffers of int8,
            functions that learn or a test of itself.
        files: relative path to text.
    """

    name: str
    target: str
    cores: tuple[str, ...]
    is_whole: bool
    files: Callable[[Shipment], Mapping[str, str]]

    def require(self, chip: Target | None = None, **options: object) -> None:
        """Refuse a target or options that it has no room for.

        Args:
            options: by their names in Python; what is false is not asked for.

        Raises:
            UnsupportedError: the message names them.
        """
        if chip and self.cores and not chip.core.startswith(self.cores):
            raise UnsupportedError(
                f"a package for {self.name} is for {' or '.join(self.cores)}", received=chip.name,
                remedy=f"target='{self.target}' (--for {self.target}), or leave it out",
            )  # fmt: skip
        asked = [f"{name}={value!r}" for name, value in options.items() if value]
        if self.is_whole and asked:
            names = " and ".join(name.split("=")[0] for name in asked)
            raise UnsupportedError(
                f"a package for {self.name} is a program by itself, which takes and answers rows by name",
                received=", ".join(asked),
                remedy=f"leave {names} (--{names.replace(' and ', ', --')}) out, or package='c' (--as c)",
            )  # fmt: skip


def _plain(shipment: Shipment) -> dict[str, str]:
    return shipment.program.files_and_examples


def _with_readme(name: str, make: Callable[[Shipment], dict[str, str]]) -> Callable[[Shipment], Mapping[str, str]]:
    return lambda shipment: {**make(shipment), **readme_files(name, shipment)}


def _kind(
    name: str, make: Callable[[Shipment], dict[str, str]], target: str = "cortex-m4",
    cores: tuple[str, ...] = _CHIPS, is_whole: bool = False,
) -> PackageKind:  # fmt: skip
    return PackageKind(name, target, cores, is_whole, _with_readme(name, make))


KINDS: Mapping[str, PackageKind] = {
    kind.name: kind
    for kind in (
        PackageKind("c", "cortex-m4", (), False, _plain),
        _kind("arduino", arduino_files),
        _kind("platformio", platformio_files),
        _kind("esp-idf", esp_idf_files),
        _kind("zephyr", zephyr_files),
        _kind("cmake", cmake_files, cores=()),
        _kind("web", web_files, "wasm32", ("wasm32",), is_whole=True),
        _kind("linux", linux_files, "native", ("native",), is_whole=True),
    )
}


def package_kind(name: str) -> PackageKind:
    """The package of that name.

    Raises:
        UnsupportedError: there is none.
    """
    if name not in KINDS:
        raise UnsupportedError(f"a package is one of {', '.join(KINDS)}", received=repr(name), remedy="package='c'")
    return KINDS[name]
