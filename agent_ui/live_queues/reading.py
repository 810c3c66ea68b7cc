"""Where the page of live queues has its values from: the board, the look-ups, the day of each queue.

Nothing here asks the database, and everything is cut to the viewer: queues and agents by the data
scope (`live.audience`), customers by `visible`, numbers by the mask.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from agent_ui import callers
from agent_ui.books.standings import BookStandings
from agent_ui.desk.who import Recognised
from agent_ui.directory import Directory
from agent_ui.live.audience import Audience
from agent_ui.live.pop_files import Known, PopFiles
from agent_ui.live_queues.days import QueueDays
from agent_ui.live_queues.view import (
    GROUPS,
    SHOWN_CALLERS,
    AgentsHead,
    AgentTile,
    Figures,
    Floor,
    FloorLink,
    Level,
    Party,
    QueueCard,
    QueueList,
    StateCount,
    Waiting,
    grouped,
    level_of_wait,
    worst_first,
    worst_link,
)
from agent_ui.shapes import number_for
from crm_core.access.permissions import DataScope, Permission
from crm_core.access.viewer import Viewer
from crm_core.events import AgentState, LinkState
from crm_core.ids import CallId, PbxId, UserId
from crm_core.live_board.board import LiveAgent, LiveBoard, LiveCall, LiveQueue
from crm_core.live_board.queue_day import added

KEPT_PARTIES = 4_000


class FloorReader:
    """Reads the floor for one kind of viewer at a time."""

    def __init__(
        self,
        *,
        board: LiveBoard,
        directory: Directory,
        pop_files: PopFiles,
        audience: Audience,
        days: QueueDays,
        standings: BookStandings,
        now: Callable[[], datetime],
    ) -> None:
        self._board, self._directory = board, directory
        self._pop_files, self._audience, self._days = pop_files, audience, days
        self._standings = standings
        self._now = now
        self._began_at = now()
        self._parties: OrderedDict[tuple[Hashable, CallId], tuple[Any, Any, Party]] = OrderedDict()

    def kind_of(self, viewer: Viewer, language: str) -> Hashable:
        """Two of the same kind see the same page: it is read and drawn once for both."""
        takes_calls = viewer.user_id in self._board.agents
        return (
            language,
            viewer.roles,
            viewer.permissions,
            viewer.reveals,
            viewer.scope,
            viewer.team_id,
            viewer.project_ids,
            viewer.user_id if takes_calls else None,
        )

    def floor(self, viewer: Viewer, language: str) -> Floor:
        """The whole page, at this moment."""
        now, kind = self._now(), self.kind_of(viewer, language)
        tiles = [
            self._tile(agent, viewer, language, kind)
            for agent in list(self._board.agents.values())
            if self._audience.sees_agent(viewer, agent.user)
        ]
        cards = worst_first(self._cards(viewer, tiles, now, kind))
        sees_all = viewer.scope is DataScope.ALL
        return Floor(
            link=self._link(cards, tiles),
            figures=_figures(cards, tiles),
            queues=QueueList(cards=cards, sees_all=sees_all),
            head=AgentsHead(signed_in=len(tiles), sees_all=sees_all),
            groups=grouped(tiles),
            books=self._standings.line(viewer, self._days.began_at),
        )

    # --- queues -----------------------------------------------------------------------------------

    def _cards(
        self, viewer: Viewer, tiles: Iterable[AgentTile], now: datetime, kind: Hashable
    ) -> Iterable[QueueCard]:
        states: dict[tuple[PbxId, str], Counter[AgentState]] = {}
        for tile in tiles:
            for name in tile.queues:
                states.setdefault((tile.pbx, name), Counter())[tile.state] += 1
        # Those of the set-up, and those that only Asterisk knows.
        for pbx, name in dict.fromkeys((*self._directory.queues, *self._board.queues)):
            if self._audience.sees_queue_named(viewer, pbx, name):
                yield self._card(pbx, name, states.get((pbx, name), Counter()), viewer, now, kind)

    def _card(
        self,
        pbx: PbxId,
        name: str,
        states: Counter[AgentState],
        viewer: Viewer,
        now: datetime,
        kind: Hashable,
    ) -> QueueCard:
        queue = self._board.queues.get((pbx, name)) or LiveQueue(pbx=pbx, name=name)
        waiting = sorted(
            (live for call in queue.waiting if (live := self._board.calls.get(call))),
            key=_entered,
        )
        longest = _entered(waiting[0]) if waiting else None
        heard_until = self._heard_until(pbx)
        info = self._directory.queues.get((pbx, name))
        return QueueCard(
            id=f"queue-{quote(f'{pbx}-{name}', safe='')}",
            pbx=pbx,
            name=name,
            title=info.title if info else name,
            project=info.project if info else "",
            waiting=len(waiting),
            longest_since=longest,
            level=Level.CALM if heard_until else level_of_wait(longest, now),
            callers=tuple(
                Waiting(
                    call=live.call,
                    party=self._party(live.call, live, viewer, kind),
                    since=_entered(live),
                    level=level_of_wait(_entered(live), now),
                )
                for live in waiting[:SHOWN_CALLERS]
            ),
            agents=tuple(
                StateCount(state=state, count=states[state]) for state in GROUPS if states[state]
            ),
            today=self._days.of(pbx, name),
            heard_until=heard_until,
        )

    def _heard_until(self, pbx: PbxId) -> datetime | None:
        """None while the link is up: then everything is of this moment."""
        link = self._board.links.get(pbx)
        if link is None:
            return self._began_at
        return None if link.state is LinkState.UP else link.heard_until

    def _link(self, cards: Iterable[QueueCard], tiles: Iterable[AgentTile]) -> FloorLink | None:
        pbxs = {card.pbx for card in cards} | {tile.pbx for tile in tiles} | set(self._board.links)
        return worst_link({pbx: self._board.links.get(pbx) for pbx in sorted(pbxs)}, self._began_at)

    # --- agents -----------------------------------------------------------------------------------

    def _tile(self, agent: LiveAgent, viewer: Viewer, language: str, kind: Hashable) -> AgentTile:
        state = self._board.agent_state(agent)
        unknown = state is AgentState.UNKNOWN
        link = self._board.links.get(agent.pbx)
        call, live = self._call_of(agent)
        return AgentTile(
            user=UserId(agent.user),
            name=agent.name,
            number=agent.agent_number,
            state=state,
            since=link.since if unknown and link else agent.since,
            pbx=agent.pbx,
            queues=agent.queues,
            reason=self._reason(agent.reason, language),
            reason_code=agent.reason,
            call=call,
            party=self._party(call, live, viewer, kind) if call is not None else None,
            queue=self._directory.title(agent.pbx, live.queue) if live is not None else "",
            due_at=None if unknown else agent.due_at,
            next_reason=self._reason(agent.next_reason, language),
            last_state=agent.state if unknown else None,
            listen_url=self._listen_url(agent, live, viewer),
        )

    def _listen_url(self, agent: LiveAgent, live: LiveCall | None, viewer: Viewer) -> str | None:
        if live is None or not viewer.may(Permission.LISTEN_LIVE) or viewer.user_id == agent.user:
            return None
        talk = live.talk_of(agent.interface)
        return f"/calls/{live.call}/listen" if talk is not None and talk.leg else None

    def _call_of(self, agent: LiveAgent) -> tuple[CallId | None, LiveCall | None]:
        """The call that the agent's state is about, and what of it lives."""
        if agent.call is not None:
            return agent.call, self._board.calls.get(agent.call)
        here = self._board.calls_at(agent.pbx, agent.interface)
        talks = [live for live in here if live.talk_of(agent.interface) is not None]
        live = next(iter(talks or here), None)
        return (live.call, live) if live is not None else (None, None)

    def _reason(self, code: str | None, language: str) -> str | None:
        if code is None:
            return None
        for one in self._directory.pause_reasons:
            if one.code == code:
                return one.label_en if language == "en" else one.label_zh
        return code

    # --- customers --------------------------------------------------------------------------------

    def _party(self, call: CallId, live: LiveCall | None, viewer: Viewer, kind: Hashable) -> Party:
        known, chosen = self._pop_files.known(call), self._pop_files.chosen(call)
        if known is None and live is not None:
            self._pop_files.ask(live)  # a file that was changed is looked up anew
        kept = self._parties.get((kind, call))
        if kept is not None and kept[0] is known and kept[1] == chosen:
            return kept[2]
        party = self._read_party(known, chosen, live, viewer)
        self._parties[kind, call] = (known, chosen, party)
        if len(self._parties) > KEPT_PARTIES:
            self._parties.popitem(last=False)
        return party

    def _read_party(
        self, known: Known | None, chosen: int | None, live: LiveCall | None, viewer: Viewer
    ) -> Party:
        if known is None:
            # The look-up has not answered yet, or its answer is no longer kept.
            number = self._pop_files.number_of(live) if live is not None else None
            recognised = Recognised.UNKNOWN if number else Recognised.HIDDEN
            return Party(recognised=recognised, number=number_for(viewer, number))
        customers = callers.seen_customers(known, self._directory.fields, viewer)
        one = callers.chosen(customers, chosen)
        return Party(
            recognised=callers.recognised(known, one, customers),
            name=one.get("name") if one else None,
            number=number_for(viewer, known.number),
        )


def _entered(live: LiveCall) -> datetime:
    return live.entered_at or live.started_at


def _figures(cards: Iterable[QueueCard], tiles: Iterable[AgentTile]) -> Figures:
    cards, tiles = list(cards), list(tiles)
    waits = [card.longest_since for card in cards if card.longest_since is not None]
    days = [card.today for card in cards if card.today is not None]
    levels = {card.level for card in cards}
    return Figures(
        waiting=sum(card.waiting for card in cards),
        longest_since=min(waits, default=None),
        wait_level=next(
            (level for level in (Level.BREACH, Level.WARN) if level in levels), Level.CALM
        ),
        today=added(days) if days else None,
        ready=sum(tile.state is AgentState.READY for tile in tiles),
        signed_in=len(tiles),
        unknown=any(card.unknown for card in cards),
    )
