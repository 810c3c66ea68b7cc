"""Phone numbers: a table of forms people and trunks really send, and rules that hold for every text."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers.data.region_CN import PHONE_METADATA_CN

from crm_core.customers.phone_numbers import (
    Number,
    NumberKind,
    masked,
    national,
    normalise,
    search_digits,
)

FORMS = Path(__file__).with_name("phone_forms.csv")
ESCAPES = {r"\t": "\t", r"\r": "\r", r"\n": "\n", r"\u200e": "\u200e", r"\u200b": "\u200b"}


def forms() -> list[tuple[str, Number]]:
    """The table; invisible characters are written as escapes there."""
    rows = []
    with FORMS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            raw = row["raw"].replace(r"\u00a0", "\u00a0")
            for escape, char in ESCAPES.items():
                raw = raw.replace(escape, char)
            expected = Number(
                number=row["number"] or None,
                kind=NumberKind(row["kind"]),
                extension=row["extension"] or None,
            )
            rows.append((raw, expected))
    return rows


def test_the_table_has_hundreds_of_forms_of_every_kind() -> None:
    table = forms()
    assert len(table) >= 200
    assert {number.kind for _raw, number in table} == set(NumberKind)


@pytest.mark.parametrize(("raw", "expected"), forms())
def test_form_is_read_as_the_table_says(raw: str, expected: Number) -> None:
    assert normalise(raw) == expected


@pytest.mark.parametrize(
    ("raw", "area_code", "number"),
    [
        ("62345678", "010", "+861062345678"),
        ("62345678", "10", "+861062345678"),
        ("962345678", "010", "+861062345678"),
        ("7654321", "0310", "+863107654321"),
        ("13800138000", "010", "+8613800138000"),
        ("10086", "010", "10086"),
        ("8001", "010", "8001"),
    ],
)
def test_area_code_completes_local_landlines_only(raw: str, area_code: str, number: str) -> None:
    assert normalise(raw, area_code=area_code).number == number


def test_without_access_codes_a_leading_9_stays() -> None:
    assert normalise("913800138000", access_codes=()).number == "913800138000"


def test_no_number_at_all_is_hidden() -> None:
    assert normalise(None) == Number(number=None, kind=NumberKind.HIDDEN)


def test_site_in_another_region_reads_its_own_numbers() -> None:
    assert normalise("9123 4567", "HK") == Number(number="+85291234567", kind=NumberKind.MOBILE)
    assert normalise("2123 4567", "HK") == Number(number="+85221234567", kind=NumberKind.LANDLINE)
    assert normalise("+86 138 0013 8000", "HK").number == "+8613800138000"
    assert normalise("+86 138 0013 8000", "HK").kind is NumberKind.FOREIGN


# --- the same as phonenumbers ---------------------------------------------------------------------


def national_numbers(kind: str) -> st.SearchStrategy[str]:
    """Every national number of this kind, as the library's own pattern has it."""
    pattern: str = getattr(PHONE_METADATA_CN, kind).national_number_pattern
    return st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)


MOBILES = national_numbers("mobile")
LANDLINES = national_numbers("fixed_line").filter(lambda digits: len(digits) >= 10)
NATIONWIDE = st.from_regex(r"[48]00[0-9]{7}", fullmatch=True)


def e164(digits: str) -> str:
    parsed = phonenumbers.parse(digits, "CN")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


@given(MOBILES | NATIONWIDE, st.sampled_from(["", "+86", "0086"]))
def test_mobile_and_400_are_what_phonenumbers_says(digits: str, prefix: str) -> None:
    assert normalise(prefix + digits).number == e164(f"+86{digits}")


@given(LANDLINES, st.sampled_from(["0", "+86", "0086", "+860"]))
def test_landline_is_what_phonenumbers_says(digits: str, prefix: str) -> None:
    assert normalise(prefix + digits).number == e164(f"+86{digits}")


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS - {"CN"})


@pytest.mark.parametrize("region", REGIONS)
def test_example_number_of_every_country_is_foreign_and_e164(region: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    wanted = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    shown = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    for form in (wanted, shown, f"00{wanted[1:]}"):
        assert normalise(form) == Number(number=wanted, kind=NumberKind.FOREIGN)


# --- rules for every text -------------------------------------------------------------------------

ANY_TEXT = st.text(max_size=200) | st.text(alphabet="0123456789+-() 转ext#*９＋", max_size=40)


@given(ANY_TEXT)
@example("+9 13800138000")
@example("0" * 33)
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    if once.number is not None:
        assert normalise(once.number).number == once.number


@given(ANY_TEXT, st.sampled_from(["CN", "HK", "US", "XX"]))
def test_whatever_comes_is_kept_in_a_column_or_not_at_all(text: str, region: str) -> None:
    number = normalise(text, region).number
    assert number is None or re.fullmatch(r"\+?[0-9]{1,32}", number)


@given(
    st.sampled_from(["13800138000", "01062345678", "4001234567", "+14155552671", "10086"]),
    st.data(),
)
def test_formatting_changes_nothing(number: str, data: st.DataObject) -> None:
    noise = st.sampled_from(["", "", " ", "-", ".", "/", "\u00a0", "－", "\u200b"])
    noisy = "".join(char + data.draw(noise) for char in number)
    wide = {char: chr(ord(char) + 0xFEE0) for char in "0123456789+"}
    noisy = "".join(wide.get(char, char) if data.draw(st.booleans()) else char for char in noisy)
    assert normalise(noisy) == normalise(number)


# --- masking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13212343550", "132****3550"),
        ("+8613212343550", "132****3550"),
        ("+861062345678", "010****5678"),
        ("+864001234567", "400***4567"),
        ("+85221234567", "+852****4567"),
        ("62345678", "623*5678"),
        ("7654321", "*****21"),
        ("10086", "***86"),
        ("8001", "**01"),
        ("110", "*10"),
        ("12", "**"),
        ("", ""),
    ],
)
def test_number_is_masked_as_f27_says(number: str, shown: str) -> None:
    assert masked(number) == shown


@given(st.from_regex(r"\+?[0-9]{0,32}", fullmatch=True))
def test_mask_shows_at_most_the_first_three_and_the_last_four(number: str) -> None:
    number = normalise(number).number or number
    shown, digits = masked(number), search_digits(national(number))
    visible = [char for char in shown if char.isdigit()]
    assert len(visible) <= (7 if len(digits) >= 8 else 2)
    assert shown.lstrip("+").count("*") + len(visible) == len(digits)


@given(ANY_TEXT)
def test_masked_number_is_no_number(text: str) -> None:
    number = normalise(text).number
    if number is not None and len(search_digits(number)) >= 3:
        assert normalise(masked(number)).number != number


def test_national_form_is_what_people_dial() -> None:
    assert national("+8613800138000") == "13800138000"
    assert national("+8675583123456") == "075583123456"
    assert national("+864001234567") == "4001234567"
    assert national("+14155552671") == "+14155552671"
    assert national("8001") == "8001"
