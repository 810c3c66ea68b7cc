"""`zuoxi token create`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crm_core.command_line.terminal import COMMAND_LINE, group, in_database, say

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


def declare(commands: Any) -> None:
    add = group(commands, "token", "bearer tokens for programs")
    one = add("create", create_token, "create a token; prints it, alone on its line, once")
    one.add_argument("name", help="what it is for")
    one.add_argument("--role", required=True, help="the role whose permissions it has")
    one.add_argument("--user", help="it sees what this person sees (default: all projects)")


def create_token(given: argparse.Namespace) -> int:
    """`zuoxi token create`."""
    from crm_core.access import tokens

    async def act(connection: AsyncConnection) -> int:
        say(
            await tokens.create_token(
                connection,
                name=given.name,
                role=given.role,
                user=given.user,
                actor=COMMAND_LINE,
                now=datetime.now(UTC),
            )
        )
        return 0

    return in_database(act)
