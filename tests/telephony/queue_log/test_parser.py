"""Rows of queue_log: whole ones are read, torn, glued and forged ones are counted and left out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.queue_log.parser import QueueLogParser

REAL = b"""\
1795516414|NONE|NONE|NONE|QUEUESTART|
1795516415|MANAGER|support|1001|ADDMEMBER|
1795516416|lab-1795516416.0|support|NONE|ENTERQUEUE||13800138000|1
1795516416|lab-1795516416.0|support|1001|CONNECT|0|lab-1795516416.1|0
1795516418|lab-1795516416.0|support|1001|COMPLETECALLER|0|2|1
"""


def test_a_real_file_gives_its_rows() -> None:
    parser = QueueLogParser()

    rows = parser.feed(REAL)

    assert [row.verb for row in rows] == [
        "QUEUESTART",
        "ADDMEMBER",
        "ENTERQUEUE",
        "CONNECT",
        "COMPLETECALLER",
    ]
    assert rows[2].caller_number == "13800138000"
    assert (rows[3].unique_id, rows[3].agent, rows[3].data[1]) == (
        "lab-1795516416.0",
        "1001",
        "lab-1795516416.1",
    )
    assert [rows[4].number(place) for place in (-3, -2, -1)] == [0, 2, 1]
    assert rows[4].at.isoformat() == "2026-11-24T10:33:38+00:00"
    assert parser.quarantined == 0


@given(st.lists(st.integers(0, len(REAL)), max_size=12))
def test_the_pieces_in_which_the_file_is_read_do_not_matter(cuts: list[int]) -> None:
    parser = QueueLogParser()
    places = [0, *sorted(cuts), len(REAL)]

    rows = [row for begin, end in pairwise(places) for row in parser.feed(REAL[begin:end])]

    assert rows == QueueLogParser().feed(REAL)


def test_a_row_without_its_line_break_is_not_read_yet() -> None:
    parser = QueueLogParser()

    assert parser.feed(b"1795516418|u.0|support|1001|COMPLETECALLER|0|2") == []
    (row,) = parser.feed(b"9|1\n")

    assert row.number(-2) == 29


@pytest.mark.parametrize(
    "torn",
    [
        b"17955164",
        b"1795516418|lab-17955164",
        b"1795516418|lab-1795516416.0|supp",
        b"1795516418|lab-1795516416.0|support|1001|COMPL",
        b"1795516418|lab-1795516416.0|support|1001|COMPLETECALLER|0|2",
        b"1795516418|lab-1795516416.0|support|1001|COMPLETECALLER|0|2|1",
        b"\0\0\0\0",
    ],
)
def test_a_row_glued_to_a_torn_one_is_found_again(torn: bytes) -> None:
    parser = QueueLogParser()

    rows = parser.feed(torn + b"1795516420|lab-9.1|support|NONE|ABANDON|1|1|7\n")

    assert [(row.unique_id, row.verb, row.number(-1)) for row in rows] == [
        ("lab-9.1", "ABANDON", 7)
    ]
    assert parser.quarantined == 1


@pytest.mark.parametrize(
    "number",
    [
        b"a|b|c|d",
        b"1795516420|lab-9.1|support|1001|COMPLETEAGENT|3|20",
        b"1795516420|NONE|NONE|NONE|QUEUESTART|",
        b"\xbb\xfa\xc3\xdc",
        b"x" * 80,
        b"\x1b[31m\x00",
    ],
)
def test_a_callers_number_is_never_read_as_a_row(number: bytes) -> None:
    parser = QueueLogParser()

    rows = parser.feed(b"1795516416|lab-8.0|support|NONE|ENTERQUEUE||" + number + b"|4\n")

    assert [(row.unique_id, row.verb) for row in rows] == [("lab-8.0", "ENTERQUEUE")]


def test_a_line_break_in_a_callers_number_does_not_forge_a_row() -> None:
    parser = QueueLogParser()
    forged = b"\n1795516420|lab-9.1|support|1001|COMPLETEAGENT|3|20|1\n5"

    rows = parser.feed(b"1795516416|lab-8.0|support|NONE|ENTERQUEUE||1" + forged + b"|4\n" + REAL)

    assert [(row.unique_id, row.verb) for row in rows[:2]] == [
        ("lab-8.0", "ENTERQUEUE"),
        ("MANAGER", "ADDMEMBER"),  # the QUEUESTART row lies within the 80 bytes of doubt
    ]
    assert rows[0].caller_number is None


@pytest.mark.parametrize(
    "row",
    [
        b"1795516418|u|q|a|COMPLETECALLER|0|-2|1",
        b"1795516418|u|q|a|COMPLETECALLER|0|2",
        b"1795516418|u|q|a|CONNECT|abc|u.1|0",
        b"1795516418|u|q|a|ABANDON|1|1|" + b"9" * 40,
        b"1795516418|u|q|a|NOSUCHVERB|1",
        b"1795516418|u\x01|q|a|ABANDON|1|1|3",
        b"",
        b"one line of anything",
    ],
)
def test_a_row_that_cannot_be_trusted_is_left_out(row: bytes) -> None:
    parser = QueueLogParser()

    assert parser.feed(row + b"\n") == []
    assert parser.quarantined == (1 if row else 0)


@given(st.binary(max_size=400))
def test_no_bytes_whatever_hurt_the_parser(data: bytes) -> None:
    parser = QueueLogParser()
    parser.feed(data)
    parser.feed(b"\n" * 100)

    assert parser.feed(REAL)[-1].verb == "COMPLETECALLER"


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    parser = QueueLogParser()
    for _ in range(100):
        parser.feed(b"x" * 1000)

    assert parser.feed(b"\n" + REAL)[-1].verb == "COMPLETECALLER"
