"""One call's facts in a few words: `a_call()` begins one, its methods add what happened to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from crm_core.events import (
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    CallStarted,
    ConversationEnded,
    Direction,
    EndedBy,
    LegEnded,
    LegParty,
    LegStarted,
    Member,
    OfferEnded,
    Outcome,
    PassClosed,
    PassConnected,
    PassEntered,
    PassRang,
    TimelineEvent,
)
from crm_core.ids import BootId, PbxId, QueuePassKey, call_id

PBX = PbxId("lab")
BOOT = BootId("b1795516414")
T0 = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)
CALLER = "lab-1795516416.0"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def agent(number: str) -> Member:
    return Member(interface=f"PJSIP/8{number[1:]}", name=number)


def support(ordinal: int = 1, queue: str = "support") -> QueuePassKey:
    return QueuePassKey(unique_id=CALLER, queue=queue, ordinal=ordinal)


class Story:
    """The facts of one call, as they happen. Seconds count from `T0`."""

    def __init__(self) -> None:
        self.facts: list[TimelineEvent] = []
        self.call = call_id(PBX, BOOT, CALLER)
        self._attempts = 0

    def started(self, when: float = 0.0) -> Story:
        self.facts.append(
            CallStarted(
                at=at(when),
                pbx=PBX,
                call=self.call,
                boot=BOOT,
                unique_id=CALLER,
                direction=Direction.INBOUND,
                caller_number="13800138000",
                caller_name="王",
                called_number="4001",
            )
        )
        self.facts.append(
            LegStarted(
                at=at(when),
                pbx=PBX,
                call=self.call,
                unique_id=CALLER,
                linked_id=CALLER,
                party=LegParty.CUSTOMER,
            )
        )
        return self

    def queued(self, when: float, key: QueuePassKey | None = None) -> Story:
        self.facts.append(
            CallQueued(
                at=at(when),
                pbx=PBX,
                call=self.call,
                queue_pass=key or support(),
                caller_number="13800138000",
            )
        )
        return self

    def offered(self, when: float, who: str, key: QueuePassKey | None = None) -> Story:
        self._attempts += 1
        self.facts.append(
            CallOffered(
                at=at(when),
                pbx=PBX,
                call=self.call,
                queue_pass=key or support(),
                attempt=self._attempts,
                member=agent(who),
                leg=f"leg.{self._attempts}",
            )
        )
        return self

    def offer_ended(self, when: float, attempt: int, who: str, result: AttemptResult) -> Story:
        self.facts.append(
            OfferEnded(
                at=at(when),
                pbx=PBX,
                call=self.call,
                queue_pass=support(),
                attempt=attempt,
                member=agent(who),
                result=result,
            )
        )
        return self

    def answered(self, when: float, who: str, key: QueuePassKey | None = None) -> Story:
        self.facts.append(
            CallAnswered(
                at=at(when),
                pbx=PBX,
                call=self.call,
                queue_pass=key or support(),
                member=agent(who),
            )
        )
        return self

    def left(self, when: float, key: QueuePassKey | None = None) -> Story:
        self.facts.append(
            CallLeftQueue(at=at(when), pbx=PBX, call=self.call, queue_pass=key or support())
        )
        return self

    def talked_until(
        self, when: float, who: str, by: EndedBy = EndedBy.CALLER, key: QueuePassKey | None = None
    ) -> Story:
        self.facts.append(
            ConversationEnded(
                at=at(when),
                pbx=PBX,
                call=self.call,
                queue_pass=key or support(),
                member=agent(who),
                ended_by=by,
            )
        )
        return self

    def ended(self, when: float, *, seen: bool = True) -> Story:
        self.facts.append(
            LegEnded(at=at(when), pbx=PBX, call=self.call, unique_id=CALLER, cause=16)
        )
        self.facts.append(CallEnded(at=at(when), pbx=PBX, call=self.call, cause=16, seen=seen))
        return self

    def row_entered(self, when: int, key: QueuePassKey | None = None) -> Story:
        self.facts.append(
            PassEntered(
                at=at(when),
                pbx=PBX,
                call=self.call,
                queue_pass=key or support(),
                boot=BOOT,
                caller_number="13800138000",
            )
        )
        return self

    def row_connected(
        self, when: int, who: str, wait: int, key: QueuePassKey | None = None, ring: int = 0
    ) -> Story:
        self.facts.append(
            PassConnected(
                at=at(when),
                pbx=PBX,
                call=self.call,
                queue_pass=key or support(),
                member=Member(name=who),
                wait_seconds=wait,
                ring_seconds=ring,
            )
        )
        return self

    def row_rang(
        self, when: int, who: str, seconds: int, nth: int = 1, *, cancelled: bool = False
    ) -> Story:
        self.facts.append(
            PassRang(
                at=at(when),
                pbx=PBX,
                call=self.call,
                queue_pass=support(),
                nth=nth,
                member=Member(name=who),
                ring_milliseconds=seconds * 1000,
                cancelled=cancelled,
            )
        )
        return self

    def row_closed(
        self,
        when: int,
        outcome: Outcome,
        wait: int | None,
        talk: int | None = None,
        who: str | None = None,
        key: QueuePassKey | None = None,
    ) -> Story:
        self.facts.append(
            PassClosed(
                at=at(when),
                pbx=PBX,
                call=self.call,
                queue_pass=key or support(),
                outcome=outcome,
                wait_seconds=wait,
                talk_seconds=talk,
                member=Member(name=who) if who else None,
                ended_by=EndedBy.CALLER if outcome is Outcome.ANSWERED else None,
            )
        )
        return self


def a_call() -> Story:
    return Story()
