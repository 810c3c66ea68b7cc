"""`zuoxi user add | passwd | disable | list`."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crm_core.command_line.terminal import COMMAND_LINE, group, in_database, say, settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


def declare(commands: Any) -> None:
    add = group(commands, "user", "people: add, list, disable, new password")
    one = add("add", add_user, "add a person; prints a one-time password, alone on its line")
    one.add_argument("name", help="the sign-in name")
    one.add_argument("--full-name", help="the name that people read (default: the sign-in name)")
    one.add_argument("--number", metavar="工号", help="agent number, the person's for good")
    one.add_argument(
        "--role",
        action="append",
        required=True,
        metavar="ROLE",
        help="agent, outbound_caller, supervisor, admin (may be given more than once)",
    )
    one.add_argument("--team", help="the person's team")
    one.add_argument("--project", action="append", default=[], help="may be given more than once")
    one.add_argument("--extension", help="the usual device; sign-in may take another")
    one.add_argument("--pbx", metavar="NAME", help="the PBX of the extension (default: the first)")
    one.add_argument("--password-stdin", action="store_true", help="read the password from stdin")
    new = add("passwd", set_password, "set a new password; prints it, alone on its line")
    new.add_argument("name")
    new.add_argument("--password-stdin", action="store_true", help="read the password from stdin")
    gone = add(
        "disable", disable_user, "end all sessions of a person and let nobody in by that name"
    )
    gone.add_argument("name")
    add("list", list_users, "everybody: name, agent number, roles, team, extension")


def add_user(given: argparse.Namespace) -> int:
    """`zuoxi user add`."""
    from crm_core.access import users

    pbx = given.pbx or _usual_pbx()

    async def act(connection: AsyncConnection) -> int:
        added = await users.add_user(
            connection,
            name=given.name,
            full_name=given.full_name,
            agent_number=given.number,
            roles=given.role,
            team=given.team,
            projects=given.project,
            pbx=pbx if given.extension else None,
            extension=given.extension,
            password=_password(given),
            actor=COMMAND_LINE,
            now=datetime.now(UTC),
        )
        if added.one_time_password is not None:
            say(added.one_time_password)
        return 0

    return in_database(act)


def _password(given: argparse.Namespace) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") if given.password_stdin else None


def _usual_pbx() -> str:
    found = settings().pbxs
    return found[0].pbx if found else "main"


def set_password(given: argparse.Namespace) -> int:
    """`zuoxi user passwd`."""
    from crm_core.access import users

    async def act(connection: AsyncConnection) -> int:
        made = await users.set_password(
            connection, given.name, _password(given), actor=COMMAND_LINE, now=datetime.now(UTC)
        )
        if made is not None:
            say(made)
        return 0

    return in_database(act)


def disable_user(given: argparse.Namespace) -> int:
    """`zuoxi user disable`."""
    from crm_core.access import users

    async def act(connection: AsyncConnection) -> int:
        await users.disable(connection, given.name, actor=COMMAND_LINE, now=datetime.now(UTC))
        return 0

    return in_database(act)


def list_users(_: argparse.Namespace) -> int:
    """`zuoxi user list`: tab-separated, one person a line."""
    from crm_core.access import users

    async def act(connection: AsyncConnection) -> int:
        for row in await users.list_users(connection):
            columns = [
                row.name,
                row.full_name,
                row.agent_number or "-",
                ",".join(row.roles),
                row.team or "-",
                row.extension or "-",
                "disabled" if row.disabled else "active",
            ]
            say("\t".join(columns))
        return 0

    return in_database(act)
