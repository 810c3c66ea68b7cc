"""What the call list and one call's page show: frozen values, and a call's timeline in words.

Numbers are masked and rows filtered by the server; instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from agent_ui.books.view import BooksLine
from agent_ui.recordings.view import RecordingShown
from agent_ui.words import N_
from crm_core.call_log.records import Confidence
from crm_core.events import (
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallHeld,
    CallLeftQueue,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    Direction,
    EndedBy,
    Event,
    LegParty,
    Member,
    OfferEnded,
    Outcome,
    PassClosed,
    TransferBegan,
    TransferEnded,
    TransferKind,
    TransferResult,
)
from crm_core.ids import CallId, CustomerId
from crm_core.quick_dataclass import dataclass

# --- the list -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An entry of a selection list."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilters:
    """The filters as they stand in the address, exactly as typed; empty: not filtered."""

    from_: str = ""
    """`YYYY-MM-DD`, a day of the site; query parameter `from`, inclusive."""
    to: str = ""
    """`YYYY-MM-DD`, the last day that is shown; query parameter `to`."""
    queue: str = ""
    agent: str = ""
    """Agent number."""
    number: str = ""
    confidence: str = ""
    gap: str = ""
    """A gap's number: calls that lived in it."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Filter's query parameter → a sentence that says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A line of the list."""

    call: CallId
    started_at: datetime
    direction: Direction
    number: str | None
    """The customer's; None: withheld."""
    customer: str | None = None
    customer_id: CustomerId | None = None
    """None: nobody, or the viewer reads no customers."""
    hotline: str = ""
    queue: str = ""
    agent: str | None = None
    """Full name."""
    agent_number: str | None = None
    wait_seconds: int | None = None
    talk_seconds: int | None = None
    outcome: Outcome | None = None
    """Of the last pass; None: it had none, still waits, or only AMI saw it end."""
    answered: bool = False
    live: bool = False
    disposition: str | None = None
    confidence: Confidence = Confidence.COMPLETE


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsPage:
    """`calls/page.html`. Pages are by key: `next_url` and `first_url` carry the filters."""

    filters: CallFilters
    rows: tuple[CallRow, ...]
    queues: tuple[Choice, ...] = ()
    agents: tuple[Choice, ...] = ()
    """Empty for those who see their own calls only: the filter is then absent."""
    next_url: str | None = None
    first_url: str | None = None
    """None on the first page."""
    ranges: tuple[Choice, ...] = ()
    """Quick choices: `value` is the address, `label` one of today, yesterday, week."""
    export_url: str | None = None
    """Where these calls are had as a file; None where there are none."""
    confidences: tuple[Choice, ...] = ()
    gave_up_url: str = "/calls/gave-up"
    gave_up_count: int = 0
    """Numbers that gave up and were not reached since, of these days and this queue."""
    books: BooksLine = BooksLine(pbxs=())
    not_recorded_before: datetime | None = None
    """The period begins before anything was recorded: that moment."""
    gap: tuple[datetime, datetime] | None = None
    """Only calls that lived in this gap are shown."""


# --- who gave up ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUpRow:
    """A number that nobody has talked to since it gave up."""

    number: str
    """As the viewer may see it."""
    last_at: datetime
    times: int
    call: CallId
    """The last call that was given up; what rings the number back is asked by it."""
    project: str = ""
    hotline: str = ""
    queue: str = ""
    wait_seconds: int | None = None
    customer: str | None = None
    customer_id: CustomerId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUpPage:
    """`calls/gave_up.html`."""

    filters: CallFilters
    rows: tuple[GaveUpRow, ...]
    count: int
    since: datetime
    """The first moment that is looked at."""
    queues: tuple[Choice, ...] = ()
    calls_url: str = "/calls"
    next_url: str | None = None
    first_url: str | None = None
    books: BooksLine = BooksLine(pbxs=())


# --- one call -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptShown:
    """One ring at one agent."""

    agent: str
    offered_at: datetime
    ring_seconds: int | None
    result: AttemptResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassShown:
    """One stay in one queue, with its rings."""

    queue: str
    entered_at: datetime
    outcome: Outcome | None
    agent: str | None = None
    wait_seconds: int | None = None
    talk_seconds: int | None = None
    ended_by: EndedBy | None = None
    attempts: tuple[AttemptShown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferShown:
    """One transfer: who sent the call where, and what became of it."""

    kind: TransferKind
    at: datetime
    sender: str
    dialled: str
    to: str | None
    """Who talked then; None: nobody, or somebody outside."""
    result: TransferResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegShown:
    """One party's side of the call, and its seconds."""

    party: LegParty
    who: str | None
    """An agent's name; None: the customer."""
    started_at: datetime
    ended_at: datetime | None
    ring_seconds: int | None
    talk_seconds: int | None
    hold_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineLine:
    """A moment in words: `text` is a message id, `values` fill its placeholders."""

    at: datetime
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    icon: str = "point"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordShown:
    """An agent's note and disposition."""

    agent: str
    saved_at: datetime
    note: str
    disposition: str | None
    submitted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """`calls/call.html`: one call from first ring to last hang-up."""

    row: CallRow
    ended_at: datetime | None
    called_number: str | None
    passes: tuple[PassShown, ...] = ()
    direct_attempts: tuple[AttemptShown, ...] = ()
    """Rings that belong to no queue."""
    transfers: tuple[TransferShown, ...] = ()
    legs: tuple[LegShown, ...] = ()
    timeline: tuple[TimelineLine, ...] = ()
    records: tuple[RecordShown, ...] = ()
    aliases: tuple[CallId, ...] = ()
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    """Intervals in which its PBX was not heard while it lived."""
    may_open_gap_book: bool = False
    recordings: tuple[RecordingShown, ...] = ()


# --- the timeline in words ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How members, queues and numbers are called for this viewer."""

    member: Callable[[Member], str]
    queue: Callable[[str], str]
    number: Callable[[str | None], str | None]
    """Masks; None stays None."""
    dialled: Callable[[str], str]
    """Masks what may be somebody's number outside, as `shapes.dialled`."""


def told(events: Iterable[Event], names: Names) -> tuple[TimelineLine, ...]:
    """The timeline for people: one line per moment that a person would notice, in their order."""
    # Of what happened at one moment the end comes last.
    ordered = sorted(events, key=lambda event: (event.at, isinstance(event, CallEnded)))
    lines = (teller(event, names) for event in ordered if (teller := _TELLERS.get(type(event))))
    return tuple(sorted((line for line in lines if line is not None), key=lambda line: line.at))


def _started(event: CallStarted, names: Names) -> TimelineLine:
    number = names.number(event.caller_number)
    if event.direction is not Direction.INBOUND:
        return TimelineLine(
            at=event.at, text=N_("A phone of the centre dials"), icon="phone-outgoing"
        )
    withheld = N_("A call with a withheld number arrives")
    text = withheld if number is None else N_("%(number)s calls")
    return TimelineLine(at=event.at, text=text, values={"number": number}, icon="phone-incoming")


def _placed(event: CallPlaced, names: Names) -> TimelineLine:
    values = {"agent": names.member(event.member), "number": names.number(event.called_number)}
    return TimelineLine(
        at=event.at, text=N_("%(agent)s dials %(number)s"), values=values, icon="phone-outgoing"
    )


def _queued(event: CallQueued, names: Names) -> TimelineLine:
    values = {"queue": names.queue(event.queue_pass.queue)}
    return TimelineLine(at=event.at, text=N_("Enters queue %(queue)s"), values=values, icon="clock")


def _offered(event: CallOffered, names: Names) -> TimelineLine:
    values = {"agent": names.member(event.member)}
    return TimelineLine(at=event.at, text=N_("Rings at %(agent)s"), values=values, icon="bell")


OFFER_ENDS: Mapping[AttemptResult, str | None] = {
    AttemptResult.ANSWERED: None,  # CallAnswered tells it
    AttemptResult.NO_ANSWER: N_("%(agent)s did not answer"),
    AttemptResult.REFUSED: N_("%(agent)s refused the call"),
    AttemptResult.ELSEWHERE: N_("Stops ringing at %(agent)s: answered elsewhere"),
    AttemptResult.GONE: N_("Stops ringing at %(agent)s: the caller is gone"),
}


def _offer_ended(event: OfferEnded, names: Names) -> TimelineLine | None:
    text = OFFER_ENDS[event.result]
    if text is None:
        return None
    values = {"agent": names.member(event.member)}
    return TimelineLine(at=event.at, text=text, values=values, icon="phone-x")


def _answered(event: CallAnswered, names: Names) -> TimelineLine:
    values = {"agent": names.member(event.member)}
    return TimelineLine(at=event.at, text=N_("%(agent)s answers"), values=values, icon="phone-call")


def _left_queue(event: CallLeftQueue, names: Names) -> TimelineLine:
    values = {"queue": names.queue(event.queue_pass.queue)}
    text = N_("Leaves queue %(queue)s without an agent")
    return TimelineLine(at=event.at, text=text, values=values, icon="arrow-forward-up")


TALK_ENDS: Mapping[EndedBy, str] = {
    EndedBy.CALLER: N_("The caller hangs up"),
    EndedBy.AGENT: N_("%(agent)s hangs up"),
    EndedBy.TRANSFER: N_("%(agent)s transfers the call"),
    EndedBy.UNKNOWN: N_("The conversation with %(agent)s ends"),
}


def _talk_ended(event: ConversationEnded, names: Names) -> TimelineLine:
    values = {"agent": names.member(event.member)}
    return TimelineLine(
        at=event.at, text=TALK_ENDS[event.ended_by], values=values, icon="phone-off"
    )


def _held(event: CallHeld, names: Names) -> TimelineLine:
    values = {"agent": names.member(event.member)}
    text = N_("%(agent)s puts the other side on hold")
    return TimelineLine(at=event.at, text=text, values=values, icon="player-pause")


def _resumed(event: CallResumed, names: Names) -> TimelineLine:
    values = {"agent": names.member(event.member)}
    return TimelineLine(
        at=event.at, text=N_("%(agent)s talks on"), values=values, icon="phone-call"
    )


TRANSFERS: Mapping[TransferKind, str] = {
    TransferKind.BLIND: N_("%(agent)s transfers the call to %(number)s"),
    TransferKind.ATTENDED: N_("%(agent)s asks %(number)s to take the call"),
    TransferKind.PICKUP: N_("The call that rings at %(agent)s is picked up with %(number)s"),
}

TRANSFER_ENDS: Mapping[TransferResult, str] = {
    TransferResult.SUCCEEDED: N_("The transfer has succeeded"),
    TransferResult.FAILED: N_("The transfer has failed"),
    TransferResult.ABANDONED: N_("The caller hangs up during the transfer"),
    TransferResult.RETURNED: N_("The call is back with who transferred it"),
}


def _transfer_began(event: TransferBegan, names: Names) -> TimelineLine:
    values = {"agent": names.member(event.member), "number": names.dialled(event.to)}
    return TimelineLine(
        at=event.at, text=TRANSFERS[event.kind], values=values, icon="arrow-forward-up"
    )


def _transfer_ended(event: TransferEnded, names: Names) -> TimelineLine:
    return TimelineLine(at=event.at, text=TRANSFER_ENDS[event.result], icon="arrow-forward-up")


PASS_ENDS: Mapping[Outcome, str | None] = {
    Outcome.ANSWERED: None,  # AMI tells it to the millisecond
    Outcome.ABANDONED: N_("The caller gives up in queue %(queue)s"),
    Outcome.TIMEOUT: N_("The longest wait of queue %(queue)s is over"),
    Outcome.EXIT_EMPTY: N_("Nobody is left in queue %(queue)s to answer"),
    Outcome.EXIT_KEY: N_("The caller leaves queue %(queue)s by a key"),
    Outcome.FULL: N_("Queue %(queue)s is full"),
    Outcome.JOIN_EMPTY: N_("Nobody is in queue %(queue)s to answer"),
    Outcome.WITHDRAWN: N_("The call is taken out of queue %(queue)s"),
    Outcome.AGENT_DUMP: N_("The agent refuses the caller at the announcement"),
    Outcome.CONTINUED: N_("Goes on to another application"),
    Outcome.UNKNOWN_END: N_("Asterisk stopped; nobody saw how it ended in queue %(queue)s"),
}


def _pass_closed(event: PassClosed, names: Names) -> TimelineLine | None:
    text = PASS_ENDS[event.outcome]
    if text is None:
        return None
    values = {"queue": names.queue(event.queue_pass.queue)}
    return TimelineLine(at=event.at, text=text, values=values, icon="file-text")


def _ended(event: CallEnded, names: Names) -> TimelineLine:
    text = (
        N_("The call is over") if event.seen else N_("Seen for the last time; the end was missed")
    )
    return TimelineLine(at=event.at, text=text, icon="circle-dashed")


_TELLERS: Mapping[type[Event], Callable[[Any, Names], TimelineLine | None]] = {
    CallStarted: _started,
    CallPlaced: _placed,
    CallQueued: _queued,
    CallOffered: _offered,
    OfferEnded: _offer_ended,
    CallAnswered: _answered,
    CallHeld: _held,
    CallResumed: _resumed,
    TransferBegan: _transfer_began,
    TransferEnded: _transfer_ended,
    CallLeftQueue: _left_queue,
    ConversationEnded: _talk_ended,
    PassClosed: _pass_closed,
    CallEnded: _ended,
}
"""Facts of the wire and of `queue_log` that repeat a moment AMI told are left out."""
