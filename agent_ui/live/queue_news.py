"""Counts of queues, told when they have changed, and not more often than somebody reads them.

A busy queue changes with every caller. An agent glances at how many wait: once a second is enough.
Who watches the centre (a supervisor, a wallboard) is told four times a second.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from agent_ui.directory import Directory
from agent_ui.live.audience import Audience
from agent_ui.live.frames import Frame, Json, queue_json
from agent_ui.live.redraw import Redraw
from agent_ui.live.regions import Region
from agent_ui.live.sockets import Socket, Sockets
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    CallAnswered,
    CallEnded,
    CallLeftQueue,
    CallQueued,
    Event,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import PbxId, UserId
from crm_core.live_board.board import LiveBoard, LiveCall, LiveQueue

AGENT_SECONDS, WATCHER_SECONDS = 1.0, 0.25
SOCKETS_A_TURN = 10
"""Then the loop has its turn: a ringing phone waits for ten of these frames, 0.1 ms, at most."""

Key = tuple[PbxId, str]
"""A queue of a PBX."""


class QueueNews:
    """Gathers which queues have changed and tells each by itself."""

    def __init__(
        self,
        *,
        board: LiveBoard,
        directory: Directory,
        audience: Audience,
        sockets: Sockets,
        redraw: Redraw,
        seq: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._board, self._directory, self._audience = board, directory, audience
        self._sockets, self._redraw = sockets, redraw
        self._seq, self._now = seq, now
        self._lanes = (
            _Lane(AGENT_SECONDS, self._agents_of, self),
            _Lane(WATCHER_SECONDS, self._watchers_of, self),
        )
        self._users_of: dict[Key, list[UserId]] | None = None
        """Signed-in agents by queue; None: to be worked out anew."""

    def mark(self, event: Event, former: LiveCall | None) -> None:
        """Note the queues that this event changes; `former` is its call as it was before."""
        if isinstance(event, AgentSignedIn | AgentSignedOut):
            self._users_of = None
        for key in _queues_of(event, former):
            for lane in self._lanes:
                lane.mark(key)

    def joined(self) -> None:
        """Somebody new has a picture of his own: what the others were told last is not his."""
        for lane in self._lanes:
            lane.forget()

    def tell_all(self, socket: Socket) -> None:
        """For one that came back: what was gathered while it was away is not kept."""
        for queue in self._board.queues.values():
            if self._audience.sees_queue(socket.viewer, queue):
                socket.outbox.put(self.frame(self.body(queue)).text_for(socket.viewer))

    def stop(self) -> None:
        for lane in self._lanes:
            lane.stop()

    # --- for the lanes ----------------------------------------------------------------------------

    def queue(self, key: Key) -> LiveQueue | None:
        return self._board.queues.get(key)

    def body(self, queue: LiveQueue) -> Json:
        return queue_json(self._board, queue, self._directory)

    def frame(self, body: Json) -> Frame:
        return Frame(self._seq(), self._now(), "queue.changed", lambda _viewer: body)

    def put(self, socket: Socket, key: Key, frame: Frame) -> None:
        """The frame; at a desk of the queue the chips too."""
        socket.outbox.put(frame.text_for(socket.viewer))
        if socket.page == "desk" and self._takes_calls_of(socket, key):
            self._redraw.mark(socket, {Region.QUEUE_CHIPS})

    def _takes_calls_of(self, socket: Socket, key: Key) -> bool:
        user = socket.viewer.user_id
        agent = self._board.agents.get(user) if user is not None else None
        return agent is not None and agent.pbx == key[0] and key[1] in agent.queues

    def _agents_of(self, queue: LiveQueue) -> list[Socket]:
        """Of those who see no more than their own: the agents who take calls of this queue."""
        if self._users_of is None:
            self._users_of = defaultdict(list)
            for agent in self._board.agents.values():
                for name in agent.queues:
                    self._users_of[agent.pbx, name].append(agent.user)
        mine = [
            socket
            for user in self._users_of.get((queue.pbx, queue.name), ())
            for socket in self._sockets.own_of_user(user)
        ]
        return [socket for socket in mine if self._audience.sees_queue(socket.viewer, queue)]

    def _watchers_of(self, queue: LiveQueue) -> list[Socket]:
        sockets = self._sockets.beyond_own()
        return [socket for socket in sockets if self._audience.sees_queue(socket.viewer, queue)]


class _Lane:
    """One kind of listener and how often it is told."""

    def __init__(
        self, seconds: float, audience: Callable[[LiveQueue], Sequence[Socket]], news: QueueNews
    ) -> None:
        self._seconds, self._audience, self._news = seconds, audience, news
        self._due: dict[Key, asyncio.TimerHandle] = {}
        self._turn: dict[Key, asyncio.Handle] = {}
        """Queues that are being told."""
        self._told: dict[Key, Json] = {}

    def mark(self, key: Key) -> None:
        if key not in self._due:
            loop = asyncio.get_running_loop()
            self._due[key] = loop.call_later(self._seconds, self._tell, key)

    def forget(self) -> None:
        self._told.clear()

    def stop(self) -> None:
        for handle in (*self._due.values(), *self._turn.values()):
            handle.cancel()

    def _tell(self, key: Key) -> None:
        del self._due[key]
        queue = self._news.queue(key)
        if queue is None:
            return
        body = self._news.body(queue)
        if self._told.get(key) != body:
            self._told[key] = body
            self._tell_some(key, self._turns(key, body, self._audience(queue)))

    def _tell_some(self, key: Key, turns: Iterator[None]) -> None:
        self._turn.pop(key, None)
        if next(turns, self) is None:
            self._turn[key] = asyncio.get_running_loop().call_soon(self._tell_some, key, turns)

    def _turns(self, key: Key, body: Json, audience: Sequence[Socket]) -> Iterator[None]:
        """All are told the same, whatever changes meanwhile: that is told next time."""
        for begin in range(0, len(audience), SOCKETS_A_TURN):
            # Made anew in each turn: `seq` must not be older than what was sent meanwhile.
            frame = self._news.frame(body)
            for socket in audience[begin : begin + SOCKETS_A_TURN]:
                self._news.put(socket, key, frame)
            yield


def _queues_of(event: Event, former: LiveCall | None) -> set[Key]:
    touched: set[Key] = set()
    if isinstance(event, CallQueued | CallLeftQueue):
        touched.add((event.pbx, event.queue_pass.queue))
    elif isinstance(event, QueueMemberSeen | QueueMemberGone):
        touched.add((event.pbx, event.queue))
    if isinstance(event, CallQueued | CallAnswered | CallEnded) and former and former.waiting:
        touched.add((event.pbx, former.waiting.queue))
    return touched
