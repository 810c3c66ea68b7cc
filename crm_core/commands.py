"""What somebody wants done: commands (imperative, one handler each) and questions.

A command is asked on the bus (`bus.ask`) where an answer is needed, and ends in a fact: done, or
`CommandRefused`. Each class says in `Answer` what comes back.
"""

from __future__ import annotations

from datetime import datetime

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
class HangUp(Command):
    """End a call. `leg` (a Uniqueid) if given, else every leg of the call."""

    call: CallId
    leg: str | None = None


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
