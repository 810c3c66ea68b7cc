"""How far the records can be trusted, where people look: call list, live queues, gap book, API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from agent_ui.books.view import Compared, Standing, reconciled, seconds_within
from crm_core.call_log.books import DifferenceRow, Reconciliation
from crm_core.call_log.models import Call
from crm_core.db import transaction
from crm_core.events import BooksCompared, CallEnded, GapRecorded, Outcome, PassClosed
from crm_core.ids import CallId, PbxId, QueuePassKey
from crm_core.settings import Settings
from tests.agent_ui.test_live_queues import region
from tests.agent_ui.world import DIGITS, PBX, World

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SUPERVISOR, ADMIN, AGENT = "wangfang", "admin", "limin"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A PBX whose `queue_log` is known."""
    urls = "ami://events:secret@127.0.0.1:5038/main?queue_log=/var/log/asterisk/queue_log"
    return settings.model_copy(update={"pbx_urls": urls})


def compared(world: World, *, minutes_ago: float = 0.2, differences: int = 0) -> BooksCompared:
    now = datetime.now(UTC)
    told = BooksCompared(
        at=now,
        pbx=PBX,
        until=now - timedelta(minutes=minutes_ago),
        recorded_from=now - timedelta(days=3),
        differences=differences,
    )
    world.bus.publish(told)
    return told


def a_gap(world: World, *, seconds: float = 37, began: datetime | None = None) -> GapRecorded:
    began = began or datetime.now(UTC) - timedelta(seconds=seconds)
    gap = GapRecorded(
        at=began + timedelta(seconds=seconds),
        pbx=PBX,
        began_at=began,
        boot_changed=True,
        reason="the link to Asterisk was away",
    )
    world.bus.publish(gap)
    return gap


# --- the rule -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "differences", "standing"),
    [
        (0.2, 0, Standing.EQUAL),
        (2.9, 0, Standing.EQUAL),
        (3.1, 0, Standing.LATE),
        (0.2, 1, Standing.DIFFERS),
        (60, 2, Standing.DIFFERS),
    ],
)
def test_standing_of_a_pbx_is_what_its_last_check_said_and_when(
    minutes: float, differences: int, standing: Standing
) -> None:
    known = Compared(
        until=NOW - timedelta(minutes=minutes), recorded_from=NOW, differences=differences
    )
    assert reconciled(PBX, known, NOW, has_log=True, since=NOW).standing is standing


def test_before_the_first_check_nothing_is_late_for_three_minutes() -> None:
    for minutes, standing in ((2, Standing.NOT_YET), (4, Standing.LATE)):
        since = NOW - timedelta(minutes=minutes)
        assert reconciled(PBX, None, NOW, has_log=True, since=since).standing is standing
    assert reconciled(PBX, None, NOW, has_log=False, since=NOW).standing is Standing.AMI_ONLY


def test_seconds_in_gaps_are_counted_once_and_only_within_the_interval() -> None:
    def at(second: float) -> datetime:
        return NOW + timedelta(seconds=second)

    gaps = [(at(10), at(20)), (at(15), at(30)), (at(-5), at(2)), (at(95), at(200))]
    assert seconds_within(gaps, at(0), at(100)) == 2 + 20 + 5
    assert seconds_within([(at(1), at(1.1))], at(0), at(100)) == 1, "never said to be none"
    assert seconds_within([(at(200), at(210))], at(0), at(100)) == 0


# --- the line -------------------------------------------------------------------------------------


async def test_call_list_says_up_to_when_the_books_were_compared(world: World) -> None:
    browser = await world.signed_in(SUPERVISOR)
    assert 'data-standing="not_yet"' in (await browser.get("/calls")).text
    told = compared(world)

    page = (await browser.get("/calls")).text

    time = told.until.astimezone(world.settings.zone)
    assert f"已核对至 {time:%H:%M:%S}，差异 0" in page
    assert "strip-danger" not in page


async def test_differences_are_a_red_strip_with_a_link(world: World) -> None:
    compared(world, differences=3)
    for name, may_open in ((SUPERVISOR, True), (AGENT, False)):
        browser = await world.signed_in(name)
        page = (await browser.get("/calls")).text
        assert "strip-danger" in page
        assert "差异 3" in page
        assert ('href="/gaps#differences"' in page) is may_open


async def test_a_check_that_is_late_is_said_to_be(world: World) -> None:
    compared(world, minutes_ago=4)
    browser = await world.signed_in(SUPERVISOR)
    for path in ("/calls", "/live", "/gaps"):
        page = (await browser.get(path)).text
        assert 'data-standing="late"' in page, path
        assert "每分钟的核对已延迟" in page, path


async def test_live_queues_draw_the_line_anew_with_each_check(world: World) -> None:
    browser = await world.signed_in(SUPERVISOR)
    page = (await browser.get("/live")).text
    assert 'id="reconciled"' in page
    listener = await world.listen(browser, query="?page=live")
    await listener.frame("snapshot")

    compared(world)
    await region(listener, "reconciled", 'data-standing="equal"')
    compared(world, differences=1)
    await region(listener, "reconciled", "strip-danger")
    a_gap(world)
    await region(listener, "reconciled", 'data-blind="37"')


async def test_other_projects_pbx_is_not_shown(world: World) -> None:
    world.bus.publish(
        BooksCompared(at=NOW, pbx=PbxId("other"), until=NOW, recorded_from=NOW, differences=5)
    )
    assert 'data-pbx="other"' in (await (await world.signed_in(ADMIN)).get("/calls")).text
    assert 'data-pbx="other"' not in (await (await world.signed_in(SUPERVISOR)).get("/calls")).text


async def test_days_before_the_first_start_were_not_recorded_then(world: World) -> None:
    told = compared(world)
    async with transaction(world.engine) as connection:
        await connection.execute(
            insert(Reconciliation).values(
                pbx=PBX,
                recorded_from=told.recorded_from,
                compared_until=told.until,
                checked_at=told.at,
                compared=0,
            )
        )
    browser = await world.signed_in(SUPERVISOR)
    before = told.recorded_from - timedelta(days=2)

    assert "当时未记录" in (await browser.get(f"/calls?from={before:%Y-%m-%d}")).text
    assert "当时未记录" not in (await browser.get(f"/calls?from={told.until:%Y-%m-%d}")).text


# --- the gap book ---------------------------------------------------------------------------------


async def test_gap_book_lists_gaps_with_their_calls(world: World) -> None:
    browser = await world.signed_in(SUPERVISOR)
    assert "没有缺口" in (await browser.get("/gaps")).text
    call, _ = world.caller_queues()
    world.bus.publish(CallEnded(at=datetime.now(UTC), pbx=PBX, call=call, cause=None, seen=False))
    gap = a_gap(world)
    elsewhere = a_gap(world, began=gap.began_at - timedelta(hours=30))
    await world.recorded()

    page = (await browser.get("/gaps")).text

    for one in (gap, elsewhere):
        assert f"{one.began_at.astimezone(world.settings.zone):%Y-%m-%d %H:%M:%S}" in page
    assert "已重启" in page
    assert "37 秒" in page
    assert page.count("/calls?gap=") == 1
    link = page.partition("/calls?gap=")[2].partition('"')[0]
    listed = (await browser.get(f"/calls?gap={link}")).text
    assert f"/calls/{call}" in listed
    assert "未收到 Asterisk 消息" in listed
    assert (await browser.get("/calls?gap=999")).status_code == 404
    assert "未收到 Asterisk 的消息" in (await browser.get(f"/calls/{call}")).text


async def test_gap_book_is_for_who_sees_more_than_the_own_work(world: World) -> None:
    a_gap(world)
    await world.recorded()
    agent = await world.signed_in(AGENT)
    home = await agent.get("/gaps")
    assert (home.status_code, home.headers["location"]) == (303, "/")
    assert 'href="/gaps"' not in (await agent.get("/calls")).text
    assert (await agent.get("/api/v1/gaps")).json()["items"] == []
    assert (await agent.get("/api/v1/reconciliation")).json()["items"] == []
    assert (await agent.get("/calls?gap=1")).status_code == 404
    for name in (SUPERVISOR, ADMIN):
        browser = await world.signed_in(name)
        assert 'href="/gaps"' in (await browser.get("/calls")).text
        assert len((await browser.get("/api/v1/gaps")).json()["items"]) == 1


async def test_differences_stand_in_the_gap_book_in_both_languages(world: World) -> None:
    call, queue_pass = world.caller_queues()
    await world.recorded()
    async with transaction(world.engine) as connection:
        await connection.execute(
            insert(DifferenceRow).values(
                pbx=PBX,
                unique_id=queue_pass.unique_id,
                queue="support",
                entered_at=datetime.now(UTC).replace(microsecond=0),
                kind="agent",
                expected="1001",
                actual="<b>1007",
                reason="unexplained",
                found_at=datetime.now(UTC),
            )
        )
    browser = await world.signed_in(SUPERVISOR)
    page = (await browser.get("/gaps")).text
    assert "无法解释" in page
    assert "&lt;b&gt;1007" in page
    assert f"/calls/{call}" in page
    browser.cookies["zuoxi-language"] = "en"
    assert "nothing explains it" in (await browser.get("/gaps")).text

    [item] = (await browser.get("/api/v1/reconciliation")).json()["items"]
    assert (item["pbx"], item["state"], item["open_total"]) == ("main", "not_yet", 1)
    assert item["open"][0]["call_id"] == call


async def test_gaps_of_the_api_come_in_pages_and_by_period(world: World) -> None:
    gaps = [a_gap(world, began=NOW + timedelta(hours=hour)) for hour in range(5)]
    await world.recorded()
    browser = await world.signed_in(ADMIN)

    first = (await browser.get("/api/v1/gaps?limit=3")).json()
    rest = (await browser.get(f"/api/v1/gaps?limit=3&cursor={first['next_cursor']}")).json()

    began = [item["began_at"] for item in first["items"] + rest["items"]]
    assert began == [f"{one.began_at:%Y-%m-%dT%H:%M:%S}.000000Z" for one in reversed(gaps)]
    assert rest["next_cursor"] is None
    one = first["items"][0]
    assert (one["seconds"], one["boot_changed"], one["pbx"]) == (37.0, True, "main")
    assert one["calls"] == f"/api/v1/calls?gap={one['gap_id']}"
    within = "/api/v1/gaps?from=2026-11-24T11:00:37Z&to=2026-11-24T13:00:00Z"
    assert len((await browser.get(within)).json()["items"]) == 2
    assert (await browser.get("/api/v1/gaps?pbx=other")).json()["items"] == []
    assert (await browser.get("/api/v1/gaps?cursor=nonsense")).status_code == 422


# --- confidence -----------------------------------------------------------------------------------


async def test_lists_pages_exports_and_api_say_and_filter_how_a_call_is_known(
    world: World,
) -> None:
    calls: dict[str, CallId] = {}
    for confidence in ("complete", "ami_only", "queue_log_only", "gap"):
        call, _ = world.caller_queues()
        world.ends(call)
        await world.recorded()
        async with transaction(world.engine) as connection:
            changed = update(Call).where(Call.call_id == call).values(confidence=confidence)
            await connection.execute(changed)
        calls[confidence] = call
    browser = await world.signed_in(ADMIN)
    sentences = {
        "complete": "完整",
        "ami_only": "仅 AMI",
        "queue_log_only": "仅队列日志",
        "gap": "有缺口",
    }
    for confidence, word in sentences.items():
        page = (await browser.get(f"/calls?confidence={confidence}")).text
        rows = page.partition("<tbody>")[2].partition("</tbody>")[0]
        assert [call in rows for call in calls.values()].count(True) == 1
        assert f"/calls/{calls[confidence]}" in rows
        assert word in rows
        answer = (await browser.get(f"/api/v1/calls?confidence={confidence}")).json()
        assert [(c["call_id"], c["confidence"]) for c in answer["items"]] == [
            (calls[confidence], confidence)
        ]
        exported = (await browser.get(f"/calls.csv?confidence={confidence}")).text
        assert len(exported.splitlines()) == 2
    assert (await browser.get("/calls?confidence=sure")).status_code == 422
    assert (await browser.get("/api/v1/calls?confidence=sure")).status_code == 422


# --- gave up, not reached since -------------------------------------------------------------------


def gives_up(world: World, number: str, queue: str = "support") -> CallId:
    call, queue_pass = world.caller_queues(number, queue=queue)
    closes(world, call, queue_pass)
    world.ends(call)
    return call


def closes(world: World, call: CallId, queue_pass: QueuePassKey) -> None:
    world.bus.publish(
        PassClosed(
            at=datetime.now(UTC),
            pbx=PBX,
            call=call,
            queue_pass=queue_pass,
            outcome=Outcome.ABANDONED,
            wait_seconds=0,
        )
    )


async def test_who_gave_up_is_listed_once_until_somebody_has_talked_to_him(world: World) -> None:
    await world.at_desk(AGENT, "8001")
    gives_up(world, DIGITS)
    last = gives_up(world, DIGITS)
    other = gives_up(world, "13700137000")
    await world.recorded()
    browser = await world.signed_in(SUPERVISOR)

    page = (await browser.get("/calls/gave-up")).text

    rows = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert rows.count("<tr") == 2
    assert rows.index(other) < rows.index(last), "the newest first"
    assert "张三" in rows
    assert "138 0013 8000" in rows.replace("+86 ", "")
    listed = (await browser.get("/calls")).text
    assert '<b class="number">2</b>' in listed

    ring = world.a_call_rings(caller=DIGITS)
    world.answers(ring)
    await world.recorded()
    page = (await browser.get("/calls/gave-up")).text
    assert page.partition("<tbody>")[2].count("data-call") == 1
    assert last not in page


async def test_numbers_of_who_gave_up_are_masked_and_cut_to_the_scope(world: World) -> None:
    await world.at_desk(AGENT, "8001")
    mine = world.a_call_rings()
    closes(world, mine.call, mine.queue_pass)
    world.ends(mine.call)
    foreign = gives_up(world, "13700137000", queue="members")
    await world.recorded()

    agent = (await (await world.signed_in(AGENT)).get("/calls/gave-up")).text

    assert mine.call in agent
    assert DIGITS not in agent
    assert "138****8000" in agent.replace(" ", "")
    assert foreign not in agent
    assert foreign not in (await (await world.signed_in(SUPERVISOR)).get("/calls/gave-up")).text
    assert foreign in (await (await world.signed_in(ADMIN)).get("/calls/gave-up")).text


async def test_days_and_queue_narrow_who_gave_up(world: World) -> None:
    call = gives_up(world, DIGITS)
    await world.recorded()
    browser = await world.signed_in(ADMIN)
    today = datetime.now(UTC).astimezone(world.settings.zone).date()
    tomorrow = today + timedelta(days=1)

    async def shows(query: str) -> bool:
        return call in (await browser.get(f"/calls/gave-up?{query}")).text

    assert await shows(f"from={today}&to={today}")
    assert not await shows(f"from={tomorrow}")
    assert await shows("queue=support")
    assert not await shows("queue=members")
    assert (await browser.get("/calls/gave-up?from=nonsense")).status_code == 422


async def test_machines_see_how_far_the_books_were_compared(world: World) -> None:
    compared(world, minutes_ago=1, differences=2)
    metrics = (await world.browser().client.get("/metrics")).text
    assert 'zuoxi_reconciled_differences{pbx="main"} 2.0' in metrics

    def age() -> float:
        line = metrics.partition('zuoxi_reconciled_age_seconds{pbx="main"} ')[2]
        return float(line.partition("\n")[0])

    assert 60 <= age() < 90
