"""The live queues in a real browser: what a supervisor sees, presses and is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from crm_core.events import LinkState
from tests.agent_ui.agent_page import Agent
from tests.agent_ui.world import PASSWORD, World

pytestmark = pytest.mark.browser

OTHER = {"en": "Switch to English", "zh_CN": "切换到中文"}


@pytest.fixture
async def chief(chromium: Browser, world: World) -> AsyncIterator[Agent]:
    """王芳, who sees the first team, and what her browser complained about."""
    context = await chromium.new_context(
        viewport={"width": 1280, "height": 720}, locale="zh-CN", reduced_motion="reduce"
    )
    page = await context.new_page()
    found = Agent(page=page, world=world)
    page.on("console", lambda m: found.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda wrong: found.complaints.append(str(wrong)))
    await page.route_web_socket("**/api/v1/events*", found.wire)
    await page.goto(f"{world.url}/")
    await page.get_by_label("用户名").fill("wangfang")
    await page.get_by_label("密码").fill(PASSWORD)
    await page.get_by_role("button", name="登录").click()
    await expect(page).to_have_title("实时队列 · 坐席")
    await expect(page.get_by_text("服务器正常")).to_be_visible()
    yield found
    assert found.complaints == []
    await context.close()


async def a_busy_floor(world: World) -> None:
    await world.at_desk("limin", "8001")
    await world.at_desk("zhaolei", "8002")
    world.answers(world.a_call_rings())
    world.caller_queues("02088886666")
    world.caller_queues(None)


async def test_what_happens_is_there_without_a_reload(chief: Agent) -> None:
    page = chief.page
    await expect(page.get_by_text("无人签入").first).to_be_visible()
    await a_busy_floor(chief.world)
    card = page.locator("#queue-main-support")
    await expect(card).to_have_attribute("data-waiting", "2")
    await expect(card.locator(".caller").first).to_contain_text("+86 20 8888 6666")
    await expect(card.locator(".caller").nth(1)).to_contain_text("号码隐藏")
    await expect(page.locator("#agents-talking")).to_contain_text("李敏")
    await expect(page.locator("#agents-talking")).to_contain_text("张三")
    await expect(page.locator("#agents-ready")).to_contain_text("赵磊")
    await expect(page.locator("#agents-head")).not_to_contain_text("无人签入")


async def test_a_queue_is_chosen_by_keys_and_stays_chosen_over_a_redraw(chief: Agent) -> None:
    page = chief.page
    await a_busy_floor(chief.world)
    limin = page.locator("[data-agent='1001']")
    await expect(limin).to_be_visible()
    name = page.get_by_role("button", name="报修")
    await page.keyboard.press("j")
    await expect(name).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(name).to_have_attribute("aria-pressed", "true")
    chief.world.caller_queues()
    await expect(page.locator("#queue-main-support")).to_have_attribute("data-waiting", "3")
    await expect(name).to_have_attribute("aria-pressed", "true")
    await expect(name).to_be_focused()
    await expect(limin).to_be_visible()
    await page.evaluate("document.querySelector('[data-agent=\"1002\"]').dataset.queues = 'main/x'")
    await expect(page.locator("[data-agent='1002']")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-agent='1002']")).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("下一个队列")


async def test_a_lost_pbx_is_hatched_with_its_age_and_never_offline(chief: Agent) -> None:
    page = chief.page
    await a_busy_floor(chief.world)
    await expect(page.locator("#agents-talking")).to_contain_text("李敏")
    chief.world.link(LinkState.DOWN)
    await expect(page.get_by_role("alert")).to_contain_text("与交换机的连接中断")
    group = page.locator("#agents-unknown")
    await expect(group.locator("li")).to_have_count(2)
    await expect(group).to_contain_text("最后所知：通话中")
    card = page.locator("#queue-main-support")
    await expect(card).to_contain_text("未知")
    await expect(card.locator(".caller")).to_have_count(0)
    image = "e => getComputedStyle(e).backgroundImage"
    assert "gradient" in await card.evaluate(image)
    assert "gradient" in await group.locator("li").first.evaluate(image)
    assert "离线" not in await page.locator("body").inner_text()
    chief.world.link()
    await expect(page.locator("#agents-talking")).to_contain_text("李敏")
    await expect(group).to_be_hidden()


async def test_a_lost_server_is_hatched_by_the_browser_and_made_good(chief: Agent) -> None:
    await chief.cut()
    strip = chief.page.locator("link-strip")
    await expect(strip).to_contain_text("正在重新连接", timeout=6_000)
    card = chief.page.locator("#queue-main-support")
    assert "gradient" in await card.evaluate("e => getComputedStyle(e).backgroundImage")
    chief.world.caller_queues()
    chief.lost = False
    await chief.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(card).to_contain_text("张三")
    await expect(strip).to_have_text("", timeout=8_000)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_empty_busy_or_lost(chief: Agent, theme: str) -> None:
    page = chief.page
    found: list[str] = []
    await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")

    async def look(state: str) -> None:
        for language in OTHER:  # ends in the language it began with
            await page.get_by_role("button", name=OTHER[language]).click()
            await expect(page.locator("html")).to_have_attribute("lang", language.replace("_", "-"))
            await expect(page.locator("connection-light .ready")).to_be_visible()
            results = await Axe().run(page, options={"resultTypes": ["violations"]})
            found.extend(f"{state} {language}: {v['id']}" for v in results.response["violations"])
            for width, height in ((1280, 720), (1024, 720), (640, 360)):
                await page.set_viewport_size({"width": width, "height": height})
                if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    found.append(f"{state} {language}: scrolls sideways at {width}")
            await page.set_viewport_size({"width": 1280, "height": 720})

    await look("empty")
    await a_busy_floor(chief.world)
    await expect(page.locator("#agents-talking")).to_contain_text("李敏")
    await look("busy")
    chief.world.link(LinkState.DOWN)
    await expect(page.locator("#agents-unknown")).to_contain_text("李敏")
    await look("lost")
    assert found == []
