"""A PBX to be tested, whichever it is, and the least AMI client that asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from crm_core.settings import PbxUrl

Message = tuple[tuple[str, str], ...]
PATIENCE_SECONDS = 20.0


def value(message: Message, name: str) -> str | None:
    return next((text for found, text in message if found == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pbx:
    """A running PBX with the laboratory's queues and seats. `ring` dials a hotline; `lift` answers."""

    url: PbxUrl
    ring: Callable[[str], Awaitable[None]]
    lift: Callable[[str], Awaitable[None]]

    @property
    def queue_log(self) -> Path:
        assert self.url.queue_log is not None
        return self.url.queue_log

    def session(self, account: str) -> Session:
        """A session that is not logged in yet; `account` is events or control."""
        return Session(self.url, account)


class Session:
    """`async with` connects. `ask` is one action and its whole answer; `heard` are the live events."""

    def __init__(self, url: PbxUrl, account: str) -> None:
        self._url, self._account = url, account
        self.greeting = ""
        self.ended = False
        self.heard: list[Message] = []
        self._answers: list[Message] = []
        self._news = asyncio.Condition()
        self._ids = 0

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._url.host, self._url.port)
        self.greeting = (await self._reader.readline()).decode()
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()

    async def login(self) -> list[Message]:
        url = self._url
        if self._account == "events":
            return await self.ask(f"Action: Login\nUsername: {url.user}\nSecret: {url.secret}")
        return await self.ask(
            f"Action: Login\nUsername: {url.control_user}\nSecret: {url.control_secret}\n"
            "Events: off"
        )

    async def ask(self, action: str) -> list[Message]:
        """The response, and the list that it begins."""
        self._ids += 1
        begin, action_id = len(self._answers), f"ask-{self._ids}"
        text = f"{action}\nActionID: {action_id}\n\n".replace("\n", "\r\n")
        self._writer.write(text.encode())

        def whole() -> bool:
            mine = [m for m in self._answers[begin:] if value(m, "ActionID") == action_id]
            starts = bool(mine) and value(mine[0], "EventList") == "start"
            return bool(mine) and (not starts or value(mine[-1], "EventList") == "Complete")

        await self.until(lambda: whole() or self.ended)
        return [m for m in self._answers[begin:] if value(m, "ActionID") == action_id]

    async def event(self, name: str, after: int = 0) -> Message:
        """The first event of that name from the place `after` of `heard` on."""
        await self.until(lambda: any(value(m, "Event") == name for m in self.heard[after:]))
        return next(m for m in self.heard[after:] if value(m, "Event") == name)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(is_so)

    async def _read(self) -> None:
        waiting = b""
        while chunk := await self._reader.read(65536):
            *whole, waiting = (waiting + chunk).split(b"\r\n\r\n")
            messages = [_message(block.decode()) for block in whole]
            async with self._news:
                for message in messages:
                    lives = value(message, "Event") and value(message, "ActionID") is None
                    (self.heard if lives else self._answers).append(message)
                self._news.notify_all()
        async with self._news:
            self.ended = True
            self._news.notify_all()


def _message(block: str) -> Message:
    pairs = (line.partition(":") for line in block.split("\r\n"))
    return tuple((name, text.removeprefix(" ")) for name, colon, text in pairs if colon)
