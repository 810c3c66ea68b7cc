"""The sections of a set-up file, made rows of the tables: one function each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from crm_core.access import passwords
from crm_core.access.models import User, UserProject, UserQueue, UserRole
from crm_core.agents.pause_reasons import write_pause_reasons
from crm_core.centre.models import DirectionRecording, Hotline, Project, Queue, Seat, Team
from crm_core.centre.plan import QueuePlan, RecordingRule
from crm_core.centre.setup_file import Entry
from crm_core.centre.setup_rows import Rows, named
from crm_core.customers.fields import BUILT_IN
from crm_core.customers.models import CustomerField, FieldKind
from crm_core.wrap_up.models import Disposition
from crm_core.wrap_up.queries import write_default_dispositions


async def write_sections(rows: Rows, *, now: datetime) -> None:
    """In this order, because later sections name what stands in earlier ones."""
    new_projects = await _projects(rows)
    for entry in rows.once("queues", "pbx", "name"):
        await _queue(rows, entry)
    for entry in rows.once("recording", "pbx", "direction"):
        await _direction(rows, entry)
    for entry in rows.once("hotlines", "pbx", "number"):
        await _hotline(rows, entry)
    for entry in rows.once("teams", "name"):
        await _team(rows, entry)
    for entry in rows.once("seats", "pbx", "extension"):
        await _seat(rows, entry)
    for entry in rows.once("people", "name"):
        await _person(rows, entry, now)
    for ordinal, entry in enumerate(rows.once("customer_fields", "key"), start=100):
        await _customer_field(rows, entry, ordinal)
    await write_pause_reasons(rows)
    for project_id in new_projects - await _dispositions(rows):
        await write_default_dispositions(rows.connection, project_id)


async def _projects(rows: Rows) -> set[int]:
    """The ids of those that are new."""
    new: set[int] = set()
    default: int | None = None
    for entry in rows.once("projects", "name"):
        is_default = entry.values.get("default", False)
        values = named(entry, "client", "keep_recordings_days") | (
            {"is_default": True} if is_default else {}
        )
        identity = {"name": entry.values["name"]}
        project_id, how = await rows.write(Project, identity, values)
        rows.tell(f"project {entry.values['name']}", how)
        if how == "added":
            new.add(project_id)
        if is_default and default is not None:
            rows.wrong(entry, "default", "another project of this file is the default already")
        default = project_id if is_default else default
    others = Project.id != default
    if default is None:
        # Nobody's calls must be somebody's: without a word the first project takes them.
        present = select(Project.id).order_by(Project.is_default.desc(), Project.id).limit(1)
        others = Project.id != (default := await rows.connection.scalar(present))
    await rows.connection.execute(update(Project).where(others).values(is_default=False))
    await rows.connection.execute(
        update(Project).where(Project.id == default).values(is_default=True)
    )
    return new


async def _queue(rows: Rows, entry: Entry) -> None:
    project_id = await rows.project_id(entry)
    if project_id is None:
        return
    name = entry.values["name"]
    plan = QueuePlan(name=name, title=name)
    columns = (
        "title",
        "strategy",
        "ring_seconds",
        "max_wait_seconds",
        "wrap_up_seconds",
        "max_callers",
        "weight",
        "announce_position",
        "missed_rings",
        "recording",
        "announcement",
    )
    values = named(entry, *columns)
    _check_announcement(rows, entry)
    if "project" in entry.values:
        values["project_id"] = project_id
    defaults = {column: getattr(plan, column) for column in columns} | {"project_id": project_id}
    _id, how = await rows.write(Queue, {"pbx": rows.pbx_of(entry), "name": name}, values, defaults)
    rows.tell(f"queue {name}", how)


def _check_announcement(rows: Rows, entry: Entry) -> None:
    announced = entry.values.get("recording") == RecordingRule.ANNOUNCED
    if announced and not entry.values.get("announcement"):
        what = "announced needs an announcement, the sound that tells the caller"
        rows.wrong(entry, "recording", what)


async def _direction(rows: Rows, entry: Entry) -> None:
    _check_announcement(rows, entry)
    identity = {"pbx": rows.pbx_of(entry), "direction": entry.values["direction"]}
    values = named(entry, "recording", "announcement")
    _id, how = await rows.write(DirectionRecording, identity, values, {"announcement": ""})
    rows.tell(f"recording of {identity['direction']} calls", how)


async def _hotline(rows: Rows, entry: Entry) -> None:
    values = named(entry, "name", "greeting", "priorities", "last_agent_days")
    if "queue" in entry.values:
        row = (
            await rows.connection.execute(
                select(Queue.id, Queue.project_id).where(
                    Queue.pbx == rows.pbx_of(entry), Queue.name == entry.values["queue"]
                )
            )
        ).one_or_none()
        if row is None:
            there = f"{entry.values['queue']!r} on {rows.pbx_of(entry)}"
            rows.wrong(entry, "queue", f"there is no queue {there}")
            return
        values |= {"queue_id": row.id, "project_id": row.project_id}
    if "project" in entry.values or "project_id" not in values:
        project_id = await rows.project_id(entry)
        if project_id is None:
            return
        values["project_id"] = project_id
    identity = {"pbx": rows.pbx_of(entry), "number": entry.values["number"]}
    _id, how = await rows.write(Hotline, identity, values)
    rows.tell(f"hotline {entry.values['number']}", how)


async def _team(rows: Rows, entry: Entry) -> None:
    project_id = await rows.project_id(entry)
    if project_id is None:
        return
    values = named(entry, "region")
    if "project" in entry.values:
        values["project_id"] = project_id
    identity = {"name": entry.values["name"]}
    _id, how = await rows.write(Team, identity, values, {"project_id": project_id})
    rows.tell(f"team {entry.values['name']}", how)


async def _seat(rows: Rows, entry: Entry) -> None:
    pbx, extension = rows.pbx_of(entry), entry.values["extension"]
    interface = entry.values.get("interface", f"PJSIP/{extension}")
    other = await rows.connection.scalar(
        select(Seat.extension).where(
            Seat.pbx == pbx, Seat.interface == interface, Seat.extension != extension
        )
    )
    if other is not None:
        rows.wrong(entry, "interface", f"{interface} is the phone of seat {other}")
        return
    values = named(entry, "interface", "secret", "contact")
    identity = {"pbx": pbx, "extension": extension}
    _id, how = await rows.write(Seat, identity, values, {"interface": interface})
    rows.tell(f"seat {extension}", how)


# --- people ---------------------------------------------------------------------------------------


async def _person(rows: Rows, entry: Entry, now: datetime) -> None:
    name, mistakes = entry.values["name"], len(rows.file.mistakes)
    values = named(entry, "full_name", "agent_number", "language", "extension")
    if "extension" in entry.values:
        values["pbx"] = rows.pbx_of(entry)
    if "team" in entry.values:
        values["team_id"] = await rows.id_of(Team, entry, "team")
    lists = {
        "roles": await rows.role_ids(entry, "roles"),
        "projects": await _project_ids(rows, entry),
        "queues": await _queue_ids(rows, entry),
    }
    if not entry.values["roles"]:
        rows.wrong(entry, "roles", "a person needs at least one role")
    await _check_unique(rows, entry)
    defaults: dict[str, Any] = {"full_name": name, "created_at": now}
    is_new = await rows.connection.scalar(select(User.id).where(User.name == name)) is None
    if is_new and len(rows.file.mistakes) == mistakes:
        defaults |= await _first_password(rows, entry)
    if len(rows.file.mistakes) > mistakes:
        return
    user_id, how = await rows.write(User, {"name": name}, values, defaults)
    tables = {
        "roles": (UserRole, UserRole.role_id),
        "projects": (UserProject, UserProject.project_id),
        "queues": (UserQueue, UserQueue.queue_id),
    }
    for key, (table, column) in tables.items():
        if key in entry.values and await rows.write_list(table, column, user_id, lists[key]):
            how = "added" if how == "added" else "changed"
    rows.tell(f"person {name}", how)


async def _project_ids(rows: Rows, entry: Entry) -> list[int]:
    found = [
        await rows.id_of(Project, entry, "projects", name)
        for name in entry.values.get("projects", ())
    ]
    return [one for one in found if one is not None]


async def _queue_ids(rows: Rows, entry: Entry) -> list[int]:
    """The queues of the entry's own PBX; a name that stands only on others is one of theirs.
    `PBX/name` says which."""
    found: list[int] = []
    for name in entry.values.get("queues", ()):
        pbx, _, queue = name.rpartition("/")
        asked = await rows.connection.execute(
            select(Queue.id, Queue.pbx).where(Queue.name == queue).order_by(Queue.pbx)
        )
        on = {row.pbx: row.id for row in asked if pbx in ("", row.pbx)}
        if rows.pbx_of(entry) in on:
            found.append(on[rows.pbx_of(entry)])
        elif on:
            found += on.values()
        else:
            rows.wrong(entry, "queues", f"there is no queue {name!r}")
    return found


async def _check_unique(rows: Rows, entry: Entry) -> None:
    name, number = entry.values["name"], entry.values.get("agent_number")
    if number is not None:
        other = await rows.connection.scalar(
            select(User.name).where(User.agent_number == number, User.name != name)
        )
        if other is not None:
            rows.wrong(entry, "agent_number", f"the agent number {number} is {other}'s")
    extension, pbx = entry.values.get("extension"), rows.pbx_of(entry)
    if extension is not None:
        extensions = set(
            await rows.connection.scalars(select(Seat.extension).where(Seat.pbx == pbx))
        )
        # A site whose agents never open Zuoxi has people with extensions, and no seats.
        if extensions and extension not in extensions:
            rows.wrong(entry, "extension", f"there is no seat {extension} on {pbx}")


async def _first_password(rows: Rows, entry: Entry) -> dict[str, Any]:
    """The columns of a new person's password: the one of the file, else a one-time password."""
    name, password = entry.values["name"], entry.values.get("password")
    if password is not None and (weak := passwords.weakness(password, name=name)):
        rows.wrong(entry, "password", weak)
        return {}
    one_time = None if password is not None else passwords.one_time_password()
    if one_time is not None:
        rows.passwords.append((name, one_time))
    return {
        "password_hash": await passwords.hash_password(password or one_time or "", name=name),
        "must_change_password": one_time is not None,
    }


# --- what the centre defines ----------------------------------------------------------------------

_OUR_WORDS = ("id", "fields", "phone", "created_at", "changed_at")


async def _customer_field(rows: Rows, entry: Entry, ordinal: int) -> None:
    key = entry.values["key"]
    built_in = next((one for one in BUILT_IN if one.key == key), None)
    kind = entry.values.get("kind", FieldKind.TEXT)
    if wrong := _wrong_field(entry, is_built_in=built_in is not None):
        rows.wrong(entry, "key", wrong)
        return
    mistakes = len(rows.file.mistakes)
    for roles in ("read_roles", "write_roles"):
        await rows.role_ids(entry, roles)
    if len(rows.file.mistakes) > mistakes:
        return
    values = named(entry, "kind", "on_pop")
    for name, column in (("zh", "label_zh"), ("en", "label_en")):
        if name in entry.values:
            values[column] = entry.values[name]
    for name in ("choices", "read_roles", "write_roles"):
        if name in entry.values:
            values[name] = list(entry.values[name])
    defaults = {
        "label_zh": built_in.label_zh if built_in else key,
        "label_en": built_in.label_en if built_in else key,
        "kind": kind,
        "custom": built_in is None,
        "ordinal": ordinal,
    }
    _id, how = await rows.write(CustomerField, {"key": key}, values, defaults)
    rows.tell(f"customer field {key}", how)


def _wrong_field(entry: Entry, *, is_built_in: bool) -> str | None:
    key, kind = entry.values["key"], entry.values.get("kind", FieldKind.TEXT)
    if key in _OUR_WORDS:
        return f"{key} is a word of the product: choose another"
    if is_built_in and ("kind" in entry.values or "choices" in entry.values):
        return f"{key} is built in: its kind stays"
    if not is_built_in and not ("zh" in entry.values and "en" in entry.values):
        return f"{key} needs zh and en, its labels"
    if (kind == FieldKind.CHOICE) != bool(entry.values.get("choices")):
        return f"{key}: choices belong to the kind choice, and only there"
    return None


async def _dispositions(rows: Rows) -> set[int]:
    """The projects that name some."""
    written = [
        (entry, project_id, await _disposition(rows, entry, project_id, ordinal))
        for ordinal, entry in enumerate(rows.once("dispositions", "project", "key"), start=1)
        if (project_id := await rows.project_id(entry)) is not None
    ]
    # When all are there: a heading may stand behind those below it.
    for entry, project_id, how in written:
        moved = "parent" in entry.values and await _put_below(rows, entry, project_id)
        told = "changed" if moved and how == "unchanged" else how
        rows.tell(f"disposition {entry.values['key']}", told)
    for entry, project_id, _how in written:
        if "parent" in entry.values:
            await _check_heading(rows, entry, project_id)
    return {project_id for _entry, project_id, _how in written}


async def _disposition(rows: Rows, entry: Entry, project_id: int, ordinal: int) -> str:
    """Whether it was added or changed."""
    key, digit = entry.values["key"], entry.values.get("digit")
    if digit is not None:
        other = await rows.connection.scalar(
            select(Disposition.label_zh).where(
                Disposition.project_id == project_id,
                Disposition.digit == digit,
                Disposition.key != key,
            )
        )
        if other is not None:
            rows.wrong(entry, "digit", f"the digit {digit} is that of {other}")
    values = {"label_zh": entry.values["zh"], "label_en": entry.values["en"]}
    identity = {"project_id": project_id, "key": key}
    _id, how = await rows.write(
        Disposition, identity, values | named(entry, "digit"), {"ordinal": ordinal}
    )
    return how


async def _put_below(rows: Rows, entry: Entry, project_id: int) -> bool:
    """The entry's disposition stands below the heading that it names; whether it did not before."""
    key, parent = entry.values["key"], entry.values["parent"]
    in_project = select(Disposition.id).where(Disposition.project_id == project_id)
    heading = await rows.connection.scalar(in_project.where(Disposition.key == parent))
    if heading is None:
        rows.wrong(entry, "parent", f"this project has no disposition {parent!r}")
        return False
    moved = await rows.connection.execute(
        update(Disposition)
        .where(
            Disposition.project_id == project_id,
            Disposition.key == key,
            Disposition.parent_id.is_distinct_from(heading),
        )
        .values(parent_id=heading)
    )
    return bool(moved.rowcount)


async def _check_heading(rows: Rows, entry: Entry, project_id: int) -> None:
    parent = entry.values["parent"]
    heading = (
        await rows.connection.execute(
            select(Disposition.parent_id, Disposition.digit).where(
                Disposition.project_id == project_id, Disposition.key == parent
            )
        )
    ).one_or_none()
    if heading is not None and heading.parent_id is not None:
        rows.wrong(entry, "parent", f"{parent} stands below another: there are two levels")
    elif heading is not None and heading.digit is not None:
        rows.wrong(entry, "parent", f"{parent} is a heading: a digit belongs to those below it")
