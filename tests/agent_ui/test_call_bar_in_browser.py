"""The call bar in a real Chromium, by keys alone: hold, transfer, consult; and the panel's list."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from crm_core.commands import ConsultCall, HoldCall, ResumeCall, Target, TargetKind, TransferCall
from tests.agent_ui.agent_page import Agent, sign_in
from tests.harness import eventually

pytestmark = pytest.mark.browser

PANEL = "#transfer-panel"


def bar(agent: Agent) -> Any:
    return agent.page.locator(".call-bar")


def chosen(agent: Agent) -> Any:
    return agent.page.locator(f'{PANEL} [aria-selected="true"]')


async def a_talk(agent: Agent) -> None:
    agent.world.answers(agent.world.a_call_rings())
    await expect(bar(agent)).to_contain_text("保持")


async def test_a_call_is_held_sent_and_consulted_about_by_keys_alone(
    agent: Agent, chromium: Browser
) -> None:
    keys, acted = agent.page.keyboard, agent.world.acted
    await agent.world.at_desk("zhaolei", "8002")
    await a_talk(agent)
    await keys.press("Alt+h")
    await expect(bar(agent)).to_contain_text("取回")
    await expect(agent.page.locator("#agent-state")).to_contain_text("保持")
    # The same key again within a second is a key that bounces.
    await keys.press("Alt+h")
    await agent.page.wait_for_timeout(1_050)
    await keys.press("Alt+h")
    await expect(bar(agent)).not_to_contain_text("取回")
    assert [type(one) for one in acted] == [HoldCall, ResumeCall]
    # Consult 赵磊 first, and come back; then ask again and hand over.
    await consult(agent)
    await expect(bar(agent)).to_contain_text("正在咨询 赵磊 · 8002")
    await expect(bar(agent).get_by_role("button", name="挂断")).to_be_disabled()
    await keys.press("Alt+b")
    await expect(bar(agent)).to_contain_text("Alt T")
    await expect(bar(agent)).not_to_contain_text("正在咨询")
    await agent.page.wait_for_timeout(1_050)
    await consult(agent)
    await expect(bar(agent)).to_contain_text("立即转交")
    await keys.press("Alt+c")
    await expect(bar(agent)).to_have_count(0)


async def consult(agent: Agent) -> None:
    keys = agent.page.keyboard
    await keys.press("Alt+t")
    await expect(agent.page.locator(PANEL)).to_be_visible()
    await expect(chosen(agent)).to_contain_text("赵磊")
    await keys.press("Alt+c")
    await expect(agent.page.locator(PANEL)).to_be_hidden()
    await eventually(lambda: isinstance(agent.world.acted[-1], ConsultCall))


async def test_the_panel_finds_by_name_number_and_extension_and_knows_numbers_outside(
    agent: Agent,
) -> None:
    keys = agent.page.keyboard
    await agent.world.at_desk("zhaolei", "8002")
    await a_talk(agent)
    await keys.press("Alt+t")
    search = agent.page.locator("#transfer-search")
    await expect(search).to_be_focused()
    await expect(chosen(agent)).to_contain_text("赵磊")
    for text, found in (("1002", "赵磊"), ("会员", "会员服务"), ("8003", "8003")):
        await search.fill(text)
        await expect(chosen(agent)).to_contain_text(found)
    await search.fill("没有这个人")
    await expect(chosen(agent)).to_have_count(0)
    await expect(agent.page.locator(".transfer-none")).to_be_visible()
    await search.fill("")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        await keys.press(key)
    await expect(chosen(agent)).to_contain_text("会员服务")
    await search.fill("139 1111 0000")
    await expect(chosen(agent)).to_contain_text("外线号码")
    await keys.press("Enter")
    await expect(bar(agent)).to_have_count(0)
    (command,) = agent.world.acted
    assert isinstance(command, TransferCall)
    assert command.to == Target(kind=TargetKind.NUMBER, exten="13911110000")


async def test_the_open_list_follows_the_states_and_a_refusal_is_said_there(agent: Agent) -> None:
    await agent.world.at_desk("zhaolei", "8002")
    await a_talk(agent)
    await agent.page.keyboard.press("Alt+t")
    await expect(chosen(agent)).to_contain_text("空闲")
    results = await Axe().run(agent.page, options={"resultTypes": ["violations"]})
    assert [(v["id"], v["nodes"][0]["target"]) for v in results.response["violations"]] == []
    agent.world.a_call_rings("8002", "1002", caller="013900000000")
    await expect(chosen(agent)).to_contain_text("振铃")
    agent.world.refuses = "Calls cannot be sent there: look at the list again, or check the number."
    await agent.page.keyboard.press("Enter")
    panel = agent.page.locator(PANEL)
    await expect(panel.get_by_role("alert")).to_contain_text("通话转不到那里")
    await expect(panel).to_be_visible()
    await agent.page.keyboard.press("Escape")
    await agent.page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    agent.complaints = [one for one in agent.complaints if "409" not in one]


async def test_nothing_can_be_pressed_while_the_link_is_away(agent: Agent) -> None:
    from crm_core.events import LinkState

    await a_talk(agent)
    agent.world.link(LinkState.DOWN)
    for name in ("保持", "转接", "挂断"):
        await expect(bar(agent).get_by_role("button", name=name)).to_be_disabled()
    for key in ("Alt+h", "Alt+t"):
        await agent.page.keyboard.press(key)
    await expect(agent.page.locator(PANEL)).to_be_hidden()
    assert agent.world.acted == []


async def test_the_receiver_reads_the_note_while_it_rings(agent: Agent, chromium: Browser) -> None:
    context = await chromium.new_context(viewport={"width": 1280, "height": 720}, locale="zh-CN")
    colleague = await sign_in(context, agent.world, "zhaolei", "8002")
    ring = agent.world.a_call_rings()
    agent.world.answers(ring)
    await agent.page.get_by_label("小结内容").fill("空调不制冷，已重启两次")
    await expect(agent.page.locator("[data-saved]")).to_contain_text("自动保存于")
    await agent.page.keyboard.press("Alt+t")
    await expect(chosen(agent)).to_contain_text("赵磊")
    await agent.page.keyboard.press("Enter")
    await expect(bar(agent)).to_have_count(0)
    handed = agent.world.rings(ring.call, ring.queue_pass, "8002", "1002", attempt=2)
    await expect(colleague.pop).to_contain_text("李敏 转来这位客户")
    await expect(colleague.pop).to_contain_text("空调不制冷，已重启两次")
    await expect(colleague.pop).to_contain_text("张三")
    agent.world.answers(handed)
    await expect(colleague.page.locator(".call-card")).to_contain_text("同事的记录")
    await expect(colleague.page.locator(".call-card")).to_contain_text("空调不制冷，已重启两次")
    assert colleague.complaints == []
    await context.close()
