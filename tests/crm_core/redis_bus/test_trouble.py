"""Redis away, emptied, or full of nonsense; the records away; a reader too slow: what is heard afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from crm_core.beats import Beat
from crm_core.bus import Envelope
from crm_core.call_log.writer import RECORDED
from crm_core.events import Event, FactsLost, Feed, FeedHeard, GapRecorded
from crm_core.ids import PbxId
from crm_core.redis_bus import session
from crm_core.redis_bus.bus import RedisBus
from crm_core.split import running
from tests.crm_core.test_bus import PBX, a_redis_bus, a_tick, moment
from tests.harness import eventually
from tests.lab.redis import RedisServer

pytestmark = pytest.mark.redis


@pytest.fixture
def redis(installed: None) -> Iterator[RedisServer]:
    """One of our own: it is stopped and emptied here."""
    with RedisServer() as server:
        yield server


def a_fact(second: int) -> Event:
    return FeedHeard(at=moment(second), pbx=PBX, feed=Feed.AMI)


class Records:
    """The records as this bus sees them: they write what they hear, in order, when they are told to."""

    def __init__(self, bus: RedisBus) -> None:
        self.bus = bus
        self.heard: list[Envelope] = []
        bus.subscribe(self.heard.append)

    def commit(self) -> None:
        if self.heard:
            self.bus.committed(self.heard[-1].seq)

    @property
    def seconds(self) -> list[int]:
        return seconds_of(self.heard)


@asynccontextmanager
async def the_records(redis: RedisServer) -> AsyncIterator[Records]:
    records = Records(RedisBus(redis.url, RECORDED, whole=True))  # before anything can be heard
    async with running(records.bus, lambda: Beat(service="records")):
        await eventually(lambda: records.bus.trouble is None)
        yield records


def seconds_of(heard: list[Envelope]) -> list[int]:
    return [int(one.event.at.timestamp()) - 1_700_000_000 for one in heard]


async def test_what_is_told_while_redis_is_away_is_heard_once_when_it_is_back(
    redis: RedisServer,
) -> None:
    heard: list[Envelope] = []
    async with a_redis_bus(redis.url) as near, a_redis_bus(redis.url) as far:
        far.subscribe(heard.append)
        near.publish(a_fact(0))
        await eventually(lambda: len(heard) == 1)
        await asyncio.to_thread(redis.stop)
        await eventually(lambda: near.trouble is not None and far.trouble is not None)
        for second in range(1, 50):
            near.publish(a_fact(second))
        await asyncio.to_thread(redis.start)
        await eventually(lambda: len(heard) >= 50, 3)
        await asyncio.sleep(0.3)
        assert seconds_of(heard) == list(range(50))
        assert (near.trouble, far.trouble) == (None, None)


async def test_a_redis_that_was_emptied_gets_another_epoch_and_loses_nothing(
    redis: RedisServer,
) -> None:
    async with a_redis_bus(redis.url) as near, the_records(redis) as records:
        for second in range(300):
            near.publish(a_fact(second))
            if second % 50 == 0:
                await asyncio.to_thread(redis.flush)
        await eventually(lambda: len(records.heard) >= 300)
        assert records.seconds == list(range(300))
        assert near.since(records.heard[0].seq) is None


async def test_what_the_records_did_not_commit_is_told_again_after_they_were_killed(
    redis: RedisServer,
) -> None:
    async with a_redis_bus(redis.url) as near:
        async with the_records(redis) as first:
            for second in range(20):
                near.publish(a_fact(second))
            await eventually(lambda: len(first.heard) == 20)
            first.bus.committed(first.heard[9].seq)
            await eventually(lambda: len(near._kept) == 10)
        await asyncio.to_thread(redis.flush)  # nor is it in Redis
        async with the_records(redis) as second_life:
            near.publish(a_fact(20))
            await eventually(lambda: len(second_life.heard) >= 11)
            assert second_life.seconds == list(range(10, 21))
            second_life.commit()
            await asyncio.wait_for(near.all_committed(), 5)
            assert len(near._kept) == 0


async def test_the_records_go_on_behind_what_they_had_although_its_teller_is_gone(
    redis: RedisServer,
) -> None:
    async with the_records(redis) as first:
        async with a_redis_bus(redis.url) as near:
            for second in range(20):
                near.publish(a_fact(second))
            await eventually(lambda: len(first.heard) == 20)
        first.bus.committed(first.heard[11].seq)
        await asyncio.sleep(0.2)
    async with the_records(redis) as second_life:
        await eventually(lambda: len(second_life.heard) >= 8)
        assert second_life.seconds == list(range(12, 20))


async def test_what_did_not_fit_is_one_gap_and_asked_for_again(redis: RedisServer) -> None:
    own: list[Event] = []
    async with a_redis_bus(redis.url, keep=10) as near:
        near.subscribe(lambda envelope: own.append(envelope.event))
        for second in range(25):
            near.publish(a_fact(second))
        async with the_records(redis) as records:

            async def caught_up() -> bool:
                records.commit()
                return isinstance(own[-1], FactsLost)

            await eventually(caught_up)
            await eventually(lambda: len(records.heard) == 12)
            assert records.seconds[:10] == list(range(10))
            gap, lost = (one.event for one in records.heard[10:])
            assert isinstance(gap, GapRecorded)
            assert isinstance(lost, FactsLost)
            assert (gap.began_at, gap.at) == (moment(10), moment(24))
            assert "15 facts did not fit" in gap.reason
            assert lost.began_at == moment(10)
            near.publish(a_fact(99))
            await eventually(lambda: records.seconds[-1] == 99)


async def test_a_reader_that_is_too_slow_asks_for_the_present(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MOST_ENTRIES", 100)
    asked = 0
    presents: list[tuple[PbxId, tuple[Event, ...]]] = []

    async def missed() -> None:
        nonlocal asked
        asked += 1

    async with AsyncExitStack() as stack:
        near = await stack.enter_async_context(a_redis_bus(redis.url))
        near.tells_present(PBX, lambda: (a_tick(7),))
        slow = await stack.enter_async_context(a_redis_bus(redis.url))

        def news(pbx: PbxId, facts: object) -> list[Event]:
            assert isinstance(facts, tuple)
            presents.append((pbx, facts))
            return []

        slow.catches_up(news, missed)
        await eventually(lambda: presents == [(PBX, (a_tick(7),))])
        old = slow.seq
        stopped = slow._session
        assert stopped is not None
        reading, original = asyncio.Event(), stopped.read

        async def held(after: int) -> list[session.Read]:
            await reading.wait()
            return await original(after)

        monkeypatch.setattr(stopped, "read", held)
        await asyncio.sleep(0.3)
        for second in range(1500):
            near.publish(a_fact(second))
        await eventually(lambda: near._places.n > 1400)
        reading.set()
        await eventually(lambda: len(presents) >= 2)
        assert asked >= 2
        assert slow.since(old) is None


async def test_nonsense_in_the_stream_is_passed_over(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Envelope] = []
    async with a_redis_bus(redis.url) as near, a_redis_bus(redis.url) as far:
        far.subscribe(heard.append)
        near.publish(a_fact(0))
        await eventually(lambda: len(heard) == 1)
        [stream] = redis.command("KEYS", "zuoxi:*:events").split()
        for nonsense in (
            "{",
            "[]",
            "null",
            '{"by":1}',
            '{"by":"x","n":1,"from":1,"told":{"type":"os.system"}}',
            '{"by":"x","n":-5,"from":"1","told":{}}',
            '{"by":"x","present":"lab","facts":[{"type":"Tick"}]}',
            '{"by":"x","safe":"all","numbers":{"y":"z"}}',
            '{"by":"x","safe":1,"numbers":{"y":"z"}}',
        ):
            redis.command("XADD", stream, "0-*", "e", nonsense)
        redis.command("XADD", stream, "0-*", "other", "field")
        redis.command("PUBLISH", "zuoxi:0:ask:KnownBoots", "{}")
        redis.command("PUBLISH", f"zuoxi:0:answer:{far.name}", '{"n":1}')
        near.publish(a_fact(1))
        await eventually(lambda: len(heard) == 2)
        assert seconds_of(heard) == [0, 1]
        assert caplog.text.count("nobody of ours wrote") >= 10
        assert far.trouble is None
