"""A call's record as rows of the tables. Pure: who held which phone and whose call it is come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, String

from crm_core.call_log.models import Call, Leg, OfferAttempt, QueuePass, Transfer
from crm_core.call_log.ownership import Clues, Normalise, Owner
from crm_core.call_log.records import (
    AttemptRecord,
    CallRecord,
    Confidence,
    PassRecord,
    TransferRecord,
)
from crm_core.centre.holders import HolderBook
from crm_core.events import AttemptResult, Direction, LegParty, Member

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallRows:
    """All rows of one call."""

    call: Row
    passes: list[Row]
    attempts: list[Row]
    legs: list[Row]
    transfers: list[Row]


def clues_of(record: CallRecord, normalise: Normalise) -> Clues:
    """By what the owner of this call is found."""
    inbound = record.direction is Direction.INBOUND
    spellings = (record.called_number, normalise(record.called_number)) if inbound else ()
    return Clues(
        pbx=record.pbx,
        called=tuple(dict.fromkeys(number for number in spellings if number)),
        queues=tuple(dict.fromkeys(each.queue for each in record.passes)),
        customer_number=_customer_number(record, normalise),
    )


def rows_of(
    record: CallRecord, owner: Owner, holders: HolderBook, normalise: Normalise
) -> CallRows:
    """The rows, each string as long as its column lets it be."""
    call = _call_row(record, owner, normalise)
    call |= _agent(record, holders, *(_last_connected(record) or (None, record.started_at)))
    passes, attempts = [], []
    for each in record.passes:
        passes.append(_pass_row(record, each, owner, holders))
        attempts += [_attempt_row(record, ring, each, holders) for ring in each.attempts]
    attempts += [_attempt_row(record, ring, None, holders) for ring in record.attempts]
    legs = [
        {
            "call_id": record.call_id,
            "unique_id": leg.unique_id,
            "linked_id": leg.linked_id,
            "party": leg.party,
            "started_at": leg.started_at,
            "ended_at": leg.ended_at,
            "cause": leg.cause,
            "ring_seconds": leg.ring_seconds,
            "talk_seconds": leg.talk_seconds,
            "hold_seconds": leg.hold_seconds,
            **_agent(record, holders, leg.member, leg.started_at),
        }
        for leg in record.legs
    ]
    return CallRows(
        fitting(Call.__table__, [call])[0],
        fitting(QueuePass.__table__, passes),
        fitting(OfferAttempt.__table__, attempts),
        fitting(Leg.__table__, legs),
        fitting(
            Transfer.__table__, [_transfer_row(record, each, holders) for each in record.transfers]
        ),
    )


def _call_row(record: CallRecord, owner: Owner, normalise: Normalise) -> Row:
    return {
        "call_id": record.call_id,
        "pbx": record.pbx,
        "boot": record.boot,
        "direction": record.direction,
        "project_id": owner.project_id,
        "hotline_id": owner.hotline_id,
        "called_number": record.called_number,
        "caller_number": normalise(record.caller_number_raw),
        "caller_number_raw": record.caller_number_raw,
        "caller_name": record.caller_name,
        "customer_number": _customer_number(record, normalise),
        "customer_id": owner.customer_id,
        "started_at": record.started_at,
        "at_is_receipt": record.at_is_receipt,
        "answered_at": record.answered_at,
        "ended_at": record.ended_at,
        "outcome": record.passes[-1].outcome if record.passes else None,
        "talk_seconds": _talk_seconds(record),
        "cause": record.cause,
        "confidence": record.confidence,
    }


def _pass_row(record: CallRecord, each: PassRecord, owner: Owner, holders: HolderBook) -> Row:
    return {
        "call_id": record.call_id,
        "unique_id": each.unique_id,
        "queue": each.queue,
        "ordinal": each.ordinal,
        "pbx": record.pbx,
        "queue_id": owner.queue_ids.get(each.queue),
        "entered_at": each.entered_at,
        "answered_at": each.answered_at,
        "left_at": each.left_at,
        "outcome": each.outcome,
        "wait_seconds": each.wait_seconds,
        "talk_seconds": each.talk_seconds,
        "picked_up": each.picked_up,
        "ended_by": each.ended_by,
        **_agent(record, holders, each.member, each.answered_at or each.entered_at),
    }


def _attempt_row(
    record: CallRecord, ring: AttemptRecord, of: PassRecord | None, holders: HolderBook
) -> Row:
    return {
        "call_id": record.call_id,
        "attempt": ring.attempt,
        "unique_id": of.unique_id if of else None,
        "queue": of.queue if of else None,
        "ordinal": of.ordinal if of else None,
        "offered_at": ring.offered_at,
        "ended_at": ring.ended_at,
        "result": ring.result,
        **_agent(record, holders, ring.member, ring.offered_at),
    }


def _transfer_row(record: CallRecord, each: TransferRecord, holders: HolderBook) -> Row:
    to = _agent(record, holders, each.to_member, each.ended_at or each.at)
    return {
        "call_id": record.call_id,
        "nth": each.nth,
        "kind": each.kind,
        "at": each.at,
        "dialled": each.to,
        "result": each.result,
        **_agent(record, holders, each.member, each.at),
        **{f"to_{column}": value for column, value in to.items()},
    }


def _agent(record: CallRecord, holders: HolderBook, member: Member | None, at: datetime) -> Row:
    """The agent columns: the person at that moment, and what Asterisk called the member."""
    if member is None:
        return dict.fromkeys(("user_id", "agent_number", "member_name", "interface"))
    who = holders.holder(record.pbx, member, at)
    return {
        "user_id": who.user_id,
        "agent_number": who.agent_number,
        "member_name": member.name,
        "interface": who.interface,
    }


def _last_connected(record: CallRecord) -> tuple[Member, datetime] | None:
    """Who was connected last and when; else who dialled. A consulted colleague was not."""
    talks = [
        (each.answered_at, each.member)
        for each in record.passes
        if each.answered_at and each.member
    ]
    first_sent = min((each.at for each in record.transfers), default=None)
    talks += [
        (ring.ended_at, ring.member)
        for ring in record.attempts
        if ring.ended_at
        and ring.result is AttemptResult.ANSWERED
        and (first_sent is None or ring.offered_at < first_sent)
    ]
    talks += [
        (each.ended_at, each.to_member)
        for each in record.transfers
        if each.ended_at and each.to_member
    ]
    if talks:
        at, member = max(talks, key=lambda talk: talk[0])
        return member, at
    return (record.placed_by, record.started_at) if record.placed_by else None


def _talk_seconds(record: CallRecord) -> int | None:
    """Of a transferred call the customer's own, hold included, else over all passes; without a queue
    from answer to end, unless a part of it was unseen."""
    if record.transfers:
        of_customers = [
            leg.talk_seconds + (leg.hold_seconds or 0)
            for leg in record.legs
            if leg.party is LegParty.CUSTOMER and leg.talk_seconds is not None
        ]
        if of_customers:
            return max(of_customers)
    known = [each.talk_seconds for each in record.passes if each.talk_seconds is not None]
    if record.passes:
        return sum(known) if known else None
    if not (record.answered_at and record.ended_at) or record.confidence is Confidence.GAP:
        return None
    return max(0, int((record.ended_at - record.answered_at).total_seconds()))


def _customer_number(record: CallRecord, normalise: Normalise) -> str | None:
    match record.direction:
        case Direction.INBOUND:
            return normalise(record.caller_number_raw)
        case Direction.OUTBOUND:
            return normalise(record.called_number)
        case Direction.INTERNAL:
            return None


def fitting(table: FromClause, rows: list[Row]) -> list[Row]:
    """Cut what a caller made too long: SQLite would keep it, PostgreSQL refuse the whole batch."""
    limits = _limits(table)
    for row in rows:
        for column, limit in limits:
            value = row.get(column)
            if value is not None and len(value) > limit:
                row[column] = value[:limit]
    return rows


_LIMITS: dict[FromClause, list[tuple[str, int]]] = {}


def _limits(table: FromClause) -> list[tuple[str, int]]:
    found = _LIMITS.get(table)
    if found is None:
        found = _LIMITS[table] = [
            (column.name, column.type.length)
            for column in table.columns
            if isinstance(column.type, String) and column.type.length
        ]
    return found
