"""The set-up written out again: what an import reads back is the same centre."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import User, UserQueue
from crm_core.access.users import disable
from crm_core.centre.models import Queue
from crm_core.centre.setup import EXAMPLE, import_setup
from crm_core.centre.setup_export import export_setup
from crm_core.centre.setup_file import SECTIONS
from crm_core.db import engine_of, reading, transaction
from tests.crm_core.centre.a_centre import CENTRE, T0

ODD = """\
pbx: main
projects:
  - {name: "null", client: "yes", default: true}
  - {name: "- a: b # c", client: ""}
queues:
  - {name: both, title: 一, pbx: main, project: "null"}
  - {name: both, title: 二, pbx: second, project: "null", max_callers: 5, announce_position: true}
  - {name: only, title: "0755", pbx: second, project: "- a: b # c"}
recording:
  - {direction: internal, recording: always, pbx: second}
hotlines:
  - {number: "+8621600", name: x, greeting: "第一行：您好\\n第二行", queue: both}
  - {number: "0755", name: "8001", project: "- a: b # c", pbx: second}
  - {number: "0756", name: "x", queue: both, priorities: {"no": 3, A: 1000, "1": 0}, last_agent_days: 365}
teams:
  - {name: "007", project: "null"}
seats:
  - {extension: "0010", secret: 'a"b#c:{d}'}
  - {extension: "8001", interface: PJSIP/desk-1, contact: "sip:8001@192.0.2.1:5060", pbx: second}
  - {extension: "8002"}
people:
  - {name: "true", full_name: "~", agent_number: "0099", roles: [agent], queues: [second/both, main/both, only]}
  - {name: 王芳, roles: [supervisor, admin], team: "007", language: en, extension: "8001", pbx: second}
customer_fields:
  - {key: name, en: Who, read_roles: []}
  - {key: risk, zh: 风险, en: Risk, kind: choice, choices: ["1", "no"], on_pop: false}
dispositions:
  - {key: only_one, zh: 仅此, en: Only, digit: 9, project: "- a: b # c"}
"""


@pytest.fixture
async def another_engine(
    engine: AsyncEngine, migrated_sqlite: Path, tmp_path: Path
) -> AsyncIterator[AsyncEngine]:
    """An empty centre on SQLite, whatever the other one is on: a site may move between the two."""
    shutil.copy(migrated_sqlite, tmp_path / "another.db")
    made = engine_of(f"sqlite:///{tmp_path}/another.db")
    yield made
    await made.dispose()


async def filled(engine: AsyncEngine, text: str) -> None:
    async with transaction(engine) as connection:
        await import_setup(connection, text, now=T0)


async def exported(engine: AsyncEngine, *, with_secrets: bool = True) -> str:
    async with reading(engine) as connection:
        return await export_setup(connection, with_secrets=with_secrets)


@pytest.mark.parametrize("text", [EXAMPLE, CENTRE, ODD], ids=["example", "centre", "odd"])
async def test_export_imported_into_an_empty_database_is_exported_identically(
    engine: AsyncEngine, another_engine: AsyncEngine, text: str
) -> None:
    await filled(engine, text)
    first = await exported(engine)
    await filled(another_engine, first)
    assert await exported(another_engine) == first


@pytest.mark.parametrize("text", [EXAMPLE, ODD], ids=["example", "odd"])
async def test_export_imported_where_it_came_from_changes_nothing(
    engine: AsyncEngine, text: str
) -> None:
    await filled(engine, text)
    for with_secrets in (True, False):
        again = await exported(engine, with_secrets=with_secrets)
        async with transaction(engine) as connection:
            report = await import_setup(connection, again, now=T0)
        assert (report.added, report.changed, report.passwords) == ((), (), ())
    # A queue that stands on two PBXs is somebody's on both.
    async with reading(engine) as connection:
        rows = await connection.execute(
            select(Queue.pbx, Queue.name)
            .join(UserQueue, UserQueue.queue_id == Queue.id)
            .join(User, User.id == UserQueue.user_id)
            .where(User.name == "true")
        )
        found = sorted(tuple(row) for row in rows)
    if text is ODD:
        assert found == [("main", "both"), ("second", "both"), ("second", "only")]


async def test_every_key_of_a_set_up_file_is_written_out(engine: AsyncEngine) -> None:
    """A new key of the file that an export forgets is lost by whoever moves to another machine."""
    await filled(engine, EXAMPLE)
    await filled(engine, ODD)
    written = yaml.safe_load(await exported(engine))
    for name, section in SECTIONS.items():
        keys = {key for item in written[name] for key in item}
        # Only hashes of passwords are known.
        assert set(section.readers) - keys <= {"password"}, name


async def test_secrets_stand_in_it_only_where_they_are_asked_for(engine: AsyncEngine) -> None:
    await filled(engine, EXAMPLE)
    assert "change-this-Secret-8001" in await exported(engine)
    plain = await exported(engine, with_secrets=False)
    assert "ecret-8001" not in plain
    assert "--with-secrets" in plain
    async with reading(engine) as connection:
        hashes = list(await connection.scalars(select(User.password_hash)))
    everything = await exported(engine)
    assert [one for one in hashes if one in everything] == []


async def test_who_has_left_is_not_in_it(engine: AsyncEngine) -> None:
    await filled(engine, EXAMPLE)
    async with transaction(engine) as connection:
        await disable(connection, "limin", actor="test", now=T0)
    assert "limin" not in await exported(engine)
    assert "wangfang" in await exported(engine)


async def test_empty_database_is_a_file_that_imports(
    engine: AsyncEngine, another_engine: AsyncEngine
) -> None:
    text = await exported(engine)
    await filled(another_engine, text)
    assert await exported(another_engine) == text


async def test_a_queue_that_a_page_gave_somebody_is_in_it(engine: AsyncEngine) -> None:
    await filled(engine, CENTRE)
    async with transaction(engine) as connection:
        await import_setup(connection, "people: [{name: li, roles: [agent]}]", now=T0)
        li = select(User.id).where(User.name == "li").scalar_subquery()
        queue_id = await connection.scalar(select(Queue.id).where(Queue.name == "members"))
        await connection.execute(
            UserQueue.__table__.insert().values(user_id=li, queue_id=queue_id, penalty=0)
        )
        await connection.execute(update(User).values(full_name="李"))
    people = yaml.safe_load(await exported(engine))["people"]
    assert people == [{"name": "li", "full_name": "李", "roles": ["agent"], "queues": ["members"]}]
