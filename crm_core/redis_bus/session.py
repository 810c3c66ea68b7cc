"""One connection to Redis, from joining to its loss: who goes on, and where, in a stream that may be gone.

The stream's name holds the generation, a random key that was made when Redis was found empty. Every
write names the generation that it is meant for, and is refused in another: so a Redis that was emptied,
restarted empty, or loaded from an old file is noticed by whoever writes next, and by readers within
`LOOK_SECONDS`. There is no repair of a session: whatever breaks ends it, and the next one begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from secrets import token_hex
from types import TracebackType
from typing import Any, Final, Self

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from crm_core.errors import Invalid, Unavailable
from crm_core.quick_dataclass import dataclass
from crm_core.redis_bus.wire import Safe, unpacked

MOST_ENTRIES: Final = 10_000
"""So many entries the stream holds, more or less: some minutes of a busy centre."""
LOOK_SECONDS: Final = 0.2
AT_ONCE: Final = 500
ANSWER_SECONDS: Final = 3.0
"""A Redis on the same network that has not answered by then does not answer."""

AWAY = (RedisError, OSError, TimeoutError)

_JOIN: Final = """
local known = redis.call('GET', KEYS[1])
if known and string.sub(known, 1, #ARGV[1]) == ARGV[1] then return known end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
"""
"""ARGV: the run of this Redis, a new generation. A generation of another run of Redis counts no more:
what was loaded from its file is old."""

_WRITE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
for place = 3, #ARGV do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '0-*', 'e', ARGV[place])
end
return true
"""
"""ARGV: the generation, the most entries, then the entries. `0-*` counts them from 1 (Redis 7)."""


class Flushed(Unavailable):
    """The generation is another one: Redis was emptied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One entry of the stream."""

    place: int
    data: bytes


class Session:
    """Connections of one kind each: to write, to wait for entries, to ask and be asked."""

    generation: str
    last: int
    """The last entry at the moment of joining; 0: the stream is empty."""

    def __init__(self, url: str) -> None:
        self._writing, self._waiting = _connection(url), _connection(url)
        self._asking = _connection(url)
        self.questions: PubSub = self._asking.pubsub(ignore_subscribe_messages=True)
        database = self._writing.connection_pool.connection_kwargs.get("db") or 0
        self.prefix = f"zuoxi:{database}:"
        """Before the names of channels, which Redis does not keep apart by database."""
        self._key = "zuoxi:generation"
        self._has_ended = False

    async def __aenter__(self) -> Self:
        try:
            run = (await self._writing.info("server"))["run_id"][:12]
            joined = await self._eval(_JOIN, [self._key], [run, f"{run}.{token_hex(6)}"])
            self.generation = joined.decode()
            self._stream = f"zuoxi:{self.generation}:events"
            newest: Any = await self._writing.xrevrange(self._stream, count=1)
            self.last = _place(newest[0][0]) if newest else 0
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await self.questions.aclose()  # type: ignore[no-untyped-call]
        for connection in (self._writing, self._waiting, self._asking):
            await connection.aclose()

    @property
    def epoch(self) -> str:
        """What outsiders see of the generation."""
        return self.generation.rpartition(".")[2]

    def end(self) -> None:
        """Before its tasks are cancelled."""
        self._has_ended = True

    def heed_end(self) -> None:
        """redis-py 8.1 may swallow a cancellation that comes while it waits for an answer; a loop
        around it would go on for ever (tried)."""
        if self._has_ended:
            raise asyncio.CancelledError

    async def write(self, entries: Sequence[bytes]) -> None:
        """In this order, all or none. Raises `Flushed`, or what `AWAY` holds."""
        written = await self._eval(
            _WRITE, [self._key, self._stream], [self.generation, MOST_ENTRIES, *entries]
        )
        if not written:
            raise Flushed

    async def read(self, after: int) -> list[Read]:
        """The entries behind this place; none after a while of silence. Raises `Flushed`."""
        answer: Any = await self._waiting.xread(
            {self._stream: f"0-{after}"}, count=AT_ONCE, block=int(LOOK_SECONDS * 1000)
        )
        self.heed_end()
        if not answer:
            known: Any = await self._waiting.get(self._key)
            if known is None or known.decode() != self.generation:
                raise Flushed
            return []
        [(_, entries)] = answer
        return [Read(place=_place(place), data=parts.get(b"e", b"")) for place, parts in entries]

    async def last_safe(self) -> Safe | None:
        """What the records said last of what they have, if the stream still holds it."""
        before = "+"
        while True:
            found: Any = await self._writing.xrevrange(self._stream, max=before, count=AT_ONCE)
            if not found:
                return None
            for _, parts in found:
                try:
                    _, entry = unpacked(parts.get(b"e", b""))
                except Invalid:
                    continue
                if isinstance(entry, Safe):
                    return entry
            before = f"({found[-1][0].decode()}"

    async def tell(self, channel: str, data: bytes) -> int:
        """To whoever listens now; how many do."""
        try:
            heard: int = await self._writing.publish(f"{self.prefix}{channel}", data)
        except Exception as wrong:
            if self._has_ended:  # closed beneath us, which redis-py tells by a KeyError of its pool
                raise ConnectionError("the session has ended") from wrong
            raise
        return heard

    async def _eval(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        answer = await self._writing.eval(script, len(keys), *keys, *arguments)
        self.heed_end()
        return answer


def _connection(url: str) -> Redis:
    # Without retries of its own: a connection that breaks ends the session, which looks anew.
    return Redis.from_url(
        url,
        single_connection_client=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        socket_keepalive=True,
        protocol=2,
    )


def _place(entry: bytes) -> int:
    return int(entry.rpartition(b"-")[2])
