"""Calls are recorded by the rule of their queue, and every recording is its own call's.

Callers say their number as DTMF tones, phones say their extension: left and right of each file must
be what the call's row says. One real Asterisk, one product, voices by `tests.lab.voice`.
"""

from __future__ import annotations

import array
import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
import pytest
import yaml

from tests.harness import Product, a_product, eventually, wait_until
from tests.journeys.centre import PASSWORD, extension_of, number_of, sign_in
from tests.lab.ami import Session
from tests.lab.asterisk import Laboratory
from tests.lab.tones import DIGITS, RATE, dialled, digits_in, power, tone
from tests.lab.voice import VoiceCall, VoicePhone, call, voice_phones

pytestmark = pytest.mark.asterisk

SEATS, LISTENING = 10, 10
"""Ten agents on the phones of group 0; the supervisor's phone is the first of group 1."""
CALLS = int(os.environ.get("ZUOXI_RECORDED_CALLS", "24"))
AT_ONCE, TIMES = 10, 2 if CALLS < 100 else 3
RULES: dict[str, dict[str, str]] = {
    "always": {"recording": "always"},
    "told": {"recording": "announced", "announcement": "beep"},
    "untold": {"recording": "announced", "announcement": "no-such-sound"},
    "quiet": {"recording": "never"},
    "a-b_c": {"recording": "always"},
}
HOTLINES = {queue: str(4001 + place) for place, queue in enumerate(RULES)}


def a_setup(lab: Laboratory) -> str:
    return yaml.safe_dump(
        {
            "pbx": "lab",
            "projects": [{"name": "售后", "default": True, "keep_recordings_days": 30}],
            "queues": [
                {"name": queue, "wrap_up_seconds": 0, **rule} for queue, rule in RULES.items()
            ],
            "recording": [{"direction": "internal", "recording": "always"}],
            "hotlines": [
                {"number": number, "name": queue, "queue": queue}
                for queue, number in HOTLINES.items()
            ],
            "seats": [
                {
                    "extension": extension_of(place),
                    "contact": f"sip:{extension_of(place)}@127.0.0.1:{lab.ports.phones[place // 10]}",
                }
                for place in (*range(SEATS), LISTENING)
            ],
            "teams": [{"name": "一班"}],
            "people": [
                {
                    "name": f"agent{place}",
                    "agent_number": number_of(place),
                    "roles": ["agent"],
                    "team": "一班",
                    "queues": list(RULES),
                    "password": PASSWORD,
                }
                for place in range(SEATS)
            ]
            + [
                {
                    "name": "boss",
                    "roles": ["supervisor"],
                    "team": "一班",
                    "extension": extension_of(LISTENING),
                    "password": PASSWORD,
                }
            ],
        },
        allow_unicode=True,
    )


@dataclass
class Floor:
    lab: Laboratory
    product: Product

    def rows(self, query: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.product.folder / "zuoxi.db")) as database:
            database.row_factory = sqlite3.Row
            return database.execute(query, values).fetchall()

    def of_number(self, number: str) -> list[Any]:
        """Recordings of the calls of this caller, with what their calls say."""
        return self.rows(
            "SELECT recordings.*, calls.interface, calls.caller_number_raw FROM recordings"
            " JOIN calls ON calls.call_id = recordings.call_id WHERE caller_number_raw = ?"
            " ORDER BY recordings.started_at, recordings.file",
            number,
        )

    def call_is_over(self, number: str) -> bool:
        found = self.rows(
            "SELECT 1 FROM calls WHERE caller_number_raw = ? AND ended_at IS NOT NULL", number
        )
        return bool(found)

    async def complete(self, number: str, count: int = 1) -> list[Any]:
        """The recordings of this caller's call, once all are whole."""

        def all_there() -> bool:
            found = self.of_number(number)
            return [row["state"] for row in found] == ["complete"] * count

        await eventually(all_there, 20)
        return self.of_number(number)

    def sides(self, row: Any) -> tuple[list[int], list[int]]:
        """Samples of the left and the right."""
        samples = array.array("h", (self.lab.recordings / row["file"]).read_bytes())
        return samples[0::2].tolist(), samples[1::2].tolist()


@pytest.fixture(scope="module")
def floor(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        environ = {"ZUOXI_PBX_URLS": lab.url, "ZUOXI_ASTERISK_CONF": str(lab.generated)}
        product = stack.enter_context(a_product(tmp_path_factory.mktemp("product"), environ))
        product.folder.mkdir(parents=True, exist_ok=True)
        (product.folder / "centre.yaml").write_text(a_setup(lab), encoding="utf-8")
        product.zuoxi("import", "setup", "centre.yaml")
        product.start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda place: sign_in(product, place), range(SEATS)))
        wait_until(
            "everybody is in the queues",
            lambda: lab.rx("queue show").count("PJSIP/") == SEATS * len(RULES),
            30,
        )
        yield Floor(lab, product)


@pytest.fixture
async def phones(floor: Floor) -> AsyncIterator[VoicePhone]:
    async with voice_phones(floor.lab, lambda seat: dialled(seat) + [0] * RATE) as phone:
        yield phone


@asynccontextmanager
async def a_talk(floor: Floor, queue: str, number: str, times: int = 1) -> AsyncIterator[VoiceCall]:
    """Answered, and going on; the caller hangs up at the end."""
    # Whoever was answered speaks a moment later: the two are being connected.
    say = [0] * (RATE // 2) + (dialled(number) + [0] * 2000) * times
    talk = await call(floor.lab, HOTLINES[queue], number, say)
    try:
        yield talk
    finally:
        await talk.hang_up()


async def _says_its_number(floor: Floor, queue: str, number: str, turn: asyncio.Semaphore) -> None:
    async with turn, a_talk(floor, queue, number, times=TIMES) as talk:
        await talk.voice.spoken()
        await asyncio.sleep(0.5)


def wrong_in(floor: Floor, row: Any) -> str | None:
    """What the sound says that the row does not."""
    left, right = floor.sides(row)
    number, seat = digits_in(left), digits_in(right)
    said, rung = row["caller_number_raw"], row["interface"].removeprefix("PJSIP/")
    # Both say it more than once: of a machine that is busy Asterisk's recorder gets sound with holes.
    if said not in number or rung not in seat:
        return f"{row['file']}: heard {number} and {seat}, the call is {said} at {rung}"
    return None


def more_than(count: int, things: Sequence[object]) -> bool:
    return len(things) > count


async def test_the_tones_in_each_recording_are_those_of_its_call(
    floor: Floor, phones: VoicePhone
) -> None:
    turn = asyncio.Semaphore(AT_ONCE)
    numbers = [f"139{place * 7919 % 10**8:08}" for place in range(CALLS)]
    queues: Sequence[str] = ("always", "a-b_c")
    await asyncio.gather(
        *(
            _says_its_number(floor, queues[place % 2], number, turn)
            for place, number in enumerate(numbers)
        )
    )
    found = [(await floor.complete(number))[0] for number in numbers]
    wrong = [said for row in found if (said := await asyncio.to_thread(wrong_in, floor, row))]
    assert not wrong, "\n".join(wrong)
    assert len({row["file"] for row in found}) == CALLS
    assert {row["channels"] for row in found} == {2}
    assert all(2 <= row["seconds"] <= 20 for row in found)
    print(f"{CALLS} recorded calls, 0 with another's tones")  # noqa: T201


async def test_who_was_told_is_recorded_and_who_could_not_be_told_is_not(
    floor: Floor, phones: VoicePhone
) -> None:
    for queue, number in (
        ("told", "13700000001"),
        ("untold", "13700000002"),
        ("quiet", "13700000003"),
    ):
        async with a_talk(floor, queue, number):
            await eventually(lambda: any(v.heard for _, v in phones.answered))
            await asyncio.sleep(0.5)
    await floor.complete("13700000001")
    for number in ("13700000002", "13700000003"):
        await eventually(partial(floor.call_is_over, number))
        assert floor.of_number(number) == []


async def test_a_caller_who_gives_up_leaves_no_recording(floor: Floor) -> None:
    number = "13700000004"
    # Nobody's phone is there: it rings nowhere, and the caller waits.
    waiting = asyncio.create_task(call(floor.lab, HOTLINES["always"], number))
    await eventually(lambda: floor.of_number(number))
    for line in floor.lab.rx("core show channels concise").splitlines():
        if "zuoxi-trunk" in line:
            floor.lab.rx(f"channel request hangup {line.split('!')[0]}")
    with pytest.raises(RuntimeError, match="refused"):
        await waiting
    await eventually(lambda: floor.call_is_over(number) and not floor.of_number(number), 20)


async def test_a_call_that_is_moved_keeps_its_recordings(floor: Floor, phones: VoicePhone) -> None:
    number = "13700000005"
    async with a_talk(floor, "always", number) as talk:
        await talk.voice.spoken()
        with Session(floor.lab) as control:
            channel = next(
                line.split("!")[0]
                for line in floor.lab.rx("core show channels concise").splitlines()
                if "zuoxi-trunk" in line
            )
            for context, exten in (("zuoxi-seats", "8002"), ("zuoxi-hotlines", HOTLINES["told"])):
                before = len(phones.answered)
                control.act("Redirect", Channel=channel, Context=context, Exten=exten, Priority="1")
                await eventually(partial(more_than, before, phones.answered))
                await asyncio.sleep(1.5)
    # One file a talker: the queue's rule goes with the caller to the seat.
    found = await floor.complete(number, 3)
    assert len({row["call_id"] for row in found}) == 1
    sides = [floor.sides(row) for row in found]
    assert digits_in(sides[0][0]) == number
    # A busy machine loses a digit now and then; of the second one the whole number is heard.
    assert [digits_in(right)[:2] for _, right in sides] == ["80"] * 3
    assert "8002" in digits_in(sides[1][1])
    assert [row["file"].rpartition("-")[2] for row in found] == ["1.raw", "2.raw", "3.raw"]


FOREIGN = """
[zuoxi-hotlines](+)
exten => 4999,1,MixMonitor(2026/11/24/in-${CALLERID(num)}-${UNIQUEID}.wav,b)
 same => n,Queue(quiet,t)
"""
"""As the dialplan of somebody else's making records: mixed, and named by the caller's number."""


async def test_a_foreign_dialplan_s_recordings_find_their_calls_by_the_channel_s_variable(
    floor: Floor, phones: VoicePhone
) -> None:
    site = floor.lab.folder / "etc/asterisk/zuoxi-site/zuoxi-globals.conf"
    site.write_text(site.read_text() + FOREIGN)
    floor.lab.rx("dialplan reload")
    numbers = ("13700000008", "13700000009")
    for number in numbers:
        if number == numbers[1]:  # it began while nobody listened, and goes on when somebody does
            floor.product.kill9()
        talk = await call(floor.lab, "4999", number, dialled(number))
        if number == numbers[1]:
            await asyncio.to_thread(floor.product.start)
            await eventually(lambda: floor.of_number(numbers[1]), 20)
        await talk.voice.spoken()
        await talk.hang_up()
    for number in numbers:
        (row,) = await floor.complete(number)
        assert row["file"].startswith(f"2026/11/24/in-{number}-")
        assert row["channels"] == 1
        assert row["unique_id"] in row["file"]


class Supervisor:
    """The browser of `boss`, without a window."""

    def __init__(self, product: Product) -> None:
        self.client = httpx2.Client(
            base_url=product.url, headers={"Origin": product.url}, timeout=20
        )
        answer = self.client.post("/sign-in", data={"name": "boss", "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        # Browsers send a Secure cookie to http on loopback; this client does not.
        self.client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]

    def listens(self, agent_number: str) -> tuple[str, httpx2.Response]:
        """Presses the button of this agent's tile, twice; (call, the second answer)."""
        page = self.client.get("/live").text
        tile = page[page.index(f'data-agent="{agent_number}"') :].partition("</li>")[0]
        action = re.search(r'action="(/calls/(\w+)/listen)"', tile)
        user = re.search(r'name="agent" value="(\d+)"', tile)
        token = re.search(r'name="csrf-token" content="([^"]*)"', page)
        assert action is not None, tile
        assert user is not None
        assert token is not None
        form = {"agent": user[1], "csrf_token": token[1]}
        for _ in range(2):
            answer = self.client.post(
                action[1], data=form, headers={"Idempotency-Key": "one-press"}
            )
        self.client.close()
        return action[2], answer


async def test_a_supervisor_hears_both_sides_at_the_own_phone_and_is_heard_by_nobody(
    floor: Floor, phones: VoicePhone
) -> None:
    number, whistle, own = "13700000007", 1000, 2600
    supervisor = await asyncio.to_thread(Supervisor, floor.product)
    async with voice_phones(floor.lab, lambda seat: tone([own], 0.5), group=1) as boss:
        talk = await call(floor.lab, HOTLINES["quiet"], number, tone([whistle], 0.2), again=True)
        await eventually(lambda: phones.answered)
        seat, at_the_agent = phones.answered[-1]
        await eventually(
            lambda: floor.rows(
                "SELECT 1 FROM calls WHERE agent_number IS NOT NULL AND caller_number_raw = ?",
                number,
            )
        )
        before = floor.rows("SELECT count(*) AS calls, max(started_at) AS last FROM calls")
        agent_number = number_of(int(seat) - 8001)
        call_id, answer = await asyncio.to_thread(supervisor.listens, agent_number)
        assert answer.status_code == 204, answer.text
        await eventually(lambda: boss.answered)
        await asyncio.sleep(3)
        live = floor.lab.rx("core show channels concise")
        assert len([line for line in live.splitlines() if "ChanSpy" in line]) == 1
        assert len(boss.answered) == 1
        heard = boss.answered[0][1].samples
        # Both sides, mixed: the caller's tone, and the agent's digits through it.
        assert power(heard[8000:], whistle) > 1_000_000
        assert power(heard[8000:], DIGITS[seat[-1]][0]) > 10_000
        for whose, voice in (("caller", talk.voice), ("agent", at_the_agent)):
            assert power(voice.samples[-16_000:], own) < 100, whose
        await talk.hang_up()
        await eventually(lambda: "ChanSpy" not in floor.lab.rx("core show channels concise"))
    await eventually(lambda: floor.call_is_over(number))
    # Nobody's call: no row, no pass, no ring more than there was.
    assert floor.rows("SELECT count(*) AS calls, max(started_at) AS last FROM calls") == before
    rung = floor.rows("SELECT interface FROM offer_attempts WHERE call_id = ?", call_id)
    assert [row["interface"] for row in rung] == [f"PJSIP/{seat}"]
    legs = floor.rows("SELECT unique_id FROM legs WHERE unique_id LIKE 'zx-listen%'")
    assert legs == []
    (entry,) = floor.rows("SELECT * FROM audit_entries WHERE act = 'call.listen'")
    assert (entry["actor"], entry["subject"]) == ("boss", call_id)
    assert agent_number in entry["detail"]


async def test_what_was_recorded_while_the_product_was_dead_is_found_by_its_channel(
    floor: Floor, phones: VoicePhone
) -> None:
    number = "13700000006"
    async with a_talk(floor, "quiet", number):
        with Session(floor.lab) as control:
            channel = next(
                line.split("!")[0]
                for line in floor.lab.rx("core show channels concise").splitlines()
                if "zuoxi-trunk" in line
            )
            await eventually(
                lambda: floor.rows("SELECT 1 FROM calls WHERE caller_number_raw = ?", number)
            )
            floor.product.kill9()
            before = len(phones.answered)
            control.act(
                "Redirect",
                Channel=channel,
                Context="zuoxi-hotlines",
                Exten=HOTLINES["always"],
                Priority="1",
            )
            await eventually(lambda: len(phones.answered) > before)
            await asyncio.sleep(1.5)
    stray = floor.lab.recordings / "zuoxi" / "20260101" / "lab-1.1-1.raw"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(bytes(32_000))
    await asyncio.to_thread(floor.product.start)
    (row,) = await floor.complete(number)
    assert digits_in(floor.sides(row)[1]).startswith("80")
    await eventually(
        lambda: floor.rows(
            "SELECT 1 FROM recordings WHERE file LIKE '%lab-1.1-1.raw' AND call_id IS NULL"
        )
    )
