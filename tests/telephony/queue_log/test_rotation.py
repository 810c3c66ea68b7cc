"""Files that are turned over, compressed, cut short, deleted, or closed to us: rows told once each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.telephony.queue_log.a_log import ALog, Follower, compress


@pytest.fixture
def log(tmp_path: Path) -> ALog:
    return ALog(tmp_path)


@pytest.fixture
def follower(log: ALog) -> Iterator[Follower]:
    found = Follower(log.path)
    yield found
    found.tail.close()


def some(log: ALog, count: int) -> None:
    for _ in range(count):
        log.row()


def turned_over(log: ALog) -> None:
    log.rename()
    log.reload()


def test_file_that_was_compressed_while_we_were_down_is_read_on_at_the_same_place(
    log: ALog, follower: Follower
) -> None:
    some(log, 20)
    follower.read(300)
    assert 0 < len(follower.rows) < 20
    turned_over(log)
    some(log, 5)
    log.compress()
    assert [each.name for each in log.path.parent.glob("*.gz")] == ["queue_log.1.gz"]

    follower.restart()
    follower.read_all()

    assert follower.unique_ids() == log.written
    assert follower.tail.missed == 0


def test_several_rotations_and_compressions_while_we_were_down_lose_nothing(
    log: ALog, follower: Follower
) -> None:
    some(log, 9)
    follower.read(200)
    for _ in range(4):
        turned_over(log)
        log.compress()
        some(log, 9)

    follower.restart()
    follower.read_all()

    assert follower.unique_ids() == log.written


def test_half_written_archive_beside_the_file_it_is_made_of_is_not_read(
    log: ALog, follower: Follower
) -> None:
    some(log, 9)
    follower.read(200)
    turned_over(log)
    some(log, 3)
    plain = log.path.with_name("queue_log.1")
    kept = plain.read_bytes()
    packed = compress(plain)
    plain.write_bytes(kept)
    packed.write_bytes(packed.read_bytes()[:-20])

    follower.restart()
    follower.read_all()

    assert follower.unique_ids() == log.written


def test_damaged_archive_is_said_and_the_next_file_is_read(log: ALog, follower: Follower) -> None:
    some(log, 2)
    follower.read(100)
    some(log, 2000)
    turned_over(log)
    some(log, 3)
    log.compress()
    packed = log.path.with_name("queue_log.1.gz")
    packed.write_bytes(packed.read_bytes()[:-2000])

    follower.restart()
    follower.read_all()

    told = follower.unique_ids()
    assert len(set(told)) == len(told)
    assert told[-3:] == log.written[-3:]
    assert follower.tail.missed == 1


@pytest.mark.parametrize("name", ["queue_log.bak", "queue_log-copy", "queue_log~"])
def test_copies_that_somebody_left_there_are_not_told_again(
    log: ALog, follower: Follower, name: str
) -> None:
    some(log, 3)
    follower.read_all()
    turned_over(log)
    some(log, 3)
    shutil.copy(log.path, log.path.with_name(name))  # with a time that is later than all

    follower.read_all()
    turned_over(log)
    some(log, 3)
    follower.read_all()

    assert follower.unique_ids() == log.written


def test_copytruncate_is_said_and_doubles_nothing(log: ALog, follower: Follower) -> None:
    some(log, 6)
    follower.read(200)
    shutil.copy2(log.path, log.path.with_name("queue_log.1"))
    os.truncate(log.path, 0)
    some(log, 2)

    follower.read(200)
    assert follower.tail.trouble == (
        f"{log.path} was cut short in its place (copytruncate); rows may be missed"
    )
    follower.read_all()

    assert follower.unique_ids() == log.written
    assert follower.tail.missed == 1
    assert follower.tail.trouble is None


def test_copytruncate_and_compression_while_we_were_down_are_read_on(
    log: ALog, follower: Follower
) -> None:
    some(log, 6)
    follower.read(200)
    shutil.copy2(log.path, log.path.with_name("queue_log.1"))
    os.truncate(log.path, 0)
    compress(log.path.with_name("queue_log.1"))
    some(log, 2)

    follower.restart()
    follower.read_all()

    assert follower.unique_ids() == log.written
    assert follower.tail.missed == 1


def test_deleted_file_is_read_to_its_end_and_the_new_one_from_its_beginning(
    log: ALog, follower: Follower
) -> None:
    some(log, 3)
    follower.read_all()
    with log.path.open("ab") as asterisks:
        log.path.unlink()
        asterisks.write(b"1795519000|lab-late.1|support|NONE|ABANDON|1|1|7\n")
        asterisks.flush()
        follower.read_all()
        assert follower.tail.trouble == (
            f"{log.path} was deleted; reading what Asterisk has open still"
        )
    log.reload()
    some(log, 2)
    follower.read_all()

    assert follower.unique_ids() == [*log.written[:3], "lab-late.1", *log.written[3:]]
    assert follower.tail.trouble is None


def test_file_that_we_may_not_read_is_a_sentence_until_somebody_cures_it(
    tmp_path: Path, log: ALog, follower: Follower
) -> None:
    some(log, 3)
    log.path.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    am_root = os.geteuid() == 0
    if am_root:
        os.seteuid(65534)  # for root no file is closed
    try:
        follower.read(200)
        assert follower.tail.trouble == f"{log.path} cannot be read: Permission denied"
        assert follower.rows == []
    finally:
        if am_root:
            os.seteuid(0)
    log.path.chmod(0o644)

    follower.read_all()

    assert follower.unique_ids() == log.written
    assert follower.tail.trouble is None


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["row", "row", "row", "rename", "reload", "compress", "restart"]),
        st.tuples(st.just("torn"), st.integers(0, 100)),
        st.tuples(st.just("noise"), st.binary(max_size=12)),
        st.tuples(st.just("read"), st.integers(150, 500)),
    ),
    max_size=60,
)


def is_harmless(data: bytes) -> bool:
    """Noise that is no piece of a row: no digits that would become an epoch, no break of its own."""
    return not any(byte in b"0123456789|\r" for byte in data)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_each_well_formed_row_is_told_once_whatever_is_done_to_the_file_and_to_us(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str | tuple[str, int | bytes]]
) -> None:
    log = ALog(tmp_path_factory.mktemp("log"))
    log.row()
    follower = Follower(log.path)
    follower.read(200)
    for step in steps:
        match step:
            case "restart":
                follower.restart()
            case ("torn", int(length)):
                log.torn(length)
            case ("noise", bytes(data)):
                log.noise(data if is_harmless(data) else b"\n")
            case ("read", int(limit)):
                follower.read(limit)
            case str():
                getattr(log, step)()
    log.reload()
    follower.read_all()
    follower.tail.close()

    assert follower.unique_ids() == log.written
