"""Where a call can be sent: who is ready first, then the other colleagues, then queues. Pure.

Drawn when the list is opened and again while it is open, not pushed: a list of everybody at every
desk would be drawn anew with every state of anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crm_core.commands import TargetKind
from crm_core.events import AgentState
from crm_core.live_board.board import LiveAgent, LiveBoard
from crm_core.quick_dataclass import dataclass

STATE_ORDER = (
    AgentState.READY,
    AgentState.WRAP_UP,
    AgentState.PAUSED,
    AgentState.RINGING,
    AgentState.TALKING,
    AgentState.ON_HOLD,
    AgentState.MISSED,
    AgentState.UNKNOWN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTarget:
    """A line of the list. Of a colleague no more is shown than name, number and state."""

    kind: TargetKind
    exten: str
    name: str
    number: str = ""
    """Agent number, or the queue's name at Asterisk."""
    state: AgentState | None = None
    """Of a colleague."""
    waiting: int | None = None
    """In a queue."""
    ready: int | None = None
    """Members of a queue who could take it now."""

    @property
    def takes(self) -> bool:
        """Somebody is there who could take it now."""
        return self.state is AgentState.READY or bool(self.ready)

    @property
    def words(self) -> str:
        """What a search finds it by, in small letters."""
        return " ".join((self.name, self.number, self.exten)).lower()


def transfer_targets(
    board: LiveBoard, own: LiveAgent, titles: Mapping[str, str], extensions: Iterable[str]
) -> tuple[TransferTarget, ...]:
    """Everything at the own PBX but oneself. `titles`: the queues; `extensions`: every seat."""
    colleagues = [
        agent for agent in board.agents.values() if agent.pbx == own.pbx and agent.user != own.user
    ]
    held = {agent.interface.rpartition("/")[2] for agent in (*colleagues, own)}
    return (
        *sorted((_colleague(board, agent) for agent in colleagues), key=_readiest),
        *(_queue(board, own, name, title) for name, title in sorted(titles.items(), key=_title)),
        *(
            TransferTarget(kind=TargetKind.SEAT, exten=extension, name=extension)
            for extension in sorted(extensions)
            if extension not in held
        ),
    )


def _colleague(board: LiveBoard, agent: LiveAgent) -> TransferTarget:
    return TransferTarget(
        kind=TargetKind.SEAT,
        exten=agent.interface.rpartition("/")[2],
        name=agent.name,
        number=agent.agent_number,
        state=board.agent_state(agent),
    )


def _queue(board: LiveBoard, own: LiveAgent, name: str, title: str) -> TransferTarget:
    queue = board.queues.get((own.pbx, name))
    here = [agent for agent in board.agents.values() if agent.pbx == own.pbx]
    ready = sum(
        name in agent.queues and board.agent_state(agent) is AgentState.READY for agent in here
    )
    return TransferTarget(
        kind=TargetKind.QUEUE,
        exten=name,
        name=title,
        number=name,
        waiting=len(queue.waiting) if queue else 0,
        ready=ready,
    )


def _readiest(target: TransferTarget) -> tuple[int, str]:
    state = target.state
    place = STATE_ORDER.index(state) if state in STATE_ORDER else len(STATE_ORDER)
    return place, target.number


def _title(named: tuple[str, str]) -> str:
    return named[1]
