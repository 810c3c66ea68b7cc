"""The own state in the header: what it shows of each state, what may be chosen, what the keys send."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from agent_ui.desk.own_state import AgentBadge, MissedRing, agent_badge
from crm_core.agents.models import AgentStateRow
from crm_core.agents.records import StateWriter
from crm_core.db import transaction
from crm_core.events import (
    AgentState,
    AgentStateChanged,
    AttemptResult,
    LinkState,
    StateSource,
)
from crm_core.ids import CallId, PbxId, UserId
from crm_core.live_board.board import LiveAgent, LiveBoard, LiveLink
from tests.agent_ui.samples import NOW
from tests.agent_ui.world import Browser, World

PBX = PbxId("east")
OFFERED = {"break": "小休", "meal": "用餐"}
LABELS = {**OFFERED, "old": "外出"}
ALLOWANCE = timedelta(seconds=30)
LI = LiveAgent(
    pbx=PBX,
    user=UserId(1),
    agent_number="1021",
    name="李敏",
    interface="PJSIP/8001",
    queues=("support",),
    signed_in_at=NOW,
    state=AgentState.READY,
    since=NOW,
)
UP = LiveLink(state=LinkState.UP, since=NOW, heard_until=NOW)


def badge_of(agent: LiveAgent, link: LiveLink | None = UP, **more: Any) -> AgentBadge:
    board = LiveBoard(links={PBX: link} if link is not None else {})
    return agent_badge(board, agent, offered=OFFERED, labels=LABELS, allowance=ALLOWANCE, **more)


def writing(seconds: float) -> LiveAgent:
    due_at = NOW + timedelta(seconds=seconds)
    return replace(LI, state=AgentState.WRAP_UP, call=CallId("c" * 32), due_at=due_at)


# --- what is shown --------------------------------------------------------------------------------


def test_who_is_ready_may_pause_for_every_reason_by_a_digit() -> None:
    badge = badge_of(LI)
    assert [(one.code, one.label, one.digit) for one in badge.choices] == [
        ("break", "小休", 1),
        ("meal", "用餐", 2),
    ]
    assert not badge.may_be_ready
    assert (badge.state, badge.since, badge.extension) == (AgentState.READY, NOW, "8001")


def test_a_pause_says_why_even_if_the_reason_is_offered_no_more() -> None:
    badge = badge_of(replace(LI, state=AgentState.PAUSED, reason="old"))
    assert (badge.reason_code, badge.reason) == ("old", "外出")
    assert badge.may_be_ready


def test_wrap_up_counts_down_and_is_extended_once() -> None:
    assert badge_of(writing(30)).due_at == NOW + timedelta(seconds=30)
    assert badge_of(writing(30)).may_extend
    assert not badge_of(writing(60)).may_extend
    assert not badge_of(LI).may_extend


def test_a_pause_chosen_during_the_call_is_said_until_it_comes_true() -> None:
    chosen = replace(LI, next_state=AgentState.PAUSED, next_reason="meal")
    for state in (AgentState.RINGING, AgentState.TALKING, AgentState.WRAP_UP):
        assert badge_of(replace(chosen, state=state)).next_reason == "用餐"
    assert badge_of(replace(chosen, state=AgentState.READY)).next_reason is None
    missed = replace(LI, state=AgentState.TALKING, next_state=AgentState.MISSED)
    assert badge_of(missed).next_reason is None


def test_who_missed_a_call_reads_which_and_can_only_be_ready() -> None:
    ring = MissedRing(call=CallId("c" * 32), name="王建国")
    badge = badge_of(replace(LI, state=AgentState.MISSED), missed=ring)
    assert badge.missed == ring
    assert badge.may_be_ready
    assert badge.choices == ()
    assert badge_of(LI, missed=ring).missed is None


@pytest.mark.parametrize("link", [None, replace(UP, state=LinkState.DOWN, since=NOW)])
def test_while_the_link_is_away_nothing_can_be_chosen(link: LiveLink | None) -> None:
    badge = badge_of(replace(writing(30), next_state=AgentState.PAUSED), link)
    assert badge.state is AgentState.UNKNOWN
    assert (badge.choices, badge.due_at, badge.may_extend, badge.may_be_ready) == (
        (),
        None,
        False,
        False,
    )


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=20))
def test_more_reasons_than_digits_are_offered_all_the_same(offered: dict[str, str]) -> None:
    board = LiveBoard(links={PBX: UP})
    badge = agent_badge(board, LI, offered=offered, labels=offered, allowance=ALLOWANCE)
    assert [choice.code for choice in badge.choices] == list(offered)
    digits = [choice.digit for choice in badge.choices if choice.digit]
    assert digits == list(range(1, min(len(offered), 9) + 1))


# --- what is sent ---------------------------------------------------------------------------------


def state_on(desk: str) -> str:
    found = re.search(r'id="agent-state"\s+class="[^"]*"\s+data-state="(\w+)"', desk)
    assert found is not None
    return found[1]


async def shown(browser: Browser) -> str:
    desk = (await browser.get("/desk")).text
    return desk.partition('id="agent-state"')[2].partition("</auto-form>")[0]


async def test_pause_and_ready_are_told_to_the_desk_by_the_event(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    socket = await world.listen(browser, query="?page=desk")
    await socket.frame("snapshot")
    assert (await browser.post("/desk/pause", {"reason": "meal"})).status_code == 204
    changed = await socket.frame("agent.changed", state="paused")
    assert changed["agent"]["number"] == "1001"
    assert "用餐" in await shown(browser)
    assert (await browser.post("/desk/ready")).status_code == 204
    await socket.frame("agent.changed", state="ready")
    assert state_on((await browser.get("/desk")).text) == "ready"


@pytest.mark.parametrize("reason", ["", "no-such", "BREAK", "break'--", "x" * 9_000])
async def test_a_reason_that_is_not_offered_is_refused(world: World, reason: str) -> None:
    browser = await world.at_desk("limin", "8001")
    accepts = {"accept": "application/problem+json"}
    response = await browser.post("/desk/pause", {"reason": reason}, headers=accepts)
    assert response.status_code == 422
    assert response.json()["detail"] == "没有此小休原因，请从列表中选择。"
    assert state_on((await browser.get("/desk")).text) == "ready"


async def test_a_pause_during_the_call_follows_it_and_can_be_taken_back(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    await browser.post("/desk/pause", {"reason": "break"})
    desk = (await browser.get("/desk")).text
    assert state_on(desk) == "talking"
    assert re.search(r"挂机后：\s*<b>小休</b>", desk)
    await browser.post("/desk/ready")
    assert "挂机后：" not in (await browser.get("/desk")).text
    await browser.post("/desk/pause", {"reason": "break"})
    world.hangs_up(ring)
    assert "整理后：" in await shown(browser)
    world.time_passes(31)
    assert state_on((await browser.get("/desk")).text) == "paused"


async def test_submitting_the_note_ends_its_wrap_up(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    world.hangs_up(ring)
    await world.recorded()
    desk = (await browser.get("/desk")).text
    assert state_on(desk) == "wrap_up"
    assert "完成整理" in desk
    draft = {"note": "等配件", "revision": "1"}
    await browser.post(f"/calls/{ring.call}/note", draft)
    assert state_on((await browser.get("/desk")).text) == "wrap_up"
    done = {"note": "等配件", "revision": "2", "submit": "1"}
    assert (await browser.post(f"/calls/{ring.call}/note", done)).status_code == 204
    assert state_on((await browser.get("/desk")).text) == "ready"


async def test_submitting_goes_to_the_pause_that_was_chosen(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    await browser.post("/desk/pause", {"reason": "training"})
    world.hangs_up(ring)
    await world.recorded()
    form = {"note": "", "revision": "1", "submit": "1"}
    await browser.post(f"/calls/{ring.call}/note", form)
    assert state_on((await browser.get("/desk")).text) == "paused"
    assert "培训" in await shown(browser)


async def test_the_note_of_another_call_ends_no_wrap_up(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    calls = []
    for _ in range(2):
        ring = world.a_call_rings()
        world.answers(ring)
        world.hangs_up(ring)
        calls.append(ring.call)
    await world.recorded()
    form = {"note": "补写", "revision": "1", "submit": "1"}
    assert (await browser.post(f"/calls/{calls[0]}/note", form)).status_code == 204
    assert state_on((await browser.get("/desk")).text) == "wrap_up"


async def test_a_note_is_saved_even_if_the_wrap_up_cannot_be_ended(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    world.hangs_up(ring)
    await world.recorded()
    world.silent = True
    form = {"note": "记下了", "revision": "1", "submit": "1"}
    assert (await browser.post(f"/calls/{ring.call}/note", form)).status_code == 204
    assert "记下了" in (await browser.get(f"/calls/{ring.call}")).text


async def test_wrap_up_is_extended_once_and_the_same_wish_is_one(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    world.hangs_up(ring)
    assert "/desk/wrap-up/extend" in await shown(browser)
    wish = {"idempotency-key": "one-wish", "accept": "application/problem+json"}
    for _ in range(2):
        assert (await browser.post("/desk/wrap-up/extend", headers=wish)).status_code == 204
    assert "/desk/wrap-up/extend" not in await shown(browser)
    again = await browser.post("/desk/wrap-up/extend", headers={**wish, "idempotency-key": "two"})
    assert again.status_code == 409
    assert again.json()["detail"] == "本次整理已延长过。"
    world.time_passes(45)
    assert state_on((await browser.get("/desk")).text) == "wrap_up"
    world.time_passes(61)
    assert state_on((await browser.get("/desk")).text) == "ready"


async def test_a_missed_ring_says_which_and_one_key_leads_back(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.ring_ends(ring, AttemptResult.NO_ANSWER)
    world.ends(ring.call)
    desk = await shown(browser)
    assert 'data-state="missed"' in desk
    assert "张三" in desk
    assert f'href="/calls/{ring.call}"' in desk
    assert 'data-key="Alt+KeyR"' in desk
    accepts = {"accept": "application/problem+json"}
    refused = await browser.post("/desk/pause", {"reason": "break"}, headers=accepts)
    assert (refused.status_code, refused.json()["detail"]) == (409, "有未接来电，请先转为空闲。")
    await browser.post("/desk/ready")
    assert state_on((await browser.get("/desk")).text) == "ready"


async def test_who_sits_at_no_phone_has_no_state_to_choose(world: World) -> None:
    browser = await world.signed_in("limin")
    for path in ("/desk/ready", "/desk/wrap-up/extend"):
        assert (await browser.post(path)).status_code == 409, path
    assert (await browser.post("/desk/pause", {"reason": "break"})).status_code == 409


async def test_a_silent_pbx_is_said(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    world.silent = True
    accepts = {"accept": "application/problem+json"}
    response = await browser.post("/desk/ready", headers=accepts)
    assert response.status_code == 503
    assert response.json()["detail"] == "交换机没有应答，状态未改变。请稍后再试。"


async def test_the_own_day_says_what_was_noted(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    await world.recorded()
    await browser.post(f"/calls/{ring.call}/note", {"note": "约周五\n上门", "revision": "1"})
    day = (await browser.get("/desk")).text.partition('id="my-calls"')[2]
    assert "约周五 上门" in day


async def test_the_own_day_counts_the_wrap_ups_that_are_over(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    (me,) = world.board.agents.values()
    # In the day of the site, at whatever hour this runs: the last two minutes.
    now = datetime.now(UTC) - timedelta(seconds=120)
    told = [
        AgentStateChanged(
            at=now + timedelta(seconds=second),
            pbx=me.pbx,
            user=me.user,
            agent_number=me.agent_number,
            interface=me.interface,
            state=state,
            source=StateSource.CALL,
        )
        for second, state in (
            (0, AgentState.WRAP_UP),
            (25, AgentState.READY),
            (60, AgentState.WRAP_UP),
            (77, AgentState.READY),
        )
    ]
    zone = world.settings.zone
    midnight = now.astimezone(zone).date() != datetime.now(zone).date()
    async with transaction(world.engine) as connection:
        await connection.execute(delete(AgentStateRow))
        await StateWriter().write(connection, told)
    day = (await browser.get("/desk")).text.partition('id="my-calls"')[2]
    (seconds,) = re.findall(r"<dt>整理</dt>\s*<dd[^>]*>\s*00:(\d\d)", day)
    assert int(seconds) == 42 or midnight
