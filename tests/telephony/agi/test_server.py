"""The FastAGI server: what Asterisk says is understood, and nobody else harms anybody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.agi import server as agi
from telephony.agi.server import AgiCall, AgiEnded, AgiServer, quoted

GREETING = (
    b"agi_network: yes\nagi_network_script: door?pbx=lab\nagi_callerid: 13800138000\n"
    b"agi_arg_1: 4001\n\n"
)

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(
    route: Callable[[AgiCall], Awaitable[None]],
) -> AsyncIterator[Callable[[], Awaitable[Stream]]]:
    """Yields a way to connect."""
    server = AgiServer()
    server.add_route("door", route)
    await server.start("127.0.0.1", 0)
    assert server._server is not None
    port = server._server.sockets[0].getsockname()[1]
    opened: list[asyncio.StreamWriter] = []

    async def connect() -> Stream:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        opened.append(writer)
        return reader, writer

    try:
        yield connect
    finally:
        for writer in opened:
            writer.close()
        await server.close()


async def answered(connect: Callable[[], Awaitable[Stream]]) -> bytes:
    """A call as Asterisk makes it; what it is told first."""
    reader, writer = await connect()
    writer.write(GREETING)
    line = await asyncio.wait_for(reader.readline(), 5)
    writer.write(b"200 result=1\n")
    return line


async def tells(call: AgiCall) -> None:
    await call.send_command("SET VARIABLE", "ZX_QUEUE", call.query["pbx"])


async def test_a_call_is_told_on_the_route_it_asked_at() -> None:
    async with serving(tells) as connect:
        assert await answered(connect) == b'SET VARIABLE "ZX_QUEUE" "lab"\n'


HOSTILE = {
    "nothing": b"",
    "a blank line": b"\n",
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no colon": b"agi_network_script\n\n",
    "another route": b"agi_network_script: elsewhere\n\n",
    "a long line": b"agi_network_script: " + b"x" * 100_000,
    "many lines": b"agi_arg_1: 4001\n" * 10_000,
    "no end": b"agi_network: yes\n",
    "bytes": bytes(range(256)) * 4,
    "many fields": b"agi_network_script: door?" + b"a=1&" * 500 + b"\n\n",
    "nul": b"agi_network_script: door\x00\n\n",
}


@pytest.mark.parametrize("said", HOSTILE)
async def test_a_stranger_loses_his_connection_and_nobody_else_anything(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As shipped, panoramisk hangs the loop when somebody connects and closes."""
    monkeypatch.setattr(agi, "GREETING_SECONDS", 0.2)
    async with serving(tells) as connect:
        reader, writer = await connect()
        writer.write(HOSTILE[said])
        assert await answered(connect) == b'SET VARIABLE "ZX_QUEUE" "lab"\n'
        with contextlib.suppress(ConnectionResetError):  # closed with his bytes unread
            assert await asyncio.wait_for(reader.read(), 5) == b""
        assert await answered(connect) == b'SET VARIABLE "ZX_QUEUE" "lab"\n'


async def test_who_connects_and_closes_at_once_costs_nothing() -> None:
    async with serving(tells) as connect:
        for _ in range(50):
            _, writer = await connect()
            writer.close()
        assert await answered(connect) == b'SET VARIABLE "ZX_QUEUE" "lab"\n'


async def test_who_dribbles_is_sent_away_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agi, "GREETING_SECONDS", 0.2)
    async with serving(tells) as connect:
        reader, writer = await connect()

        async def dribble() -> None:
            for byte in GREETING * 100:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        assert await answered(connect) == b'SET VARIABLE "ZX_QUEUE" "lab"\n'
        assert await asyncio.wait_for(reader.read(), 5) == b""
        dribbling.cancel()
        await asyncio.gather(dribbling, return_exceptions=True)


async def test_a_crowd_of_the_silent_leaves_the_default_to_the_rest_and_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agi, "MOST_CALLS", 3)
    monkeypatch.setattr(agi, "GREETING_SECONDS", 0.3)
    async with serving(tells) as connect:
        silent = [await connect() for _ in range(3)]
        reader, writer = await connect()
        writer.write(GREETING)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 5)
        for each, _ in silent:
            assert await asyncio.wait_for(each.read(), 5) == b""
        assert await answered(connect) == b'SET VARIABLE "ZX_QUEUE" "lab"\n'


async def test_an_endpoint_that_breaks_breaks_for_its_call_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks(call: AgiCall) -> None:
        if call.headers["agi_arg_1"] == "4001":
            raise RuntimeError("a mistake of ours")
        await tells(call)

    async with serving(breaks) as connect:
        reader, writer = await connect()
        writer.write(GREETING)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        reader, writer = await connect()
        writer.write(GREETING.replace(b"4001", b"4002"))
        assert await asyncio.wait_for(reader.readline(), 5)
    assert "a mistake of ours" in caplog.text


# --- answers ----------------------------------------------------------------------------------------


class Told:
    """What a route made of the answers that Asterisk gave."""

    def __init__(self, commands: int) -> None:
        self.done: list[bool] = []
        self.error: Exception | None = None
        self.over = asyncio.Event()
        self._commands = commands

    async def route(self, call: AgiCall) -> None:
        try:
            for _ in range(self._commands):
                self.done.append(await call.send_command("NOOP"))
        except Exception as wrong:
            self.error = wrong
        self.over.set()


async def heard(answers: bytes, commands: int = 1, *, then_close: bool = True) -> Told:
    told = Told(commands)
    async with serving(told.route) as connect:
        _, writer = await connect()
        writer.write(GREETING + answers)
        if then_close:
            writer.write_eof()
        async with asyncio.timeout(5):
            await told.over.wait()
    return told


@pytest.mark.parametrize(
    ("answers", "done"),
    [
        (b"200 result=1\n", [True]),
        (b"200 result=0\r\n", [True]),
        (b"200 result=-1\n", [False]),
        (b"200 result=1 (timeout)\n", [True]),
        (b"100 result=0 Trying...\n200 result=1\n", [True]),
        (b"510 Invalid or unknown command\n", [False]),
        (b"511 Command Not Permitted on a dead channel\n", [False]),
        (b"520-Invalid command syntax.  Proper usage follows:\nUsage: x\n520 End of proper usage.\n200 result=1\n",
         [False, True]),
        (b"520 Invalid command syntax.\n200 result=1\n", [False, True]),
        (b"HANGUP\n200 result=1\n", [True]),
        (b"200 result=-1\nHANGUP\n511 dead\n", [False, False]),
    ],
)  # fmt: skip
async def test_each_answer_belongs_to_its_command(answers: bytes, done: list[bool]) -> None:
    """As shipped, panoramisk takes HANGUP for an answer, and every later one is off by one."""
    told = await heard(answers, len(done))
    assert told.error is None
    assert told.done == done


async def test_a_call_that_is_gone_is_told_as_gone() -> None:
    assert isinstance((await heard(b"")).error, AgiEnded)
    assert isinstance((await heard(b"200 resu")).error, AgiEnded)
    assert isinstance((await heard(b"x\n" * 1000)).error, AgiEnded)


async def test_an_answer_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agi, "ANSWER_SECONDS", 0.1)
    assert isinstance((await heard(b"", then_close=False)).error, TimeoutError)


@given(st.text())
def test_what_is_said_to_asterisk_is_one_argument_or_is_not_said(value: str) -> None:
    try:
        said = quoted(value)
    except ValueError:
        assert not value.isprintable()
        return
    assert "\n" not in said
    assert "\r" not in said
    assert read_back(said) == value


def read_back(said: str) -> str:
    """As Asterisk's parse_args reads one quoted argument."""
    assert said[0] == said[-1] == '"'
    found, escaped = "", False
    for letter in said[1:-1]:
        if not escaped and letter == "\\":
            escaped = True
            continue
        assert escaped or letter != '"'
        found += letter
        escaped = False
    return found
