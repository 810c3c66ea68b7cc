"""How old the live queues are at a supervisor's page: 200 agents, some 50 changes of state a second.

Ten pages watch (sockets with `page=live`, all seeing everything). An age is the time from AgentCalled
on the AMI socket until the page is sent the tile that says *ringing* (or *talking*, where the answer
came first). It holds the way through the product, and the wait for the redraw: four a second at most.
A ring that was over before the next redraw has no age; most must have one.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from crm_core.access.tokens import create_token
from crm_core.db import engine_of, transaction
from tests.bench.centre import Centre
from tests.bench.clients import Client
from tests.bench.pop import Variant
from tests.bench.processes import OtherLoad
from tests.bench.traffic import Ring, Traffic

AGENTS, PAGES = 200, 10
CALLS_PER_SECOND = 15.0
"""Each makes three or four changes of an agent's state."""
SETTLE_SECONDS = 1.5
LEAST_CHANGES, LEAST_SEEN = 45.0, 0.8
BUSY = re.compile(r'data-agent="(\d+)"\s+data-state="(?:ringing|talking)"')


@dataclass(slots=True)
class Watched:
    """What one round gave."""

    ages: list[float] = field(default_factory=list)
    """Seconds, of every ring at every page."""
    rings: int = 0
    changes_per_second: float = 0.0
    regions: int = 0
    bytes: int = 0
    cpu_seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def a_watcher(site: Centre) -> str:
    """The token of a program that sees every team."""

    async def create() -> str:
        engine = engine_of(site.url)
        try:
            async with transaction(engine) as connection:
                return await create_token(
                    connection,
                    name="watcher",
                    role="supervisor",
                    user=None,
                    actor="bench",
                    now=datetime.now(UTC),
                )
        finally:
            await engine.dispose()

    return asyncio.run(create())


def busy_since(frames: Iterable[tuple[float, bytes]]) -> dict[str, list[float]]:
    """Agent number → the moments from which a page showed that the agent rings or talks."""
    shown: dict[str, set[str]] = defaultdict(set)
    """Region → who stands in it."""
    found: dict[str, list[float]] = defaultdict(list)
    for at, payload in frames:
        said = orjson.loads(payload)
        if said["type"] != "region" or said["id"] not in ("agents-ringing", "agents-talking"):
            continue
        before = set().union(*shown.values())
        shown[said["id"]] = set(BUSY.findall(said["html"]))
        for number in shown[said["id"]] - before:
            found[number].append(at)
    return found


def ages(
    rings: Sequence[tuple[Ring, float]], busy: dict[str, list[float]], numbers: Sequence[str]
) -> Iterator[float]:
    """Of each ring, as far as the page showed it before the agent's next one."""
    later: dict[str, float] = {}
    for ring, at in sorted(rings, key=lambda each: -each[1]):
        number = numbers[ring.agent]
        until, later[number] = later.get(number, float("inf")), at
        seen = [moment for moment in busy.get(number, ()) if at <= moment < until]
        if seen:
            yield min(seen) - at


def judge(
    rings: Sequence[tuple[Ring, float]],
    pages: Sequence[Client],
    numbers: Sequence[str],
    seconds: float,
) -> Watched:
    """Every page by itself: what it was shown, and when."""
    done = Watched(rings=len(rings))
    for place, page in enumerate(pages):
        frames = page.frames()
        kinds = [orjson.loads(payload)["type"] for _, payload in frames]
        done.regions += kinds.count("region")
        done.bytes += sum(len(payload) for _, payload in frames)
        done.changes_per_second = kinds.count("agent.changed") / seconds
        of_this = list(ages(rings, busy_since(frames), numbers))
        done.ages += of_this
        if page.closed or page.farewell:
            done.wrong.append(f"page {place}: the socket was closed {page.farewell}")
        if len(of_this) < LEAST_SEEN * len(rings):
            done.wrong.append(f"page {place}: {len(of_this)} of {len(rings)} rings were shown")
    if done.changes_per_second < LEAST_CHANGES:
        done.wrong.append(f"only {done.changes_per_second:.0f} changes of state a second")
    return done


def play(
    ours: Variant, pages: Sequence[Client], traffic: Traffic, seconds: float, load: OtherLoad
) -> Watched:
    """One round at the running product; without pages only its CPU time is told."""
    sent = traffic.round(CALLS_PER_SECOND, seconds, time.time() + 0.5)
    began = time.perf_counter() + 0.5
    for page in pages:
        page.frames()
    cpu = ours.child.cpu_seconds()
    with load.watched(ours.child):
        written = ours.pbx.play(sent, began)
        ours.loop.rest(SETTLE_SECONDS)
    spent = ours.child.cpu_seconds() - cpu
    numbers = [agent.number.decode() for agent in traffic.agents]
    done = judge(written.rings, pages, numbers, seconds) if pages else Watched()
    done.cpu_seconds = spent
    return done
