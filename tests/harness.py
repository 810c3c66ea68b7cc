"""The product as a user runs it: `zuoxi run` in a process of its own, on a free port, to be killed.

Journeys and browser tests drive it from outside: by HTTP, by the command line, and by `kill -9`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent
UP_SECONDS = 20.0


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(what: str, is_so: object, seconds: float) -> float:
    """Ask `is_so()` until it is true; returns the slack in seconds. Fails with `what` when not."""
    assert callable(is_so)
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return seconds - (time.monotonic() - began)


@dataclass
class Product:
    """One installation: its folder, its settings, and the process while it runs."""

    folder: Path
    environ: Mapping[str, str]
    port: int = field(default_factory=free_port)
    agi_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """The environment of every process of this installation."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("ZUOXI_")}
        return {
            **plain,
            "PYTHONPATH": str(ROOT),
            "ZUOXI_VAR": str(self.folder / "var"),
            "ZUOXI_DATABASE_URL": f"sqlite:///{self.folder}/zuoxi.db",
            "ZUOXI_ASTERISK_CONF": str(self.folder / "asterisk"),
            "ZUOXI_HTTP_BIND": f"127.0.0.1:{self.port}",
            "ZUOXI_AGI_BIND": f"127.0.0.1:{self.agi_port}",
            **self.environ,
        }

    def zuoxi(self, *arguments: str, stdin: str | None = None, code: int | None = 0) -> str:
        """Run one command of `zuoxi`; its standard output. `code` is the exit code that is right."""
        done = subprocess.run(
            [sys.executable, "-m", "zuoxi", *arguments],
            cwd=self.folder,
            env=self.settings,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if code is not None and done.returncode != code:
            raise AssertionError(
                f"zuoxi {' '.join(arguments)} ended with {done.returncode}:\n"
                f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return done.stdout

    def start(self, *, wait: bool = True) -> None:
        """`zuoxi run`; returns once it answers."""
        assert self.process is None
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "zuoxi", "run"],
                cwd=self.folder,
                env=self.settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait_until_up()

    def wait_until_up(self) -> None:
        def answers() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"zuoxi run ended: {self.log()[-3000:]}")
            with contextlib.suppress(URLError, OSError), urlopen(f"{self.url}/healthz") as found:
                return bool(found.status == 200)
            return False

        wait_until("the product answers", answers, UP_SECONDS)

    def kill9(self) -> None:
        """As a power cut would: nothing is said, nothing is flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an operator would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=20)
            self.process = None

    def log(self) -> str:
        path = self.folder / "run.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


@contextlib.contextmanager
def a_product(folder: Path, environ: Mapping[str, str]) -> Iterator[Product]:
    """An installation that is ended with the test, whatever happened."""
    product = Product(folder, environ)
    try:
        yield product
    finally:
        product.kill9()


async def eventually(
    is_so: Callable[[], object | Awaitable[object]], seconds: float = 10.0
) -> None:
    """Wait for what no event tells: a row, a region of a page. `is_so` may answer later itself.

    Raises `TimeoutError`.
    """
    async with asyncio.timeout(seconds):
        while True:
            answer = is_so()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.02)
