"""The AMI link when something else goes wrong: who listens fails, the login, the address, the end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from panoramisk import Manager

from crm_core.events import LinkState
from telephony.ami.actions import CoreShowChannels, Ping, QueueAdd
from telephony.ami.link import AmiSession, NotConnected, Patience
from tests.telephony.ami.scripted import (
    GREETING,
    Scripted,
    Sent,
    an_event,
    answered,
    eventually,
    refused,
    success,
)
from tests.telephony.ami.sessions import ADD, QUICK, Heard, ours, shipped, up

# --- who listens to the link fails -----------------------------------------------------------------


def broken(*_: object) -> None:
    raise RuntimeError("planted")


@pytest.mark.parametrize("listener", ["on_state", "on_bytes", "on_connection", "on_message"])
async def test_listener_that_fails_costs_a_line_in_the_log_and_not_the_link(
    server: Scripted, listener: str, caplog: pytest.LogCaptureFixture
) -> None:
    session = AmiSession(
        name="lab/events",
        host="127.0.0.1",
        port=server.port,
        username="u",
        secret="s",
        patience=QUICK,
        **{listener: broken},  # type: ignore[arg-type]
    )
    session.connect()
    try:
        await up(session)
        server.say(an_event("Hangup"))
        await eventually(lambda: session.failures > 0)
        assert (await session.request(Ping())).ok
        assert server.connections == 1
    finally:
        await session.close_and_wait()
    assert "planted" in caplog.text


async def test_listener_that_fails_when_the_link_breaks_does_not_keep_it_from_coming_back(
    server: Scripted,
) -> None:
    def breaks(state: LinkState, _reason: str | None) -> None:
        if state is LinkState.DOWN:
            raise RuntimeError("planted")

    async with ours(server, on_state=breaks) as session:
        await up(session)
        server.cut()
        await server.until(lambda: server.connections == 2)
        await up(session)


# --- the login -------------------------------------------------------------------------------------


async def test_shipped_hammers_a_pbx_that_refuses_its_login(server: Scripted) -> None:
    def refuses(sent: Sent) -> bytes:
        asyncio.get_running_loop().call_later(0.01, server.cut)
        return refused(sent, "Authentication failed")

    async with shipped(server):
        server.answers["Login"] = refuses
        server.cut()
        await server.until(lambda: len(server.of("Login")) > 5)


async def test_ours_waits_long_before_it_tries_the_same_password_again(server: Scripted) -> None:
    server.answers["Login"] = lambda sent: refused(sent, "Authentication failed")
    patience = Patience(connect=2, retry_first=0.01, retry_most=0.01, refused=3600)
    heard = Heard()
    async with ours(server, heard, patience) as session:
        await eventually(lambda: heard.states == [LinkState.REFUSED])
        await asyncio.sleep(0.2)  # twenty tries of one that does not wait
        assert len(server.of("Login")) == 1
        assert session.trouble == "login refused: Authentication failed"
        with pytest.raises(NotConnected, match="login refused: Authentication failed"):
            await session.request(Ping())


# --- an address that cannot be reached -------------------------------------------------------------


def to(host: str, port: int, heard: Heard) -> AmiSession:
    return AmiSession(
        name="lab/events",
        host=host,
        port=port,
        username="u",
        secret="s",
        patience=QUICK,
        on_state=heard.state,
    )


async def test_shipped_gives_up_in_silence_on_a_name_that_is_none() -> None:
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    manager = Manager(loop=loop, host="a..b", port=5038, username="u", secret="s")
    manager.reconnect_timeout = 0.01
    task = manager.connect()
    await eventually(lambda: bool(told))
    assert isinstance(task.exception(), UnicodeError)
    timers = loop._scheduled  # type: ignore[attr-defined]  # no reconnect is planned
    assert [timer for timer in timers if not timer.cancelled()] == []


async def test_ours_says_so_and_goes_on_trying() -> None:
    heard = Heard()
    session = to("a..b", 5038, heard)
    session.connect()
    await eventually(lambda: len(heard.states) > 2)
    await session.close_and_wait()
    assert set(heard.states) == {LinkState.DOWN}
    assert "cannot connect" in (heard.reasons[0] or "")


async def test_port_where_nobody_listens_is_tried_again(server: Scripted) -> None:
    heard = Heard()
    session = to("127.0.0.1", 1, heard)
    session.connect()
    await eventually(lambda: len(heard.states) > 2)
    await session.close_and_wait()
    assert heard.reasons[0] == "cannot connect to 127.0.0.1:1: Connection refused"


async def test_asterisk_that_is_away_is_told_once_with_its_address_by_both_sessions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard = Heard(), Heard()
    events, control = (to("127.0.0.1", 1, one) for one in heard)
    events.beside, control.beside = control, events
    events.connect()
    control.connect()
    await eventually(lambda: all(len(one.states) > 2 for one in heard))
    await events.close_and_wait()
    await control.close_and_wait()
    told = [record.getMessage() for record in caplog.records if record.name == "zuoxi.ami"]
    assert told == ["lab/events: down: cannot connect to 127.0.0.1:1: Connection refused"]


async def test_link_that_is_lost_again_is_told_again(
    server: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    session = to("127.0.0.1", server.port, heard)
    session.connect()
    stood, gone = LinkState.UP, LinkState.DOWN
    await eventually(lambda: heard.states == [stood])
    server.cut()
    await eventually(lambda: heard.states == [stood, gone, stood])
    server.cut()
    await eventually(lambda: heard.states[:4] == [stood, gone, stood, gone])
    await session.close_and_wait()
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == ["lab/events: down: the connection was lost"] * 2


# --- the end ---------------------------------------------------------------------------------------


async def test_shipped_comes_back_after_it_was_closed(server: Scripted) -> None:
    async with shipped(server) as manager:
        server.cut()
        await eventually(lambda: not manager._connected)
        manager.close()
        await server.until(lambda: server.connections == 2)


async def test_ours_stays_closed_wherever_it_was_on_its_way(server: Scripted) -> None:
    heard = Heard()
    patience = Patience(connect=2, retry_first=0.05)
    async with ours(server, heard, patience) as session:
        await up(session)
        server.cut()
        await eventually(lambda: LinkState.DOWN in heard.states)
    await asyncio.sleep(0.2)
    assert server.connections == 1


async def test_session_that_is_ended_in_the_moment_of_an_answer_ends(server: Scripted) -> None:
    """`asyncio.wait_for` of Python 3.11 gave the answer and forgot that it was cancelled."""
    server.answers["QueueAdd"] = lambda sent: success(sent) + an_event("Hangup")
    asked: asyncio.Task[Any]

    def cancels(_: bytes) -> None:
        asked.cancel()

    async with ours(server, on_message=cancels) as session:
        await up(session)
        asked = asyncio.create_task(session.request(ADD))
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_shipped_believes_itself_logged_in_while_there_is_no_link(server: Scripted) -> None:
    async with shipped(server) as manager:
        manager.reconnect_timeout = 3600
        server.cut()
        await eventually(lambda: not manager._connected)
        assert manager.authenticated


async def test_ours_knows_that_there_is_no_link(server: Scripted) -> None:
    heard = Heard()
    async with ours(server, heard, Patience(connect=2, retry_first=3600)) as session:
        await up(session)
        server.cut()
        await eventually(lambda: LinkState.DOWN in heard.states)
        await eventually(lambda: not session.authenticated)
        assert not session.connected.is_set()


def a_list_without_an_end(sent: Sent) -> bytes:
    return answered(sent, "Response: Success", "EventList: start") + answered(
        sent, "Event: CoreShowChannel", "Uniqueid: 1"
    )


async def test_shipped_leaves_who_waits_for_a_list_waiting_when_the_link_breaks(
    server: Scripted,
) -> None:
    server.answers["CoreShowChannels"] = a_list_without_an_end
    async with shipped(server) as manager:
        future = manager.send_action({"Action": "CoreShowChannels"})
        await server.until(lambda: len(server.of("CoreShowChannels")) == 1)
        await eventually(lambda: bool(next(iter(manager.responses.values())).responses))
        server.cut()
        await server.until(lambda: server.connections == 2)
        await eventually(lambda: manager.authenticated and len(server.of("Login")) == 2)
        assert not future.done()


async def test_ours_tells_who_waits_for_a_list_that_none_will_come(server: Scripted) -> None:
    server.answers["CoreShowChannels"] = a_list_without_an_end
    async with ours(server) as session:
        await up(session)
        asked = asyncio.create_task(session.request(CoreShowChannels()))
        await server.until(lambda: len(server.of("CoreShowChannels")) == 1)
        server.cut()
        with pytest.raises(NotConnected):
            await asked


# --- what is asked, and what of it is kept ---------------------------------------------------------


async def test_shipped_keeps_what_was_given_up_for_ever(server: Scripted) -> None:
    server.answers["QueueAdd"] = None
    async with shipped(server) as manager:
        future = manager.send_action({"Action": "QueueAdd", "Queue": "q", "Interface": "PJSIP/1"})
        future.cancel()
        await asyncio.sleep(0)
        assert [action["Action"] for action in manager.responses.values()] == ["QueueAdd"]


async def test_ours_keeps_nothing_of_it_and_is_not_confused_by_the_late_answer(
    server: Scripted,
) -> None:
    server.answers["QueueAdd"] = None
    async with ours(server) as session:
        await up(session)
        asked = asyncio.create_task(session.request(ADD))
        await server.until(lambda: len(server.of("QueueAdd")) == 1)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert session._live is not None
        assert all(each["Action"] == "Ping" for each in session._live.responses.values())
        server.say(success(server.of("QueueAdd")[0], "late"))
        assert (await session.request(Ping())).message == "done"
        assert session.failures == 0


async def test_shipped_cannot_be_asked_before_it_was_connected_once() -> None:
    manager = Manager(loop=asyncio.get_running_loop(), host="127.0.0.1", port=1)
    with pytest.raises(AttributeError):
        manager.send_action({"Action": "Ping"})


async def test_ours_says_that_there_is_no_link_yet() -> None:
    with pytest.raises(NotConnected, match="no link to Asterisk at the moment"):
        await to("127.0.0.1", 1, Heard()).request(Ping())


async def test_free_headers_cannot_be_sent_past_the_encoder(server: Scripted) -> None:
    async with ours(server) as session:
        await up(session)
        for send in (session.send_action, session.send_command):
            with pytest.raises(TypeError, match="typed action"):
                send({"Action": "Command", "Command": "core stop now"})
        assert server.of("Command") == []


async def test_no_two_sessions_use_the_same_action_id(server: Scripted) -> None:
    async with ours(server) as one, ours(server) as other:
        await up(one)
        await up(other)
        for _ in range(5):
            await one.request(Ping())
            await other.request(Ping())
        ids = [sent["ActionID"] for sent in server.sent]
        assert len(set(ids)) == len(ids)


class Refuses(asyncio.Transport):
    """A transport whose write fails, as of a connection that was reset."""

    def write(self, data: object) -> None:
        raise ConnectionResetError

    def close(self) -> None:
        pass


async def test_shipped_logs_the_secret_when_a_login_cannot_be_written(
    server: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    async with shipped(server) as manager:
        manager.protocol.transport, kept = Refuses(), manager.protocol.transport
        manager.send_action({"Action": "Login", "Username": "u", "Secret": "very-secret-word"})
        manager.protocol.transport = kept
    assert "very-secret-word" in caplog.text


async def test_ours_never_logs_it(server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    heard = Heard()
    session = AmiSession(
        name="lab/events",
        host="127.0.0.1",
        port=server.port,
        username="u",
        secret="very-secret-\x07word",
        patience=QUICK,
        on_state=heard.state,
    )
    session.connect()
    await eventually(lambda: bool(heard.states))
    await session.close_and_wait()
    assert heard.reasons[0] == "cannot connect: (not shown) cannot be sent to Asterisk as secret"
    assert "very-secret" not in caplog.text


# --- what is read ----------------------------------------------------------------------------------

AWKWARD = an_event("Newexten", "Content: x", "Result: a%20b", "AppData: ")


async def test_shipped_changes_values_and_loses_the_last_empty_one(server: Scripted) -> None:
    async with shipped(server) as manager:
        found: list[Any] = []
        manager.register_event("Newexten", lambda _, event: found.append(event))
        server.say(AWKWARD)
        await eventually(lambda: bool(found))
        assert (found[0].content, found[0]["result"]) == ("", "a b")
        assert "AppData" not in found[0]


async def test_ours_hands_on_the_bytes_as_they_came(server: Scripted) -> None:
    heard = Heard()
    async with ours(server, heard) as session:
        await up(session)
        server.say(AWKWARD)
        await eventually(lambda: bool(heard.messages))
        assert heard.messages == [AWKWARD.removesuffix(b"\r\n\r\n")]


async def test_shipped_calls_a_failed_originate_a_success(server: Scripted) -> None:
    async with shipped(server) as manager:
        found: list[Any] = []
        manager.register_event("OriginateResponse", lambda _, event: found.append(event))
        server.say(an_event("OriginateResponse", "Response: Failure", "Reason: 0"))
        await eventually(lambda: bool(found))
        assert found[0].success


async def test_ours_calls_only_a_success_one(server: Scripted) -> None:
    server.answers["QueueAdd"] = lambda sent: refused(sent, "No such queue")
    async with ours(server) as session:
        await up(session)
        answer = await session.request(QueueAdd(queue="q", interface="PJSIP/1", member_name="1"))
        assert (answer.ok, answer.message) == (False, "No such queue")


async def test_of_a_header_that_comes_twice_the_first_stands(server: Scripted) -> None:
    """As Asterisk itself reads actions; PresenceState's answer, for one, has two Messages."""
    server.answers["QueueAdd"] = lambda sent: answered(
        sent, "Response: Error", "Message: first", "Message: second", "Response: Success"
    )
    async with ours(server) as session:
        await up(session)
        answer = await session.request(ADD)
        assert (answer.ok, answer.message) == (False, "first")


async def test_greeting_may_come_in_pieces(server: Scripted) -> None:
    server.greeting = GREETING[:9]
    server.answers["Login"] = lambda sent: GREETING[9:] + success(sent)
    async with ours(server) as session:
        await up(session)


async def test_greeting_without_an_end_is_cut_off_not_kept(server: Scripted) -> None:
    server.greeting = b"Asterisk Call Manager/11" + b"x" * (2 << 20)
    heard = Heard()
    async with ours(server, heard, Patience(connect=3600, retry_first=0.01)) as session:
        await eventually(lambda: bool(heard.states))
        assert heard.states[0] is LinkState.DOWN
        server.greeting = GREETING
        await up(session)


async def test_message_that_the_connection_broke_off_is_not_told(server: Scripted) -> None:
    heard = Heard()
    async with ours(server, heard) as session:
        await up(session)
        server.say(an_event("Hangup", "Cause: 16"), b"Event: AgentComplete\r\nQueue: sup")
        await eventually(lambda: len(heard.messages) == 1)
        server.cut()
        await eventually(lambda: heard.states[-1] is LinkState.DOWN)
        await up(session)
        server.say(an_event("Hangup", "Cause: 17"))
        await eventually(lambda: len(heard.messages) == 2)
        assert [raw.split(b"\r\n")[0] for raw in heard.messages] == [b"Event: Hangup"] * 2
