"""Rows of a busy site as Asterisk writes them, made from a seed: what `zuoxi import queue-log` reads.

Callers are heavy-tailed (a few numbers call again and again), two queues ring all phones, calls time out
into another queue, are transferred blind or attended, and Asterisk dies now and then with calls up.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from heapq import heappop, heappush

BEGAN = 1_764_000_000
QUEUES = ("sales", "support", "专家席", "night")
RING_ALL = frozenset({"support", "night"})
NEXT_QUEUE = {"sales": "support", "support": "night", "专家席": "support"}
AGENTS = tuple(f"{1001 + n}" for n in range(60))
CRASH_EVERY_CALLS = 4_000

Line = tuple[int, int, str]
"""Second, how-manieth row of all, and the text of the row after its second."""


def rows_of_a_year(count: int, seed: int) -> Iterator[str]:
    """About `count` rows, oldest first, each with its line break."""
    site = _Site(random.Random(seed))
    told = 0
    while told < count:
        for line in site.some_calls():
            told += 1
            yield line
    yield from site.rest()


class _Site:
    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._now = BEGAN
        self._nth = 0
        self._calls = 0
        self._lines: list[Line] = []
        self._is_open: set[str] = set()
        self._write(self._now, "NONE|NONE|NONE|QUEUESTART|")

    def some_calls(self) -> Iterator[str]:
        for _ in range(100):
            self._now += int(self._dice.expovariate(0.25))
            self._call(self._now)
            self._calls += 1
            if self._calls % CRASH_EVERY_CALLS == 0:
                yield from self._die()
        if self._calls % 1_000 == 0:
            self._member_rows()
        yield from self._until(self._now)

    def rest(self) -> Iterator[str]:
        yield from self._until(self._now + 10**6)

    def _until(self, second: int) -> Iterator[str]:
        while self._lines and self._lines[0][0] <= second:
            at, _, text = heappop(self._lines)
            yield f"{at}|{text}\n"

    def _die(self) -> Iterator[str]:
        """kill -9: rows that would have come later are never written."""
        yield from self._until(self._now)
        self._lines = []
        self._now += 30
        self._write(self._now, "NONE|NONE|NONE|QUEUESTART|")

    def _write(self, at: int, text: str) -> None:
        self._nth += 1
        heappush(self._lines, (at, self._nth, text))

    def _call(self, at: int) -> None:
        unique_id = f"pbx-{at}.{self._calls}"
        at = self._pass(unique_id, self._dice.choice(QUEUES), at, self._number())
        if self._dice.random() < 0.01:
            self._write(at, f"NONE|{unique_id}x|NONE|INFO|of no interest")

    def _number(self) -> str:
        caller = min(int(self._dice.paretovariate(0.7)), 400_000)
        return f"138{caller:08d}"

    def _pass(self, unique_id: str, queue: str, at: int, number: str) -> int:
        """One stay in one queue and those that follow from it; the second at which they are over."""
        here = f"{unique_id}|{queue}"
        self._write(at, f"{here}|NONE|ENTERQUEUE||{number}|{self._dice.randint(1, 9)}")
        fate, waited = self._dice.random(), 0
        for _ in range(self._dice.choice((0, 0, 0, 1, 1, 2))):
            waited += 15
            for agent in self._rung(queue):
                self._write(at + waited, f"{here}|{agent}|RINGNOANSWER|15000")
        waited += self._dice.randint(1, 12)
        if fate < 0.08:
            self._write(at + waited, f"{here}|NONE|ABANDON|1|{self._dice.randint(1, 9)}|{waited}")
        elif fate < 0.12:
            self._write(at + waited, f"{here}|NONE|EXITWITHTIMEOUT|1|2|{waited}")
            if queue in NEXT_QUEUE:
                return self._pass(unique_id, NEXT_QUEUE[queue], at + waited, number)
        elif fate < 0.13:
            self._write(at + waited, f"{here}|NONE|EXITWITHKEY|2|1|2|{waited}")
        else:
            return self._talk(here, unique_id, queue, at, waited, number)
        return at + waited

    def _rung(self, queue: str) -> list[str]:
        return self._dice.sample(AGENTS, 4 if queue in RING_ALL else 1)

    def _talk(
        self, here: str, unique_id: str, queue: str, at: int, waited: int, number: str
    ) -> int:
        agent, began = self._dice.choice(AGENTS), at + waited
        leg = f"pbx-{began}.{self._calls}9"
        self._write(began, f"{here}|{agent}|CONNECT|{waited}|{leg}|{self._dice.randint(0, 12)}")
        talked = 1 + int(self._dice.expovariate(1 / 180))
        over, fate = began + talked, self._dice.random()
        figures = f"{waited}|{talked}|1"
        if fate < 0.04:
            self._write(over, f"{here}|{agent}|BLINDTRANSFER|8002|zuoxi-seats|{figures}")
            if queue in NEXT_QUEUE:
                return self._pass(unique_id, NEXT_QUEUE[queue], over, number)
        elif fate < 0.06:
            self._write(over, f"{here}|{agent}|ATTENDEDTRANSFER|BRIDGE|{leg}|{figures}")
        else:
            who = "CALLER" if fate < 0.6 else "AGENT"
            self._write(over, f"{here}|{agent}|COMPLETE{who}|{figures}")
        return over

    def _member_rows(self) -> None:
        agent = self._dice.choice(AGENTS)
        self._write(self._now, f"NONE|NONE|{agent}|PAUSEALL|")
        self._write(self._now, f"NONE|support|{agent}|PAUSE|lunch")
        self._write(self._now + 600, f"NONE|NONE|{agent}|UNPAUSEALL|")
        self._write(self._now + 600, f"NONE|support|{agent}|UNPAUSE|")
