"""The customers' pages in a real browser: keys, rows that come and go, nothing for axe to find."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.agent_ui.agent_page import chromium as chromium
from tests.agent_ui.world import World

pytestmark = pytest.mark.browser


async def a_page(chromium: Browser, world: World, who: str, theme: str) -> Page:
    context: BrowserContext = await chromium.new_context(
        viewport={"width": 1024, "height": 720},
        color_scheme="dark" if theme == "dark" else "light",
        locale="zh-CN",
    )
    signed_in = await world.signed_in(who)
    for name, value in signed_in.cookies.items():
        secure = world.url.replace("http://", "https://")
        await context.add_cookies([{"name": name, "value": value, "url": secure, "secure": True}])
    return await context.new_page()


@pytest.fixture(params=["light", "dark"])
async def page(
    request: pytest.FixtureRequest, chromium: Browser, world: World
) -> AsyncIterator[Page]:
    found = await a_page(chromium, world, "limin", request.param)
    complaints: list[str] = []
    found.on("pageerror", lambda wrong: complaints.append(str(wrong)))
    yield found
    assert complaints == []
    await found.context.close()


async def without_complaint(page: Page) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def test_a_customer_is_made_by_keys_alone(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/customers")
    await without_complaint(page)
    await page.get_by_role("link", name="新建客户").press("Enter")
    await expect(page.get_by_label("姓名", exact=True)).to_be_focused()
    await page.keyboard.type("王五")
    await page.get_by_label("电话号码").first.fill("13800138000")
    await page.get_by_role("button", name="添加号码").press("Enter")
    await page.keyboard.type("12x")
    await page.get_by_role("button", name="添加联系人").press("Enter")
    await page.keyboard.type("李经理")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_text("这不是有效的电话号码。")).to_be_visible()
    await without_complaint(page)
    wrong = page.locator("[aria-invalid=true]")
    await expect(wrong).to_have_value("12x")
    await wrong.fill("010-62345678")
    await page.get_by_role("button", name="上移").press("Enter")
    await page.keyboard.press("Control+Enter")
    # The number is another one's: shown first, saved on request.
    await expect(page.get_by_role("link", name="张三")).to_be_visible()
    await without_complaint(page)
    await page.get_by_role("button", name="仍然保存").press("Enter")
    await expect(page.get_by_role("heading", name="王五")).to_be_visible()
    numbers = page.locator("ol.lines .number")
    await expect(numbers).to_have_text(["010 **** 5678", "138 **** 8000"])
    await expect(page.get_by_text("李经理")).to_be_visible()
    await without_complaint(page)


async def test_a_row_that_is_taken_out_takes_its_number_along(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/customers/1/edit")
    await without_complaint(page)
    await page.get_by_role("button", name="移除").first.press("Enter")
    await page.get_by_role("button", name="保存").press("Enter")
    await expect(page.get_by_text("暂无电话号码。")).to_be_visible()


@pytest.mark.parametrize("path", ["/customers?q=zzz", "/customers/1", "/calls", "/customers/99"])
async def test_axe_finds_nothing(page: Page, world: World, path: str) -> None:
    await page.goto(f"{world.url}{path}")
    await without_complaint(page)
