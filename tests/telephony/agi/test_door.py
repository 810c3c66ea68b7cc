"""The door: who asks is told in one assignment; nobody waits for an answer that does not come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from crm_core.bus import MemoryBus
from crm_core.commands import AtTheDoor, WayIn
from crm_core.ids import PbxId
from telephony.agi import door as door_module
from telephony.agi.door import DoorKeeper, address_of, assignment
from tests.harness import eventually, free_port

PBX = PbxId("lab")
WAY = WayIn(queue="售后", max_wait_seconds=90, priority=20, first="PJSIP/8001", first_seconds=12)
TOLD = (
    b'SET VARIABLE "ARRAY(ZX_QUEUE,ZX_WAIT,QUEUE_PRIO,ZX_FIRST,ZX_FIRST_SECONDS)" '
    + '"售后,90,20,PJSIP/8001,12"\n'.encode()
)


def greeting(pbx: str = "lab", hotline: str = "4001", number: str = "13800138000") -> bytes:
    return (
        f"agi_network_script: door?pbx={pbx}\nagi_callerid: {number}\nagi_arg_1: {hotline}\n\n"
    ).encode()


@asynccontextmanager
async def kept(
    answer: Callable[[AtTheDoor], Awaitable[WayIn | None]],
) -> AsyncIterator[int]:
    bus, port = MemoryBus(), free_port()
    bus.answer(AtTheDoor, answer)
    keeping = asyncio.create_task(DoorKeeper({PBX: bus}, "127.0.0.1", port).run())
    try:
        await eventually(lambda: listens(port))
        yield port
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def told(port: int, said: bytes) -> bytes:
    """The first line that a call is told, and nothing where it is sent on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    try:
        line = await asyncio.wait_for(reader.readline(), 5)
        if line:
            writer.write(b"200 result=1\n")
        return line
    finally:
        writer.close()


async def test_a_call_is_told_everything_at_once() -> None:
    asked: list[AtTheDoor] = []

    async def answer(question: AtTheDoor) -> WayIn:
        asked.append(question)
        return WAY

    async with kept(answer) as port:
        assert await told(port, greeting()) == TOLD
        await told(port, greeting(number="unknown"))
        await told(port, greeting(number=""))
    assert [(one.hotline, one.caller_number) for one in asked] == [
        ("4001", "13800138000"),
        ("4001", None),
        ("4001", None),
    ]


async def test_without_an_opinion_nothing_is_said() -> None:
    async def answer(_: AtTheDoor) -> None:
        return None

    async with kept(answer) as port:
        assert await told(port, greeting()) == b""


async def test_a_pbx_that_is_not_ours_is_told_nothing() -> None:
    async def answer(_: AtTheDoor) -> WayIn:
        raise AssertionError("nobody should be asked")

    async with kept(answer) as port:
        assert await told(port, greeting(pbx="other")) == b""


async def test_who_thinks_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "LIMIT_SECONDS", 0.1)

    async def answer(_: AtTheDoor) -> WayIn:
        await asyncio.sleep(60)
        return WAY

    async with kept(answer) as port:
        assert await told(port, greeting()) == b""


@pytest.mark.parametrize(
    "way",
    [
        WayIn(queue="a,b", max_wait_seconds=1),
        WayIn(queue='a"b', max_wait_seconds=1),
        WayIn(queue="a\nb", max_wait_seconds=1),
        WayIn(queue="", max_wait_seconds=1),
        WayIn(queue="support", max_wait_seconds=1, first="PJSIP/1,2"),
        WayIn(queue="support", max_wait_seconds=1, first="PJSIP/1&PJSIP/2"),
        WayIn(queue="${SHELL(id)}", max_wait_seconds=1),
    ],
)
def test_a_name_that_asterisk_would_misread_is_not_said(way: WayIn) -> None:
    with pytest.raises(ValueError, match="cannot be said"):
        assignment(way)


async def test_an_address_that_is_taken_is_told_and_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(door_module, "TRY_AGAIN_SECONDS", 0.05)
    other = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    bus = MemoryBus()

    async def answer(_: AtTheDoor) -> WayIn:
        return WAY

    bus.answer(AtTheDoor, answer)
    keeping = asyncio.create_task(DoorKeeper({PBX: bus}, "127.0.0.1", port).run())
    try:
        await eventually(lambda: "calls go to the queue of their hotline" in caplog.text)
        other.close()
        await other.wait_closed()

        async def answers() -> bool:
            try:
                return await told(port, greeting()) == TOLD
            except OSError:
                return False

        await eventually(answers)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert caplog.text.count("ZUOXI_AGI_BIND") == 1


def test_the_address_is_what_the_dialplan_calls() -> None:
    assert address_of("127.0.0.1", 4573, PBX) == "agi://127.0.0.1:4573/door?pbx=lab"
    assert address_of("::1", 4573, PBX) == "agi://[::1]:4573/door?pbx=lab"
