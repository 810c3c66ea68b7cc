"""`make bench`: the quick set, about four minutes on two cores. `make bench-full`: all of it.

The method. Absolute times say more about the machine than about the product, so every figure is a
ratio to a reference that is measured in the same run, in rounds that take turns and change their
order; what is told is the median of the rounds and their range. Latency is wall time, throughput is
CPU time of the server's process alone. The server has one core, generator and clients the other; the
product and the reference sleep (SIGSTOP) while the other one is measured. The load is open: calls
begin at random moments (Poisson) that were fixed before the round, and nothing waits for the server;
how late the generator was is printed. Traffic is cut from recordings of a real Asterisk with the
shipped event filter. Nobody spins: clients sleep until something comes, as browsers do.

Being right is a part of it: every pop exactly once, at the right agent, with the right customer, last
contacts and repeat flag, in the order of its call; every fact of the ingest. A run with one mistake
has no figure and ends with 1. A figure below its floor ends with 1 too. Where the reference differs
from itself by more than a factor of two between rounds, or other programs used more than half a core,
nothing is proven: 75.

`--write` puts the table into README.md and README.zh-CN.md, unless the run is inconclusive.
`--control` plants 2 ms of sleep and a dropped pop in a second relay: both must be caught.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from crm_core.migrations import upgrade
from tests.bench import centre, floor, growth, ingest, lookup, old_rows, pop, start
from tests.bench.clients import connect
from tests.bench.control import control
from tests.bench.figures import (
    MOST_OTHER_LOAD,
    MOST_SPREAD,
    Figure,
    Ratio,
    p50,
    p99,
    percentile,
    spread,
)
from tests.bench.loop import Loop
from tests.bench.pbx import STARTED_AT
from tests.bench.processes import OtherLoad, a_child, cores, pin_self
from tests.bench.report import say, table, write
from tests.bench.traffic import Traffic
from tests.harness import free_port

ROUNDS, ROUND_SECONDS, WARM_UP_SECONDS = 5, 10.0, 3.0
INGEST_ROUNDS, INGEST_CALLS = 5, 1_900
START_ROUNDS = 5
SEED = 20261124
INCONCLUSIVE = 75
EPOCH = int(STARTED_AT.timestamp())


class Bench:
    """One run: figures, what speaks against them, and what is plainly wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop, self.load = Loop(), OtherLoad()
        self.figures: list[Figure] = []
        self.doubts: list[str] = []
        self.wrong: list[str] = []

    def doubt_reference(self, what: str, rounds: Sequence[float]) -> None:
        if spread(rounds) > MOST_SPREAD:
            self.doubts.append(f"{what} differs from itself by a factor of {spread(rounds):.1f}")

    # --- the screen pop and the memory of a socket ------------------------------------------------

    def pops(self) -> None:
        site = pop.a_centre(self.folder / "centre")
        paths = [("/api/v1/events", token) for token in site.tokens]
        with pop.a_zuoxi(self.loop, site, self.folder) as (ours, port):
            memory, ours.clients = pop.memory(self.loop, ours.child, port, paths)
            self._memory(memory)
            for client in ours.clients:
                client.frames()  # the first pictures
            traffic = Traffic(site.agents, SEED, EPOCH)
            warm = ours.play(traffic, WARM_UP_SECONDS, OtherLoad())
            self.wrong += warm.wrong
            ours.fall_asleep()
            size = int(median(warm.sizes))
            with pop.a_raw_relay(self.loop, site, self.folder, size) as raw:
                other = Traffic(site.agents, SEED, EPOCH)
                self.wrong += raw.play(other, WARM_UP_SECONDS, OtherLoad()).wrong
                self._rounds(ours, traffic, raw, other)

    def _rounds(
        self, ours: pop.Variant, traffic: Traffic, raw: pop.Variant, other: Traffic
    ) -> None:
        done: dict[str, list[pop.Round]] = {ours.name: [], raw.name: []}
        raw.fall_asleep()
        turn = [(ours, traffic), (raw, other)]
        for _ in range(ROUNDS):
            for variant, its_traffic in turn:
                variant.wake()
                one = variant.play(its_traffic, ROUND_SECONDS, self.load)
                variant.fall_asleep()
                # The order changes, so one of them has two rounds in a row: too long a sleep.
                for each, _ in turn:
                    each.breathe()
                self.wrong += one.wrong
                done[variant.name].append(one)
                self._say_round(variant.name, one)
            turn.reverse()
        if not self.wrong:
            self._latency(done[ours.name], done[raw.name])

    @staticmethod
    def _say_round(name: str, one: pop.Round) -> None:
        say(
            f"  {name:<10} {one.calls} calls, {len(one.latencies)} pops: p50 {one.p50 * 1e3:.2f} ms, "
            f"{one.cpu_seconds / one.calls * 1e3:.2f} ms CPU a call, {one.frames} frames; "
            f"generator late by {p50(one.late) * 1e3:.2f} ms p50, {p99(one.late) * 1e3:.1f} ms p99"
        )

    def _latency(self, ours: Sequence[pop.Round], raw: Sequence[pop.Round]) -> None:
        medians = Ratio.of([r.p50 for r in ours], [r.p50 for r in raw])
        all_ours = [one for r in ours for one in r.latencies]
        all_raw = [one for r in raw for one in r.latencies]
        self.doubt_reference("the raw relay", [r.p50 for r in raw])
        late, raw_late = p99(all_ours), p99(all_raw)
        calls = sum(r.calls for r in ours)
        say(
            f"  traffic: {sum(r.events for r in ours) / calls:.1f} events and "
            f"{sum(r.bytes for r in ours) / calls / 1000:.1f} KB of AMI a call"
        )
        self.figures += [
            Figure(
                name="P1",
                what_en="AMI event → `call.offered` at the agent's socket, p50 (1,000 agents, 100 calls/s)",
                what_zh="AMI 事件 → 坐席收到 `call.offered`，p50（1,000 坐席，每秒 100 个来电）",
                value=medians.value,
                shown=f"{medians}× a raw relay ({median(r.p50 for r in ours) * 1e3:.2f} ms : "
                f"{median(r.p50 for r in raw) * 1e3:.2f} ms)",
                floor=3.5,
                unit="×",
            ),
            Figure(
                name="P2",
                what_en="the same, p99 over all rounds",
                what_zh="同上，各轮合并的 p99",
                value=late / raw_late,
                shown=f"{late / raw_late:.2f}× ({late * 1e3:.1f} ms : {raw_late * 1e3:.1f} ms)",
                floor=5.0,
                unit="×",
            ),
        ]

    def _memory(self, memory: pop.Memory) -> None:
        port = free_port()
        arguments = ["-m", "tests.bench.echo", str(port)]
        with a_child(arguments, {}, self.folder / "echo.log", cores()[0]) as echo:
            self.loop.wait("the echo answers", lambda: pop.answers(port), 20)
            bare, clients = pop.memory(self.loop, echo, port, [("/", "")] * centre.AGENTS)
            for client in clients:
                client.close()
        self.figures.append(
            Figure(
                name="P9",
                what_en="memory per connected, idle agent",
                what_zh="每个在线空闲坐席占用的内存",
                value=memory.first,
                shown=f"{memory.first:.0f} KB (the second thousand {memory.second:.0f} KB; "
                f"bare uvicorn {bare.first:.0f} KB; process {memory.none / 1000:.0f} MB)",
                floor=45,
                unit=" KB",
            )
        )

    # --- the look-up of a caller ------------------------------------------------------------------

    def lookups(self) -> None:
        both = lookup.Lookups(pop.a_centre(self.folder / "lookup"))
        try:
            ours, driver = _in_turn(both.round_of_zuoxi, both.round_of_driver, self.load)
        finally:
            both.close()
        self.wrong += both.wrong
        self.doubt_reference("the bare driver", driver)
        ratio = Ratio.of(ours, driver)
        self.figures.append(
            Figure(
                name="P15",
                what_en="look-up of a caller for the pop, from the raw number to the values",
                what_zh="弹屏查询来电客户（从原始号码到完整数据）",
                value=ratio.value,
                shown=f"{ratio}× the bare driver with the same questions "
                f"({median(ours) * 1e6:.0f} µs : {median(driver) * 1e6:.0f} µs)",
                floor=4.0,
                unit="×",
            )
        )

    # --- the live queues --------------------------------------------------------------------------

    def floors(self) -> None:
        site = pop.a_centre(self.folder / "floor", floor.AGENTS)
        paths = [("/api/v1/events?page=live", floor.a_watcher(site))] * floor.PAGES
        with pop.a_zuoxi(self.loop, site, self.folder / "floor") as (ours, port):
            traffic = Traffic(site.agents, SEED, EPOCH)
            floor.play(ours, (), traffic, WARM_UP_SECONDS, OtherLoad())
            alone = floor.play(ours, (), traffic, ROUND_SECONDS, self.load)
            pages = connect(self.loop, port, paths)
            self.loop.rest(1.0)
            floor.play(ours, pages, traffic, WARM_UP_SECONDS, OtherLoad())
            rounds = [floor.play(ours, pages, traffic, ROUND_SECONDS, self.load) for _ in range(2)]
        for one in rounds:
            self.wrong += one.wrong
            seconds = ROUND_SECONDS * floor.PAGES
            say(
                f"  {one.changes_per_second:.0f} changes of state a second; {one.regions / seconds:.1f} "
                f"regions and {one.bytes / seconds / 1000:.0f} KB a second and page; "
                f"{one.cpu_seconds:.2f} s CPU ({alone.cpu_seconds:.2f} s without pages)"
            )
        told = [age for one in rounds for age in one.ages]
        if self.wrong:
            return
        middle, late = percentile(told, 0.50, 100), percentile(told, 0.99, 1_000)
        self.figures.append(
            Figure(
                name="F33",
                what_en="age of the live queues at a page, p99 (200 agents, 50 changes/s, 10 pages)",
                what_zh="实时队列页面的数据延迟，p99（200 坐席，每秒 50 次状态变化，10 个页面）",
                value=late,
                shown=f"{late:.2f} s (p50 {middle:.2f} s, longest {max(told):.2f} s)",
                floor=1.0,
                unit=" s",
            )
        )

    def growths(self) -> None:
        shares = growth.measure(self.loop, self.folder, self.load, SEED, EPOCH)
        self.wrong += shares.wrong
        self.doubt_reference("CPU at 100 agents", shares.few)
        ratio = Ratio.of(shares.many, shares.few)
        self.figures.append(
            Figure(
                name="P7",
                what_en="CPU of the whole product per pop, 1,000 agents beside 100",
                what_zh="每次弹屏的整体 CPU 消耗，1,000 坐席相对 100 坐席",
                value=ratio.value,
                shown=f"{ratio}× itself at 100 agents ({median(shares.many) * 1e3:.2f} ms : "
                f"{median(shares.few) * 1e3:.2f} ms)",
                floor=1.8,
                unit="×",
            )
        )

    # --- ingest -----------------------------------------------------------------------------------

    def ingests(self) -> None:
        agents = centre.agents()
        seconds = INGEST_CALLS / pop.CALLS_PER_SECOND
        sent = Traffic(agents, SEED, EPOCH).round(pop.CALLS_PER_SECOND, seconds, time.time())
        stream = ingest.Stream.of(sent)
        rates: dict[str, list[float]] = {which: [] for which in ingest.CONSUMERS}
        order = list(ingest.CONSUMERS)
        with self.load.watched():
            for _ in range(INGEST_ROUNDS):
                for which in order:
                    rates[which].append(ingest.consume(self.loop, which, stream, self.folder))
                order.reverse()
        ratio = Ratio.of(rates["zuoxi"], rates["panoramisk"])
        self.doubt_reference("panoramisk", rates["panoramisk"])
        self.figures.append(
            Figure(
                name="P5",
                what_en="AMI events taken in per CPU-second, recorded, parsed and tracked",
                what_zh="每 CPU 秒处理的 AMI 事件（记录、解析、跟踪通话）",
                value=ratio.value,
                shown=f"{ratio}× panoramisk with one idle callback "
                f"({median(rates['zuoxi']):,.0f} : {median(rates['panoramisk']):,.0f})",
                floor=2.5,
                at_least=True,
                unit="×",
            )
        )

    # --- cold start -------------------------------------------------------------------------------

    def starts(self) -> None:
        database = self.folder / "start.db"
        asyncio.run(upgrade(f"sqlite:///{database}"))
        ours, bare = _in_turn(
            lambda: start.of_zuoxi(database, self.folder),
            lambda: start.of_bare_site(self.folder),
            self.load,
        )
        self.doubt_reference("the bare site", bare)
        ratio = Ratio.of(ours, bare)
        self.figures.append(
            Figure(
                name="P18",
                what_en="cold start of `zuoxi run` to its first answer",
                what_zh="`zuoxi run` 冷启动到第一个应答",
                value=ratio.value,
                shown=f"{ratio}× a bare FastAPI site ({median(ours):.2f} s : {median(bare):.2f} s)",
                floor=1.4,
                unit="×",
            )
        )
        ours, bare = _in_turn(
            lambda: start.of_command("-m", "zuoxi", "--help"),
            lambda: start.of_command("-c", "pass"),
            self.load,
        )
        ratio = Ratio.of(ours, bare)
        self.figures.append(
            Figure(
                name="P18b",
                what_en="`zuoxi --help`",
                what_zh="`zuoxi --help`",
                value=ratio.value,
                shown=f"{ratio}× bare Python ({median(ours) * 1e3:.0f} ms : "
                f"{median(bare) * 1e3:.0f} ms)",
            )
        )

    # --- the end ----------------------------------------------------------------------------------

    # --- old rows ---------------------------------------------------------------------------------

    def imports(self) -> None:
        for one in old_rows.measure(self.folder / "old-rows"):
            self.wrong += one.wrong
            say(f"  {one.database}: {one.said}; again {one.again_seconds:.0f} s")
            of_sqlite = one.database == "SQLite"
            self.figures.append(
                Figure(
                    name="P30" if of_sqlite else "P31",
                    what_en=f"a million rows of old queue_log become calls, {one.database}",
                    what_zh=f"一百万行旧 queue_log 变成通话记录，{one.database}",
                    value=one.wall_seconds,
                    shown=f"{one.wall_seconds:.0f} s ({one.cpu_seconds:.0f} s of CPU)",
                    floor=60 if of_sqlite else None,
                    unit=" s",
                )
            )

    def verdict(self) -> int:
        """Say what came of it; the exit code."""
        if self.wrong:
            say(f"\n{len(self.wrong)} mistakes: this run has no figures.")
            say(*self.wrong[:10], sep="\n")
            return 1
        if self.load.mean > MOST_OTHER_LOAD:
            self.doubts.append(f"other programs used {self.load.mean:.1f} cores")
        say("", table(self.figures), sep="\n")
        below = [figure for figure in self.figures if not figure.holds]
        if self.doubts:
            say("\ninconclusive: " + "; ".join(self.doubts))
            return INCONCLUSIVE
        for figure in below:
            say(f"\n{figure.name} misses its floor of {figure.floor_shown}: {figure.shown}")
        return 1 if below else 0


def _in_turn(
    ours: Callable[[], float], reference: Callable[[], float], load: OtherLoad
) -> tuple[list[float], list[float]]:
    """Both, some times over, in changing order; the first of each is not counted."""
    found: tuple[list[float], list[float]] = ([], [])
    turn = [(ours, found[0]), (reference, found[1])]
    for act, _ in turn:
        act()
    with load.watched():
        for _ in range(START_ROUNDS):
            for act, kept in turn:
                kept.append(act())
            turn.reverse()
    return found


MEASURES: dict[str, Callable[[Bench], None]] = {
    "start": Bench.starts,
    "ingest": Bench.ingests,
    "lookup": Bench.lookups,
    "floor": Bench.floors,
    "growth": Bench.growths,
    "old-rows": Bench.imports,
    "pop": Bench.pops,
}

QUICK = ("start", "ingest", "lookup", "pop")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--only", choices=MEASURES, action="append", help="measure only this")
    parser.add_argument("--full", action="store_true", help="measure all of it")
    parser.add_argument("--write", action="store_true", help="put the table into the READMEs")
    parser.add_argument("--control", action="store_true", help="plant faults: they must be caught")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(INCONCLUSIVE))  # children end with us
    pin_self(cores()[1])
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="zuoxi-bench-") as folder:
        if given.control:
            return control(Path(folder))
        bench = Bench(Path(folder))
        for name in given.only or (MEASURES if given.full else QUICK):
            say(f"{name} …")
            MEASURES[name](bench)
        code = bench.verdict()
    say(f"\n{time.monotonic() - began:.0f} s; other programs used {bench.load.mean:.2f} cores")
    if given.write and (bench.wrong or bench.doubts):
        say("nothing written: a run that proves nothing has no place in the READMEs")
    elif given.write:
        write(bench.figures)
    return code


if __name__ == "__main__":
    sys.exit(main())
