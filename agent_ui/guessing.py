"""Where whole numbers are asked for by people who see them masked: misses count (`guesses`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agent_ui.deps import Deps
from crm_core.access.audit import audit
from crm_core.access.viewer import Viewer
from crm_core.db import transaction


@dataclass(slots=True)
class Guess:
    """One question with whole numbers in it; `found` is set by who asks it."""

    found: bool = False


@asynccontextmanager
async def guessing(deps: Deps, viewer: Viewer, numbers: int) -> AsyncIterator[Guess]:
    """Around a question with so many whole numbers. Raises `TooMany` before it is answered."""
    guess = Guess()
    if not numbers or viewer.reveals:
        yield guess
        return
    deps.guesses.allow(viewer, deps.now())
    yield guess
    missed = numbers - guess.found
    if missed and deps.guesses.missed(viewer, deps.now(), missed):
        async with transaction(deps.engine) as connection:
            await audit(connection, viewer.name, "customers.guess", "numbers", at=deps.now())
