"""How long `zuoxi run` takes to its first answer, and `zuoxi --help` to its last word (P18)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.processes import a_child, cores, environment
from tests.harness import free_port

_ASK = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
PATIENCE_SECONDS = 30.0


def first_answer(
    arguments: Sequence[str], environ: Mapping[str, str], port: int, log: Path
) -> float:
    """Seconds from the start of the process to the first 200 of /healthz."""
    began = time.perf_counter()
    with a_child(arguments, environ, log, cores()[0]) as child:
        while time.perf_counter() - began < PATIENCE_SECONDS:
            if _answers(port):
                return time.perf_counter() - began
            if child.ended():
                break
            time.sleep(0.005)
        raise RuntimeError(f"{arguments} gave no answer:\n{child.words()[-3000:]}")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as asking:
            asking.sendall(_ASK)
            return asking.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def of_zuoxi(database: Path, folder: Path) -> float:
    """`zuoxi run` on a migrated database, without a PBX."""
    port = free_port()
    settings = {
        "ZUOXI_DATABASE_URL": f"sqlite:///{database}",
        "ZUOXI_VAR": str(folder / "var"),
        "ZUOXI_ASTERISK_CONF": str(folder / "asterisk"),
        "ZUOXI_HTTP_BIND": f"127.0.0.1:{port}",
    }
    return first_answer(["-m", "zuoxi", "run"], settings, port, folder / "start.log")


def of_bare_site(folder: Path) -> float:
    """The reference: imports the same libraries and serves one page."""
    port = free_port()
    return first_answer(["-m", "tests.bench.bare_site", str(port)], {}, port, folder / "start.log")


def of_command(*arguments: str) -> float:
    """Seconds of one run of Python."""
    began = time.perf_counter()
    subprocess.run(
        ["taskset", "-c", str(cores()[0]), sys.executable, *arguments],
        env=environment({}),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began
