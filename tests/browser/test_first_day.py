"""The first day: an imported set-up, nobody there; by the set-up link to a new agent who has taken a
real call. What a person must click and fill in is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import yaml
from playwright.sync_api import Locator, Page, expect

from tests.browser.centre import SUPPORT, a_setup, put_on
from tests.browser.conftest import Floor
from tests.browser.desk import a_browser_of
from tests.harness import Product, a_product, wait_until
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = [pytest.mark.asterisk, pytest.mark.browser]

MOST_STEPS = 25
ADMINISTRATORS, AGENTS = "ein-verwalter-7", "eine-agentin-8"


@dataclass
class Hand:
    """Whoever clicks and types; every step counts."""

    page: Page
    steps: int = 0

    def click(self, target: Locator) -> None:
        self.steps += 1
        target.click()

    def fill(self, label: str, text: str) -> None:
        self.steps += 1
        self.page.get_by_label(label, exact=True).fill(text)


@pytest.fixture
def empty(
    installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Laboratory, Product]]:
    with ExitStack() as stack:
        lab = stack.enter_context(Laboratory())
        put_on(lab)
        folder = tmp_path_factory.mktemp("first-day")
        product = stack.enter_context(a_product(folder, {"ZUOXI_PBX_URLS": lab.url}))
        setup = yaml.safe_load(a_setup())
        del setup["people"]
        text = yaml.safe_dump(setup, allow_unicode=True)
        (folder / "centre.yaml").write_text(text, encoding="utf-8")
        product.zuoxi("import", "setup", "centre.yaml")
        product.start()
        yield lab, product


def set_up_link(product: Product) -> str:
    """As it stands at the terminal."""
    link = re.compile(r"http://\S+/set-up/\S+")
    wait_until("the link is printed", lambda: link.search(product.log()), 10)
    found = link.search(product.log())
    assert found is not None
    return found.group(0)


def test_from_the_set_up_link_to_a_call_taken_by_a_new_agent(
    floor: Floor, empty: tuple[Laboratory, Product], capsys: pytest.CaptureFixture[str]
) -> None:
    lab, product = empty
    with a_browser_of(floor.browser, product) as boss, a_browser_of(floor.browser, product) as chen:
        hand = Hand(boss.page)
        hand.page.goto(set_up_link(product))
        hand.fill("登录名", "boss")
        hand.fill("新密码（至少 8 个字符）", ADMINISTRATORS)
        hand.fill("再次输入新密码", ADMINISTRATORS)
        hand.click(hand.page.get_by_role("button", name="开始"))
        hand.click(hand.page.get_by_role("link", name="添加人员").first)
        hand.fill("姓名", "陈静")
        hand.fill("登录名", "chenjing")
        hand.click(hand.page.get_by_role("checkbox", name="售后", exact=True))
        hand.click(hand.page.get_by_role("button", name="添加"))
        password = hand.page.locator("#handed-password").inner_text().strip()
        administered = hand.steps

        hand = Hand(chen.page)
        hand.page.goto(product.url)
        hand.fill("用户名", "chenjing")
        hand.fill("密码", password)
        hand.click(hand.page.get_by_role("button", name="登录"))
        hand.fill("当前密码", password)
        hand.fill("新密码（至少 8 个字符）", AGENTS)
        hand.fill("再次输入新密码", AGENTS)
        hand.click(hand.page.get_by_role("button", name="保存"))
        hand.click(hand.page.get_by_label("8001"))
        hand.click(hand.page.get_by_role("button", name="签入"))
        chen.is_ready()
        with phones(lab, PhoneBehaviour(answer_after_ms=500)):
            behaviour = CallerBehaviour(talk_ms=1500)
            with callers(lab, SUPPORT, [Caller(number="13800000101")], behaviour) as caller:
                expect(chen.state).to_contain_text("通话中", timeout=15_000)
                caller.wait(20)
        expect(chen.own_calls).to_have_count(1)

        boss.page.goto(f"{product.url}/people")
        row = boss.page.get_by_role("row").filter(has_text="陈静")
        for part in ("1001", "chenjing", "坐席", "售后一班", "已签入 8001"):
            expect(row).to_contain_text(part)
        boss.page.goto(f"{product.url}/calls")
        expect(boss.page.get_by_role("row").filter(has_text="陈静")).to_contain_text("已接听")
        steps = administered + hand.steps
        with capsys.disabled():
            print(f"\n  clicks and fields from the set-up link to the first call: {steps}")  # noqa: T201
        assert steps <= MOST_STEPS
        assert boss.complaints + chen.complaints == []


def test_a_start_with_an_administrator_prints_no_link(
    floor: Floor, empty: tuple[Laboratory, Product]
) -> None:
    _, product = empty
    first = set_up_link(product)
    product.stop()
    product.start()
    wait_until("another link", lambda: product.log().count("/set-up/") == 2, 10)
    with a_browser_of(floor.browser, product) as boss:
        boss.page.goto(first)
        expect(boss.page.get_by_text("这个设置链接已失效")).to_be_visible()
    product.zuoxi("user", "add", "boss", "--role", "admin", "--password-stdin", stdin="long-enough")
    product.stop()
    product.start()
    wait_until("it is up", lambda: product.log().count("Zuoxi 0.") >= 3, 10)
    product.stop()
    assert product.log().count("/set-up/") == 2
