"""`zuoxi demo` as a visitor meets it: the real command, a real browser, the drawn phone lifted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from crm_core.call_log.demo_history import DEMO_PAST, Colleague, PastCall
from tests.harness import ROOT, free_port, wait_until

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("ZUOXI_TEST_CHROMIUM") or shutil.which("chromium") or "chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
PEOPLE = {"limin", "zhangwei", "wangfang", "admin"}
ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
UP_SECONDS = 60.0
RING_SECONDS = 10.0


class Demo:
    """The command in a folder of its own, with no home and none of our settings."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._words = folder / "demo.out"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._words.open("wb") as out:
            self._process = subprocess.Popen(
                self._command(), stdout=out, stderr=out, cwd=self.folder, env=ENVIRON
            )
        slack = wait_until("zuoxi demo is up", lambda: "take seat" in self.words(), UP_SECONDS)
        print(f"zuoxi demo is up with {slack:.1f} s of {UP_SECONDS:g} to spare")  # noqa: T201

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(20)

    def second(self) -> subprocess.CompletedProcess[str]:
        """The same once more, from another folder: it must find its port taken."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        return subprocess.run(
            self._command(),
            cwd=elsewhere,
            env=ENVIRON,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def words(self) -> str:
        """What the terminal shows. Raises when the command has ended."""
        words = self._words.read_text(encoding="utf-8")
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"zuoxi demo ended: {words[-3000:]}")
        return words

    def people(self) -> dict[str, str]:
        """Name → password, as the terminal shows them."""
        return dict(re.findall(r"^  (\w+) +(\w{4}(?:-\w{4}){3}) ", self.words(), re.MULTILINE))

    @property
    def url(self) -> str:
        found = re.search(r"http://\S+", self.words())
        assert found
        return found[0]

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "zuoxi", "demo", "--port", str(self.port)]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    found = Demo(tmp_path)
    found.start()
    yield found
    assert found.stop() == 0


@pytest.fixture
def page() -> Iterator[Page]:
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(locale="zh-CN", viewport={"width": 1280, "height": 720})
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda wrong: complaints.append(str(wrong)))
        yield page
        browser.close()
    assert complaints == []


def sign_in(page: Page, demo: Demo, name: str) -> None:
    page.goto(demo.url)
    page.get_by_label("用户名").fill(name)
    page.get_by_label("密码").fill(demo.people()[name])
    page.get_by_role("button", name="登录").click()


def takers(past: PastCall) -> set[Colleague]:
    """Who was rung by it."""
    return {*past.missed_by, *((past.taken_by,) if past.taken_by else ())}


def test_a_visitor_lifts_the_phone_writes_a_note_and_finds_the_call(demo: Demo, page: Page) -> None:
    assert set(demo.people()) == PEOPLE
    taken = demo.second()
    assert taken.returncode == 1
    assert f"Port {demo.port} of this machine is taken by another program" in taken.stderr

    sign_in(page, demo, "limin")
    page.get_by_label("8001").check()
    page.get_by_role("button", name="签入").click()
    began = time.monotonic()
    pop, phone = page.get_by_role("alertdialog"), page.locator("#demo-phone")
    expect(pop).to_contain_text("王建国", timeout=RING_SECONDS * 1000)
    expect(pop).to_contain_text("重复来电")  # he talked with a colleague 52 minutes ago
    print(f"the phone rang with {RING_SECONDS - (time.monotonic() - began):.1f} s to spare")  # noqa: T201
    expect(phone).to_have_attribute("data-state", "ringing")
    expect(page.locator("#call-bar")).to_be_hidden()  # nobody answers but who lifts

    phone.get_by_role("button", name="摘机").click()
    expect(phone).to_have_attribute("data-state", "talking")
    expect(pop).to_have_count(0)
    expect(page.locator("#call-bar")).to_contain_text("王建国")
    expect(page.get_by_label("小结内容")).to_be_visible()
    page.keyboard.press("Digit1")
    expect(page.get_by_label("已解决")).to_be_checked()
    note = "问维修进度，已告知明日上门。"
    page.get_by_label("小结内容").fill(note)
    expect(page.locator("[data-saved]")).to_contain_text("保存于")
    phone.get_by_role("button", name="挂机").click()
    expect(phone).to_have_attribute("data-state", "ready")
    page.get_by_role("button", name="提交小结").click()
    expect(page.locator(".call-card")).to_have_count(0)

    page.get_by_role("link", name="通话", exact=True).click()
    own = [past for past in DEMO_PAST if "limin" in {who.name for who in takers(past)}]
    expect(page.locator("tbody tr")).to_have_count(len(own) + 1)
    expect(page.locator("tbody tr").first).to_contain_text("王建国")
    page.locator("tbody a").first.click()
    expect(page.locator("main")).to_contain_text(note)
    expect(page.locator("main")).to_contain_text("已解决")


def test_a_second_start_goes_on_with_what_was_kept(demo: Demo, page: Page) -> None:
    former = demo.people()
    assert demo.stop() == 0
    demo.start()
    assert set(demo.people()) == PEOPLE
    assert demo.people() != former
    sign_in(page, demo, "wangfang")
    expect(page).to_have_url(re.compile("/live$"))
    expect(page.locator("main")).to_contain_text("售后")
