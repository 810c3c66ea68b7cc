"""What the call log answers: calls, passes, rings and legs as pages and the API need them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Row

from crm_core.call_log.records import Confidence
from crm_core.centre.holders import AgentRef
from crm_core.events import (
    AttemptResult,
    Direction,
    EndedBy,
    LegParty,
    Outcome,
    TransferKind,
    TransferResult,
)
from crm_core.ids import CallId, CustomerId, PbxId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptDetail:
    """One ring at one agent."""

    attempt: int
    agent: AgentRef
    offered_at: datetime
    ended_at: datetime | None
    result: AttemptResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassDetail:
    """One stay in a queue. `agent` is who answered; None where nobody did."""

    queue: str
    unique_id: str
    ordinal: int
    entered_at: datetime
    answered_at: datetime | None
    left_at: datetime | None
    outcome: Outcome | None
    agent: AgentRef | None
    wait_seconds: int | None
    talk_seconds: int | None
    ended_by: EndedBy | None
    attempts: tuple[AttemptDetail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LegDetail:
    """One party's side of a call."""

    unique_id: str
    party: LegParty
    agent: AgentRef | None
    started_at: datetime
    ended_at: datetime | None
    ring_seconds: int | None = None
    """None: it did not ring, it called; or it lives."""
    talk_seconds: int | None = None
    """Without hold."""
    hold_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferDetail:
    """One transfer. `sender` is who transferred (of a pick-up: whose phone rang), `to` who talked then."""

    kind: TransferKind
    at: datetime
    sender: AgentRef | None
    dialled: str
    to: AgentRef | None
    result: TransferResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionLabel:
    """How a call ended in business words, in both languages."""

    key: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetail:
    """A call as `/api/v1/calls` and the call page show it."""

    call_id: CallId
    pbx: PbxId
    direction: Direction
    project: str | None
    hotline: str | None
    """The hotline's name, where the called number is one."""
    called_number: str | None
    caller_number: str | None
    caller_number_raw: str | None
    caller_name: str | None
    customer_number: str | None
    """The customer's side, normalised: the caller of an inbound call, the called of an outbound."""
    customer_id: CustomerId | None
    customer_name: str | None
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    confidence: Confidence
    agent: AgentRef | None
    """Who talked last."""
    talk_seconds: int | None
    disposition: DispositionLabel | None
    passes: tuple[PassDetail, ...] = ()
    attempts: tuple[AttemptDetail, ...] = ()
    """Rings that belong to no queue."""
    legs: tuple[LegDetail, ...] = ()
    transfers: tuple[TransferDetail, ...] = ()
    aliases: tuple[CallId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Newest first. `next_cursor` is None on the last page."""

    items: tuple[CallDetail, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastContact:
    """An earlier call of a customer, in one line of the card."""

    call_id: CallId
    started_at: datetime
    direction: Direction
    answered: bool
    outcome: Outcome | None
    """Of the last pass; None without a queue, or while it lasts."""
    agent_number: str | None
    agent_name: str | None
    talk_seconds: int | None
    disposition: DispositionLabel | None
    note: str
    """The beginning of what was written, at most 200 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """The earlier answered call that makes this one a repeat (F01)."""

    call_id: CallId
    answered_at: datetime
    agent_number: str | None
    agent_name: str | None


# --- from rows -------------------------------------------------------------------------------------

Kind = TypeVar("Kind", bound=StrEnum)


def enum_or_none(kind: type[Kind], value: str | None) -> Kind | None:
    return kind(value) if value is not None else None


def agent_of(row: Row[Any]) -> AgentRef | None:
    if row.user_id is None and row.member_name is None and row.interface is None:
        return None
    return AgentRef(
        user_id=row.user_id,
        agent_number=row.agent_number,
        name=row.full_name or row.member_name,
        interface=row.interface,
    )


def call_detail(
    row: Row[Any],
    passes: Sequence[Row[Any]],
    attempts: Sequence[Row[Any]],
    legs: Sequence[Row[Any]],
    transfers: Sequence[Row[Any]],
    aliases: Sequence[CallId],
    disposition: DispositionLabel | None,
) -> CallDetail:
    rings: dict[tuple[Any, ...], list[AttemptDetail]] = defaultdict(list)
    for each in attempts:
        rings[each.unique_id, each.queue, each.ordinal].append(_attempt(each))
    return CallDetail(
        call_id=row.call_id,
        pbx=row.pbx,
        direction=Direction(row.direction),
        project=row.project,
        hotline=row.hotline,
        called_number=row.called_number,
        caller_number=row.caller_number,
        caller_number_raw=row.caller_number_raw,
        caller_name=row.caller_name,
        customer_number=row.customer_number,
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        started_at=row.started_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        confidence=Confidence(row.confidence),
        agent=agent_of(row),
        talk_seconds=row.talk_seconds,
        disposition=disposition,
        passes=tuple(
            _pass(each, rings[each.unique_id, each.queue, each.ordinal]) for each in passes
        ),
        attempts=tuple(rings[None, None, None]),
        legs=tuple(_leg(each) for each in legs),
        transfers=tuple(_transfer(each) for each in transfers),
        aliases=tuple(aliases),
    )


def _pass(row: Row[Any], attempts: Sequence[AttemptDetail]) -> PassDetail:
    return PassDetail(
        queue=row.queue,
        unique_id=row.unique_id,
        ordinal=row.ordinal,
        entered_at=row.entered_at,
        answered_at=row.answered_at,
        left_at=row.left_at,
        outcome=enum_or_none(Outcome, row.outcome),
        agent=agent_of(row),
        wait_seconds=row.wait_seconds,
        talk_seconds=row.talk_seconds,
        ended_by=enum_or_none(EndedBy, row.ended_by),
        attempts=tuple(attempts),
    )


def _attempt(row: Row[Any]) -> AttemptDetail:
    return AttemptDetail(
        attempt=row.attempt,
        agent=agent_of(row) or AgentRef(),
        offered_at=row.offered_at,
        ended_at=row.ended_at,
        result=enum_or_none(AttemptResult, row.result),
    )


def _leg(row: Row[Any]) -> LegDetail:
    return LegDetail(
        unique_id=row.unique_id,
        party=LegParty(row.party),
        agent=agent_of(row),
        started_at=row.started_at,
        ended_at=row.ended_at,
        ring_seconds=row.ring_seconds,
        talk_seconds=row.talk_seconds,
        hold_seconds=row.hold_seconds,
    )


def _transfer(row: Row[Any]) -> TransferDetail:
    nobody = row.to_user_id is None and row.to_member_name is None and row.to_interface is None
    return TransferDetail(
        kind=TransferKind(row.kind),
        at=row.at,
        sender=agent_of(row),
        dialled=row.dialled,
        to=None
        if nobody
        else AgentRef(
            user_id=row.to_user_id,
            agent_number=row.to_agent_number,
            name=row.to_full_name or row.to_member_name,
            interface=row.to_interface,
        ),
        result=enum_or_none(TransferResult, row.result),
    )


def last_contact(row: Row[Any], written: Row[Any] | None) -> LastContact:
    agent = agent_of(row)
    label = written if written is not None and written.key is not None else None
    return LastContact(
        call_id=row.call_id,
        started_at=row.started_at,
        direction=Direction(row.direction),
        answered=row.answered_at is not None,
        outcome=enum_or_none(Outcome, row.outcome),
        agent_number=agent.agent_number if agent else None,
        agent_name=agent.name if agent else None,
        talk_seconds=row.talk_seconds,
        disposition=DispositionLabel(key=label.key, zh=label.zh, en=label.en) if label else None,
        note=written.note if written is not None else "",
    )
