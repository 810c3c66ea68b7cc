"""Real calls on a real Asterisk, the product behind a proxy, and the faults that befall them.

A `Bench` keeps the calls coming; `befall` lets one fault happen, waits until it is over, and notes when
it was and how many calls were up. Which fault when, the printed seed decides.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import yaml

from tests.faults.proxy import FaultProxy
from tests.harness import Product, a_product, wait_until
from tests.journeys.centre import AGENTS, HOTLINES, Api, a_plan, a_setup, sign_in
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

BACK_WITHIN = 60.0
GAP_BEGINS, GAP_ENDS = timedelta(seconds=5), timedelta(seconds=2)
TALKS, WAITS = "support", "hurried"
"""One queue whose agents answer, and one whose agent does not: there the callers wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    fault: str
    blind: bool
    """Whether facts of AMI were lost: then the gap book has a row."""
    began_at: datetime
    ended_at: datetime
    calls_up: int


@dataclass
class Bench:
    lab: Laboratory
    proxy: FaultProxy
    product: Product
    token: str
    dice: Random
    happenings: list[Happening] = field(default_factory=list)
    _number: int = 0

    # --- the calls --------------------------------------------------------------------------------

    def ring(self, stack: ExitStack, count: int, per_second: float) -> None:
        """So many callers more: two of three talk, the others wait in vain or give up."""
        shares = (
            (TALKS, count * 2 // 3, per_second * 2 / 3, None),
            (WAITS, count // 6, per_second / 6, None),
            (WAITS, count // 6, per_second / 6, 1_900),
        )
        for queue, calls, rate, patience_ms in shares:
            first, self._number = self._number, self._number + calls
            who = [Caller(number=f"138{place:08}") for place in range(first, first + calls)]
            behaviour = CallerBehaviour(talk_ms=1_500, patience_ms=patience_ms)
            stack.enter_context(callers(self.lab, HOTLINES[queue], who, behaviour, per_second=rate))

    def until_over(self) -> None:
        """No call is up any more; whoever hangs on is put out, as an operator would do it.

        SIPp itself may wait on for a call that a dying Asterisk took with it.
        """
        deadline = time.monotonic() + 30
        while self.calls_up():
            if time.monotonic() > deadline:
                self.lab.rx("channel request hangup all")
            time.sleep(1)
            assert time.monotonic() < deadline + 30, "calls do not end"

    def calls_up(self) -> int:
        found = re.search(r"(\d+) active call", self.lab.rx("core show channels count"))
        return int(found[1]) if found else 0

    # --- the faults -------------------------------------------------------------------------------

    def befall(self, fault: str) -> Happening:
        act, blind = FAULTS[fault]
        up, gaps = self.calls_up(), len(self.gaps())
        began_at = datetime.now(UTC)
        act(self)
        if blind:
            wait_until(
                f"the link is up after {fault}, and the gap is booked",
                lambda: len(self.gaps()) > gaps and self.link() == "up",
                BACK_WITHIN,
            )
        happening = Happening(
            fault=fault, blind=blind, began_at=began_at, ended_at=datetime.now(UTC), calls_up=up
        )
        self.happenings.append(happening)
        return happening

    def cut(self) -> None:
        self.proxy.cut()

    def cut_inside(self) -> None:
        self.proxy.change(cut_after=self.dice.randint(200, 9_000))
        wait_until("the link is cut", self.product_is_cut, 20)

    def product_is_cut(self) -> bool:
        return self.proxy.connections < 2

    def cut_control(self) -> None:
        self.proxy.cut(b"zuoxi-control")
        wait_until("both sessions stand", lambda: self.proxy.connections == 2, 20)

    def die(self) -> None:
        """Half-open, as when a switch loses power: nobody says so."""
        dead = self.proxy.standing()
        self.proxy.change(swallowed=True)
        wait_until("both dead sessions are given up", lambda: not dead & self.proxy.standing(), 15)
        self.proxy.heal()

    def stall(self) -> None:
        self.proxy.change(held=True)
        time.sleep(self.dice.uniform(1.5, 2.3))
        self.proxy.heal()
        time.sleep(1)

    def slow(self) -> None:
        self.proxy.change(delay_seconds=0.1, jitter_seconds=0.4, bytes_per_second=400_000)
        time.sleep(4)
        self.proxy.heal()

    def double(self) -> None:
        self.proxy.change(doubled=True)
        time.sleep(4)
        self.proxy.heal()

    def kill(self) -> None:
        self.product.kill9()
        time.sleep(self.dice.uniform(0.2, 2))
        self.product.start()

    def stop_product(self) -> None:
        """SIGSTOP: our process stands still, and loses nothing."""
        assert self.product.process is not None
        os.kill(self.product.process.pid, signal.SIGSTOP)
        time.sleep(self.dice.uniform(3, 6))
        os.kill(self.product.process.pid, signal.SIGCONT)
        time.sleep(1)

    def crash_asterisk(self) -> None:
        self.lab.kill9()
        time.sleep(6)  # two runs of Asterisk within five seconds are taken for one
        self.lab.start()

    def restart_asterisk(self) -> None:
        self.lab.stop()
        time.sleep(6)
        self.lab.start()

    def lock_database(self, seconds: float = 30) -> None:
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            other.execute("ROLLBACK")

    def turn_log_over(self) -> None:
        log = self.lab.queue_log
        log.rename(log.with_name(f"queue_log-{len(self.happenings):04}"))
        self.lab.rx("logger reload")

    def tear_log(self) -> None:
        """A full disk leaves a piece of a row; the next one is glued to it."""
        with self.lab.queue_log.open("ab") as log:
            log.write(b"%d|lab-0.0|support|10" % int(time.time()))

    def whole_log(self) -> Path:
        """All that Asterisk wrote, turned over or not, in one file."""
        log = self.lab.queue_log
        found = self.product.folder / "queue_log"
        parts = [*sorted(log.parent.glob(f"{log.name}-*")), log]
        found.write_bytes(b"".join(part.read_bytes() for part in parts))
        return found

    # --- what the product says ------------------------------------------------------------------------

    @property
    def database(self) -> Path:
        return self.product.folder / "zuoxi.db"

    def rows(self, query: str) -> list[tuple[int | str, ...]]:
        with closing(sqlite3.connect(self.database, timeout=60)) as database:
            return database.execute(query).fetchall()

    def gaps(self) -> list[tuple[datetime, datetime]]:
        found = self.rows("SELECT began_at, ended_at FROM gaps ORDER BY began_at")
        return [(_moment(int(began)), _moment(int(ended))) for began, ended in found]

    def link(self) -> str:
        links = Api(self.product, self.token).get("/api/v1/live")["links"]
        return str(links[0]["state"]) if links else "none"

    # --- what must be true ----------------------------------------------------------------------------

    def wrong_gaps(self) -> list[str]:
        """Each blind interval has its row, neither too early nor too late; nothing else has one."""
        booked, found = self.gaps(), []
        for each in self.happenings:
            fitting = [
                (began, ended)
                for began, ended in booked
                if each.began_at - GAP_BEGINS <= began <= each.ended_at
                and began <= ended <= each.ended_at + GAP_ENDS
                and ended >= each.began_at
            ]
            if each.blind and not fitting:
                found.append(f"{each.fault} at {each.began_at:%H:%M:%S} is not in the gap book")
            elif each.blind:
                booked.remove(fitting[0])
        return found + [f"a gap that never was: {began} to {ended}" for began, ended in booked]

    def lost_calls(self) -> list[str]:
        """Calls of CEL (Asterisk's own witness) that are neither in the table nor beside a gap."""
        known = {str(row[0]) for row in self.rows("SELECT linked_id FROM legs")}
        known |= {str(row[0]) for row in self.rows("SELECT unique_id FROM queue_passes")}
        lost = []
        for line in self.lab.cel_log.read_text(errors="replace").splitlines():
            kind, epoch, _, unique_id, linked_id, *_ = line.replace('"', "").split(",")
            if kind != "CHAN_START" or unique_id != linked_id or linked_id in known:
                continue
            at = _moment(round(float(epoch) * 1_000_000))
            if not any(
                began - timedelta(seconds=2) <= at <= ended + timedelta(seconds=2)
                for began, ended in self.gaps()
            ):
                lost.append(f"{linked_id} at {at:%H:%M:%S}")
        return lost


FAULTS: Mapping[str, tuple[Callable[[Bench], None], bool]] = {
    "AMI cut": (Bench.cut, True),
    "AMI cut inside a message": (Bench.cut_inside, True),
    "AMI half-open": (Bench.die, True),
    "AMI stalled": (Bench.stall, False),
    "AMI slow": (Bench.slow, False),
    "AMI doubled": (Bench.double, False),
    "control session cut": (Bench.cut_control, False),
    "product killed": (Bench.kill, True),
    "product stopped": (Bench.stop_product, False),
    "Asterisk killed": (Bench.crash_asterisk, True),
    "Asterisk restarted": (Bench.restart_asterisk, True),
    "database locked": (Bench.lock_database, False),
    "queue_log turned over": (Bench.turn_log_over, False),
    "queue_log torn": (Bench.tear_log, False),
}
"""Name → what happens, and whether facts are lost by it."""


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


@contextmanager
def a_bench(folder: Path, seed: int) -> Iterator[Bench]:
    """Twenty agents who answer, ten who do not, and the product behind a proxy."""
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        lab.stop()
        lab.plan = a_plan(lab)
        lab.configure()
        lab.start()
        proxy = stack.enter_context(FaultProxy("127.0.0.1", lab.ports.ami, seed))
        url = lab.url.replace(f":{lab.ports.ami}/", f":{proxy.port}/")
        product = stack.enter_context(a_product(folder, {"ZUOXI_PBX_URLS": url}))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "centre.yaml").write_text(_setup(), encoding="utf-8")
        product.zuoxi("import", "setup", "centre.yaml")
        token = product.zuoxi("token", "create", "tests", "--role", "admin").strip()
        product.start()
        for place in (*range(10), *range(20, AGENTS)):
            sign_in(product, place)
        for group, after_ms in ((0, 100), (2, 250)):
            stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=after_ms), group=group))
        wait_until("members are there", lambda: lab.rx("queue show").count("(dynamic)") == 20, 20)
        yield Bench(lab, proxy, product, token, Random(seed))


def _setup() -> str:
    setup = yaml.safe_load(a_setup())
    for place, person in enumerate(setup["people"]):
        person["queues"] = [WAITS if place // 10 == 1 else TALKS]
    return yaml.safe_dump(setup, allow_unicode=True)
