"""How calls, agents and customers look as JSON, in answers of the API and in frames of the socket.

One place, because other programs rely on these names (design section 4). Numbers are masked here
for those who may not see the whole; instants stay aware datetimes, `orjson` writes RFC 3339.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from agent_ui.directory import Directory
from agent_ui.live.pop_files import Known
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.call_log.details import (
    AttemptDetail,
    CallDetail,
    LastContact,
    LegDetail,
    PassDetail,
    Repeat,
    TransferDetail,
)
from crm_core.centre.holders import AgentRef
from crm_core.centre.queries import HotlineInfo
from crm_core.customers.fields import record_of, visible
from crm_core.customers.phone_numbers import masked
from crm_core.events import Direction
from crm_core.live_board.board import LiveAgent, LiveCall

Json = dict[str, Any]

NUMBER_DIGITS = 7
"""So many digits in a name can be a phone number, whatever stands between them: PBXs put it there."""


def text_of(value: Any) -> str:
    """JSON text; instants as `2026-11-24T02:30:00.123456Z`."""
    return json_of(value).decode()


def json_of(value: Any) -> bytes:
    """The same as it goes over a socket."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def ready_json(value: Any) -> orjson.Fragment:
    """`value` as a part of JSON that is made later."""
    return orjson.Fragment(json_of(value))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        at = value if value.tzinfo is UTC else value.astimezone(UTC)
        return (
            f"{at.isoformat(timespec='microseconds')[:-6]}Z"  # +00:00; half of what strftime takes
        )
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(type(value).__name__)


def number_for(viewer: Viewer, number: str | None) -> str | None:
    """The customer's number as this viewer may see it."""
    if not number:
        return None
    return number if viewer.reveals else masked(number)


def name_for(viewer: Viewer, name: str | None) -> str | None:
    """A caller's name as the PBX sent it, without control characters; not if it is a number."""
    if not name:
        return None
    clean = "".join(letter for letter in name if letter.isprintable())[:80]
    if not viewer.reveals and sum(letter.isdigit() for letter in clean) >= NUMBER_DIGITS:
        return None
    return clean or None


def agent(ref: AgentRef | None) -> Json | None:
    """`number` is null where nobody knows the person."""
    if ref is None:
        return None
    return {"number": ref.agent_number, "name": ref.name, "interface": ref.interface}


def signed_in(agent: LiveAgent) -> Json:
    """The same of somebody who holds a device now."""
    return {"number": agent.agent_number, "name": agent.name, "interface": agent.interface}


def customers(known: Known, directory: Directory, viewer: Viewer) -> list[Json]:
    """The files that share the caller's number, each cut to what this viewer may read."""
    if not viewer.may(Permission.READ_CUSTOMERS):
        return []
    return [visible(record_of(one), directory.fields, viewer) for one in known.file.customers]


def hotline(found: HotlineInfo | None) -> Json | None:
    if found is None:
        return None
    return {"number": found.number, "name": found.name, "greeting": found.greeting}


def repeat(found: Repeat | None) -> Json | None:
    if found is None:
        return None
    return {
        "call_id": found.call_id,
        "answered_at": found.answered_at,
        "agent": {"number": found.agent_number, "name": found.agent_name},
    }


def last_contact(contact: LastContact) -> Json:
    return {
        "call_id": contact.call_id,
        "started_at": contact.started_at,
        "direction": contact.direction,
        "answered": contact.answered,
        "outcome": contact.outcome,
        "agent": {"number": contact.agent_number, "name": contact.agent_name},
        "talk_seconds": contact.talk_seconds,
        "disposition": contact.disposition.key if contact.disposition else None,
        "note": contact.note,
    }


def live_call(live: LiveCall, number: str | None, directory: Directory, viewer: Viewer) -> Json:
    """A call that goes on. `number` is the customer's, normalised."""
    found = directory.hotline(live.pbx, live.called_number)
    queue = directory.queues.get((live.pbx, live.queue or ""))
    project = found.project if found else (queue.project if queue else None)
    inbound = live.direction is Direction.INBOUND
    raw = live.caller_number if inbound else live.called_number
    shown = number_for(viewer, number or raw)
    # Masked alike, whatever the trunk wrote: two masks of one number would show more of it.
    shown_raw = raw if viewer.reveals else shown
    return {
        "call_id": live.call,
        "aliases": [],
        "pbx": live.pbx,
        "direction": live.direction,
        "project": project,
        "called_number": live.called_number if inbound else shown,
        "caller_number": shown if inbound else live.caller_number,
        "caller_number_raw": shown_raw if inbound else live.caller_number,
        "caller_name": name_for(viewer, live.caller_name),
        "started_at": live.started_at,
    }


# --- calls of the log -----------------------------------------------------------------------------


def call(detail: CallDetail, viewer: Viewer) -> Json:
    """A call of the log, with exactly the names of design section 4."""
    inbound = detail.direction is Direction.INBOUND
    return {
        "call_id": detail.call_id,
        "aliases": list(detail.aliases),
        "pbx": detail.pbx,
        "direction": detail.direction,
        "project": detail.project,
        "called_number": detail.called_number if inbound else _outside(detail, viewer),
        "caller_number": (
            number_for(viewer, detail.caller_number) if inbound else detail.caller_number
        ),
        "caller_number_raw": (
            detail.caller_number_raw
            if viewer.reveals or not inbound
            else number_for(viewer, detail.caller_number or detail.caller_number_raw)
        ),
        "customer_id": detail.customer_id if viewer.may(Permission.READ_CUSTOMERS) else None,
        "started_at": detail.started_at,
        "ended_at": detail.ended_at,
        "confidence": detail.confidence,
        "passes": [_pass(one) for one in detail.passes],
        "transfers": [_transfer(one, viewer) for one in detail.transfers],
        "legs": [_leg(one) for one in detail.legs],
        "disposition": detail.disposition.key if detail.disposition else None,
    }


def _outside(detail: CallDetail, viewer: Viewer) -> str | None:
    if detail.direction is Direction.INTERNAL:
        return detail.called_number
    return number_for(viewer, detail.customer_number or detail.called_number)


def _pass(one: PassDetail) -> Json:
    return {
        "queue": one.queue,
        "unique_id": one.unique_id,
        "entered_at": one.entered_at,
        "answered_at": one.answered_at,
        "left_at": one.left_at,
        "outcome": one.outcome,
        "agent": agent(one.agent),
        "wait_seconds": one.wait_seconds,
        "talk_seconds": one.talk_seconds,
        "attempts": [_attempt(attempt) for attempt in one.attempts],
    }


def _attempt(one: AttemptDetail) -> Json:
    return {
        "agent": agent(one.agent),
        "offered_at": one.offered_at,
        "ended_at": one.ended_at,
        "result": one.result,
    }


def _leg(one: LegDetail) -> Json:
    return {
        "party": one.party,
        "agent": agent(one.agent),
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "ring_seconds": one.ring_seconds,
        "talk_seconds": one.talk_seconds,
        "hold_seconds": one.hold_seconds,
    }


def _transfer(one: TransferDetail, viewer: Viewer) -> Json:
    return {
        "kind": one.kind,
        "at": one.at,
        "from": agent(one.sender),
        "to": agent(one.to),
        "dialled": dialled(one.dialled, viewer),
        "result": one.result,
    }


def dialled(number: str, viewer: Viewer) -> str:
    """What an agent dialled: the number of somebody outside is as much a secret as a customer's."""
    outside = sum(letter.isdigit() for letter in number) >= NUMBER_DIGITS
    return (number_for(viewer, number) or "") if outside else number
