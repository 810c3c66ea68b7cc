"""Following queue_log through all that happens to a log file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.queue_log.tail import QueueLogTail

ROW = b"179551%04d|u.%d|support|NONE|ENTERQUEUE||13800138000|1\n"


def rows(begin: int, end: int) -> bytes:
    return b"".join(ROW % (n, n) for n in range(begin, end))


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def all_of(tail: QueueLogTail) -> bytes:
    found = b""
    while data := tail.read(100)[0]:
        found += data
    return found


Follow = Callable[..., QueueLogTail]


@pytest.fixture
def follow() -> Iterator[Follow]:
    opened: list[QueueLogTail] = []

    def follow(path: Path, position: str | None = None) -> QueueLogTail:
        opened.append(QueueLogTail(path, position))
        return opened[-1]

    yield follow
    for tail in opened:
        tail.close()


@pytest.fixture
def path(tmp_path: Path, follow: Follow) -> Path:
    return tmp_path / "queue_log"


def test_what_is_appended_is_read_once(path: Path, follow: Follow) -> None:
    path.write_bytes(rows(0, 3))
    tail = follow(path, None)

    assert all_of(tail) == rows(0, 3)
    append(path, rows(3, 5))

    assert all_of(tail) == rows(3, 5)
    assert all_of(tail) == b""


def test_a_half_row_waits_for_its_other_half(path: Path, follow: Follow) -> None:
    path.write_bytes(rows(0, 1) + b"1795516418|u.0|supp")
    tail = follow(path, None)

    assert tail.read()[0] == rows(0, 1)
    assert tail.read()[0] == b""
    append(path, b"ort|1001|COMPLETECALLER|0|2|1\n")

    assert tail.read()[0] == b"1795516418|u.0|support|1001|COMPLETECALLER|0|2|1\n"


def test_a_stored_position_goes_on_where_it_was(path: Path, follow: Follow) -> None:
    path.write_bytes(rows(0, 3))
    tail = follow(path, None)
    _, position = tail.read()
    tail.close()
    append(path, rows(3, 4))

    assert all_of(follow(path, position)) == rows(3, 4)


def test_a_file_that_is_not_there_yet_is_waited_for_with_a_sentence(
    path: Path, follow: Follow
) -> None:
    tail = follow(path, None)

    assert tail.read() == (b"", None)
    assert tail.trouble is not None
    assert "is not there" in tail.trouble
    path.write_bytes(rows(0, 2))

    assert all_of(tail) == rows(0, 2)
    assert tail.trouble is None


def test_a_file_that_cannot_be_read_is_a_sentence_and_is_tried_again(
    path: Path, follow: Follow
) -> None:
    path.mkdir()  # reading a folder fails for root too
    tail = follow(path, None)

    assert tail.read() == (b"", None)
    assert tail.trouble == f"{path} cannot be read: Is a directory"
    path.rmdir()
    path.write_bytes(rows(0, 2))

    assert all_of(tail) == rows(0, 2)


def test_rotation_by_renaming_loses_no_row(path: Path, follow: Follow) -> None:
    path.write_bytes(rows(0, 3))
    tail = follow(path, None)
    assert tail.read()[0] == rows(0, 3)
    path.rename(path.with_name("queue_log.1"))
    append(path.with_name("queue_log.1"), rows(3, 4))  # Asterisk still has the old file open

    assert all_of(tail) == rows(3, 4)
    append(path.with_name("queue_log.1"), rows(4, 5))
    path.write_bytes(rows(5, 7))

    assert all_of(tail) == rows(4, 7)


def test_rotation_while_nobody_read_loses_no_row(path: Path, follow: Follow) -> None:
    path.write_bytes(rows(0, 3))
    _, position = follow(path, None).read()
    append(path, rows(3, 4))
    path.rename(path.with_name("queue_log.1"))
    path.write_bytes(rows(4, 6))
    os.utime(path.with_name("queue_log.1"), ns=(10**18, 10**18))
    os.utime(path, ns=(2 * 10**18, 2 * 10**18))
    path.with_name("queue_log.1").rename(path.with_name("queue_log.2"))
    path.rename(path.with_name("queue_log.1"))
    path.write_bytes(rows(6, 8))

    assert all_of(follow(path, position)) == rows(3, 8)


def test_a_truncated_file_is_read_from_its_start_and_somebody_is_told(
    path: Path, follow: Follow
) -> None:
    path.write_bytes(rows(0, 9))
    tail = follow(path, None)
    all_of(tail)
    path.write_bytes(rows(20, 22))

    assert tail.read()[0] == rows(20, 22)
    assert tail.trouble is not None
    assert "may be missed" in tail.trouble
    append(path, rows(22, 23))
    assert tail.read()[0] == rows(22, 23)
    assert tail.trouble is None


def test_a_truncated_file_that_has_grown_past_the_place_is_noticed(
    path: Path, follow: Follow
) -> None:
    path.write_bytes(rows(0, 2))
    tail = follow(path)
    all_of(tail)
    path.write_bytes(rows(20, 29))

    assert all_of(tail) == rows(20, 29)


def test_a_file_that_was_copied_aside_and_truncated_loses_no_row(
    path: Path, follow: Follow
) -> None:
    path.write_bytes(rows(0, 3))
    tail = follow(path, None)
    all_of(tail)
    append(path, rows(3, 5))
    shutil.copy2(path, path.with_name("queue_log.1"))
    os.truncate(path, 0)
    append(path, rows(5, 6))

    assert all_of(tail) == rows(3, 6)


def test_a_copy_of_the_same_file_is_not_read_again(path: Path, follow: Follow) -> None:
    """A container's volume was moved: other inode, same rows."""
    path.write_bytes(rows(0, 3))
    _, position = follow(path, None).read()
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    path.unlink()
    copy.rename(path)
    append(path, rows(3, 4))

    assert all_of(follow(path, position)) == rows(3, 4)


@pytest.mark.parametrize("position", ["", "nonsense", "1:2", "1:999999:00", "-1:0:"])
def test_a_position_that_fits_nothing_reads_from_a_start(
    path: Path, follow: Follow, position: str
) -> None:
    path.write_bytes(rows(0, 3))

    assert all_of(follow(path, position)) == rows(0, 3)


def test_without_a_position_it_begins_at_the_last_start_of_asterisk(
    path: Path, follow: Follow
) -> None:
    start = b"1795515000|NONE|NONE|NONE|QUEUESTART|\n"
    forged = b"1795516999|u.1|support|NONE|ENTERQUEUE||1795516999|NONE|NONE|NONE|QUEUESTART||1\n"
    path.write_bytes(rows(0, 50) + start + rows(50, 60) + start + rows(60, 64) + forged)

    assert all_of(follow(path, None)) == start + rows(60, 64) + forged


def test_without_a_position_it_goes_at_most_a_day_back(path: Path, follow: Follow) -> None:
    old = b"1795400000|NONE|NONE|NONE|QUEUESTART|\n" + b"".join(
        b"17954%05d|u|q|NONE|ABANDON|1|1|1\n" % n for n in range(100)
    )
    path.write_bytes(old + rows(0, 40))

    assert all_of(follow(path, None)) == rows(0, 40)


def test_an_empty_file_is_no_trouble(path: Path, follow: Follow) -> None:
    path.touch()
    tail = follow(path, None)

    assert tail.read()[0] == b""
    assert tail.trouble is None
    append(path, rows(0, 1))
    assert tail.read()[0] == rows(0, 1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(["append", "half", "read", "rotate", "restart", "copytruncate"]),
        max_size=25,
    )
)
def test_no_row_is_lost_or_read_twice_whatever_happens_to_the_file(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "queue_log"
    path.touch()
    tail, position = QueueLogTail(path, None), None
    written, read, half, rotations = b"", b"", b"", 0
    for n, step in enumerate(steps):
        if step == "append":
            append(path, half + (row := ROW % (n, n)))
            written, half = written + half + row, b""
        elif step == "half" and not half:
            append(path, half := b"1795519999|torn")
            # Glued to the next row later; the parser deals with it.
            written, half = written + half, b""
        elif step == "read":
            data, position = tail.read(64)
            read += data
        elif step == "restart" and position:
            tail.close()
            tail = QueueLogTail(path, position)
        elif step in ("rotate", "copytruncate") and written.endswith(b"\n"):
            read, position = (
                read + all_of(tail),
                tail.position,
            )  # one rotation a read is what the tail must stand at least
            rotations += 1
            aside = path.with_name(f"queue_log.{rotations}")
            if step == "rotate":
                path.rename(aside)
                path.touch()
            else:
                shutil.copy2(path, aside)
                os.truncate(path, 0)
    append(path, b"\n")
    read += all_of(tail)
    tail.close()

    assert read == written + b"\n"
