"""The call bar's commands: whose call, which leg, where to; and what the receiver reads before answering."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crm_core.commands import (
    CompleteTransfer,
    ConsultCall,
    EndConsultation,
    HoldCall,
    ResumeCall,
    Target,
    TargetKind,
    TransferCall,
)
from crm_core.events import AgentState
from tests.agent_ui.world import DIGITS, Browser, Ringing, World
from tests.harness import eventually

ZHAO = {"kind": "seat", "exten": "8002"}


async def a_talk(world: World) -> tuple[Browser, Ringing]:
    """李敏 talks with 张三."""
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    await world.recorded()
    return browser, ring


async def bar(browser: Browser) -> str:
    found = re.search(
        r'<section id="call-bar".*?</section>', (await browser.get("/desk")).text, re.S
    )
    assert found is not None
    return found[0]


def state_of(world: World, agent: str = "1001") -> AgentState:
    return next(a.state for a in world.board.agents.values() if a.agent_number == agent)


async def test_hold_and_take_back_are_of_the_own_leg_and_shown_when_told(world: World) -> None:
    browser, ring = await a_talk(world)
    assert f"/calls/{ring.call}/hold" in await bar(browser)
    assert (await browser.post(f"/calls/{ring.call}/hold")).status_code == 204
    assert world.acted == [
        HoldCall(pbx=ring_pbx(world), call=ring.call, leg=f"{ring.queue_pass.unique_id}9")
    ]
    assert state_of(world) is AgentState.ON_HOLD
    shown = await bar(browser)
    assert f"/calls/{ring.call}/resume" in shown
    assert "is-on_hold" in shown
    assert (await browser.post(f"/calls/{ring.call}/resume")).status_code == 204
    assert isinstance(world.acted[-1], ResumeCall)
    assert state_of(world) is AgentState.TALKING


def ring_pbx(world: World) -> Any:
    return next(iter(world.board.calls.values())).pbx


async def test_only_the_own_conversation_can_be_held_or_sent(world: World) -> None:
    _, ring = await a_talk(world)
    other = await world.at_desk("zhaolei", "8002")
    for act in ("hold", "resume", "transfer", "complete", "back"):
        answer = await other.post(f"/calls/{ring.call}/{act}", ZHAO)
        assert answer.status_code == 404, act
    ringing = world.a_call_rings("8002", "1002", caller="013900000000")
    assert (await other.post(f"/calls/{ringing.call}/hold")).status_code == 404
    assert world.acted == []


async def test_a_refusal_is_a_sentence(world: World) -> None:
    browser, ring = await a_talk(world)
    world.refuses = "This call has ended, or your phone is not in it any more."
    answer = await browser.post(
        f"/calls/{ring.call}/hold", headers={"accept": "application/problem+json"}
    )
    assert answer.status_code == 409
    assert answer.json()["detail"] == "通话已结束，或话机已不在通话中。"


@pytest.mark.parametrize(
    ("form", "target"),
    [
        (ZHAO, Target(kind=TargetKind.SEAT, exten="8002")),
        (
            {"kind": "queue", "exten": "members"},
            Target(kind=TargetKind.QUEUE, exten="members"),
        ),
        (
            {"kind": "number", "exten": "139-1111-0000"},
            Target(kind=TargetKind.NUMBER, exten="13911110000"),
        ),
    ],
)
async def test_a_call_goes_to_a_colleague_a_queue_or_outside(
    world: World, form: dict[str, str], target: Target
) -> None:
    browser, ring = await a_talk(world)
    assert (await browser.post(f"/calls/{ring.call}/transfer", form)).status_code == 204
    (command,) = world.acted
    assert isinstance(command, TransferCall)
    assert command.to == target


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"kind": "seat", "exten": "7777"},
        {"kind": "seat", "exten": "8001"},
        {"kind": "queue", "exten": "no-such"},
        {"kind": "queue", "exten": "support\r\nAction: x"},
        {"kind": "context", "exten": "8002"},
    ],
)
async def test_nothing_is_sent_to_a_target_that_is_none(world: World, form: dict[str, str]) -> None:
    browser, ring = await a_talk(world)
    assert (await browser.post(f"/calls/{ring.call}/transfer", form)).status_code == 409
    assert world.acted == []


async def test_the_same_transfer_sent_twice_is_asked_once(world: World) -> None:
    browser, ring = await a_talk(world)
    key = {"idempotency-key": "one-wish"}
    assert (await browser.post(f"/calls/{ring.call}/hold", headers=key)).status_code == 204
    assert (await browser.post(f"/calls/{ring.call}/hold", headers=key)).status_code == 204
    assert len(world.acted) == 1


async def test_a_consultation_is_completed_or_comes_back(world: World) -> None:
    browser, ring = await a_talk(world)
    path = f"/calls/{ring.call}"
    refused = await browser.post(f"{path}/complete")
    assert refused.status_code == 409  # nobody is consulted: it would only hang up
    assert (await browser.post(f"{path}/transfer", {**ZHAO, "consult": "1"})).status_code == 204
    (asked,) = world.acted
    assert isinstance(asked, ConsultCall)
    assert not asked.held
    shown = await bar(browser)
    assert f"{path}/complete" in shown
    assert "正在咨询 8002" in shown
    assert "data-transfer" not in shown
    assert (await browser.post(f"{path}/transfer", ZHAO)).status_code == 409
    assert (await browser.post(f"{path}/back")).status_code == 204
    assert isinstance(world.acted[-1], EndConsultation)
    assert f"{path}/hold" in await bar(browser)
    await browser.post(f"{path}/hold")
    await browser.post(f"{path}/transfer", {**ZHAO, "consult": "1"})
    assert isinstance(world.acted[-1], ConsultCall)
    assert world.acted[-1].held
    assert (await browser.post(f"{path}/complete")).status_code == 204
    assert isinstance(world.acted[-1], CompleteTransfer)
    assert "hidden" in await bar(browser)


async def test_the_list_has_who_is_ready_first_then_queues_then_empty_seats(world: World) -> None:
    browser, _ = await a_talk(world)
    other = await world.at_desk("zhaolei", "8002")
    page = (await browser.get("/desk/targets")).text
    found = re.findall(r'data-kind="(\w+)"\s+data-exten="([\w-]+)"', page)
    assert found == [("seat", "8002"), ("queue", "members"), ("queue", "support"), ("seat", "8003")]
    assert "空闲" in page
    assert DIGITS not in page
    mine = (await other.get("/desk/targets")).text
    assert "通话中" in mine
    nobody = await world.signed_in("sunli")
    assert (await nobody.get("/desk/targets")).status_code == 404


async def test_who_is_sent_the_call_reads_who_sends_it_and_the_note_before_answering(
    world: World,
) -> None:
    browser, ring = await a_talk(world)
    colleague = await world.at_desk("zhaolei", "8002")
    note = {"note": "空调不制冷，已重启两次", "revision": "1"}
    assert (await browser.post(f"/calls/{ring.call}/note", note)).status_code == 204
    await browser.post(f"/calls/{ring.call}/transfer", {**ZHAO, "consult": "1"})
    world.rings(ring.call, ring.queue_pass, "8002", "1002", attempt=2)
    await world.settled()
    page = (await colleague.get("/desk")).text
    pop = page[page.index('class="screen-pop-handed"') :]
    assert "李敏 就这位客户来咨询" in pop
    assert "空调不制冷，已重启两次" in pop
    assert "张三" in page
    # The own pop never says that of the own call.
    assert "screen-pop-handed" not in (await browser.get("/desk")).text
    socket = await world.listen(colleague, query="?page=desk")
    await socket.frame("region", id="screen-pops")
    newer = {"note": "改约明天上午", "revision": "2"}
    await browser.post(f"/calls/{ring.call}/note", newer)

    def is_shown() -> bool:
        pops = [frame for frame in socket.of("region") if frame["id"] == "screen-pops"]
        return "改约明天上午" in pops[-1]["html"]

    await eventually(is_shown)
