"""A folder of recordings gives what lies in it, and nothing beside it."""

from __future__ import annotations

import os
import struct
import wave
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_core.recordings.files import ASTERISK_FOLDER, RecordingFolder, wav_head


@pytest.fixture
def folder(tmp_path: Path) -> RecordingFolder:
    root = tmp_path / "monitor"
    (root / "zuoxi/20261124").mkdir(parents=True)
    (root / "zuoxi/20261124/lab-1.1-1.raw").write_bytes(bytes(3 * 32_000))
    (tmp_path / "secret.raw").write_bytes(b"secret")
    return RecordingFolder(root)


def test_our_own_file_is_as_long_as_its_bytes_say(folder: RecordingFolder) -> None:
    sound = folder.sound("zuoxi/20261124/lab-1.1-1.raw")
    assert sound is not None
    assert (sound.bytes, sound.seconds, sound.channels) == (96_000, 3, 2)


@pytest.mark.parametrize(
    "file",
    ["", ".", "..", "../secret.raw", "/etc/passwd", "zuoxi/../../secret.raw", "zuoxi//x.raw",
     "zuoxi/./20261124/lab-1.1-1.raw", "zuoxi", "no-such.raw", "a\0b.raw", "link.raw", "out/secret.raw", "pipe.raw"],
)  # fmt: skip
def test_what_leaves_the_folder_or_is_no_file_is_not_there(
    folder: RecordingFolder, file: str
) -> None:
    (folder.root / "link.raw").symlink_to("../secret.raw")
    (folder.root / "out").symlink_to("..")
    os.mkfifo(folder.root / "pipe.raw")
    with pytest.raises(FileNotFoundError):
        folder.open(file)
    assert folder.sound(file) is None
    folder.delete(file)
    assert (folder.root.parent / "secret.raw").exists()
    assert {one.file for one in folder.newest(10)} == {"zuoxi/20261124/lab-1.1-1.raw"}


PARTS = ("..", ".", "", "zuoxi", "secret.raw", "20261124", "lab-1.1-1.raw", "out", "\0", "录音")


@given(parts=st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=5)), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_name_reaches_beyond_the_folder(folder: RecordingFolder, parts: list[str]) -> None:
    out = folder.root / "out"
    if not out.is_symlink():
        out.symlink_to("..")
    try:
        opened = folder.open("/".join(parts))
    except (FileNotFoundError, UnicodeEncodeError):
        return
    with opened:
        assert Path(f"/proc/self/fd/{opened.fileno()}").readlink().is_relative_to(folder.root)


def test_a_name_is_told_below_the_folder_wherever_asterisk_sees_it(folder: RecordingFolder) -> None:
    assert folder.relative(f"{ASTERISK_FOLDER}/2026/11/24/q-1.wav") == "2026/11/24/q-1.wav"
    assert folder.relative(f"{folder.root}/x.wav") == "x.wav"
    assert folder.relative("/elsewhere/x.wav") == "/elsewhere/x.wav"


def test_a_wav_of_the_site_tells_its_length_and_a_broken_one_none(folder: RecordingFolder) -> None:
    with wave.open(str(folder.root / "q.wav"), "wb") as made:
        made.setparams((1, 2, 8000, 0, "NONE", ""))
        made.writeframes(bytes(2 * 8000 * 2))
    sound = folder.sound("q.wav")
    assert sound is not None
    assert (sound.seconds, sound.channels) == (2, 1)
    (folder.root / "broken.wav").write_bytes(b"RIFF" + struct.pack("<I", 4) + b"nope")
    broken = folder.sound("broken.wav")
    assert broken is not None
    assert broken.seconds is None


def test_only_so_many_files_are_looked_at_and_the_last_days_first(folder: RecordingFolder) -> None:
    for day in ("20261122", "20261123"):
        (folder.root / "zuoxi" / day).mkdir()
        for number in range(3):
            (folder.root / f"zuoxi/{day}/lab-1.{number}-1.raw").write_bytes(b"xxxx")
    assert [one.file.split("/")[1] for one in folder.newest(3)] == [
        "20261124",
        "20261123",
        "20261123",
    ]


@given(size=st.integers(0, 2**31))
def test_the_head_is_one_that_players_read(size: int) -> None:
    head = wav_head(size - size % 4)
    assert len(head) == 44
    assert head[:4] + head[8:16] == b"RIFFWAVEfmt "
