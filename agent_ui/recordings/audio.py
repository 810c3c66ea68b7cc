"""Which bytes of a sound a browser asked for, and how they are sent: our own head, then the file.

A player asks for parts (RFC 9110, section 14). One part is answered; several at once, or a header that
is no range, are answered with the whole, as the RFC allows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import IO

from crm_core.quick_dataclass import dataclass

PIECE = 64 * 1024

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Bytes from `begin` up to, not including, `end`."""

    begin: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.begin


class Unsatisfiable(Exception):
    """The range lies beyond the end: 416."""


def part_of(header: str | None, size: int) -> Part | None:
    """The part that a `Range` header asks for; None: the whole. Raises `Unsatisfiable`."""
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:  # the last so many bytes
        if int(last) == 0:
            raise Unsatisfiable
        return Part(begin=max(0, size - int(last)), end=size)
    begin, end = int(first), int(last) + 1 if last else size
    if last and end <= begin:
        return None
    if begin >= size:
        raise Unsatisfiable
    return Part(begin=begin, end=min(end, size))


async def bytes_of(
    open_file: Callable[[], IO[bytes]], head: bytes, part: Part
) -> AsyncIterator[bytes]:
    """The part of head and file together, piece by piece; the disk is read in a thread."""
    if part.begin < len(head):
        yield head[part.begin : part.end]
    begin, end = max(0, part.begin - len(head)), part.end - len(head)
    if begin >= end:
        return
    file = await asyncio.to_thread(open_file)
    try:
        await asyncio.to_thread(file.seek, begin)
        left = end - begin
        while left > 0:
            piece = await asyncio.to_thread(file.read, min(PIECE, left))
            if not piece:
                return
            left -= len(piece)
            yield piece
    finally:
        file.close()
