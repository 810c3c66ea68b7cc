"""One run of the fault bench: calls without a pause, faults by a seed, and at last what the books say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from tests.faults.bench import FAULTS, Bench, Happening

FINAL_WITHIN = 60
"""Seconds after a fault is over in which every row has to be right (R9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    compared: str
    """The last line of `zuoxi reconcile`."""
    passes: int
    wrong: tuple[str, ...]
    happenings: tuple[Happening, ...]

    def __str__(self) -> str:
        kinds = Counter(each.fault for each in self.happenings)
        lines = [
            f"{each.began_at:%H:%M:%S} {each.fault}, {each.calls_up} calls up, over after "
            f"{(each.ended_at - each.began_at).total_seconds():.1f} s"
            for each in self.happenings
        ]
        told = f"{len(self.happenings)} faults of {len(kinds)} kinds; {self.compared}"
        return "\n".join([*lines, told, *self.wrong])


def schedule(seed: int, count: int) -> list[str]:
    """Every kind once, then by the dice; a locked database only once in ten, it takes half a minute."""
    dice = Random(seed)
    kinds = list(FAULTS)
    dice.shuffle(kinds)
    brief = [kind for kind in kinds if kind != "database locked"]
    more = [
        "database locked" if place % 10 == 9 else dice.choice(brief)
        for place in range(max(0, count - len(kinds)))
    ]
    return (kinds + more)[:count]


def run(
    bench: Bench, faults: Sequence[str], *, calls: int, per_second: float, pause: float
) -> Verdict:
    """`pause` seconds of calm before each fault. Ends when all callers have rung and all is calm."""
    began_at = datetime.now(UTC).replace(microsecond=0)
    with ExitStack() as stack:
        bench.ring(stack, calls, per_second)
        all_placed = time.monotonic() + calls / per_second + 3
        time.sleep(2)
        for fault in faults:
            time.sleep(pause)
            bench.befall(fault)
        time.sleep(max(0.0, all_placed - time.monotonic()))
        bench.until_over()
    compared, wrong = _until_right(bench, began_at)
    return Verdict(
        compared=compared,
        passes=int(compared.split()[0]),
        wrong=(*wrong, *bench.wrong_gaps(), *bench.lost_calls(), *_left_open(bench)),
        happenings=tuple(bench.happenings),
    )


def _until_right(bench: Bench, began_at: datetime) -> tuple[str, list[str]]:
    """What `zuoxi reconcile` says, once it says that nothing differs, or after a minute."""
    deadline = time.monotonic() + FINAL_WITHIN
    while True:
        time.sleep(2)
        until = datetime.now(UTC) + timedelta(seconds=1)
        period = ("--from", began_at.isoformat(), "--to", until.isoformat())
        log = ("--queue-log", str(bench.whole_log()))
        said = bench.product.zuoxi("reconcile", *period, *log, code=None).splitlines()
        if said and said[-1].endswith(" 0 differences"):
            return said[-1], []
        if time.monotonic() > deadline:
            return said[-1] if said else "0 passes compared", said[:-1][:20]


def _left_open(bench: Bench) -> list[str]:
    rows = bench.rows("SELECT call_id FROM calls WHERE ended_at IS NULL")
    return [f"call {row[0]} has no end" for row in rows]
