"""The reference of the screen pop: a relay that does nothing but the way of the bytes.

It finds AgentCalled in what comes from AMI and writes a ready-made frame of the product's size to the
socket of the member that rings. No parsing, no state, no database, no rights: the floor of what one
asyncio process can do. `--sleep` and `--drop-every` are the negative controls.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import time
from typing import cast

import uvloop

from tests.bench.frames import END_OF_HEAD, server_frame

_KEY = b"Sec-WebSocket-Key: "
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LOGIN = (
    b"Action: Login\r\nUsername: raw\r\nSecret: raw\r\nEvents: on\r\n\r\nAction: BridgeList\r\n\r\n"
)


class Agent(asyncio.Protocol):
    """One socket; it asks for `/PLACE` (the extension)."""

    def __init__(self, relay: Relay) -> None:
        self._relay, self._head = relay, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own kind

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._transport is None or END_OF_HEAD not in self._head:
            return
        extension = self._head.split(b" ", 2)[1][1:]
        begin = self._head.index(_KEY) + len(_KEY)
        key = self._head[begin : self._head.index(b"\r\n", begin)]
        accepted = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
        )
        self._relay.sockets[extension] = self._transport
        self._head = b""


class Relay(asyncio.Protocol):
    """The connection to AMI."""

    def __init__(self, size: int, sleep: float, drop_every: int) -> None:
        self.sockets: dict[bytes, asyncio.Transport] = {}
        self._size, self._sleep, self._drop_every = size, sleep, drop_every
        self._rest = b""
        self._count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(LOGIN)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        end = data.rfind(b"\r\n\r\n") + 4
        if end < 4:
            self._rest = data
            return
        self._rest = data[end:]
        at = data.find(b"Event: AgentCalled\r\n", 0, end)
        while at >= 0:
            over = data.index(b"\r\n\r\n", at) + 2
            self._called(data[at:over])
            at = data.find(b"Event: AgentCalled\r\n", over, end)

    def _called(self, event: bytes) -> None:
        self._count += 1
        if self._drop_every and self._count % self._drop_every == 0:
            return
        if self._sleep:
            time.sleep(self._sleep)
        unique_id = _value(event, b"\r\nUniqueid: ")
        extension = _value(event, b"\r\nInterface: PJSIP/")
        frame = b'{"type":"call.offered","unique_id":"%s","agent":"%s"' % (unique_id, extension)
        self.sockets[extension].write(server_frame(frame.ljust(self._size - 1) + b"}"))


def _value(event: bytes, header: bytes) -> bytes:
    begin = event.index(header) + len(header)
    return event[begin : event.index(b"\r\n", begin)]


async def serve(ami: int, http: int, relay: Relay) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Agent(relay), "127.0.0.1", http, backlog=2048)
    await loop.create_connection(lambda: relay, "127.0.0.1", ami)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ami", type=int, required=True)
    parser.add_argument("--http", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--sleep", type=float, default=0.0)
    parser.add_argument("--drop-every", type=int, default=0)
    given = parser.parse_args()
    relay = Relay(given.size, given.sleep, given.drop_every)
    uvloop.run(serve(given.ami, given.http, relay))


if __name__ == "__main__":
    main()
