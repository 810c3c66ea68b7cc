"""What the customers' pages show. Values only: everything in them has passed `fields.visible`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from agent_ui.calls.view import RecordShown
from crm_core.events import Direction, Outcome
from crm_core.ids import CallId, CustomerId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRow:
    """A line of the list. None: the viewer does not read this field."""

    customer: CustomerId
    name: str
    grade: str
    company: str
    number: str | None
    """The first that is not invalid, else the first; masked for who may not see it."""
    more_numbers: int
    contacts: tuple[str, ...]
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersPage:
    """`customers/page.html`. The form asks `/customers?q=…&grade=…`."""

    text: str
    grade: str
    rows: tuple[CustomerRow, ...]
    grades: tuple[str, ...]
    columns: frozenset[str]
    """The built-in fields that the viewer reads: a column that is not here is not drawn."""
    next_url: str | None
    first_url: str | None
    may_create: bool
    problem: str | None = None
    """A sentence of ours instead of rows."""

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.grade)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactShown:
    label: str
    value: str
    is_long: bool = False
    """Text of lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberShown:
    phone: int
    """Its id: by this a page has it dialled."""
    number: str
    contact: str | None
    is_invalid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactShown:
    name: str
    position: str
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallShown:
    """A call of the timeline with all notes about it."""

    call: CallId
    at: datetime
    direction: Direction
    outcome: Outcome | None
    answered: bool
    live: bool
    agent: str | None
    talk_seconds: int | None
    may_open: bool
    records: tuple[RecordShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePage:
    """`customers/file.html`. A tuple that is None belongs to a field the viewer does not read."""

    customer: CustomerId
    name: str
    grade: str
    facts: tuple[FactShown, ...]
    numbers: tuple[NumberShown, ...] | None
    contacts: tuple[ContactShown, ...] | None
    calls: tuple[CallShown, ...]
    next_url: str | None
    first_url: str | None
    may_edit: bool
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with what was typed: a message id and what fills it."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)


class InputKind(StrEnum):
    TEXT = "text"
    LINES = "lines"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One field of the form. `name` is what it is posted as."""

    name: str
    label: str
    kind: InputKind
    value: str
    choices: tuple[str, ...] = ()
    longest: int | None = None
    may_write: bool = True
    """False: it is shown, not typed."""
    in_file: str | None = None
    """What somebody else has written meanwhile."""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneInput:
    """A number of the form; posted as `phone.N…`.

    `kept` is the id of a number that the viewer sees masked: it is kept or taken out, not changed.
    """

    number: str
    contact: str = ""
    is_invalid: bool = False
    kept: int | None = None
    of_call: bool = False
    """The number of the call that the form was opened for, which the viewer sees masked."""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactInput:
    """A person of the form; posted as `contact.N…`. `was` is the name before it was typed over."""

    name: str
    position: str
    was: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateShown:
    """A customer who may be the same one."""

    customer: CustomerId
    name: str
    company: str
    number: str | None
    by_number: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPage:
    """`customers/form.html`: posts to `/customers`, or to `/customers/{customer}` where there is one.

    Beside the inputs it posts `wish` (so that sending twice makes one file), `seen` (the file's
    `changed_at` when it was opened), `call` and, when duplicates were shown, `anyway`.
    """

    customer: CustomerId | None
    name: str
    inputs: tuple[Input, ...]
    phones: tuple[PhoneInput, ...] | None
    """None: the viewer may not write them."""
    contacts: tuple[ContactInput, ...] | None
    names_contacts: bool
    """Each number says whose it is."""
    wish: str
    seen: str
    call: CallId | None = None
    duplicates: tuple[DuplicateShown, ...] = ()
    is_outdated: bool = False
    """Somebody has changed the file since `seen`."""
    problem: Problem | None = None

    @property
    def has_problems(self) -> bool:
        rows: list[Input | PhoneInput | ContactInput] = [*self.inputs]
        rows += [*(self.phones or ()), *(self.contacts or ())]
        return any(problem is not None for problem in (self.problem, *(r.problem for r in rows)))
