"""`/metrics`: read by Prometheus' own parser, and equal to what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent_ui.operations import metrics
from agent_ui.operations.metrics import text_of
from crm_core import VERSION
from crm_core.commands import HowLink, LinkStands
from crm_core.durations import Durations
from crm_core.events import GapRecorded, LinkState, Outcome, PassClosed
from crm_core.ids import PbxId
from crm_core.live_board.board import LiveBoard, LiveQueue
from tests.agent_ui.operations.samples import a_picture
from tests.agent_ui.world import DIGITS, NUMBER, PBX, RAW, World

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def read(world: World) -> Samples:
    response = await world.browser().get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return samples_of(response.text)


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


async def test_a_call_is_counted_from_its_ring_to_its_end(world: World) -> None:
    desk = await world.at_desk("limin", "8001")
    socket = await world.listen(desk, query="?page=desk")
    await socket.frame("snapshot")
    call, _ = world.caller_queues()
    ring = world.a_call_rings()
    await socket.frame("call.offered")
    found = await read(world)
    assert value(found, "zuoxi_calls_started_total", pbx="main", direction="inbound") == 2
    assert value(found, "zuoxi_waiting_calls", pbx="main", queue="support") == 2
    assert value(found, "zuoxi_live_calls", pbx="main") == 2
    assert value(found, "zuoxi_agents", pbx="main", state="ringing") == 1
    assert value(found, "zuoxi_sockets", page="desk") == 1
    assert value(found, "zuoxi_sockets", page="live") == 0
    assert value(found, "zuoxi_pop_write_seconds_count") == 1
    assert 0 < value(found, "zuoxi_pop_write_seconds_sum") < 5
    assert value(found, "zuoxi_pop_write_seconds_bucket", le="+Inf") == 1

    world.answers(ring)
    world.hangs_up(ring)
    world.ends(call)
    await world.recorded()
    found = await read(world)
    assert value(found, "zuoxi_calls_ended_total", pbx="main", seen="true") == 2
    assert value(found, "zuoxi_live_calls", pbx="main") == 0
    assert value(found, "zuoxi_waiting_calls", pbx="main", queue="support") == 0
    assert value(found, "zuoxi_recorder_waiting_events") == 0
    assert value(found, "zuoxi_recorder_commit_seconds_count") >= 1


async def test_links_and_outcomes_and_gaps_are_counted(world: World) -> None:
    ring = world.a_call_rings()
    now = datetime.now(UTC)
    for outcome in (Outcome.ABANDONED, Outcome.ABANDONED, Outcome.ANSWERED):
        closed = PassClosed(
            at=now,
            pbx=PBX,
            call=ring.call,
            queue_pass=ring.queue_pass,
            outcome=outcome,
            wait_seconds=3,
        )
        world.bus.publish(closed)
    began = now - timedelta(seconds=42)
    world.bus.publish(GapRecorded(at=now, pbx=PBX, began_at=began, boot_changed=False))

    async def stands(_: HowLink) -> LinkStands:
        return LinkStands(read=5, ignored=4, quarantined=3, mended=2, failures=1)

    world.bus.answer(HowLink, stands)
    world.link(LinkState.DOWN)
    found = await read(world)
    assert value(found, "zuoxi_queue_passes_total", pbx="main", outcome="abandoned") == 2
    assert value(found, "zuoxi_queue_passes_total", pbx="main", outcome="answered") == 1
    assert value(found, "zuoxi_gaps_total", pbx="main") == 1
    assert value(found, "zuoxi_gap_seconds_total", pbx="main") == 42
    assert [
        value(found, "zuoxi_ami_events_total", pbx="main", result=result)
        for result in ("read", "ignored", "quarantined", "mended", "failed")
    ] == [5, 4, 3, 2, 1]
    assert [
        value(found, "zuoxi_link_state", pbx="main", state=state)
        for state in ("up", "down", "refused")
    ] == [0, 1, 0]


async def test_the_process_and_its_version_are_there(world: World) -> None:
    found = await read(world)
    assert value(found, "process_resident_memory_bytes") > 1e6
    assert value(found, "process_cpu_seconds_total") > 0
    [build] = [dict(labels) for name, labels in found if name == "zuoxi_build_info"]
    assert build["version"] == VERSION


async def test_parts_that_do_not_answer_are_left_out(world: World) -> None:
    found = await read(world)  # no telephony here
    assert not [name for name, _ in found if name == "zuoxi_ami_events_total"]
    assert value(found, "zuoxi_lease_held") == 1


async def test_no_label_holds_what_belongs_to_a_person(world: World) -> None:
    await world.at_desk("limin", "8001")
    ring = world.a_call_rings(name="张三")
    world.answers(ring)
    text = (await world.browser().get("/metrics")).text
    assert "zuoxi_agents" in text
    for private in (NUMBER, RAW, DIGITS, "张三", "李敏", "limin", "1001", "8001", ring.call):
        assert f'"{private}"' not in text
    labels = {name for _, labels in samples_of(text) for name, _ in labels}
    assert labels == {
        *("pbx", "direction", "seen", "outcome", "command", "state", "queue", "page", "le"),
        *("version", "python", "generation"),
    } - {"seen", "outcome", "command"}


def test_a_foreign_pbx_with_many_queues_does_not_make_as_many_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "MOST_QUEUES", 3)
    board = LiveBoard()
    for number in range(10):
        queue = LiveQueue(pbx=PbxId("main"), name=f"q{number}")
        board.queues[queue.pbx, queue.name] = queue
    found = samples_of(text_of(a_picture(board)).decode())
    queues = {dict(labels)["queue"] for name, labels in found if name == "zuoxi_waiting_calls"}
    assert queues == {"q0", "q1", "q2", "(others)"}


def test_a_histogram_counts_what_is_no_longer_than_each_bound() -> None:
    pops = Durations((0.001, 0.01))
    for seconds in (0.0005, 0.001, 0.002, 0.5):
        pops.add(seconds)
    picture = replace(a_picture(LiveBoard()), pops=pops)
    found = samples_of(text_of(picture).decode())
    buckets = {le: value(found, "zuoxi_pop_write_seconds_bucket", le=le) for le in BOUNDS}
    assert buckets == {"0.001": 2, "0.01": 3, "+Inf": 4}
    assert value(found, "zuoxi_pop_write_seconds_count") == pops.count == 4


BOUNDS = ("0.001", "0.01", "+Inf")
