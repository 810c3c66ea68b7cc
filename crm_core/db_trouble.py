"""Is the database away, or is it us? What the two databases say, sorted by what helps.

An error that waiting may cure (no connection, locked, no room, shutting down) is *away*: try again.
Any other is a fault in the data or in our code, and trying again changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

log = logging.getLogger("zuoxi.database")

LOOK_AGAIN_SECONDS = 0.5
Answer = TypeVar("Answer")

NEVER = ("21", "22", "23")
"""SQLSTATE classes (PostgreSQL, appendix A) of values that no waiting makes right."""

FULL = ("disk is full", "no space left", "disk quota")


def is_away(wrong: BaseException) -> bool:
    """Would the same statement work later?"""
    if isinstance(wrong, DBAPIError):
        return wrong.connection_invalidated or _dbapi_is_away(wrong)
    return isinstance(wrong, OSError | TimeoutError | PoolTimeout)


def _dbapi_is_away(wrong: DBAPIError) -> bool:
    state = getattr(wrong.orig, "sqlstate", None)
    if state is not None:
        return str(state)[:2] not in NEVER
    if isinstance(wrong, IntegrityError | DataError):
        return False
    if isinstance(wrong, InterfaceError):
        # asyncpg refuses a value before it sends it: "invalid input for query argument $3".
        return "invalid input" not in str(wrong.orig)
    return isinstance(wrong, OperationalError) or "closed" in str(wrong.orig)


def sentence(wrong: BaseException) -> str:
    """What to tell people, with what to do where there is something to do."""
    said = str(getattr(wrong, "orig", None) or wrong).strip().split("\n")[0]
    if any(word in said.lower() for word in FULL):
        return f"The disk of the database is full ({said}): make room there."
    if isinstance(wrong, OSError):
        return f"The database cannot be reached ({said})."
    return f"The database cannot be written just now ({said})."


async def patiently(work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do it, however long the database is away; who asked has a time limit of his own."""
    told = False
    while True:
        try:
            return await work()
        except Exception as wrong:
            if not is_away(wrong):
                raise
            if not told:
                log.error("%s Waiting for it.", sentence(wrong))
                told = True
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
