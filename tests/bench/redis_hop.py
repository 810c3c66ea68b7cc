"""P19: what the way through Redis adds to a pop, against one bare publish-subscribe on the same Redis.

    python -m tests.bench.redis_hop

One process tells rings by the product's bus and bare messages by redis-py, another hears both; the two
take turns within each round, at the same random moments. Told is the median of the rounds. A process
hears its own events before `publish` returns, so without Redis nothing is added.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from statistics import median

from redis.asyncio import Redis

from crm_core.beats import Beat
from crm_core.bus import Envelope
from crm_core.call_log.writer import RECORDED
from crm_core.events import CallOffered, Member
from crm_core.ids import CallId, PbxId
from crm_core.redis_bus.bus import RedisBus
from crm_core.split import running
from tests.bench.figures import p50, p99
from tests.bench.report import say
from tests.harness import eventually
from tests.lab.redis import RedisServer

ROUNDS, EVENTS, PER_SECOND, SEED = 5, 1_000, 400.0, 20261124
FLOOR = 2.0
CHANNEL = "bare"


def a_ring() -> CallOffered:
    """Its member is named after the moment when it was told, in nanoseconds of the machine."""
    return CallOffered(
        at=datetime.now(UTC),
        pbx=PbxId("bench"),
        call=CallId("0" * 32),
        queue_pass=None,
        attempt=1,
        member=Member(interface="PJSIP/8001", name=str(time.monotonic_ns())),
    )


async def _tell(url: str) -> None:
    """The telling process: rounds of rings, and of bare messages of the same size."""
    chance = random.Random(SEED)
    bare = Redis.from_url(url)

    async def message() -> None:
        await bare.publish(CHANNEL, str(time.monotonic_ns()).ljust(300))

    async with running(RedisBus(url, RECORDED), lambda: Beat(service="bench")) as bus:

        async def ring() -> None:
            bus.publish(a_ring())

        await eventually(lambda: bus.trouble is None)
        for _ in range(ROUNDS):
            for told in (ring, message):
                await _at_random(chance, told)
        await asyncio.sleep(0.5)
    await bare.aclose()


async def _at_random(chance: random.Random, tell: Callable[[], Awaitable[None]]) -> None:
    for _ in range(EVENTS):
        await asyncio.sleep(chance.expovariate(PER_SECOND))
        await tell()


async def _hear(url: str) -> tuple[list[float], list[float]]:
    """Seconds from telling to hearing: of rings, and of bare messages."""
    rings: list[float] = []
    bare: list[float] = []

    def heard(envelope: Envelope) -> None:
        if isinstance(envelope.event, CallOffered):
            told_at = int(envelope.event.member.name or 0)
            rings.append((time.monotonic_ns() - told_at) / 1e9)

    client = Redis.from_url(url)
    listener = client.pubsub(ignore_subscribe_messages=True)
    await listener.subscribe(CHANNEL)
    bus = RedisBus(url, RECORDED)
    bus.subscribe(heard)
    async with running(bus, lambda: Beat(service="bench")):
        command = [sys.executable, "-m", "tests.bench.redis_hop", url]
        child = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
        while child.returncode is None:
            message = await listener.get_message(timeout=0.5)
            if message is not None:
                bare.append((time.monotonic_ns() - int(message["data"])) / 1e9)
    await listener.aclose()  # type: ignore[no-untyped-call]
    await client.aclose()
    return rings, bare


def main() -> int:
    import uvloop

    if len(sys.argv) > 1:
        uvloop.run(_tell(sys.argv[1]))
        return 0
    with RedisServer() as redis:
        rings, bare = uvloop.run(_hear(redis.url))
    if not len(rings) == len(bare) == ROUNDS * EVENTS:
        say(f"wrong: {len(rings)} rings and {len(bare)} messages came")
        return 1
    ratios = [
        p50(rings[n * EVENTS : (n + 1) * EVENTS]) / p50(bare[n * EVENTS : (n + 1) * EVENTS])
        for n in range(ROUNDS)
    ]
    say(
        f"P19 a pop through Redis: {p50(rings) * 1e6:.0f} µs p50, {p99(rings) * 1e6:.0f} µs p99; one bare "
        f"publish-subscribe: {p50(bare) * 1e6:.0f} µs p50; {median(ratios):.2f} "
        f"({min(ratios):.2f}-{max(ratios):.2f})×, floor ≤ {FLOOR}×"
    )
    return 0 if median(ratios) <= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
