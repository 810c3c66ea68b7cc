"""How `/api/v1` answers and reads what all its routes share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.shapes import text_of
from crm_core.errors import Invalid

Who = Annotated[Visit, Depends(visit_of)]
Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page, 1 to 200.")]
Cursor = Annotated[
    str | None, Query(max_length=200, description="`next_cursor` of the page before.")
]


class JsonAnswer(Response):
    """JSON; instants are RFC 3339 in UTC with microseconds."""

    media_type = "application/json"

    def __init__(self, body: Any, *, status: int = 200, location: str | None = None) -> None:
        headers = {"location": location} if location else None
        super().__init__(text_of(body), status_code=status, headers=headers)


def page_of(items: list[Any], next_cursor: str | None) -> JsonAnswer:
    """The shape of every list."""
    return JsonAnswer({"items": items, "next_cursor": next_cursor})


def moment(text: str | None, name: str) -> datetime | None:
    """A moment with its zone: `2026-11-24T08:00:00+08:00` or `…Z`. A space stands for a `+` that
    nobody encoded."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid(f"{name}: a moment like 2026-11-24T08:00:00+08:00 or …Z is expected.")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise Invalid(f"{name}: this moment is out of range.") from None
