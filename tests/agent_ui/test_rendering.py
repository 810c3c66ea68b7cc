"""What templates make of values: spaces, times, escapes, and nothing misspelt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from agent_ui.desk.view import Note
from agent_ui.live.regions import DRAWINGS, Region
from agent_ui.rendering import LANGUAGES, Renderer, duration, iso, phone
from tests.agent_ui.samples import (
    DESKS,
    NOW,
    TALKING,
    WANG_BAR,
    WANG_CARD,
    WANG_POP,
    a_shell,
    pages,
)

SHANGHAI = Renderer(ZoneInfo("Asia/Shanghai"))
EVERY_PAGE = [(name, language) for name in pages() for language in LANGUAGES]


class Outline(HTMLParser):
    """Tags, ids and attributes of a page; raises where an element is not closed."""

    VOID = frozenset({"meta", "link", "input", "br", "use", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()


def page(name: str, language: str = "zh_CN") -> str:
    template, context = pages()[name]
    return SHANGHAI.render(template, language, **context)


# --- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "language"), EVERY_PAGE)
def test_a_page_is_whole_and_every_id_is_one(name: str, language: str) -> None:
    outline = Outline(page(name, language))
    assert len(outline.ids) == len(set(outline.ids))
    assert ("html", "lang", LANGUAGES[language]) in outline.attributes


@pytest.mark.parametrize(("name", "language"), EVERY_PAGE)
def test_a_page_has_nothing_that_its_content_security_policy_refuses(
    name: str, language: str
) -> None:
    for tag, attribute, value in Outline(page(name, language)).attributes:
        assert attribute != "style"
        assert not attribute.startswith("on"), f"{tag} {attribute}"
        if attribute in ("href", "src", "action"):
            assert value.startswith(("/", "#")), f"{tag} {attribute}={value}"


@pytest.mark.parametrize(("name", "language"), EVERY_PAGE)
def test_what_is_described_or_controlled_is_on_the_page(name: str, language: str) -> None:
    outline = Outline(page(name, language))
    for tag, attribute, value in outline.attributes:
        if attribute in ("for", "aria-controls", "aria-labelledby", "aria-describedby", "form"):
            assert value in outline.ids, f"{tag} {attribute}={value}"


def test_a_value_that_a_template_does_not_get_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        SHANGHAI.render("desk/page.html", "zh_CN", shell=a_shell())


def test_a_language_that_nobody_knows_reads_chinese() -> None:
    template, context = pages()["sign-in"]
    assert SHANGHAI.render(template, "fr", **context) == page("sign-in", "zh_CN")


# --- what people wrote ----------------------------------------------------------------------------

EVIL = "<img src=x onerror=alert(1)>\"'%(x)s %d"


def test_markup_in_a_name_is_shown_and_not_run() -> None:
    bar = replace(WANG_BAR, name=EVIL, hotline=EVIL, queue=EVIL)
    pop = replace(WANG_POP, name=EVIL, company=EVIL, greeting=EVIL, grade=EVIL)
    desk = replace(TALKING, bars=(bar,), pops=(pop,))
    html = SHANGHAI.render("desk/page.html", "en", shell=a_shell(), page=desk)
    assert "<img" not in html
    assert "%(x)s %d" in html
    Outline(html)


@given(st.text(max_size=40))
def test_any_name_leaves_the_card_whole(name: str) -> None:
    pop = replace(WANG_POP, name=name or None, hotline=name, grade=name)
    Outline(SHANGHAI.render("desk/screen_pop.html", "zh_CN", pop=pop))


def test_a_sentence_that_comes_with_an_error_is_translated_if_it_is_known() -> None:
    assert SHANGHAI.text("Sign in first.", "zh_CN") == "请先登录。"
    assert SHANGHAI.text("100 % unknown", "zh_CN") == "100 % unknown"


# --- the desk -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DESKS)
def test_a_region_is_drawn_the_same_for_the_page_and_for_a_push(name: str) -> None:
    whole = " ".join(page(f"desk-{name}").split())
    for region, drawing in DRAWINGS.items():
        value: Any = getattr(DESKS[name], drawing.variable)
        if value is None:  # no phone is drawn for a real PBX
            assert region is Region.DEMO_PHONE
            assert "demo-phone" not in whole.partition("<body")[2]
            continue
        html = SHANGHAI.render(drawing.template, "zh_CN", **{drawing.variable: value})
        outline = Outline(html)
        assert outline.ids[0] == region.value
        assert " ".join(html.split()) in whole


def test_a_pop_says_who_why_what_was_said_last_and_what_to_say() -> None:
    html = SHANGHAI.render("desk/screen_pop.html", "zh_CN", pop=WANG_POP)
    said = [
        "王建国",
        "A 级客户",
        "138 **** 8000",
        "呼入 · 华东售后热线 · 售后队列",
        "重复来电",
        "47 分钟前接通，接待：李敏 · 已解决",
        "上次联系",
        "已告知配件今日到库",
        "您好，华东售后热线",
    ]
    places = [html.index(words) for words in said]
    assert places == sorted(places)
    assert 'role="alertdialog"' in html
    assert 'aria-modal="false"' in html


def test_the_repeat_badge_reads_well_in_english() -> None:
    html = SHANGHAI.render("desk/screen_pop.html", "en", pop=WANG_POP)
    assert "connected 47 min ago, with 李敏 · 已解决" in html


def test_a_second_call_is_a_second_card() -> None:
    html = page("desk-two-calls")
    assert html.count('class="call-card"') == 2
    assert html.count('role="tab"') == 2


def test_while_the_link_is_lost_everything_is_unknown_and_nothing_offline() -> None:
    html = page("desk-link-lost")
    assert "状态未知" in html
    assert "离线" not in html
    assert html.count("is-unknown") >= 4


def test_several_customers_are_chosen_by_keys() -> None:
    html = page("desk-several")
    assert [f'data-key="Digit{n}"' in html for n in (1, 2, 3)] == [True] * 3
    assert html.index('name="customer"') < html.index('name="disposition"')


def test_a_hidden_caller_is_said_to_be_hidden_and_nobody_is_looked_up() -> None:
    html = page("desk-hidden")
    assert "主叫隐藏了号码" in html
    assert "联系记录" not in html


def test_who_may_not_write_notes_sees_no_form() -> None:
    desk = replace(TALKING, cards=(replace(WANG_CARD, note=None),))
    html = SHANGHAI.render("desk/page.html", "zh_CN", shell=a_shell(), page=desk)
    assert "<note-editor" not in html


def test_navigation_holds_only_what_the_viewer_may_open() -> None:
    shell = a_shell("/calls")
    assert shell.viewer is not None
    reader = replace(shell, viewer=replace(shell.viewer, has_desk=False))
    template, context = pages()["calls"]
    html = SHANGHAI.render(template, "en", **{**context, "shell": reader})
    assert 'href="/calls"' in html
    assert 'href="/desk"' not in html


# --- filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (0, "00:00"),
        (59.9, "00:59"),
        (151, "02:31"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (36_610, "10:10:10"),
        (-5, "00:00"),
        (timedelta(minutes=2), "02:00"),
    ],
)
def test_durations_read_as_on_a_stopwatch(seconds: float | timedelta | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("138****8000", "138 **** 8000"),
        ("13800138000", "138 0013 8000"),
        ("+8613800138000", "+86 138 0013 8000"),
        ("+862061238899", "+86 20 6123 8899"),
        ("+861061238899", "+86 10 6123 8899"),
        ("+8651288880001", "+86 512 8888 0001"),
        ("+4930123456", "+4930123456"),
        ("051****8800", "051 **** 8800"),
        ("*****42", "***** 42"),
        ("4008001234", "4008001234"),
        ("anonymous", "anonymous"),
        ("", ""),
    ],
)
def test_numbers_read_in_groups(number: str, shown: str) -> None:
    assert phone(number) == shown


@given(st.text(alphabet="0123456789+*#", max_size=20))
def test_grouping_adds_nothing_but_spaces(number: str) -> None:
    assert phone(number).replace(" ", "") == number


def test_times_are_the_sites_own() -> None:
    at = datetime(2026, 11, 18, 16, 42, 7, 123_456, tzinfo=UTC)
    shown = {
        zone: Renderer(ZoneInfo(zone)).render(
            "desk/note.html",
            "en",
            card=WANG_CARD,
            note=Note(saved_at=at),
        )
        for zone in ("Asia/Shanghai", "Europe/Paris")
    }
    assert "00:42:07" in shown["Asia/Shanghai"]
    assert "17:42:07" in shown["Europe/Paris"]


def test_stopwatches_start_at_an_instant_in_utc() -> None:
    assert iso(NOW + timedelta(microseconds=123_456)) == "2026-11-18T08:42:07.123Z"
    assert iso(NOW.astimezone(ZoneInfo("Asia/Shanghai"))) == "2026-11-18T08:42:07.000Z"
