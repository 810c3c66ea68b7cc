"""The rings of one call: at whom it rang, and how each ring ended.

Asterisk tells the reason of a ring's end in pieces and in changing order. A refusal (603), for one,
is DialEnd NOANSWER, AgentRingNoAnswer, then Hangup with cause 21 (measured on 22.10.1): so what
stops a ring is noted, and the agent's Hangup, an answer elsewhere or the caller's end settles it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crm_core.events import AttemptResult, CallOffered, Event, Member, OfferEnded
from crm_core.ids import CallId, PbxId, QueuePassKey
from telephony.calls.states import BY_CAUSE, OFFER, OfferFact, OfferState, PassState, after

SETTLES_AFTER = timedelta(seconds=1)
"""How long a message that would explain a Leave or the end of a ring is waited for."""

OPEN = (OfferState.RINGING, OfferState.STOPPED)


@dataclass(slots=True)
class Stay:
    """One stay in one queue."""

    key: QueuePassKey
    entered_at: datetime
    state: PassState = PassState.WAITING
    left_at: datetime | None = None
    lifted: bool = False
    """A phone that rang was lifted; AgentConnect follows."""


@dataclass(slots=True)
class Offer:
    """One ring at one agent."""

    attempt: int
    member: Member
    device: str
    stay: Stay | None
    legs: set[str] = field(default_factory=set)
    """Uniqueids that ring for it: of a Local member the half, and the phone behind it."""
    state: OfferState = OfferState.RINGING
    stopped_at: datetime | None = None
    why: AttemptResult | None = None
    """How it ended, as far as the messages have said that stopped it."""

    @property
    def queue_pass(self) -> QueuePassKey | None:
        return self.stay.key if self.stay else None


class Rings:
    """`count` is how often this call has rung somebody, rings before a restart of ours included.

    Facts go to `told`.
    """

    def __init__(self, pbx: PbxId, call: CallId, told: list[Event]) -> None:
        self.count = 0
        self._pbx, self._call, self._told = pbx, call, told
        self._offers: list[Offer] = []

    def begin(
        self, at: datetime, stay: Stay | None, member: Member, leg: str | None, device: str
    ) -> None:
        """It rings at an agent. A ring is known by the agent's channel: told twice, it is one."""
        for known in self._offers:
            same = leg in known.legs if leg else known.member == member and known.state in OPEN
            if same and known.stay is stay:
                return
        self.count += 1
        offer = Offer(self.count, member, device, stay, {leg} if leg else set())
        self._offers.append(offer)
        self._told.append(
            CallOffered(
                at=at,
                pbx=self._pbx,
                call=self._call,
                queue_pass=offer.queue_pass,
                attempt=offer.attempt,
                member=member,
                leg=leg,
            )
        )

    def resume(self, ring: CallOffered, stay: Stay | None) -> None:
        """Go on with a ring that was told, and not ended, before a restart of ours."""
        legs = {ring.leg} if ring.leg else set()
        device = ring.member.interface or ""
        self._offers.append(Offer(ring.attempt, ring.member, device, stay, legs))

    def at_leg(self, leg: str | None) -> Offer | None:
        """The latest ring of this channel, or of the Local channel it was dialled for."""
        if not leg:
            return None
        for offer in reversed(self._offers):
            if leg in offer.legs:
                return offer
        return None

    def at_member(self, queue: str, interface: str) -> Offer | None:
        """The ring of this queue at this member that is not over."""
        for offer in reversed(self._offers):
            in_queue = offer.stay is not None and offer.stay.key.queue == queue
            if in_queue and offer.member.interface == interface and offer.state in OPEN:
                return offer
        return None

    def stop(self, at: datetime, offer: Offer, why: AttemptResult | None) -> None:
        """It rings no longer. A caller who is connected elsewhere settles it; else what follows."""
        if offer.stay is not None and why is None and offer.stay.lifted:
            self.end(at, offer, AttemptResult.ELSEWHERE)
        elif state := after(OFFER, offer.state, OfferFact.STOPS):
            offer.state, offer.stopped_at, offer.why = state, at, why
        elif offer.state is OfferState.STOPPED:
            offer.why = offer.why or why

    def leg_gone(self, at: datetime, unique_id: str, cause: int | None) -> None:
        """The agent's Hangup."""
        for offer in [each for each in self._offers if unique_id in each.legs]:
            result = BY_CAUSE.get(cause or 0) or offer.why
            if result is None and offer.stay is None:
                result = AttemptResult.NO_ANSWER
            if result is not None:
                self.end(offer.stopped_at or at, offer, result)
            else:
                self.stop(at, offer, None)

    def answer(self, at: datetime, stay: Stay | None, member: Member, leg: str | None) -> None:
        """Somebody talks to the caller: his ring was answered, all others end elsewhere."""
        for offer in self._ringing(stay):
            here = leg in offer.legs if leg and offer.legs else True
            if here and offer.member.interface == member.interface:
                offer.state = after(OFFER, offer.state, OfferFact.ANSWERS) or offer.state
            else:
                self.end(at, offer, offer.why or AttemptResult.ELSEWHERE)

    def give_up(self, at: datetime, stay: Stay | None) -> None:
        """The caller, or the queue, lets go."""
        for offer in self._ringing(stay):
            self.end(at, offer, offer.why or AttemptResult.GONE)

    def end_all(self, at: datetime) -> None:
        for offer in self._offers:
            talking = offer.stay is not None and offer.stay.state is PassState.TALKING
            result = AttemptResult.ELSEWHERE if talking else AttemptResult.GONE
            self.end(at, offer, offer.why or result)

    def end(self, at: datetime, offer: Offer, result: AttemptResult) -> None:
        state = after(OFFER, offer.state, OfferFact.ENDS)
        if state is None:
            return
        offer.state = state
        self._told.append(
            OfferEnded(
                at=at,
                pbx=self._pbx,
                call=self._call,
                queue_pass=offer.queue_pass,
                attempt=offer.attempt,
                member=offer.member,
                result=result,
            )
        )

    def _ringing(self, stay: Stay | None) -> list[Offer]:
        return [each for each in self._offers if each.stay is stay and each.state in OPEN]

    @property
    def ringing(self) -> list[Offer]:
        return [each for each in self._offers if each.state is OfferState.RINGING]

    @property
    def unsettled(self) -> bool:
        return OfferState.STOPPED in [offer.state for offer in self._offers]

    def settle(self, at: datetime) -> None:
        """Nothing said why a ring stopped: then nobody answered it."""
        for offer in self._offers:
            stopped = offer.stopped_at if offer.state is OfferState.STOPPED else None
            if stopped and at - stopped > SETTLES_AFTER:
                self.end(stopped, offer, offer.why or AttemptResult.NO_ANSWER)
