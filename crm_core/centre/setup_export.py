"""The whole centre as one YAML file: `zuoxi export setup`, the same that `zuoxi import setup` reads.

Every section and key of `setup_file.SECTIONS` but the passwords of people: those are hashes here, and
an import into an empty database makes one-time passwords. Somebody who is disabled is no part of a
set-up and is left out. Exporting what an import made gives the same text again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import Role, User, UserProject, UserQueue, UserRole
from crm_core.agents.pause_reasons import exported_pause_reasons
from crm_core.centre.models import DirectionRecording, Hotline, Project, Queue, Seat, Team
from crm_core.customers.models import CustomerField, FieldKind
from crm_core.wrap_up.models import Disposition

HEAD = "# The set-up of this centre, written by `zuoxi export setup`; `zuoxi import setup FILE` reads it.\n"
WITHOUT_SECRETS = (
    "# The secrets of the seats are left out: a seat that has one keeps it on import. "
    "For another database: --with-secrets.\n"
)

Item = dict[str, Any]
AnyRow = Row[*tuple[Any, ...]]


async def export_setup(connection: AsyncConnection, *, with_secrets: bool = False) -> str:
    """The file's text. `with_secrets`: what the seats' phones register with stands in it."""
    sections = {
        "projects": await _projects(connection),
        "queues": await _queues(connection),
        "recording": await _directions(connection),
        "hotlines": await _hotlines(connection),
        "teams": await _teams(connection),
        "seats": await _seats(connection, with_secrets),
        "people": await _people(connection),
        "customer_fields": await _customer_fields(connection),
        "pause_reasons": await exported_pause_reasons(connection),
        "dispositions": await _dispositions(connection),
    }
    pbx = _most_used_pbx(sections)
    for items in sections.values():
        for item in items:
            if item.get("pbx") == pbx:
                del item["pbx"]
    head = HEAD if with_secrets else HEAD + WITHOUT_SECRETS
    said = {"pbx": pbx} | {name: items for name, items in sections.items() if items}
    return head + yaml.dump(
        said, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1000, indent=2
    )


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _most_used_pbx(sections: Mapping[str, Iterable[Item]]) -> str:
    """That of the file: entries of others name theirs."""
    used = Counter(item["pbx"] for items in sections.values() for item in items if "pbx" in item)
    return min(used, key=lambda name: (-used[name], name), default="main")


def _item(**values: Any) -> Item:
    """An entry without the keys that say nothing."""
    return {key: value for key, value in values.items() if value not in (None, "", [])}


async def _projects(connection: AsyncConnection) -> list[Item]:
    # By id: the first is the default one where none says so.
    rows = await connection.execute(select(Project).order_by(Project.id))
    return [
        _item(
            name=row.name,
            client=row.client,
            default=row.is_default or None,
            keep_recordings_days=row.keep_recordings_days or None,
        )
        for row in rows
    ]


async def _queues(connection: AsyncConnection) -> list[Item]:
    rows = await connection.execute(
        select(Queue, Project.name.label("project"))
        .join(Project, Project.id == Queue.project_id)
        .order_by(Queue.pbx, Queue.name)
    )
    return [
        _item(
            name=row.name,
            title=row.title,
            project=row.project,
            pbx=row.pbx,
            strategy=row.strategy,
            ring_seconds=row.ring_seconds,
            max_wait_seconds=row.max_wait_seconds,
            wrap_up_seconds=row.wrap_up_seconds,
            max_callers=row.max_callers,
            weight=row.weight,
            announce_position=row.announce_position,
            missed_rings=row.missed_rings,
            recording=row.recording,
            announcement=row.announcement or None,
        )
        for row in rows
    ]


async def _directions(connection: AsyncConnection) -> list[Item]:
    rows = await connection.execute(
        select(DirectionRecording).order_by(DirectionRecording.pbx, DirectionRecording.direction)
    )
    return [
        _item(
            direction=row.direction,
            recording=row.recording,
            announcement=row.announcement,
            pbx=row.pbx,
        )
        for row in rows
    ]


async def _hotlines(connection: AsyncConnection) -> list[Item]:
    rows = await connection.execute(
        select(Hotline, Project.name.label("project"), Queue.name.label("queue"))
        .join(Project, Project.id == Hotline.project_id)
        .outerjoin(Queue, Queue.id == Hotline.queue_id)
        .order_by(Hotline.pbx, Hotline.number)
    )
    return [
        _item(
            number=row.number,
            name=row.name,
            greeting=row.greeting,
            queue=row.queue,
            project=row.project,
            priorities=row.priorities or None,
            last_agent_days=row.last_agent_days or None,
            pbx=row.pbx,
        )
        for row in rows
    ]


async def _teams(connection: AsyncConnection) -> list[Item]:
    rows = await connection.execute(
        select(Team, Project.name.label("project"))
        .join(Project, Project.id == Team.project_id)
        .order_by(Team.name)
    )
    return [_item(name=row.name, project=row.project, region=row.region) for row in rows]


async def _seats(connection: AsyncConnection, with_secrets: bool) -> list[Item]:
    rows = await connection.execute(select(Seat).order_by(Seat.pbx, Seat.extension))
    return [
        _item(
            extension=row.extension,
            interface=None if row.interface == f"PJSIP/{row.extension}" else row.interface,
            secret=row.secret if with_secrets else None,
            contact=row.contact,
            pbx=row.pbx,
        )
        for row in rows
    ]


# --- people ---------------------------------------------------------------------------------------


async def _people(connection: AsyncConnection) -> list[Item]:
    roles = await _lists(connection, Role.name, UserRole, UserRole.role_id == Role.id)
    projects = await _lists(
        connection, Project.name, UserProject, UserProject.project_id == Project.id
    )
    queues = await _queues_of_people(connection)
    rows = await connection.execute(
        select(User, Team.name.label("team"))
        .outerjoin(Team, Team.id == User.team_id)
        .where(User.disabled_at.is_(None))
        .order_by(User.name)
    )
    return [
        _item(
            name=row.name,
            full_name=row.full_name,
            agent_number=row.agent_number,
            team=row.team,
            extension=row.extension,
            pbx=row.pbx if row.extension is not None else None,
            language=row.language,
        )
        # Named even when empty: a person without roles is a mistake that an import should tell.
        | {"roles": sorted(roles[row.id])}
        | _item(projects=sorted(projects[row.id]), queues=queues[row.id])
        for row in rows
    ]


async def _lists(
    connection: AsyncConnection, wanted: Any, table: Any, joined: Any
) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for user_id, name in await connection.execute(
        select(table.user_id, wanted).join(table, joined)
    ):
        found[user_id].append(name)
    return found


async def _queues_of_people(connection: AsyncConnection) -> dict[int, list[str]]:
    """By user: each queue by its name, with its PBX before it where the name stands on several."""
    rows = (
        await connection.execute(
            select(UserQueue.user_id, Queue.pbx, Queue.name)
            .join(Queue, Queue.id == UserQueue.queue_id)
            .order_by(Queue.name, Queue.pbx)
        )
    ).all()
    pbxs: dict[str, set[str]] = defaultdict(set)
    for pbx, name in await connection.execute(select(Queue.pbx, Queue.name)):
        pbxs[name].add(pbx)
    found: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        alone = len(pbxs[row.name]) == 1
        found[row.user_id].append(row.name if alone else f"{row.pbx}/{row.name}")
    return found


# --- what the centre defines ----------------------------------------------------------------------


async def _customer_fields(connection: AsyncConnection) -> list[Item]:
    rows = await connection.execute(
        select(CustomerField).order_by(CustomerField.ordinal, CustomerField.id)
    )
    return [_customer_field(row) for row in rows]


def _customer_field(row: AnyRow) -> Item:
    kind = row.kind if row.custom else None  # a built-in one's stays
    item = _item(
        key=row.key,
        zh=row.label_zh,
        en=row.label_en,
        kind=kind,
        choices=row.choices if kind == FieldKind.CHOICE else None,
    )
    item["on_pop"] = row.on_pop
    # An empty list is nobody, none is everybody: both must come back as they are.
    lists = {"read_roles": row.read_roles, "write_roles": row.write_roles}
    return item | {key: roles for key, roles in lists.items() if roles is not None}


async def _dispositions(connection: AsyncConnection) -> list[Item]:
    heading = Disposition.__table__.alias()
    rows = await connection.execute(
        select(Disposition, Project.name.label("project"), heading.c.key.label("parent"))
        .join(Project, Project.id == Disposition.project_id)
        .outerjoin(heading, heading.c.id == Disposition.parent_id)
        .order_by(Project.id, Disposition.ordinal, Disposition.id)
    )
    return [
        _item(
            project=row.project,
            key=row.key,
            zh=row.label_zh,
            en=row.label_en,
            digit=row.digit,
            parent=row.parent,
        )
        for row in rows
    ]
