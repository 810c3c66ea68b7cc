"""The player in a real Chromium: it plays, and one press is one entry of the audit."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect
from sqlalchemy import func, select

from crm_core.access.models import AuditEntry
from crm_core.db import reading
from tests.agent_ui.recordings.conftest import Recorded
from tests.agent_ui.world import PASSWORD, World
from tests.harness import eventually

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("ZUOXI_PICTURES")
"""A folder for pictures of the page, where somebody wants to look at them."""


async def test_a_press_plays_the_sound_and_is_one_entry_of_the_audit(
    chromium: Browser, world: World, recorded: dict[str, Recorded]
) -> None:
    context = await chromium.new_context(viewport={"width": 1280, "height": 720}, locale="zh-CN")
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    await page.goto(f"{world.url}/")
    await page.get_by_label("用户名").fill("admin")
    await page.get_by_label("密码").fill(PASSWORD)
    await page.get_by_role("button", name="登录").click()
    await page.wait_for_url(lambda url: "sign-in" not in url)
    await page.goto(f"{world.url}/calls/{recorded['limin'].call}")
    player = page.locator("audio")
    await expect(player).to_have_count(1)
    assert await listens(world) == 0
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / "call-zh.png")
    await player.evaluate("player => player.play()")
    await eventually(partial(has_played, player, 0.3))
    assert round(await player.evaluate("player => player.duration")) == 10
    # To jump about is the same listen.
    await player.evaluate("player => { player.currentTime = 8 }")
    await eventually(partial(has_played, player, 8.1))
    assert await listens(world) == 1
    assert complaints == []
    await context.close()


async def has_played(player: Locator, seconds: float) -> bool:
    return bool(await player.evaluate("player => player.currentTime") > seconds)


async def listens(world: World) -> int:
    async with reading(world.engine) as connection:
        found = await connection.scalar(
            select(func.count()).where(AuditEntry.act == "recording.listen")
        )
        return int(found or 0)
