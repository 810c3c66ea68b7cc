"""The desk, over the real server: sign-in, device, a call from ring to note."""

from __future__ import annotations

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
