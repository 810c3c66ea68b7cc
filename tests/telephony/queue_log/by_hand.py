"""`queue_log` counted with `str.split` and dictionaries: shares nothing with the product."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

ENDS = {
    "COMPLETEAGENT": "answered",
    "COMPLETECALLER": "answered",
    "BLINDTRANSFER": "answered",
    "ATTENDEDTRANSFER": "answered",
    "ABANDON": "abandoned",
    "EXITWITHTIMEOUT": "timeout",
    "EXITEMPTY": "exit_empty",
    "EXITWITHKEY": "exit_key",
}


@dataclass
class Figures:
    """What a call table must show of these rows."""

    calls: int = 0
    passes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(queue, outcome) → how many."""
    waited: Counter[str] = field(default_factory=Counter)
    """Queue → seconds, of the passes that Asterisk closed."""
    talked: Counter[str] = field(default_factory=Counter)
    """Agent → seconds."""
    rings: Counter[str] = field(default_factory=Counter)
    """Agent → rings that were not answered."""


def figures(lines: Iterable[str]) -> Figures:
    found, run = Figures(), 0
    channels: set[tuple[int, str]] = set()
    waiting: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        _, unique_id, queue, agent, verb, *data = line.rstrip("\n").split("|")
        here = (unique_id, queue)
        if verb == "QUEUESTART":
            run += 1
            for (_, where), open_passes in waiting.items():
                found.passes[where, "unknown_end"] += open_passes
            waiting.clear()
        elif verb == "ENTERQUEUE":
            channels.add((run, unique_id))
            waiting[here] += 1
        elif verb == "RINGNOANSWER":
            found.rings[agent] += 1
        elif verb in ENDS:
            waiting[here] -= 1
            found.passes[queue, ENDS[verb]] += 1
            answered = ENDS[verb] == "answered"
            found.waited[queue] += int(data[-3] if answered else data[-1])
            if answered:
                found.talked[agent] += int(data[-2])
    for (_, where), open_passes in waiting.items():
        found.passes[where, "open"] += open_passes
    found.passes += Counter()  # without those that are zero
    found.calls = len(channels)
    return found
