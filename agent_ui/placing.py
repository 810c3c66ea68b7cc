"""Click-to-dial: ring somebody's own phone, then dial, at most once whatever breaks.

The wish is a committed row before Asterisk is asked. A wish that comes again (the same
`Idempotency-Key`), after a crash or a lost answer, is looked up and never sent a second time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from agent_ui.deps import Deps
from crm_core.access.audit import audit
from crm_core.access.permissions import DataScope, Permission
from crm_core.access.viewer import Viewer
from crm_core.commands import AttemptOf, PlaceCall, Placed, Target, TargetKind
from crm_core.customers.phone_numbers import masked
from crm_core.db import reading, transaction
from crm_core.dialling import dialled_digits, new_attempt
from crm_core.errors import Conflict, NotFound, Unavailable
from crm_core.events import AgentState, LinkState
from crm_core.ids import CallId
from crm_core.live_board.board import LiveAgent
from crm_core.outbox.models import CommandOutcome
from crm_core.outbox.queries import KeptWish, Wish, call_of_attempt, keep, settle
from crm_core.quick_dataclass import dataclass

ANSWER_SECONDS: Final = 5.0
UNDER_WAY: Final = timedelta(seconds=ANSWER_SECONDS + 1)
"""So long a wish may be in other hands: a second request must not take it for one left by a crash."""

MAY_DIAL: Final = frozenset(
    {AgentState.READY, AgentState.PAUSED, AgentState.WRAP_UP, AgentState.MISSED}
)

NOT_AT_A_PHONE = "Nobody is signed in at a phone under this agent number."
IN_A_CALL = "This phone is in a call already: end that first."
NO_LINK = "The telephone system is not reachable just now. Dial at the phone."
BEING_DIALLED = "This is being dialled already."
ANOTHER_WISH = "This Idempotency-Key was used for another call. Use a new one for each."
NOBODY_KNOWS = (
    "It is not known whether the phone rang, and nothing was dialled again. Look at the phone, then "
    "dial anew."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A call that is under way: `attempt` is the Uniqueid of its first channel."""

    attempt: str
    call: CallId | None
    agent: LiveAgent


def agent_numbered(deps: Deps, viewer: Viewer, number: str) -> LiveAgent:
    """The signed-in agent with this agent number, whose phone the viewer may ring: the own one, or one
    of the own data scope. Raises `NotFound` for the others, as for one who is not there."""
    for agent in deps.board.agents.values():
        if agent.agent_number == number and _may_ring(deps, viewer, agent):
            return agent
    raise NotFound(NOT_AT_A_PHONE)


def _may_ring(deps: Deps, viewer: Viewer, agent: LiveAgent) -> bool:
    if agent.user == viewer.user_id:
        return viewer.may(Permission.TAKE_CALLS)
    return viewer.scope is not DataScope.OWN and deps.hub.audience.sees_agent(viewer, agent.user)


async def place(
    deps: Deps,
    viewer: Viewer,
    agent: LiveAgent,
    number: str,
    *,
    reason: str = "",
    key: str = "",
) -> Placement:
    """Dial `number` (as it is kept, or an extension of the centre) from the agent's phone."""
    now = deps.now()
    wish = Wish(
        actor=viewer.name,
        wish=key[:128] or new_attempt(now),
        pbx=agent.pbx,
        attempt=new_attempt(now),
        user_id=agent.user,
        interface=agent.interface,
        to=_target(deps, agent, number),
        reason=reason[:200],
        asked_at=now,
    )
    async with transaction(deps.engine) as connection:
        kept, is_new = await keep(connection, wish)
        if is_new:
            _refuse_busy(deps, agent)
            shown = masked(wish.to.exten) if wish.to.kind is TargetKind.NUMBER else wish.to.exten
            detail = {"to": shown, "reason": wish.reason, "attempt": wish.attempt}
            await audit(connection, viewer.name, "call.place", agent.agent_number, detail, at=now)
    if is_new:
        command = PlaceCall(
            pbx=wish.pbx, attempt=wish.attempt, interface=wish.interface, to=wish.to
        )
        return await _settled(deps, agent, kept, await deps.bus.ask(command, ANSWER_SECONDS))
    return await _again(deps, agent, wish, kept)


def _target(deps: Deps, agent: LiveAgent, number: str) -> Target:
    typed = number.strip()
    if (agent.pbx, typed) in deps.directory.extensions:
        return Target(kind=TargetKind.SEAT, exten=typed)
    return Target(kind=TargetKind.NUMBER, exten=dialled_digits(typed, deps.settings.region))


def _refuse_busy(deps: Deps, agent: LiveAgent) -> None:
    state = deps.board.agent_state(agent)
    if state is AgentState.UNKNOWN:
        raise Unavailable(NO_LINK)
    if state not in MAY_DIAL:
        raise Conflict(IN_A_CALL)


async def _again(deps: Deps, agent: LiveAgent, wish: Wish, kept: KeptWish) -> Placement:
    """A wish that was written down before: what became of it."""
    if (kept.pbx, kept.user_id, kept.to) != (wish.pbx, wish.user_id, wish.to):
        raise Conflict(ANOTHER_WISH)
    if kept.outcome is CommandOutcome.DONE:
        return Placement(attempt=kept.attempt, call=kept.call_id, agent=agent)
    if kept.outcome is not None:
        raise Conflict(kept.refused or NOBODY_KNOWS)
    if wish.asked_at - kept.asked_at < UNDER_WAY:
        raise Conflict(BEING_DIALLED)
    link = deps.board.links.get(kept.pbx)
    if link is None or link.state is not LinkState.UP:
        raise Unavailable(NO_LINK)  # what lives there is not known now, so nothing can be looked up
    found = await deps.bus.ask(AttemptOf(pbx=kept.pbx, attempt=kept.attempt), ANSWER_SECONDS)
    if isinstance(found, Placed) and found.call is None:
        async with reading(deps.engine) as connection:
            found = Placed(call=await call_of_attempt(connection, kept.attempt))
        if found.call is None:
            async with transaction(deps.engine) as connection:
                await settle(connection, kept.attempt, CommandOutcome.UNKNOWN, at=deps.now())
            raise Conflict(NOBODY_KNOWS)
    return await _settled(deps, agent, kept, found)


async def _settled(deps: Deps, agent: LiveAgent, kept: KeptWish, answer: object) -> Placement:
    if not isinstance(answer, Placed) or (answer.refused is None and answer.call is None):
        # Asked, and not answered: the row stays open, and whoever asks again is told what is found.
        raise Unavailable(NOBODY_KNOWS)
    outcome = CommandOutcome.DONE if answer.refused is None else CommandOutcome.REFUSED
    async with transaction(deps.engine) as connection:
        await settle(
            connection,
            kept.attempt,
            outcome,
            at=deps.now(),
            refused=answer.refused,
            call=answer.call,
        )
    if answer.refused is not None:
        raise Conflict(answer.refused)
    return Placement(attempt=kept.attempt, call=answer.call, agent=agent)
