"""What Asterisk must know of the centre: queues, hotlines and seats, as plain values.

`crm_core.centre` makes a `SwitchPlan` from its tables (or a set-up file), `telephony.dialplan`
renders it into the files of `ZUOXI_ASTERISK_CONF`. Nothing here touches a database or Asterisk.
"""

from __future__ import annotations

from enum import StrEnum

from crm_core.events import Direction
from crm_core.quick_dataclass import dataclass


class Strategy(StrEnum):
    """How a queue picks whom to ring; the names are `app_queue`'s."""

    RINGALL = "ringall"
    RRMEMORY = "rrmemory"
    LEASTRECENT = "leastrecent"
    FEWESTCALLS = "fewestcalls"
    RANDOM = "random"
    LINEAR = "linear"


class RecordingRule(StrEnum):
    """Whether calls are recorded."""

    NEVER = "never"
    ALWAYS = "always"
    ANNOUNCED = "announced"
    """Only who was told before is recorded: the announcement has been played to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlan:
    """One queue. `name` is its name in Asterisk, `queue_log` and the API; `title` what people read."""

    name: str
    title: str
    strategy: Strategy = Strategy.RRMEMORY
    ring_seconds: int = 15
    """How long one agent's phone rings before the next one's."""
    max_wait_seconds: int = 300
    """After this long the caller leaves the queue (outcome `timeout`)."""
    wrap_up_seconds: int = 30
    max_callers: int = 0
    """0: no limit."""
    weight: int = 0
    announce_position: bool = False
    missed_rings: int = 1
    """After so many rings in a row that an agent did not answer he is taken out of all queues."""
    recording: RecordingRule = RecordingRule.NEVER
    announcement: str = ""
    """The sound that tells of it: a file of Asterisk's sounds, without its ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionPlan:
    """How calls that come to no queue are recorded, by their direction."""

    direction: Direction
    recording: RecordingRule = RecordingRule.NEVER
    announcement: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HotlinePlan:
    """A number that callers dial, and the queue they come to."""

    number: str
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatPlan:
    """A place with a phone. `interface` is what Asterisk rings, e.g. `PJSIP/8001`.

    `contact` is a fixed SIP address (laboratory, phones that do not register); without it the
    phone registers with `extension` and `secret`.
    """

    extension: str
    interface: str
    secret: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchPlan:
    """All of it, for one PBX."""

    queues: tuple[QueuePlan, ...] = ()
    hotlines: tuple[HotlinePlan, ...] = ()
    seats: tuple[SeatPlan, ...] = ()
    directions: tuple[DirectionPlan, ...] = ()
