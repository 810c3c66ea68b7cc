"""Click-to-dial: who may, whose phone rings, and that nothing is dialled twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from crm_core.access.models import AuditEntry
from crm_core.commands import Target, TargetKind
from crm_core.customers.models import PhoneNumber
from crm_core.db import reading, transaction
from crm_core.events import LinkState
from crm_core.outbox.models import CommandRow
from tests.agent_ui.world import DIGITS, NUMBER, Browser, World

MOBILE = Target(kind=TargetKind.NUMBER, exten=DIGITS)


async def dials(browser: Browser, key: str = "", **body: str) -> Any:
    given = {"from_agent": "1001", "to": DIGITS, "reason": "ring back", **body}
    headers = {"origin": browser.url, "x-csrf-token": browser.csrf}
    if key:
        headers["idempotency-key"] = key
    return await browser.request("POST", "/api/v1/calls", json=given, headers=headers)


async def outcomes(world: World) -> list[str | None]:
    async with reading(world.engine) as connection:
        rows = await connection.execute(select(CommandRow.outcome).order_by(CommandRow.id))
        return [row.outcome for row in rows]


async def test_an_agent_has_a_number_dialled_from_the_own_phone(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    answer = await dials(browser, to=" +86 138-0013-8000 ")
    assert answer.status_code == 202, answer.text
    (command,) = world.placed
    assert (command.interface, command.to) == ("PJSIP/8001", MOBILE)
    body = answer.json()
    assert body["attempt"] == command.attempt
    assert body["call_id"] == world.known_attempts[command.attempt]
    assert body["agent"] == {"number": "1001", "name": "李敏", "interface": "PJSIP/8001"}
    assert await outcomes(world) == ["done"]
    async with reading(world.engine) as connection:
        entry = (
            await connection.execute(select(AuditEntry).where(AuditEntry.act == "call.place"))
        ).one()
    assert (entry.actor, entry.subject) == ("limin", "1001")
    assert DIGITS not in str(entry.detail)


async def test_an_extension_of_the_centre_is_rung_inside(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    await dials(browser, to="8002")
    assert world.placed[0].to == Target(kind=TargetKind.SEAT, exten="8002")


async def test_the_same_key_again_dials_nothing(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    first, again = await dials(browser, "k1"), await dials(browser, "k1")
    assert first.json() == again.json()
    assert len(world.placed) == 1
    other = await dials(browser, "k1", to="13911110000")
    assert (other.status_code, len(world.placed)) == (409, 1)
    assert (await dials(browser, "k2")).status_code == 202
    assert len(world.placed) == 2


async def age(world: World, seconds: int) -> None:
    """The wishes are older than they are: nobody has them in hand any more."""
    async with transaction(world.engine) as connection:
        for row in (await connection.execute(select(CommandRow.id, CommandRow.asked_at))).all():
            await connection.execute(
                update(CommandRow)
                .where(CommandRow.id == row.id)
                .values(asked_at=row.asked_at - timedelta(seconds=seconds))
            )


async def test_an_attempt_whose_answer_was_lost_is_looked_up_and_never_sent_again(
    world: World,
) -> None:
    browser = await world.at_desk("limin", "8001")
    world.loses_answers = True
    assert (await dials(browser, "k1")).status_code == 503
    assert (await dials(browser, "k1")).status_code == 409  # it may be in other hands
    await age(world, 60)
    found = await dials(browser, "k1")
    assert found.status_code == 202
    assert found.json()["attempt"] == world.placed[0].attempt
    assert (len(world.placed), await outcomes(world)) == (1, ["done"])


async def test_an_attempt_that_nobody_has_heard_of_stays_unknown(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    world.loses_answers = True
    await dials(browser, "k1")
    world.known_attempts.clear()
    await age(world, 60)
    world.link(LinkState.DOWN)
    assert (await dials(browser, "k1")).status_code == 503  # nothing can be looked up now
    assert await outcomes(world) == [None]
    world.link()
    for _ in range(2):
        answer = await dials(browser, "k1")
        assert answer.status_code == 409
        assert "not known whether the phone rang" in answer.json()["detail"]
    assert (len(world.placed), await outcomes(world)) == (1, ["unknown"])


async def test_what_asterisk_refuses_is_said_and_kept(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    world.refuses = "This number cannot be dialled from here."
    for _ in range(2):
        answer = await dials(browser, "k1", to="0031612345678")
        assert (answer.status_code, answer.json()["detail"]) == (409, world.refuses)
    assert await outcomes(world) == ["refused"]


async def test_a_phone_in_a_call_is_not_rung(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    world.answers(world.a_call_rings())
    assert (await dials(browser)).status_code == 409
    assert (world.placed, await outcomes(world)) == ([], [])


@pytest.mark.parametrize(
    ("who", "status"),
    [("limin", 202), ("zhaolei", 404), ("sunli", 404), ("wangfang", 202), ("chenwei", 404)],
)
async def test_agents_dial_from_the_own_phone_supervisors_from_those_of_their_team(
    world: World, who: str, status: int
) -> None:
    await world.at_desk("limin", "8001")
    answer = await dials(await world.signed_in(who))
    assert answer.status_code == status
    assert len(world.placed) == (status == 202)


@pytest.mark.parametrize(
    "to", ["", "1", "abc", "138****8000", "13800138000\r\nX: y", "sip:x@y", "9" * 40, "1" * 25]
)
async def test_what_is_no_number_is_refused_with_a_sentence(world: World, to: str) -> None:
    browser = await world.at_desk("limin", "8001")
    answer = await dials(browser, to=to)
    assert answer.status_code == 422
    assert len(answer.json()["detail"]) > 5
    assert world.placed == []


async def test_a_masked_number_is_dialled_by_what_it_belongs_to(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    async with reading(world.engine) as connection:
        phone = await connection.scalar(select(PhoneNumber.id).where(PhoneNumber.number == NUMBER))
    page = (await browser.get("/customers/1")).text
    assert DIGITS not in page
    assert 'action="/dial"' in page
    assert (await browser.post("/dial", {"phone": str(phone)})).status_code == 204
    assert world.placed[0].to == MOBILE
    assert (await browser.post("/dial", {"phone": "999999"})).status_code == 404
    assert (await browser.post("/dial", {"phone": "x"})).status_code == 404


async def test_a_call_of_the_own_list_is_dialled_back(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    world.hangs_up(ring)
    await world.recorded()
    assert 'action="/dial"' in (await browser.get("/calls")).text
    assert 'action="/dial"' in (await browser.get("/desk")).text
    key = {"idempotency-key": uuid4().hex}
    for _ in range(2):
        answer = await browser.post("/dial", {"call": ring.call}, headers=key)
        assert answer.status_code == 204
    assert [command.to for command in world.placed] == [MOBILE]
    stranger = await world.at_desk("sunli", "8003")
    assert (await stranger.post("/dial", {"call": ring.call})).status_code == 404
    nobody = await world.signed_in("zhaolei")
    assert 'action="/dial"' not in (await nobody.get("/customers/1")).text
    assert (await nobody.post("/dial", {"call": ring.call})).status_code == 409
