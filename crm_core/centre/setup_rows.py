"""How an entry of a set-up file becomes a row: written when it is new or differs, counted, told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import Role
from crm_core.centre.models import Project, Team
from crm_core.centre.setup_file import Entry, SetupFile
from crm_core.db import Column, Table


@dataclass(slots=True, kw_only=True)
class Rows:
    """One import under way: where it writes, and what it has done so far."""

    connection: AsyncConnection
    file: SetupFile
    pbx: str
    """Of entries that name none."""
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    passwords: list[tuple[str, str]] = field(default_factory=list)

    def wrong(self, entry: Entry, key: str, what: str) -> None:
        self.file.wrong(entry.line_of(key), f"{entry.section}: {what}")

    def once(self, section: str, *identity: str) -> list[Entry]:
        """The entries of a section; one that names the same thing again is a mistake."""
        seen: dict[tuple[str, ...], int] = {}
        entries = []
        for entry in self.file.section(section):
            key = tuple(
                str(entry.values.get(part, self.pbx if part == "pbx" else "")) for part in identity
            )
            if key in seen:
                self.wrong(entry, identity[-1], f"{key[-1]} stands in line {seen[key]} already")
            else:
                seen[key] = entry.line
                entries.append(entry)
        return entries

    def pbx_of(self, entry: Entry) -> str:
        return str(entry.values.get("pbx", self.pbx))

    async def project_id(self, entry: Entry) -> int | None:
        """The project that the entry names, else the default one; None is a mistake, told."""
        if "project" in entry.values:
            return await self.id_of(Project, entry, "project")
        found: int | None = await self.connection.scalar(
            select(Project.id).where(Project.is_default.is_(True))
        )
        if found is None:
            self.wrong(entry, "project", "there is no project yet: name one under projects")
        return found

    async def id_of(
        self, table: type[Project | Team], entry: Entry, key: str, name: str | None = None
    ) -> int | None:
        """The id of what the entry names at `key`; None: it names nothing, or a mistake, told."""
        name = name if name is not None else entry.values.get(key)
        if name is None:
            return None
        found: int | None = await self.connection.scalar(select(table.id).where(table.name == name))
        if found is None:
            noun = "team" if table is Team else "project"
            self.wrong(entry, key, f"there is no {noun} {name!r}")
        return found

    async def role_ids(self, entry: Entry, key: str) -> list[int]:
        """The ids of the roles named at `key`; an unknown one is a mistake."""
        rows = await self.connection.execute(select(Role.name, Role.id))
        known = {row.name: row.id for row in rows}
        for name in entry.values.get(key, ()):
            if name not in known:
                there_are = ", ".join(sorted(known))
                self.wrong(entry, key, f"there is no role {name!r}; there are: {there_are}")
        return [known[name] for name in entry.values.get(key, ()) if name in known]

    async def write(
        self,
        table: type[Table],
        identity: Mapping[str, Any],
        values: Mapping[str, Any],
        defaults: Mapping[str, Any] | None = None,
    ) -> tuple[int, str]:
        """The row with this identity says `values`, a new one `defaults` beside them; its id, and
        "added", "changed" or "unchanged"."""
        columns = table.__table__.c
        where = [columns[key] == value for key, value in identity.items()]
        row = (await self.connection.execute(select(table.__table__).where(*where))).one_or_none()
        if row is None:
            new = {**(defaults or {}), **identity, **values}
            added = await self.connection.execute(
                insert(table).values(new).returning(columns["id"])
            )
            return int(added.scalar_one()), "added"
        differing = {key: value for key, value in values.items() if row._mapping[key] != value}
        if differing:
            await self.connection.execute(
                update(table).where(columns["id"] == row.id).values(differing)
            )
        return int(row.id), "changed" if differing else "unchanged"

    async def write_list(
        self,
        table: type[Table],
        column: Column[int],
        user_id: int,
        wanted: Iterable[int],
    ) -> bool:
        """A person's roles, projects or queues are these; whether they were others."""
        user_column = table.__table__.c["user_id"]
        present = set(await self.connection.scalars(select(column).where(user_column == user_id)))
        new, gone = set(wanted) - present, present - set(wanted)
        if gone:
            await self.connection.execute(
                delete(table).where(user_column == user_id, column.in_(gone))
            )
        if new:
            await self.connection.execute(
                insert(table), [{"user_id": user_id, column.key: one} for one in sorted(new)]
            )
        return bool(new or gone)

    def tell(self, what: str, how: str) -> None:
        match how:
            case "added":
                self.added.append(what)
            case "changed":
                self.changed.append(what)
            case _:
                self.unchanged += 1


def named(entry: Entry, *keys: str) -> dict[str, Any]:
    """Those of the columns that the entry names."""
    return {key: entry.values[key] for key in keys if key in entry.values}
