"""What commands share: words for the terminal, the tree's branches, settings, the database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_core.errors import SettingError, ZuoxiError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from crm_core.settings import PbxUrl, Settings

COMMAND_LINE = "command line"
"""Who the audit says it was."""


def say(*words: object, file: Any = None, sep: str = " ", end: str = "\n") -> None:
    """Words for the person at the terminal (everything else goes to the log)."""
    print(*words, file=file or sys.stdout, sep=sep, end=end, flush=True)


def branch(commands: Any) -> Callable[..., argparse.ArgumentParser]:
    """`add(name, act, what)` puts one command into the subparsers `commands`."""

    def add(name: str, act: Callable[..., int], what: str, **more: Any) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(
            name, help=what, description=what[0].upper() + what[1:] + ".", **more
        )
        parser.set_defaults(run=act)
        return parser

    return add


def group(commands: Any, name: str, what: str) -> Callable[..., argparse.ArgumentParser]:
    """A command that only has commands of its own, and the `branch` for these."""
    parser = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    return branch(parser.add_subparsers(title="commands", metavar="COMMAND", required=True))


def settings(**changes: Any) -> Settings:
    """Those of the environment, with `changes`; from now on the log is as they say."""
    from crm_core.logs import configure
    from crm_core.settings import read

    found = read().model_copy(update=changes)
    configure(found.log_level, found.log_format, found.secrets)
    return found


def chosen_pbxs(known: Settings, name: str | None) -> list[PbxUrl]:
    """That of this name, or all. Raises `SettingError` where there is none."""
    found = [pbx for pbx in known.pbxs if name in (None, pbx.pbx)]
    if not found:
        raise SettingError(
            f"ZUOXI_PBX_URLS has no PBX {name!r}" if name else "ZUOXI_PBX_URLS is empty"
        )
    return found


def in_database(act: Callable[[AsyncConnection], Coroutine[Any, Any, int]]) -> int:
    """Run `act` in one transaction on the up-to-date database."""
    import asyncio

    async def work() -> int:
        from crm_core.db import engine_of, transaction
        from crm_core.migrations import upgrade

        url = settings().database_url
        await upgrade(url)
        engine = engine_of(url)
        try:
            async with transaction(engine) as connection:
                return await act(connection)
        finally:
            await engine.dispose()

    return asyncio.run(work())


def bytes_of(path: Path) -> bytes:
    """A file's bytes. Raises `SettingError` with a sentence where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise SettingError(f"cannot read {path}: {wrong.strerror}") from None


async def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`; SIGTERM (systemd, docker) or Ctrl-C ends it. One error, not a group of one."""
    import asyncio
    import signal

    task = asyncio.ensure_future(work)
    # SIGINT too: what a script starts in the background inherits that it is ignored.
    for told in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(told, task.cancel)
    try:
        await task
    except* ZuoxiError as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def run_loop(work: Coroutine[Any, Any, None]) -> int:
    """Run a service until it is told to end."""
    import asyncio
    import contextlib
    import gc

    gc.disable()  # until what stays is loaded: its collections took 30 ms of a cold start
    import uvloop

    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        uvloop.run(until_told(work))
    return 0


def calm_the_collector() -> None:
    """Seldom, hardly ever everything, and never what is loaded: it is there for good.

    What calls leave behind dies by itself; the collector is for the rest. With Python's own
    thresholds a full collection of half a million objects held up ringing phones by 0.2 s, one every
    two seconds; at a thousand new objects, a fiftieth of the time was collecting, 2 ms a piece
    (measured with a thousand agents, 100 calls a second).
    """
    import gc

    gc.set_threshold(50_000, 10, 1_000)
    gc.freeze()
    gc.enable()
