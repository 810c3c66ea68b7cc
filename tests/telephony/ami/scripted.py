"""A scripted AMI server: says what a test tells it to, over real TCP, and keeps what it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
Sent = dict[str, str]


def answered(sent: Sent, *lines: str) -> bytes:
    """The answer to an action."""
    return "\r\n".join([*lines[:1], f"ActionID: {sent['ActionID']}", *lines[1:], "", ""]).encode()


def success(sent: Sent, message: str = "done") -> bytes:
    return answered(sent, "Response: Success", f"Message: {message}")


def refused(sent: Sent, message: str = "Permission denied") -> bytes:
    return answered(sent, "Response: Error", f"Message: {message}")


def a_list(sent: Sent, *items: tuple[str, ...]) -> bytes:
    """The answer to an action that lists: each item begins with its event's name."""
    name = sent["Action"]
    return b"".join(
        [
            answered(sent, "Response: Success", "EventList: start", f"Message: {name} follows"),
            *(answered(sent, f"Event: {item[0]}", *item[1:]) for item in items),
            answered(sent, f"Event: {name}Complete", "EventList: Complete", "ListItems: 0"),
        ]
    )


def an_event(name: str, *lines: str) -> bytes:
    return "\r\n".join([f"Event: {name}", "Privilege: call,all", *lines, "", ""]).encode()


@dataclass
class Scripted:
    """`answers[action](sent) -> bytes`; an action that is not in it gets Success, None no answer."""

    answers: dict[str, Callable[[Sent], bytes] | None] = field(default_factory=dict)
    greeting: bytes = GREETING
    sent: list[Sent] = field(default_factory=list)
    raw: bytes = b""
    connections: int = 0
    port: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _of_user: dict[str, asyncio.StreamWriter] = field(default_factory=dict)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        writer.write(self.greeting)
        try:
            while True:
                frame = await reader.readuntil(b"\r\n\r\n")
                self.raw += frame
                sent = dict(
                    line.split(": ", 1) for line in frame.decode().split("\r\n") if ": " in line
                )
                await self._take(sent, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            await self._tell()

    async def _take(self, sent: Sent, writer: asyncio.StreamWriter) -> None:
        self.sent.append(sent)
        if sent["Action"] == "Login":
            self._of_user[sent["Username"]] = writer
        answer = self.answers.get(sent["Action"], success)
        if answer is not None:
            writer.write(answer(sent))
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def say(self, *data: bytes, user: str | None = None) -> None:
        """Each piece in a segment of its own, to that user's connection, else to the last one."""
        writer = self._writers[-1] if user is None else self._of_user[user]
        for piece in data:
            writer.write(piece)

    def cut(self, user: str | None = None) -> None:
        writer = self._writers[-1] if user is None else self._of_user[user]
        writer.transport.abort()

    def of(self, action: str) -> list[Sent]:
        return [sent for sent in self.sent if sent["Action"] == action]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something to be sent; ten seconds are a failure, not a measure."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(is_so)


@asynccontextmanager
async def a_scripted_ami() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        for writer in scripted._writers:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)


async def eventually(is_so: Callable[[], bool]) -> None:
    """Let the loop turn until it is so; ten seconds are a failure, not a measure."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 (what is waited for has no event of its own)
            await asyncio.sleep(0.005)
