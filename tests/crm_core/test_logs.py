"""What a line of the log shows, and what it must not, however it was written."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.ids import BootId, PbxId, call_id
from crm_core.log_masks import masked, without_secrets
from crm_core.logs import Lines, about
from crm_core.settings import Settings

CALL = call_id(PbxId("main"), BootId("b1763950000"), "1763950001.1")


def line(message: str, *values: object, style: str = "json", secrets: tuple[str, ...] = ()) -> str:
    record = logging.LogRecord("zuoxi.x", logging.INFO, "x.py", 1, message, values, None)
    return Lines(style, secrets).format(record)


# --- numbers --------------------------------------------------------------------------------------

HOSTILE = [
    "13800138000",
    "+8613800138000",
    "008613800138000",
    "tel:+86-138-0013-8000",
    "sip:13800138000@pbx:5060",
    "PJSIP/13800138000-00000001",
    "(010) 6552 0000",
    "138.0013.8000",
    "138_0013_8000",
    "138\u00a00013\u20108000",
    "138\u200b0013\u200b8000",
    repr("138\u200b0013\u200b8000"),
    json.dumps("138\u200b00138000"),
    "138\t0013\n8000",
    "１３８００１３８０００",
    "٠١٣٨٠٠١٣٨٠٠٠",
    quote("+8613800138000"),
    "%31%33%38%30%30%31%33%38%30%30%30",
    "x13800138000x",
    "名13800138000字",
    "13800138000\u2028forged",
    "65520000",
    "6552-000",
]
SHOWN = re.compile(r"(?:%3\d|\d)(?:[^0-9A-Za-z*@]*(?:%3\d|\d)){6}")


@pytest.mark.parametrize("number", HOSTILE)
def test_a_number_is_masked_however_it_is_written(number: str) -> None:
    for said in (masked(number), masked(f"from {number}, again")):
        assert "****" in said
        assert not SHOWN.search(said), said


@given(
    digits=st.text("0123456789０１２３٤٥٦7", min_size=7, max_size=15),
    between=st.sampled_from(["", " ", "-", ".", "\u200b", "%20", " - "]),
    around=st.sampled_from(["{}", "a{}b", "<{}>", "id={};", "/{}/", "\u4e2d{}\u6587"]),
)
def test_no_seven_digits_of_a_number_are_left_together(
    digits: str, between: str, around: str
) -> None:
    said = masked(around.format(between.join(digits)))
    assert not SHOWN.search(said), said


@pytest.mark.parametrize(
    "harmless",
    [
        CALL,
        f"call {CALL}: the caller could not be looked up",
        "2026-11-24T14:04:40.123456Z",
        "2026-11-24 14:04:40",
        "lab-1763950001.12",
        "b1763950000",
        "192.168.100.200:43562",
        "extension 8001, agent 1001, 200000 events",
    ],
)
def test_what_is_no_number_stays_readable(harmless: str) -> None:
    assert masked(harmless) == harmless


def test_the_ends_of_a_number_are_left_to_find_it_by() -> None:
    assert masked("from 13800138000.") == "from 138****8000."
    assert masked("from 65520000") == "from 65****00"


# --- any record -----------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["text", "json"])
def test_values_and_tracebacks_are_masked_like_the_sentence(
    style: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("zuoxi.x")
    try:
        raise ValueError("no such customer: 13800138000")
    except ValueError:
        log.exception("%s rang at %r", "13911110000", {"number": "+8613700137000"})
    said = Lines(style).format(caplog.records[0])
    assert said.count("****") == 4  # the line of code, too
    assert "ValueError: no such customer: 138****8000" in said


def test_a_line_in_json_is_json_and_says_which_call_and_request_it_is_about() -> None:
    with about(request="bcdfgh"):
        found = json.loads(line("call %s ended", CALL))
    assert (found["call_id"], found["request"]) == (CALL, "bcdfgh")
    assert (found["event"], found["logger"], found["level"]) == (
        f"call {CALL} ended",
        "zuoxi.x",
        "info",
    )
    assert "request" not in json.loads(line("later"))


async def test_what_a_line_is_about_goes_with_the_task_and_no_further() -> None:
    async def inside() -> str:
        return line("x")

    with about(request="mine"):
        task = asyncio.create_task(inside())
    assert json.loads(await task)["request"] == "mine"
    assert "request" not in json.loads(line("x"))


@pytest.mark.parametrize("style", ["text", "json"])
def test_nobody_forges_a_line(style: str) -> None:
    said = line("%s rang", "a\n2026-11-24T00:00:00Z [info] all is well\r\x1b[2J\u2028", style=style)
    assert len(said.splitlines()) == 1
    assert "\x1b[2J" not in said


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_line_that_cannot_be_written_is_told_without_its_values(style: str) -> None:
    said = line("%d rang", "13800138000", style=style)
    assert "could not be written" in said
    assert "138" not in said
    assert style == "text" or json.loads(said)


# --- secrets --------------------------------------------------------------------------------------

CANARIES = {
    "ami": "canary-ami-secret",
    "control": "canary:control@secret",
    "database": "canary-db",
}
SETTINGS = Settings(
    database_url=f"postgresql://zuoxi:{CANARIES['database']}@127.0.0.1/zuoxi",
    pbx_urls=(
        f"ami://events:{CANARIES['ami']}@127.0.0.1:5038/main"
        f"?control=ctl:{quote(CANARIES['control'])}"
    ),
)


def test_the_settings_know_their_secrets() -> None:
    assert set(CANARIES.values()) == SETTINGS.secrets
    escaped = Settings(database_url="postgresql://u:p%40ssword@127.0.0.1/z")
    assert escaped.secrets == {"p%40ssword", "p@ssword"}
    assert Settings(pbx_urls="demo:").secrets == frozenset()


@pytest.mark.parametrize("secret", CANARIES.values())
def test_a_secret_of_the_settings_is_in_no_line(secret: str) -> None:
    said = line("the answer was %r", f"Secret: {secret}", secrets=tuple(SETTINGS.secrets))
    assert secret not in said
    assert "(hidden)" in said


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("Authorization: Bearer zx_AAAA-bbbb_cccc1111", "zx_AAAA"),
        ("authorization: bearer abcDEF.123", "abcDEF"),
        ("GET /api/v1/calls?token=zx_AAAAbbbbcccc", "zx_AAAA"),
        ("/set-up/Qm9q-f00_bar failed", "Qm9q"),
        ("connect postgresql://zuoxi:hunter22@db/zuoxi failed", "hunter22"),
        ("ami://events:s%40cret@10.0.0.5/main", "s%40cret"),
        ("password=hunter22&name=limin", "hunter22"),
        ("Secret: hunter22", "hunter22"),
        ("DETAIL:  Failing row contains (7, 张三, A, null).", "张三"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(said: str, secret: str) -> None:
    assert secret not in without_secrets(said)
    assert "(hidden)" in without_secrets(said)


async def test_an_error_of_the_database_shows_no_values(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as wrong:
            await connection.execute(
                text("INSERT INTO no_such_table (name) VALUES (:name)"), {"name": "张三"}
            )
    assert "张三" not in str(wrong.value)
