"""Wrap-up: the note and the disposition an agent gives a call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, insert, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.permissions import Permission
from crm_core.access.scope import calls_in_scope
from crm_core.access.viewer import Viewer
from crm_core.call_log.models import Call, QueuePass
from crm_core.centre.models import Project
from crm_core.customers.queries import in_scope
from crm_core.customers.values import text_value
from crm_core.db import insert_into
from crm_core.errors import Invalid, NotFound
from crm_core.events import ContactRecorded
from crm_core.ids import CallId, CustomerId, PbxId, UserId
from crm_core.quick_dataclass import dataclass
from crm_core.text import storable
from crm_core.wrap_up.models import ContactRecord, Disposition

LONGEST_NOTE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionInfo:
    """How a call may end in business words; `digit` 1–9 is its key on the desk."""

    key: str
    label_zh: str
    label_en: str
    digit: int | None
    parent: str | None = None
    """The key of the heading it stands below; None: it stands by itself."""
    is_heading: bool = False
    """Others stand below it, so no call ends with it: draw its label, not a choice."""


DEFAULTS: tuple[DispositionInfo, ...] = tuple(
    DispositionInfo(key=key, label_zh=zh, label_en=en, digit=digit)
    for digit, (key, zh, en) in enumerate(
        (
            ("resolved", "已解决", "Resolved"),
            ("follow_up", "待跟进", "Follow up"),
            ("nuisance", "骚扰", "Nuisance"),
            ("silent", "无声", "Silent"),
            ("wrong_number", "错号", "Wrong number"),
        ),
        start=1,
    )
)
"""What a new project begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRecordInfo:
    """An agent's part of the record of a call."""

    call_id: CallId
    user_id: int
    customer_id: CustomerId | None
    note: str
    disposition: str | None
    """The disposition's key."""
    submitted: bool
    revision: int
    saved_at: datetime


async def save_note(
    connection: AsyncConnection,
    *,
    call_id: CallId,
    viewer: Viewer,
    note: str,
    disposition_key: str | None,
    customer_id: CustomerId | None,
    revision: int,
    submitted: bool,
    now: datetime,
) -> ContactRecorded | None:
    """None: this revision or a later one was there already, nothing changed; nor does an autosave
    change what was submitted.

    Raises `NotFound` (no such call in the viewer's scope), `NotAllowed`, `Invalid` (unknown
    disposition or customer).
    """
    viewer.require(Permission.WRITE_NOTES)
    if viewer.user_id is None:
        raise Invalid("Only a person can write a note.")
    if not 0 <= revision < 2**31:
        raise Invalid("revision: a whole number from 0 is expected.")
    call = (
        await connection.execute(
            select(Call.pbx, Call.project_id).where(
                Call.call_id == storable(call_id), calls_in_scope(viewer)
            )
        )
    ).one_or_none()
    if call is None:
        raise NotFound
    written = {
        "note": text_value(note, "note", LONGEST_NOTE, lines=True),
        "disposition_id": await _disposition_id(connection, call.project_id, disposition_key),
        "customer_id": await _customer_id(connection, viewer, customer_id),
        "submitted": submitted,
        "revision": revision,
        "saved_at": now,
    }
    if not await _write(connection, call_id, viewer.user_id, written):
        return None
    return ContactRecorded(at=now, pbx=PbxId(call.pbx), call=call_id, user=viewer.user_id)


async def contact_record(
    connection: AsyncConnection, call_id: CallId, user_id: int
) -> ContactRecordInfo | None:
    """What this person wrote about this call; None: nothing yet."""
    row = (
        await connection.execute(
            select(ContactRecord, Disposition.key.label("disposition"))
            .outerjoin(Disposition, Disposition.id == ContactRecord.disposition_id)
            .where(ContactRecord.call_id == storable(call_id), ContactRecord.user_id == user_id)
        )
    ).one_or_none()
    if row is None:
        return None
    return ContactRecordInfo(
        call_id=CallId(row.call_id),
        user_id=row.user_id,
        customer_id=None if row.customer_id is None else CustomerId(row.customer_id),
        note=row.note,
        disposition=row.disposition,
        submitted=row.submitted,
        revision=row.revision,
        saved_at=row.saved_at,
    )


async def calls_without_note(
    connection: AsyncConnection, user_id: UserId, since: datetime, limit: int
) -> tuple[CallId, ...]:
    """Calls in which this person talked since then, without a submitted note; the newest first."""
    talked = union_all(
        select(QueuePass.call_id, QueuePass.answered_at).where(
            QueuePass.user_id == user_id, QueuePass.answered_at >= since
        ),
        select(Call.call_id, Call.answered_at).where(
            Call.user_id == user_id, Call.answered_at >= since
        ),
    ).subquery()
    submitted = exists().where(
        ContactRecord.call_id == talked.c.call_id,
        ContactRecord.user_id == user_id,
        ContactRecord.submitted.is_(True),
    )
    rows = await connection.execute(
        select(talked.c.call_id)
        .where(~submitted)
        .group_by(talked.c.call_id)
        .order_by(func.max(talked.c.answered_at).desc(), talked.c.call_id)
        .limit(limit)
    )
    return tuple(CallId(call_id) for call_id in rows.scalars())


async def dispositions_of(
    connection: AsyncConnection, project_id: int | None
) -> tuple[DispositionInfo, ...]:
    """In the order of the desk, each heading right before those below it; of the default project
    for None."""
    rows = (
        await connection.execute(
            select(Disposition)
            .where(Disposition.project_id == await _project(connection, project_id))
            .order_by(Disposition.ordinal, Disposition.id)
        )
    ).all()
    keys = {row.id: row.key for row in rows}
    headings = {row.parent_id for row in rows}
    found = [
        DispositionInfo(
            key=row.key,
            label_zh=row.label_zh,
            label_en=row.label_en,
            digit=row.digit,
            parent=keys.get(row.parent_id),
            is_heading=row.id in headings,
        )
        for row in rows
    ]
    return tuple(
        each
        for top in found
        if top.parent is None
        for each in (top, *(one for one in found if one.parent == top.key))
    )


async def write_default_dispositions(connection: AsyncConnection, project_id: int) -> None:
    """Give a new project the dispositions that ship, if it has none."""
    if await dispositions_of(connection, project_id):
        return
    await connection.execute(
        insert(Disposition),
        [
            {
                "project_id": project_id,
                "key": one.key,
                "label_zh": one.label_zh,
                "label_en": one.label_en,
                "digit": one.digit,
                "ordinal": ordinal,
            }
            for ordinal, one in enumerate(DEFAULTS, start=1)
        ],
    )


async def _write(
    connection: AsyncConnection, call_id: CallId, user_id: int, written: Mapping[str, Any]
) -> bool:
    """Insert or raise the one row of call and person. False: it was newer already."""
    newer = ContactRecord.revision < written["revision"]
    if not written["submitted"]:
        # An autosave that overtook the submission on its way must not make a draft of it again.
        newer = newer & ContactRecord.submitted.is_(False)
    # One statement decides, so that two requests at once cannot both find nothing.
    insertion = insert_into(connection.dialect.name, ContactRecord)
    upsert = insertion.values(call_id=call_id, user_id=user_id, **written)
    done = await connection.execute(
        upsert.on_conflict_do_update(
            index_elements=["call_id", "user_id"], set_=written, where=newer
        ).returning(ContactRecord.id)
    )
    return done.one_or_none() is not None


async def _disposition_id(
    connection: AsyncConnection, project_id: int | None, key: str | None
) -> int | None:
    if key is None:
        return None
    found: int | None = await connection.scalar(
        select(Disposition.id).where(
            Disposition.project_id == await _project(connection, project_id),
            Disposition.key == storable(key),
        )
    )
    if found is None:
        raise Invalid(f"There is no disposition {key[:64]!r} in this call's project.")
    if await connection.scalar(select(exists().where(Disposition.parent_id == found))):
        raise Invalid(f"The disposition {key[:64]!r} is a heading: choose one below it.")
    return found


async def _customer_id(
    connection: AsyncConnection, viewer: Viewer, customer_id: int | None
) -> int | None:
    if customer_id is None:
        return None
    if not await in_scope(connection, customer_id, viewer):
        raise Invalid(f"There is no customer {customer_id}.")
    return customer_id


async def _project(connection: AsyncConnection, project_id: int | None) -> int | None:
    if project_id is not None:
        return project_id
    found: int | None = await connection.scalar(
        select(Project.id).where(Project.is_default.is_(True)).order_by(Project.id).limit(1)
    )
    return found
