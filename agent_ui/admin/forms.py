"""The form of a person: what it offers, and what came back from it."""

from __future__ import annotations

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from agent_ui.admin.view import KnownPerson, PersonPage
from agent_ui.calls.view import Choice
from agent_ui.deps import Deps
from agent_ui.words import ROLES
from crm_core.access.models import Role
from crm_core.access.people import PersonFile, Wish, next_agent_number
from crm_core.access.permissions import PRESET_ROLES
from crm_core.access.person_problems import Wrong
from crm_core.centre.models import Team
from crm_core.centre.queries import queues
from crm_core.centre.seats import seat_files

USUAL_ROLE = "agent"
LONGEST_FIELD = 200


async def wish_of(request: Request) -> Wish:
    """What the posted form says; whatever it says, nothing is believed yet."""
    form = await request.form(max_files=0, max_fields=1_000)

    def one(name: str) -> str:
        value = form.get(name)
        return value.strip()[:LONGEST_FIELD] if isinstance(value, str) else ""

    def many(name: str) -> list[str]:
        return [value for value in form.getlist(name) if isinstance(value, str)]

    pbx, _, extension = one("device").partition("/")
    return Wish(
        name=one("name"),
        full_name=one("full_name"),
        agent_number=one("agent_number") or None,
        roles=frozenset(many("roles")),
        team=one("team") or None,
        queues=frozenset(_queue_id(text) for text in many("queues")),
        pbx=pbx or None,
        extension=extension or None,
    )


def _queue_id(text: str) -> int:
    # No queue has the id 0: what is no number is told as an unknown queue.
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


async def wish_for_new(connection: AsyncConnection) -> Wish:
    """What the form of a new person proposes."""
    teams = list(await connection.scalars(select(Team.name)))
    return Wish(
        full_name="",
        agent_number=await next_agent_number(connection),
        roles=frozenset({USUAL_ROLE}),
        team=teams[0] if len(teams) == 1 else None,
        queues=frozenset(),
    )


def wish_as_it_is(person: PersonFile) -> Wish:
    """The form of somebody, unchanged."""
    return Wish(
        name=person.name,
        full_name=person.full_name,
        agent_number=person.agent_number,
        roles=person.roles,
        team=person.team,
        queues=person.queues,
        pbx=person.pbx,
        extension=person.extension,
    )


async def person_page(
    connection: AsyncConnection,
    deps: Deps,
    language: str,
    wish: Wish,
    *,
    known: KnownPerson | None = None,
    problems: dict[str, Wrong] | None = None,
    saved: bool = False,
) -> PersonPage:
    """The form with everything that can be chosen in it."""
    teams = await connection.scalars(select(Team.name).order_by(Team.name))
    all_queues = await queues(connection)
    several = len({queue.pbx for queue in all_queues}) > 1
    return PersonPage(
        wish=wish,
        roles=role_choices(await role_names(connection), deps, language),
        teams=tuple(Choice(value=name, label=name) for name in teams),
        queues=tuple(
            Choice(
                value=str(queue.id),
                label=f"{queue.title} · {queue.pbx}" if several else queue.title,
            )
            for queue in all_queues
        ),
        devices=await _device_choices(connection, wish),
        problems=problems or {},
        saved=saved,
        known=known,
    )


async def role_names(connection: AsyncConnection) -> list[str]:
    """The presets in the order of their table, then a site's own."""
    present = set(await connection.scalars(select(Role.name)))
    presets = [name for name in PRESET_ROLES if name in present]
    return presets + sorted(present - set(presets))


def role_choices(names: list[str], deps: Deps, language: str) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=name, label=deps.renderer.text(ROLES.get(name, name), language))
        for name in names
    )


async def _device_choices(connection: AsyncConnection, wish: Wish) -> tuple[Choice, ...]:
    """All seats, and a usual device from before that is none of them."""
    seats = await seat_files(connection)
    several = len({seat.pbx for seat in seats}) > 1
    found = {
        f"{seat.pbx}/{seat.extension}": f"{seat.extension} · {seat.pbx}"
        if several
        else seat.extension
        for seat in seats
    }
    if wish.extension:
        found.setdefault(f"{wish.pbx or ''}/{wish.extension}", wish.extension)
    return tuple(Choice(value=value, label=label) for value, label in found.items())
