"""The desk, over the real server: sign-in, device, a call from ring to note."""

from __future__ import annotations

import re

import pytest

from tests.agent_ui.world import World


async def test_agent_signs_in_takes_the_usual_phone_and_sees_the_desk(world: World) -> None:
    browser = world.browser()
    response = await browser.get("/")
    assert response.status_code == 303
    assert response.headers["location"] == "/sign-in"
    assert "密码" in (await browser.get("/sign-in")).text

    assert (await browser.sign_in("limin")).headers["location"] == "/"
    assert (await browser.get("/")).headers["location"] == "/desk"
    assert (await browser.get("/desk")).headers["location"] == "/device"
    devices = (await browser.get("/device")).text
    assert "8001" in devices
    assert "报修" in devices

    taken = await browser.post("/device", {"device": "main/8001"})
    assert taken.headers["location"] == "/desk"
    desk = await browser.get("/desk")
    assert desk.status_code == 200
    assert 'id="screen-pops"' in desk.text
    assert [agent.agent_number for agent in world.board.agents.values()] == ["1001"]


async def test_a_call_rings_at_the_desk_as_json_and_as_html(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    socket = await world.listen(browser, query="?page=desk")
    await socket.frame("snapshot")

    ring = world.a_call_rings()
    frame = await socket.frame("call.offered")
    assert frame["call"]["call_id"] == ring.call
    assert frame["call"]["caller_number"] == "138****8000"
    assert frame["customer"]["name"] == "张三"
    assert frame["agent"] == {"number": "1001", "name": "李敏", "interface": "PJSIP/8001"}
    assert frame["queue"] == "support"
    assert frame["hotline"]["name"] == "海星售后热线"


async def test_a_real_pbx_has_no_drawn_phone_and_no_routes_to_move_one(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    assert "demo-phone" not in (await browser.get("/desk")).text.partition("<body")[2]
    for path in ("/demo/phone/lift", "/demo/phone/put-down"):
        assert (await browser.post(path)).status_code == 404
    socket = await world.listen(browser, query="?page=desk")
    await socket.frame("snapshot")
    world.a_call_rings()
    await socket.frame("region", id="screen-pops")
    assert [f for f in socket.of("region") if f["id"] == "demo-phone"] == []


async def test_the_bar_names_the_customer_who_was_chosen_among_several(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings(caller="013911110000")
    world.answers(ring)
    await world.recorded()
    desk = (await browser.get("/desk")).text
    assert "多个客户使用此号码" in bar_of(desk)
    (customer,) = re.findall(r'name="customer"\s+value="(\d+)"[^<]*<kbd[^<]*2</kbd>', desk)
    chosen = await browser.post(f"/calls/{ring.call}/customer", {"customer": customer})
    assert chosen.status_code == 204
    desk = (await browser.get("/desk")).text
    name = re.search(r'class="title">(\S+?)</h2>', desk)
    assert name is not None
    assert name[1] in bar_of(desk)


def bar_of(desk: str) -> str:
    return desk.partition('id="call-bar"')[2].partition("</section>")[0]


def cards_on(desk: str) -> list[str]:
    return re.findall(r'id="card-(\w+)"', desk)


async def test_every_answered_call_keeps_its_card_until_the_note_is_submitted(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    rings = []
    for _ in range(7):
        ring = world.a_call_rings()
        world.answers(ring)
        world.hangs_up(ring)
        rings.append(ring.call)
    live = world.a_call_rings()
    world.answers(live)
    await world.recorded()
    newest = rings[:1:-1]
    assert cards_on((await browser.get("/desk")).text) == [live.call, *newest]

    draft = {"note": "等配件", "revision": "1"}
    assert (await browser.post(f"/calls/{newest[0]}/note", draft)).status_code == 204
    written = {"note": "已解决", "revision": "1", "submit": "1"}
    assert (await browser.post(f"/calls/{newest[1]}/note", written)).status_code == 204
    assert cards_on((await browser.get("/desk")).text) == [
        live.call,
        newest[0],
        *newest[2:],
        rings[1],
    ]
    other = await world.at_desk("zhaolei", "8002")
    assert cards_on((await other.get("/desk")).text) == []


@pytest.mark.parametrize(("lang", "says"), [("zh-CN", "请用话机接听"), ("en", "at your phone")])
async def test_the_page_for_when_the_server_is_away_is_nobodys(
    world: World, lang: str, says: str
) -> None:
    browser = await world.at_desk("limin", "8001")
    token = browser.csrf
    kept = await browser.get(f"/offline/{lang}?any-release")
    assert kept.status_code == 200
    assert f'lang="{lang}"' in kept.text
    assert says in kept.text
    assert "李敏" not in kept.text
    assert token
    assert token not in kept.text
    assert (await world.browser().get("/offline/fr")).status_code == 404


async def test_the_worker_that_keeps_it_may_answer_for_every_page_and_is_never_stale(
    world: World,
) -> None:
    worker = await world.browser().get("/offline-worker.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["cache-control"] == "no-cache"
    assert 'mode === "navigate"' in worker.text
