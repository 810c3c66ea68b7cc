"""Hang-up, note, customer, device, language: what agents do, as their pages and scripts send it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from crm_core.commands import Done, HangUp
from crm_core.events import Direction
from tests.agent_ui.world import World


async def test_hang_up_ends_the_own_side_of_the_own_call_once(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    refused = await browser.post(f"/calls/{ring.call}/hang-up")
    assert refused.status_code == 409  # it still rings
    world.answers(ring)
    for _ in range(3):
        headers = {"idempotency-key": "one-wish"}
        done = await browser.post(f"/calls/{ring.call}/hang-up", headers=headers)
        assert done.status_code == 204
    (command,) = world.hung_up
    assert (command.call, command.leg) == (ring.call, f"{ring.queue_pass.unique_id}9")
    await browser.post(f"/calls/{ring.call}/hang-up", headers={"idempotency-key": "another"})
    assert len(world.hung_up) == 2


async def test_hang_up_says_what_asterisk_says(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)

    async def refuses(_command: HangUp) -> Done:
        return Done(refused="No such channel")

    async def is_silent(_command: HangUp) -> None:
        return None

    for answerer, status in ((refuses, 409), (is_silent, 503)):
        world.bus.answer(HangUp, answerer)
        accepts = {"accept": "application/problem+json", "sec-fetch-mode": "cors"}
        response = await browser.post(f"/calls/{ring.call}/hang-up", headers=accepts)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "交换机没有应答。请用话机操作。"


async def test_hang_up_works_while_the_database_is_away(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    stranger = world.browser()
    stranger.cookies["__Host-zuoxi"] = "never-seen"
    ring = world.a_call_rings()
    world.answers(ring)
    await world.recorded()
    async with the_database_away(world):
        assert (await browser.post(f"/calls/{ring.call}/hang-up")).status_code == 204
        assert [command.call for command in world.hung_up] == [ring.call]
        assert (await browser.get("/calls")).status_code == 503
        assert (await stranger.get("/calls")).status_code == 503
        assert (await browser.get("/healthz")).status_code == 200
    assert (await browser.get("/calls")).status_code == 200


@asynccontextmanager
async def the_database_away(world: World) -> AsyncIterator[None]:
    """New connections fail meanwhile, as when the server is gone."""

    def connect(*_: Any) -> None:
        raise OperationalError("connect", None, Exception("unable to open database file"))

    await world.engine.dispose()
    pool = world.engine.sync_engine.pool
    right, pool._creator = pool._creator, connect  # type: ignore[assignment]
    try:
        yield
    finally:
        pool._creator = right


async def test_a_late_autosave_changes_nothing(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    await world.recorded()
    path = f"/calls/{ring.call}/note"
    for revision, text in ((2, "new"), (1, "old")):
        form = {"note": text, "revision": str(revision)}
        assert (await browser.post(path, form)).status_code == 204
    headers = {"content-type": "application/json", "x-csrf-token": browser.csrf}
    body = {"note": "newest", "disposition": "resolved", "revision": 3}
    done = await browser.request(
        "POST", path, content=json.dumps(body), headers={**headers, "origin": browser.url}
    )
    assert done.status_code == 204
    shown = (await browser.get(f"/calls/{ring.call}")).text
    assert "newest" in shown
    assert "old" not in shown


@pytest.mark.parametrize(
    "form",
    [
        {"note": "x", "revision": "-1"},
        {"note": "x", "revision": "many"},
        {"note": "x", "revision": "9" * 40},
        {"note": "x" * 10_001, "revision": "1"},
        {"note": "x", "disposition": "no-such", "revision": "1"},
    ],
)
async def test_a_wrong_note_is_refused_with_a_sentence(world: World, form: dict[str, str]) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    await world.recorded()
    accepts = {"accept": "application/problem+json"}
    response = await browser.post(f"/calls/{ring.call}/note", form, headers=accepts)
    assert response.status_code == 422
    assert len(response.json()["detail"]) > 10


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b'{"note": 5}', b'{"revision": true}'])
async def test_json_that_is_no_note_is_refused(world: World, body: bytes) -> None:
    browser = await world.signed_in("limin")
    headers = {
        "content-type": "application/json",
        "origin": browser.url,
        "x-csrf-token": browser.csrf,
    }
    response = await browser.request("POST", "/calls/0/note", content=body, headers=headers)
    assert response.status_code == 422


async def test_a_taken_phone_cannot_be_taken_again(world: World) -> None:
    await world.at_desk("limin", "8001")
    other = await world.signed_in("zhaolei")
    page = (await other.get("/device")).text
    assert "李敏" in page
    for device, status in (("main/8001", 409), ("main/9999", 404), ("", 404), ("x/8001", 404)):
        response = await other.post("/device", {"device": device})
        assert response.status_code == status, device
        assert 'role="alert"' in response.text
    assert (await other.post("/device", {"device": "main/8002"})).status_code == 303


async def test_changing_the_phone_signs_out_of_the_former_one(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    await browser.post("/device", {"device": "main/8003"})
    (agent,) = world.board.agents.values()
    assert agent.interface == "PJSIP/8003"
    assert world.board.agent_at(agent.pbx, "PJSIP/8001") is None


async def test_the_language_is_remembered_with_the_person_or_by_the_browser(world: World) -> None:
    nobody = world.browser()
    await nobody.post("/language", {"language": "en", "next": "/sign-in"})
    assert "Password" in (await nobody.get("/sign-in")).text
    browser = await world.signed_in("limin")
    assert 'lang="zh-CN"' in (await browser.get("/device")).text
    done = await browser.post("/language", {"language": "en", "next": "//evil.example"})
    assert done.headers["location"] == "/"
    assert 'lang="en"' in (await browser.get("/device")).text
    assert 'lang="en"' in (await (await world.signed_in("limin")).get("/device")).text
    assert (await browser.post("/language", {"language": "xx"})).status_code == 422


@pytest.mark.parametrize("problem", ["WRONG", "DIFFERENT", "SAME", "SHORT"])
async def test_a_password_that_cannot_be_taken_says_why(world: World, problem: str) -> None:
    from tests.agent_ui.world import PASSWORD

    browser = await world.signed_in("limin")
    old, new, again = {
        "WRONG": ("not-the-old-one", "a-good-new-one", "a-good-new-one"),
        "DIFFERENT": (PASSWORD, "a-good-new-one", "another-new-one"),
        "SAME": (PASSWORD, PASSWORD, PASSWORD),
        "SHORT": (PASSWORD, "short", "short"),
    }[problem]
    form = {"password": old, "new_password": new, "new_password_again": again}
    response = await browser.post("/password", form)
    assert response.status_code == 422
    assert 'role="alert"' in response.text


async def test_an_outbound_call_has_a_bar_and_can_be_hung_up(world: World) -> None:
    from datetime import UTC, datetime

    from crm_core.events import (
        CallAnswered,
        CallPlaced,
        CallStarted,
        ConversationEnded,
        EndedBy,
        Member,
    )
    from crm_core.ids import call_id
    from tests.agent_ui.world import BOOT, DIGITS, PBX

    browser = await world.at_desk("limin", "8001")
    call, now = call_id(PBX, BOOT, "out.1"), datetime.now(UTC)
    member = Member(interface="PJSIP/8001", name="1001")
    world.bus.publish(
        CallStarted(
            at=now, pbx=PBX, call=call, boot=BOOT, unique_id="out.1",
            direction=Direction.OUTBOUND, caller_number="8001", called_number=DIGITS,
        )
    )  # fmt: skip
    world.bus.publish(CallPlaced(at=now, pbx=PBX, call=call, member=member, called_number=DIGITS))
    desk = (await browser.get("/desk")).text
    assert f"bar-{call}" in desk
    assert "张三" in desk
    assert DIGITS not in desk
    assert (await browser.post(f"/calls/{call}/hang-up")).status_code == 204
    assert len(world.hung_up) == 1
    # Answered and handed on to a colleague: it is no longer hers to end, though she dialled it.
    other = Member(interface="PJSIP/8002", name="1002")
    for talker, leg in ((member, "out.1"), (other, "out.3")):
        world.bus.publish(
            CallAnswered(at=now, pbx=PBX, call=call, queue_pass=None, member=talker, leg=leg)
        )
    world.bus.publish(
        ConversationEnded(
            at=now, pbx=PBX, call=call, queue_pass=None, member=member,
            ended_by=EndedBy.TRANSFER, leg="out.1",
        )
    )  # fmt: skip
    assert (await browser.post(f"/calls/{call}/hang-up")).status_code == 404
    assert len(world.hung_up) == 1
