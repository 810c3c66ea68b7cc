"""Who may see what on the socket and the board: the rules, without any input or output."""

from __future__ import annotations

from collections.abc import Collection

from agent_ui.directory import Directory
from crm_core.access.permissions import DataScope, Permission
from crm_core.access.scope import sees_agent
from crm_core.access.viewer import Viewer
from crm_core.ids import CallId, PbxId, UserId
from crm_core.live_board.board import LiveBoard, LiveCall, LiveQueue


class Audience:
    """Answers for a viewer; knows who took part in the calls that live."""

    def __init__(self, board: LiveBoard, directory: Directory) -> None:
        self._board, self._directory = board, directory
        self._took_part: dict[CallId, set[UserId]] = {}

    # --- who took part ----------------------------------------------------------------------------

    def note(self, call: CallId, user: UserId | None) -> None:
        """This person was rung, talks, or placed the call."""
        if user is not None:
            self._took_part.setdefault(call, set()).add(user)

    def took_part(self, call: CallId) -> frozenset[UserId]:
        return frozenset(self._took_part.get(call, ()))

    def forget(self, call: CallId) -> None:
        """The call has ended and everybody was told."""
        self._took_part.pop(call, None)

    # --- the rules --------------------------------------------------------------------------------

    def sees_agent(self, viewer: Viewer, user: UserId | None) -> bool:
        """What an agent does: the own state, and those within the data scope."""
        if not viewer.may(Permission.READ_LIVE):
            return False
        row = self._directory.people.get(user) if user is not None else None
        return sees_agent(
            viewer, user, row.team_id if row else None, row.project_ids if row else frozenset()
        )

    def sees_queue(self, viewer: Viewer, queue: LiveQueue) -> bool:
        """The queues one takes calls of; beyond *own* those of the own projects; or all."""
        return self.sees_queue_named(viewer, queue.pbx, queue.name)

    def sees_queue_named(self, viewer: Viewer, pbx: PbxId, name: str) -> bool:
        if not viewer.may(Permission.READ_LIVE):
            return False
        if viewer.scope is DataScope.ALL:
            return True
        agent = self._board.agents.get(viewer.user_id) if viewer.user_id else None
        if agent is not None and agent.pbx == pbx and name in agent.queues:
            return True
        found = self._directory.queues.get((pbx, name))
        within = found is not None and found.project_id in viewer.project_ids
        return within and viewer.scope is not DataScope.OWN

    def queues_seen(self, viewer: Viewer, pbxs: Collection[PbxId]) -> frozenset[str] | None:
        """Names of the queues of these PBXs that this viewer sees; None: all there are or were."""
        if viewer.scope is DataScope.ALL:
            return None
        return frozenset(
            name
            for pbx, name in self._directory.queues
            if pbx in pbxs and self.sees_queue_named(viewer, pbx, name)
        )

    def sees_call(
        self, viewer: Viewer, live: LiveCall, users: frozenset[UserId] | None = None
    ) -> bool:
        """A call that goes on: the own ones; within the scope those of its agents (`users`, if the
        call is over), and those of a queue one sees."""
        users = self.took_part(live.call) if users is None else users
        if viewer.user_id in users:
            return True
        if not viewer.may(Permission.READ_LIVE):
            return False
        if viewer.scope is DataScope.ALL:
            return True
        if viewer.scope is DataScope.OWN:
            return False
        if live.queue is not None and self.sees_queue_named(viewer, live.pbx, live.queue):
            return True
        return any(self.sees_agent(viewer, user) for user in users)

    def hears_who(self, viewer: Viewer, user: UserId | None) -> bool:
        """Whether a frame about a call names this agent. Those who were rung hear who took it."""
        return viewer.scope is DataScope.OWN or self.sees_agent(viewer, user)

    def gets_pop(self, viewer: Viewer, user: UserId | None) -> bool:
        """`call.offered` goes to the person whose phone rings, and to programs that see all."""
        if viewer.user_id is None:
            return viewer.may(Permission.READ_LIVE) and viewer.scope is DataScope.ALL
        return viewer.user_id == user
