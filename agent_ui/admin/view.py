"""What the pages of people and seats show: frozen values, and which people a filter lets through.

Roles, teams and queues are named as people read them; instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime

from agent_ui.calls.view import Choice
from crm_core.access.people import Wish
from crm_core.access.person_problems import Wrong
from crm_core.events import AgentState
from crm_core.quick_dataclass import dataclass

# --- people ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """A line of the list."""

    user_id: int
    name: str
    full_name: str
    agent_number: str | None
    roles: tuple[str, ...]
    """Their names in the tables; `words.ROLES` has the words of the presets."""
    team: str | None
    queues: tuple[str, ...] = ()
    """Titles."""
    extension: str | None = None
    """The usual device."""
    seated_at: str | None = None
    """The extension where this person is signed in now."""
    state: AgentState | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFilters:
    """The filters as they stand in the address; empty: not filtered."""

    text: str = ""
    """A part of the name, the sign-in name or the agent number."""
    role: str = ""
    team: str = ""
    status: str = ""
    """`active` or `disabled`."""

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.role or self.team or self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePage:
    """`admin/people.html`."""

    filters: PeopleFilters
    rows: tuple[PersonRow, ...]
    total: int
    """How many there are without filters."""
    roles: tuple[Choice, ...] = ()
    teams: tuple[Choice, ...] = ()
    next_url: str | None = None
    first_url: str | None = None


def fitting(rows: Iterable[PersonRow], filters: PeopleFilters) -> tuple[PersonRow, ...]:
    """Those that the filters let through, by agent number, those without one last."""
    wanted = filters.text.strip().casefold()
    found = [
        row
        for row in rows
        if (not wanted or any(wanted in text.casefold() for text in _texts(row)))
        and (not filters.role or filters.role in row.roles)
        and (not filters.team or filters.team == row.team)
        and (not filters.status or (filters.status == "disabled") == row.disabled)
    ]
    return tuple(sorted(found, key=_place))


def _texts(row: PersonRow) -> tuple[str, ...]:
    return row.full_name, row.name, row.agent_number or ""


def _place(row: PersonRow) -> tuple[bool, int, str, str]:
    number = row.agent_number or ""
    return not number, len(number), number, row.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPage:
    """`admin/person.html`: a new person, or one's file. Posts to `/people` or `/people/{user_id}`.

    Fields: `name` (a new person's), `full_name`, `agent_number`, `roles`…, `team`, `queues`…,
    `device` (= `pbx/extension`).
    """

    wish: Wish
    """What stands in the form."""
    roles: tuple[Choice, ...]
    teams: tuple[Choice, ...]
    queues: tuple[Choice, ...]
    devices: tuple[Choice, ...]
    problems: Mapping[str, Wrong] = field(default_factory=dict)
    saved: bool = False
    known: KnownPerson | None = None

    @property
    def device(self) -> str:
        return f"{self.wish.pbx or ''}/{self.wish.extension}" if self.wish.extension else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """What the file of somebody who is there already says beside the form."""

    user_id: int
    name: str
    full_name: str
    number_is_fixed: bool
    created_at: datetime
    seen_at: datetime | None
    disabled_at: datetime | None
    must_change_password: bool
    seated_at: str | None
    seated_since: datetime | None
    is_self: bool
    """Nobody disables oneself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOverPage:
    """`admin/handed_over.html`: the one time that a one-time password is shown."""

    user_id: int
    name: str
    full_name: str
    password: str
    address: str
    """Where the person signs in."""
    is_new: bool


# --- seats ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatRow:
    """A line of the list."""

    pbx: str
    extension: str
    registers: bool
    contact: str | None = None
    held_by: str | None = None
    held_number: str | None = None
    held_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsPage:
    """`admin/seats.html`."""

    rows: tuple[SeatRow, ...]
    shows_pbx: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneValues:
    """The five values that a SIP phone registers with."""

    host: str
    port: int
    transport: str
    user_name: str
    display_name: str
    password: str | None = None
    """None: hidden until somebody asks, which the audit notes."""

    @property
    def domain(self) -> str:
        """As phones take it in one field: the port stands there unless it is SIP's own."""
        return self.host if self.port == SIP_PORT else f"{self.host}:{self.port}"


SIP_PORT = 5060


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatPage:
    """`admin/seat.html`. `values` None: the phone does not register."""

    row: SeatRow
    values: PhoneValues | None = None
    is_new_password: bool = False
    unreachable: bool = False
    """The address is one of loopback: no phone of another machine comes there."""
