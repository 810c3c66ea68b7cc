"""The desk in a real browser, on the real server: what an agent sees, hears of, types and presses."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect
from sqlalchemy import select

from agent_ui.rendering import LANGUAGES
from crm_core.db import reading
from crm_core.events import AttemptResult, LinkState
from crm_core.wrap_up.models import ContactRecord
from tests.agent_ui.agent_page import Agent
from tests.agent_ui.samples import pages
from tests.agent_ui.world import World
from tests.harness import eventually

pytestmark = pytest.mark.browser


async def notes(world: World) -> list[tuple[str, bool]]:
    async with reading(world.engine) as connection:
        rows = await connection.execute(select(ContactRecord.note, ContactRecord.submitted))
        return [(note, submitted) for note, submitted in rows]


async def until_noted(world: World, note: str, *, submitted: bool) -> None:
    async def noted() -> bool:
        return await notes(world) == [(note, submitted)]

    await eventually(noted)


# --- the ring -------------------------------------------------------------------------------------


async def test_a_ring_opens_the_customers_card_and_names_the_tab(agent: Agent) -> None:
    await expect(agent.page.get_by_text("空闲").first).to_be_visible()
    agent.world.a_call_rings()
    await expect(agent.pop).to_contain_text("张三")
    await expect(agent.pop).to_contain_text("海星售后热线")
    await expect(agent.pop).to_contain_text("您好，海星电器")
    await expect(agent.page.locator("#agent-state")).to_contain_text("振铃")
    await expect(agent.page).to_have_title("☎ 张三")


async def test_the_pop_is_there_again_after_a_reload_and_goes_when_another_answers(
    agent: Agent,
) -> None:
    ring = agent.world.a_call_rings()
    await expect(agent.pop).to_be_visible()
    await agent.page.reload()
    await expect(agent.pop).to_contain_text("张三")
    agent.world.ring_ends(ring, AttemptResult.ELSEWHERE)
    await expect(agent.pop).to_have_count(0)
    await expect(agent.page).to_have_title("工作台 · 坐席")


async def test_a_ring_takes_no_focus_from_who_types(agent: Agent) -> None:
    agent.world.answers(agent.world.a_call_rings())
    text = agent.page.get_by_label("小结内容")
    await text.press_sequentially("客户说")
    agent.world.a_call_rings(caller="013911110000")
    await expect(agent.pop).to_contain_text("多个客户使用此号码")
    await text.press_sequentially("门不关")
    await expect(text).to_be_focused()
    await expect(text).to_have_value("客户说门不关")


# --- the note -------------------------------------------------------------------------------------


async def test_what_is_typed_is_saved_by_itself_and_survives_redrawing_and_reloading(
    agent: Agent,
) -> None:
    agent.world.answers(agent.world.a_call_rings())
    text = agent.page.get_by_label("小结内容")
    await text.fill("洗衣机不排水")
    await until_noted(agent.world, "洗衣机不排水", submitted=False)
    await text.press_sequentially("，约明天")
    agent.world.link(LinkState.DOWN)  # redraws every region
    await expect(agent.page.locator("#agent-state")).to_contain_text("状态未知")
    await expect(text).to_have_value("洗衣机不排水，约明天")
    await expect(text).to_be_focused()
    agent.world.link(LinkState.UP)
    await until_noted(agent.world, "洗衣机不排水，约明天", submitted=False)
    await agent.page.reload()
    await expect(agent.page.get_by_label("小结内容")).to_have_value("洗衣机不排水，约明天")


async def test_the_card_stays_after_the_call_until_the_note_is_submitted_by_keys(
    agent: Agent,
) -> None:
    ring = agent.world.a_call_rings()
    agent.world.answers(ring)
    text = agent.page.get_by_label("小结内容")
    await expect(text).to_be_visible()
    agent.world.hangs_up(ring)
    await expect(agent.page.locator("#call-bar")).to_be_hidden()
    await agent.page.keyboard.press("Alt+w")
    await expect(text).to_be_focused()
    await agent.page.keyboard.type("已解释")
    await agent.page.keyboard.press("Control+Enter")
    await until_noted(agent.world, "已解释", submitted=True)
    await expect(agent.page.get_by_text("当前没有通话")).to_be_visible()


async def test_digits_choose_outside_fields_and_are_text_inside(agent: Agent) -> None:
    agent.world.answers(agent.world.a_call_rings(caller="013911110000"))
    text = agent.page.get_by_label("小结内容")
    await text.fill("")
    await text.press("1")
    await expect(text).to_have_value("1")
    await expect(agent.page.get_by_role("heading", name="多个客户使用此号码")).to_be_visible()
    await text.blur()
    chosen: list[str] = []
    agent.page.on(
        "request", lambda r: chosen.append(r.url) if r.url.endswith("/customer") else None
    )
    composing = "new KeyboardEvent('keydown', {code: 'Digit1', isComposing: true, bubbles: true})"
    await agent.page.evaluate(f"document.body.dispatchEvent({composing})")
    await agent.page.keyboard.press("2")
    await expect(agent.page.locator(".who").get_by_role("heading")).to_have_text("吴二")
    await expect(agent.page.locator("#call-bar")).to_contain_text("吴二")
    assert len(chosen) == 1


MORPH = """async ([path, before, after]) => {
  const { morph } = await import(path);
  document.body.insertAdjacentHTML("beforeend", before);
  const root = document.getElementById("root");
  const [typed, clean, radio, last] = ["typed", "clean", "radio", "last"].map(
    (id) => document.getElementById(id));
  typed.value = "half a sente";
  radio.checked = true;
  last.focus();
  const timer = root.querySelector("call-timer");
  morph(root, after);
  return {
    typed: typed.value,
    clean: clean.value,
    radio: radio.checked,
    focused: document.activeElement.id,
    kept: [typed, clean, radio, last, timer].every((field) => field.isConnected),
    drawn: timer.shadowRoot.textContent !== "",
    words: [...root.querySelectorAll("li")].map((line) => line.textContent),
  };
}"""

BEFORE = """<div id="root"><p>old</p><textarea id="typed">draft</textarea><input id="clean" value="1">
<input type="radio" id="radio"><ul><li>a</li><li>b</li></ul>
<call-timer since="2026-11-18T08:00:00Z">x</call-timer><input id="last"></div>"""
AFTER = """<div id="root"><h2>new</h2><p>new</p><input id="clean" value="2"><input type="radio" id="radio">
<textarea id="typed">saved</textarea><ul><li>c</li><li>a</li><li>b</li></ul>
<call-timer since="2026-11-18T09:00:00Z">y</call-timer><input id="last"></div>"""


async def test_redrawing_keeps_what_somebody_typed_and_brings_what_the_server_changed(
    agent: Agent,
) -> None:
    path = agent.world.ui.deps.renderer.static.url("js/morph.js")
    assert await agent.page.evaluate(MORPH, [path, BEFORE, AFTER]) == {
        "typed": "half a sente",
        "clean": "2",
        "radio": True,
        "focused": "last",
        "kept": True,
        "drawn": True,
        "words": ["c", "a", "b"],
    }


# --- two calls ------------------------------------------------------------------------------------


async def test_a_second_call_is_a_second_tab_that_waits_until_it_is_chosen(agent: Agent) -> None:
    agent.world.answers(agent.world.a_call_rings())
    await agent.page.get_by_label("小结内容").fill("第一个")
    agent.world.answers(agent.world.a_call_rings(caller="013911110000"))
    tabs = agent.page.get_by_role("tab")
    await expect(tabs).to_have_count(2)
    shown = agent.page.get_by_label("小结内容").locator("visible=true")
    await expect(shown).to_have_value("第一个")
    await agent.page.keyboard.press("Alt+2")
    await expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    await expect(shown).to_have_value("")


# --- the call bar ---------------------------------------------------------------------------------


async def test_alt_q_hangs_up_even_from_inside_the_note(agent: Agent) -> None:
    ring = agent.world.a_call_rings()
    agent.world.answers(ring)
    await expect(agent.page.locator("#call-bar")).to_contain_text("张三")
    await agent.page.get_by_label("小结内容").focus()
    sent: list[str] = []
    agent.page.on("request", lambda r: sent.append(r.url) if r.url.endswith("/hang-up") else None)
    await agent.page.keyboard.press("Alt+q")
    await agent.page.keyboard.press("Alt+q")  # a key that bounces is one wish

    async def hung_up() -> bool:
        return bool(agent.world.hung_up)

    await eventually(hung_up)
    assert len(sent) == 1
    assert [command.call for command in agent.world.hung_up] == [ring.call]


# --- links ----------------------------------------------------------------------------------------


async def test_a_lost_pbx_is_said_and_everything_is_unknown(agent: Agent) -> None:
    agent.world.link(LinkState.DOWN)
    await expect(agent.page.get_by_role("alert")).to_contain_text("与交换机的连接中断")
    await expect(agent.page.locator("#agent-state")).to_contain_text("状态未知")
    agent.world.link(LinkState.UP)
    await expect(agent.page.locator("#agent-state")).to_contain_text("空闲")
    await expect(agent.page.get_by_role("alert")).to_have_count(0)


async def test_a_lost_server_is_amber_then_red_then_made_good(agent: Agent) -> None:
    await agent.cut()
    strip = agent.page.locator("link-strip")
    await expect(strip).to_contain_text("正在重新连接", timeout=6_000)
    assert await agent.page.evaluate("document.documentElement.dataset.live") == "stale"
    agent.world.a_call_rings()
    await expect(strip).to_contain_text("与服务器断开", timeout=15_000)
    agent.lost = False
    await agent.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(agent.pop).to_contain_text("张三")
    await expect(strip).to_contain_text("连接已恢复")
    await expect(strip).to_have_text("")


async def test_a_session_that_ended_elsewhere_is_said_and_not_tried_again(agent: Agent) -> None:
    for socket in list(agent.world.ui.deps.hub.sockets.all()):
        agent.world.ui.deps.hub.end(socket.token_hash)
    await expect(agent.page.get_by_role("alert")).to_contain_text("会话已结束")
    assert len(agent.world.ui.deps.hub.sockets) == 0


# --- everybody can use it -------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_axe_finds_nothing_on_any_page(
    chromium: Browser, world: World, language: str, theme: Any
) -> None:
    context = await chromium.new_context(
        viewport={"width": 1280, "height": 720}, color_scheme=theme, reduced_motion="reduce"
    )
    page = await context.new_page()
    await page.goto(f"{world.url}/sign-in")
    found = {}
    for name, (template, values) in pages().items():
        # Into the document of our own server: its policy holds, its files load.
        html = world.ui.deps.renderer.render(template, language, **values)
        await page.set_content(html, wait_until="load")
        results = await Axe().run(page, options={"resultTypes": ["violations"]})
        wrong = [f"{v['id']} ({v['impact']})" for v in results.response["violations"]]
        wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        if wrong or wide:
            found[name] = [*wrong, *(["scrolls sideways"] if wide else [])]
    await context.close()
    assert found == {}
