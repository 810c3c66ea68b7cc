"""What stands in an entry of the stream, as bytes and back. Everything that comes in is doubted.

told     an event, numbered by its teller
present  all that lives at one PBX, in one piece and in its place among the events of its teller
asked    somebody needs the present of every PBX
again    the records lack what this teller has told from a number on
safe     so far the records are committed: by the place in the stream, and by each teller's number
beat     a service lives
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from crm_core import codec
from crm_core.beats import Beat
from crm_core.errors import Invalid
from crm_core.events import Event
from crm_core.ids import PbxId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """`number` counts what this teller tells, from 1; 0: told once and not kept for anybody.

    `kept_from` is the oldest number that the teller can still tell again.
    """

    event: Event
    number: int
    kept_from: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """All that lives at this PBX after what its teller has told until here."""

    pbx: PbxId
    facts: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whoever tells of a PBX: tell its present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """`teller` shall tell again what it keeps."""

    teller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Safe:
    """Committed: everything up to `place` of the stream, and up to these numbers of the tellers."""

    place: int
    numbers: Mapping[str, int]


Entry = Told | Present | Asked | Again | Safe | Beat


def packed(teller: str, entry: Entry) -> bytes:
    """The bytes of an entry."""
    match entry:
        case Told():
            head = f'{{"by":"{teller}","n":{entry.number},"from":{entry.kept_from},"told":'
            return f"{head}{codec.to_text(entry.event)}}}".encode()
        case Present():
            body: dict[str, Any] = {
                "present": entry.pbx,
                "facts": [orjson.Fragment(codec.to_text(fact)) for fact in entry.facts],
            }
        case Asked():
            body = {"asked": True}
        case Again():
            body = {"again": entry.teller}
        case Safe():
            body = {"safe": entry.place, "numbers": dict(entry.numbers)}
        case Beat():
            body = {
                "beat": entry.service, "pbx": entry.pbx, "leads": entry.leads, "says": entry.says
            }  # fmt: skip
    return orjson.dumps({"by": teller, **body})


def unpacked(data: bytes) -> tuple[str, Entry]:
    """Who wrote it, and what. Raises `Invalid` with a sentence."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError as wrong:
        raise Invalid(f"no JSON: {wrong}") from None
    teller = said.get("by") if isinstance(said, dict) else None
    if not isinstance(teller, str):
        raise Invalid("it does not say who wrote it")
    try:
        return teller, _entry(said)
    except (KeyError, TypeError, ValueError) as wrong:
        raise Invalid(f"an entry without its parts: {wrong!r}") from None


def _entry(said: Mapping[str, Any]) -> Entry:
    match said:
        case {"told": dict(event), "n": int(number), "from": int(kept_from)}:
            return Told(event=codec.from_json(event), number=number, kept_from=kept_from)
        case {"present": str(pbx), "facts": list(facts)}:
            return Present(pbx=PbxId(pbx), facts=_events(facts))
        case {"asked": _}:
            return Asked()
        case {"again": str(teller)}:
            return Again(teller=teller)
        case {"safe": int(place), "numbers": dict(numbers)}:
            return Safe(place=place, numbers={str(by): int(n) for by, n in numbers.items()})
        case {"beat": str(service), "pbx": str(pbx), "leads": bool(leads), "says": None | str()}:
            return Beat(service=service, pbx=pbx, leads=leads, says=said["says"])
    raise Invalid("an unknown kind of entry")


def _events(facts: Sequence[Any]) -> tuple[Event, ...]:
    return tuple(codec.from_json(fact) for fact in facts)
