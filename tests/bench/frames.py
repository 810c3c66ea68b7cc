"""The client's side of a WebSocket, as little of it as the benchmark needs: RFC 6455 without masks in.

The clients use no library: a thousand agents must cost the machine less than what is measured.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
END_OF_HEAD = b"\r\n\r\n"


def request(path: str, port: int, token: str = "") -> bytes:
    """The handshake that asks for `path`; `token` goes into the Authorization header."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
    ]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def client_frame(opcode: int, payload: bytes = b"") -> bytes:
    """A short frame from a client. The mask must be there; that of zeroes changes nothing."""
    assert len(payload) < 126
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def server_frame(payload: bytes) -> bytes:
    """A text frame from a server."""
    size = len(payload)
    if size < 126:
        return bytes([0x80 | TEXT, size]) + payload
    if size < 1 << 16:
        return bytes([0x80 | TEXT, 126]) + size.to_bytes(2, "big") + payload
    return bytes([0x80 | TEXT, 127]) + size.to_bytes(8, "big") + payload


class Frames:
    """Whole frames out of the pieces that TCP brings. Servers send neither masks nor fragments."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(opcode, payload) of each frame that is complete now."""
        data = self._rest + data
        at = 0
        while (found := _frame_at(data, at)) is not None:
            opcode, begin, at = found
            yield opcode, data[begin:at]
        self._rest = data[at:]


def _frame_at(data: bytes, at: int) -> tuple[int, int, int] | None:
    """(opcode, where the payload begins, where it ends), or None: not all of it is here."""
    if len(data) < at + 2:
        return None
    size, begin = data[at + 1], at + 2
    if data[at] & 0x70 or not data[at] & 0x80 or size & 0x80:
        raise ValueError(f"a frame that no server of ours sends: {data[at : at + 2].hex()}")
    if size >= 126:
        width = 2 if size == 126 else 8
        if len(data) < begin + width:
            return None
        size, begin = int.from_bytes(data[begin : begin + width], "big"), begin + width
    if len(data) < begin + size:
        return None
    return data[at] & 0x0F, begin, begin + size
