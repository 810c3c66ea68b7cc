"""Who did what to whom: append-only, in the same transaction as the deed."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import AuditEntry

COMMAND_LINE = "command line"
"""The actor of what the command `zuoxi` does."""


async def audit(
    connection: AsyncConnection,
    actor: str,
    act: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    *,
    at: datetime,
) -> None:
    """`actor` is a sign-in name, a token's name or `command line`; `act` like `user.add`.

    Secrets do not belong into `detail`: it is read by many and kept for long.
    """
    await connection.execute(
        insert(AuditEntry).values(
            at=at,
            actor=_one_line(actor)[:64],
            act=act,
            subject=_one_line(subject)[:500],
            detail=None if detail is None else dict(detail),
        )
    )


def _one_line(text: str) -> str:
    """Names come from outside: no line of theirs may look like an entry of its own."""
    return "".join(
        " " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text
    )
