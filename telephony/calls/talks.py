"""The conversations of one call: who talks to whom, and whose hang-up ends it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from crm_core.events import CallAnswered, ConversationEnded, EndedBy, Event, Member
from crm_core.ids import CallId, PbxId
from telephony.calls.rings import Stay
from telephony.calls.states import PASS, PassFact, PassState, after


@dataclass(slots=True)
class Talk:
    """Two parties connected: `other` is the channel of whoever is not the agent."""

    member: Member
    leg: str | None
    other: str | None
    stay: Stay | None


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """A talk whose agent was gone before anything else: he hung up, or the caller was redirected."""

    member: Member
    leg: str | None
    other: str | None
    ended_at: datetime


class Talks:
    """Those that are not over. Their facts go to `told`."""

    def __init__(self, pbx: PbxId, call: CallId, told: list[Event]) -> None:
        self._pbx, self._call, self._told = pbx, call, told
        self._open: list[Talk] = []
        self.broken_off: BrokenOff | None = None

    def __iter__(self) -> Iterator[Talk]:
        return iter(self._open)

    def resume(self, talk: Talk) -> None:
        """Go on with a talk that was told, and not ended, before a restart of ours."""
        self._open.append(talk)

    def at_leg(self, leg: str | None) -> bool:
        """Whether somebody talks on this channel of an agent."""
        return any(talk.leg == leg for talk in self._open)

    def begin(self, at: datetime, talk: Talk) -> None:
        self._open.append(talk)
        self._told.append(
            CallAnswered(
                at=at,
                pbx=self._pbx,
                call=self._call,
                queue_pass=talk.stay.key if talk.stay else None,
                member=talk.member,
                leg=talk.leg,
                other=talk.other,
            )
        )

    def completed(
        self,
        at: datetime,
        unique_id: str | None,
        leg: str | None,
        queue: str | None,
        by: EndedBy,
    ) -> None:
        """AgentComplete. It may lack the caller's Uniqueid; then the agent's channel tells the talk."""
        for talk in self._open:
            if talk.stay is None or queue not in (None, talk.stay.key.queue):
                continue
            if unique_id == talk.stay.key.unique_id if unique_id else leg == talk.leg:
                self._end(at, talk, by)
                return

    def leg_gone(self, at: datetime, unique_id: str, *, is_leg: bool) -> None:
        """Who leaves first is who hung up; AgentComplete, which knows, has come before.

        A Local half at the other end may go, and those who talk through it talk on.
        """
        for talk in self._on(unique_id):
            agents = unique_id == talk.leg
            if not agents and not is_leg:
                continue
            if agents:
                self.broken_off = BrokenOff(talk.member, talk.leg, talk.other, at)
            self._end(at, talk, EndedBy.AGENT if agents else EndedBy.CALLER)

    def end_on(self, at: datetime, unique_id: str, by: EndedBy) -> None:
        """End those in which this channel takes part."""
        for talk in self._on(unique_id):
            self._end(at, talk, by)

    def end_all(self, at: datetime, by: EndedBy = EndedBy.UNKNOWN) -> None:
        for talk in self._open[:]:
            self._end(at, talk, by)

    def of_leg(self, leg: str | None) -> Talk | None:
        """Of the agent who talks on this channel."""
        return next((talk for talk in self._open if talk.leg == leg), None)

    def _on(self, unique_id: str) -> list[Talk]:
        return [talk for talk in self._open if unique_id in (talk.leg, talk.other)]

    def _end(self, at: datetime, talk: Talk, by: EndedBy) -> None:
        self._open.remove(talk)
        if talk.stay is not None:
            talk.stay.state = after(PASS, talk.stay.state, PassFact.COMPLETES) or PassState.OVER
        self._told.append(
            ConversationEnded(
                at=at,
                pbx=self._pbx,
                call=self._call,
                queue_pass=talk.stay.key if talk.stay else None,
                member=talk.member,
                ended_by=by,
                leg=talk.leg,
            )
        )
