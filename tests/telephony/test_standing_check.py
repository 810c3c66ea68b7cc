"""The check that runs each minute: what it asks, in pieces, after restarts and with rows that are late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm_core.bus import MemoryBus
from crm_core.commands import BooksStand, BooksStandAt, CompareBooks, LoggedStay
from crm_core.events import BooksCompared, Outcome
from crm_core.ids import PbxId
from telephony import standing_check
from telephony.log_history import DamageReader
from telephony.queue_log.tail import QueueLogTail
from telephony.standing_check import MOST_PASSES, StandingCheck

EPOCH = 1_763_950_000
PBX = PbxId("main")


def at(second: float) -> datetime:
    return datetime.fromtimestamp(EPOCH, UTC) + timedelta(seconds=second)


class Records:
    """Answers like crm_core, and remembers what it was asked."""

    def __init__(self, bus: MemoryBus, stand: BooksStand | None = None) -> None:
        self.asked: list[CompareBooks] = []
        self.stand = stand or BooksStand()
        self.away = False
        bus.answer(BooksStandAt, self._stand)
        bus.answer(CompareBooks, self._compare)

    async def _stand(self, _: BooksStandAt) -> BooksStand:
        return self.stand

    async def _compare(self, asked: CompareBooks) -> BooksCompared | None:
        if self.away:
            return None
        self.asked.append(asked)
        self.stand = BooksStand(
            until=asked.until, recorded_from=asked.recorded_from, position=asked.position
        )
        return BooksCompared(
            at=asked.until,
            pbx=asked.pbx,
            until=asked.until,
            recorded_from=asked.recorded_from,
            differences=0,
        )

    def told(self) -> dict[tuple[str, str], LoggedStay]:
        """Each pass as it was told last."""
        return {(p.unique_id, p.queue): p for asked in self.asked for p in asked.passes}


class Watch:
    """A check on a file of its own, at a time of its own."""

    def __init__(self, folder: Path, records: BooksStand | None = None) -> None:
        self.path = folder / "queue_log"
        self.bus = MemoryBus()
        self.records = Records(self.bus, records)
        self.time = at(0)
        self.behind: datetime | None = at(1_000_000)
        self.restart()

    def restart(self) -> None:
        stand = self.records.stand
        self.check = StandingCheck(PBX, self.path, self.bus, lambda: self.behind, lambda: self.time)
        self.check.resume(stand)
        self.tail = QueueLogTail(self.path, stand.position)
        self.reader = DamageReader(stand.until or self.time)

    def write(self, *rows: str) -> None:
        with self.path.open("a") as file:
            for row in rows:
                second, rest = row.split("|", 1)
                file.write(f"{EPOCH + int(second)}|{rest}\n")

    async def at_second(self, second: float) -> list[CompareBooks]:
        """Check at that moment; what was asked."""
        self.time, before = at(second), len(self.records.asked)
        await self.check.check(self.tail, self.reader)
        return self.records.asked[before:]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    found = Watch(tmp_path)
    found.write("0|NONE|NONE|NONE|QUEUESTART|")
    yield found
    found.tail.close()


def a_pass(second: int, name: str, wait: int = 5) -> tuple[str, str]:
    return (
        f"{second}|{name}|support|NONE|ENTERQUEUE||138|1",
        f"{second + wait}|{name}|support|NONE|ABANDON|1|1|{wait}",
    )


async def test_the_first_check_begins_with_the_file_s_first_row(watch: Watch) -> None:
    watch.write(*a_pass(10, "u.1"))

    [asked] = await watch.at_second(60)

    assert (asked.began, asked.until, asked.recorded_from) == (at(0), at(53), at(0))
    [told] = asked.passes
    assert (told.outcome, told.wait_seconds, told.entered_at) == (Outcome.ABANDONED, 5, at(10))


async def test_the_next_one_goes_on_where_the_last_one_ended(watch: Watch) -> None:
    await watch.at_second(60)
    watch.write(*a_pass(70, "u.2"))

    [asked] = await watch.at_second(120)

    assert (asked.began, asked.until) == (at(53), at(113))
    assert [told.unique_id for told in asked.passes] == ["u.2"]


async def test_a_pass_that_ends_later_is_told_again_when_it_is_over(watch: Watch) -> None:
    entered, closed = a_pass(10, "u.1", wait=100)
    watch.write(entered)
    [asked] = await watch.at_second(60)
    assert [told.outcome for told in asked.passes] == [None]
    watch.write(closed)

    asked, *_ = await watch.at_second(180)

    assert [(told.unique_id, told.outcome) for told in asked.passes] == [("u.1", Outcome.ABANDONED)]
    [asked] = await watch.at_second(240)
    assert asked.passes == ()


async def test_rows_of_the_last_seconds_wait_for_the_next_check(watch: Watch) -> None:
    watch.write(*a_pass(55, "u.1", wait=4))

    [asked] = await watch.at_second(60)
    assert watch.records.told()["u.1", "support"].outcome is None, "its end is not settled yet"
    [asked] = await watch.at_second(120)
    assert [told.outcome for told in asked.passes] == [Outcome.ABANDONED]


async def test_nothing_is_compared_while_the_product_is_behind_itself(watch: Watch) -> None:
    watch.behind = None
    assert await watch.at_second(60) == []
    watch.behind = at(30)
    [asked] = await watch.at_second(60)
    assert asked.until == at(23)


async def test_what_was_not_answered_is_asked_again(watch: Watch) -> None:
    watch.write(*a_pass(10, "u.1"))
    watch.records.away = True
    assert await watch.at_second(60) == []
    watch.records.away = False

    [asked] = await watch.at_second(120)

    assert asked.began == at(0)
    assert [told.unique_id for told in asked.passes] == ["u.1"]


async def test_after_a_restart_the_passes_that_go_on_are_known(watch: Watch) -> None:
    long, closed = a_pass(20, "u.1", wait=600)
    watch.write(*a_pass(1, "u.0"), long)
    for second in range(60, 420, 60):
        watch.write(*a_pass(second - 20, f"v.{second}"))
        await watch.at_second(second)
    watch.tail.close()
    watch.restart()
    watch.write(closed)

    [*_, _] = await watch.at_second(660)

    told = watch.records.told()["u.1", "support"]
    assert (told.outcome, told.entered_at) == (Outcome.ABANDONED, at(20))
    asked = [p.unique_id for asked in watch.records.asked[6:] for p in asked.passes]
    assert "u.0" not in asked, "told before the restart"


async def test_a_crash_of_asterisk_closes_what_was_open_once(watch: Watch) -> None:
    watch.write(*(a_pass(second, f"u.{second}")[0] for second in range(10, 20)))
    await watch.at_second(60)
    watch.write("70|NONE|NONE|NONE|QUEUESTART|")

    asked = await watch.at_second(120)

    ends = [told.outcome for one in asked for told in one.passes]
    assert ends == [Outcome.UNKNOWN_END] * 10


async def test_a_backlog_is_told_in_small_pieces_that_lack_nothing(watch: Watch) -> None:
    count = 5 * MOST_PASSES
    for second in range(count):
        watch.write(*a_pass(second, f"u.{second}", wait=0), *a_pass(second, f"w.{second}", wait=0))

    asked = await watch.at_second(count + 60)

    assert len(asked) > 5
    assert max(len(one.passes) for one in asked) < 2 * MOST_PASSES
    assert [one.began for one in asked[1:]] == [one.until for one in asked[:-1]]
    assert len(watch.records.told()) == 2 * count


async def test_a_torn_row_is_told_as_such(watch: Watch) -> None:
    watch.write("10|u.1|support|NONE|ENTERQUEUE||138|1", "15|garbage", *a_pass(30, "u.2"))

    [asked] = await watch.at_second(60)

    assert asked.torn == ((at(10), at(30)),)


async def test_the_task_goes_on_whatever_one_check_meets(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_check, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(standing_check, "EVERY_SECONDS", 0.0)
    seen: list[int] = []

    async def broken(asked: CompareBooks) -> None:
        seen.append(1)
        raise RuntimeError("a mistake of the records")

    watch.time = at(100)
    watch.bus.answer(CompareBooks, broken)
    task = asyncio.create_task(watch.check.run())
    await until(lambda: len(seen) > 2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110  the task tells nobody
            await asyncio.sleep(0.005)
