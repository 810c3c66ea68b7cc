"""What somebody wants done: commands (imperative, one handler each) and questions.

A command is asked on the bus (`bus.ask`) where an answer is needed, and ends in a fact: done, or
`CommandRefused`. Each class says in `Answer` what comes back.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from crm_core.durations import Durations
from crm_core.events import (
    AgentSignedIn,
    AgentState,
    AgentStateChanged,
    CallAnswered,
    CallOffered,
    Direction,
    Feed,
    LegStarted,
    Outcome,
    TimelineEvent,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey, UserId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The answer to a command: `refused` is a sentence for people, None when it was done."""

    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something to do on one PBX. Answered by `Done`."""

    pbx: PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMember(Command):
    """Make an agent's device a member of a queue, under the agent number. Doing it twice is once."""

    queue: str
    interface: str
    agent_number: str
    penalty: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMember(Command):
    """Take a device out of a queue. Doing it twice is once."""

    queue: str
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseMember(Command):
    """Offer nothing to this device, in all queues. Reasons that begin `zx:` are the product's own."""

    interface: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpauseMember(Command):
    """Offer calls to this device again, in all queues."""

    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseState(Command):
    """An agent wants to be `ready` or `paused` (with the code of a reason).

    While a call rings or is talked it holds for afterwards (`NextStateChosen`): `paused` follows the
    wrap-up, `ready` takes the choice back. In wrap-up `ready` ends it now, `paused` leaves it for the
    pause now. From `missed`, `ready` is the one way back. Refused for who is signed out.
    """

    user: UserId
    state: AgentState
    reason: str | None = None
    by: UserId | None = None
    """Who chose it, where it was not the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendWrapUp(Command):
    """Thirty seconds more of wrap-up, once a wrap-up."""

    user: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenTo(Command):
    """Ring `interface` and let it hear the channel `leg` of a call; nobody in the call hears it.

    `listener` (hex digits) names the wish: the same one twice rings once.
    """

    call: CallId
    leg: str
    interface: str
    listener: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp(Command):
    """End a call. `leg` (a Uniqueid) if given, else every leg of the call."""

    call: CallId
    leg: str | None = None


class TargetKind(StrEnum):
    """What may be dialled, or be the target of a transfer."""

    SEAT = "seat"
    """A phone of the centre, by its extension."""
    QUEUE = "queue"
    """By Asterisk's name of it."""
    NUMBER = "number"
    """Outside: the digits that are dialled (`crm_core.dialling`). The site's own list decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    kind: TargetKind
    exten: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceCall(Command):
    """Ring a phone of the centre; once it is lifted, dial `to`. Answered by `Placed`.

    `attempt` becomes the Uniqueid of the phone's channel (`crm_core.call_attempts` makes and keeps
    it): asked twice it rings once.
    """

    attempt: str
    interface: str
    to: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """`refused`: nothing rang, and why. `call`: what it will be called, or is. Neither: nobody knows
    whether it rang."""

    refused: str | None = None
    call: CallId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOf(Command):
    """Was this attempt heard of? Sends nothing to anybody. Answered by `Placed`."""

    attempt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfOwnLeg(Command):
    """What an agent does to a call from the own phone; `leg` is the Uniqueid of its channel."""

    call: CallId
    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldCall(OfOwnLeg):
    """The other party hears music. Told by `CallHeld`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCall(OfOwnLeg):
    """Take the other party back. Told by `CallResumed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCall(OfOwnLeg):
    """Blind: the other party goes to `to`, the agent is let go."""

    to: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsultCall(OfOwnLeg):
    """Ring `to` and talk with whoever answers, while the other party hears music."""

    to: Target
    held: bool = False
    """The other party is on hold already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTransfer(OfOwnLeg):
    """Who is consulted (or still rings) gets the other party; the agent is let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndConsultation(OfOwnLeg):
    """Let go who is consulted; the agent talks with the other party again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftPhone(Command):
    """Lift the handset of this device: only the demonstration PBX, whose phones are drawn, can."""

    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutDownPhone(Command):
    """Put the handset down (or refuse what rings): only the demonstration PBX can."""

    interface: str


# --- questions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCalls:
    """Which calls of this PBX have no end yet? Answered by `tuple[OpenCall, ...]`."""

    pbx: PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A call without an end, with all that the tracker needs to go on with it."""

    call: CallId
    boot: BootId
    direction: Direction
    last_seen_at: datetime
    channels: tuple[tuple[str, str], ...]
    """(Uniqueid, Linkedid) of every leg that was ever seen."""
    passes: tuple[QueuePassKey, ...]
    """Passes that AMI opened, closed ones too: the next entry's ordinal depends on them."""
    open_passes: tuple[QueuePassKey, ...]
    attempts: int
    """Rings so far: the next `CallOffered.attempt` is one more."""
    legs: tuple[LegStarted, ...] = ()
    """Those without an end."""
    rings: tuple[CallOffered, ...] = ()
    """Those without an end: a phone that still rings after a restart of ours rings on, once."""
    talks: tuple[CallAnswered, ...] = ()
    """Conversations without an end."""
    facts: tuple[TimelineEvent, ...] = ()
    """All that was told of it: told again after a restart, the live board knows it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPosition:
    """How far was a feed followed? Answered by `FeedState | None`."""

    pbx: PbxId
    feed: Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """What `feeds` keeps: `position` as `FeedAdvanced` gave it, `heard_until` as `FeedHeard` did."""

    position: str | None
    heard_until: datetime | None
    passes: tuple[ToldPass, ...] = ()
    """For `Feed.QUEUE_LOG`: the passes that are not closed, and all of calls that have no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldPass:
    """A pass as far as `queue_log` has told it: what its fold needs to go on after a restart.

    From `PassEntered` (call, boot, queue_pass), `PassConnected` (wait_seconds, agent), `PassClosed`
    (closed) and the number of `PassRang`; `last_told_at` is the latest `at` of these.
    """

    call: CallId
    boot: BootId
    queue_pass: QueuePassKey
    last_told_at: datetime
    wait_seconds: int | None = None
    """None: not connected."""
    agent: str | None = None
    rings: int = 0
    closed: bool = False
    entered_at: datetime | None = None
    """None: its ENTERQUEUE was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedStay:
    """A queue pass as a second reading of `queue_log` has it; `outcome` None: it goes on."""

    unique_id: str
    queue: str
    entered_at: datetime
    outcome: Outcome | None = None
    agent: str | None = None
    wait_seconds: int | None = None
    talk_seconds: int | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareBooks:
    """Compare these passes with the call table, and all that it has entered in [began, until).

    Answered by `BooksCompared`, which is told on the bus too. Comparing twice changes nothing.
    """

    pbx: PbxId
    began: datetime
    until: datetime
    recorded_from: datetime
    position: str | None
    """Where a later process begins to read, so that it knows all passes that are open at `until`."""
    passes: tuple[LoggedStay, ...] = ()
    """Entered in the interval, or before it and closed in it."""
    torn: tuple[tuple[datetime, datetime], ...] = ()
    """Between these moments something in the file was no row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksStandAt:
    """How far has the standing check come? Answered by `BooksStand`."""

    pbx: PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksStand:
    """As `CompareBooks` gave it last; None, all of it: there was none yet."""

    until: datetime | None = None
    recorded_from: datetime | None = None
    position: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBoots:
    """Which runs of this PBX are known? Answered by `tuple[KnownBoot, ...]`, newest last."""

    pbx: PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBoot:
    boot: BootId
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOf:
    """Which queues, hotlines and seats shall this PBX have? Answered by `centre.plan.SwitchPlan`."""

    pbx: PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class HowRecords:
    """How does the recorder stand? Answered by `RecordsStand`, at once and without the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsStand:
    lease_held: bool
    waiting: int
    """Events told and not yet committed."""
    trouble: str | None
    """A sentence while the database cannot be written."""
    lost: int
    """Facts that did not fit in memory, since the process started."""
    refused: int
    """Facts that the database will never take."""
    commits: Durations


@dataclass(frozen=True, slots=True, kw_only=True)
class HowLink:
    """What has come over the link to this PBX? Answered by `LinkStands`."""

    pbx: PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStands:
    """Counts since the process started."""

    read: int
    """Messages of a kind that we want, folded."""
    ignored: int
    """Events of kinds that nobody wants."""
    quarantined: int
    """Messages that Asterisk did not write so."""
    mended: int
    """Values that were told without a control character."""
    failures: int
    """Times that our own folding broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsOf:
    """Who is signed in at this PBX, and how was everybody left? Answered by `tuple[KnownAgent, ...]`."""

    pbx: PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAgent:
    """What the state machine needs to go on with an agent after a restart of ours."""

    signed_in: AgentSignedIn | None
    """With the moment of the sign-in. None: the seat was given back while nobody looked."""
    left_in: AgentStateChanged | None
    """The open row of `agent_states`."""
    next_state: AgentState | None = None
    next_reason: str | None = None
    """What was to follow the call, as `NextStateChosen` told it."""


# --- the door ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTheDoor:
    """Where shall this call go? Answered by `WayIn`, or None: to the queue of its hotline."""

    pbx: PbxId
    hotline: str
    caller_number: str | None
    """As it came; None where it is withheld."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """A call goes into this queue, ahead of those with a lower priority."""

    queue: str
    max_wait_seconds: int
    priority: int = 0
    first: str | None = None
    """The device that rings before the queue does, for `first_seconds`."""
    first_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoCalls:
    """What do the records know of this caller at this hotline? Answered by `CallerKnown | None`."""

    pbx: PbxId
    hotline: str
    caller_number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerKnown:
    """The hotline's settings, and what of the caller they are about."""

    queue: str
    max_wait_seconds: int
    ring_seconds: int
    priorities: tuple[tuple[str, int], ...] = ()
    """Grade → priority."""
    grades: tuple[str, ...] = ()
    """Of the customers who have this number."""
    last_agent: UserId | None = None
    """Who talked with this number last, if that is recent enough for this hotline."""
