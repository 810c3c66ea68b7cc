"""From AgentCalled on the AMI socket to `call.offered` at the agent's: P1, P2, and memory (P9)."""

from __future__ import annotations

import contextlib
import gc
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

import orjson

from crm_core.ids import BootId, PbxId, call_id
from tests.bench import centre
from tests.bench.centre import AGENTS, CALLS_EACH, PBX, Centre, former_call
from tests.bench.clients import Client, connect
from tests.bench.figures import p50
from tests.bench.loop import Loop
from tests.bench.pbx import STARTED_AT, Pbx, Written
from tests.bench.processes import Child, OtherLoad, a_child, cores
from tests.bench.traffic import CUSTOMERS, Ring, Traffic, customer_number
from tests.harness import free_port

CALLS_PER_SECOND = 100.0
SETTLE_SECONDS = 0.4
_PLACE_OF = {customer_number(place): place for place in range(CUSTOMERS)}


@dataclass(slots=True)
class Round:
    """What one round of one variant gave. `wrong` says what must not be; then there is no figure."""

    latencies: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    events: int = 0
    bytes: int = 0
    cpu_seconds: float = 0.0
    sizes: list[int] = field(default_factory=list)
    frames: int = 0

    @property
    def p50(self) -> float:
        return p50(self.latencies)


class Variant:
    """A server that turns AgentCalled into pops, with its own PBX and its own sockets."""

    name: str
    pings_its_pbx = True
    calls_per_second = CALLS_PER_SECOND

    def __init__(self, loop: Loop, pbx: Pbx, child: Child) -> None:
        self.loop, self.pbx, self.child = loop, pbx, child
        self.clients: list[Client] = []

    def play(self, traffic: Traffic, seconds: float, load: OtherLoad) -> Round:
        """One round; nothing is judged before its last frame has come."""
        begins = time.time() + 0.5
        began = time.perf_counter() + 0.5
        sent = traffic.round(self.calls_per_second, seconds, begins)
        gc.collect()
        gc.disable()
        cpu = self.child.cpu_seconds()
        with load.watched(self.child):
            written = self.pbx.play(sent, began)
            self.loop.rest(SETTLE_SECONDS)
        gc.enable()
        done = Round(late=written.late, events=written.events, bytes=written.bytes)
        done.cpu_seconds = self.child.cpu_seconds() - cpu
        done.calls = len({ring.unique_id for ring, _ in written.rings})
        self.judge(written, done)
        return done

    def judge(self, written: Written, done: Round) -> None:
        raise NotImplementedError

    def wake(self) -> None:
        """What was due while it slept is done before it is measured."""
        self.child.wake()
        self.rest(0.5)

    def rest(self, seconds: float) -> None:
        """Serve without being measured: pings are answered as they come."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self.loop.rest(min(left, 0.05))
            for client in self.clients:
                client.answer_pings()

    def fall_asleep(self) -> None:
        """Between its rounds it must not take part; but not while it waits for a Pong."""
        pinged, until = self.pbx.pinged_at, time.perf_counter() + 2.0
        while self.pings_its_pbx and self.pbx.pinged_at == pinged and time.perf_counter() < until:
            self.rest(0.05)
        self.rest(0.05)
        self.child.sleep()

    def breathe(self) -> None:
        """Wake for a moment, so that no sleep outlasts the 20 s after which a silent side is cut."""
        self.wake()
        self.fall_asleep()


def matched(
    rings: Sequence[tuple[Ring, float]],
    popped: dict[tuple[str, int], list[float]],
    name_of: Callable[[Ring], str],
    done: Round,
) -> None:
    """Every ring has exactly one pop at its agent, and there is no other."""
    for ring, at in rings:
        came = popped.pop((name_of(ring), ring.agent), [])
        if len(came) == 1:
            done.latencies.append(came[0] - at)
        else:
            what = "no pop" if not came else f"{len(came)} pops"
            done.wrong.append(f"{ring.unique_id} at agent {ring.agent}: {what}")
    done.wrong += [f"a pop that nobody rang: {key}" for key in popped]


class Raw(Variant):
    """The reference."""

    name = "raw relay"
    pings_its_pbx = False

    def judge(self, written: Written, done: Round) -> None:
        popped: dict[tuple[str, int], list[float]] = {}
        for place, client in enumerate(self.clients):
            for at, payload in client.frames():
                said = orjson.loads(payload)
                popped.setdefault((said["unique_id"], place), []).append(at)
                done.sizes.append(len(payload))
                done.frames += 1
        matched(written.rings, popped, lambda ring: ring.unique_id, done)


class Zuoxi(Variant):
    """The product: `zuoxi run`, SQLite, a thousand agents signed in."""

    name = "zuoxi"
    boot = BootId("")

    def __init__(self, loop: Loop, pbx: Pbx, child: Child) -> None:
        super().__init__(loop, pbx, child)
        self._served: set[str] = set()
        """Callers who rang before, in this run."""

    def name_of(self, ring: Ring) -> str:
        return call_id(PbxId(PBX), self.boot, ring.unique_id)

    def judge(self, written: Written, done: Round) -> None:
        rings = {(self.name_of(ring), ring.agent): ring for ring, _ in written.rings}
        popped: dict[tuple[str, int], list[float]] = {}
        rang_before: set[str] = set()
        order: list[tuple[float, tuple[str, int], dict[str, object]]] = []
        for place, client in enumerate(self.clients):
            last, seen = -1, dict[str, int]()
            for at, payload in client.frames():
                done.frames += 1
                said = orjson.loads(payload)
                number = int(said["seq"].rpartition("-")[2])
                if number < last:
                    done.wrong.append(f"agent {place}: seq runs backwards at {said['type']}")
                last = number
                if said["type"] == "call.offered":
                    done.sizes.append(len(payload))
                    key = (said["call"]["call_id"], place)
                    popped.setdefault(key, []).append(at)
                    order.append((at, key, said))
                self._in_order(said, seen, place, done)
            if client.closed or client.farewell:
                done.wrong.append(f"agent {place}: the socket was closed {client.farewell}")
        for _, key, said in sorted(order, key=lambda each: each[0]):
            if (ring := rings.get(key)) is not None:
                done.wrong += self._content(ring, said, rang_before)
        self._served |= rang_before
        matched(written.rings, popped, self.name_of, done)

    @staticmethod
    def _in_order(said: dict[str, object], seen: dict[str, int], place: int, done: Round) -> None:
        """Offered first, ended last; between them answered (perhaps by another) and withdrawn."""
        steps = {"call.offered": 1, "call.answered": 2, "call.withdrawn": 2, "call.ended": 3}
        step = steps.get(str(said["type"]))
        if step is None:
            return
        call = str(said["call"]["call_id"])  # type: ignore[index]
        former = seen.get(call, 0)
        if step < former or (step == former != 2) or (former == 0) != (step == 1):
            done.wrong.append(f"agent {place}: {said['type']} of {call} out of order")
        seen[call] = step

    def _content(self, ring: Ring, said: dict[str, object], rang_before: set[str]) -> Iterator[str]:
        """The pop against what the tables were filled with."""
        place = _PLACE_OF.get(ring.caller or "")
        customer, contacts = said["customer"], said["last_contacts"]
        agent, repeat = said["agent"], said["repeat"]
        assert isinstance(agent, dict)
        assert isinstance(contacts, list)
        if agent["number"] != str(1000 + ring.agent):
            yield f"{ring.unique_id}: names agent {agent['number']}"
        if place is None:
            if customer is not None or (contacts and ring.caller is None):
                yield f"{ring.unique_id}: a file for an unknown caller"
            return
        if not isinstance(customer, dict) or customer["id"] != place + 1:
            yield f"{ring.unique_id}: another customer's file: {customer}"
        if len(contacts) != CALLS_EACH or not isinstance(repeat, dict):
            yield f"{ring.unique_id}: {len(contacts)} last contacts, repeat {repeat}"
            return
        assert ring.caller is not None
        if ring.caller not in self._served and ring.caller not in rang_before:
            told = [contact["call_id"] for contact in contacts]
            if told != [former_call(place, nth) for nth in range(CALLS_EACH)]:
                yield f"{ring.unique_id}: other last contacts than the customer's"
            if repeat["call_id"] != former_call(place, 0):
                yield f"{ring.unique_id}: a repeat of another call"
        rang_before.add(ring.caller)


# --- servers --------------------------------------------------------------------------------------


@contextlib.contextmanager
def a_zuoxi(loop: Loop, site: Centre, folder: Path) -> Iterator[tuple[Zuoxi, int]]:
    """`zuoxi run` on the centre's database, linked to a PBX of ours; its port."""
    pbx, port = Pbx(loop, site.agents), free_port()
    settings = {
        "ZUOXI_DATABASE_URL": site.url,
        "ZUOXI_VAR": str(folder / "var"),
        "ZUOXI_ASTERISK_CONF": str(folder / "asterisk"),
        "ZUOXI_HTTP_BIND": f"127.0.0.1:{port}",
        "ZUOXI_PBX_URLS": f"ami://bench:bench@127.0.0.1:{pbx.port}/{PBX}",
    }
    with a_child(["-m", "zuoxi", "run"], settings, folder / "zuoxi.log", cores()[0]) as child:
        variant = Zuoxi(loop, pbx, child)
        _wait_up(loop, variant)
        loop.wait("the pages answer", lambda: answers(port), 20)
        loop.rest(1.0)
        variant.boot = _boot(site)
        yield variant, port


def answers(port: int) -> bool:
    with (
        contextlib.suppress(URLError, OSError),
        urlopen(f"http://127.0.0.1:{port}/healthz") as found,
    ):
        return bool(found.status == 200)
    return False


@contextlib.contextmanager
def a_raw_relay(loop: Loop, site: Centre, folder: Path, size: int, *control: str) -> Iterator[Raw]:
    """The reference with its thousand sockets."""
    pbx, port = Pbx(loop, site.agents), free_port()
    arguments = ["-m", "tests.bench.raw_relay", "--ami", str(pbx.port), "--http", str(port)]
    arguments += ["--size", str(size), *control]
    with a_child(arguments, {}, folder / "raw.log", cores()[0]) as child:
        variant = Raw(loop, pbx, child)
        _wait_up(loop, variant)
        paths = [(f"/{agent.extension.decode()}", "") for agent in site.agents]
        variant.clients = connect(loop, port, paths)
        yield variant


def _wait_up(loop: Loop, variant: Variant) -> None:
    def up() -> bool:
        if variant.child.ended():
            raise RuntimeError(f"{variant.name} ended:\n{variant.child.words()[-3000:]}")
        return variant.pbx.up

    loop.wait(f"{variant.name} is linked to the PBX", up, 60)


def _boot(site: Centre) -> BootId:
    with contextlib.closing(sqlite3.connect(site.database)) as database:
        found = database.execute("SELECT boot FROM boots WHERE pbx = ?", (PBX,)).fetchone()
    return BootId(found[0]) if found else BootId(f"b{int(STARTED_AT.timestamp())}")


# --- measures -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Memory:
    """Resident KB of a server with so many idle sockets."""

    none: int
    thousand: int
    two_thousand: int

    @property
    def first(self) -> float:
        """KB per socket, of the first thousand."""
        return (self.thousand - self.none) / AGENTS

    @property
    def second(self) -> float:
        return (self.two_thousand - self.thousand) / AGENTS


def memory(
    loop: Loop, child: Child, port: int, paths: Sequence[tuple[str, str]]
) -> tuple[Memory, list[Client]]:
    """Open two thousand, close the second thousand again; the first stays open."""
    for client in connect(loop, port, paths[:50]):  # what is loaded once is nobody's
        client.close()
    loop.rest(1.5)
    none = child.resident_kb()
    first = connect(loop, port, paths)
    loop.rest(1.5)
    thousand = child.resident_kb()
    second = connect(loop, port, paths)
    loop.rest(1.5)
    two_thousand = child.resident_kb()
    for client in second:
        client.close()
    loop.rest(0.5)
    return Memory(none=none, thousand=thousand, two_thousand=two_thousand), first


def median_of(rounds: Sequence[Round], what: Callable[[Round], float]) -> float:
    return median(what(each) for each in rounds)


def a_centre(folder: Path, agents: int = AGENTS) -> Centre:
    folder.mkdir(parents=True, exist_ok=True)
    return centre.make(folder, agents)
