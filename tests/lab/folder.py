"""Folders of laboratories: the pristine base, a copy of it for each, and which ports a copy may use."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Below the ports that the kernel gives away by itself (32768 and up), a thousand for each laboratory.
_FIRST_PORT = 20000
_PORTS_EACH = 1000
_SLOTS = 12

# What Asterisk only reads; shared by hard links, so that a copy takes a fraction of a second.
_READ_ONLY = ("usr",)


def root() -> Path:
    """Where everything of the laboratory lies; the tests never write outside it and pytest's own."""
    return Path(os.environ.get("ZUOXI_LAB", "/var/tmp/zuoxi-lab"))


def base() -> Path:
    return root() / "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of one laboratory, all on loopback."""

    first: int

    @property
    def sip(self) -> int:
        return self.first

    @property
    def ami(self) -> int:
        return self.first + 1

    @property
    def phones(self) -> tuple[int, ...]:
        """One SIPp each; what rings there behaves alike."""
        return tuple(range(self.first + 10, self.first + 16))

    @property
    def carrier(self) -> int:
        """Where the carrier takes calls from us, at `CARRIER`."""
        return self.first + 95

    @property
    def callers(self) -> range:
        return range(self.first + 20, self.first + 90)

    @property
    def rtp(self) -> tuple[int, int]:
        return self.first + 100, self.first + 799

    @property
    def media(self) -> int:
        """The first of 200 for the (silent) media of SIPp."""
        return self.first + 800


@contextmanager
def own_slot() -> Iterator[tuple[Path, Ports]]:
    """A folder name and ports that no other laboratory of this machine has, as long as it lasts.

    The lock is the kernel's: it ends with the process, however that ends.
    """
    root().mkdir(parents=True, exist_ok=True)
    for slot in range(_SLOTS):
        with open(root() / f"slot-{slot}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            ports = Ports(first=_FIRST_PORT + slot * _PORTS_EACH)
            # A port may be another program's.
            if not all(_is_free(port) for port in (ports.sip, ports.ami, *ports.phones)):
                continue
            yield root() / f"lab-{slot}", ports
            return
    raise RuntimeError(f"All {_SLOTS} laboratories of {root()} are in use, or their ports are")


def fresh_copy(of: Path, to: Path) -> None:
    """A folder to start Asterisk in. Nothing is ever mounted below it, so removing it is safe."""
    if to.exists():
        shutil.rmtree(to)
    to.mkdir()
    for entry in sorted(of.iterdir()):
        how = "-al" if entry.name in _READ_ONLY else "-a"
        subprocess.run(["cp", how, "--", str(entry), str(to)], check=True)


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # As Asterisk itself does: a closed connection's TIME_WAIT does not occupy the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
