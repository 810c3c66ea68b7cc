"""A Redis of our own on a free port of loopback, ended by its pid. Never the machine's.

with RedisServer() as redis:
    redis.flush()
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness import free_port
from tests.lab.guard import Guard


class RedisServer:
    """A running server without any persistence: started again it is empty."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(tempfile.mkdtemp(prefix="zuoxi-redis-"))
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self.port = free_port()
            stack.callback(self.stop)
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The value for `ZUOXI_BUS_URL`."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
             "--appendonly", "no", "--dir", str(self._folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self._guard = Guard(self._process)
        deadline = time.monotonic() + 10
        while self._cli("PING").strip() != "PONG":
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.02)

    def stop(self) -> None:
        """As a power cut would: nothing is kept."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)
            self._guard.dismiss()

    def flush(self) -> None:
        self._cli("FLUSHALL")

    def command(self, *words: str) -> str:
        """What `redis-cli` says."""
        return self._cli(*words)

    def _cli(self, *words: str) -> str:
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, check=False
        )
        return done.stdout
