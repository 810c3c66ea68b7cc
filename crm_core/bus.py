"""Where facts are told and questions asked: what every bus is, and the memory bus of one process.

`publish` calls every listener at once, in the order of subscription, before it returns: the way of a
ringing phone to the agent's socket has no queue in it. A listener must therefore not block and not
await; whoever needs time takes a `stream` and reads it at his own pace. An exception in a listener
is logged and hurts nobody else.

`redis_bus` is the same between processes: its listeners hear what their own process tells as here, at
once, and what the others tell as soon as it has come.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from crm_core.events import Event
from crm_core.ids import PbxId

log = logging.getLogger("zuoxi.bus")

KEPT_ENVELOPES = 5_000
"""So much a browser may have missed and still be sent; after that it gets the present anew."""


class Envelope(NamedTuple):
    """An event with its place on the bus. `seq` is `epoch-n`, opaque to everybody outside."""

    seq: str
    event: Event


Listener = Callable[[Envelope], None]
Answerer = Callable[[Any], Awaitable[Any]]
Undo = Callable[[], None]


class Bus(Protocol):
    """What the four packages know of a bus."""

    def publish(self, event: Event) -> Envelope: ...
    def subscribe(self, listener: Listener) -> Undo: ...
    def stream(self) -> Stream: ...
    def answer(self, question: type[Any], answerer: Answerer, pbx: PbxId | None = None) -> Undo: ...
    async def ask(self, question: Any, timeout: float) -> Any | None: ...  # noqa: ASYNC109
    def since(self, seq: str) -> Sequence[Envelope] | None: ...
    def committed(self, seq: str) -> None: ...
    @property
    def seq(self) -> str: ...


class Stream:
    """Every event from the moment of asking on, in order, never dropped: read with `async for`.

    `drain` gives what is there without waiting. Its length is how far the reader is behind.
    """

    def __init__(self) -> None:
        self._waiting: deque[Envelope] = deque()
        self._woken = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, envelope: Envelope) -> None:
        self._waiting.append(envelope)
        self._woken.set()

    def close(self) -> None:
        """No more events: the reader ends once it has read what is there."""
        self._closed = True
        self._woken.set()

    def drain(self) -> list[Envelope]:
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    async def wait(self) -> bool:
        """Until something is there (true) or the stream is closed and empty (false)."""
        while not self._waiting:
            if self._closed:
                return False
            self._woken.clear()
            await self._woken.wait()
        return True

    async def __aiter__(self) -> AsyncIterator[Envelope]:
        while await self.wait():
            yield self._waiting.popleft()


class Listeners:
    """Who hears in this process."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Undo:
        """Returns its own unsubscribe."""
        self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            self._listeners = [kept for kept in self._listeners if kept is not listener]

        return unsubscribe

    def stream(self) -> Stream:
        stream = Stream()
        self.subscribe(stream.put)
        return stream

    def tell(self, envelope: Envelope) -> None:
        for listener in self._listeners:
            try:
                listener(envelope)
            except Exception:
                log.exception("a listener failed on %s", type(envelope.event).__name__)


class Answerers:
    """Who answers in this process: for one PBX, or for all that nobody answers for alone."""

    def __init__(self) -> None:
        self._answerers: dict[tuple[type[Any], PbxId | None], Answerer] = {}

    def add(self, question: type[Any], answerer: Answerer, pbx: PbxId | None) -> Undo:
        """The later one replaces the earlier. Returns what takes it back."""
        key = (question, pbx)
        self._answerers[key] = answerer

        def no_more() -> None:
            if self._answerers.get(key) is answerer:
                del self._answerers[key]

        return no_more

    def of(self, question: Any) -> Answerer | None:
        kind, pbx = type(question), getattr(question, "pbx", None)
        return self._answerers.get((kind, pbx)) or self._answerers.get((kind, None))

    def __iter__(self) -> Iterator[tuple[type[Any], PbxId | None]]:
        return iter(self._answerers)


async def answer_within(answerer: Answerer, question: Any, seconds: float) -> Any | None:
    """The answer, or None: not in so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return await answerer(question)
    except TimeoutError:
        log.warning("no answer to %s in %.1f s", type(question).__name__, seconds)
        return None


class MemoryBus(Listeners):
    """The bus of `zuoxi run` and `zuoxi demo`: one process, nothing leaves it.

    Keeps the last `keep` envelopes, so that a browser that lost its link gets what it missed.
    """

    def __init__(self, keep: int = KEPT_ENVELOPES) -> None:
        super().__init__()
        self._epoch = secrets.token_hex(4)
        self._count = 0
        self._kept: deque[Envelope] = deque(maxlen=keep)
        self._answerers = Answerers()

    @property
    def seq(self) -> str:
        return f"{self._epoch}-{self._count}"

    def publish(self, event: Event) -> Envelope:
        self._count += 1
        envelope = Envelope(f"{self._epoch}-{self._count}", event)
        self._kept.append(envelope)
        self.tell(envelope)
        return envelope

    def answer(self, question: type[Any], answerer: Answerer, pbx: PbxId | None = None) -> Undo:
        """Who answers this kind of question or command, for all PBXs or for one; the later one
        replaces the earlier. Returns what takes it back."""
        return self._answerers.add(question, answerer, pbx)

    async def ask(self, question: Any, timeout: float) -> Any | None:  # noqa: ASYNC109
        """The answer, or None: nobody answers such questions, or not in `timeout` seconds."""
        answerer = self._answerers.of(question)
        return await answer_within(answerer, question, timeout) if answerer is not None else None

    def committed(self, seq: str) -> None:
        """The records have everything up to `seq`: news only where others keep it for them."""

    def since(self, seq: str) -> Sequence[Envelope] | None:
        """What came after `seq`, or None: unknown epoch, or too long ago (send a snapshot)."""
        epoch, _, count = seq.rpartition("-")
        if epoch != self._epoch or not count.isdecimal():
            return None
        missed = self._count - int(count)
        if missed < 0 or missed > len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - missed :]
