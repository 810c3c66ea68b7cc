"""Somebody at a desk in a real Chromium, on the world's server: the fixtures `chromium` and `agent`."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    WebSocketRoute,
    async_playwright,
    expect,
)

from tests.agent_ui.world import PASSWORD, World

CHROMIUM = os.environ.get("ZUOXI_TEST_CHROMIUM") or shutil.which("chromium") or "chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@dataclass
class Agent:
    """Somebody at a desk, and what the browser complained about."""

    page: Page
    world: World
    complaints: list[str] = field(default_factory=list)
    lost: bool = False
    sockets: list[WebSocketRoute] = field(default_factory=list)

    @property
    def pop(self) -> Any:
        return self.page.get_by_role("alertdialog")

    async def cut(self) -> None:
        """The network between browser and server is gone."""
        self.lost = True
        for socket in self.sockets:
            await socket.close(code=1012)

    def wire(self, socket: WebSocketRoute) -> Any:
        if self.lost:
            return socket.close(code=1012)
        self.sockets.append(socket)
        socket.connect_to_server()
        return None


async def sign_in(
    context: BrowserContext, world: World, name: str = "limin", extension: str = "8001"
) -> Agent:
    """Through the two pages that every agent goes through."""
    page = await context.new_page()
    agent = Agent(page=page, world=world)
    page.on("console", lambda m: agent.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda wrong: agent.complaints.append(str(wrong)))
    await page.route_web_socket("**/api/v1/events*", agent.wire)
    await page.goto(f"{world.url}/")
    await page.get_by_label("用户名").fill(name)
    await page.get_by_label("密码").fill(PASSWORD)
    await page.get_by_role("button", name="登录").click()
    await page.get_by_label(extension).check()
    await page.get_by_role("button", name="签入").click()
    await expect(page.get_by_text("服务器正常")).to_be_visible()
    return agent


@pytest.fixture
async def agent(chromium: Browser, world: World) -> AsyncIterator[Agent]:
    context = await chromium.new_context(viewport={"width": 1280, "height": 720}, locale="zh-CN")
    await context.grant_permissions(["notifications"], origin=world.url)
    found = await sign_in(context, world)
    yield found
    assert found.complaints == []
    await context.close()
