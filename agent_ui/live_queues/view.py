"""What the page of live queues shows: frozen values, and the rules of order and alarm. Pure.

Names and numbers are cut to the viewer before they come here. While the link to a PBX is away,
everything that was heard from it is *unknown*, with the age of what is shown; never *offline*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from agent_ui.books.view import BooksLine
from agent_ui.desk.who import Recognised
from crm_core.events import AgentState, LinkState
from crm_core.ids import CallId, PbxId, UserId
from crm_core.live_board.board import LiveLink
from crm_core.live_board.queue_day import SERVICE_LEVEL_SECONDS, QueueCounts
from crm_core.quick_dataclass import dataclass

WARN_SECONDS, BREACH_SECONDS = SERVICE_LEVEL_SECONDS, 60
"""A wait that is too long, and one that is far too long."""
SERVICE_LEVEL_TARGET = 0.80
MOST_ABANDONED = 0.05
SHOWN_CALLERS = 12
"""So many of those who wait in a queue are named; the others are counted."""


class Level(StrEnum):
    """How urgent something is. Shown by colour, outline and word."""

    CALM = "calm"
    WARN = "warn"
    BREACH = "breach"


URGENCY: Mapping[Level, int] = {Level.BREACH: 0, Level.WARN: 1, Level.CALM: 2}


def level_of_wait(since: datetime | None, now: datetime) -> Level:
    """Of one who waits since then; calm where nobody waits."""
    seconds = (now - since).total_seconds() if since is not None else 0.0
    if seconds >= BREACH_SECONDS:
        return Level.BREACH
    return Level.WARN if seconds >= WARN_SECONDS else Level.CALM


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """The customer's side of a call, as this viewer may see it."""

    recognised: Recognised
    name: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One who waits; `since` is when the queue was entered."""

    call: CallId
    party: Party
    since: datetime
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCount:
    """How many of a queue's agents are in this state."""

    state: AgentState
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCard:
    """`live_queues/queue.html`: a queue, who waits in it, who serves it, what it did today."""

    id: str
    """The element's id."""
    pbx: PbxId
    name: str
    title: str
    project: str
    waiting: int
    longest_since: datetime | None
    level: Level
    callers: tuple[Waiting, ...]
    """The longest wait first; at most `SHOWN_CALLERS`."""
    agents: tuple[StateCount, ...]
    """Of those whom the viewer sees."""
    today: QueueCounts | None
    """None: the rows of today have not been read yet."""
    heard_until: datetime | None = None
    """Set while the link is away: the age of everything that is live."""

    @property
    def unknown(self) -> bool:
        return self.heard_until is not None

    @property
    def more(self) -> int:
        """Those who wait and are not named."""
        return self.waiting - len(self.callers)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTile:
    """`live_queues/agent.html`: an agent, since when in this state, with whom."""

    user: UserId
    name: str
    number: str
    state: AgentState
    since: datetime
    pbx: PbxId
    queues: tuple[str, ...]
    """Names of the queues whose calls are taken; the page shows one queue's agents by them."""
    reason: str | None = None
    """The pause reason in the viewer's language, or a rule's message id."""
    reason_code: str | None = None
    call: CallId | None = None
    party: Party | None = None
    """Whom the call is with."""
    queue: str = ""
    """Title of the queue that the call came by."""
    due_at: datetime | None = None
    """When wrap-up ends by itself."""
    next_reason: str | None = None
    """The pause that was chosen for after this call."""
    last_state: AgentState | None = None
    """While `unknown`: the state that was heard last."""
    listen_url: str | None = None
    """Where the viewer begins to hear the call; None: nobody talks, or the viewer may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentGroup:
    """Region `agents-<state>`: everybody in one state, the longest there first."""

    state: AgentState
    tiles: tuple[AgentTile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Region `live-figures`: the queues of this page together."""

    waiting: int
    longest_since: datetime | None
    wait_level: Level
    today: QueueCounts | None
    ready: int
    signed_in: int
    unknown: bool
    """The link to a PBX of these queues is away."""

    @property
    def service_level(self) -> Level:
        share = self.today.service_level if self.today else None
        return Level.WARN if share is not None and share < SERVICE_LEVEL_TARGET else Level.CALM

    @property
    def abandoned_level(self) -> Level:
        share = self.today.abandon_rate if self.today else None
        return Level.WARN if share is not None and share > MOST_ABANDONED else Level.CALM


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorLink:
    """Region `connection`: the worst of the links to the PBXs of this page."""

    state: LinkState
    since: datetime
    heard_until: datetime
    reason: str | None = None
    pbx: PbxId | None = None
    """Named where there are several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsHead:
    """Region `agents-head`: how many there are; what to do where there is nobody."""

    signed_in: int
    sees_all: bool
    """The viewer sees every team."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueList:
    """Region `live-queues`: the worst queue first."""

    cards: tuple[QueueCard, ...]
    sees_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The whole page for one kind of viewer, at one moment."""

    link: FloorLink | None
    figures: Figures
    queues: QueueList
    head: AgentsHead
    groups: tuple[AgentGroup, ...]
    books: BooksLine


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPage:
    """`live_queues/page.html`: the regions, drawn as the socket will draw them again."""

    regions: Mapping[str, str]
    seq: str
    """The board's sequence: the socket goes on from here."""


GROUPS: Sequence[AgentState] = (
    AgentState.UNKNOWN,
    AgentState.MISSED,
    AgentState.RINGING,
    AgentState.TALKING,
    AgentState.ON_HOLD,
    AgentState.WRAP_UP,
    AgentState.PAUSED,
    AgentState.READY,
)
"""What wants a supervisor's eye first; nobody who is offline is on the page."""


def grouped(tiles: Iterable[AgentTile]) -> tuple[AgentGroup, ...]:
    """Every group, empty ones too: each is a region of its own."""
    by_state: dict[AgentState, list[AgentTile]] = {state: [] for state in GROUPS}
    for tile in tiles:
        by_state[tile.state].append(tile)
    return tuple(
        AgentGroup(
            state=state, tiles=tuple(sorted(found, key=lambda tile: (tile.since, tile.number)))
        )
        for state, found in by_state.items()
    )


def worst_first(cards: Iterable[QueueCard]) -> tuple[QueueCard, ...]:
    """Those nobody hears of, then by urgency, then by the longest wait, then as they are called."""

    def place(card: QueueCard) -> tuple[bool, int, float, str, str]:
        longest = card.longest_since.timestamp() if card.longest_since else float("inf")
        return not card.unknown, URGENCY[card.level], longest, card.title, card.id

    return tuple(sorted(cards, key=place))


def worst_link(links: Mapping[PbxId, LiveLink | None], at: datetime) -> FloorLink | None:
    """None: no PBX is followed. One that was never reached counts as down since `at`."""
    found = [_link(pbx, link, at) for pbx, link in links.items()]
    if not found:
        return None
    worst = min(found, key=lambda link: (link.state is LinkState.UP, link.heard_until))
    return worst if len(found) > 1 else _unnamed(worst)


def _link(pbx: PbxId, link: LiveLink | None, at: datetime) -> FloorLink:
    if link is None:
        return FloorLink(state=LinkState.DOWN, since=at, heard_until=at, pbx=pbx)
    # Of a link that is up the page says no time: it would be another one each second.
    heard_until = link.since if link.state is LinkState.UP else link.heard_until
    return FloorLink(
        state=link.state, since=link.since, heard_until=heard_until, reason=link.reason, pbx=pbx
    )


def _unnamed(link: FloorLink) -> FloorLink:
    return FloorLink(
        state=link.state, since=link.since, heard_until=link.heard_until, reason=link.reason
    )
