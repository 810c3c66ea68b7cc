"""What is typed is never lost: not by a reload, not by a killed server, not by a dead Asterisk."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.centre import KNOWN, LIMIN
from tests.browser.conftest import Floor
from tests.browser.desk import Desk
from tests.lab.scenarios import PhoneBehaviour
from tests.lab.sipp import phones

pytestmark = [pytest.mark.asterisk, pytest.mark.browser]

BACK_WITHIN_SECONDS = 10.0


def saved(desk: Desk) -> None:
    """The note on the screen is in the database."""
    expect(desk.card.locator("[data-saved]")).to_contain_text("自动保存于")


def kill_and_start(floor: Floor, desk: Desk, meanwhile: Callable[[], None]) -> float:
    """kill -9, something meanwhile, a new process; how long the desk then needed, in seconds."""
    floor.product.kill9()
    expect(desk.strip).to_contain_text("正在重新连接")
    meanwhile()
    floor.product.start()
    began = time.monotonic()
    expect(desk.page.get_by_text("服务器正常")).to_be_visible(timeout=15_000)
    expect(desk.strip).to_have_text("", timeout=15_000)
    return time.monotonic() - began


def test_a_reload_in_the_middle_of_a_call_loses_no_word(floor: Floor, limin: Desk) -> None:
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=300)), floor.a_call(KNOWN, talk_ms=None):
        limin.note.press_sequentially("空压机漏油，约明天上门")
        limin.page.keyboard.press("Tab")
        saved(limin)
        limin.note.press_sequentially("；客户")
        limin.page.reload()
        expect(limin.note).to_have_value("空压机漏油，约明天上门；客户")
        expect(limin.page.locator(".call-card")).to_have_count(1)
        expect(limin.bar).to_contain_text("王建国")
        assert limin.seen["most_cards"] == 1
        limin.page.keyboard.press("Alt+q")


def test_a_note_is_finished_without_the_mouse(floor: Floor, limin: Desk) -> None:
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=300)), floor.a_call(KNOWN):
        expect(limin.note).to_be_visible()
    expect(limin.bar).to_be_hidden()
    limin.page.keyboard.press("2")
    expect(limin.card.get_by_role("radio", name="待跟进")).to_be_checked()
    limin.page.keyboard.press("Alt+w")
    limin.page.keyboard.type("需2天后回访")
    expect(limin.card.get_by_role("radio", name="待跟进")).to_be_checked()
    limin.page.keyboard.press("Control+Enter")
    expect(limin.page.get_by_text("当前没有通话")).to_be_visible()
    newest = limin.own_calls.first
    expect(newest).to_contain_text("待跟进")
    newest.get_by_role("link").click()
    expect(limin.page.locator(".record-note")).to_have_text("需2天后回访")
    limin.page.goto(f"{limin.product.url}/desk")


def test_a_server_killed_while_it_rings_comes_back_with_the_pop(floor: Floor, limin: Desk) -> None:
    with (
        phones(floor.lab, PhoneBehaviour(answer_after_ms=None)),
        floor.a_call(KNOWN, patience_ms=14_000),
    ):
        expect(limin.pop).to_contain_text("王建国")
        assert kill_and_start(floor, limin, lambda: None) < BACK_WITHIN_SECONDS
        expect(limin.pop).to_contain_text("王建国")
        expect(limin.state).to_contain_text("振铃")
        expect(limin.pop).to_have_count(1)
        seen = limin.seen
        assert seen["most_pops"] == 1
        assert len(seen["popped"]) == 1
        assert len(seen["offered"]) == 1
        expect(limin.pop).to_have_count(0, timeout=20_000)


def test_a_server_killed_during_the_talk_comes_back_with_the_card_and_the_words(
    floor: Floor, limin: Desk
) -> None:
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=300)), floor.a_call(KNOWN, talk_ms=None):
        limin.note.press_sequentially("前半句")
        limin.page.keyboard.press("Tab")
        saved(limin)
        took = kill_and_start(
            floor, limin, lambda: limin.note.press_sequentially("，断线时写的后半句")
        )
        assert took < BACK_WITHIN_SECONDS
        expect(limin.note).to_have_value("前半句，断线时写的后半句")
        expect(limin.state).to_contain_text("通话中")
        expect(limin.bar).to_contain_text("王建国")
        assert limin.seen["most_cards"] == 1
        assert len(limin.seen["offered"]) == 1
        limin.page.keyboard.press("Alt+q")
        limin.is_ready()
    limin.page.reload()
    expect(limin.note).to_have_value("前半句，断线时写的后半句", timeout=10_000)


def test_a_dead_asterisk_makes_everything_unknown_and_nothing_offline(
    floor: Floor, limin: Desk
) -> None:
    floor.lab.kill9()
    try:
        expect(limin.strip.get_by_role("alert")).to_contain_text("与交换机的连接中断")
        expect(limin.state).to_contain_text("状态未知")
        expect(limin.state).to_have_attribute("data-state", "unknown")
        expect(limin.page.locator("#queue-chips .is-unknown")).to_have_count(len(LIMIN.queues))
        expect(limin.page.get_by_text("离线")).to_have_count(0)
        expect(limin.page.get_by_text("服务器正常")).to_be_visible()
    finally:
        floor.lab.start()
    limin.is_ready()
    expect(limin.strip).to_have_text("")
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=300)), floor.a_call(KNOWN):
        expect(limin.who).to_contain_text("王建国")
