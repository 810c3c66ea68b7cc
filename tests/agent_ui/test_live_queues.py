"""The live queues: what a supervisor sees of the own floor, and nobody of another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from agent_ui.live_queues.days import QueueDays
from agent_ui.live_queues.view import BREACH_SECONDS, WARN_SECONDS, Level, QueueCard, level_of_wait
from crm_core.access.models import User
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer, viewer_of_user
from crm_core.db import reading
from crm_core.events import (
    AgentState,
    AgentStateChanged,
    GapRecorded,
    LinkState,
    Outcome,
    PassClosed,
    StateSource,
)
from crm_core.ids import CallId, QueuePassKey, UserId
from crm_core.live_board.queue_day import QueueCounts
from tests.agent_ui.world import DIGITS, NUMBER, PBX, Listener, World
from tests.harness import eventually

FOREIGN = ("孙丽", "1003", "8003")
"""An agent of another team, by name, number and extension."""


async def viewer(world: World, name: str) -> Viewer:
    async with reading(world.engine) as connection:
        user = await connection.scalar(select(User.id).where(User.name == name))
        found = await viewer_of_user(connection, user or 0)
    assert found is not None
    return found


def card_of(world: World, who: Viewer, queue: str = "support") -> QueueCard:
    floor = world.ui.deps.floor.reader.floor(who, "zh_CN")
    return next(card for card in floor.queues.cards if card.name == queue)


def closes(
    world: World,
    call: CallId,
    queue_pass: QueuePassKey,
    outcome: Outcome,
    wait: int,
    after: int = 0,
) -> None:
    """`queue_log` says how the pass ended, so many seconds from now."""
    world.bus.publish(
        PassClosed(
            at=datetime.now(UTC) + timedelta(seconds=after),
            pbx=PBX,
            call=call,
            queue_pass=queue_pass,
            outcome=outcome,
            wait_seconds=wait,
        )
    )


async def region(listener: Listener, id_: str, part: str) -> str:
    """The HTML of a region frame that holds `part`."""
    async with asyncio.timeout(5):
        while True:
            for frame in listener.of("region"):
                if frame["id"] == id_ and part in frame["html"]:
                    html: str = frame["html"]
                    return html
            await asyncio.sleep(0.02)


# --- who sees what --------------------------------------------------------------------------------


async def a_floor_of_two_teams(world: World) -> None:
    """李敏 waits for calls; 孙丽 of the other team talks with a caller of the first team's queue."""
    await world.at_desk("limin", "8001")
    await world.at_desk("sunli", "8003")
    world.caller_queues()
    call, queue_pass = world.caller_queues("02088886666")
    world.answers(world.rings(call, queue_pass, "8003", "1003"))
    world.caller_queues("02077775555", queue="members")


async def test_the_page_shows_the_own_team_and_the_queues_of_its_project(world: World) -> None:
    await a_floor_of_two_teams(world)
    html = (await (await world.signed_in("wangfang")).get("/live")).text
    for shown in ("报修", "张三", "李敏", "1001"):
        assert shown in html
    for hidden in (*FOREIGN, "会员服务", "7777 5555"):
        assert hidden not in html
    other = (await (await world.signed_in("chenwei")).get("/live")).text
    assert "孙丽" in other
    assert "会员服务" in other
    for hidden in ("李敏", "1001", "张三", "家电售后"):
        assert hidden not in other


async def test_no_frame_and_no_answer_names_another_teams_people(world: World) -> None:
    browser = await world.signed_in("wangfang")
    socket = await world.listen(browser, query="?page=live")
    await socket.frame("snapshot")
    await a_floor_of_two_teams(world)
    await region(socket, "live-queues", "张三")
    await socket.frame("call.answered")
    answer = await browser.get("/api/v1/live")
    again = await world.listen(browser, query="?page=live")
    await again.frame("snapshot")
    await region(again, "live-queues", "张三")
    for text in (*socket.raw, *again.raw, answer.text):
        for hidden in (*FOREIGN, "会员服务"):
            assert hidden not in text
    assert {one["agent"]["number"] for one in answer.json()["agents"]} == {"1001"}


async def test_who_sees_all_sees_every_team(world: World) -> None:
    await a_floor_of_two_teams(world)
    html = (await (await world.signed_in("admin")).get("/live")).text
    for shown in ("李敏", "孙丽", "报修", "会员服务"):
        assert shown in html


async def test_an_agent_is_sent_home_and_gets_no_region_of_the_floor(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    assert (await browser.get("/live")).headers["location"] == "/"
    socket = await world.listen(browser, query="?page=live")
    watching = await world.listen(await world.signed_in("wangfang"), query="?page=live")
    world.caller_queues()
    await region(watching, "live-queues", "张三")
    assert socket.of("region") == []


async def test_numbers_are_masked_and_fields_left_out_for_who_may_not_read_them(
    world: World,
) -> None:
    world.caller_queues()
    world.caller_queues("02088886666")
    await world.ui.deps.pop_files.ask(next(iter(world.board.calls.values())))
    chief = await viewer(world, "wangfang")
    callers = card_of(world, chief).callers
    assert next((one.party.name, one.party.number) for one in callers) == ("张三", NUMBER)
    blind = replace(chief, reveals=False, permissions=frozenset({Permission.READ_LIVE}))
    for one in card_of(world, blind).callers:
        assert one.party.name is None
        assert "*" in (one.party.number or "")
    drawings, floor = world.ui.deps.floor.drawings, world.ui.deps.floor.reader.floor(blind, "en")
    drawn = "".join(html for _, html in drawings.regions(floor, "en"))
    assert "张三" not in drawn
    assert DIGITS[3:7] not in drawn


async def test_two_supervisors_of_a_team_are_drawn_for_once(world: World) -> None:
    reader = world.ui.deps.floor.reader
    one = await viewer(world, "wangfang")
    assert reader.kind_of(one, "en") == reader.kind_of(replace(one, user_id=UserId(99)), "en")
    other = await viewer(world, "chenwei")
    assert reader.kind_of(one, "en") != reader.kind_of(other, "en")
    assert reader.kind_of(one, "en") != reader.kind_of(one, "zh_CN")


# --- pushed ---------------------------------------------------------------------------------------


async def test_a_burst_is_drawn_together(world: World) -> None:
    socket = await world.listen(await world.signed_in("wangfang"), query="?page=live")
    await socket.frame("snapshot")
    await region(socket, "live-queues", 'data-waiting="0"')
    for number in range(100):
        world.caller_queues(f"0138001{number:05d}")
    html = await region(socket, "live-queues", 'data-waiting="100"')
    assert html.count('class="caller ') == 12
    assert "另有 88 位" in html
    drawn = [one for one in socket.of("region") if one["id"] == "live-queues"]
    assert len(drawn) < 10


async def test_only_what_has_changed_is_sent(world: World) -> None:
    socket = await world.listen(await world.signed_in("wangfang"), query="?page=live")
    await region(socket, "agents-ready", "")
    before = len(socket.of("region"))
    world.caller_queues()
    await region(socket, "live-queues", "张三")
    await region(socket, "live-figures", ">1<")
    after = {one["id"] for one in socket.of("region")[before:]}
    assert after == {"live-queues", "live-figures"}


async def test_an_agents_state_comes_with_reason_customer_and_what_follows(world: World) -> None:
    await world.at_desk("limin", "8001")
    socket = await world.listen(await world.signed_in("wangfang"), query="?page=live")
    await region(socket, "agents-ready", "李敏")
    agent = next(iter(world.board.agents.values()))
    ring = world.a_call_rings()
    world.answers(ring)

    def becomes(state: AgentState, **more: Any) -> None:
        fact = AgentStateChanged(
            at=datetime.now(UTC),
            pbx=PBX,
            user=agent.user,
            agent_number="1001",
            interface="PJSIP/8001",
            state=state,
            source=StateSource.CALL,
            **more,
        )
        world.bus.publish(fact)

    becomes(AgentState.TALKING, call=ring.call, queue="support")
    talking = await region(socket, "agents-talking", "李敏")
    assert "张三" in talking
    assert "报修" in talking
    world.hangs_up(ring)
    due = datetime.now(UTC) + timedelta(seconds=30)
    becomes(AgentState.WRAP_UP, call=ring.call, due_at=due)
    wrap_up = await region(socket, "agents-wrap_up", "李敏")
    assert "张三" in wrap_up  # with whom it was, though the call is over
    assert 'call-timer until="' in wrap_up
    becomes(AgentState.PAUSED, reason="meal")
    assert "用餐" in await region(socket, "agents-paused", "李敏")


async def test_a_page_that_comes_back_has_everything_again(world: World) -> None:
    browser = await world.signed_in("wangfang")
    first = await world.listen(browser, query="?page=live")
    seq = (await first.frame("snapshot"))["seq"]
    await first.close()
    world.caller_queues()
    second = await world.listen(browser, query=f"?page=live&since={seq}")
    await region(second, "live-queues", "张三")
    assert second.of("snapshot") == []


async def test_a_name_that_was_corrected_is_shown_to_who_watches_alone(world: World) -> None:
    socket = await world.listen(await world.signed_in("wangfang"), query="?page=live")
    world.caller_queues()
    await region(socket, "live-queues", "张三")
    token = await world.token("program", "admin")
    headers = {"authorization": f"Bearer {token}"}
    browser = world.browser()
    (found,) = (await browser.get(f"/api/v1/customers?phone={DIGITS}", headers=headers)).json()[
        "items"
    ]
    changed = await browser.request(
        "PATCH", f"/api/v1/customers/{found['id']}", json={"name": "章三"}, headers=headers
    )
    assert changed.status_code == 200, changed.text
    await region(socket, "live-queues", "章三")


# --- the link -------------------------------------------------------------------------------------


async def test_a_lost_pbx_makes_everything_unknown_and_nothing_offline(world: World) -> None:
    await world.at_desk("limin", "8001")
    world.caller_queues()
    who = await viewer(world, "wangfang")
    assert not card_of(world, who).unknown
    world.link(LinkState.DOWN)
    heard = world.board.links[PBX].heard_until
    card = card_of(world, who)
    assert (card.heard_until, card.level) == (heard, Level.CALM)
    html = (await (await world.signed_in("wangfang")).get("/live")).text
    assert f'data-link="down" data-since="{heard:%Y-%m-%dT%H:%M:%S}' in html
    assert (
        'data-agent="1001"' in html.partition('id="agents-unknown"')[2].partition("</section>")[0]
    )
    assert "最后所知：空闲" in html
    assert "离线" not in html
    assert 'class="callers"' not in html  # stopwatches of what nobody sees would be a lie
    world.link()
    assert not card_of(world, who).unknown


# --- the day --------------------------------------------------------------------------------------

Run = Callable[[QueueDays], None]


@pytest.fixture
async def run(world: World) -> AsyncIterator[Run]:
    """Lets days run, and ends them before the world does."""
    tasks: list[asyncio.Task[None]] = []
    yield lambda days: tasks.append(asyncio.create_task(days.run()))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_day_equals_the_table_and_is_on_page_and_in_answers(
    world: World, run: Run
) -> None:
    who = await viewer(world, "wangfang")
    await eventually(lambda: card_of(world, who).today is not None)
    for outcome, wait in (
        (Outcome.ANSWERED, 12),
        (Outcome.ANSWERED, 31),
        (Outcome.ABANDONED, 9),
        (Outcome.TIMEOUT, 60),
        (Outcome.EXIT_KEY, 4),
    ):
        call, queue_pass = world.caller_queues()
        # Without an answer the wait ends with the row, and tells when it began.
        after = 0 if outcome is Outcome.ANSWERED else wait
        closes(world, call, queue_pass, outcome, wait, after=after)
        world.ends(call)
    expected = QueueCounts(offered=5, answered=2, within=1, abandoned=1, overflowed=2)
    assert card_of(world, who).today == expected
    browser = await world.signed_in("wangfang")
    html = (await browser.get("/live")).text
    assert "20.0%" in html
    (queue,) = (await browser.get("/api/v1/live")).json()["queues"]
    assert queue["today"]["service_level"] == 0.2
    await world.recorded()
    again = days_of(world)
    run(again)
    await eventually(lambda: again.of(PBX, "support") is not None)
    assert again.of(PBX, "support") == expected


def days_of(world: World, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> QueueDays:
    async def settled() -> None:
        await world.recorded()

    return QueueDays(engine=world.engine, settled=settled, zone=ZoneInfo("Asia/Shanghai"), now=now)


async def test_facts_that_come_while_the_rows_are_read_are_counted_once(
    world: World, run: Run
) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        await world.recorded()
        asked.set()
        await answer.wait()  # what is told now may miss the rows, or be in them

    days = QueueDays(
        engine=world.engine,
        settled=slowly,
        zone=ZoneInfo("Asia/Shanghai"),
        now=lambda: datetime.now(UTC),
    )
    world.bus.subscribe(lambda envelope: days.feed(envelope.event))
    call, queue_pass = world.caller_queues()
    run(days)
    await asked.wait()
    assert days.of(PBX, "support") is None  # better nothing than half a day
    closes(world, call, queue_pass, Outcome.ANSWERED, 3)
    other, other_pass = world.caller_queues()
    answer.set()
    await eventually(lambda: days.of(PBX, "support") is not None)
    closes(world, other, other_pass, Outcome.ABANDONED, 8)
    counts = days.of(PBX, "support")
    assert counts == QueueCounts(offered=2, answered=1, within=1, abandoned=1)


async def test_after_a_gap_the_rows_say_what_nobody_told(world: World, run: Run) -> None:
    days = days_of(world)
    run(days)
    await eventually(lambda: days.of(PBX, "support") is not None)
    call, queue_pass = world.caller_queues()  # `days` is on no bus: it hears nothing of it
    closes(world, call, queue_pass, Outcome.ANSWERED, 3)
    now = datetime.now(UTC)
    days.feed(GapRecorded(at=now, pbx=PBX, began_at=now, boot_changed=False))
    await eventually(
        lambda: days.of(PBX, "support") == QueueCounts(offered=1, answered=1, within=1)
    )


async def test_a_new_day_begins_at_the_centres_midnight(world: World, run: Run) -> None:
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai"))
    clock = [today.replace(hour=23, minute=59, second=59, microsecond=900_000)]
    days = days_of(world, now=lambda: clock[0].astimezone(UTC))
    call, queue_pass = world.caller_queues()
    closes(world, call, queue_pass, Outcome.ANSWERED, 3)
    run(days)
    await eventually(
        lambda: days.of(PBX, "support") == QueueCounts(offered=1, answered=1, within=1)
    )
    clock[0] += timedelta(seconds=1)
    await eventually(lambda: days.of(PBX, "support") == QueueCounts())


# --- order and alarm ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "level"),
    [
        (0, Level.CALM),
        (WARN_SECONDS - 1, Level.CALM),
        (WARN_SECONDS, Level.WARN),
        (BREACH_SECONDS - 1, Level.WARN),
        (BREACH_SECONDS, Level.BREACH),
    ],
)
def test_a_wait_passes_two_levels(seconds: int, level: Level) -> None:
    now = datetime.now(UTC)
    assert level_of_wait(now - timedelta(seconds=seconds), now) is level
    assert level_of_wait(None, now) is Level.CALM


async def test_the_worst_queue_stands_first_and_the_longest_wait_too(world: World) -> None:
    who = await viewer(world, "admin")
    assert names(world, who) == ["会员服务", "报修"]  # nobody waits: as they are called
    older, _ = world.caller_queues("02088880001")
    world.caller_queues("02088880002")
    assert names(world, who) == ["报修", "会员服务"]
    assert next(one.call for one in card_of(world, who).callers) == older
    ages(world, world.caller_queues("02088880003", queue="members")[0], 61)
    assert names(world, who) == ["会员服务", "报修"]
    assert card_of(world, who, "members").level is Level.BREACH


def names(world: World, who: Viewer) -> list[str]:
    cards = world.ui.deps.floor.reader.floor(who, "zh_CN").queues.cards
    return [card.title for card in cards]


def ages(world: World, call: CallId, seconds: float) -> None:
    """Let this caller have waited longer than the test."""
    live = world.board.calls[call]
    entered = datetime.now(UTC) - timedelta(seconds=seconds)
    world.board.calls[call] = replace(live, entered_at=entered)


async def test_an_empty_centre_says_what_to_do(world: World) -> None:
    html = (await (await world.signed_in("wangfang")).get("/live")).text
    assert "无人签入" in html
    assert "今日还没有来电" in html
