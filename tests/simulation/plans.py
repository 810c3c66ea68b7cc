"""What a seed decides: the floor, who rings and what he does, and what goes wrong when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from crm_core.centre.plan import QueuePlan, Strategy, SwitchPlan

QUEUES = (
    QueuePlan(name="support", title="售后", ring_seconds=6, max_wait_seconds=20, wrap_up_seconds=3),
    QueuePlan(
        name="sales",
        title="销售",
        strategy=Strategy.RINGALL,
        ring_seconds=7,
        max_wait_seconds=15,
        wrap_up_seconds=0,
        missed_rings=2,
    ),
    QueuePlan(
        name="narrow",
        title="只许两人",
        ring_seconds=4,
        max_wait_seconds=9,
        max_callers=2,
        wrap_up_seconds=1,
    ),
)
FLOOR = SwitchPlan(queues=QUEUES)
QUEUES_OF_AGENT = (
    ("support", "sales"),
    ("support", "sales"),
    ("sales", "narrow"),
    ("support", "narrow"),
    ("support", "sales", "narrow"),
    ("sales",),
)
"""Of the n-th agent: 8001 …"""


class Kind(StrEnum):
    """How a call comes to be."""

    QUEUE = "queue"
    DIRECT = "direct"
    """From outside to a seat, without a queue."""
    INTERNAL = "internal"
    OUTBOUND = "outbound"


class FaultKind(StrEnum):
    AMI_CUT = "ami_cut"
    AMI_HALF_OPEN = "ami_half_open"
    AMI_STALL = "ami_stall"
    AMI_DOUBLE = "ami_double"
    AMI_REORDERED = "ami_reordered"
    AMI_TORN = "ami_torn"
    PRODUCT_KILLED = "product_killed"
    ASTERISK_CRASHED = "asterisk_crashed"
    ASTERISK_STOPPED = "asterisk_stopped"
    DATABASE_LOCKED = "database_locked"
    DATABASE_ANSWER_LOST = "database_answer_lost"
    LOG_ROTATED = "log_rotated"
    LOG_TORN = "log_torn"
    LOG_DISK_FULL = "log_disk_full"
    LOG_LATE = "log_late"


@dataclass(frozen=True, slots=True)
class CallPlan:
    """`dice` decides what the phones that ring for it do."""

    number: int
    at: float
    kind: Kind
    route: tuple[str, ...]
    """The queues he is sent to, one after the other, as long as he stays."""
    patience: float
    key_after: float | None
    talk: float
    by_agent: bool
    goes_on: bool
    """After an agent hung up the dialplan sends him to the next queue of his route."""
    dice: int


@dataclass(frozen=True, slots=True)
class Fault:
    number: int
    kind: FaultKind
    at: float
    seconds: float
    dice: int

    def __str__(self) -> str:
        return f"{self.number}: {self.kind} at {self.at:.1f} s for {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    calls: tuple[CallPlan, ...]
    faults: tuple[Fault, ...]
    with_queue_log: bool
    """A site may give us none."""

    @property
    def seconds(self) -> float:
        """When the last caller has come and the last fault has begun."""
        return max([0.0, *(call.at for call in self.calls), *(fault.at for fault in self.faults)])


LONGEST = {FaultKind.ASTERISK_CRASHED: 12.0, FaultKind.ASTERISK_STOPPED: 12.0}


def plan_of(seed: int) -> Plan:
    """The same for ever, whatever is left out of it later."""
    dice = Random(seed)
    length = dice.uniform(50, 95)
    calls = tuple(_call(dice, number, length) for number in range(dice.randint(26, 40)))
    faults = tuple(_fault(dice, number, length) for number in range(dice.randint(2, 6)))
    return Plan(seed, calls, faults, with_queue_log=dice.random() > 0.05)


def _call(dice: Random, number: int, length: float) -> CallPlan:
    kind = dice.choices(list(Kind), (86, 4, 5, 5))[0]
    route = tuple(
        dice.choices([queue.name for queue in QUEUES], (5, 4, 2), k=dice.choice((1, 1, 2, 3)))
    )
    impatient = dice.random() < 0.3
    return CallPlan(
        number=number,
        at=dice.uniform(2, length),
        kind=kind,
        route=route,
        patience=dice.uniform(0.5, 12) if impatient else dice.uniform(15, 60),
        key_after=dice.uniform(1, 10) if dice.random() < 0.08 else None,
        talk=dice.choice((0.3, 2.0, dice.uniform(1, 12), dice.uniform(5, 25))),
        by_agent=dice.random() < 0.4,
        goes_on=dice.random() < 0.25,
        dice=dice.getrandbits(48),
    )


def _fault(dice: Random, number: int, length: float) -> Fault:
    kind = dice.choice(list(FaultKind))
    longest = LONGEST.get(kind, 20.0)
    return Fault(
        number=number,
        kind=kind,
        at=dice.uniform(3, length),
        seconds=dice.choice((dice.uniform(0.1, 2), dice.uniform(1, longest))),
        dice=dice.getrandbits(48),
    )
