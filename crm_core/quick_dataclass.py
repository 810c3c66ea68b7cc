"""`dataclass` as the standard library has it, but quick to declare: hundreds are at every start.

    from crm_core.quick_dataclass import dataclass

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Ring: ...

The standard library writes Python for six methods of each class and compiles them: 0.4 ms, of which
hundreds of values make a sixth of a cold start. Here one is compiled, `__init__`, and the others are
made of functions that are there already; a value is made in less time, too. Readers and type checkers
may think of `dataclasses.dataclass`: `fields`, `replace`, `repr`, `==`, `hash`, pickling and
`FrozenInstanceError` are the same, which a test holds against it. Whatever is asked in another way
than above is handed on to it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, **options):
        """See above."""
        if options != {"frozen": True, "slots": True, "kw_only": True}:
            return dataclasses.dataclass(cls, **options)
        return _quick


def _quick(cls: type[Any]) -> type[Any]:
    if _is_special(cls):
        return dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(cls)
    # Not `frozen`: that alone compiles two methods; ours refuse as well.
    made: type[Any] = dataclasses.dataclass(
        init=False, repr=False, eq=False, slots=True, kw_only=True
    )(cls)
    names = tuple(field.name for field in fields(made))
    for name, method in (*_SHARED.items(), *_comparing(names).items()):
        setattr(made, name, method)
    made.__init__ = _init_of(made)
    return made


def _is_special(cls: type[Any]) -> bool:
    """Does it have a method or a field of another kind, or a base of the standard library's make?"""
    of_standard_make = any(
        getattr(base.__dict__.get("__dataclass_params__"), "frozen", False) for base in cls.__mro__
    )
    return of_standard_make or any(
        name in _MADE
        or (
            isinstance(value, dataclasses.Field)
            and not (value.init and value.repr and value.compare and value.hash is None)
        )
        for name, value in cls.__dict__.items()
    )


def _init_of(made: type[Any]) -> Callable[..., None]:
    """`__init__`, as if it had been written by hand."""
    outer: dict[str, Any] = {"_missing": MISSING}
    arguments, lines = [], []
    for field in fields(made):
        name = field.name
        # The slot's own setter; `object.__setattr__` would look the name up each time.
        outer[f"_set_{name}"] = getattr(made, name).__set__
        if field.default_factory is not MISSING:
            outer[f"_{name}"] = field.default_factory
            arguments.append(f"{name}=_missing")
            lines.append(f"_set_{name}(self, _{name}() if {name} is _missing else {name})")
            continue
        if field.default is not MISSING:
            outer[f"_{name}"] = field.default
        arguments.append(f"{name}=_{name}" if f"_{name}" in outer else name)
        lines.append(f"_set_{name}(self, {name})")
    if hasattr(made, "__post_init__"):
        lines.append("self.__post_init__()")
    keywords = f", *, {', '.join(arguments)}" if arguments else ""
    body = "\n  ".join(lines or ["pass"])
    source = (
        f"def outer({', '.join(outer)}):\n"
        f" def __init__(self{keywords}):\n  {body}\n"
        " return __init__"
    )
    found: dict[str, Any] = {}
    # In the class's module, where whoever asks for its annotations looks their names up.
    exec(source, sys.modules[made.__module__].__dict__, found)
    init: Callable[..., None] = found["outer"](**outer)
    init.__qualname__ = f"{made.__qualname__}.__init__"
    init.__annotations__ = {field.name: field.type for field in fields(made)}
    init.__annotations__["return"] = None
    return init


def _comparing(names: tuple[str, ...]) -> dict[str, Any]:
    """`==` and `hash` by the fields, in C."""
    values: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()

    def equals(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(values(self) == values(other))

    def hashes(self: Any) -> int:
        return hash(values(self))

    return {"__eq__": equals, "__hash__": hashes}


def _repr(self: Any) -> str:
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self))
    return f"{self.__class__.__qualname__}({shown})"


def _refuse_to_set(self: Any, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHARED = {
    "__repr__": _repr,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _restore,
}

_MADE = frozenset(["__init__", "__eq__", "__hash__", *_SHARED])
