"""Events and commands as JSON and back: the one place where pydantic meets them.

Used by the call's timeline in the database, by the flight of events through a bus that leaves the
process, and by `zuoxi replay`. Unknown classes and unknown fields are refused with `Invalid`.

Questions and answers hold values within values (an `OpenCall` all its facts), so `to_tagged` says of
each value which class it is.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import orjson

from crm_core import commands, events, ids
from crm_core.centre import plan
from crm_core.durations import Durations
from crm_core.errors import Invalid
from crm_core.events import Event


@cache
def _classes() -> dict[str, type[Event]]:
    found: dict[str, type[Event]] = {}
    for value in vars(events).values():
        if isinstance(value, type) and issubclass(value, Event):
            found[value.__name__] = value
    return found


@cache
def _adapter(name: str) -> Any:
    from pydantic import ConfigDict, TypeAdapter, with_config  # 70 ms: not before it is needed

    return TypeAdapter(with_config(ConfigDict(extra="forbid"))(_classes()[name]))


def to_json(event: Event) -> dict[str, Any]:
    """A JSON-ready dict; `type` is the class's name."""
    name = type(event).__name__
    body: dict[str, Any] = _adapter(name).dump_python(event, mode="json")
    return {"type": name, **body}


def to_text(event: Event) -> str:
    """What `to_json` says, as JSON text, a tenth of the way: for those who only store it."""
    body = orjson.dumps(event, option=orjson.OPT_UTC_Z).decode()
    return f'{{"type":"{type(event).__name__}",{body[1:]}'


def from_json(data: dict[str, Any]) -> Event:
    """The event that `to_json` made `data` from. Raises `Invalid` with a sentence."""
    rest = dict(data)
    name = rest.pop("type", None)
    if not isinstance(name, str) or name not in _classes():
        raise Invalid(f"unknown kind of event: {name!r}")
    from pydantic import ValidationError

    try:
        event: Event = _adapter(name).validate_python(rest)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"{name}.{where}: {first['msg']}") from None
    return event


# --- questions and answers ------------------------------------------------------------------------


@cache
def _values() -> dict[str, type[Any]]:
    """Every value that a question or an answer may hold."""
    return {
        value.__name__: value
        for module in (commands, events, ids, plan)
        for value in vars(module).values()
        if isinstance(value, type) and is_dataclass(value)
    }


@cache
def _value_adapter(name: str) -> Any:
    from pydantic import ConfigDict, TypeAdapter, with_config

    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    return TypeAdapter(with_config(config)(_values()[name]))


def to_tagged(value: Any) -> bytes:
    """A question or an answer as JSON, with the class of each value in it as its `type`."""
    return orjson.dumps(
        value, default=_tagged, option=orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_UTC_Z
    )


def _tagged(value: Any) -> dict[str, Any]:
    name = type(value).__name__
    if isinstance(value, Durations):
        counts = {"bounds": value.bounds, "counts": value.counts}
        return {"type": name, **counts, "total_seconds": value.total_seconds}
    if _values().get(name) is not type(value):
        raise TypeError(f"{name} is no value of ours")
    return {"type": name, **{each.name: getattr(value, each.name) for each in fields(value)}}


def from_tagged(text: bytes) -> Any:
    """What `to_tagged` made `text` from; lists are tuples. Raises `Invalid` with a sentence."""
    try:
        return _untagged(orjson.loads(text))
    except orjson.JSONDecodeError as wrong:
        raise Invalid(f"no JSON: {wrong}") from None
    except RecursionError:
        raise Invalid("values within values without an end") from None


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_untagged(each) for each in value)
    if not isinstance(value, dict):
        return value
    rest = {name: _untagged(each) for name, each in value.items()}
    if "type" not in rest:
        return rest
    name = rest.pop("type")
    if name == Durations.__name__:
        return _durations(rest)
    if not isinstance(name, str) or name not in _values():
        raise Invalid(f"unknown kind of value: {name!r}")
    from pydantic import ValidationError

    try:
        return _value_adapter(name).validate_python(rest)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"{name}.{where}: {first['msg']}") from None


def _durations(said: dict[str, Any]) -> Durations:
    try:
        made = Durations(tuple(float(each) for each in said["bounds"]))
        made.counts = [int(each) for each in said["counts"]]
        made.total_seconds = float(said["total_seconds"])
    except (KeyError, TypeError, ValueError):
        raise Invalid("Durations: bounds, counts and total_seconds are numbers") from None
    return made
