"""A year of `queue_log` through `zuoxi import queue-log`: a million rows, each once, and again for nothing.

On SQLite and on PostgreSQL. What is in the call table afterwards must be what an independent count of
the rows says; a run that differs has no figure.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from crm_core.db import engine_of
from tests.harness import ROOT
from tests.lab.postgres import Postgres
from tests.telephony.queue_log.a_year import rows_of_a_year
from tests.telephony.queue_log.by_hand import Figures, figures
from tests.telephony.queue_log.in_the_table import in_the_table

ROWS = 1_000_000
PIECES = 12
TIMEOUT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Import:
    """One import of all rows into one database."""

    database: str
    wall_seconds: float
    cpu_seconds: float
    """Of the command alone: PostgreSQL's own work is not in it."""
    again_seconds: float
    said: str
    wrong: tuple[str, ...]


def measure(folder: Path, rows: int = ROWS, seed: int = 1) -> Iterator[Import]:
    """Import the rows, in a dozen files, into each database in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    files = a_year_of_files(folder, rows, seed)
    with (folder / "all").open(encoding="utf-8") as lines:
        expected = figures(lines)
    with ExitStack() as stack:
        databases = {"SQLite": f"sqlite:///{folder}/zuoxi.db"}
        if os.geteuid() == 0:
            postgres = stack.enter_context(Postgres())
            databases["PostgreSQL"] = stack.enter_context(postgres.fresh_database())
        for name, url in databases.items():
            yield _imported(name, url, files, expected)


def a_year_of_files(folder: Path, rows: int, seed: int) -> list[Path]:
    """The rows as logrotate leaves them, and all of them in one file beside."""
    files = [folder / f"queue_log-{nth:02}" for nth in range(PIECES)]
    with ExitStack() as stack:
        whole = stack.enter_context((folder / "all").open("w", encoding="utf-8"))
        pieces = [stack.enter_context(path.open("w", encoding="utf-8")) for path in files]
        for nth, line in enumerate(rows_of_a_year(rows, seed)):
            whole.write(line)
            pieces[min(nth * PIECES // rows, PIECES - 1)].write(line)
    return files


def _imported(name: str, url: str, files: list[Path], expected: Figures) -> Import:
    first, wall, cpu = _run(url, files)
    again, again_wall, _ = _run(url, files)
    wrong = []
    found = asyncio.run(_found(url))
    if found != expected:
        wrong.append(f"{name}: the call table is not what the rows say")
    if f"{expected.calls} new calls" not in first:
        wrong.append(f"{name}: {first}, and there are {expected.calls} calls")
    if "; 0 new rows, 0 new calls" not in again:
        wrong.append(f"{name}: again, and {again}")
    return Import(name, wall, cpu, again_wall, first, tuple(wrong))


async def _found(url: str) -> Figures:
    engine = engine_of(url)
    try:
        return await in_the_table(engine)
    finally:
        await engine.dispose()


def _run(url: str, files: list[Path]) -> tuple[str, float, float]:
    """What the command says at last, and the seconds it took: on the clock, of the processor."""
    command = [sys.executable, "-m", "zuoxi", "import", "queue-log", *map(str, files)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ZUOXI_")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        command,
        cwd=files[0].parent,
        env={**environ, "PYTHONPATH": str(ROOT), "ZUOXI_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{done.stdout[-1000:]}{done.stderr[-1000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout.splitlines()[-1], wall, cpu
