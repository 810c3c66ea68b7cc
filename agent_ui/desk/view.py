"""What the desk shows, region by region: frozen values, and how they follow from the live board.

The server reads (board, database), masks numbers, leaves out what the viewer may not read, and
hands these values to the templates. Instants are aware UTC; the templates show the site's time.
Numbers are shown as they stand here: `138****8000` for those who may not see the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from agent_ui.desk.own_state import AgentBadge
from agent_ui.desk.who import PastContact, Recognised, RepeatBadge, Who
from crm_core.events import AgentState, Direction, LinkState
from crm_core.ids import CallId
from crm_core.live_board.board import LiveAgent, LiveBoard, LiveCall, Talk
from crm_core.quick_dataclass import dataclass

# --- top bar --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChip:
    """One of the own queues."""

    name: str
    title: str
    waiting: int
    longest_since: datetime | None
    """When the one who has waited longest entered; None: nobody waits."""
    unknown: bool = False
    """The link to its PBX is away: the count is not to be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Region `connection`: the links between server and Asterisk, and between Asterisk and the phone.

    The light of the third link, browser to server, is drawn by the browser.
    """

    state: LinkState
    since: datetime
    heard_until: datetime
    reason: str | None = None
    extension: str = ""
    reachable: bool | None = None
    """The own phone, as Asterisk sees it; None: not known."""


# --- a call ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBar:
    """Region `call-bar`, once per call that talks at, or was placed by, the own device."""

    call: CallId
    direction: Direction
    state: AgentState
    """`talking`; `on_hold`; `ringing` for a placed call that nobody has answered yet."""
    since: datetime
    """The stopwatch starts here."""
    name: str | None
    """The customer's; None: not known."""
    several: bool = False
    """Several customers share the number, and none was chosen yet."""
    number: str | None
    """The other party's; None: withheld."""
    hotline: str = ""
    queue: str = ""
    """Title of the queue."""
    waited_seconds: int | None = None
    held_since: datetime | None = None
    consults: str | None = None
    """Whom the own phone consults about it, or rings for that; then the call is not to be ended but
    handed over, or taken back."""
    can_act: bool = False
    """The own phone talks: it can hold and transfer."""
    unknown: bool = False
    """The link is away: the call may have ended since, and cannot be ended from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionChoice:
    """A disposition; `digit` 1–9 is its key."""

    key: str
    label: str
    digit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """The own part of the call's record, or its draft. Posted to `/calls/{id}/note`.

    Fields: `note`, `disposition` (a key), `revision`; `submit=1` on the last save. The revision is
    the one that was read; an autosave sends it raised by one.
    """

    text: str = ""
    disposition: str | None = None
    choices: tuple[DispositionChoice, ...] = ()
    revision: int = 0
    saved_at: datetime | None = None
    submitted: bool = False
    finishes: bool = False
    """It is this call's wrap-up that runs: submitting the note ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColleaguesNote:
    """What somebody else has saved about the same call."""

    agent: str
    """Full name."""
    text: str
    disposition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """Why it rings here: a colleague hands the call over, or asks."""

    by: str
    """Full name; the extension where nobody holds that phone."""
    consults: bool
    """He talks first, and may go back to the customer."""
    notes: tuple[ColleaguesNote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCard:
    """One call's card: who, what, greeting. A second call is a second card, never a replacement."""

    call: CallId
    state: AgentState
    """ringing, talking, or wrap_up once the conversation is over and the note is not submitted."""
    since: datetime
    direction: Direction
    who: Who
    note: Note | None
    """None for those who may not write notes."""
    hotline: str = ""
    queue: str = ""
    greeting: str = ""
    colleagues: tuple[ColleaguesNote, ...] = ()
    may_dial: bool = False
    """The number may be dialled from here: the call is over."""

    @property
    def title(self) -> str | None:
        """What the card's tab says: name, else number; None where the number is withheld."""
        return self.who.customer.name if self.who.customer else self.who.number


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenPop:
    """The card that opens while it rings: who, why, what was said last, what to say.

    But for `handed_over` nothing in it depends on whom it rings at: `desk/screen_pop.html` (variable
    `pop`) is rendered when the call enters the queue, and the same HTML goes to every desk where it
    rings.
    """

    call: CallId
    direction: Direction
    waiting_since: datetime
    """When the caller entered the queue (without a queue: when the call began); a stopwatch."""
    recognised: Recognised
    name: str | None
    """The customer's; None unless known."""
    grade: str = ""
    number: str | None = None
    company: str = ""
    hotline: str = ""
    queue: str = ""
    repeat: RepeatBadge | None = None
    last: PastContact | None = None
    greeting: str = ""
    handed_over: HandedOver | None = None


# --- the own day ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MyCall:
    """A call of today that concerned the own device."""

    call: CallId
    at: datetime
    direction: Direction
    name: str | None
    number: str | None
    missed: bool = False
    talk_seconds: int | None = None
    disposition: str | None = None
    note: str = ""
    """The beginning of the own note, on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MyDay:
    """Region `my-calls`: today's counts and the last calls, the newest first."""

    answered: int = 0
    placed: int = 0
    missed: int = 0
    talk_seconds: int = 0
    wrap_up_seconds: int = 0
    calls: tuple[MyCall, ...] = ()
    may_dial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPhone:
    """Region `demo-phone`: the drawn phone. `state` is ready, ringing or talking."""

    extension: str
    state: AgentState


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPage:
    """`desk/page.html`: the whole desk, region by region."""

    badge: AgentBadge
    chips: tuple[QueueChip, ...]
    connection: Connection
    bars: tuple[CallBar, ...]
    pops: tuple[ScreenPop, ...]
    cards: tuple[CallCard, ...]
    day: MyDay
    seq: str
    """The board's sequence: the socket goes on from here."""
    phone: DemoPhone | None = None
    """None: a real phone stands beside the desk."""
    may_dial: bool = False
    """A call may be sent to a number outside."""


# --- from the live board --------------------------------------------------------------------------


def queue_chips(
    board: LiveBoard, agent: LiveAgent, titles: Mapping[str, str]
) -> tuple[QueueChip, ...]:
    """The own queues in the order of the sign-in; `titles` maps Asterisk's name to ours."""
    link = board.links.get(agent.pbx)
    unknown = link is None or link.state is not LinkState.UP
    chips = []
    for name in agent.queues:
        queue = board.queues.get((agent.pbx, name))
        chips.append(
            QueueChip(
                name=name,
                title=titles.get(name, name),
                waiting=len(queue.waiting) if queue else 0,
                longest_since=board.longest_wait(queue) if queue else None,
                unknown=unknown,
            )
        )
    return tuple(chips)


def connection(board: LiveBoard, agent: LiveAgent, at: datetime) -> Connection:
    """How PBX and phone stand; a PBX that was never reached counts as down since `at`."""
    extension = agent.interface.rpartition("/")[2]
    link = board.links.get(agent.pbx)
    if link is None:
        return Connection(state=LinkState.DOWN, since=at, heard_until=at, extension=extension)
    up = link.state is LinkState.UP
    return Connection(
        state=link.state,
        since=link.since,
        heard_until=link.heard_until,
        reason=link.reason,
        extension=extension,
        reachable=board.phones.get((agent.pbx, agent.interface)) if up else None,
    )


def demo_phone(board: LiveBoard, agent: LiveAgent) -> DemoPhone:
    """What the drawn phone does, by the calls at it; the link to the PBX does not matter to it."""
    calls = board.calls_at(agent.pbx, agent.interface)
    state = AgentState.READY
    if any(call.talk_of(agent.interface) for call in calls):
        state = AgentState.TALKING
    elif any(call.offer_at(agent.interface) for call in calls):
        state = AgentState.RINGING
    return DemoPhone(extension=agent.interface.rpartition("/")[2], state=state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """The other side of a call and the way it came, looked up and masked by the server."""

    name: str | None
    several: bool = False
    number: str | None
    hotline: str = ""
    queue: str = ""


def call_bars(
    board: LiveBoard, agent: LiveAgent, party: Callable[[LiveCall], Party]
) -> tuple[CallBar, ...]:
    """One bar per call that talks at, or was placed by, the agent's device, the oldest first."""
    unknown = board.agent_state(agent) is AgentState.UNKNOWN
    bars = (
        _call_bar(board, call, agent.interface, party(call), unknown)
        for call in board.calls_at(agent.pbx, agent.interface)
    )
    return tuple(bar for bar in bars if bar is not None)


def _call_bar(
    board: LiveBoard, call: LiveCall, interface: str, party: Party, unknown: bool
) -> CallBar | None:
    talk = call.talk_of(interface)
    placed = call.placed_by is not None and call.placed_by.interface == interface
    if talk is None and not placed:
        return None
    waited = None
    if talk is not None and talk.queue is not None and call.entered_at is not None:
        waited = max(0, int((talk.since - call.entered_at).total_seconds()))
    return CallBar(
        call=call.call,
        direction=call.direction,
        state=_state(call, talk),
        since=talk.since if talk is not None else call.started_at,
        name=party.name,
        several=party.several,
        number=party.number,
        hotline=party.hotline,
        queue=party.queue,
        waited_seconds=waited,
        held_since=talk.held_since if talk is not None else None,
        consults=_who_is_consulted(board, call, interface),
        can_act=talk is not None and talk.leg is not None,
        unknown=unknown,
    )


def _state(call: LiveCall, talk: Talk | None) -> AgentState:
    if talk is None and not call.answered:
        return AgentState.RINGING
    on_hold = talk is not None and talk.held_since is not None
    return AgentState.ON_HOLD if on_hold else AgentState.TALKING


def _who_is_consulted(board: LiveBoard, call: LiveCall, interface: str) -> str | None:
    found = call.consultation_of(interface)
    return name_at(board, call, found.to) if found is not None else None


def name_at(board: LiveBoard, call: LiveCall, extension: str) -> str:
    """Who sits at this extension of the call's PBX, with it; else the extension alone."""
    for agent in board.agents.values():
        if agent.pbx == call.pbx and agent.interface.rpartition("/")[2] == extension:
            return f"{agent.name} · {extension}"
    return extension


def ordered(cards: Iterable[CallCard]) -> tuple[CallCard, ...]:
    """Cards as their tabs stand: calls that live in the order they came, then those that wait for
    their note, the newest first: a call that ends stays where it was."""

    def place(card: CallCard) -> tuple[bool, float, CallId]:
        over, since = card.state is AgentState.WRAP_UP, card.since.timestamp()
        return over, -since if over else since, card.call

    return tuple(sorted(cards, key=place))
