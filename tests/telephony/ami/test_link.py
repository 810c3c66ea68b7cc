"""The AMI link against a scripted server: each defect of panoramisk 1.4 is seen on the library as
shipped, then seen not to happen on ours."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from panoramisk import Manager

from crm_core.errors import Invalid
from crm_core.events import LinkState
from telephony.ami.actions import CoreShowChannels, Ping, QueueAdd
from telephony.ami.link import AmiSession, NoAnswer, NotConnected, Patience
from tests.telephony.ami.scripted import (
    Scripted,
    Sent,
    an_event,
    answered,
    eventually,
    success,
)
from tests.telephony.ami.sessions import ADD, QUICK, Heard, ours, shipped, up


def _pinged(server: Scripted, times: int) -> bool:
    return len(server.of("Ping")) == times


def _lost(heard: Heard, times: int) -> bool:
    return heard.states.count(LinkState.DOWN) == times


# --- an exception in a callback --------------------------------------------------------------------


async def test_shipped_closes_the_link_when_a_callback_fails(server: Scripted) -> None:
    async with shipped(server) as manager:

        def broken(_manager: Manager, _event: Any) -> None:
            raise RuntimeError("planted")

        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        manager.register_event("Hangup", broken)
        server.say(an_event("Hangup"))
        await server.until(lambda: server.connections == 2)


async def test_ours_goes_on_when_the_consumer_fails(server: Scripted) -> None:
    seen: list[bytes] = []

    def breaks_on_the_first(raw: bytes) -> None:
        seen.append(raw)
        if len(seen) == 1:
            raise RuntimeError("planted")

    async with ours(server, on_message=breaks_on_the_first) as session:
        await up(session)
        server.say(an_event("Hangup", "Cause: 1") + an_event("Hangup", "Cause: 2"))
        await eventually(lambda: len(seen) == 2)
        assert session.failures == 1
        assert server.connections == 1


# --- answers that are not recognised ---------------------------------------------------------------


def added(sent: Sent) -> bytes:
    return success(sent, "Added interface to queue")


async def test_shipped_never_completes_a_queue_add(server: Scripted) -> None:
    server.answers["QueueAdd"] = added
    async with shipped(server) as manager:
        future = manager.send_action({"Action": "QueueAdd", "Queue": "q", "Interface": "PJSIP/1"})
        await manager.send_action({"Action": "Ping"})  # answered after it, on the same connection
        assert not future.done()


async def test_ours_completes_a_queue_add(server: Scripted) -> None:
    server.answers["QueueAdd"] = added
    async with ours(server) as session:
        await up(session)
        answer = await session.request(ADD)
        assert (answer.ok, answer.message) == (True, "Added interface to queue")


# --- an action without an answer -------------------------------------------------------------------


async def test_shipped_sends_an_unanswered_action_again_after_a_reconnect(server: Scripted) -> None:
    server.answers["Originate"] = None
    async with shipped(server) as manager:
        manager.send_action({"Action": "Originate", "Channel": "PJSIP/1", "Async": "true"})
        await server.until(lambda: len(server.of("Originate")) == 1)
        server.cut()
        await server.until(lambda: server.connections == 2 and len(server.of("Login")) == 2)
        server.say(an_event("FullyBooted"))
        await server.until(lambda: len(server.of("Originate")) == 2)


async def test_ours_never_sends_it_again_and_tells_who_waits(server: Scripted) -> None:
    server.answers["QueueAdd"] = None
    async with ours(server) as session:
        await up(session)
        asked = asyncio.create_task(session.request(ADD))
        await server.until(lambda: len(server.of("QueueAdd")) == 1)
        server.cut()
        with pytest.raises(NotConnected):
            await asked
        await server.until(lambda: len(server.of("Login")) == 2)
        server.say(an_event("FullyBooted"))
        await up(session)
        await session.request(Ping())
        assert len(server.of("QueueAdd")) == 1


async def test_ours_gives_up_an_action_in_time_and_forgets_it(server: Scripted) -> None:
    server.answers["QueueAdd"] = None
    async with ours(server) as session:
        await up(session)
        with pytest.raises(NoAnswer, match="QueueAdd"):
            await session.request(ADD, seconds=0.05)
        assert session._live is not None
        assert all(pending["Action"] != "QueueAdd" for pending in session._live.responses.values())


async def test_ours_refuses_to_ask_while_there_is_no_link(server: Scripted) -> None:
    server.answers["Login"] = None
    async with ours(server) as session:
        with pytest.raises(NotConnected):
            await session.request(Ping())


# --- a character that two segments share ------------------------------------------------------------

NAME = "王建国"


async def in_pieces(server: Scripted, event: bytes) -> None:
    for place in range(0, len(event), 7):
        server.say(event[place : place + 7])
        await asyncio.sleep(0.002)


async def test_shipped_loses_characters_that_two_segments_share(server: Scripted) -> None:
    async with shipped(server) as manager:
        names: list[str] = []
        manager.register_event("Hangup", lambda _, event: names.append(event.calleridname))
        await in_pieces(server, an_event("Hangup", f"CallerIDName: {NAME * 8}", "X: y"))
        await eventually(lambda: bool(names))
        assert names != [NAME * 8]


async def test_ours_keeps_them(server: Scripted) -> None:
    heard = Heard()
    event = an_event("Hangup", f"CallerIDName: {NAME * 8}", "X: ")
    async with ours(server, heard, Patience()) as session:  # no Pong between the pieces
        await up(session)
        await in_pieces(server, event)
        await eventually(lambda: bool(heard.messages))
        assert heard.messages == [event.removesuffix(b"\r\n\r\n")]


# --- pings that nobody answers ----------------------------------------------------------------------


async def test_shipped_never_notices_that_its_pings_are_not_answered(server: Scripted) -> None:
    async with shipped(server) as manager:
        server.answers["Ping"] = None
        for count in range(1, 6):
            manager.ping()
            await server.until(partial(_pinged, server, count))
        assert manager.authenticated
        assert len(manager.protocol.responses) == 5


async def test_ours_cuts_a_link_whose_ping_is_not_answered_and_comes_back(server: Scripted) -> None:
    heard = Heard()
    async with ours(server, heard) as session:
        await up(session)
        server.answers["Ping"] = None
        await eventually(lambda: LinkState.DOWN in heard.states)
        server.answers["Ping"] = success
        await eventually(lambda: heard.states[-1] is LinkState.UP)
        assert server.connections >= 2
        assert any("did not answer to Ping" in (reason or "") for reason in heard.reasons)


# --- line breaks in values --------------------------------------------------------------------------


async def test_shipped_lets_a_line_break_become_a_second_action(server: Scripted) -> None:
    async with shipped(server) as manager:
        evil = "PJSIP/1\r\n\r\nAction: Command\r\nActionID: x\r\nCommand: core stop now"
        manager.send_action({"Action": "Hangup", "Channel": evil})
        await server.until(lambda: len(server.of("Command")) == 1)


async def test_ours_sends_nothing_at_all(server: Scripted) -> None:
    async with ours(server) as session:
        await up(session)
        before = server.raw
        for evil in ("a\r\n\r\nAction: Command", "a\nb: c", "a\rb", "a\x00b", "a\u2028b"):
            with pytest.raises(Invalid):
                await session.request(QueueAdd(queue=evil, interface="PJSIP/1", member_name="1"))
        await session.request(Ping())
        assert b"Command" not in server.raw[len(before) :]
        assert len(server.of("QueueAdd")) == 0


# --- order ------------------------------------------------------------------------------------------


def channels_with_a_newer_event(sent: Sent) -> bytes:
    return (
        answered(sent, "Response: Success", "EventList: start", "Message: follows")
        + answered(sent, "Event: CoreShowChannel", "Uniqueid: 1")
        + an_event("Hangup", "Uniqueid: 1")
        + answered(sent, "Event: CoreShowChannelsComplete", "EventList: Complete")
    )


async def test_shipped_tells_a_snapshot_after_the_event_that_is_newer(server: Scripted) -> None:
    server.answers["CoreShowChannels"] = channels_with_a_newer_event
    async with shipped(server) as manager:
        order: list[str] = []
        manager.register_event("*", lambda _, event: order.append(event.event))
        found = await manager.send_action({"Action": "CoreShowChannels"})
        order += [each.event for each in found if each.event]
        assert order.index("Hangup") < order.index("CoreShowChannel")


async def test_ours_tells_everything_in_the_order_of_the_wire(server: Scripted) -> None:
    server.answers["CoreShowChannels"] = channels_with_a_newer_event
    heard = Heard()
    async with ours(server, heard) as session:
        await up(session)
        answer = await session.request(CoreShowChannels())
        names = [raw.split(b"\r\n")[0] for raw in heard.messages]
        assert names == [
            b"Event: CoreShowChannel",
            b"Event: Hangup",
            b"Event: CoreShowChannelsComplete",
        ]
        assert [item["Uniqueid"] for item in answer.items] == ["1"]


async def test_shipped_runs_coroutine_callbacks_in_any_order(server: Scripted) -> None:
    async with shipped(server) as manager:
        order: list[int] = []

        async def slow_on_even(_manager: Manager, event: Any) -> None:
            number = int(event.number)
            await asyncio.sleep(0.02 if number % 2 == 0 else 0)
            order.append(number)

        manager.register_event("Hangup", slow_on_even)
        server.say(*(an_event("Hangup", f"Number: {number}") for number in range(6)))
        await eventually(lambda: len(order) == 6)
        assert order != sorted(order)


async def test_ours_tells_thousands_in_order_however_they_are_cut(server: Scripted) -> None:
    heard = Heard()
    async with ours(server, heard) as session:
        await up(session)
        stream = b"".join(an_event("Hangup", f"Number: {n}") for n in range(3000))
        for place in range(0, len(stream), 1471):
            server.say(stream[place : place + 1471])
        await eventually(lambda: len(heard.messages) == 3000)
        numbers = [int(raw.rpartition(b": ")[2]) for raw in heard.messages]
        assert numbers == list(range(3000))


async def test_shipped_closes_the_link_on_a_second_event_header(server: Scripted) -> None:
    async with shipped(server) as manager:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        manager.register_event("*", lambda *_: None)
        server.say(an_event("UserEvent", "Event: Forged"))
        await server.until(lambda: server.connections == 2)


async def test_ours_hands_it_on_to_be_put_into_quarantine(server: Scripted) -> None:
    heard = Heard()
    async with ours(server, heard) as session:
        await up(session)
        server.say(an_event("UserEvent", "Event: Forged"))
        await eventually(lambda: bool(heard.messages))
        assert server.connections == 1


# --- coming, going, coming back ---------------------------------------------------------------------


async def test_refused_login_is_told_and_tried_again_later(server: Scripted) -> None:
    server.answers["Login"] = lambda sent: answered(
        sent, "Response: Error", "Message: Authentication failed"
    )
    heard = Heard()
    async with ours(server, heard) as session:
        await eventually(lambda: bool(heard.states))
        assert heard.states[0] is LinkState.REFUSED
        assert "Authentication failed" in (heard.reasons[0] or "")
        server.answers["Login"] = success
        await up(session)


async def test_link_comes_back_by_itself_each_time(server: Scripted) -> None:
    heard = Heard()
    async with ours(server, heard) as session:
        for times in range(1, 5):
            await up(session)
            server.cut()
            await eventually(partial(_lost, heard, times))
        await up(session)
        assert heard.states == [LinkState.UP, LinkState.DOWN] * 4 + [LinkState.UP]


async def test_server_that_accepts_and_says_nothing_is_given_up(server: Scripted) -> None:
    server.answers["Login"] = None
    heard = Heard()
    async with ours(server, heard, Patience(connect=0.05, retry_first=0.01)):
        await server.until(lambda: server.connections >= 3)
        assert set(heard.states) == {LinkState.DOWN}


async def test_closed_session_does_not_come_back(server: Scripted) -> None:
    async with ours(server) as session:
        await up(session)
    before = server.connections
    await asyncio.sleep(0.1)
    assert server.connections == before


async def test_endless_message_is_cut_off_not_kept(server: Scripted) -> None:
    heard = Heard()
    async with ours(server, heard) as session:
        await up(session)
        server.say(b"Event: Hangup\r\nX: " + b"x" * (2 << 20))
        await eventually(lambda: LinkState.DOWN in heard.states)
        await up(session)


async def test_no_secret_is_ever_logged(server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server.answers["Login"] = lambda sent: answered(sent, "Response: Error", "Message: no")
    heard = Heard()
    session = AmiSession(
        name="x",
        host="127.0.0.1",
        port=server.port,
        username="u",
        secret="very-secret-word",
        patience=QUICK,
        on_state=heard.state,
    )
    session.connect()
    await eventually(lambda: bool(heard.states))
    await session.close_and_wait()
    assert "very-secret-word" not in caplog.text
