"""What a story is: who is there, and who does what on the real Asterisk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.lab.asterisk import CARRIER, Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers

WANG = Caller(number="13800138000", name="Wang")
HOTLINES = {
    "support": "4001",
    "sales": "4002",
    "hurried": "4003",
    "narrow": "4004",
    "in_turn": "4005",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An agent in a queue, at a seat."""

    agent: str
    seat: str
    queue: str = "support"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`text` is for the reader of the trace; members are added before the recording begins."""

    name: str
    text: str
    play: Callable[[Laboratory], None]
    members: Sequence[Member] = ()
    phones: Sequence[PhoneBehaviour | None] = field(default_factory=tuple)
    """By group: the first is how the phones 8001 … behave, the second 8101 …; None: `play` has its own."""
    answer_first: bool = False
    """As most sites have it: the caller is answered before the queue, waiting costs."""


def ring(
    hotline: str,
    caller: Caller = WANG,
    *,
    patience_ms: int | None = None,
    talk_ms: int | None = 1200,
    source: str = CARRIER,
) -> Callable[[Laboratory], None]:
    """The whole story is one caller who rings."""

    def play(lab: Laboratory) -> None:
        behaviour = CallerBehaviour(patience_ms=patience_ms, talk_ms=talk_ms)
        with callers(lab, hotline, [caller], behaviour, source=source) as call:
            call.wait(40)

    return play
