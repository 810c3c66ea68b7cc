"""Events and commands as JSON and back: the one place where pydantic meets them.

Used by the call's timeline in the database, by the flight of events through a bus that leaves the
process, and by `zuoxi replay`. Unknown classes and unknown fields are refused with `Invalid`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson

from crm_core import events
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
