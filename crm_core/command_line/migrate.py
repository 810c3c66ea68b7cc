"""`zuoxi migrate`."""

from __future__ import annotations

import argparse
from typing import Any

from crm_core.command_line.terminal import branch, say, settings


def declare(commands: Any) -> None:
    branch(commands)("migrate", migrate, "bring the database's tables up to date")


def migrate(_: argparse.Namespace) -> int:
    import asyncio

    from crm_core.migrations import current, upgrade

    url = settings().database_url
    before = asyncio.run(current(url))
    asyncio.run(upgrade(url))
    after = asyncio.run(current(url))
    say(f"up to date at revision {after}" if before == after else f"{before or 'empty'} -> {after}")
    return 0
