"""The present, as one viewer sees it: the board and the pops that ring. What a socket begins with."""

from __future__ import annotations

from collections.abc import Callable

from agent_ui.directory import Directory
from agent_ui.live.audience import Audience
from agent_ui.live.frames import Bodies, Json, board_json
from agent_ui.live.pop_files import PopFiles
from crm_core.access.viewer import Viewer
from crm_core.centre.holders import AgentRef, HolderBook
from crm_core.ids import PbxId
from crm_core.live_board.board import LiveBoard, LiveCall, LiveOffer
from crm_core.live_board.queue_day import QueueCounts


class Picture:
    """Drawn anew for each who asks."""

    def __init__(
        self,
        *,
        board: LiveBoard,
        holders: HolderBook,
        directory: Directory,
        audience: Audience,
        pop_files: PopFiles,
        bodies: Bodies,
        today: Callable[[PbxId, str], QueueCounts | None],
    ) -> None:
        self._board, self._holders, self._directory = board, holders, directory
        self._audience, self._pop_files, self._bodies = audience, pop_files, bodies
        self._today = today

    def board_for(self, viewer: Viewer) -> Json:
        """The board as this viewer sees it."""
        return board_json(
            self._board,
            self._directory,
            viewer,
            number_of=self._pop_files.number_of,
            sees_agent=self._audience.sees_agent,
            sees_queue=self._audience.sees_queue,
            sees_call=self._audience.sees_call,
            today=self._today,
        )

    async def look_up(self, viewer: Viewer) -> None:
        """Wait for what is looked up of the callers whose pops this viewer gets."""
        for live, _ in self._rings_of(viewer):
            await self._pop_files.ask(live)

    def pops_for(self, viewer: Viewer) -> list[Json]:
        """The pops of the rings that go on."""
        return [self._pop(live, offer, viewer) for live, offer in self._rings_of(viewer)]

    def _rings_of(self, viewer: Viewer) -> list[tuple[LiveCall, LiveOffer]]:
        return [
            (live, offer)
            for live in self._board.calls.values()
            for offer in live.offers
            if self._audience.gets_pop(viewer, self._holder(live, offer).user_id)
        ]

    def _pop(self, live: LiveCall, offer: LiveOffer, viewer: Viewer) -> Json:
        who = self._holder(live, offer)
        self._audience.note(live.call, who.user_id)
        return self._bodies.offered(live, offer, who, self._pop_files.ask(live))(viewer)

    def _holder(self, live: LiveCall, offer: LiveOffer) -> AgentRef:
        return self._holders.holder(live.pbx, offer.member, offer.offered_at)
