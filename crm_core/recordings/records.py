"""What is known of a recording, as plain values. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath

from crm_core.ids import CallId, PbxId
from crm_core.quick_dataclass import dataclass

MEDIA_TYPES = {
    ".raw": "audio/wav",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".WAV": "audio/x-wav",
    ".gsm": "audio/x-gsm",
}
"""Ending → type, of the files that are recordings. Asterisk's `WAV` is GSM in a WAV, another thing."""
PLAYABLE = frozenset({".raw", ".wav", ".mp3", ".ogg"})
"""What browsers play."""


class RecordingState(StrEnum):
    """How it stands with the file."""

    RECORDING = "recording"
    COMPLETE = "complete"
    MISSING = "missing"
    """Somebody talked, and there is no file, or none that this machine can reach."""
    DELETED = "deleted"
    """Its project keeps recordings no longer; the row tells that there was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingInfo:
    """One file of sound."""

    recording_id: str
    pbx: PbxId
    file: str
    call: CallId | None
    started_at: datetime
    seconds: int | None
    channels: int | None
    bytes: int | None
    state: RecordingState


def is_playable(file: str) -> bool:
    """Whether browsers play a file with this ending."""
    return PurePosixPath(file).suffix in PLAYABLE
