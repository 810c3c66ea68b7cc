"""`python -m tests.browser.screens` (`make screens`): the pictures of tests/browser/screens, taken anew.

A real Asterisk rings, a real Chromium looks; behind it a week of calls. 1440 × 820, both languages,
both themes.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.centre import (
    ADMIN,
    EMPTY_SEAT,
    KNOWN,
    LIMIN,
    SUPPORT,
    VIP,
    WANGFANG,
    ZHANGWEI,
    ZHAOLEI,
    furnish,
    put_on,
    share_a_number,
)
from tests.browser.desk import CHROMIUM, FLAGS, Desk, a_browser_of, goes_in, signs_in
from tests.browser.history import fill
from tests.harness import a_product
from tests.lab import install
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, Sipp, callers, phones

FOLDER = Path(__file__).parent / "screens"
LANGUAGES = ("zh_CN", "en")
THEMES = ("light", "dark")
SOUND = "--autoplay-policy=no-user-gesture-required"
"""As in the browser of somebody who has worked on the page: without it a button offers the tone."""
SWITCH = {"en": "Switch to English", "zh_CN": "切换到中文"}


def main() -> None:
    install.install()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Laboratory() as lab:
        put_on(lab)
        with a_product(Path(folder), {"ZUOXI_PBX_URLS": lab.url}) as product:
            furnish(product, hostile=False)
            asyncio.run(fill(product.settings["ZUOXI_DATABASE_URL"], datetime.now(UTC)))
            product.start()
            share_a_number(product)
            with (
                sync_playwright() as playwright,
                playwright.chromium.launch(
                    executable_path=CHROMIUM, args=[*FLAGS, SOUND]
                ) as browser,
            ):
                for take_some in (
                    take_sign_in,
                    take_lists,
                    take_desk,
                    take_states,
                    take_floor,
                    take_books,
                    take_office,
                    take_mishaps,
                ):
                    with a_browser_of(browser, product) as desk:
                        take_some(desk, lab)
                        if desk.complaints:
                            sys.exit("The browser complains: " + "; ".join(desk.complaints))
    for picture in sorted(FOLDER.glob("*.png")):
        sys.stdout.write(f"{picture.stat().st_size / 1024:5.0f} kB  {picture.name}\n")


def take_sign_in(desk: Desk, _: Laboratory) -> None:
    desk.page.goto(f"{desk.product.url}/sign-in")
    take(desk.page, "sign-in")
    goes_in(desk, ZHAOLEI)
    expect(desk.page.get_by_role("radio").first).to_be_visible()
    take(desk.page, "device")


def take_lists(desk: Desk, _: Laboratory) -> None:
    goes_in(desk, WANGFANG)
    desk.page.goto(f"{desk.product.url}/calls")
    take(desk.page, "calls")
    # The call that rang in vain first, then was taken, and has a note.
    desk.page.get_by_role("row").filter(has_text="王建国").filter(has_text="赵磊").get_by_role(
        "link"
    ).first.click()
    expect(desk.page.locator(".timeline")).to_be_visible()
    take(desk.page, "call")


def take_desk(desk: Desk, lab: Laboratory) -> None:
    signs_in(desk, LIMIN)
    take(desk.page, "desk-idle")
    with (
        phones(lab, PhoneBehaviour(answer_after_ms=None)),
        a_call(lab, SUPPORT, patience_ms=16_000),
    ):
        expect(desk.pop).to_contain_text("王建国")
        desk.page.wait_for_timeout(2_000)
        take(desk.page, "desk-ringing", lambda: expect(desk.pop).to_be_visible())
        expect(desk.pop).to_have_count(0, timeout=20_000)
    desk.is_ready()
    with phones(lab, PhoneBehaviour(answer_after_ms=200)), a_call(lab, SUPPORT):
        desk.note.fill(
            "客户反映空压机异响，出口温度98度。已请工程师今天16:00前到场，到场前电话联系。"
        )
        desk.card.get_by_role("button", name="提交小结").focus()
        desk.page.keyboard.press("2")
        with callers(lab, VIP, [Caller(number="13900000202")], CallerBehaviour()):
            expect(desk.page.locator(".chip-waiting")).to_be_visible()
            desk.page.wait_for_timeout(4_000)  # a stopwatch that has run a little
            take(desk.page, "desk-talking", lambda: expect(desk.bar).to_be_visible())
            take(desk.page, "desk-transfer", lambda: opens_transfer(desk))
            desk.page.keyboard.press("Escape")
            desk.page.keyboard.press("Alt+h")
            is_in(desk, "on_hold")
            take(desk.page, "desk-on-hold", lambda: is_in(desk, "on_hold"))
            lab.kill9()
            expect(desk.strip.get_by_role("alert")).to_be_visible()
            take(desk.page, "desk-linklost", lambda: expect(desk.strip).not_to_have_text(""))


def take_states(desk: Desk, lab: Laboratory) -> None:
    """What the header says of the own state: a pause, one to come, wrap-up, a missed call."""
    page, follows = desk.page, desk.page.locator(".state-next")
    lab.start()
    goes_in(desk, LIMIN)
    desk.is_ready()
    while desk.card.count():
        desk.submits()
    page.keyboard.press("Alt+p")
    page.keyboard.press("2")
    expect(desk.state).to_contain_text("用餐")
    take(page, "desk-paused")
    page.keyboard.press("Alt+r")
    desk.is_ready()
    with phones(lab, PhoneBehaviour(answer_after_ms=200)), a_call(lab, VIP):
        expect(desk.note).to_be_visible()
        page.keyboard.press("Alt+p")
        page.keyboard.press("1")
        expect(follows).to_be_visible()
        take(page, "desk-then-pause", lambda: expect(follows).to_be_visible())
        page.keyboard.press("Alt+r")
        expect(follows).to_have_count(0)
        desk.note.fill("设备运行正常，下次保养约在12月中旬。")
        page.keyboard.press("Alt+q")
        is_in(desk, "wrap_up")
        take(page, "desk-wrap-up", lambda: is_in(desk, "wrap_up"))
    desk.submits()
    desk.is_ready()
    with (
        phones(lab, PhoneBehaviour(answer_after_ms=None)),
        a_call(lab, VIP, patience_ms=30_000),
    ):
        is_in(desk, "missed")
        take(page, "desk-missed", lambda: is_in(desk, "missed"))
    page.keyboard.press("Alt+r")
    desk.is_ready()


def take_floor(desk: Desk, lab: Laboratory) -> None:
    """What a supervisor sees: one agent talks, somebody waits; a customer's file."""
    page = desk.page
    goes_in(desk, WANGFANG)
    page.goto(f"{desk.product.url}/live")
    with (
        phones(lab, PhoneBehaviour(answer_after_ms=200)),
        a_call(lab, SUPPORT),
        callers(lab, VIP, [Caller(number="13900000202")], CallerBehaviour()),
    ):
        expect(page.locator("main")).to_contain_text("王建国", timeout=15_000)
        page.wait_for_timeout(6_000)
        take(page, "live", lambda: expect(page.locator("main")).to_contain_text("王建国"))
    page.goto(f"{desk.product.url}/customers")
    take(page, "customers")
    page.get_by_role("link", name="王建国").first.click()
    expect(page.locator("h1")).to_contain_text("王建国")
    take(page, "customer")


def take_books(desk: Desk, _: Laboratory) -> None:
    """How well the log is known: who was never reached, when nobody listened."""
    goes_in(desk, WANGFANG)
    for path, name in (("calls/gave-up", "gave-up"), ("gaps", "gaps")):
        desk.page.goto(f"{desk.product.url}/{path}")
        take(desk.page, name)


def take_office(desk: Desk, _: Laboratory) -> None:
    """What an administrator keeps."""
    page = desk.page
    goes_in(desk, ADMIN)
    for path in ("people", "seats", "account"):
        page.goto(f"{desk.product.url}/{path}")
        take(page, path)
    page.goto(f"{desk.product.url}/people")
    page.get_by_role("link", name="李敏").click()
    take(page, "person")
    page.goto(f"{desk.product.url}/seats")
    page.get_by_role("link", name=EMPTY_SEAT).click()
    take(page, "seat")


def take_mishaps(desk: Desk, _: Laboratory) -> None:
    """A phone that is not there, a page that is not there."""
    page = desk.page
    goes_in(desk, ZHANGWEI)
    page.get_by_label(EMPTY_SEAT).check()
    page.get_by_role("button", name="签入").click()
    away = page.locator('#connection[data-phone="down"]')
    expect(away).to_be_visible(timeout=15_000)
    take(page, "desk-phone-away", lambda: expect(away).to_be_visible())
    for language in LANGUAGES:
        page.goto(f"{desk.product.url}/desk")
        speaks(page, language)
        page.goto(f"{desk.product.url}/no-such-page")
        for theme in THEMES:
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.reload()
            page.screenshot(path=FOLDER / f"error-404-{language}-{theme}.png")
    desk.complaints.clear()  # a browser calls every answer of 404 an error


def opens_transfer(desk: Desk) -> None:
    panel = desk.page.locator("transfer-panel")
    if not panel.locator("[role=option]").first.is_visible():
        desk.page.keyboard.press("Alt+t")
    expect(panel.locator("[role=option]").first).to_be_visible()


def is_in(desk: Desk, state: str) -> None:
    expect(desk.state).to_have_attribute("data-state", state, timeout=20_000)


@contextmanager
def a_call(lab: Laboratory, hotline: str, patience_ms: int | None = None) -> Iterator[Sipp]:
    behaviour = CallerBehaviour(talk_ms=None, patience_ms=patience_ms)
    with callers(lab, hotline, [Caller(number=KNOWN)], behaviour) as caller:
        yield caller


def take(page: Page, name: str, ready: object = None) -> None:
    """The page as it is, in both languages and themes."""
    for language in LANGUAGES:
        speaks(page, language)
        for theme in THEMES:
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.reload()  # Chromium redraws only a part of light-dark() when the theme changes
            if page.locator("live-socket").count():
                expect(page.locator("connection-light .ready")).to_be_visible()
            if callable(ready):
                ready()
            page.screenshot(path=FOLDER / f"{name}-{language}-{theme}.png")
    page.emulate_media(color_scheme="light")
    speaks(page, "zh_CN")


def speaks(page: Page, language: str) -> None:
    if page.locator("html").get_attribute("lang") != language.replace("_", "-"):
        page.get_by_role("button", name=SWITCH[language]).click()
        expect(page.locator("html")).to_have_attribute("lang", language.replace("_", "-"))


if __name__ == "__main__":
    main()
