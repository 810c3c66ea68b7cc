"""The transfers of one call: who sends it where, and what becomes of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from crm_core.events import (
    Event,
    Member,
    TransferBegan,
    TransferEnded,
    TransferKind,
    TransferResult,
)
from crm_core.ids import CallId, PbxId
from telephony.calls.states import TRANSFER, TransferFact, TransferState, after


@dataclass(slots=True)
class Transfer:
    """One that is not over."""

    nth: int
    kind: TransferKind
    member: Member
    leg: str | None
    """The channel of who transfers."""
    state: TransferState
    target: Member | None = None
    """Whom the transferring agent is talking to meanwhile."""
    tried: bool = False
    """Somebody was rung for it, or it waits in a queue."""
    declined: bool = False
    """Who was rung did not take it."""


class Transfers:
    """At most one is under way: nobody can be sent to two places. Facts go to `told`."""

    def __init__(self, pbx: PbxId, call: CallId, told: list[Event]) -> None:
        self.under_way: Transfer | None = None
        self._count = 0
        self._begun: set[tuple[TransferKind, str | None]] = set()
        self._pbx, self._call, self._told = pbx, call, told

    def resume(self, facts: Iterable[Event]) -> None:
        """Go on with what was told before a restart of ours."""
        over = {fact.nth for fact in facts if isinstance(fact, TransferEnded)}
        for fact in facts:
            if isinstance(fact, TransferBegan):
                self._count = max(self._count, fact.nth)
                if fact.nth not in over:
                    attended = fact.kind is TransferKind.ATTENDED
                    state = TransferState.CONSULTING if attended else TransferState.ON_ITS_WAY
                    self.under_way = Transfer(
                        fact.nth, fact.kind, fact.member, None, state, tried=True
                    )

    def begin(
        self,
        at: datetime,
        kind: TransferKind,
        member: Member,
        to: str,
        *,
        leg: str | None,
        known_by: str | None,
    ) -> bool:
        """False: this one is told already. `known_by` is the channel of which there is one for each."""
        if not self.is_news(kind, known_by):
            return False
        self.give_up(at)
        self._count += 1
        attended = kind is TransferKind.ATTENDED
        state = TransferState.CONSULTING if attended else TransferState.ON_ITS_WAY
        self.under_way = Transfer(self._count, kind, member, leg, state)
        self._told.append(
            TransferBegan(
                at=at,
                pbx=self._pbx,
                call=self._call,
                nth=self._count,
                kind=kind,
                member=member,
                to=to,
            )
        )
        return True

    def is_news(self, kind: TransferKind, known_by: str | None) -> bool:
        """Whether nobody has told this yet. To be asked once."""
        known = (kind, known_by) in self._begun
        self._begun.add((kind, known_by))
        return not known

    def hand_over(self, at: datetime, target: Member | None) -> None:
        """Who transfers lets go: to whom he talks, or while it rings there ("blonde")."""
        if self.under_way is None:
            return
        if state := after(TRANSFER, self.under_way.state, TransferFact.HANDS_OVER):
            self.under_way.state = state
            target = target or self.under_way.target
            if target is not None:
                self.answer(at, target)

    def answer(self, at: datetime, member: Member | None) -> None:
        """Somebody talks to the caller, or to who will transfer him; None: somebody outside."""
        one = self.under_way
        if one is None:
            return
        if one.state is TransferState.CONSULTING:
            if member != one.member:
                one.target = member
            return
        back = member is not None and member.interface == one.member.interface
        result = TransferResult.RETURNED if back else TransferResult.SUCCEEDED
        self._end(at, TransferFact.ANSWERS, result, member)

    def try_(self) -> None:
        """Somebody is rung for it, or it waits in a queue."""
        if self.under_way is not None:
            self.under_way.tried = True

    def declined(self) -> None:
        """Who was rung did not take it."""
        if self.under_way is not None:
            self.under_way.declined = True

    def back(self, at: datetime, leg: str) -> None:
        """This agent talks to the caller again."""
        if self.under_way is not None and self.under_way.leg in (leg, None):
            self._end(at, TransferFact.RETURNS, TransferResult.RETURNED, self.under_way.member)

    def fail(self, at: datetime) -> None:
        """Asterisk did not do it."""
        self._end(at, TransferFact.GIVES_UP, TransferResult.FAILED, None)

    def give_up(self, at: datetime) -> None:
        """Who was to be transferred is gone, or sent elsewhere."""
        if self.under_way is not None:
            failed = self.under_way.declined or not self.under_way.tried
            result = TransferResult.FAILED if failed else TransferResult.ABANDONED
            self._end(at, TransferFact.GIVES_UP, result, None)

    def _end(
        self, at: datetime, fact: TransferFact, result: TransferResult, to_member: Member | None
    ) -> None:
        if self.under_way is None or after(TRANSFER, self.under_way.state, fact) is None:
            return
        nth, self.under_way = self.under_way.nth, None
        self._told.append(
            TransferEnded(
                at=at,
                pbx=self._pbx,
                call=self._call,
                nth=nth,
                to_member=to_member,
                result=result,
            )
        )
