"""The rows of a stretch of time, out of the present file and its rotated siblings."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.call_log.log_book import Torn
from telephony.log_history import DamageReader, history
from telephony.queue_log.parser import Row

EPOCH = 1_763_950_000


def line(second: int, name: str = "u") -> str:
    return f"{EPOCH + second}|{name}.{second}|support|NONE|ENTERQUEUE||138|1\n"


def at(second: float) -> datetime:
    return datetime.fromtimestamp(EPOCH, UTC) + timedelta(seconds=second)


def seconds(found: Iterable[Row | Torn]) -> list[int]:
    return [int((each.at - at(0)).total_seconds()) for each in found if isinstance(each, Row)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three files of a hundred seconds each; the oldest one is compressed."""
    path = tmp_path / "queue_log"
    old = "".join(line(second) for second in range(100))
    (tmp_path / "queue_log.2.gz").write_bytes(gzip.compress(old.encode()))
    (tmp_path / "queue_log.1").write_text("".join(line(second) for second in range(100, 200)))
    path.write_text("".join(line(second) for second in range(200, 300)))
    for place, name in enumerate(("queue_log.2.gz", "queue_log.1", "queue_log"), 1):
        os.utime(tmp_path / name, (EPOCH + 100 * place, EPOCH + 100 * place))
    (tmp_path / "queue_log.old").write_text("not one of them\n")
    return path


@pytest.mark.parametrize("since", [0, 50, 99, 100, 150, 250])
def test_rows_come_in_order_of_time_whatever_file_they_are_in(log: Path, since: int) -> None:
    found = seconds(history(log, at(since)))

    assert found[-300 + since :] == list(range(since, 300))
    assert found == sorted(found)


def test_files_that_were_closed_before_are_not_opened(log: Path) -> None:
    (log.parent / "queue_log.2.gz").write_bytes(b"damaged, but nobody looks")
    os.utime(log.parent / "queue_log.2.gz", (EPOCH + 100, EPOCH + 100))

    assert seconds(history(log, at(150))) == list(range(150, 300))


def test_a_file_that_was_named_is_read_alone(log: Path) -> None:
    assert seconds(history(log, at(0), siblings=False)) == list(range(200, 300))


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(history(tmp_path / "queue_log", at(0)))


def test_damage_is_told_between_the_rows_that_surround_it() -> None:
    text = line(1) + line(2) + "17639500\n" + line(9) + line(10)
    found = list(DamageReader(at(0)).feed(text.encode()))

    assert [type(each).__name__ for each in found] == ["Row", "Row", "Torn", "Row", "Row"]
    assert [each for each in found if isinstance(each, Torn)] == [Torn(at(2), at(9))]


@given(st.lists(st.integers(1, 400), max_size=12))
def test_pieces_of_any_size_tell_the_same(sizes: list[int]) -> None:
    data = (line(1) + line(2) + "torn\n" + line(9) + "1763950|x\n" + line(11) + line(12)).encode()
    whole = list(DamageReader(at(0)).feed(data))
    reader, found, place = DamageReader(at(0)), list[Row | Torn](), 0
    for size in [*sizes, len(data)]:
        found += reader.feed(data[place : place + size])
        place += size
    assert found == whole


def test_the_beginning_is_found_among_lines_that_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    lines = [line(second) + ("rubbish\n" * (second // 10 % 5)) for second in range(0, 1000, 10)]
    path.write_text("".join(lines))

    for since in range(-5, 1000, 7):
        wanted = [second for second in range(0, 1000, 10) if second >= since]
        assert seconds(history(path, at(since))) == wanted
