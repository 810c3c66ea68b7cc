"""The drawn phone: on the desk where the PBX is the demonstration, and nowhere else."""

from __future__ import annotations

import pytest

from crm_core.commands import Done, LiftPhone, PutDownPhone
from crm_core.events import LinkState
from crm_core.ids import PbxId
from crm_core.settings import Settings
from tests.agent_ui.test_matrix import (
    test_every_door_opens_for_whom_it_should_and_for_nobody_else as every_door,
)
from tests.agent_ui.world import PBX, World

LIFT, PUT_DOWN = "/demo/phone/lift", "/demo/phone/put-down"


class Demonstration(Settings):
    """As if the test's PBX were the demonstration."""

    @property
    def demo_pbxs(self) -> frozenset[PbxId]:
        return frozenset({PBX})


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return Demonstration(**settings.model_dump())


@pytest.fixture
def moved(world: World) -> list[LiftPhone | PutDownPhone]:
    """What the demonstration was asked; it does everything but for the seat 8002."""
    asked: list[LiftPhone | PutDownPhone] = []

    async def move(command: LiftPhone | PutDownPhone) -> Done:
        asked.append(command)
        return Done(refused="no" if command.interface == "PJSIP/8002" else None)

    world.bus.answer(LiftPhone, move)
    world.bus.answer(PutDownPhone, move)
    return asked


async def test_lifting_and_putting_down_move_the_own_handset(
    world: World, moved: list[LiftPhone | PutDownPhone]
) -> None:
    browser = await world.at_desk("limin", "8001")
    assert (await browser.post(LIFT)).status_code == 204
    assert (await browser.post(PUT_DOWN)).status_code == 204
    assert moved == [
        LiftPhone(pbx=PBX, interface="PJSIP/8001"),
        PutDownPhone(pbx=PBX, interface="PJSIP/8001"),
    ]


async def test_a_phone_that_does_not_ring_is_not_lifted_and_says_so(
    world: World, moved: list[LiftPhone | PutDownPhone]
) -> None:
    browser = await world.at_desk("zhaolei", "8002")
    for path, sentence in ((LIFT, "话机没有振铃。"), (PUT_DOWN, "话机上没有通话。")):
        refused = await browser.post(path, headers={"accept": "application/json"})
        assert refused.status_code == 409
        assert sentence in refused.text


async def test_a_forged_request_lifts_nothing(
    world: World, moved: list[LiftPhone | PutDownPhone]
) -> None:
    browser = await world.at_desk("limin", "8001")
    for path in (LIFT, PUT_DOWN):
        browser.csrf = "forged"
        assert (await browser.post(path)).status_code == 403
    assert moved == []


async def test_who_has_no_seat_has_no_phone(world: World) -> None:
    browser = await world.signed_in("limin")
    for path in (LIFT, PUT_DOWN):
        assert (await browser.post(path)).status_code == 404


async def test_a_demonstration_that_is_away_is_told(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    assert (await browser.post(LIFT)).status_code == 503


async def test_doors_of_the_phone_open_for_whom_they_should(world: World) -> None:
    await every_door(world)


async def test_the_drawn_phone_rings_and_talks_with_the_call(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    desk = (await browser.get("/desk")).text
    assert 'id="demo-phone"' in desk
    assert "已挂好" in desk
    socket = await world.listen(browser, query="?page=desk")
    await socket.frame("snapshot")

    async def drawn(state: str) -> None:
        while True:
            frame = await socket.frame("region", id="demo-phone")
            socket.frames.remove(frame)
            if f'data-state="{state}"' in frame["html"]:
                return

    ring = world.a_call_rings()
    await drawn("ringing")
    world.answers(ring)
    await drawn("talking")
    world.link(LinkState.DOWN)  # the handset is not the link's
    await drawn("talking")
    world.hangs_up(ring)
    await drawn("ready")


async def test_two_who_ring_draw_only_the_own_phone(world: World) -> None:
    await world.at_desk("limin", "8001")
    other = await world.at_desk("zhaolei", "8002")
    world.a_call_rings()
    await world.settled()
    assert "已挂好" in (await other.get("/desk")).text
