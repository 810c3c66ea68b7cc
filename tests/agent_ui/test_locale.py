"""Both languages are complete, and say what the glossary says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_ui.rendering import HERE, LANGUAGES
from tests.agent_ui.messages import Key, messages_in_catalogue, messages_in_sources

SOURCES = messages_in_sources()
ZH = messages_in_catalogue("zh_CN")
EN = messages_in_catalogue("en")
HAN = re.compile(r"[\u4e00-\u9fff]")
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")

WITHOUT_HAN: set[Key] = {(", ", None)}
"""Messages that are no words: punctuation between names."""

GLOSSARY = {
    ("Agent", None): "坐席",
    ("Agent no. %(number)s", None): "工号",
    ("Extension", None): "分机",
    ("Sign in", "agent"): "签入",
    ("Sign out", "agent"): "签出",
    ("Sign in", "page"): "登录",
    ("Offline", None): "离线",
    ("Ready", None): "空闲",
    ("Ringing", None): "振铃",
    ("Talking", None): "通话中",
    ("On hold", None): "保持",
    ("Wrap-up", None): "整理",
    ("Paused", None): "小休",
    ("Missed", None): "未接",
    ("State unknown", None): "状态未知",
    ("Queue", None): "队列",
    ("Hotline", None): "热线",
    ("Called number", None): "被叫号码",
    ("Disposition", None): "处理结果",
    ("Repeat call", None): "重复来电",
    ("Inbound", None): "呼入",
    ("Outbound", None): "呼出",
    ("Abandoned", None): "放弃",
    ("Customer", None): "客户",
    ("Contacts", None): "联系人",
    ("Hang up", None): "挂断",
}

FORBIDDEN = {
    # people and places
    "座席": "坐席",
    "代理": "坐席",
    "经纪人": "坐席",
    "用户代表": "坐席",
    "接线员": "坐席",
    "监督员": "班长",
    "监管": "班长",
    "团队": "班组",
    "小组": "班组",
    "座位": "工位",
    "扩展号": "分机",
    "延伸": "分机",
    "员工号": "工号",
    "客人": "客户",
    "顾客": "客户",
    "用户资料": "客户资料",
    "联络人": "联系人",
    # calls
    "呼叫者": "来电者",
    "呼叫日志": "通话记录",
    "调用": "通话",
    "谈话": "通话",
    "入站": "呼入",
    "出站": "呼出",
    "响铃": "振铃",
    "铃响": "振铃",
    "错过": "未接",
    "漏接": "未接",
    "遗弃": "放弃",
    "丢弃": "放弃",
    "抛弃": "放弃",
    "转移": "转接",
    "传送": "转接",
    "挂起": "保持",
    "切断": "挂断",
    "重拨": "重复拨打",
    "重复呼叫": "重复来电",
    "屏幕弹出": "来电弹屏",
    "队伍": "队列",
    "等候区": "队列",
    # states
    "就绪": "空闲",
    "准备好": "空闲",
    "待命": "空闲",
    "脱机": "离线",
    "下线": "离线",
    "收尾": "整理",
    "包装": "整理",
    "后处理": "整理",
    "未知状态": "状态未知",
    # records
    "票据": "工单",
    "票证": "工单",
    "罚单": "工单",
    "处置": "处理结果",
    "性情": "处理结果",
    "战役": "外呼活动",
    "竞选": "外呼活动",
    "返回访问": "回访",
    # the page
    "登陆": "登录",
    "登入": "登录",
    "登出": "退出登录",
    "注销": "退出登录",
    "缺省": "默认",
    "帐号": "账号",
    "帐户": "账户",
    "非法": "无效",
    "您": "(for customers, not for staff)",
}
"""Words that a dictionary gives and the trade does not use → the glossary's (domain section 5)."""

HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?!()]|[,;?!()][\u4e00-\u9fff]")
"""Latin punctuation at a Han character: Chinese sentences have full-width punctuation."""


@pytest.mark.parametrize("catalogue", [ZH, EN], ids=["zh_CN", "en"])
def test_every_message_is_translated_and_none_is_left_over(
    catalogue: dict[Key, tuple[str, ...]],
) -> None:
    assert set(catalogue) == SOURCES
    assert [key for key, texts in catalogue.items() if not all(texts)] == []


def test_chinese_is_written_in_chinese() -> None:
    bare = {key for key, texts in ZH.items() if not all(HAN.search(text) for text in texts)}
    assert bare == WITHOUT_HAN


def test_english_has_no_chinese_characters() -> None:
    assert [key for key, texts in EN.items() if any(HAN.search(text) for text in texts)] == []


@pytest.mark.parametrize("catalogue", [ZH, EN], ids=["zh_CN", "en"])
def test_a_translation_has_the_placeholders_of_its_message(
    catalogue: dict[Key, tuple[str, ...]],
) -> None:
    for (message, _), texts in catalogue.items():
        for text in texts:
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(message))
            assert "%" not in PLACEHOLDER.sub("", text)


def test_the_words_are_those_of_the_glossary() -> None:
    assert {key: ZH[key][0] for key in GLOSSARY if GLOSSARY[key] not in ZH[key][0]} == {}


def test_no_forbidden_word_is_used() -> None:
    found = {
        (wrong, text): right
        for texts in ZH.values()
        for text in texts
        for wrong, right in FORBIDDEN.items()
        if wrong in text
    }
    assert found == {}


def test_the_list_of_forbidden_words_is_long_enough_to_matter() -> None:
    assert len(FORBIDDEN) >= 40
    assert not [word for word in FORBIDDEN if any(word in right for right in GLOSSARY.values())]


def test_chinese_sentences_have_chinese_punctuation() -> None:
    plain = {key: PLACEHOLDER.sub("x", texts[0]) for key, texts in ZH.items()}
    assert {key: text for key, text in plain.items() if HALF_WIDTH.search(text)} == {}


def test_templates_hold_no_words_of_their_own() -> None:
    """Chinese characters in a template are words that English readers would see."""
    switch = {"language.html"}  # names each language in itself
    holding = [
        path.relative_to(HERE).as_posix()
        for path in sorted((HERE / "templates").rglob("*.html"))
        if HAN.search(path.read_text(encoding="utf-8")) and path.name not in switch
    ]
    assert holding == []


def test_there_are_two_languages() -> None:
    folders = {path.name for path in Path(HERE / "locale").iterdir()}
    assert folders == set(LANGUAGES) == {"zh_CN", "en"}
