"""Negative controls: a gate that lets planted faults through measures nothing."""

from __future__ import annotations

from pathlib import Path

from tests.bench import pop
from tests.bench.centre import Centre
from tests.bench.figures import Ratio
from tests.bench.loop import Loop
from tests.bench.pbx import STARTED_AT
from tests.bench.processes import OtherLoad
from tests.bench.report import say
from tests.bench.traffic import Traffic

SECONDS = 10.0
FLOOR = 3.5
FAULTS = {"2 ms of sleep": ("--sleep", "0.002"), "a dropped pop": ("--drop-every", "500")}


def control(folder: Path) -> int:
    """A second relay with each fault in the product's place; 0: both were caught."""
    loop, site = Loop(), pop.a_centre(folder / "centre")
    missed = []
    for fault, arguments in FAULTS.items():
        healthy, faulty = (_round(loop, site, folder, *planted) for planted in ((), arguments))
        if faulty.wrong:
            say(f"{fault}: caught, this run has no figures ({faulty.wrong[0]})")
            continue
        ratio = Ratio.of([faulty.p50], [healthy.p50])
        caught = ratio.value > FLOOR
        say(f"{fault}: {ratio}× the relay, {'caught' if caught else 'NOT caught'}")
        missed += [] if caught else [fault]
    return 1 if missed else 0


def _round(loop: Loop, site: Centre, folder: Path, *arguments: str) -> pop.Round:
    with pop.a_raw_relay(loop, site, folder, 2000, *arguments) as relay:
        traffic = Traffic(site.agents, 1, int(STARTED_AT.timestamp()))
        done = relay.play(traffic, SECONDS, OtherLoad())
        for client in relay.clients:
            client.close()
        return done
