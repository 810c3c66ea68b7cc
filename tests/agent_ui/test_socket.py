"""The one socket: who gets which frame, once, in order, and again after a lost link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.typing import Origin

from agent_ui.live.outbox import MOST_FRAMES, Outbox
from agent_ui.live.straight import text_frame
from crm_core.access.users import disable
from crm_core.db import transaction
from crm_core.events import AttemptResult, LinkState
from crm_core.pop_query import PopFile
from crm_core.settings import Settings
from tests.agent_ui.world import HIDDEN, RAW, SHARED_DIGITS, Listener, World, running


async def test_a_ring_reaches_the_agent_whose_phone_rings_and_nobody_else(world: World) -> None:
    mine, other = await world.at_desk("limin", "8001"), await world.at_desk("zhaolei", "8002")
    here, there = await world.listen(mine), await world.listen(other)
    boss = await world.listen(await world.signed_in("wangfang"))
    program = await world.listen(token=await world.token("crm", "supervisor"))
    narrow = await world.listen(token=await world.token("mine", "agent", "limin"))
    for each in (here, there, boss, program, narrow):
        await each.frame("snapshot")

    ring = world.a_call_rings()
    for each in (here, program, narrow):
        assert (await each.frame("call.offered"))["call"]["call_id"] == ring.call
    world.ring_ends(ring, AttemptResult.NO_ANSWER)
    for each in (here, program, narrow):
        withdrawn = await each.frame("call.withdrawn")
        assert (withdrawn["result"], withdrawn["attempt"]) == ("no_answer", 1)
    again = world.rings(ring.call, ring.queue_pass, "8002", "1002", attempt=2)
    await there.frame("call.offered")
    world.answers(again)
    await boss.frame("call.answered")
    world.hangs_up(again)
    await there.frame("call.ended")
    await boss.frame("call.ended")
    assert boss.of("call.offered") == []
    assert len(here.of("call.offered")) == len(there.of("call.offered")) == 1
    assert len(program.of("call.offered")) == 2


async def test_the_life_of_a_call_on_the_agents_socket_in_order(world: World) -> None:
    socket = await world.listen(await world.at_desk("limin", "8001"))
    await socket.frame("snapshot")
    ring = world.a_call_rings()
    world.answers(ring)
    world.hangs_up(ring)
    await socket.frame("call.ended")
    calls = [frame["type"] for frame in socket.frames if frame["type"].startswith("call.")]
    assert calls == ["call.offered", "call.answered", "call.ended"]
    states = [frame["state"] for frame in socket.of("agent.changed")]
    assert states == ["ringing", "talking", "wrap_up"]
    numbers = [int(frame["seq"].rpartition("-")[2]) for frame in socket.frames]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("result", ["no_answer", "refused", "elsewhere", "gone"])
async def test_every_end_of_a_ring_but_the_answer_withdraws_it(world: World, result: str) -> None:
    socket = await world.listen(await world.at_desk("limin", "8001"), query="?page=desk")
    await socket.frame("snapshot")
    ring = world.a_call_rings()
    await socket.frame("call.offered")
    world.ring_ends(ring, AttemptResult(result))
    assert (await socket.frame("call.withdrawn"))["result"] == result
    await drawn(socket, "screen-pops", without=f"pop-{ring.call}")


async def drawn(socket: object, region: str, *, has: str = "", without: str = "") -> str:
    """The HTML of the region once it holds `has` and not `without`."""
    async with asyncio.timeout(5):
        while True:
            htmls = [f["html"] for f in socket.of("region") if f["id"] == region]  # type: ignore[attr-defined]
            if htmls and has in htmls[-1] and not (without and without in htmls[-1]):
                return str(htmls[-1])
            await asyncio.sleep(0.01)


async def test_a_page_gets_json_first_and_the_same_html_as_the_page_itself(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    page, program = await world.listen(browser, query="?page=desk"), await world.listen(browser)
    await page.frame("snapshot")
    await drawn(page, "my-calls")
    ring = world.a_call_rings()
    html = await drawn(page, "screen-pops", has=f"pop-{ring.call}")
    types = [f["type"] for f in page.frames]
    pops = [f for f in page.of("region") if f["id"] == "screen-pops" and ring.call in f["html"]]
    assert types.index("call.offered") < page.frames.index(pops[0])
    assert "张三" in html
    assert html.strip() in (await browser.get("/desk")).text
    await program.frame("call.offered")
    assert program.of("region") == []


async def test_the_cards_follow_the_call_until_the_note_is_submitted(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    page = await world.listen(browser, query="?page=desk")
    ring = world.a_call_rings()
    world.answers(ring)
    await drawn(page, "cards", has=f"card-{ring.call}")
    await drawn(page, "call-bar", has=f"bar-{ring.call}")
    world.hangs_up(ring)
    await drawn(page, "call-bar", without=f"bar-{ring.call}")
    note = {"note": "已登记报修", "disposition": "resolved", "revision": "1"}
    assert (await browser.post(f"/calls/{ring.call}/note", note)).status_code == 204
    await drawn(page, "cards", has="已登记报修")
    submitted = {**note, "revision": "2", "submit": "1"}
    assert (await browser.post(f"/calls/{ring.call}/note", submitted)).status_code == 204
    await drawn(page, "cards", without=f"card-{ring.call}")
    await drawn(page, "my-calls", has=f"/calls/{ring.call}")
    shown = (await browser.get(f"/calls/{ring.call}")).text
    assert "已登记报修" in shown
    assert "已解决" in shown


async def test_a_socket_that_comes_back_gets_what_it_missed_exactly_once(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    first = await world.listen(browser)
    await first.frame("snapshot")
    seen = world.a_call_rings()
    last = await first.frame("call.offered")
    await first.frame("agent.changed")
    await first.close()
    missed = world.a_call_rings(caller=SHARED_DIGITS)
    world.ring_ends(seen, AttemptResult.GONE)
    second = await world.listen(browser, query=f"?since={last['seq']}")
    after = world.a_call_rings()
    ring_seq = world.bus.seq
    await second.frame("call.withdrawn")
    await second.frame("call.offered", queue="support", seq=ring_seq)
    offered = [frame["call"]["call_id"] for frame in second.of("call.offered")]
    assert offered == [missed.call, after.call]
    assert second.of("snapshot") == []


async def test_who_missed_more_than_a_socket_holds_is_sent_the_present(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    first = await world.listen(browser)
    await first.frame("snapshot")
    world.a_call_rings()
    last = await first.frame("agent.changed")
    await first.close()
    for _ in range(100):
        world.ring_ends(world.a_call_rings(), AttemptResult.GONE)
    living = world.a_call_rings()
    second = await world.listen(browser, query=f"?since={last['seq']}")
    snapshot = await second.frame("snapshot")
    assert living.call in [pop["call"]["call_id"] for pop in snapshot["pops"]]
    assert second.of("call.offered") == []


@pytest.mark.parametrize("since", ["00000000-5", "nonsense", "-", "0"])
async def test_an_unknown_place_is_answered_by_one_snapshot_with_the_living_pop(
    world: World, since: str
) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    socket = await world.listen(browser, query=f"?since={since}")
    snapshot = await socket.frame("snapshot")
    assert [pop["call"]["call_id"] for pop in snapshot["pops"]] == [ring.call]
    assert snapshot["pops"][0]["customer"]["name"] == "张三"
    assert snapshot["board"]["agents"][0]["state"] == "ringing"
    assert socket.of("call.offered") == []
    world.ring_ends(ring, AttemptResult.GONE)
    await socket.frame("call.withdrawn")
    assert len(socket.of("snapshot")) == 1


async def test_after_a_restart_the_pop_of_a_living_call_is_there_again(settings: Settings) -> None:
    async with running(settings) as before:
        browser = await before.at_desk("limin", "8001")
        socket = await before.listen(browser)
        ring = before.a_call_rings()
        seq = (await socket.frame("call.offered"))["seq"]
        cookies, events = dict(browser.cookies), before.bus.since(before.bus.seq[:9] + "0")
    async with running(settings) as after:
        for envelope in events or ():
            after.bus.publish(envelope.event)  # the resync tells it again
        back = after.browser()
        back.cookies = cookies
        socket = await after.listen(back, query=f"?since={seq}")
        snapshot = await socket.frame("snapshot")
        assert [pop["call"]["call_id"] for pop in snapshot["pops"]] == [ring.call]


async def test_agents_are_told_of_a_queue_once_a_second_and_watchers_four_times(
    world: World,
) -> None:
    agent = await world.listen(await world.at_desk("limin", "8001"))
    stranger = await world.listen(await world.at_desk("sunli", "8003"))
    watcher = await world.listen(token=await world.token("wall", "supervisor"))
    for each in (agent, stranger, watcher):
        await each.frame("snapshot")
    for _ in range(30):
        world.caller_queues()
        await asyncio.sleep(0.02)
    await agent.frame("queue.changed", waiting=30)
    await watcher.frame("queue.changed", waiting=30)
    # Each caller by itself would be thirty; it takes 0.6 s at least.
    assert len(agent.of("queue.changed")) < len(watcher.of("queue.changed")) < 15
    assert stranger.of("queue.changed") == []


async def test_a_queue_is_not_told_where_its_numbers_are_the_same_again(world: World) -> None:
    watcher = await world.listen(token=await world.token("wall", "supervisor"))
    await watcher.frame("snapshot")
    call, _ = world.caller_queues(queue="support")
    await watcher.frame("queue.changed", queue="support", waiting=1)
    world.ends(call)
    await watcher.frame("queue.changed", queue="support", waiting=0)
    passing, _ = world.caller_queues(queue="support")
    world.ends(passing)
    world.caller_queues(queue="another")  # told after the first, were that told
    await watcher.frame("queue.changed", queue="another", waiting=1)
    told = [f["waiting"] for f in watcher.of("queue.changed") if f["queue"] == "support"]
    assert told == [1, 0]


async def test_who_joins_between_two_tellings_hears_of_the_way_back_too(world: World) -> None:
    agent = await world.listen(await world.at_desk("limin", "8001"))
    await agent.frame("snapshot")
    call, _ = world.caller_queues()
    world.ends(call)
    await agent.frame("queue.changed", waiting=0)
    passing, _ = world.caller_queues()
    late = await world.listen(await world.at_desk("zhaolei", "8002"))
    assert queue_in(await late.frame("snapshot"), "support")["waiting"] == 1
    world.ends(passing)
    await late.frame("queue.changed", queue="support", waiting=0)


def queue_in(snapshot: dict[str, Any], name: str) -> dict[str, Any]:
    return next(queue for queue in snapshot["board"]["queues"] if queue["queue"] == name)


async def test_a_pop_is_on_its_way_before_publish_returns(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    listener = await world.listen(browser)
    await listener.frame("snapshot")
    call, queue_pass = world.caller_queues()
    await world.settled()
    assert world.ui.deps.pop_files.known(call)
    waiting = kernel_of(listener)
    world.rings(call, queue_pass, "8001", "1001")
    # No other task has run since: what is there was written by `publish` itself.
    with contextlib.closing(waiting):
        assert b'"call.offered"' in waiting.recv(65536, socket.MSG_PEEK)


async def test_what_a_pop_tells_of_the_caller_is_made_before_it_rings(world: World) -> None:
    listener = await world.listen(await world.at_desk("limin", "8001"))
    await listener.frame("snapshot")
    world.a_call_rings(caller=SHARED_DIGITS)
    await listener.frame("call.offered")  # now it is known who looks at pops
    call, queue_pass = world.caller_queues()
    await world.settled()
    known = world.ui.deps.pop_files.known(call)
    assert known is not None
    assert known.told
    world.rings(call, queue_pass, "8001", "1001")
    offered = await listener.frame("call.offered", seq=world.bus.seq)
    assert offered["customer"]["name"] == "张三"


def kernel_of(listener: Listener) -> socket.socket:
    """The listener's socket once more, to look at what the kernel has for it."""
    found: socket.socket = listener.connection.transport.get_extra_info("socket")
    again = socket.socket(fileno=os.dup(found.fileno()))
    again.setblocking(False)
    return again


async def test_nothing_overtakes_a_frame_that_waits_or_is_in_the_senders_hand() -> None:
    gone: list[bytes] = []
    writable = True

    def write(payload: bytes) -> bool:
        if writable:
            gone.append(payload)
        return writable

    outbox = Outbox(write)
    outbox.put(b"1")
    writable = False
    outbox.put(b"2")
    writable = True
    outbox.put(b"3")  # 2 waits
    assert gone == [b"1"]
    assert await outbox.take() == b"2"
    assert await outbox.take() == b"3"
    outbox.put(b"4")  # 3 is being sent
    assert gone == [b"1"]
    assert await outbox.take() == b"4"
    sending = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.put(b"5")
    assert gone == [b"1", b"5"]
    sending.cancel()


@given(st.binary(max_size=200) | st.integers(65_530, 65_540).map(bytes) | st.just(bytes(70_000)))
def test_a_frame_written_straight_is_the_one_that_websockets_would_send(payload: bytes) -> None:
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


async def test_a_lost_link_makes_agents_unknown(world: World) -> None:
    socket = await world.listen(await world.at_desk("limin", "8001"), query="?page=desk")
    await socket.frame("snapshot")
    world.link(LinkState.DOWN)
    assert (await socket.frame("link.changed"))["state"] == "down"
    assert (await socket.frame("agent.changed"))["state"] == "unknown"
    await drawn(socket, "agent-state", has="unknown")


async def test_a_disabled_person_is_cut_within_a_second(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    sockets = [
        await world.listen(browser),
        await world.listen(token=await world.token("mine", "agent", "limin")),
    ]
    for each in sockets:
        await each.frame("snapshot")
    async with transaction(world.engine) as connection:
        await disable(connection, "limin", actor="another process", now=datetime.now(UTC))
    assert [await each.ended() for each in sockets] == [4401, 4401]
    async with asyncio.timeout(3):
        while world.board.agents:  # noqa: ASYNC110 - the board has no bell
            await asyncio.sleep(0.05)
    again = await world.listen(browser)
    assert await again.ended() == 4401
    assert (await browser.get("/desk")).status_code == 303


async def test_changed_roles_reach_an_open_socket(world: World) -> None:
    from sqlalchemy import delete, select

    from crm_core.access.models import Role, RolePermission

    socket = await world.listen(await world.signed_in("wangfang"))
    other = await world.listen(await world.signed_in("limin"))
    await socket.frame("snapshot")
    async with transaction(world.engine) as connection:
        role = await connection.scalar(select(Role.id).where(Role.name == "supervisor"))
        await connection.execute(
            delete(RolePermission).where(
                RolePermission.role_id == role, RolePermission.permission == "reveal_numbers"
            )
        )
    assert await socket.ended() == 4409
    assert other.connection.close_code is None


async def test_numbers_are_masked_and_hidden_fields_left_out_by_viewer(world: World) -> None:
    mine = await world.listen(await world.at_desk("limin", "8001"), query="?page=desk")
    boss = await world.listen(token=await world.token("crm", "supervisor"))
    await mine.frame("snapshot")
    await boss.frame("snapshot")
    world.a_call_rings()
    masked, whole = await mine.frame("call.offered"), await boss.frame("call.offered")
    assert whole["call"]["caller_number"] == "+8613800138000"
    assert whole["call"]["caller_number_raw"] == RAW
    assert whole["customer"]["fields"]["risk"] == HIDDEN
    assert masked["call"]["caller_number"] == masked["call"]["caller_number_raw"] == "138****8000"
    assert "risk" not in masked["customer"]["fields"]
    assert masked["customer"]["fields"]["contract"] == "HT-2041"


async def test_a_shared_number_offers_all_its_customers_and_one_is_chosen(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    socket = await world.listen(browser, query="?page=desk")
    await socket.frame("snapshot")
    ring = world.a_call_rings(caller=SHARED_DIGITS)
    frame = await socket.frame("call.offered")
    assert frame["customer"] is None
    assert [one["name"] for one in frame["customers"]] == ["周一", "吴二"]
    world.answers(ring)
    await drawn(socket, "cards", has="matches")
    await world.recorded()
    second = frame["customers"][1]["id"]
    chosen = await browser.post(f"/calls/{ring.call}/customer", {"customer": second})
    assert chosen.status_code == 204
    html = await drawn(socket, "cards", without="matches")
    assert "吴二" in html


async def test_an_unknown_caller_becomes_a_customer_by_the_form(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    socket = await world.listen(browser, query="?page=desk")
    ring = world.a_call_rings(caller="13700137000")
    assert (await socket.frame("call.offered"))["customers"] == []
    world.answers(ring)
    await drawn(socket, "cards", has="who-new")
    form = {"name": "新来的", "company": "某公司", "field.contract": "HT-1"}
    made = await browser.post(f"/calls/{ring.call}/customer", form)
    assert made.status_code == 204, made.text
    html = await drawn(socket, "cards", without="who-new")
    assert "新来的" in html
    assert "某公司" in html
    found = await browser.get("/api/v1/customers?phone=13700137000")
    assert [one["name"] for one in found.json()["items"]] == ["新来的"]


async def test_a_withheld_number_pops_without_a_customer(world: World) -> None:
    socket = await world.listen(await world.at_desk("limin", "8001"), query="?page=desk")
    await socket.frame("snapshot")
    ring = world.a_call_rings(caller=None)
    frame = await socket.frame("call.offered")
    assert frame["call"]["caller_number"] is None
    assert frame["customers"] == []
    await drawn(socket, "screen-pops", has=f"pop-{ring.call}")


async def test_a_slow_look_up_holds_back_its_pop_and_what_comes_behind_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()

    class Slow:
        async def pop_file(self, *_asked: object) -> PopFile:
            await answered.wait()
            return PopFile()

    world.ui.deps.pop_files._query = Slow()  # type: ignore[assignment]
    socket = await world.listen(await world.at_desk("limin", "8001"))
    await socket.frame("snapshot")
    ring = world.a_call_rings()
    world.ring_ends(ring, AttemptResult.GONE)
    await asyncio.sleep(0.05)
    assert socket.of("call.offered") == socket.of("call.withdrawn") == []
    answered.set()
    await socket.frame("call.withdrawn")
    calls = [f["type"] for f in socket.frames if f["type"].startswith("call.")]
    assert calls == ["call.offered", "call.withdrawn"]


async def test_a_database_that_is_away_costs_the_name_not_the_pop(world: World) -> None:
    class Away:
        async def pop_file(self, *_asked: object) -> PopFile:
            raise OSError("no database")

    socket = await world.listen(await world.at_desk("limin", "8001"), query="?page=desk")
    await socket.frame("snapshot")
    world.ui.deps.pop_files._query = Away()  # type: ignore[assignment]
    ring = world.a_call_rings()
    frame = await socket.frame("call.offered")
    assert (frame["customer"], frame["looked_up"]) == (None, False)
    await drawn(socket, "screen-pops", has=f"pop-{ring.call}")


async def test_a_wrong_question_on_the_socket_is_refused_with_a_sentence(world: World) -> None:
    token = await world.token("crm", "supervisor")
    for query in ("?page=nowhere", "?sinse=3", "?since=1&since=2", f"?since={'x' * 65}"):
        with pytest.raises(InvalidStatus) as refused:
            await world.listen(token=token, query=query)
        assert refused.value.response.status_code == 422, query


async def test_what_a_client_sends_means_nothing(world: World) -> None:
    socket = await world.listen(await world.at_desk("limin", "8001"))
    await socket.frame("snapshot")
    await socket.connection.send('{"type": "hang-up"}')
    await socket.connection.send(b"\x00\xff")
    world.a_call_rings()
    await socket.frame("call.offered")
    assert world.hung_up == []


async def test_one_that_does_not_read_is_cut_and_told() -> None:
    outbox = Outbox()
    for number in range(MOST_FRAMES):
        outbox.put(b"%d" % number)
    assert outbox.ended is None
    outbox.put(b"one too many")
    assert outbox.ended is not None
    assert outbox.ended[0] == 4408
    assert len(outbox) == 0
    assert await outbox.take() is None
    large = Outbox()
    large.put(b"x" * 600_000)
    large.put(b"x" * 600_000)
    assert large.ended is not None


async def test_a_stuck_browser_is_cut_and_hurts_nobody_else(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    lively = await world.listen(browser)
    await lively.frame("snapshot")
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port_of(world)))
    stuck = await connect(
        world.url.replace("http", "ws") + "/api/v1/events",
        sock=narrow,
        additional_headers={"cookie": browser.cookie},
        origin=Origin(world.url),
        compression=None,
    )
    stuck.transport.pause_reading()
    rings = 1_500
    for _ in range(rings):
        ring = world.a_call_rings()
        world.ring_ends(ring, AttemptResult.GONE)
        world.ends(ring.call)
        await world.settled()
    await lively.frame("call.ended", seconds=10, seq=world.bus.seq)
    assert len(lively.of("call.offered")) == rings
    assert [s.outbox.ended for s in world.ui.deps.hub.sockets.all() if s.outbox.ended] == [
        (4408, "too slow: come back with the last seq")
    ]
    stuck.transport.resume_reading()
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionClosed):
            async for _ in stuck:
                pass
    assert stuck.close_code == 4408


def port_of(world: World) -> int:
    return int(world.url.rpartition(":")[2])
