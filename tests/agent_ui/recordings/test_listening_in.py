"""Who may listen to a live call: by right, within the scope, at the own phone; every time audited."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update

from crm_core.access.models import AuditEntry, User
from crm_core.centre.models import Seat
from crm_core.commands import Done, ListenTo
from crm_core.db import reading, transaction
from tests.agent_ui.world import PBX, Ringing, World


@pytest.fixture
async def asked(world: World) -> list[ListenTo]:
    """What telephony was asked; it rings every phone but 8009's."""
    told: list[ListenTo] = []

    async def answer(command: ListenTo) -> Done:
        told.append(command)
        return Done(refused="Extension does not exist." if "8009" in command.interface else None)

    world.bus.answer(ListenTo, answer)
    return told


async def has_phone(world: World, name: str, extension: str) -> None:
    """As an administrator gives it; the pages know people by a look every few seconds."""
    async with transaction(world.engine) as connection:
        await connection.execute(
            update(User).where(User.name == name).values(extension=extension, pbx=PBX)
        )
    await world.ui.deps.directory.refresh()


async def a_talk(world: World) -> tuple[Ringing, str]:
    """limin talks; the form's value for her."""
    await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    agent = next(one for one in world.board.agents.values() if one.agent_number == "1001")
    return ring, str(agent.user)


async def audited(world: World) -> list[tuple[str, str]]:
    async with reading(world.engine) as connection:
        rows = await connection.execute(select(AuditEntry).where(AuditEntry.act == "call.listen"))
        return [(row.actor, row.subject) for row in rows]


async def test_a_supervisor_listens_at_the_usual_phone_and_it_is_written_down(
    world: World, asked: list[ListenTo]
) -> None:
    ring, limin = await a_talk(world)
    await has_phone(world, "wangfang", "8002")
    boss = await world.signed_in("wangfang")
    assert f'action="/calls/{ring.call}/listen"' in (await boss.get("/live")).text
    for _ in range(2):
        answer = await boss.post(
            f"/calls/{ring.call}/listen", {"agent": limin}, headers={"idempotency-key": "press"}
        )
        assert answer.status_code == 204
    (command,) = asked
    assert (command.call, command.interface) == (ring.call, "PJSIP/8002")
    assert command.leg == world.board.calls[ring.call].talks[0].leg
    assert await audited(world) == [("wangfang", ring.call)]


async def test_who_may_not_listen_or_sees_another_team_is_refused_and_no_phone_rings(
    world: World, asked: list[ListenTo]
) -> None:
    ring, limin = await a_talk(world)
    for name, expected in (("zhaolei", 403), ("sunli", 403), ("chenwei", 404)):
        await has_phone(world, name, "8003")
        browser = await world.signed_in(name)
        answer = await browser.post(f"/calls/{ring.call}/listen", {"agent": limin})
        assert answer.status_code == expected, name
        assert f"/calls/{ring.call}/listen" not in (await browser.get("/live")).text
    assert asked == []
    assert await audited(world) == []


@pytest.mark.parametrize("agent", ["", "0", "x", "999999", "9" * 40, "-1", "１"])
async def test_a_doubtful_agent_or_call_is_told_so(
    world: World, asked: list[ListenTo], agent: str
) -> None:
    ring, _ = await a_talk(world)
    await has_phone(world, "wangfang", "8002")
    boss = await world.signed_in("wangfang")
    for path in (f"/calls/{ring.call}/listen", f"/calls/{'0' * 32}/listen"):
        assert (await boss.post(path, {"agent": agent})).status_code == 404
    assert asked == []


async def test_without_a_phone_of_the_own_nobody_s_rings(
    world: World, asked: list[ListenTo]
) -> None:
    ring, limin = await a_talk(world)
    boss = await world.signed_in("wangfang")
    answer = await boss.post(f"/calls/{ring.call}/listen", {"agent": limin})
    assert (answer.status_code, "话机" in answer.text) == (409, True)
    # The usual phone is another's for this shift: theirs must not ring.
    await has_phone(world, "wangfang", "8003")
    await world.at_desk("sunli", "8003")
    answer = await boss.post(f"/calls/{ring.call}/listen", {"agent": limin})
    assert answer.status_code == 409
    assert asked == []


async def test_a_call_that_is_over_is_not_listened_to(world: World, asked: list[ListenTo]) -> None:
    ring, limin = await a_talk(world)
    await has_phone(world, "wangfang", "8002")
    boss = await world.signed_in("wangfang")
    world.hangs_up(ring)
    assert (await boss.post(f"/calls/{ring.call}/listen", {"agent": limin})).status_code == 404
    assert (asked, await audited(world)) == ([], [])


async def test_what_asterisk_refuses_is_told_and_the_try_is_written_down(
    world: World, asked: list[ListenTo]
) -> None:
    ring, limin = await a_talk(world)
    async with transaction(world.engine) as connection:
        await connection.execute(
            insert(Seat).values(pbx=PBX, extension="8009", interface="PJSIP/8009", secret="x" * 20)
        )
    await has_phone(world, "wangfang", "8009")
    boss = await world.signed_in("wangfang")
    answer = await boss.post(
        f"/calls/{ring.call}/listen", {"agent": limin}, headers={"accept": "application/json"}
    )
    assert answer.status_code == 409
    assert "Extension does not exist" in answer.text
    assert len(await audited(world)) == 1
