"""A thousand agents at a thousand sockets. What comes is kept with its moment and judged afterwards."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Sequence

from tests.bench.frames import CLOSE, END_OF_HEAD, PING, PONG, Frames, client_frame, request
from tests.bench.loop import Loop

AT_ONCE = 16
"""Handshakes under way at the same time."""


class Client:
    """One socket."""

    def __init__(self, loop: Loop, port: int, path: str, token: str) -> None:
        self._loop = loop
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pieces: list[tuple[float, bytes]] = []
        self.is_open = False
        self.closed = False
        self.farewell = ""
        """Why the server closed it."""
        self._head = b""
        self._frames = Frames()
        self._came: list[tuple[float, bytes]] = []
        loop.read(self.sock, self._read_head)
        self.sock.send(request(path, port, token))

    def _read_head(self, now: float) -> None:
        self._head += self.sock.recv(65536)
        head, found, rest = self._head.partition(END_OF_HEAD)
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(f"the handshake was refused: {self._head[:400]!r}")
        self.is_open = True
        self._loop.leave(self.sock)
        self._loop.read(self.sock, self._read)
        if rest:
            self.pieces.append((now, rest))

    def _read(self, now: float) -> None:
        """As little as possible: the moment counts."""
        data = b""
        with contextlib.suppress(ConnectionError):
            data = self.sock.recv(262144)
        if data:
            self.pieces.append((now, data))
        else:
            self.closed = True
            self._loop.leave(self.sock)

    def frames(self) -> list[tuple[float, bytes]]:
        """(when, payload) of each frame since the last time."""
        self.answer_pings()
        came, self._came = self._came, []
        return came

    def answer_pings(self) -> None:
        """Read what has come. A server cuts who does not answer within 20 s."""
        pieces, self.pieces = self.pieces, []
        for at, piece in pieces:
            for opcode, payload in self._frames.feed(piece):
                if opcode == PING:
                    self.sock.send(client_frame(PONG, payload))
                elif opcode == CLOSE:
                    self.farewell = f"{int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}"
                else:
                    self._came.append((at, payload))

    def close(self) -> None:
        if not self.closed:
            self._loop.leave(self.sock)
        self.sock.close()


def connect(loop: Loop, port: int, paths: Sequence[tuple[str, str]]) -> list[Client]:
    """A client for each (path, token), a few at a time."""
    clients: list[Client] = []
    under_way: list[Client] = []
    began = time.perf_counter()
    for path, token in paths:
        while len(under_way) >= AT_ONCE:
            loop.turn(time.perf_counter() + 0.05)
            under_way = [client for client in under_way if not client.is_open]
            if time.perf_counter() - began > 60:
                raise TimeoutError(f"{len(clients)} sockets after a minute")
        client = Client(loop, port, path, token)
        clients.append(client)
        under_way.append(client)
    loop.wait("all sockets are open", lambda: all(client.is_open for client in clients), 30)
    return clients
