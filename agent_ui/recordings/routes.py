"""The sound of a call: served by the recording's id only, within the viewer's scope, and audited.

No path comes from the client and none goes to it. Who may not hear a call is answered as if it had no
recordings. Where the audit cannot be written nothing is played.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from agent_ui.auth import Visit, visit_of
from agent_ui.deps import Deps, deps_of
from agent_ui.recordings.audio import Part, Unsatisfiable, bytes_of, part_of
from agent_ui.security import needs
from crm_core.access.audit import audit
from crm_core.access.permissions import Permission
from crm_core.access.scope import calls_in_scope
from crm_core.call_log.queries import call as read_call
from crm_core.db import reading, transaction
from crm_core.errors import NotFound
from crm_core.ids import CallId
from crm_core.recordings.files import RecordingFolder, wav_head
from crm_core.recordings.index import folders_of
from crm_core.recordings.queries import recording_of
from crm_core.recordings.records import MEDIA_TYPES, RecordingInfo, RecordingState

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]


@router.get(
    "/calls/{call_id}/recordings/{recording_id}",
    dependencies=[needs(Permission.LISTEN_RECORDINGS)],
)
async def listen(request: Request, visit: Who, call_id: str, recording_id: str) -> Response:
    """The sound, to the player of the call's page; parts of it where the player asks for parts."""
    deps = deps_of(request)
    found, folder = await _recording(deps, visit, call_id, recording_id)
    size, head = await _measured(folder, found)
    asked = request.headers.get("range")
    try:
        part = part_of(asked, size)
    except Unsatisfiable:
        return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
    first = part.begin if part else 0
    now = deps.now()
    if deps.heard.begins(visit.token_hash, found.recording_id, first_byte=first, now=now):
        await _audit(deps, visit, "recording.listen", found)
    return _answer(folder, found, head, size, part)


@router.get(
    "/calls/{call_id}/recordings/{recording_id}/file",
    dependencies=[needs(Permission.DOWNLOAD_RECORDINGS)],
)
async def download(request: Request, visit: Who, call_id: str, recording_id: str) -> Response:
    """The sound as a file to keep."""
    deps = deps_of(request)
    found, folder = await _recording(deps, visit, call_id, recording_id)
    size, head = await _measured(folder, found)
    await _audit(deps, visit, "recording.download", found)
    answer = _answer(folder, found, head, size, None)
    began = found.started_at.astimezone(deps.settings.zone)
    suffix = PurePosixPath(found.file).suffix.replace(".raw", ".wav")
    name = f"recording-{began:%Y%m%d-%H%M%S}-{found.recording_id[:8]}{suffix}"
    answer.headers["content-disposition"] = f'attachment; filename="{name}"'
    return answer


async def _recording(
    deps: Deps, visit: Visit, call_id: str, recording_id: str
) -> tuple[RecordingInfo, RecordingFolder]:
    """A whole recording of a call that the viewer may see. Raises `NotFound`."""
    async with reading(deps.engine) as connection:
        call = await read_call(connection, CallId(call_id[:64]), calls_in_scope(visit.who))
        if call is None:
            raise NotFound
        names = (call.call_id, *call.aliases)
        found = await recording_of(connection, names, recording_id[:64])
    if found is None or found.state is not RecordingState.COMPLETE:
        raise NotFound
    folder = folders_of(deps.settings).get(found.pbx)
    if folder is None:
        raise NotFound
    return found, folder


async def _measured(folder: RecordingFolder, found: RecordingInfo) -> tuple[int, bytes]:
    """Bytes of the answer, and the head that ours lack. Raises `NotFound` where the file is gone."""
    sound = await asyncio.to_thread(folder.sound, found.file)
    if sound is None:
        raise NotFound
    head = wav_head(sound.bytes) if found.file.endswith(".raw") else b""
    return sound.bytes + len(head), head


async def _audit(deps: Deps, visit: Visit, act: str, found: RecordingInfo) -> None:
    detail = {"call": found.call, "page": f"/calls/{found.call}"}
    async with transaction(deps.engine) as connection:
        await audit(connection, visit.who.name, act, found.recording_id, detail, at=deps.now())


def _answer(
    folder: RecordingFolder, found: RecordingInfo, head: bytes, size: int, part: Part | None
) -> Response:
    sent = part or Part(begin=0, end=size)
    headers = {"accept-ranges": "bytes", "content-length": str(sent.length)}
    if part is not None:
        headers["content-range"] = f"bytes {part.begin}-{part.end - 1}/{size}"
    return StreamingResponse(
        bytes_of(partial(folder.open, found.file), head, sent),
        206 if part is not None else 200,
        headers=headers,
        media_type=MEDIA_TYPES[PurePosixPath(found.file).suffix],
    )
