"""Every page, in both languages and both themes, with a call and without: axe finds nothing."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.centre import EMPTY_SEAT, KNOWN, VIP, WANGFANG, ZHANGWEI, ZHAOLEI
from tests.browser.conftest import Floor
from tests.browser.desk import Desk, a_browser_of, goes_in
from tests.lab.scenarios import PhoneBehaviour
from tests.lab.sipp import phones

pytestmark = [pytest.mark.asterisk, pytest.mark.browser]

OTHER = {"en": "Switch to English", "zh_CN": "切换到中文"}


def looked_over(page: Page) -> list[str]:
    """What axe says, and what scrolls sideways, in both languages and both themes."""
    found = []
    for language in OTHER:  # ends in the language it began with
        page.get_by_role("button", name=OTHER[language]).click()
        expect(page.locator("html")).to_have_attribute("lang", language.replace("_", "-"))
        for theme in ("dark", "light"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.reload()
            if page.locator("live-socket").count():
                expect(page.locator("connection-light .ready")).to_be_visible()
            results = Axe().run(page, options={"resultTypes": ["violations"]})
            found += [
                f"{language}, {theme}: {v['id']} ({v['impact']}) {v['nodes'][0]['html'][:120]}"
                for v in results.response["violations"]
            ]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{language}, {theme}: scrolls sideways")
    return found


def test_sign_in_and_the_choice_of_a_device(floor: Floor) -> None:
    with a_browser_of(floor.browser, floor.product) as desk:
        desk.page.goto(f"{floor.product.url}/sign-in")
        assert looked_over(desk.page) == []
        goes_in(desk, ZHAOLEI)
        expect(desk.page.get_by_role("radio").first).to_be_visible()
        assert looked_over(desk.page) == []
        assert desk.complaints == []


def test_the_desk_idle_ringing_and_on_a_call(floor: Floor, limin: Desk) -> None:
    assert looked_over(limin.page) == []
    with (
        phones(floor.lab, PhoneBehaviour(answer_after_ms=None)),
        floor.a_call(KNOWN, patience_ms=20_000),
    ):
        expect(limin.pop).to_be_visible()
        assert looked_over(limin.page) == []
        expect(limin.pop).to_be_visible()
        expect(limin.pop).to_have_count(0, timeout=30_000)
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=100)), floor.a_call(KNOWN, talk_ms=None):
        expect(limin.note).to_be_visible()
        assert looked_over(limin.page) == []
        expect(limin.bar).to_be_visible()
        limin.page.keyboard.press("Alt+q")


def test_the_desk_paused_in_wrap_up_and_after_a_missed_ring(floor: Floor, limin: Desk) -> None:
    def is_in(state: str) -> None:
        expect(limin.state).to_have_attribute("data-state", state, timeout=20_000)

    limin.page.keyboard.press("Alt+p")
    limin.page.keyboard.press("2")
    is_in("paused")
    assert looked_over(limin.page) == []
    limin.page.keyboard.press("Alt+r")
    limin.is_ready()
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=100)), floor.a_call(KNOWN, VIP):
        expect(limin.note).to_be_visible()
    is_in("wrap_up")
    assert looked_over(limin.page) == []
    limin.submits()
    limin.is_ready()
    with (
        phones(floor.lab, PhoneBehaviour(answer_after_ms=None)),
        floor.a_call(KNOWN, VIP, patience_ms=15_000),
    ):
        is_in("missed")
        expect(limin.state).to_contain_text("王建国")
    assert looked_over(limin.page) == []
    limin.page.keyboard.press("Alt+r")
    limin.is_ready()


def test_the_desk_of_a_phone_that_is_not_there(floor: Floor) -> None:
    with a_browser_of(floor.browser, floor.product) as desk:
        goes_in(desk, ZHANGWEI)
        desk.page.get_by_label(EMPTY_SEAT).check()
        desk.page.get_by_role("button", name="签入").click()
        expect(desk.page.get_by_role("alert")).to_contain_text("话机未连接", timeout=15_000)
        assert looked_over(desk.page) == []
        desk.page.get_by_role("button", name="签出").click()
        assert desk.complaints == []


def test_the_calls_and_one_call(floor: Floor, limin: Desk) -> None:
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=100)), floor.a_call(KNOWN, talk_ms=200):
        expect(limin.own_calls.first).to_be_visible()
    with a_browser_of(floor.browser, floor.product) as desk:
        goes_in(desk, WANGFANG)
        desk.page.goto(f"{floor.product.url}/calls")
        assert looked_over(desk.page) == []
        desk.page.get_by_role("row").nth(1).get_by_role("link").first.click()
        expect(desk.page.locator(".timeline")).to_be_visible()
        assert looked_over(desk.page) == []
        assert desk.complaints == []


def test_the_desk_with_the_link_lost(floor: Floor, limin: Desk) -> None:
    floor.lab.kill9()
    try:
        expect(limin.state).to_contain_text("状态未知")
        assert looked_over(limin.page) == []
        expect(limin.state).to_have_attribute("data-state", "unknown")
    finally:
        floor.lab.start()
    limin.is_ready()
