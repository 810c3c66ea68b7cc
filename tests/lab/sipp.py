"""Callers and agents' phones by SIPp, and what SIPp itself saw: the truth that the call log must equal."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import scenarios
from tests.lab.asterisk import CARRIER, Laboratory
from tests.lab.guard import Guard
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour

ACTS = frozenset({"held", "resumed", "referred"})

_runs = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who rings. Without a number the caller hides it, as carriers pass that on."""

    number: str | None
    name: str | None = None

    @property
    def from_header(self) -> str:
        if self.number is None:
            return '"Anonymous" <sip:anonymous@anonymous.invalid>'
        shown = f'"{self.name}" ' if self.name is not None else ""
        return f"{shown}<sip:{self.number}@{CARRIER}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSeen:
    """One call as a caller's or a phone's side saw it, by SIPp's wall clock (milliseconds true)."""

    sip_call_id: str
    number: str | None
    """The caller's; None where it was hidden."""
    seat: str | None
    """The extension that rang, on a phone's side."""
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    end: str | None
    """`self` or `other` after an answer; `abandoned`, `cancelled`, `refused CODE` without one."""
    acts: tuple[tuple[datetime, str], ...] = ()
    """What a phone did meanwhile: `held`, `resumed`, `referred`."""


class Sipp:
    """One SIPp process. It ends with the `with` block, by its own pid."""

    def __init__(self, arguments: Sequence[str], scenario: str, folder: Path) -> None:
        number = next(_runs)
        self._folder = folder
        self._scenario = folder / f"sipp-{number}.xml"
        self._log = folder / f"sipp-{number}.log"
        self._output = folder / f"sipp-{number}.out"
        self._scenario.write_text(scenario)
        self._arguments = [
            "sipp",
            *arguments,
            *("-sf", str(self._scenario), "-nostdin", "-trace_logs", "-log_file", str(self._log)),
            *("-trace_err", "-error_file", str(folder / f"sipp-{number}.err")),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._arguments,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._guard = Guard(self._process)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("This SIPp is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        if self._process is None:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        self._guard.dismiss()

    def wait(self, seconds: float = 60) -> None:
        """Until its calls are over. Raises with SIPp's own words where one went otherwise."""
        if self._process is None:
            raise RuntimeError("This SIPp was not started")
        if self._process.wait(seconds) != 0:
            raise RuntimeError(f"SIPp said:\n{self.complaints}")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def finished(self, seconds: float = 60) -> None:
        await asyncio.to_thread(self.wait, seconds)

    @property
    def complaints(self) -> str:
        path = self._log.with_suffix(".err")
        said = path.read_text(errors="replace") if path.exists() else ""
        return said or self._output.read_text(errors="replace")[-3000:]

    @property
    def calls(self) -> list[CallSeen]:
        """What it saw until now, in the order in which the calls began."""
        if not self._log.exists():
            return []
        return _read_log(self._log.read_text(errors="replace"))


def callers(
    lab: Laboratory,
    hotline: str,
    who: Sequence[Caller],
    behaviour: CallerBehaviour | None = None,
    *,
    per_second: float = 10,
    count: int | None = None,
    source: str = CARRIER,
) -> Sipp:
    """Each of `who` rings once, one after the other, or all of them again until there were `count`.

    From `source` 127.0.0.1 the number is an extension: that seat's phone dials.
    """
    number = next(_runs)
    table = lab.folder / f"callers-{number}.csv"
    lines = [f"{c.from_header};{c.number or 'anonymous'};{c.number or '-'};" for c in who]
    table.write_text("\n".join(["SEQUENTIAL", *lines, ""]))
    ports = lab.ports.callers
    # SIPp counts in whole calls per period.
    period_ms = round(1000 / per_second) if per_second < 1 else 1000
    rate = 1 if per_second < 1 else round(per_second)
    return Sipp(
        [
            f"127.0.0.1:{lab.ports.sip}",
            *("-s", hotline, "-i", source, "-p", str(ports[number % len(ports)])),
            *("-mp", str(_media_port(lab, number)), "-inf", str(table)),
            *("-m", str(len(who) if count is None else count)),
            *("-r", str(rate), "-rp", str(period_ms)),
        ],
        scenarios.caller(behaviour or CallerBehaviour()),
        lab.folder,
    )


def phones(lab: Laboratory, behaviour: PhoneBehaviour | None = None, *, group: int = 0) -> Sipp:
    """The phones of seats 8x01 … 8x10, where x is `group`. Ready when this returns."""
    return _listening(lab, "127.0.0.1", lab.ports.phones[group], behaviour)


def customers(lab: Laboratory, behaviour: PhoneBehaviour | None = None) -> Sipp:
    """Everybody outside whom we ring, behind the carrier's gateway. Ready when this returns.

    The `seat` of such a call is the number that was dialled, its `number` the one that was shown.
    """
    return _listening(lab, CARRIER, lab.ports.carrier, behaviour)


def _listening(lab: Laboratory, address: str, port: int, behaviour: PhoneBehaviour | None) -> Sipp:
    sipp = Sipp(
        [
            "-i",
            address,
            "-p",
            str(port),
            "-mp",
            str(_media_port(lab, next(_runs))),
            "-rtp_echo",
        ],
        scenarios.phone(behaviour or PhoneBehaviour()),
        lab.folder,
    )
    sipp.start()
    deadline = time.monotonic() + 10
    while not _listens(port):
        if time.monotonic() > deadline:
            sipp.stop()
            raise RuntimeError(f"SIPp does not listen on {port}:\n{sipp.complaints}")
        time.sleep(0.02)
    return sipp


def register(
    lab: Laboratory,
    *,
    host: str,
    port: int,
    user: str,
    password: str,
    display_name: str,
    group: int = 0,
) -> None:
    """The phone on the port of `group` registers by UDP; `phones(group=…)` is then that phone.

    Raises where Asterisk does not take it.
    """
    sipp = Sipp(
        [
            f"{host}:{port}",
            *("-i", "127.0.0.1", "-p", str(lab.ports.phones[group]), "-m", "1"),
            *("-mp", str(_media_port(lab, next(_runs)))),
        ],
        scenarios.registration(host, user, password, display_name),
        lab.folder,
    )
    with sipp:
        sipp.wait(10)


def _media_port(lab: Laboratory, number: int) -> int:
    # SIPp takes four and does not look for others when one of them is in use.
    return lab.ports.media + 4 * (number % 48)


def _listens(port: int) -> bool:
    wanted = f":{port:04X}"
    return any(
        line.split()[1].endswith(wanted)
        for line in Path("/proc/net/udp").read_text().splitlines()[1:]
    )


def _read_log(text: str) -> list[CallSeen]:
    """A line is `CALL-ID DATE TIME EPOCH WHAT …`."""
    seen: dict[str, CallSeen] = {}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) < 5:
            continue
        call, moment, what, rest = parts[0], float(parts[3]), parts[4], parts[5:]
        at = datetime.fromtimestamp(moment, UTC)
        if what in ("dialled", "rang"):
            seen[call] = _began(call, at, what, rest)
        elif call in seen and what in ACTS:
            seen[call] = replace(seen[call], acts=(*seen[call].acts, (at, what)))
        elif call in seen:
            seen[call] = _with(seen[call], at, what, rest)
    return sorted(seen.values(), key=lambda one: one.began_at)


def _began(call: str, at: datetime, what: str, rest: list[str]) -> CallSeen:
    # `dialled NUMBER`, `rang SEAT NUMBER`; a hidden caller's is `-` there and missing here.
    number = " ".join(rest[0:] if what == "dialled" else rest[1:])
    return CallSeen(
        sip_call_id=call,
        number=None if number in ("-", "") else number.removeprefix("sip:").removesuffix("@"),
        seat=rest[0] if what == "rang" else None,
        began_at=at,
        answered_at=None,
        ended_at=None,
        end=None,
    )


def _with(one: CallSeen, at: datetime, what: str, rest: list[str]) -> CallSeen:
    answered = at if what == "answered" and one.answered_at is None else one.answered_at
    # A caller who gave up while the answer was on its way did talk, for a moment.
    end = {"answered": None, "ended": " ".join(rest)}.get(what, " ".join((what, *rest)))
    return replace(one, answered_at=answered, ended_at=None if end is None else at, end=end)
