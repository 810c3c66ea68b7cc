"""How many AMI events a core takes (P5): the product's whole ingest against panoramisk alone.

Each consumer is a process of its own on the server's core, at one connection of one PBX; what counts
is its CPU time. The product's records bytes, frames, parses, tracks calls and publishes facts to a
bus without listeners; panoramisk 1.4 is as it ships, with one idle `*` callback.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvloop
from panoramisk import Manager

from crm_core.bus import Envelope, MemoryBus
from crm_core.command_line.terminal import calm_the_collector
from crm_core.commands import FeedPosition, KnownBoots, OpenCalls
from crm_core.events import Event, FeedHeard, LinkChanged
from crm_core.ids import BootId, PbxId
from crm_core.settings import pbx_url
from telephony.ami.link import Patience
from telephony.ami.reading import Reader
from telephony.calls.tracker import CallTracker
from telephony.commands import Commands
from telephony.members import MemberBook
from telephony.service import OUR_CONTEXTS, TelephonyService
from tests.bench.loop import Loop
from tests.bench.pbx import STARTED_AT, Pbx
from tests.bench.processes import a_child, cores
from tests.bench.traffic import Sent

CONSUMERS = ("zuoxi", "panoramisk")
_PBX = PbxId("bench")
_LAST = b"BenchmarkIsOver"
_OVER = b"Event: BenchmarkIsOver\r\nPrivilege: system,all\r\n\r\n"
DONE_SECONDS = 30.0
_LOOK_SECONDS = 0.01
_PATIENT = Patience(pong_within=60.0)
"""A Pong waits behind everything that floods in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The bytes, and what must come of them."""

    data: bytes
    events: int
    facts: int

    @classmethod
    def of(cls, sent: Sequence[Sent]) -> Stream:
        data = b"".join(each.data for each in sent)
        return cls(data=data + _OVER, events=len(sent), facts=_facts_of(data))


def _facts_of(data: bytes) -> int:
    """How many facts the stream tells: the oracle."""
    tracker, members = CallTracker(_PBX, BootId("b0"), (), OUR_CONTEXTS), MemberBook(_PBX)
    reader, facts = Reader(), 0
    for raw in data.split(b"\r\n\r\n"):
        message = reader.read(raw, STARTED_AT)
        if message is not None:
            facts += len(members.feed(message)) + len(tracker.feed(message))
    return facts


def consume(loop: Loop, which: str, stream: Stream, folder: Path) -> float:
    """Events per CPU-second of one consumer. Raises `RuntimeError` for a wrong count."""
    pbx, result = Pbx(loop, ()), folder / f"{which}.json"
    result.unlink(missing_ok=True)
    arguments = ["-m", "tests.bench.ingest", which, str(pbx.port), str(result)]
    with a_child(arguments, {}, folder / "ingest.log", cores()[0]) as child:
        loop.wait(f"{which} is linked", lambda: pbx.heard_by or child.ended(), 30)
        loop.rest(0.5)
        if child.ended():
            raise RuntimeError(f"{which} ended:\n{child.words()[-3000:]}")
        pbx.flood(stream.data, child.ended)
        with contextlib.suppress(TimeoutError):
            loop.wait(f"{which} is done", child.ended, DONE_SECONDS)
        if not result.exists():
            raise RuntimeError(f"{which} gave no result:\n{child.words()[-3000:]}")
        told: dict[str, Any] = orjson.loads(result.read_bytes())
    wanted = stream.facts if which == "zuoxi" else stream.events
    if told["count"] != wanted:
        raise RuntimeError(f"{which} made {told['count']} of the stream, not {wanted}")
    return stream.events / float(told["cpu_seconds"])


# --- the consumers, each in its own process -------------------------------------------------------


class _CountingBus(MemoryBus):
    """Counts the facts about calls and members; what the link says of itself is not one."""

    def __init__(self) -> None:
        super().__init__()
        self.facts = 0
        self.up = asyncio.Event()

    def publish(self, event: Event) -> Envelope:
        kind = type(event)
        if kind is LinkChanged:
            self.up.set()
        elif kind is not FeedHeard:
            self.facts += 1
        return super().publish(event)


async def _nothing(_question: object) -> tuple[()]:
    return ()


async def _no_position(_question: object) -> None:
    return None


async def _zuoxi(port: int) -> tuple[int, float]:
    bus = _CountingBus()
    bus.answer(KnownBoots, _nothing)
    bus.answer(OpenCalls, _nothing)
    bus.answer(FeedPosition, _no_position)
    address = pbx_url(f"ami://bench:bench@127.0.0.1:{port}/{_PBX}")
    with tempfile.TemporaryDirectory() as var:
        service = TelephonyService(address, bus, Commands(bus), Path(var), _PATIENT)
        running = asyncio.create_task(service.run())
        await bus.up.wait()
        calm_the_collector()  # as `zuoxi run` does
        facts, cpu = bus.facts, time.process_time()
        while not service.ignored[_LAST] and not running.done():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(_LOOK_SECONDS)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running  # writes what the flight recorder still holds
    return bus.facts - facts, time.process_time() - cpu


async def _panoramisk(port: int) -> tuple[int, float]:
    manager = Manager(
        loop=asyncio.get_running_loop(), host="127.0.0.1", port=port, username="u", secret="s"
    )
    count, over, began = 0, asyncio.Event(), asyncio.Event()

    def idle(_manager: object, event: Any) -> None:
        nonlocal count
        count += 1
        if event.event == "FullyBooted":
            count = 0
            began.set()
        elif event.event == _LAST.decode():
            over.set()

    manager.register_event("*", idle)
    manager.connect()
    await began.wait()
    cpu = time.process_time()
    await over.wait()
    return count - 1, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("which", choices=CONSUMERS)
    parser.add_argument("port", type=int)
    parser.add_argument("result", type=Path)
    given = parser.parse_args()
    faulthandler.dump_traceback_later(DONE_SECONDS - 5)
    consumer = _zuoxi if given.which == "zuoxi" else _panoramisk
    count, cpu = uvloop.run(consumer(given.port))
    given.result.write_bytes(orjson.dumps({"count": count, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main()
