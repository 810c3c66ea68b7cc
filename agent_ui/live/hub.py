"""From the bus to the sockets: which frame of which event goes to whom, and which regions follow.

`Hub` is a listener of the bus, called before `publish` returns, so the way of a ringing phone to the
agent's socket has no queue but the socket's own. It never awaits; what needs the database (cards,
the own day) is drawn by `redraw`, what needs the customer goes out when the look-up has answered,
and whatever comes behind it for the same socket waits for it, so that `seq` never runs backwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any

from agent_ui import shapes
from agent_ui.directory import Directory
from agent_ui.live.agent_news import OF_ONE_PERSON, AgentNews
from agent_ui.live.audience import Audience
from agent_ui.live.frames import (
    Bodies,
    Frame,
    FrameFor,
    link_json,
)
from agent_ui.live.kept_frames import KeptFrames
from agent_ui.live.outbox import MOST_FRAMES
from agent_ui.live.picture import Picture
from agent_ui.live.pop_files import Known, PopFiles
from agent_ui.live.queue_news import SOCKETS_A_TURN, QueueNews
from agent_ui.live.redraw import Kind, Redraw, kind_of
from agent_ui.live.regions import EVERY_REGION, Region, regions_changed_by
from agent_ui.live.sockets import Socket, Sockets
from crm_core.access.viewer import Viewer
from crm_core.bus import Bus, Envelope
from crm_core.centre.holders import HolderBook
from crm_core.durations import Durations
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallEvent,
    CallOffered,
    CallPlaced,
    CallQueued,
    ContactRecorded,
    CustomerChanged,
    DeviceSeen,
    Event,
    LinkChanged,
    OfferEnded,
)
from crm_core.ids import CallId, PbxId, UserId
from crm_core.live_board.board import LiveAgent, LiveBoard, LiveCall
from crm_core.live_board.queue_day import QueueCounts

log = logging.getLogger("zuoxi.live")

POP_STEPS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Seconds: half a millisecond is usual, a quarter of a second is seen by people."""
HEARTBEAT_SECONDS = 15.0
MOST_MISSED = MOST_FRAMES // 2
"""Who missed more is sent the present instead: the whole lot would burst the outbox, each time."""


class Hub:
    """One per process; `start` subscribes it."""

    def __init__(
        self,
        *,
        bus: Bus,
        board: LiveBoard,
        holders: HolderBook,
        directory: Directory,
        pop_files: PopFiles,
        redraw: Redraw,
        today: Callable[[PbxId, str], QueueCounts | None],
        now: Callable[[], datetime],
    ) -> None:
        self.sockets = Sockets()
        self.audience = Audience(board, directory)
        self.pops = Durations(POP_STEPS)
        """From the ring on the bus to the frame on its way, for each socket."""
        self._bus, self._board, self._holders = bus, board, holders
        self._pop_files, self.redraw, self._now = pop_files, redraw, now
        self._bodies = Bodies(directory)
        self._kept = KeptFrames()
        self._last_seen: dict[CallId, LiveCall] = {}
        self._kinds: dict[tuple[PbxId, str], tuple[Kind, ...]] = {}
        self._agent_news = AgentNews(board)
        self.picture = Picture(
            board=board,
            holders=holders,
            directory=directory,
            audience=self.audience,
            pop_files=pop_files,
            bodies=self._bodies,
            today=today,
        )
        self._queue_news = QueueNews(
            board=board,
            directory=directory,
            audience=self.audience,
            sockets=self.sockets,
            redraw=redraw,
            seq=lambda: bus.seq,
            now=now,
        )
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Listen. The board must have been subscribed to the bus before."""
        self._last_seen = dict(self._board.calls)
        self._unsubscribe = self._bus.subscribe(self._heard)

    def stop(self) -> None:
        """Close all sockets; they come back to whoever serves next."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._queue_news.stop()
        for socket in self.sockets.all():
            socket.outbox.end(1012, "the server restarts")

    # --- ending sockets ---------------------------------------------------------------------------

    def end(self, token_hash: str) -> None:
        """The session or token opens nothing any more."""
        for socket in self.sockets.of_token(token_hash):
            socket.outbox.end(4401, "signed out")

    def end_others(self, user: UserId | None, *, but: str) -> None:
        """All sessions of a person ended but one."""
        for socket in self.sockets.of_user(user):
            if socket.token_hash != but:
                socket.outbox.end(4401, "signed out")

    # --- one event --------------------------------------------------------------------------------

    def _heard(self, envelope: Envelope) -> None:
        event = envelope.event
        former = None
        if isinstance(event, CallEvent):
            former = self._last_seen.get(event.call)
            self._remember(event)
        elif isinstance(event, AgentSignedIn | AgentSignedOut):
            self._kinds.clear()
        elif isinstance(event, CustomerChanged):
            self._pop_files.changed(event.customer)
        step = _STEPS.get(type(event))
        if step is not None:
            step(self, envelope.seq, event, former)
        for user, body in self._agent_news.of(event):
            self._send_of_agent(Frame(envelope.seq, event.at, "agent.changed", _always(body)), user)
        self._queue_news.mark(event, former)
        self._mark_regions(event, former)
        if isinstance(event, CallEnded):
            self.audience.forget(event.call)

    def _remember(self, event: CallEvent) -> None:
        live = self._board.calls.get(event.call)
        if live is not None:
            self._last_seen[event.call] = live
        else:
            self._last_seen.pop(event.call, None)

    def _queued(self, _seq: str, event: CallQueued, _former: LiveCall | None) -> None:
        live = self._board.calls.get(event.call)
        if live is not None:
            asked = self._pop_files.ask(live)
            asked.add_done_callback(self._known)
            self.redraw.prepare_pop(live, asked, self._kinds_of(event.pbx, event.queue_pass.queue))

    def _known(self, asked: asyncio.Future[Known]) -> None:
        if not asked.cancelled():
            self._bodies.prepare(asked.result())

    def _offered(self, seq: str, event: CallOffered, former: LiveCall | None) -> None:
        live = self._board.calls.get(event.call)
        if live is None:
            return
        offer = next((ring for ring in live.offers if ring.attempt == event.attempt), None)
        if offer is None or (former is not None and offer in former.offers):
            return
        began = perf_counter()
        who = self._holders.holder(event.pbx, event.member, event.at)
        self.audience.note(event.call, who.user_id)
        asked = self._pop_files.ask(live)
        body = self._bodies.offered(live, offer, who, asked)
        frame = Frame(seq, event.at, "call.offered", body, None if asked.done() else asked)
        frame.written = lambda: self.pops.add(perf_counter() - began)
        self._send(frame, lambda viewer: self.audience.gets_pop(viewer, who.user_id), who.user_id)

    def _offer_ended(self, seq: str, event: OfferEnded, former: LiveCall | None) -> None:
        rang = former is not None and any(o.attempt == event.attempt for o in former.offers)
        if former is None or not rang or event.result is AttemptResult.ANSWERED:
            return
        who = self._holders.holder(event.pbx, event.member, event.at)
        number = self._pop_files.number_of(former)
        body = self._bodies.withdrawn(former, number, event.attempt, event.result, who)
        frame = Frame(seq, event.at, "call.withdrawn", body)
        self._send(frame, lambda viewer: self.audience.gets_pop(viewer, who.user_id), who.user_id)

    def _answered(self, seq: str, event: CallAnswered, former: LiveCall | None) -> None:
        live = self._board.calls.get(event.call)
        if live is None or (former and former.talk_of(event.member.interface)):
            return
        who = self._holders.holder(event.pbx, event.member, event.at)
        self.audience.note(event.call, who.user_id)
        queue = event.queue_pass.queue if event.queue_pass else None
        number = self._pop_files.number_of(live)
        # A supervisor sees the calls of the projects' queues, but of agents only those of the team.
        for agent, names_agent in ((shapes.agent(who), True), (None, False)):
            body = self._bodies.call_body(live, number, agent=agent, queue=queue)
            self._send_about(
                Frame(seq, event.at, "call.answered", body),
                live,
                event.call,
                partial(self._hears_who, who.user_id, names_agent),
            )

    def _hears_who(self, user: UserId | None, names_agent: bool, viewer: Viewer) -> bool:
        return self.audience.hears_who(viewer, user) is names_agent

    def _placed(self, _seq: str, event: CallPlaced, _former: LiveCall | None) -> None:
        who = self._holders.holder(event.pbx, event.member, event.at)
        self.audience.note(event.call, who.user_id)
        live = self._board.calls.get(event.call)
        if live is not None:
            self._pop_files.ask(live)

    def _ended(self, seq: str, event: CallEnded, former: LiveCall | None) -> None:
        if former is None:
            return
        number = self._pop_files.number_of(former)
        body = self._bodies.call_body(former, number, ended_at=event.at, seen=event.seen)
        self._send_about(Frame(seq, event.at, "call.ended", body), former, event.call)

    def _link(self, seq: str, event: LinkChanged, _former: LiveCall | None) -> None:
        link = self._board.links.get(event.pbx)
        if link is not None:
            frame = Frame(seq, event.at, "link.changed", _always(link_json(event.pbx, link)))
            self._send(frame, _everybody)

    # --- regions ----------------------------------------------------------------------------------

    def _mark_regions(self, event: Event, former: LiveCall | None) -> None:
        if not self.sockets.has_pages():
            return
        regions = regions_changed_by(event) - {Region.QUEUE_CHIPS}
        if isinstance(event, LinkChanged | AgentSignedIn | AgentSignedOut):
            regions |= {Region.QUEUE_CHIPS}
        if not regions:
            return
        for socket in self._pages_touched(event):
            self.redraw.mark(socket, regions)
        if isinstance(event, ContactRecorded):
            # Somebody may be rung by this call's transfer, and reads there what has just been saved.
            for user in self.audience.took_part(event.call):
                for socket in self.sockets.pages_of(user):
                    self.redraw.mark(socket, {Region.SCREEN_POPS})

    def _pages_touched(self, event: Event) -> Iterable[Socket]:
        if isinstance(event, LinkChanged):
            return [s for s in self.sockets.pages() if _is_at(self._agent_of(s), event.pbx)]
        if isinstance(event, CustomerChanged):
            return self.sockets.pages()
        if isinstance(event, OF_ONE_PERSON):
            return self.sockets.pages_of(event.user)
        if isinstance(event, DeviceSeen):
            agent = self._board.agent_at(event.pbx, event.interface)
            return self.sockets.pages_of(agent.user) if agent is not None else ()
        if isinstance(event, CallEvent):
            users = self.audience.took_part(event.call)
            return [socket for user in users for socket in self.sockets.pages_of(user)]
        return ()

    def _kinds_of(self, pbx: PbxId, queue: str) -> tuple[Kind, ...]:
        """For whom a card of this queue is drawn: one of each kind of viewer at a connected page."""
        kinds = self._kinds.get((pbx, queue))
        if kinds is None:
            here = {
                kind_of(socket.viewer, socket.language): (socket.viewer, socket.language)
                for socket in self.sockets.pages()
                if (agent := self._agent_of(socket)) and agent.pbx == pbx and queue in agent.queues
            }
            kinds = self._kinds[pbx, queue] = tuple(here.values())
        return kinds

    def _agent_of(self, socket: Socket) -> LiveAgent | None:
        user = socket.viewer.user_id
        return self._board.agents.get(user) if user is not None else None

    # --- sending ----------------------------------------------------------------------------------

    def _send_about(
        self,
        frame: Frame,
        live: LiveCall,
        call: CallId,
        also: Callable[[Viewer], bool] = lambda _viewer: True,
    ) -> None:
        """A frame about a call: to those who took part, and to those who see such calls."""
        users = self.audience.took_part(call)
        self._send(
            frame,
            lambda viewer: self.audience.sees_call(viewer, live, users) and also(viewer),
            *users,
        )

    def _send_of_agent(self, frame: Frame, user: UserId) -> None:
        self._send(frame, lambda viewer: self.audience.sees_agent(viewer, user), user)

    def _send(self, frame: Frame, may: Callable[[Viewer], bool], *users: UserId | None) -> None:
        """To the sockets of `users`, and of those who see more than their own; kept for later."""
        self._kept.keep(self._bus.seq, frame, may)
        everybody = self.sockets.all() if may is _everybody else self.sockets.beyond_own()
        for socket in {*everybody, *(s for user in users for s in self.sockets.of_user(user))}:
            if may(socket.viewer):
                put(socket, frame)

    # --- coming in --------------------------------------------------------------------------------

    async def join(self, socket: Socket, since: str | None) -> None:
        """A socket is open: what it missed, or a snapshot; all regions of its page; the stream."""
        self._kinds.clear()
        missed = self._bus.since(since) if since else None
        frames = None if missed is None else self._kept.missed(missed, socket.viewer)
        if frames is None or len(frames) > MOST_MISSED:
            await self._snapshot(socket)
        else:
            self.sockets.add(socket)
            for frame in frames:
                put(socket, frame)
            self._queue_news.tell_all(socket)
        self._queue_news.joined()
        if socket.page == "desk":
            self.redraw.mark(socket, EVERY_REGION)

    def leave(self, socket: Socket) -> None:
        self._kinds.clear()
        self.sockets.remove(socket)
        self.redraw.forget(socket)

    async def _snapshot(self, socket: Socket) -> None:
        viewer = socket.viewer
        # First: between the picture and the stream there must be no moment.
        await self.picture.look_up(viewer)
        pops = self.picture.pops_for(viewer)
        body = {"board": self.picture.board_for(viewer), "pops": pops}
        frame = Frame(self._bus.seq, self._now(), "snapshot", _always(body))
        socket.outbox.put(frame.text_for(viewer))
        self.sockets.add(socket)

    async def beat(self) -> None:
        """For ever: the server's heart, by which a browser knows that the link lives."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            everybody = self.sockets.all()
            for begin in range(0, len(everybody), SOCKETS_A_TURN):
                frame = Frame(self._bus.seq, self._now(), "heartbeat", _always({}))
                for socket in everybody[begin : begin + SOCKETS_A_TURN]:
                    socket.outbox.put(frame.text_for(socket.viewer))
                await asyncio.sleep(
                    0
                )  # a thousand at a time would hold up a ringing phone by 15 ms


def put(socket: Socket, frame: Frame) -> None:
    """Into the socket's outbox; one that waits for a look-up holds its place."""
    if frame.ready is None or frame.ready.done():
        gone = socket.outbox.put(frame.text_for(socket.viewer))
        if gone and frame.written is not None:
            frame.written()
    else:
        socket.outbox.put(FrameFor(frame, socket.viewer, frame.ready))


def _everybody(_viewer: Viewer) -> bool:
    return True


def _always(body: dict[str, Any]) -> Callable[[Viewer], dict[str, Any]]:
    return lambda _viewer: body


def _is_at(agent: LiveAgent | None, pbx: PbxId) -> bool:
    return agent is not None and agent.pbx == pbx


_STEPS: dict[type[Event], Callable[[Hub, str, Any, LiveCall | None], None]] = {
    CallQueued: Hub._queued,
    CallOffered: Hub._offered,
    OfferEnded: Hub._offer_ended,
    CallAnswered: Hub._answered,
    CallPlaced: Hub._placed,
    CallEnded: Hub._ended,
    LinkChanged: Hub._link,
}
