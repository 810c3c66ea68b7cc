"""Counts of queues, told at most four times a second: a busy queue changes with every caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from agent_ui.directory import Directory
from agent_ui.live.audience import Audience
from agent_ui.live.frames import Frame, queue_json
from agent_ui.live.redraw import Redraw
from agent_ui.live.regions import Region
from agent_ui.live.sockets import Socket, Sockets
from crm_core.events import (
    CallAnswered,
    CallEnded,
    CallLeftQueue,
    CallQueued,
    Event,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import PbxId
from crm_core.live_board.board import LiveBoard, LiveCall, LiveQueue

QUEUE_SECONDS = 0.25
SOCKETS_A_TURN = 50
"""Sending to a thousand at once would hold up the loop by 30 ms, four times a second."""


class QueueNews:
    """Gathers which queues have changed and tells them together."""

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
        self._changed: set[tuple[PbxId, str]] = set()
        self._flush: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None

    def mark(self, event: Event, former: LiveCall | None) -> None:
        """Note the queues that this event changes; `former` is its call as it was before."""
        touched = _queues_of(event, former)
        if touched:
            self._changed |= touched
            if self._flush is None:
                self._flush = asyncio.get_running_loop().call_later(QUEUE_SECONDS, self._tell)

    def tell_all(self, socket: Socket) -> None:
        """For one that came back: what was gathered while it was away is not kept."""
        for queue in self._board.queues.values():
            if self._audience.sees_queue(socket.viewer, queue):
                socket.outbox.put(self._frame(queue).text_for(socket.viewer))

    def stop(self) -> None:
        for handle in (self._flush, self._turn):
            if handle is not None:
                handle.cancel()

    def _tell(self) -> None:
        self._flush = None
        changed, self._changed = self._changed, set()
        for socket in self._sockets.pages():
            user = socket.viewer.user_id
            agent = self._board.agents.get(user) if user is not None else None
            if agent and any((agent.pbx, name) in changed for name in agent.queues):
                self._redraw.mark(socket, {Region.QUEUE_CHIPS})
        self._tell_some(self._turns(sorted(changed)))

    def _tell_some(self, turns: Iterator[None]) -> None:
        """A few sockets, then the loop has its turn: a ringing phone must not wait for counts."""
        if next(turns, self) is None:
            self._turn = asyncio.get_running_loop().call_soon(self._tell_some, turns)

    def _turns(self, changed: Sequence[tuple[PbxId, str]]) -> Iterator[None]:
        for key in changed:
            queue = self._board.queues.get(key)
            if queue is None:
                continue
            audience = [
                socket
                for socket in self._sockets.all()
                if self._audience.sees_queue(socket.viewer, queue)
            ]
            for begin in range(0, len(audience), SOCKETS_A_TURN):
                # Made anew in each turn: `seq` must not be older than what was sent meanwhile.
                frame = self._frame(self._board.queues.get(key, queue))
                for socket in audience[begin : begin + SOCKETS_A_TURN]:
                    socket.outbox.put(frame.text_for(socket.viewer))
                yield

    def _frame(self, queue: LiveQueue) -> Frame:
        body = queue_json(self._board, queue, self._directory)
        return Frame(self._seq(), self._now(), "queue.changed", lambda _viewer: body)


def _queues_of(event: Event, former: LiveCall | None) -> set[tuple[PbxId, str]]:
    touched: set[tuple[PbxId, str]] = set()
    if isinstance(event, CallQueued | CallLeftQueue):
        touched.add((event.pbx, event.queue_pass.queue))
    elif isinstance(event, QueueMemberSeen | QueueMemberGone):
        touched.add((event.pbx, event.queue))
    if isinstance(event, CallQueued | CallAnswered | CallEnded) and former and former.waiting:
        touched.add((event.pbx, former.waiting.queue))
    return touched
