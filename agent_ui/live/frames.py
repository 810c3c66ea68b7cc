"""The frames of the socket: what each event says to whom, as JSON made once per kind of viewer.

A frame is `{seq, at, type, …}`. Two viewers with the same roles and rights get the same text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from agent_ui import shapes
from agent_ui.directory import Directory
from agent_ui.live.pop_files import NOTHING, Known
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.centre.holders import AgentRef
from crm_core.events import AgentState, AttemptResult
from crm_core.ids import PbxId, UserId
from crm_core.live_board.board import LiveAgent, LiveBoard, LiveCall, LiveLink, LiveOffer, LiveQueue
from crm_core.live_board.queue_day import SERVICE_LEVEL_SECONDS, QueueCounts
from crm_core.pop_query import PopFile

Json = dict[str, Any]
Body = Callable[[Viewer], Json]


Kind = tuple[Any, ...]
MOST_KINDS = 8
"""So many kinds of viewers get their pops prepared."""


def kind_of(viewer: Viewer) -> Kind:
    """Viewers of one kind are told the same."""
    return viewer.roles, viewer.permissions, viewer.reveals


class Frame:
    """One frame; `text_for` renders it once per kind of viewer."""

    __slots__ = ("_body", "_head", "_texts", "ready", "written")

    def __init__(
        self,
        seq: str,
        at: datetime,
        kind: str,
        body: Body,
        ready: asyncio.Future[Any] | None = None,
    ) -> None:
        self._head = {"seq": seq, "at": at, "type": kind}
        self._body = body
        self._texts: dict[Any, bytes] = {}
        self.ready = ready
        """Done when the body can be made; None: it can at once."""
        self.written: Callable[[], None] | None = None
        """Told whenever it is on its way to a socket; the stopwatch of the screen pop."""

    def text_for(self, viewer: Viewer) -> bytes:
        kind = kind_of(viewer)
        text = self._texts.get(kind)
        if text is None:
            text = self._texts[kind] = shapes.json_of({**self._head, **self._body(viewer)})
        return text


class FrameFor:
    """A frame whose body is still being looked up, on its way to one viewer."""

    __slots__ = ("_frame", "_viewer", "ready")

    def __init__(self, frame: Frame, viewer: Viewer, ready: asyncio.Future[Any]) -> None:
        self._frame, self._viewer, self.ready = frame, viewer, ready

    def text(self) -> bytes:
        text = self._frame.text_for(self._viewer)
        if self._frame.written is not None:
            self._frame.written()
        return text


class Bodies:
    """Makes the bodies of frames from the board and what is known of the centre."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._of_late: dict[Kind, Viewer] = {}
        """One of each kind of viewer that was told of a caller."""

    def offered(
        self,
        live: LiveCall,
        offer: LiveOffer,
        who: AgentRef,
        asked: asyncio.Future[Known],
    ) -> Body:
        """`call.offered`: the screen pop."""

        def body(viewer: Viewer) -> Json:
            known = asked.result() if asked.done() and not asked.cancelled() else NOTHING
            return {
                "call": shapes.live_call(live, known.number, self._directory, viewer),
                **self._file(known, viewer),
                "agent": shapes.agent(who),
                "attempt": offer.attempt,
                "offered_at": offer.offered_at,
                "queue": offer.queue,
                "queue_title": self._directory.title(live.pbx, offer.queue) or None,
                "hotline": shapes.hotline(self._directory.hotline(live.pbx, live.called_number)),
                "looked_up": known.available,
            }

        return body

    def prepare(self, known: Known) -> None:
        """Make what a pop tells of the caller before it rings, for viewers like those of late."""
        for viewer in self._of_late.values():
            self._file(known, viewer)

    def _file(self, known: Known, viewer: Viewer) -> Json:
        """What was looked up, as JSON made once per kind of viewer: most of a pop's text."""
        kind, fields = kind_of(viewer), self._directory.fields
        made = known.told.get(kind)
        if made is None or made[0] is not fields:
            if len(self._of_late) >= MOST_KINDS:
                self._of_late.clear()
            self._of_late[kind] = viewer
            parts = self._parts(known, viewer)
            made = fields, {name: shapes.ready_json(part) for name, part in parts.items()}
            known.told[kind] = made
        return cast("Json", made[1])

    def _parts(self, known: Known, viewer: Viewer) -> Json:
        found = shapes.customers(known, self._directory, viewer)
        past = known.file if viewer.may(Permission.READ_CUSTOMERS) else PopFile()
        return {
            "customer": found[0] if len(found) == 1 else None,
            "customers": found,
            "repeat": shapes.repeat(past.repeat),
            "last_contacts": [shapes.last_contact(one) for one in past.last_contacts],
        }

    def call_body(self, live: LiveCall, number: str | None, **more: Any) -> Body:
        """`call.withdrawn`, `call.answered`, `call.ended`."""

        def body(viewer: Viewer) -> Json:
            return {
                "call": shapes.live_call(live, number, self._directory, viewer),
                **more,
            }

        return body

    def withdrawn(
        self, live: LiveCall, number: str | None, attempt: int, result: AttemptResult, who: AgentRef
    ) -> Body:
        return self.call_body(live, number, agent=shapes.agent(who), attempt=attempt, result=result)


def agent_json(agent: LiveAgent, state: AgentState) -> Json:
    """An agent on the board and in `agent.changed`."""
    return {
        "pbx": agent.pbx,
        "agent": {
            "number": agent.agent_number,
            "name": agent.name,
            "interface": agent.interface,
        },
        "state": state,
        "since": agent.since,
        "reason": agent.reason,
        "due_at": agent.due_at if state is AgentState.WRAP_UP else None,
        "next": (
            {"state": agent.next_state, "reason": agent.next_reason} if agent.next_state else None
        ),
        "queues": list(agent.queues),
        "answered": agent.answered,
    }


def queue_json(board: LiveBoard, queue: LiveQueue, directory: Directory) -> Json:
    """A queue on the board and in `queue.changed`."""
    return {
        "pbx": queue.pbx,
        "queue": queue.name,
        "title": directory.title(queue.pbx, queue.name),
        "waiting": len(queue.waiting),
        "longest_since": board.longest_wait(queue),
        "members": len(queue.members),
        "paused": sum(member.paused for member in queue.members),
    }


def today_json(counts: QueueCounts | None) -> Json | None:
    """What a queue did today, in passes (F33); null until the rows of today have been read."""
    if counts is None:
        return None
    return {
        "offered": counts.offered,
        "answered": counts.answered,
        "abandoned": counts.abandoned,
        "overflowed": counts.overflowed,
        "withdrawn": counts.withdrawn,
        "otherwise": counts.otherwise,
        "open": counts.open,
        "service_level": counts.service_level,
        "service_level_seconds": SERVICE_LEVEL_SECONDS,
    }


def link_json(pbx: str, link: LiveLink) -> Json:
    """A PBX on the board and in `link.changed`."""
    return {
        "pbx": pbx,
        "state": link.state,
        "since": link.since,
        "heard_until": link.heard_until,
        "reason": link.reason,
    }


def board_json(
    board: LiveBoard,
    directory: Directory,
    viewer: Viewer,
    *,
    number_of: Callable[[LiveCall], str | None],
    sees_agent: Callable[[Viewer, UserId], bool],
    sees_queue: Callable[[Viewer, LiveQueue], bool],
    sees_call: Callable[[Viewer, LiveCall], bool],
    today: Callable[[PbxId, str], QueueCounts | None],
) -> Json:
    """The board as far as this viewer sees it: `/api/v1/live` and the snapshot frame."""
    return {
        "links": [link_json(pbx, link) for pbx, link in board.links.items()],
        "agents": [
            agent_json(agent, board.agent_state(agent))
            for agent in board.agents.values()
            if sees_agent(viewer, agent.user)
        ],
        "queues": [
            {
                **queue_json(board, queue, directory),
                "today": today_json(today(queue.pbx, queue.name)),
            }
            for queue in board.queues.values()
            if sees_queue(viewer, queue)
        ],
        "calls": [
            {
                **shapes.live_call(live, number_of(live), directory, viewer),
                "queue": live.queue,
                "entered_at": live.entered_at,
                "waiting": live.waiting is not None,
                "answered": live.answered,
            }
            for live in board.calls.values()
            if sees_call(viewer, live)
        ],
    }
