# SPDX-License-Identifier: Apache-2.0
"""Objects described by name and configuration, in the form of Keras's files.

``{"module": "keras.losses", "class_name": "Huber", "config": {"delta": 1.0}, "registered_name": None}``
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from re import sub
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from edgeling.checking import Limits, check, checked
from edgeling.errors import UnsupportedError

Kind = TypeVar("Kind")


class Configurable:
    """Something whose constructor's arguments are its configuration.

    Attributes:
        module: Keras's module, as its files name it.
        ignored: configuration keys that Keras writes and that change nothing here.
        exported: Keras's public name, where its class has another.
        limits: the least and the most that some arguments may be.
    """

    module: ClassVar[str] = "keras"
    exported: ClassVar[str] = ""
    ignored: ClassVar[frozenset[str]] = frozenset({"dtype"})
    limits: ClassVar[Limits] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls) and cls.__module__.startswith("edgeling."):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]

    def check_fields(self) -> None:
        """For dataclasses: hold the fields to their annotations.

        Raises:
            UnsupportedError: one is not what it is declared to be.
        """
        check(type(self).__name__, _signature(type(self)), vars(self), self.limits)  # type: ignore[arg-type]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments by name."""
        return {name: getattr(self, name) for name in _parameters(type(self))}  # type: ignore[arg-type]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`get_config`; keys unknown here must be switched off (None or False).

        Raises:
            UnsupportedError: a setting that is switched on and not supported.
        """
        if not is_ours(cls):
            return cls(**_taken(cls, config))
        known = _parameters(cls)  # type: ignore[arg-type]
        kept = {k: v for k, v in config.items() if k in known}
        for key in config.keys() - kept.keys() - cls.ignored:
            refuse(cls.__name__, key, config[key])
        return cls(**kept)


class OpaqueError(Exception):
    """Something that only its owner can look into: no key can be made of it."""


def key(value: Any) -> Hashable:
    """What two values share exactly when they are alike: made of types and contents, never of names or addresses.

    A class edited and run again has its old name and may lie where the old one lay.

    Raises:
        OpaqueError: a value of somebody else's class, or one that holds such a value.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float, str, bytes):
        return kind, repr(value)  # for 1 == 1.0 == True, and 0.0 == -0.0
    if kind in (list, tuple):
        return (kind, *map(key, value))
    if kind is slice or value is Ellipsis:
        return kind, repr(value)
    if kind is dict:
        return (kind, *((key(name), key(held)) for name, held in value.items()))
    if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        return kind, value.dtype.str, value.shape, value.tobytes()
    if kind.__module__.partition(".")[0] == __name__.partition(".")[0]:
        return kind, key(value.signature() if hasattr(value, "signature") else vars(value))
    raise OpaqueError(kind.__name__)


@cache
def _signature(owner: type) -> inspect.Signature:
    return inspect.signature(owner)


@cache
def _parameters(owner: type) -> tuple[str, ...]:
    return tuple(_signature(owner).parameters)


def _taken(owner: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without a dtype that the constructor of a class of one's own does not know."""
    known = _signature(owner).parameters.values()
    if any(each.name == "dtype" or each.kind is each.VAR_KEYWORD for each in known):
        return dict(config)
    return {name: value for name, value in config.items() if name != "dtype"}


def refuse(owner: str, argument: str, value: Any, remedy: str = "leave it out") -> None:
    """Raise unless an unsupported argument is switched off (None or False).

    Raises:
        UnsupportedError: it is switched on.
    """
    if value is not None and value is not False:
        raise UnsupportedError(f"{owner} does not support {argument}", received=repr(value), remedy=remedy)


class NeverCalled:
    """A class with methods that Keras would call and compiled code does not: whoever writes one is told.

    Attributes:
        never_called: their names.
        instead: what to write in their place.
    """

    never_called: ClassVar[tuple[str, ...]] = ()
    instead: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Raise if a user's class, or one that it is mixed with, gives such a method: it would be ignored.

        Raises:
            UnsupportedError: it does; as soon as the class is made.
        """
        super().__init_subclass__(**kwargs)
        theirs = [vars(part) for part in cls.__mro__ if part is not object and not is_ours(part)]
        given = [name for name in cls.never_called if any(name in held for held in theirs)]
        if given:
            cls._refuse_methods(given, f"class {cls.__name__}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Raise if one is set on an object: it would be ignored too.

        Raises:
            UnsupportedError: it is.
        """
        if name in self.never_called:
            self._refuse_methods([name], f"{name} set on an object")
        super().__setattr__(name, value)

    @classmethod
    def _refuse_methods(cls, names: Iterable[str], received: str) -> None:
        kind = next(part.__name__ for part in cls.__mro__ if is_ours(part))
        raise UnsupportedError(
            f"{', '.join(names)} of a {kind} cannot be written in Python, for training and"
            " prediction are compiled to C",
            received=received,
            remedy=cls.instead,
        )


def is_ours(kind: type) -> bool:
    """Whether a class is Edgeling's own."""
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]


REGISTERED: dict[str, Any] = {}
"""Classes and functions of one's own by the names that files have for them, ``"package>name"``."""
_custom_objects: ContextVar[Mapping[str, Any]] = ContextVar("custom_objects", default={})  # noqa: B039 - never changed


def registered_name(thing: Any) -> str:
    """What files call a class or function of one's own: as it was registered, else its own name."""
    return next((name for name, known in REGISTERED.items() if known is thing), str(thing.__name__))


@contextmanager
def custom_object_scope(objects: Mapping[str, Any] | None) -> Iterator[None]:
    """While it lasts, descriptions in files may name these classes and functions of one's own.

    Args:
        objects: by the names that files have for them; ``"Package>Name"`` of what was registered for one.
    """
    before = _custom_objects.set({**_custom_objects.get(), **(objects or {})})
    try:
        yield
    finally:
        _custom_objects.reset(before)


def custom_object(described: Any) -> Any:
    """The class or function of one's own that a name or a description stands for; None if it stands for none."""
    known = {**REGISTERED, **_custom_objects.get()}
    if isinstance(described, str):
        return known.get(described)
    if not known or not isinstance(described, Mapping):
        return None
    names = [described.get("registered_name"), described.get("class_name")]
    if described.get("class_name") == "function":
        names = [described.get("config")]
    elif str(described.get("module")).partition(".")[0] == "keras" and names[0] in (None, names[1]):
        return None  # Keras's own
    short = [str(name).rpartition(">")[2] for name in names if name]
    return next((known[name] for name in [*names, *short] if isinstance(name, str) and name in known), None)


def refuse_custom(value: Any) -> None:
    """Raise if anything described comes from outside Keras, or is code: its name may be that of something known.

    Raises:
        UnsupportedError: it does.
    """
    if isinstance(value, Mapping):
        _refuse_custom_object(value)
    if isinstance(value, (Mapping, list, tuple)):
        for part in value.values() if isinstance(value, Mapping) else value:
            refuse_custom(part)


def _refuse_custom_object(value: Mapping[str, Any]) -> None:
    if custom_object(value) is not None:
        return
    kind, module, registered = value.get("class_name"), value.get("module"), value.get("registered_name")
    outside = "module" in value and str(module).split(".")[0] not in ("keras", "builtins")
    if kind == "__lambda__" or outside or (isinstance(registered, str) and ">" in registered):
        name = value.get("config") if kind == "function" else kind
        raise UnsupportedError(
            "custom objects are not loaded: code in a model file is never run",
            received=f"{name!r} of {module or registered!r}",
            remedy="load_model(path, custom_objects={name: the class or function}), or one of Keras's own",
        )


def serialize(value: Configurable) -> dict[str, Any]:
    """Keras's description of an object; a class of one's own says where it is from, as it may have a known name."""
    kind = type(value)
    return {
        "module": value.module if is_ours(kind) else kind.__module__,
        "class_name": (is_ours(kind) and value.exported) or kind.__name__,
        "config": value.get_config(),
        "registered_name": None if is_ours(kind) else registered_name(kind),
    }


def snake_case(name: str) -> str:
    """``BatchNormalization`` -> ``batch_normalization``, by Keras's rule (``ReLU`` -> ``re_lu``)."""
    return sub("([a-z])([A-Z])", r"\1_\2", sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


_names: Counter[str] = Counter()


def automatic_name(class_name: str) -> str:
    """``dense``, ``dense_1``... as Keras numbers layers and optimizers through a process."""
    name = snake_case(class_name)
    count = _names[name]
    _names[name] += 1
    return f"{name}_{count}" if count else name


def forget_names() -> None:
    """Number layers and optimizers from the beginning."""
    _names.clear()


def table_of(classes: Iterable[type[Kind]], **aliases: type[Kind]) -> dict[str, type[Kind]]:
    """Classes by their name, their snake-case name and further aliases."""
    named = {c.__name__: c for c in classes}
    return {**named, **{snake_case(name): c for name, c in named.items()}, **aliases}


def find(kind: str, table: Mapping[str, type[Kind]], identifier: Any) -> type[Kind]:
    """The class of that name.

    Raises:
        UnsupportedError: no such name.
    """
    if isinstance(identifier, str) and identifier in table:
        return table[identifier]
    names = sorted({getattr(c, "exported", "") or c.__name__ for c in table.values()})
    remedy = proposed(identifier, table, f"one of {names}")
    raise UnsupportedError(f"the {kind} is not supported", received=repr(identifier), remedy=remedy)


def proposed(given: Any, names: Iterable[str], otherwise: str) -> str:
    """A remedy: the name that is most like what was given, if one is, and what else there is."""
    from difflib import get_close_matches

    near = get_close_matches(given, [*names], n=1, cutoff=0.7) if isinstance(given, str) else []
    return f"{near[0]!r}, if that is what you meant; {otherwise}" if near else otherwise


def resolve(kind: str, base: type[Kind], table: Mapping[str, type[Kind]], identifier: Any) -> Kind:
    """An object from itself, its class, its name or its description.

    Raises:
        UnsupportedError: no such name, or a description of something custom.
    """
    if isinstance(identifier, base):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, base):
        return identifier()
    if isinstance(identifier, Mapping):
        refuse_custom(identifier)
        own: Any = custom_object(identifier)
        if not isinstance(identifier.get("config", {}), Mapping):
            raise UnsupportedError(
                f"the configuration of a {kind} is a mapping", received=repr(identifier["config"]),
                remedy="save the model again with Keras",
            )  # fmt: skip
        if isinstance(own, type) and issubclass(own, base):
            return own.from_config(identifier.get("config", {}))  # type: ignore[attr-defined]
        found: Any = find(kind, table, identifier.get("class_name"))
        return found.from_config(identifier.get("config", {}))
    build: Callable[[], Kind] = find(kind, table, identifier)
    return build()
