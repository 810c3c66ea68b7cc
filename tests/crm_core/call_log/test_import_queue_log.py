"""Old files of `queue_log` become calls: all of them, each once, as an independent count has them."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.agents.models import MemberChangeRow
from crm_core.call_log.models import Boot, Call, CallEventRow, Leg, QueuePass
from crm_core.call_log.writer import CallWriter
from crm_core.centre.holders import HolderBook
from crm_core.db import engine_of, reading, transaction
from crm_core.errors import Invalid
from crm_core.events import BootFound, CallStarted, Event, PassEntered
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey
from telephony.calls.replay import facts_of
from telephony.queue_log.importing import Imported, import_queue_log
from telephony.service import OUR_CONTEXTS
from tests.golden import TRACES, chunks_of, stories
from tests.telephony.queue_log.a_year import rows_of_a_year
from tests.telephony.queue_log.by_hand import figures
from tests.telephony.queue_log.in_the_table import in_the_table

PBX = PbxId("old")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
START = "1764000000|NONE|NONE|NONE|QUEUESTART|\n"
ENTERED = "1764000010|u.1|support|NONE|ENTERQUEUE||13800138000|1\n"
CONNECTED = "1764000017|u.1|support|张三|CONNECT|7|u.2|5\n"
COMPLETED = "1764000060|u.1|support|张三|COMPLETEAGENT|7|43|1\n"


async def imported(
    engine: AsyncEngine, paths: Sequence[Path], numbers: dict[str, str] | None = None
) -> Imported:
    return await import_queue_log(engine, paths, PBX, now=NOW, numbers=numbers)


async def one_call(engine: AsyncEngine) -> Any:
    async with reading(engine) as connection:
        return (
            await connection.execute(
                select(
                    Call.confidence,
                    Call.ended_at,
                    QueuePass.outcome,
                    QueuePass.wait_seconds,
                    QueuePass.talk_seconds,
                    QueuePass.member_name,
                    QueuePass.agent_number,
                ).join(QueuePass, QueuePass.call_id == Call.call_id)
            )
        ).one()


async def count(engine: AsyncEngine, table: Any) -> int:
    async with reading(engine) as connection:
        return await connection.scalar(select(func.count()).select_from(table)) or 0


def pieces(folder: Path, lines: list[str], dice: random.Random) -> list[Path]:
    """The same rows in eight files that overlap, every other one packed, in no order."""
    cuts = sorted(dice.sample(range(len(lines)), 7))
    found = []
    for nth, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(lines)], strict=True)):
        overlap = dice.randint(0, 300)
        text = "".join(lines[max(0, begin - overlap) : end]).encode()
        path = folder / (f"queue_log.{nth}.gz" if nth % 2 else f"queue_log-{nth}")
        path.write_bytes(gzip.compress(text) if nth % 2 else text)
        found.append(path)
    dice.shuffle(found)
    return found


async def test_a_year_is_what_an_independent_count_says_and_again_is_no_news(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    lines = list(rows_of_a_year(20_000, seed=5))
    files = pieces(tmp_path, lines, random.Random(5))
    expected = figures(lines)
    assert expected.passes.total() > 4_000
    assert min(expected.passes[queue, "unknown_end"] for queue in ("sales", "support")) > 0

    first = await imported(engine, files)
    again = await imported(engine, files[::-1])

    assert await in_the_table(engine) == expected
    assert (first.calls, first.new_calls) == (expected.calls, expected.calls)
    members = sum("|PAUSE|" in line or "|UNPAUSE|" in line for line in lines)
    assert await count(engine, MemberChangeRow) == members > 0
    assert first.new_facts == await count(engine, CallEventRow) + members
    assert (again.calls, again.new_facts, again.new_calls) == (expected.calls, 0, 0)
    assert first.bad == []
    assert await count(engine, Boot) == sum("QUEUESTART" in line for line in lines)


async def test_files_that_are_imported_one_by_one_newest_first_end_as_the_whole(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    lines = list(rows_of_a_year(6_000, seed=8))
    files = []
    for nth, begin in enumerate(range(0, len(lines), 2_000)):
        files.append(tmp_path / f"queue_log.{nth}")
        files[-1].write_text("".join(lines[begin : begin + 2_000]))

    for path in reversed(files):
        await imported(engine, [path])
    whole = await imported(engine, files)

    found, expected = await in_the_table(engine), figures(lines)
    assert whole.new_calls == 0
    assert (found.calls, found.passes, found.talked) == (
        expected.calls,
        expected.passes,
        expected.talked,
    )


async def test_call_says_that_only_queue_log_knows_it(engine: AsyncEngine, tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    path.write_text(START + ENTERED + CONNECTED + COMPLETED)

    await imported(engine, [path], {"张三": "1001"})

    assert tuple(await one_call(engine)) == (
        "queue_log_only",
        datetime.fromtimestamp(1764000060, UTC),
        "answered",
        7,
        43,
        "张三",
        "1001",
    )
    assert await count(engine, Leg) == 0


async def test_bad_pieces_are_named_and_good_rows_go_in(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    path = tmp_path / "queue_log.1"
    torn = "1764000016|u.1|support|张三|CONN"
    path.write_text(START + ENTERED + torn + CONNECTED + "nonsense\n" + COMPLETED + "17640")

    done = await imported(engine, [path])

    assert [str(piece).removeprefix(f"{path} ") for piece in done.bad] == [
        f"line 3: a torn row: '{torn}'",
        "line 4: not a row: 'nonsense'",
        "line 6: no line break at the end of the file: '17640'",
    ]
    assert (await one_call(engine)).outcome == "answered"


async def test_damaged_archive_gives_what_can_be_unpacked(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    lines = list(rows_of_a_year(4_000, seed=2))
    packed = gzip.compress("".join(lines).encode())
    path = tmp_path / "queue_log.gz"
    path.write_bytes(packed[: len(packed) - 1000])

    done = await imported(engine, [path])

    assert 1_000 < done.rows <= len(lines)
    assert "the file is damaged from here" in str(done.bad[0])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x00\x01 a picture", "is no queue_log: there is no row at its beginning"),
        (b"\x1f\x8bnot gzip at all", "cannot be unpacked"),
        (None, "cannot read"),
    ],
)
async def test_file_that_is_none_is_refused_before_anything_is_written(
    engine: AsyncEngine, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    good, bad = tmp_path / "queue_log", tmp_path / "queue_log.bad"
    good.write_text(START + ENTERED)
    if content is not None:
        bad.write_bytes(content)

    with pytest.raises(Invalid, match=sentence):
        await imported(engine, [good, bad])

    assert await count(engine, Call) == 0


async def test_pass_that_is_open_at_the_end_stays_open_until_a_later_start_is_known(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    first, second = tmp_path / "queue_log.1", tmp_path / "queue_log"
    first.write_text(START + ENTERED + CONNECTED)
    second.write_text("1764009000|NONE|NONE|NONE|QUEUESTART|\n")

    await imported(engine, [first])
    still_open = await one_call(engine)
    await imported(engine, [second])
    await imported(engine, [first])
    ended = await one_call(engine)

    assert (still_open.outcome, still_open.ended_at) == (None, None)
    assert (ended.outcome, ended.wait_seconds) == ("unknown_end", 7)


async def test_end_that_an_older_file_tells_after_all_replaces_the_unknown_one(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    first, between, last = (tmp_path / name for name in ("a", "b", "c"))
    first.write_text(START + ENTERED + CONNECTED)
    between.write_text(COMPLETED)
    last.write_text("1764009000|NONE|NONE|NONE|QUEUESTART|\n")

    await imported(engine, [first, last])
    assert (await one_call(engine)).outcome == "unknown_end"
    await imported(engine, [last, between, first])

    assert (await one_call(engine)).outcome == "answered"


async def recorded_live(engine: AsyncEngine, events: Sequence[Event]) -> None:
    writer = CallWriter(HolderBook(), lambda raw: raw)
    async with transaction(engine) as connection:
        await writer.write(connection, events)


@pytest.mark.parametrize("story", stories())
async def test_call_that_the_live_feeds_have_told_is_not_doubled(
    sqlite_url: str, tmp_path: Path, story: str
) -> None:
    chunks: list[Any] = list(chunks_of(story))
    pbx, events = PbxId(chunks[0].pbx), list[Event]()
    for event in facts_of(pbx, chunks, OUR_CONTEXTS):
        if isinstance(event, CallStarted | PassEntered):
            boot = datetime.fromtimestamp(int(event.boot[1:]), UTC)
            events.append(BootFound(at=boot, pbx=pbx, boot=event.boot, started_at=boot))
        events.append(event)
    path = tmp_path / "queue_log"
    path.write_bytes((TRACES / story / "queue_log").read_bytes())
    engine = engine_of(sqlite_url)
    try:
        await recorded_live(engine, events)
        before = await count(engine, Call), await count(engine, QueuePass)

        done = await import_queue_log(engine, [path], pbx, now=NOW)

        assert (done.new_calls, done.new_facts) == (0, 0)
        assert (await count(engine, Call), await count(engine, QueuePass)) == before
    finally:
        await engine.dispose()


def entered_live(call: CallId, second: int, ordinal: int) -> Event:
    return PassEntered(
        at=datetime.fromtimestamp(1764000000 + second, UTC),
        pbx=PBX,
        call=call,
        queue_pass=QueuePassKey(unique_id="u.1", queue="support", ordinal=ordinal),
        boot=BootId("b1764000000"),
        caller_number=None,
    )


async def test_part_of_an_older_call_is_found_there_and_its_passes_keep_their_numbers(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    """The live feed counted the channel to another call, and saw its second pass only."""
    path, older = tmp_path / "queue_log", CallId("a" * 32)
    path.write_text(
        START
        + ENTERED
        + "1764000020|u.1|support|NONE|EXITWITHTIMEOUT|1|1|10\n"
        + "1764000021|u.1|support|NONE|ENTERQUEUE||13800138000|1\n"
        + "1764000030|u.1|support|NONE|ABANDON|1|1|9\n"
    )
    await recorded_live(engine, [entered_live(older, 21, ordinal=1)])

    done = await imported(engine, [path])

    async with reading(engine) as connection:
        passes = await connection.execute(
            select(QueuePass.call_id, QueuePass.outcome).order_by(QueuePass.entered_at)
        )
        assert [tuple(each) for each in passes] == [(older, "timeout"), (older, "abandoned")]
    assert (done.new_calls, done.new_facts) == (0, 3)
    assert (await imported(engine, [path])).new_facts == 0
