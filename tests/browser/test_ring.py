"""It rings on a real phone: whose file opens at which desk, how soon, and who has it afterwards."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.centre import KNOWN, LIMIN, PAIR, SHARED, ZHANGWEI, ZHAOLEI
from tests.browser.conftest import Floor
from tests.browser.desk import Desk, a_browser_of, signs_in
from tests.lab.scenarios import PhoneBehaviour
from tests.lab.sipp import phones

pytestmark = [pytest.mark.asterisk, pytest.mark.browser]

DEADLINE_SECONDS = 2.0


def test_the_pop_opens_with_the_customers_file_within_the_deadline(
    floor: Floor, limin: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=1500)) as phone, floor.a_call(KNOWN):
        expect(limin.pop).to_be_visible()
        for part in ("王建国", "A 级客户", "苏州恒泰纺织有限公司", "138 **** 0101", "呼入", "售后"):
            expect(limin.pop).to_contain_text(part)
        expect(limin.pop).to_contain_text("华东售后热线")
        expect(limin.pop).to_contain_text("您好，华东设备售后服务")
        expect(limin.state).to_contain_text("振铃")
        expect(limin.page).to_have_title("☎ 王建国")
        expect(limin.bar).to_contain_text("王建国")
        expect(limin.pop).to_have_count(0)
        expect(limin.who).to_contain_text("HD-320 空压机")
        expect(limin.state).to_contain_text("通话中")
        (rang,) = phone.calls
        ((call, visible_ms),) = limin.seen["popped"].items()
    took = visible_ms / 1000 - rang.began_at.timestamp()
    with capsys.disabled():
        print(f"\n  from the phone's first ring to the pop on the screen: {took * 1000:.0f} ms")  # noqa: T201
    assert limin.seen["offered"] == [call]
    assert took < DEADLINE_SECONDS


def test_both_desks_of_ringall_pop_and_the_one_who_answers_has_the_call(
    floor: Floor, limin: Desk
) -> None:
    with (
        a_browser_of(floor.browser, floor.product) as zhangwei,
        a_browser_of(floor.browser, floor.product) as zhaolei,
        phones(floor.lab, PhoneBehaviour(answer_after_ms=3000), group=ZHANGWEI.group),
        phones(floor.lab, PhoneBehaviour(answer_after_ms=None), group=ZHAOLEI.group) as rung,
    ):
        signs_in(zhangwei, ZHANGWEI)
        signs_in(zhaolei, ZHAOLEI)
        with floor.a_call(KNOWN, PAIR):
            for desk in (zhangwei, zhaolei):
                expect(desk.pop).to_contain_text("王建国")
            expect(zhangwei.note).to_be_visible()
            expect(zhaolei.pop).to_have_count(0)
            expect(zhaolei.card).to_have_count(0)
        zhaolei.is_ready()
        expect(zhangwei.own_calls).to_have_count(1)
        zhaolei.page.goto(f"{zhaolei.product.url}/calls")
        row = zhaolei.page.get_by_role("row").filter(has_text="王建国")
        expect(row).to_contain_text("张伟")
        row.get_by_role("link").first.click()
        expect(zhaolei.page.get_by_text("他处接听").first).to_be_visible()
        assert [call.end for call in rung.calls] == ["cancelled"]
        assert zhangwei.complaints + zhaolei.complaints == []
        assert zhangwei.addresses | zhaolei.addresses == limin.addresses
    # Her colleague talked with this caller a moment ago: that is what she reads first.
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=1500)), floor.a_call(KNOWN):
        badge = limin.pop.locator(".repeat")
        expect(badge).to_contain_text("重复来电")
        expect(badge).to_contain_text("张伟")
        expect(badge).to_contain_text("分钟")
        expect(limin.card.locator(".repeat")).to_contain_text("张伟")


def test_an_unknown_caller_becomes_a_customer_and_is_known_next_time(
    floor: Floor, limin: Desk
) -> None:
    number = "13312345678"
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=500)):
        with floor.a_call(number, talk_ms=None):
            expect(limin.who).to_contain_text("陌生来电")
            expect(limin.who).to_contain_text("133 **** 5678")
            limin.who.get_by_label("姓名").fill("郑雅丽")
            limin.who.get_by_label("单位").fill("无锡太湖茶业")
            limin.who.get_by_role("button", name="保存为新客户").click()
            expect(limin.who.get_by_role("heading").first).to_have_text("郑雅丽")
            expect(limin.bar).to_contain_text("郑雅丽")
            limin.page.keyboard.press("Alt+q")
            limin.is_ready()
            limin.submits()
        with floor.a_call(number):
            expect(limin.pop.or_(limin.who).first).to_contain_text("郑雅丽")
            expect(limin.who).to_contain_text("无锡太湖茶业")


def test_several_customers_with_one_number_are_chosen_by_key(floor: Floor, limin: Desk) -> None:
    with (
        phones(floor.lab, PhoneBehaviour(answer_after_ms=1000)),
        floor.a_call(SHARED, talk_ms=None),
    ):
        expect(limin.pop).to_contain_text("多个客户使用此号码")
        names = limin.who.locator(".match b")
        expect(names).to_have_count(2)
        second = names.nth(1).inner_text()
        limin.page.keyboard.press("2")
        expect(limin.who.get_by_role("heading").first).to_have_text(second)
        limin.page.keyboard.press("Alt+q")


def test_a_caller_who_hides_the_number_is_nobodys_file(floor: Floor, limin: Desk) -> None:
    with phones(floor.lab, PhoneBehaviour(answer_after_ms=1000)), floor.a_call(None):
        expect(limin.pop).to_contain_text("号码隐藏")
        expect(limin.who).to_contain_text("无法查找客户")
        expect(limin.who.get_by_role("textbox")).to_have_count(0)


def test_a_ring_that_nobody_takes_is_missed(floor: Floor, limin: Desk) -> None:
    before = limin.own_calls.count()
    with (
        phones(floor.lab, PhoneBehaviour(answer_after_ms=None)),
        floor.a_call(KNOWN, patience_ms=1500),
    ):
        expect(limin.pop).to_be_visible()
        expect(limin.pop).to_have_count(0)
        limin.is_ready()
    assert limin.own_calls.count() == before


def test_alt_q_ends_the_call_of_the_caller(floor: Floor, limin: Desk) -> None:
    with (
        phones(floor.lab, PhoneBehaviour(answer_after_ms=300)) as phone,
        floor.a_call(KNOWN, talk_ms=None) as caller,
    ):
        limin.note.press_sequentially("说到一半")
        limin.page.keyboard.press("Alt+q")
        caller.wait(10)
        assert [call.end for call in caller.calls] == ["other"]
        assert [call.end for call in phone.calls] == ["other"]
    expect(limin.bar).to_be_hidden()
    limin.is_ready()
    expect(limin.note).to_have_value("说到一半")
    assert LIMIN.extension in limin.page.locator(".foot").inner_text()
