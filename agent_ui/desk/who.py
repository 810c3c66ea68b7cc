"""Who calls, as a card shows it: the customer's file, those who share a number, the last contacts.

Frozen values, already cut to the viewer: `callers` makes them of the look-up's answer. Numbers are
shown as they stand here, `138****8000` for those who may not see the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from crm_core.events import Direction, Outcome
from crm_core.ids import CallId, CustomerId
from crm_core.quick_dataclass import dataclass


class Recognised(StrEnum):
    """What the number told about the caller."""

    KNOWN = "known"
    SEVERAL = "several"
    UNKNOWN = "unknown"
    HIDDEN = "hidden"
    """The number is withheld: nothing was looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldShown:
    """One field of the customer's file with a value, label in the viewer's language."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactShown:
    """A person at the customer."""

    name: str
    position: str = ""
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerShown:
    """A customer's file as this viewer may read it."""

    customer: CustomerId
    name: str
    grade: str = ""
    numbers: tuple[str, ...] = ()
    fields: tuple[FieldShown, ...] = ()
    contacts: tuple[ContactShown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One of several customers who share the number; keys 1–5 choose."""

    customer: CustomerId
    name: str
    grade: str = ""
    company: str = ""


class InputKind(StrEnum):
    """How a field is typed in; the values are those of `customers.models.FieldKind`."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldInput:
    """A field to fill in. `name` is the form field's name."""

    name: str
    label: str
    kind: InputKind = InputKind.TEXT
    choices: tuple[str, ...] = ()
    value: str = ""
    required: bool = False
    problem: str | None = None
    """What is wrong with the value, a sentence in the viewer's language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatBadge:
    """The number was connected to an agent within two hours before (F01, AG-03)."""

    minutes_ago: int
    agent: str
    """Full name of who talked then."""
    disposition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastContact:
    """A line of the list of last contacts."""

    call: CallId
    at: datetime
    direction: Direction
    outcome: Outcome | None
    agent: str | None = None
    """Full name."""
    queue: str = ""
    wait_seconds: int | None = None
    talk_seconds: int | None = None
    disposition: str | None = None
    note: str = ""
    """Its beginning: one line."""
    may_open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who calls (or is called). Exactly what `recognised` names is filled; the rest is empty."""

    recognised: Recognised
    number: str | None
    customer: CustomerShown | None = None
    matches: tuple[Match, ...] = ()
    """At most five."""
    new_customer: tuple[FieldInput, ...] = ()
    """The form of an unknown caller, posted to `/calls/{id}/customer`; empty for those who may not
    write customers. The number is not among the fields: the server takes the call's own."""
    history: tuple[PastContact, ...] = ()
    repeat: RepeatBadge | None = None


def excerpt(note: str, limit: int = 60) -> str:
    """The beginning of a note on one line."""
    line = " ".join(note.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def shown_fields(fields: Sequence[FieldShown]) -> tuple[FieldShown, ...]:
    """Only fields with a value: an empty line tells an agent nothing while it rings."""
    return tuple(field for field in fields if field.value.strip())
