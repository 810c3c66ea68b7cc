"""Whatever a caller calls himself, and whatever stands in a customer's file, is text and nothing else."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.centre import (
    HOSTILE,
    HOSTILE_ADDRESS,
    HOSTILE_COMPANY,
    HOSTILE_NAME,
    HOSTILE_REMARK,
    SUPPORT,
)
from tests.browser.conftest import Floor
from tests.browser.desk import Desk
from tests.lab.asterisk import CARRIER
from tests.lab.raw_sip import ring_and_give_up
from tests.lab.scenarios import PhoneBehaviour
from tests.lab.sipp import phones

pytestmark = [pytest.mark.asterisk, pytest.mark.browser]

NAMES = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    "<svg/onload=alert(3)>",
    "javascript:alert(4)",
    "&quot;&gt;'`{{7*7}}${7*7}",
    "\u202egnp.exe\u2066",
    "👩‍💻<b>",
    "王" * 200,
)

UNTOUCHED = "document.querySelectorAll('img, main script, iframe, a[href^=javascript]').length"


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:16])
def test_a_hostile_caller_name_does_nothing(floor: Floor, limin: Desk, name: str) -> None:
    def looks_on() -> None:
        expect(limin.pop).to_contain_text("陌生来电")
        expect(limin.pop).to_contain_text("138 **** 8000")
        assert limin.page.evaluate(UNTOUCHED) == 0
        assert limin.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    address = b'"' + name.encode() + b'" <sip:13800138000@' + CARRIER.encode() + b">"
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=None)):
        assert ring_and_give_up(floor.lab, SUPPORT, address, patience=looks_on) == 487
        expect(limin.pop).to_have_count(0)


def test_a_hostile_customers_file_is_shown_letter_by_letter(floor: Floor, limin: Desk) -> None:
    with (
        phones(floor.lab, PhoneBehaviour(answer_after_ms=1500)),
        floor.a_call(HOSTILE, name="<b>x"),
    ):
        expect(limin.pop.get_by_role("heading")).to_have_text(HOSTILE_NAME)
        expect(limin.pop).to_contain_text(HOSTILE_COMPANY)
        expect(limin.page).to_have_title(f"☎ {HOSTILE_NAME}")
        for text in (HOSTILE_NAME, HOSTILE_COMPANY, HOSTILE_ADDRESS, HOSTILE_REMARK):
            expect(limin.who).to_contain_text(text)
        limin.note.fill("</textarea><script>alert(5)</script>")
        assert limin.page.evaluate(UNTOUCHED) == 0
        assert limin.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    limin.submits()
    limin.own_calls.first.get_by_role("link").click()
    expect(limin.page.locator(".record-note")).to_have_text("</textarea><script>alert(5)</script>")
    assert limin.page.evaluate(UNTOUCHED) == 0
    limin.page.goto(f"{limin.product.url}/desk")
