"""Rows of `queue_log` about members of queues: who belonged to one, and who was paused in it. Pure."""

from __future__ import annotations

from crm_core.agents.rules import OURS
from crm_core.events import Event, MemberChange, MemberTold
from crm_core.ids import PbxId
from telephony.queue_log.parser import Row

MEMBER_CHANGES = {
    "ADDMEMBER": MemberChange.ADDED,
    "REMOVEMEMBER": MemberChange.REMOVED,
    "PAUSE": MemberChange.PAUSED,
    "UNPAUSE": MemberChange.UNPAUSED,
}
"""Rows about one member of one queue. (PAUSEALL and UNPAUSEALL follow such a row for each queue.)"""


class MemberFold:
    """Fed such rows in the order of the file. Our own pauses are nothing that has to be told: each
    call has some, and `agent_states` knows them."""

    def __init__(self, pbx: PbxId) -> None:
        self._pbx = pbx
        self._paused_by_us: set[tuple[str, str]] = set()
        """(Queue, member's name)"""

    def feed(self, row: Row) -> list[Event]:
        place, change = (row.queue, row.agent), MEMBER_CHANGES[row.verb]
        if "NONE" in place:
            return []
        if change is MemberChange.PAUSED and row.data[0].startswith(OURS):
            self._paused_by_us.add(place)
            return []
        if change is not MemberChange.ADDED and place in self._paused_by_us:
            self._paused_by_us.discard(place)
            if change is MemberChange.UNPAUSED:
                return []
        return [
            MemberTold(
                at=row.at,
                pbx=self._pbx,
                queue=row.queue,
                name=row.agent,
                change=change,
                reason=row.data[0] or None,
            )
        ]
