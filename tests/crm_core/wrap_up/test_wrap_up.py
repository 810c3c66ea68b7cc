"""Notes and dispositions: autosaved, submitted, late, somebody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.models import User
from crm_core.call_log.models import Call, OfferAttempt
from crm_core.centre.models import Project
from crm_core.customers.models import Customer
from crm_core.db import transaction
from crm_core.errors import Invalid, NotAllowed, NotFound
from crm_core.events import ContactRecorded
from crm_core.ids import CallId, CustomerId, UserId
from crm_core.wrap_up.models import Disposition
from crm_core.wrap_up.queries import (
    DEFAULTS,
    ContactRecordInfo,
    calls_without_note,
    contact_record,
    dispositions_of,
    save_note,
    write_default_dispositions,
)
from tests.crm_core.centre.a_centre import PBX, T0, build, later, viewer
from tests.crm_core.customers.hostile import HOSTILE

CALL = CallId("c" * 32)


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One call of the default project that rang at Li Min."""
    await build(engine)
    async with transaction(engine) as connection:
        limin = await connection.scalar(select(User.id).where(User.name == "limin"))
        project = await connection.scalar(select(Project.id).where(Project.is_default.is_(True)))
        await connection.execute(
            insert(Call).values(
                call_id=CALL,
                pbx=PBX,
                boot="b1",
                direction="inbound",
                project_id=project,
                started_at=T0,
                confidence="complete",
            )
        )
        await connection.execute(
            insert(OfferAttempt).values(call_id=CALL, attempt=1, user_id=limin, offered_at=T0)
        )
        yield connection


async def save(
    connection: AsyncConnection, revision: int, note: str = "", **how: Any
) -> ContactRecorded | None:
    given: dict[str, Any] = {
        "call_id": CALL,
        "viewer": await viewer(connection, "limin"),
        "note": note,
        "disposition_key": None,
        "customer_id": None,
        "revision": revision,
        "submitted": False,
        "now": later(revision),
        **how,
    }
    return await save_note(connection, **given)


async def stored(connection: AsyncConnection) -> ContactRecordInfo:
    limin = await viewer(connection, "limin")
    assert limin.user_id is not None
    found = await contact_record(connection, CALL, limin.user_id)
    assert found is not None
    return found


async def test_note_is_saved_and_told(connection: AsyncConnection) -> None:
    limin = await viewer(connection, "limin")
    assert limin.user_id is not None
    assert await contact_record(connection, CALL, limin.user_id) is None
    told = await save(connection, 1, "asks for\na refund", disposition_key="follow_up")
    assert told == ContactRecorded(at=later(1), pbx=PBX, call=CALL, user=limin.user_id)
    found = await stored(connection)
    assert (found.note, found.disposition, found.submitted) == (
        "asks for\na refund",
        "follow_up",
        False,
    )


async def test_autosave_that_comes_late_changes_nothing(connection: AsyncConnection) -> None:
    await save(connection, 5, "whole sentence")
    assert await save(connection, 4, "whole sen") is None
    assert await save(connection, 5, "other") is None
    assert (await stored(connection)).note == "whole sentence"
    assert await save(connection, 6, "whole sentence.") is not None


async def test_draft_does_not_undo_a_submission_but_a_correction_does(
    connection: AsyncConnection,
) -> None:
    await save(connection, 5, "final", submitted=True, disposition_key="resolved")
    assert await save(connection, 6, "draft") is None
    assert (await stored(connection)).submitted
    assert await save(connection, 7, "corrected", submitted=True) is not None
    assert ((await stored(connection)).note, (await stored(connection)).disposition) == (
        "corrected",
        None,
    )


async def test_only_who_had_the_call_writes_about_it(connection: AsyncConnection) -> None:
    with pytest.raises(NotFound):
        await save(connection, 1, viewer=await viewer(connection, "zhao"))
    with pytest.raises(NotFound):
        await save(connection, 1, call_id=CallId("d" * 32))
    limin = await viewer(connection, "limin")
    with pytest.raises(NotAllowed):
        await save(connection, 1, viewer=replace(limin, permissions=frozenset()))
    program = replace(await viewer(connection, "root"), user_id=None)
    with pytest.raises(Invalid):
        await save(connection, 1, viewer=program)


async def test_supervisor_has_an_own_part_of_the_record(connection: AsyncConnection) -> None:
    await save(connection, 1, "agent's words")
    wang = await viewer(connection, "wangfang")
    assert await save(connection, 1, "supervisor's words", viewer=wang) is not None
    assert (await stored(connection)).note == "agent's words"


async def test_what_is_unknown_is_refused(connection: AsyncConnection) -> None:
    wrong: list[dict[str, Any]] = [
        {"disposition_key": "nothing"},
        {"customer_id": CustomerId(999)},
        {"customer_id": CustomerId(2**40)},
        {"revision": -1},
        {"revision": 2**31},
        {"note": "x" * 10_001},
    ]
    for how in wrong:
        with pytest.raises(Invalid):
            await save(connection, **{"revision": 1, **how})


async def test_customer_of_the_call_is_kept(connection: AsyncConnection) -> None:
    id_ = await connection.scalar(
        insert(Customer).values(name="x", created_at=T0, changed_at=T0).returning(Customer.id)
    )
    await save(connection, 1, customer_id=CustomerId(id_ or 0))
    assert (await stored(connection)).customer_id == id_


async def test_hostile_notes_stay_text(connection: AsyncConnection) -> None:
    for revision, text in enumerate(HOSTILE, start=1):
        if len(text) > 10_000:
            continue
        await save(connection, revision, text)
        with pytest.raises(Invalid):
            await save(connection, revision, disposition_key=text)
        with pytest.raises(NotFound):
            await save(connection, revision, call_id=CallId(text))
    assert (await stored(connection)).note == "😀" * 40


async def test_each_project_begins_with_five_dispositions_on_1_to_5(
    connection: AsyncConnection,
) -> None:
    found = await dispositions_of(connection, None)
    assert found == DEFAULTS
    assert [(one.key, one.digit) for one in found] == [
        ("resolved", 1),
        ("follow_up", 2),
        ("nuisance", 3),
        ("silent", 4),
        ("wrong_number", 5),
    ]
    for project_id in await connection.scalars(select(Project.id)):
        await write_default_dispositions(connection, project_id)
        assert await dispositions_of(connection, project_id) == DEFAULTS


async def test_no_call_ends_with_a_heading(connection: AsyncConnection) -> None:
    heading = select(Disposition.id).where(Disposition.key == "follow_up")
    project = select(Project.id).where(Project.is_default.is_(True)).scalar_subquery()
    await connection.execute(
        insert(Disposition).values(
            project_id=project,
            key="visit",
            label_zh="上门",
            label_en="Visit",
            parent_id=heading.where(Disposition.project_id == project).scalar_subquery(),
            ordinal=9,
        )
    )
    found = await dispositions_of(connection, None)
    assert [(one.key, one.parent, one.is_heading) for one in found[:4]] == [
        ("resolved", None, False),
        ("follow_up", None, True),
        ("visit", "follow_up", False),
        ("nuisance", None, False),
    ]
    await save(connection, 1, disposition_key="visit")
    with pytest.raises(Invalid, match="heading"):
        await save(connection, 2, disposition_key="follow_up")


async def test_a_call_waits_for_its_note_until_that_is_submitted(
    connection: AsyncConnection,
) -> None:
    limin = (await viewer(connection, "limin")).user_id
    assert limin is not None
    await connection.execute(
        update(Call).where(Call.call_id == CALL).values(user_id=limin, answered_at=T0)
    )
    assert await calls_without_note(connection, limin, T0, 5) == (CALL,)
    assert await calls_without_note(connection, limin, later(1), 5) == ()
    assert await calls_without_note(connection, UserId(limin + 1), T0, 5) == ()
    await save(connection, 1, "a draft")
    assert await calls_without_note(connection, limin, T0, 5) == (CALL,)
    await save(connection, 2, "done", submitted=True)
    assert await calls_without_note(connection, limin, T0, 5) == ()
