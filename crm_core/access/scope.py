"""Data scope: whose rows a viewer sees, as SQL conditions and as one rule for frames.

The scope stands beside the permission: both must allow. `calls_in_scope` reads: a call is seen by
who was rung, talked or placed it (own); by the team of such a person, and when nobody talked, by the
teams that serve a queue it waited in (team); by the call's project (project).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, assert_never

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, true

from crm_core.access.models import User, UserQueue
from crm_core.access.permissions import DataScope, Permission
from crm_core.access.viewer import Viewer
from crm_core.call_log.models import Call, Leg, OfferAttempt, QueuePass
from crm_core.customers.models import Customer


def calls_in_scope(viewer: Viewer) -> ColumnElement[bool]:
    """The condition on `calls` for this viewer."""
    if not viewer.may(Permission.READ_CALLS):
        return false()
    match viewer.scope:
        case DataScope.ALL:
            return true()
        case DataScope.PROJECT:
            return or_(Call.project_id.in_(viewer.project_ids), _own(viewer))
        case DataScope.TEAM:
            return _of_team(viewer)
        case DataScope.OWN:
            return _own(viewer)
        case _:
            assert_never(viewer.scope)


def customers_in_scope(viewer: Viewer) -> ColumnElement[bool]:
    """The condition on `customers` for this viewer.

    A customer's file belongs to the site, not to a person or a project: who may read customers finds
    all of them, and `fields.visible` cuts each file to what the viewer may read.
    """
    if not viewer.may(Permission.READ_CUSTOMERS):
        return false()
    # Compared with a column, so that the condition names its table wherever it is put.
    return Customer.id.is_not(None)


def sees_agent(
    viewer: Viewer, user_id: int | None, team_id: int | None, project_ids: Collection[int]
) -> bool:
    """May the viewer see what this agent does (frames, rows of the board)? Pure.

    `user_id` None is a member whom nobody knows: only the scope *all* sees it.
    """
    match viewer.scope:
        case DataScope.ALL:
            return True
        case DataScope.PROJECT:
            within = not viewer.project_ids.isdisjoint(project_ids)
        case DataScope.TEAM:
            within = viewer.team_id is not None and viewer.team_id == team_id
        case DataScope.OWN:
            within = False
        case _:
            assert_never(viewer.scope)
    return within or (user_id is not None and viewer.user_id == user_id)


def _own(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.user_id is None:
        return false()
    return _took_part(lambda column: column == viewer.user_id)


def _of_team(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.team_id is None:
        return _own(viewer)
    team = select(User.id).where(User.team_id == viewer.team_id)
    served = exists().where(
        QueuePass.call_id == Call.call_id,
        QueuePass.queue_id == UserQueue.queue_id,
        UserQueue.user_id.in_(team),
    )
    return or_(
        _took_part(lambda column: column.in_(team)),
        and_(Call.answered_at.is_(None), served),
        _own(viewer),
    )


def _took_part(is_one: Any) -> ColumnElement[bool]:
    """Somebody who `is_one` was rung, talked or had a leg in the call."""
    return or_(
        *(
            exists().where(table.call_id == Call.call_id, is_one(table.user_id))
            for table in (QueuePass, OfferAttempt, Leg)
        )
    )
