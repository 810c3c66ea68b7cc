"""Files of recordings: where they lie, how long they last, and how they are opened safely.

What Asterisk says about a file, and what lies in a folder, is not believed: a name that leaves the
folder, by `..` or by a link, is no recording. Our own files are raw (interleaved 16-bit samples, left
whose channel it was, right the other side); a head makes them WAV when they are played.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import wave
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from crm_core.quick_dataclass import dataclass
from crm_core.recordings.records import MEDIA_TYPES

ASTERISK_FOLDER = "/var/spool/asterisk/monitor"
"""Where Asterisk puts what a dialplan names relatively, if nobody told it otherwise."""
OWN_FOLDER = "zuoxi"

OWN_FILE = re.compile(
    rf"{OWN_FOLDER}/[0-9]{{8}}/(?P<unique_id>[A-Za-z0-9.-]{{1,140}})-[0-9]{{1,6}}\.raw"
)
"""What `zuoxi-record` of asterisk_conf/extensions.conf makes: the channel is in the name."""

RAW_RATE, RAW_CHANNELS, SAMPLE_BYTES = 8000, 2, 2
RAW_FRAME = RAW_CHANNELS * SAMPLE_BYTES

_GSM_BYTES_A_SECOND = 33 * 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What a file holds; `seconds` and `channels` None where only a decoder could tell."""

    bytes: int
    seconds: int | None
    channels: int | None
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that lies in a folder."""

    file: str
    changed_at: datetime


class RecordingFolder:
    """One PBX's folder of recordings. Everything here blocks: call it in a thread."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def relative(self, file: str) -> str:
        """The name below the folder, of what Asterisk called `file`; as it is where it lies elsewhere."""
        for folder in (ASTERISK_FOLDER, str(self.root)):
            if file.startswith(f"{folder}/"):
                return file.removeprefix(f"{folder}/")
        return file

    def open(self, file: str) -> IO[bytes]:
        """The file, to read. Raises `FileNotFoundError` for whatever is not a file in the folder."""
        parts = _parts(file)
        folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        for part in parts[:-1]:
            folder = _step(folder, part, os.O_RDONLY | os.O_DIRECTORY)
        # O_NONBLOCK: a pipe would keep who opens it waiting.
        opened = _step(folder, parts[-1], os.O_RDONLY | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise FileNotFoundError(file)
            return os.fdopen(opened, "rb")
        except BaseException:
            os.close(opened)
            raise

    def sound(self, file: str) -> Sound | None:
        """What it holds; None: there is no such file, or nothing in it."""
        try:
            with self.open(file) as sound:
                held = os.fstat(sound.fileno())
                if held.st_size == 0:
                    return None
                seconds, channels = _length(sound, PurePosixPath(file).suffix, held.st_size)
                return Sound(
                    bytes=held.st_size,
                    seconds=seconds,
                    channels=channels,
                    changed_at=datetime.fromtimestamp(held.st_mtime, UTC),
                )
        except OSError:
            return None

    def delete(self, file: str) -> None:
        """Remove it. Raises `OSError` but for a file that is gone already."""
        try:
            with self.open(file):
                pass
        except FileNotFoundError:
            return
        (self.root / file).unlink(missing_ok=True)

    def newest(self, limit: int) -> list[Found]:
        """At most `limit` recordings, those of the last names first: folders are named by the day."""
        return list(islice(self._below("", depth=6), limit))

    def _below(self, folder: str, depth: int) -> Iterator[Found]:
        try:
            entries = sorted(os.scandir(self.root / folder), key=lambda one: one.name, reverse=True)
        except OSError:
            return
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            with suppress(OSError):  # gone meanwhile
                if entry.is_dir(follow_symlinks=False):
                    if depth:
                        yield from self._below(name, depth - 1)
                elif (
                    entry.is_file(follow_symlinks=False)
                    and PurePosixPath(name).suffix in MEDIA_TYPES
                    and _is_text(name)
                ):
                    changed = entry.stat(follow_symlinks=False).st_mtime
                    yield Found(file=name, changed_at=datetime.fromtimestamp(changed, UTC))


def wav_head(data_bytes: int) -> bytes:
    """What makes a WAV of our raw samples; 44 bytes."""
    second = RAW_RATE * RAW_FRAME
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + data_bytes, b"WAVE"),
        *(b"fmt ", 16, 1, RAW_CHANNELS, RAW_RATE, second, RAW_FRAME, 8 * SAMPLE_BYTES),
        *(b"data", data_bytes),
    )


def _parts(file: str) -> tuple[str, ...]:
    parts = tuple(file.split("/"))
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise FileNotFoundError(file)
    return parts


def _step(folder: int, name: str, flags: int) -> int:
    """Open `name` in the open folder, which is closed; a link is not followed."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        raise FileNotFoundError(name) from None
    finally:
        os.close(folder)


def _is_text(name: str) -> bool:
    return name.isprintable() and len(name) < 1000 and not re.search("[\ud800-\udfff]", name)


def _length(sound: IO[bytes], suffix: str, size: int) -> tuple[int | None, int | None]:
    """(seconds, channels)."""
    match suffix:
        case ".raw":
            return size // (RAW_RATE * RAW_FRAME), RAW_CHANNELS
        case ".wav":
            with suppress(wave.Error, EOFError), wave.open(sound) as head:
                return head.getnframes() // max(1, head.getframerate()), head.getnchannels()
        case ".gsm":
            return size // _GSM_BYTES_A_SECOND, 1
    return None, None
