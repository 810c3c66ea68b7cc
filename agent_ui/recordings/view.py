"""What the call's page shows of its recordings. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from crm_core.ids import CallId
from crm_core.quick_dataclass import dataclass
from crm_core.recordings.records import RecordingInfo, RecordingState, is_playable


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingShown:
    """One recording; without `listen_url` it cannot be heard, and `state` says why."""

    started_at: datetime
    seconds: int | None
    state: RecordingState
    stereo: bool
    listen_url: str | None
    download_url: str | None
    playable: bool


def shown(
    call: CallId, found: Iterable[RecordingInfo], *, listens: bool, downloads: bool
) -> tuple[RecordingShown, ...]:
    """The recordings of a call, for somebody who may or may not hear and carry them away."""
    return tuple(_one(call, one, listens=listens, downloads=downloads) for one in found)


def _one(call: CallId, one: RecordingInfo, *, listens: bool, downloads: bool) -> RecordingShown:
    whole = one.state is RecordingState.COMPLETE
    playable = is_playable(one.file)
    here = f"/calls/{call}/recordings/{one.recording_id}"
    return RecordingShown(
        started_at=one.started_at,
        seconds=one.seconds,
        state=one.state,
        stereo=one.channels == 2,
        listen_url=here if whole and listens and playable else None,
        download_url=f"{here}/file" if whole and downloads else None,
        playable=playable,
    )
