"""`zuoxi export setup`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_core.command_line.terminal import group, in_database, say
from crm_core.errors import SettingError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


def declare(commands: Any) -> None:
    add = group(commands, "export", "the database into files")
    setup = add(
        "setup",
        export_setup,
        "the whole set-up as the one YAML file that `zuoxi import setup` reads",
    )
    setup.add_argument(
        "file",
        type=Path,
        nargs="?",
        help="where to (default: the terminal); existing files are not overwritten",
    )
    setup.add_argument(
        "--with-secrets",
        action="store_true",
        help="also what the seats' phones register with (never people's passwords)",
    )


def export_setup(given: argparse.Namespace) -> int:
    """`zuoxi export setup`: to standard output, or into a file that only its owner may read."""
    from crm_core.centre.setup_export import export_setup as exported

    async def act(connection: AsyncConnection) -> int:
        text = await exported(connection, with_secrets=given.with_secrets)
        if given.file is None:
            say(text, end="")
        else:
            _write(given.file, text)
        return 0

    return in_database(act)


def _write(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SettingError(f"{path} is there already; choose another name") from None
    except OSError as wrong:
        raise SettingError(f"cannot write {path}: {wrong.strerror}") from None
