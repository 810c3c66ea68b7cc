"""What a pop costs the whole product as the centre grows: CPU time with 1,000 agents beside 100 (P7).

The same traffic, the same customers; every agent is signed in and has a socket open. What must not
grow with the number of colleagues is the work for one call: who is looked for, who is told, who is drawn.
The two take turns; the one that is not measured sleeps.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import pop
from tests.bench.clients import connect
from tests.bench.loop import Loop
from tests.bench.processes import OtherLoad
from tests.bench.traffic import Traffic

FEW, MANY = 100, 1_000
CALLS_PER_SECOND = 20.0
"""A hundred agents take no more, if nobody is to be rung twice within a call."""
ROUNDS, ROUND_SECONDS, WARM_UP_SECONDS = 3, 6.0, 2.0


@dataclass(slots=True)
class Shares:
    """CPU seconds per pop, round by round."""

    few: list[float] = field(default_factory=list)
    many: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def measure(loop: Loop, folder: Path, load: OtherLoad, seed: int, epoch: int) -> Shares:
    """Both, in turns. A pop that is missing or wrong has no price."""
    found = Shares()
    with ExitStack() as stack:
        turn = []
        for agents, kept in ((FEW, found.few), (MANY, found.many)):
            site = pop.a_centre(folder / f"growth-{agents}", agents)
            ours, port = stack.enter_context(pop.a_zuoxi(loop, site, folder / f"growth-{agents}"))
            ours.calls_per_second = CALLS_PER_SECOND
            ours.clients = connect(loop, port, [("/api/v1/events", t) for t in site.tokens])
            loop.rest(1.0)
            for client in ours.clients:
                client.frames()  # the first pictures
            traffic = Traffic(site.agents, seed, epoch)
            found.wrong += ours.play(traffic, WARM_UP_SECONDS, OtherLoad()).wrong
            ours.fall_asleep()
            turn.append((ours, traffic, kept))
        for _ in range(ROUNDS):
            for ours, traffic, kept in turn:
                ours.wake()
                one = ours.play(traffic, ROUND_SECONDS, load)
                ours.fall_asleep()
                for each, _, _ in turn:
                    each.breathe()
                found.wrong += one.wrong
                kept.append(one.cpu_seconds / max(1, len(one.latencies)))
            turn.reverse()
    return found
