"""The flight recorder: byte for byte, never in the way, and honest when the disk is full."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.errors import Invalid
from telephony import flight_recorder
from telephony.flight_recorder import FlightRecorder, read

T0 = datetime(2026, 11, 24, 10, 20, 30, 123456, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = T0

    def __call__(self) -> datetime:
        return self.at


def the_file(folder: Path) -> Path:
    (file,) = folder.glob("*.recording")
    return file


@given(chunks=st.lists(st.binary(max_size=50), max_size=10))
def test_bytes_come_back_as_they_went(
    chunks: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("flight")
    recorder = FlightRecorder(folder, "lab", Clock())
    connection = recorder.opened("events")
    for chunk in chunks:
        recorder.received("events", connection, chunk)
    recorder.closed("events", connection)
    recorder.close()
    found = list(read(the_file(folder)))
    assert [one.event for one in found] == ["open", *[None] * len(chunks), "close"]
    assert [one.data for one in found[1:-1]] == chunks
    assert b"".join(one.data for one in found) == b"".join(chunks)
    assert [one.offset for one in found[1:-1]] == [
        sum(len(each) for each in chunks[:place]) for place in range(len(chunks))
    ]


def test_entries_are_the_documented_ones(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path, "lab", Clock())
    connection = recorder.opened("events")
    recorder.received("events", connection, "王\r\n".encode())
    recorder.received("events", connection, b"\xe7\n{")
    recorder.rows(b"1795516416|...\n", 12)
    recorder.closed("events", connection)
    recorder.close()
    assert the_file(tmp_path).read_bytes() == (
        b'{"at":"2026-11-24T10:20:30.123456Z","pbx":"lab","feed":"ami","session":"events",'
        b'"connection":1,"event":"open"}\n'
        b'{"at":"2026-11-24T10:20:30.123456Z","pbx":"lab","feed":"ami","session":"events",'
        b'"connection":1,"offset":0,"bytes":5}\n\xe7\x8e\x8b\r\n\n'
        b'{"at":"2026-11-24T10:20:30.123456Z","pbx":"lab","feed":"ami","session":"events",'
        b'"connection":1,"offset":5,"bytes":3}\n\xe7\n{\n'
        b'{"at":"2026-11-24T10:20:30.123456Z","pbx":"lab","feed":"queue_log","file":"queue_log",'
        b'"offset":12,"bytes":15}\n1795516416|...\n\n'
        b'{"at":"2026-11-24T10:20:30.123456Z","pbx":"lab","feed":"ami","session":"events",'
        b'"connection":1,"event":"close"}\n'
    )


def test_bytes_of_a_golden_trace_stand_in_the_line_itself(tmp_path: Path) -> None:
    file = tmp_path / "ami.jsonl"
    head = '{"at":"2026-11-24T10:20:30.123456Z","pbx":"lab","feed":"ami","session":"events",'
    file.write_text(f'{head}"text":"王\\r\\n"}}\n{head}"base64":"5w=="}}\n', "utf-8")
    assert [one.data for one in read(file)] == ["王\r\n".encode(), b"\xe7"]


def a_recording_of(folder: Path, *chunks: bytes) -> Path:
    recorder = FlightRecorder(folder, "lab", Clock())
    connection = recorder.opened("events")
    for chunk in chunks:
        recorder.received("events", connection, chunk)
    recorder.close()
    return the_file(folder)


def test_what_is_cut_off_anywhere_leaves_out_no_more_than_the_entry_it_cuts(tmp_path: Path) -> None:
    file = a_recording_of(tmp_path, b"Event: One\r\n", b"Event: Two\r\n")
    whole = file.read_bytes()
    ends = [len(whole[: whole.index(word) + len(word)]) for word in (b'"open"}\n', b"One\r\n\n")]
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert len(list(read(file))) == sum(end <= length for end in ends)


@pytest.mark.parametrize(
    ("was", "spoilt", "place", "why"),
    [
        (b'{"at"', b'["at"', 0, "expected"),
        (b'"bytes":12', b'"bytes":11', 111, "no line feed after 11 bytes"),
        (b'"bytes":12', b'"bytes":-2', 111, "-2 bytes"),
        (b'"bytes":12', b'"bytes":""', 111, "'' bytes"),
        (b'"event":"open"}\n', b'"event":"open"}\n[]\n', 111, "not an object"),
    ],
)
def test_where_a_recording_is_spoilt_is_said(
    was: bytes, spoilt: bytes, place: int, why: str, tmp_path: Path
) -> None:
    file = a_recording_of(tmp_path, b"Event: One..", b"Event: Two..")
    file.write_bytes(file.read_bytes().replace(was, spoilt, 1))
    with pytest.raises(Invalid, match=rf"byte {place}: not a recording \(.*{why}"):
        list(read(file))


def test_full_disk_switches_it_off_with_one_line_and_room_on_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    recorder = FlightRecorder(tmp_path / "flight", "lab", clock)
    connection = recorder.opened("events")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(recorder, "_write", full)
        for _ in range(5):
            recorder.received("events", connection, b"lost")
            recorder.flush()
            clock.at += timedelta(seconds=1)
    assert recorder.off
    assert caplog.text.count("the flight recorder is off") == 1
    clock.at += timedelta(seconds=61)
    recorder.received("events", connection, b"kept")
    recorder.flush()
    assert not recorder.off
    recorder.close()
    assert [one.data for one in read(the_file(tmp_path / "flight"))] == [b"kept"]


def test_folder_that_cannot_be_made_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "flight").write_text("a file where the folder should be")
    recorder = FlightRecorder(tmp_path / "flight", "lab", Clock())
    recorder.received("events", recorder.opened("events"), b"x")
    recorder.flush()
    assert recorder.off


def test_full_file_is_turned_over_and_old_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight_recorder, "FILE_BYTES", 200)
    clock = Clock()
    recorder = FlightRecorder(tmp_path, "lab", clock)
    connection = recorder.opened("events")
    for _ in range(6):
        recorder.received("events", connection, b"x" * 100)
        recorder.flush()
        clock.at += timedelta(seconds=1)
    files = sorted(tmp_path.glob("*.recording"))
    assert len(files) > 1
    clock.at = datetime.now(UTC) + timedelta(days=flight_recorder.KEPT_DAYS + 1)
    for _ in range(3):
        recorder.received("events", connection, b"y" * 300)
        recorder.flush()
        clock.at += timedelta(seconds=1)
    recorder.close()
    assert not files[0].exists()
