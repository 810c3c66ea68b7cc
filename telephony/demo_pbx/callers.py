"""Who rings the demonstration, in which order: customers of `demo_customers.csv`, and strangers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from telephony.demo_pbx.calls import Patience
from telephony.demo_pbx.player import Caller

SERVICE = "4008001234"
VIP = "4008005678"

REPEATER = "13800000101"
"""Rings first, and again two calls later: a repeat call."""
SHARED = "02188880003"
"""Two customers have this number: the card asks which of them it is."""
STRANGERS = ("13000009901", "057188889902")

# What a visitor of the demonstration shall see, in this order, whatever is drawn afterwards.
OPENING: tuple[tuple[str | None, str], ...] = (
    (REPEATER, SERVICE),
    (STRANGERS[0], SERVICE),
    (REPEATER, SERVICE),
    (SHARED, SERVICE),
    (None, SERVICE),
    ("13900000202", VIP),
    ("075588880007", SERVICE),
    (STRANGERS[1], SERVICE),
)
REGULARS = (
    "13600000303",
    "15000000404",
    "15800000505",
    "18600000606",
    "17700000707",
    "19900000808",
    "01088880001",
    "051288880009",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How busy the demonstration is, in seconds; pairs are drawn from evenly."""

    first: float = 4.0
    """From the first sign-in to the first ring."""
    gap: tuple[float, float] = (20.0, 40.0)
    wait: tuple[float, float] = (40.0, 70.0)
    talk: tuple[float, float] = (90.0, 180.0)
    lift: tuple[float, float] = (8.0, 13.0)
    """Until a colleague lifts: below the shortest ring time, or the colleague is missed for good."""

    def patience(self, dice: Random) -> Patience:
        return Patience(
            wait_seconds=dice.uniform(*self.wait), talk_seconds=dice.uniform(*self.talk)
        )


def callers(dice: Random) -> Iterator[Caller]:
    """The opening once, then regulars."""
    for number, called in OPENING:
        yield Caller(number=number, called=called)
    yield from regulars(dice)


def regulars(dice: Random) -> Iterator[Caller]:
    """Without end, never the same twice in a row."""
    former = ""
    while True:
        number = dice.choice([regular for regular in REGULARS if regular != former])
        yield Caller(number=number, called=SERVICE)
        former = number
