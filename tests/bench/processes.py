"""Child processes on a core of their own, what they use of the machine, and what others use of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.harness import ROOT

SERVER_CORE, CLIENT_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, int]:
    """The server's core and that of generator and clients."""
    allowed = sorted(os.sched_getaffinity(0) | {SERVER_CORE, CLIENT_CORE})
    return allowed[0], allowed[1]


def pin_self(core: int) -> None:
    os.sched_setaffinity(0, {core})


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """That of every child: compiled modules are kept, as an installed product keeps them."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ZUOXI_")}
    plain.pop("PYTHONDONTWRITEBYTECODE", None)
    cache = str(Path(tempfile.gettempdir()) / f"zuoxi-bench-compiled-{os.getuid()}")
    return {**plain, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": cache, **more}


class Child:
    """A process that is pinned, can be put to sleep while another one is measured, and ends."""

    def __init__(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        log: Path,
        core: int | None = None,
    ) -> None:
        self.log = log
        command = [sys.executable, *arguments]
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=log.parent,
                env=environment(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> bool:
        return self.process.poll() is not None

    def words(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def sleep(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / TICKS

    def resident_kb(self) -> int:
        """Memory in use, in KB."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise ValueError("no VmRSS")

    def end(self) -> None:
        if not self.ended():
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout=10)


@contextlib.contextmanager
def a_child(
    arguments: Sequence[str], environ: Mapping[str, str], log: Path, core: int | None = None
) -> Iterator[Child]:
    """Ended with the block, whatever happened."""
    child = Child(arguments, environ, log, core)
    try:
        yield child
    finally:
        child.end()


class OtherLoad:
    """How many cores programs that are not ours use while something is measured."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    @contextlib.contextmanager
    def watched(self, *children: Child) -> Iterator[None]:
        """One more sample: the block's. Children that begin and end within it count as ours."""
        before, mine, theirs, at = self._now(children)
        yield
        after, mine_then, theirs_then, then = self._now(children)
        ours = (mine_then - mine) + (theirs_then - theirs)
        self.seen.append(max(0.0, (after - before - ours) / (then - at)))

    @staticmethod
    def _now(children: Sequence[Child]) -> tuple[float, float, float, float]:
        """Busy seconds of the machine, of this process with its ended children, of `children`."""
        fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
        user, nice, system, idle, waiting, irq, soft, steal = (int(field) for field in fields[:8])
        busy = (user + nice + system + irq + soft + steal) / TICKS
        times = os.times()
        mine = times.user + times.system + times.children_user + times.children_system
        theirs = sum(child.cpu_seconds() for child in children if not child.ended())
        wall = (user + nice + system + irq + soft + steal + idle + waiting) / TICKS
        return busy, mine, theirs, wall / (os.cpu_count() or 1)

    @property
    def mean(self) -> float:
        return sum(self.seen) / len(self.seen) if self.seen else 0.0
