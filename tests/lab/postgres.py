"""A PostgreSQL of our own: a temporary cluster on loopback, ended by its pid. Never the machine's.

with Postgres() as postgres:
    with postgres.fresh_database() as url: …
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.guard import Guard

# PostgreSQL refuses root; Debian's package makes this user.
_USER = "postgres"

# Everything here is thrown away: durability only costs time.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
}

_numbers = count()


class Postgres:
    """A running cluster. `url` is its empty database; `fresh_database` gives one for a test."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(tempfile.mkdtemp(prefix="zuoxi-postgres-"))
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            if os.geteuid() == 0:
                owner = pwd.getpwnam(_USER)
                os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._data = self._folder / "data"
            self._as_owner(
                "initdb", "-D", str(self._data), "-U", _USER, "--auth=trust", "-E", "UTF8",
                "--locale=C.UTF-8", "--no-sync",
            )  # fmt: skip
            self.port = _free_port()
            self._process = self._start()
            self._guard = Guard(self._process)
            stack.callback(self._stop)
            self._wait_until_ready()
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
        return self._url("postgres")

    def create_database(self, *, like: str | None = None) -> str:
        """Makes a database, empty or a copy of `like` (to which nobody may be connected). Its name."""
        name = f"zuoxi_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {like or 'template0'}")
        return name

    @contextmanager
    def fresh_database(self, *, like: str | None = None) -> Iterator[str]:
        """The URL of a database that exists as long as the block."""
        name = self.create_database(like=like)
        try:
            yield self._url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, sql: str) -> str:
        """One statement as the superuser, for the laboratory's own needs."""
        return self._as_owner(
            "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, "-qAtX",
            "-v", "ON_ERROR_STOP=1", "-c", sql,
        )  # fmt: skip

    def _url(self, database: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # setpriv replaces itself by its command, so that the pid is PostgreSQL's own.
        with (self._folder / "log").open("wb") as log:
            return subprocess.Popen(
                [*_drop_root(), str(_program("postgres")), "-D", str(self._data), *options],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.execute("SELECT 1")
            except RuntimeError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"PostgreSQL did not start:\n{(self._folder / 'log').read_text()}")

    def _stop(self) -> None:
        # SIGINT is PostgreSQL's "fast": connections are ended, then it stops.
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._guard.dismiss()

    def _as_owner(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [*_drop_root(), str(_program(program)), *arguments],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {(done.stderr or done.stdout).strip()}")
        return done.stdout


def _drop_root() -> list[str]:
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwnam(_USER)
    return [
        "setpriv",
        f"--reuid={owner.pw_uid}",
        f"--regid={owner.pw_gid}",
        "--clear-groups",
        "--",
    ]


def _program(name: str) -> Path:
    """Debian keeps the server's programs out of the path, by version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if found:
        return found[-1]
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(f"PostgreSQL's {name} is not installed")
    return Path(path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
