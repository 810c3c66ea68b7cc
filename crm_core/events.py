"""What has happened: the facts that the four packages tell each other, in the past tense.

Facts about calls come from two independent feeds. AMI gives the moments and the agents at once;
`queue_log` gives the outcome and the seconds. Neither repeats the other: the classes of the two
feeds are different, and `call_log.timeline` folds both into the call's row.

Every event is a frozen value. `at` is an aware UTC instant: Asterisk's own stamp where the site
sends one, else the moment of receipt (then `at_is_receipt` is true). `codec` turns events into JSON
and back; a class added here is known there at once.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from crm_core.ids import BootId, CallId, CustomerId, PbxId, QueuePassKey, UserId
from crm_core.quick_dataclass import dataclass


class Direction(StrEnum):
    """Which way a call goes, seen from the centre."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Outcome(StrEnum):
    """How a queue pass ended, by `queue_log` (design section 4). Not a disposition."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    TIMEOUT = "timeout"
    EXIT_EMPTY = "exit_empty"
    EXIT_KEY = "exit_key"
    FULL = "full"
    JOIN_EMPTY = "join_empty"
    WITHDRAWN = "withdrawn"
    AGENT_DUMP = "agent_dump"
    CONTINUED = "continued"
    UNKNOWN_END = "unknown_end"


class AttemptResult(StrEnum):
    """How one ring at one agent ended."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    ELSEWHERE = "elsewhere"
    GONE = "gone"
    """The caller gave up, or the queue let go, while it rang."""


class EndedBy(StrEnum):
    """Whose hang-up ended a conversation."""

    CALLER = "caller"
    AGENT = "agent"
    TRANSFER = "transfer"
    UNKNOWN = "unknown"


class TransferKind(StrEnum):
    """How a call came to another phone than the one that answered, or rang."""

    BLIND = "blind"
    ATTENDED = "attended"
    """Announced first; "blonde" ones, completed while the target rings, too."""
    PICKUP = "pickup"


class TransferResult(StrEnum):
    """What became of a transfer."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Refused, not answered, or there was nobody of that number."""
    ABANDONED = "abandoned"
    """Who was to be transferred hung up meanwhile."""
    RETURNED = "returned"
    """Back with who transferred: a consultation, or nobody took it."""


class LegParty(StrEnum):
    """Whose side of the call a leg is."""

    CUSTOMER = "customer"
    AGENT = "agent"


class Feed(StrEnum):
    """Where facts about calls come from."""

    AMI = "ami"
    QUEUE_LOG = "queue_log"


class LinkState(StrEnum):
    """How the connection to one PBX stands."""

    UP = "up"
    DOWN = "down"
    REFUSED = "refused"
    """Asterisk refused the login: somebody has to correct user or secret."""


class AgentState(StrEnum):
    """What an agent is doing now: one list for pages, frames, tables and code (domain 5.3)."""

    OFFLINE = "offline"
    READY = "ready"
    RINGING = "ringing"
    TALKING = "talking"
    ON_HOLD = "on_hold"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"
    MISSED = "missed"
    UNKNOWN = "unknown"


class StateSource(StrEnum):
    """Who or what changed an agent's state."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    CALL = "call"
    """A ring, an answer, a hang-up."""
    RULE = "rule"
    """A deadline (the end of wrap-up), a missed ring."""
    QUEUE_LOG = "queue_log"
    """AMI was away; `queue_log` tells afterwards who was paused meanwhile."""


class MemberChange(StrEnum):
    """What `queue_log` says of a queue's member."""

    ADDED = "added"
    REMOVED = "removed"
    PAUSED = "paused"
    UNPAUSED = "unpaused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A queue member as Asterisk names it; who that person is, `centre.holders` says.

    On our own site the name is the agent number. `queue_log` knows only the name (interface None).
    """

    interface: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact. Never published itself: see the classes below."""

    at: datetime
    pbx: PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent(Event):
    """A fact about one call: a row of its timeline."""

    call: CallId


# --- from AMI: the moments and the agents ---------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(CallEvent):
    """The first channel of a call appeared."""

    boot: BootId
    unique_id: str
    direction: Direction
    caller_number: str | None
    """As it arrived; None where withheld."""
    caller_name: str | None = None
    called_number: str | None = None
    at_is_receipt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStarted(CallEvent):
    """A channel of a call appeared (halves of Local channels are folded away).

    Keeps `unique_id` and `linked_id`, by which a live channel finds its open call after a restart.
    """

    unique_id: str
    linked_id: str
    party: LegParty
    member: Member | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnded(CallEvent):
    """A channel of a call is gone. `cause` is Q.850, None where nobody saw it end."""

    unique_id: str
    cause: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQueued(CallEvent):
    """The call entered a human queue (QueueCallerJoin).

    `found_later`: nobody saw it enter, a snapshot found it there; it entered at `at` or before.
    """

    queue_pass: QueuePassKey
    caller_number: str | None
    caller_name: str | None = None
    position: int | None = None
    found_later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOffered(CallEvent):
    """It rings at an agent (AgentCalled, or a Dial to a seat): the screen pop.

    `queue_pass` is None for a call that came without a queue. `attempt` counts the rings of this
    call, from 1; (call, attempt) names a ring for ever.
    """

    queue_pass: QueuePassKey | None
    attempt: int
    member: Member
    leg: str | None = None
    """Uniqueid of the agent's channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferEnded(CallEvent):
    """The ring `attempt` is over, and how."""

    queue_pass: QueuePassKey | None
    attempt: int
    member: Member
    result: AttemptResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered(CallEvent):
    """Caller and agent are connected (AgentConnect, or an answered Dial).

    `member` is who talks: the holder of the channel that was connected, not of the one that rang.
    """

    queue_pass: QueuePassKey | None
    member: Member
    leg: str | None = None
    other: str | None = None
    """Uniqueid of the channel at the other end; a Local half where a colleague is consulted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLeftQueue(CallEvent):
    """The pass ended without an agent. How, only `queue_log` knows: AMI calls every one an abandon."""

    queue_pass: QueuePassKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationEnded(CallEvent):
    """Caller and agent are no longer connected (AgentComplete, or the leg's hang-up)."""

    queue_pass: QueuePassKey | None
    member: Member
    ended_by: EndedBy
    leg: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHeld(CallEvent):
    """An agent put the other side on hold: by a key of the phone, or to consult a colleague."""

    member: Member
    leg: str
    """Uniqueid of the agent's channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResumed(CallEvent):
    """The agent talks to the other side again. A hold that never is resumed ends with its talk."""

    member: Member
    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferBegan(CallEvent):
    """A call is on its way to another phone. `nth` counts from 1 within the call.

    `member` is who transfers; of a pick-up, whose phone rang.
    """

    nth: int
    kind: TransferKind
    member: Member
    to: str
    """As dialled: a seat, a queue's number, a number outside, the code of a pick-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEnded(CallEvent):
    """What became of the transfer `nth`, and who talks now (None: nobody, or nobody of the centre)."""

    nth: int
    to_member: Member | None
    result: TransferResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CallJoined(CallEvent):
    """The call `other` goes on as a part of this, the older one: a transfer, a pick-up.

    `other`'s own facts stay under its id, which is an alias of this call from now on.
    """

    other: CallId


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlaced(CallEvent):
    """A seat's phone dialled somebody (outbound or internal). The pop of an outbound call."""

    member: Member
    called_number: str
    leg: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(CallEvent):
    """The last channel is gone.

    `seen` is False where nobody saw the end: the call was missing from a snapshot, or Asterisk
    started anew. `at` is then the last moment the call was seen alive.
    """

    cause: int | None = None
    seen: bool = True


# --- from queue_log: the outcome and the seconds --------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PassEntered(CallEvent):
    """ENTERQUEUE. Whole seconds, as all of `queue_log`."""

    queue_pass: QueuePassKey
    boot: BootId
    caller_number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassConnected(CallEvent):
    """CONNECT: `wait_seconds` from entry to the agent's answer, `ring_seconds` of the last ring."""

    queue_pass: QueuePassKey
    member: Member
    wait_seconds: int
    ring_seconds: int | None = None
    leg: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRang(CallEvent):
    """RINGNOANSWER (no_answer) or RINGCANCELED (elsewhere or gone); `nth` from 1 within the pass."""

    queue_pass: QueuePassKey
    nth: int
    member: Member
    ring_milliseconds: int
    cancelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PassClosed(CallEvent):
    """The one row that closes a pass, or the next QUEUESTART where there was none (unknown_end).

    `wait_seconds` is None where the row does not carry it; `talk_seconds` only for answered ones.
    `member` is the answering member for answered passes.
    """

    queue_pass: QueuePassKey
    outcome: Outcome
    wait_seconds: int | None
    talk_seconds: int | None = None
    member: Member | None = None
    ended_by: EndedBy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDialled(CallEvent):
    """ZX_DIALLED: our dialplan is about to ring a phone without a queue. `nth` dial of this channel."""

    boot: BootId
    unique_id: str
    nth: int
    caller_number: str | None
    called_number: str | None
    interface: str | None = None
    """The phone that rings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialClosed(CallEvent):
    """ZX_ENDED: the channel that dialled is gone. `talk_seconds` only where it was answered.

    `status` is Asterisk's DIALSTATUS; None where no row told the end: Asterisk died, or the channel
    dialled somebody else.
    """

    unique_id: str
    nth: int
    status: str | None
    cause: int | None = None
    talk_seconds: int | None = None


# --- about a PBX, not about one call --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFound(Event):
    """A run of Asterisk became known; the former one, if any, is over."""

    boot: BootId
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChanged(Event):
    """The connection to a PBX came or went. While it is away agents and queues are *unknown*."""

    state: LinkState
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMemberSeen(Event):
    """A member of a queue, as QueueStatus or QueueMember* events show it."""

    queue: str
    member: Member
    paused: bool
    pause_reason: str | None = None
    state_interface: str | None = None
    """The device whose state Asterisk takes for the member's, where that is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMemberGone(Event):
    """A member left a queue."""

    queue: str
    member: Member


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTold(Event):
    """PAUSE, UNPAUSE, ADDMEMBER or REMOVEMEMBER in `queue_log`, which knows members by name only."""

    queue: str
    name: str
    change: MemberChange
    reason: str | None = None
    """Of a pause, as Asterisk has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted(Event):
    """A channel of a call is recorded into `file`, as Asterisk names it. No row of the timeline.

    Told again after each snapshot as long as it goes on.
    """

    call: CallId
    unique_id: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSeen(Event):
    """A phone can be reached or not, as Asterisk sees it: told when it changes.

    Not reachable is *unavailable* (nobody is registered there) or *invalid* (no such endpoint).
    """

    interface: str
    reachable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedHeard(Event):
    """Each second: everything up to `at` has reached the bus. A gap begins here after a kill."""

    feed: Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAdvanced(Event):
    """All rows of `queue_log` before `position` have been told; committed with those rows.

    `position` is opaque to everybody but `telephony.queue_log.tail`.
    """

    feed: Feed
    position: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRecorded(Event):
    """An interval whose AMI facts did not reach the timeline, whatever failed: [began_at, at)."""

    began_at: datetime
    boot_changed: bool
    calls: tuple[CallId, ...] = ()
    reason: str = ""
    feed: Feed = Feed.AMI
    """`queue_log`: rows may be missing there, AMI has seen the calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksCompared(Event):
    """The standing check has compared this PBX's `queue_log` with the call table up to `until`."""

    until: datetime
    recorded_from: datetime
    """Nothing was recorded of this PBX before."""
    differences: int
    """Those that no later row has settled and no reason excuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsLost(Event):
    """The records could not keep what was told in [began_at, at), and can be written again.

    What can be told twice is told again: `queue_log` from the position that the records have, of the
    calls what is known of them. The rest is in the gap book.
    """

    began_at: datetime


# --- from the centre itself -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSignedIn(Event):
    """An agent took a device (签入) and belongs to these queues now."""

    user: UserId
    agent_number: str
    name: str
    interface: str
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSignedOut(Event):
    """An agent gave the device back (签出)."""

    user: UserId
    agent_number: str
    interface: str
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStateChanged(Event):
    """The agent is in another state from `at` on (decision 17): a row of `agent_states`.

    `reason` is the pause reason's code (`paused` only). `call` is the call that rings, is talked or
    is written up. `due_at`: when wrap-up ends by itself (of a call before this one, while another one
    rings or is talked). A missed agent's `call` is the missed one.
    """

    user: UserId
    agent_number: str
    interface: str
    state: AgentState
    source: StateSource
    reason: str | None = None
    call: CallId | None = None
    queue: str | None = None
    """The queue that call came by."""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStateChosen(Event):
    """What the agent will be after this call: `paused` (reason), or still `missed`.

    `state` None: ready; the choice was taken back, or has come true.
    """

    user: UserId
    state: AgentState | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRecorded(Event):
    """A note or disposition of a call was saved."""

    call: CallId
    user: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerChanged(Event):
    """A customer's file was created or edited."""

    customer: CustomerId


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRefused(Event):
    """Asterisk, or we, did not do what was asked. `reason` is a sentence for people."""

    command: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Event):
    """Time is an input: services feed it, pure cores never read a clock."""


FromAmi = (
    CallStarted
    | LegStarted
    | LegEnded
    | CallQueued
    | CallOffered
    | OfferEnded
    | CallAnswered
    | CallLeftQueue
    | ConversationEnded
    | CallHeld
    | CallResumed
    | TransferBegan
    | TransferEnded
    | CallJoined
    | CallPlaced
    | CallEnded
)
FromQueueLog = PassEntered | PassConnected | PassRang | PassClosed | CallDialled | DialClosed
TimelineEvent = FromAmi | FromQueueLog
"""What a call's row is computed from."""
