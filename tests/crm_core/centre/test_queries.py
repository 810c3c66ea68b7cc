"""Questions about the centre."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.users import disable
from crm_core.centre.queries import (
    hotline_of,
    hotlines,
    people,
    projects,
    queue_titles,
    queues,
    queues_of_user,
)
from crm_core.db import transaction
from crm_core.ids import PbxId
from tests.crm_core.centre.a_centre import PBX, T0, build, viewer
from tests.crm_core.customers.hostile import HOSTILE


async def test_hotline_is_found_however_the_trunk_writes_it(engine: AsyncEngine) -> None:
    await build(engine)
    async with transaction(engine) as connection:
        for called in ("4008001234", "+864008001234", "04008001234", "400-800-1234"):
            hotline = await hotline_of(connection, PBX, called)
            assert hotline is not None
            assert (hotline.name, hotline.queue, hotline.project) == (
                "售后热线",
                "support",
                "Appliances",
            )
        unknown: list[str | None] = [None, "", "s", "4008001235", *HOSTILE]
        for nobodys in unknown:
            assert await hotline_of(connection, PBX, nobodys) is None
        assert await hotline_of(connection, PbxId("other"), "4008001234") is None
        assert [one.number for one in await hotlines(connection)] == ["4008001234"]


async def test_queues_carry_their_titles_and_projects(engine: AsyncEngine) -> None:
    await build(engine)
    async with transaction(engine) as connection:
        assert [(one.name, one.project) for one in await queues(connection)] == [
            ("members", "Members"),
            ("support", "Appliances"),
        ]
        assert await queue_titles(connection, PBX) == {"support": "报修", "members": "会员"}
        assert [(one.name, one.is_default) for one in await projects(connection)] == [
            ("Appliances", True),
            ("Members", False),
        ]
        zhao = await viewer(connection, "zhao")
        assert zhao.user_id is not None
        assert await queues_of_user(connection, zhao.user_id, PBX) == (
            ("members", 0),
            ("support", 0),
        )


async def test_disabled_person_keeps_the_past_and_no_extension(engine: AsyncEngine) -> None:
    await build(engine)
    async with transaction(engine) as connection:
        await disable(connection, "limin", actor="test", now=T0)
        found = {person.name: person for person in await people(connection)}
    assert (found["李敏"].agent_number, found["李敏"].extension) == ("1001", None)
    assert len(found) == 4
