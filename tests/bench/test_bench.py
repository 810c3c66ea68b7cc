"""The pieces of the benchmark, not its figures: a ruler must be straight before it measures."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import figures, report
from tests.bench.__main__ import Bench
from tests.bench.centre import agents
from tests.bench.clients import Client
from tests.bench.figures import Figure, Ratio, percentile, spread
from tests.bench.frames import PONG, TEXT, Frames, client_frame, server_frame
from tests.bench.loop import Loop
from tests.bench.old_rows import PIECES, a_year_of_files
from tests.bench.pop import SETTLE_SECONDS, Round, Variant, Zuoxi, matched
from tests.bench.processes import OtherLoad
from tests.bench.raw_relay import Relay
from tests.bench.traffic import MIX, RECORDED_CALLER, Ring, Traffic, story

EPOCH = 1_795_517_878


def test_a_year_is_the_same_in_its_pieces_and_in_one_file(tmp_path: Path) -> None:
    files = a_year_of_files(tmp_path, 3_000, seed=3)
    assert len(files) == PIECES
    assert all(path.stat().st_size for path in files)
    assert "".join(path.read_text("utf-8") for path in files) == (tmp_path / "all").read_text(
        "utf-8"
    )


@given(
    st.lists(st.binary(max_size=300) | st.just(b"x" * 70_000), max_size=5),
    st.integers(min_value=1, max_value=5_000),
)
def test_frames_are_the_same_in_whatever_pieces_they_come(
    payloads: list[bytes], piece: int
) -> None:
    data = b"".join(server_frame(payload) for payload in payloads)
    frames = Frames()
    found = [
        frame for at in range(0, len(data), piece) for frame in frames.feed(data[at : at + piece])
    ]
    assert found == [(TEXT, payload) for payload in payloads]


def test_a_masked_frame_is_not_a_servers() -> None:
    with pytest.raises(ValueError, match="no server of ours"):
        list(Frames().feed(client_frame(TEXT, b"hello")))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_is_a_sample_that_so_many_do_not_exceed(
    samples: list[float], share: float
) -> None:
    found = percentile(samples, share, at_least=1)
    assert found in samples
    assert sum(each <= found for each in samples) >= share * len(samples)
    assert sum(each < found for each in samples) < share * len(samples)


def test_too_few_samples_are_no_percentile() -> None:
    with pytest.raises(ValueError, match="too few"):
        figures.p99([0.1] * 4_999)


def test_a_ratio_is_told_by_its_median_and_range() -> None:
    assert str(Ratio.of([2.0, 9.0, 4.0], [1.0, 1.0, 1.0])) == "4.00 (2.00–9.00)"
    assert spread([1.0, 2.5, 1.5]) == 2.5


@pytest.mark.parametrize(("value", "at_least", "holds"), [(3, False, True), (4, False, False),
                                                          (3, True, False), (4, True, True)])  # fmt: skip
def test_a_floor_is_a_most_or_a_least(value: float, at_least: bool, holds: bool) -> None:
    figure = Figure(
        name="P0", what_en="", what_zh="", value=value, shown="", floor=3.5, at_least=at_least
    )
    assert figure.holds is holds


@pytest.mark.parametrize("name", [name for name, _ in MIX])
def test_nothing_of_the_recorded_call_is_left_in_a_story(name: str) -> None:
    told = story(name)
    text = b"".join(said.blank for said in told.said)
    assert not re.search(rb"lab-\d{10}|PJSIP/\d|Timestamp: \d|MemberName: \d", text)
    assert RECORDED_CALLER not in text
    assert [said.rings for said in told.said if said.rings is not None] == list(range(told.devices))


def test_every_call_has_identities_of_its_own_and_every_ring_another_agent() -> None:
    sent = Traffic(agents(), 1, EPOCH).round(100.0, 2.0, 1_000_000.0)
    callers = re.findall(rb"Event: QueueCallerJoin.*?\r\nUniqueid: (\S+)", b"".join(
        each.data for each in sent), re.DOTALL)  # fmt: skip
    rings = [each.ring for each in sent if each.ring is not None]
    assert len(set(callers)) == len(callers)
    assert {ring.unique_id for ring in rings} == {caller.decode() for caller in callers}
    assert len({ring.agent for ring in rings}) == len(rings)
    assert [each.offset for each in sent] == sorted(each.offset for each in sent)


def test_the_stamp_of_an_event_is_the_moment_at_which_it_is_due() -> None:
    for each in Traffic(agents(), 1, EPOCH).round(100.0, 0.3, 1_000_000.0):
        stamp = re.search(rb"Timestamp: ([\d.]+)", each.data)
        assert stamp
        assert float(stamp[1]) == pytest.approx(1_000_000.0 + each.offset, abs=1e-5)


def test_the_same_seed_makes_the_same_traffic() -> None:
    one, other = (Traffic(agents(), 7, EPOCH).round(50.0, 1.0, 0.0) for _ in range(2))
    assert one == other
    assert one != Traffic(agents(), 8, EPOCH).round(50.0, 1.0, 0.0)


RING = Ring("lab-1.1", 3, None)


@pytest.mark.parametrize(
    ("popped", "wrong"),
    [
        ({("lab-1.1", 3): [0.2]}, []),
        ({}, ["lab-1.1 at agent 3: no pop"]),
        ({("lab-1.1", 3): [0.2, 0.3]}, ["lab-1.1 at agent 3: 2 pops"]),
        (
            {("lab-1.1", 4): [0.2]},
            ["lab-1.1 at agent 3: no pop", "a pop that nobody rang: ('lab-1.1', 4)"],
        ),
    ],
    ids=["once", "lost", "twice", "at another agent"],
)
def test_a_pop_comes_exactly_once_to_the_right_agent(
    popped: dict[tuple[str, int], list[float]], wrong: list[str]
) -> None:
    done = Round()
    matched([(RING, 0.1)], popped, lambda ring: ring.unique_id, done)
    assert done.wrong == wrong
    assert done.latencies == ([] if wrong else [pytest.approx(0.1)])


@pytest.mark.parametrize(
    ("types", "right"),
    [
        (["offered", "answered", "ended"], True),
        (["offered", "withdrawn", "answered", "ended"], True),
        (["answered", "ended"], False),
        (["offered", "ended", "answered"], False),
        (["offered", "offered"], False),
    ],
)
def test_what_is_told_of_a_call_comes_in_its_order(types: list[str], right: bool) -> None:
    done, seen = Round(), dict[str, int]()
    for kind in types:
        Zuoxi._in_order({"type": f"call.{kind}", "call": {"call_id": "c"}}, seen, 3, done)
    assert (not done.wrong) is right


class _Kept:
    """What was written to a socket."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def test_the_relay_writes_a_frame_of_the_wanted_size_however_the_bytes_come() -> None:
    sent = Traffic(agents(), 1, EPOCH).round(100.0, 0.5, 0.0)
    data = b"".join(each.data for each in sent)
    relay, socket = Relay(size=900, sleep=0.0, drop_every=0), _Kept()
    relay.sockets = dict.fromkeys((agent.extension for agent in agents()), socket)  # type: ignore[arg-type]
    for at in range(0, len(data), 777):
        relay.data_received(data[at : at + 777])
    frames = list(Frames().feed(socket.data))
    assert len(frames) == sum(each.ring is not None for each in sent)
    assert {len(payload) for _, payload in frames} == {900}


def test_the_loop_returns_at_its_appointment() -> None:
    import time

    due = time.perf_counter() + 0.02
    Loop().turn(due)
    assert time.perf_counter() >= due


def test_a_client_answers_pings_whether_or_not_it_is_measured() -> None:
    loop, server = Loop(), socket.create_server(("127.0.0.1", 0))
    client = Client(loop, server.getsockname()[1], "/", "")
    other, _ = server.accept()
    other.settimeout(5)
    other.recv(65536)  # the handshake
    other.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    loop.wait("the handshake", lambda: client.is_open, 5)
    other.sendall(b"\x89\x02hi" + server_frame(b"first") + b"\x89\x03you")
    loop.wait("the frames", lambda: bool(client.pieces), 5)
    client.answer_pings()
    assert other.recv(65536) == client_frame(PONG, b"hi") + client_frame(PONG, b"you")
    assert [payload for _, payload in client.frames()] == [b"first"]
    assert client.frames() == []
    for each in (other, server, client):
        each.close()


class Sleeper(Variant):
    """A variant whose rounds take no time but on the clock that it shares with the other."""

    clock = 0.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.child = self.pbx = self.loop = cast("Any", None)
        self.clients = []
        self.awake_at = Sleeper.clock
        self.longest_sleep = 0.0

    def wake(self) -> None:
        self.longest_sleep = max(self.longest_sleep, Sleeper.clock - self.awake_at)
        Sleeper.clock += 0.5

    def play(self, traffic: Traffic, seconds: float, load: OtherLoad) -> Round:
        Sleeper.clock += 0.5 + seconds + SETTLE_SECONDS
        return Round([0.1] * 1_000, [0.1] * 5_000, wrong=["no figures, please"], calls=1)

    def fall_asleep(self) -> None:
        Sleeper.clock += 1.5  # about what the link's next ping takes
        self.awake_at = Sleeper.clock


def test_no_variant_sleeps_so_long_that_its_sockets_are_cut(tmp_path: Path) -> None:
    """uvicorn cuts who has not answered a ping for 20 s, its own sleep included."""
    ours, raw = Sleeper("ours"), Sleeper("raw")
    traffic = Traffic(agents(), 1, EPOCH)
    Bench(tmp_path)._rounds(ours, traffic, raw, traffic)
    assert 10 < ours.longest_sleep < 18
    assert 10 < raw.longest_sleep < 18


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    figure = Figure(name="P1", what_en="pop", what_zh="弹屏", value=2, shown="2×", floor=3.5)
    for name in ("README.md", "README.zh-CN.md"):
        (tmp_path / name).write_text(
            f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8"
        )
    report.write([figure], tmp_path)
    english = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert english.startswith(f"before\n{report.BEGIN}\n| what |")
    assert english.endswith(f"{report.END}\nafter\n")
    assert "old" not in english
    assert "| pop | 2× | ≤ 3.5 |" in english
    assert "| 弹屏 | 2× | ≤ 3.5 |" in (tmp_path / "README.zh-CN.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="missing"):
        report.between("no marks", "x")
