"""An installation of four kinds of process on PostgreSQL and Redis, each to be killed alone."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

from tests.harness import Product, free_port, wait_until
from tests.lab.postgres import Postgres
from tests.lab.redis import RedisServer

SERVICES = ("crm_core", "telephony", "routing", "agent_ui")
UP_SECONDS = 30.0


@dataclass
class Split(Product):
    """The product as processes, by name; a second of one kind has a name like `telephony 2`."""

    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {name: ("python", "-m", name) for name in SERVICES}
    )

    def start_service(self, name: str, **environ: str) -> None:
        assert name not in self.running
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_of(name).open("ab") as log:
            self.running[name] = self._popen(name.split()[0], log, environ)

    def _popen(
        self, service: str, log: IO[bytes], environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *self.commands[service][1:]],
            cwd=self.folder,
            env={**self.settings, **environ},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def start(self, *, wait: bool = True) -> None:
        for service in SERVICES:
            self.start_service(service)
        if wait:
            wait_until("the pages are ready", lambda: self.is_ready(), UP_SECONDS)

    def is_ready(self) -> bool:
        for name, process in self.running.items():
            assert process.poll() is None, f"{name} ended: {self.log_of(name).read_text()[-3000:]}"
        with contextlib.suppress(URLError, OSError), urlopen(f"{self.url}/readyz") as found:
            return bool(found.status == 200)
        return False

    def kill_service(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        process = self.running.pop(name)
        process.send_signal(how)
        process.wait(20)

    def kill9(self) -> None:
        for name in list(self.running):
            self.kill_service(name)

    def log_of(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def log(self) -> str:
        return "\n".join(
            f"--- {path.stem}\n{path.read_text(errors='replace')}"
            for path in sorted(self.folder.glob("*.log"))
        )


@contextlib.contextmanager
def a_split(folder: Path, pbx_urls: str, postgres: Postgres, redis: RedisServer) -> Iterator[Split]:
    """Ended with the test, whatever happened. Nothing is started yet."""
    with postgres.fresh_database() as database_url:
        redis.flush()
        environ = {
            "ZUOXI_PBX_URLS": pbx_urls,
            "ZUOXI_DATABASE_URL": database_url,
            "ZUOXI_BUS_URL": redis.url,
        }
        product = Split(folder, environ, port=free_port())
        try:
            yield product
        finally:
            product.kill9()
