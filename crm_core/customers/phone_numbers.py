"""Phone numbers: what came over a trunk or from a keyboard, normalised once, at the door.

Pure. Chinese numbers are read by a few patterns here (about 2 µs, a repeated one 0.1 µs); foreign
ones, and sites in other regions, by `phonenumbers`, which is slow to load and 20 times slower to
ask. The patterns follow the numbering plan as that library has it; a test compares the two.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache

from crm_core.quick_dataclass import dataclass


class NumberKind(StrEnum):
    """What sort of number it is, seen from the site's region."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    SERVICE = "service"
    """400, 800, 95xxx, 10086, 110 …"""
    EXTENSION = "extension"
    FOREIGN = "foreign"
    HIDDEN = "hidden"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number as the records keep it. `number` is E.164 where possible, else the bare digits;
    None where there is nothing to keep. `extension` is what is dialled after it is answered."""

    number: str | None
    kind: NumberKind
    extension: str | None = None


HIDDEN = Number(number=None, kind=NumberKind.HIDDEN)
UNKNOWN = Number(number=None, kind=NumberKind.UNKNOWN)

MOST_CHARACTERS = 128
"""Longer text is no number, whatever it holds."""
_MOST_DIGITS = 32  # what a column keeps; E.164 ends at 15


def normalise(
    raw: str | None,
    region: str = "CN",
    area_code: str | None = None,
    access_codes: tuple[str, ...] = ("9", "0"),
) -> Number:
    """Read a number as it arrived or was typed.

    `area_code` (`010` or `10`) completes local landlines; `access_codes` are what a private
    exchange puts before outside numbers. Never raises; normalising an answer again gives the same.
    """
    if raw is None:
        return HIDDEN
    if len(raw) > MOST_CHARACTERS:
        return UNKNOWN
    return _normalise(raw, region, area_code, access_codes)


@lru_cache(maxsize=8192)
def _normalise(
    raw: str, region: str, area_code: str | None, access_codes: tuple[str, ...]
) -> Number:
    if raw.isascii() and raw.isdigit():
        return _from_digits(raw, False, region, area_code, access_codes)
    return _from_text(_plain(raw), region, area_code, access_codes)


def national(number: str) -> str:
    """As people in China dial it: +8613800138000 → 13800138000, +861062345678 → 01062345678."""
    if not number.startswith("+86"):
        return number
    significant = number[3:]
    if _MOBILE.fullmatch(significant) or _NATIONWIDE.fullmatch(significant):
        return significant
    return f"0{significant}"


def masked(number: str) -> str:
    """The number without its middle (F27): 138****8000. At most the first 3 and last 4 digits show;
    of fewer than 8 digits the last 2."""
    digits = search_digits(national(number))
    if len(digits) < 8:
        return "*" * (len(digits) - 2) + digits[-2:] if len(digits) > 2 else "*" * len(digits)
    plus = "+" if number.startswith("+") and not number.startswith("+86") else ""
    return f"{plus}{digits[:3]}{'*' * (len(digits) - 7)}{digits[-4:]}"


def search_digits(text: str) -> str:
    """The digits of what somebody typed to find a number; formatting is left out."""
    return "".join(filter(str.isdigit, _plain(text)))


# --- text -----------------------------------------------------------------------------------------

_HIDDEN_WORDS = frozenset(
    [
        "anonymous",
        "blocked",
        "hidden",
        "id-unavailable",
        "masked",
        "no-caller-id",
        "nocallerid",
        "none",
        "not-available",
        "null",
        "private",
        "private-number",
        "restricted",
        "unavailable",
        "unknown",
        "unknown-number",
        "withheld",
        "匿名",
        "匿名来电",
        "未知",
        "未知号码",
        "隐藏",
        "隐藏号码",
        "私人号码",
        "保密",
        "保密号码",
        "无主叫",
        "不可用",
        "无",
    ]
)

# 010-62345678转801, 62345678 分机 801, +1 415 555 2671 ext. 12, tel:+…;ext=12, 62345678#801
_EXTENSION_PART = re.compile(
    r"[\s\-–—,;(]*(?:转接|转|轉|内线|分机号?|ext(?:ension|n)?[.:=\s]*|(?<![a-z*])x[.:\s]*|#)\s*[:：]?\s*"
    r"([0-9]{1,8})[\s)]*$",
    re.IGNORECASE,
)
# 010-62345678-801: a third group behind a landline that is complete without it
_THIRD_GROUP = re.compile(r"(.*[0-9])\s*[-–—]\s*([0-9]{1,6})")
_SCHEME = re.compile(r"^(?:sips?|tel|callto):", re.IGNORECASE)
_IN_ANGLES = re.compile(r"<([^<>]*)>\s*$")


def _plain(text: str) -> str:
    """Digits of every script as ASCII, full-width forms narrow, invisible characters gone."""
    if text.isascii():
        return text
    narrow = unicodedata.normalize("NFKC", text)
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in narrow
        # Cf: zero-width and direction marks, which come along when a number is copied
        if unicodedata.category(char) != "Cf" and (char.isdecimal() or not char.isdigit())
    )


def _from_text(
    text: str, region: str, area_code: str | None, access_codes: tuple[str, ...]
) -> Number:
    inner = _IN_ANGLES.search(text)
    text = (inner.group(1) if inner and inner.group(1).strip() else text).strip(" \t\r\n\"'<>")
    text = _SCHEME.sub("", text).partition("@")[0].strip()
    if not text or re.sub(r"[\s_]+", "-", text.lower()) in _HIDDEN_WORDS:
        return HIDDEN
    found = _EXTENSION_PART.search(text)
    if found and found.start() > 0:
        whole = _from_text(text[: found.start()], region, area_code, access_codes)
        if whole.number is None:
            return UNKNOWN
        return Number(number=whole.number, kind=whole.kind, extension=found.group(1))
    return _without_extension(text, region, area_code, access_codes)


def _without_extension(
    text: str, region: str, area_code: str | None, access_codes: tuple[str, ...]
) -> Number:
    if "**" in text:
        return UNKNOWN  # 138****8000 was masked somewhere: its digits are another number
    plus = text.lstrip("( ").startswith("+")
    if plus or text.startswith("00"):
        text = text.replace("(0)", "")  # +44 (0)20 …: to be dialled inside the country only
    digits = "".join(filter(str.isdigit, text))
    if not digits:
        return UNKNOWN
    number = _from_digits(digits, plus, region, area_code, access_codes)
    if number.kind is NumberKind.UNKNOWN:
        group = _THIRD_GROUP.fullmatch(text)
        if group:
            first = _without_extension(group.group(1), region, area_code, access_codes)
            if first.kind is NumberKind.LANDLINE:
                return Number(number=first.number, kind=first.kind, extension=group.group(2))
    if any(map(str.isalpha, text)) and not (number.number or "").startswith("+"):
        # "room 12" is no extension, and no half of a number
        return Number(number=number.number, kind=NumberKind.UNKNOWN)
    return number


# --- digits ---------------------------------------------------------------------------------------


def _from_digits(
    digits: str,
    plus: bool,
    region: str,
    area_code: str | None,
    access_codes: tuple[str, ...],
) -> Number:
    if len(digits) > _MOST_DIGITS:
        return UNKNOWN
    if region == "CN":
        found = (plus and _abroad_or_home(digits, sure=True)) or _complete(digits)
    else:
        found = _elsewhere(digits, plus, region)
    if found:
        return found
    if region == "CN" and (service := _short_service(digits)):
        return service
    for code in access_codes:
        rest = digits.removeprefix(code)
        if code and rest != digits:
            found = _complete(rest) if region == "CN" else _elsewhere(rest, False, region)
            if found or (region == "CN" and len(rest) >= 5 and (found := _short_service(rest))):
                return found
    if region == "CN" and (found := _local(digits, area_code, access_codes)):
        return found
    kind = NumberKind.EXTENSION if 3 <= len(digits) <= 6 else NumberKind.UNKNOWN
    return Number(number=digits, kind=kind)


_MOBILE = re.compile(r"1[3-9]\d{9}")
_NATIONWIDE = re.compile(r"[48]00\d{7}|95\d{8}")
_AREA_OF_8 = (
    r"(?:10|2[0-57-9]|3(?:11|7[179])|4(?:[15]1|3[1235])|5(?:1\d|2[37]|3[12]|51|7[13-79]|9[15])"
    r"|7(?:[39]1|5[457]|6[09])|8(?:[57]1|98))"
)
_AREA_OF_7 = (
    r"(?:3(?:1[02-9]|35|49|5\d|7[02-6]|9[1-68])|4(?:1[25-9]|2[179]|3[3-9]|5[2-9]|6[47-9]|7\d|8[23])"
    r"|5(?:3[03-9]|4[36]|5[02-9]|6[1-46]|7[028]|80|9[2-46-9])|6(?:3[1-35]|6[0238]|9[12])"
    r"|7(?:01|[17]\d|2[248]|3[04-9]|4[3-6]|5[0-4689]|6[2368]|9[02-9])"
    r"|8(?:1[236-8]|2[5-7]|3\d|5[14-9]|7[02-9]|8[36-8]|9[1-7])"
    r"|9(?:0[1-3689]|1[1-79]|[379]\d|4[13]|5[1-5]))"
)
# Without the 0 only subscribers that begin like real ones, or 86…, 95… and 9-for-outside would be
# read as areas; behind a 0 the area is certain, and eight digits come to more areas each year.
_LANDLINE = re.compile(rf"{_AREA_OF_8}[2-8]\d{{7}}|{_AREA_OF_7}[2-8]\d{{6}}")
_LANDLINE_BEHIND_0 = re.compile(rf"(?:10|2[0-57-9])\d{{8}}|(?:{_AREA_OF_8}|{_AREA_OF_7})\d{{7,8}}")
_AREA_SERVICE = re.compile(
    rf"(?:{_AREA_OF_8}|{_AREA_OF_7})(?:100\d\d|123\d\d|9[56]\d{{3,4}})|(?:10|21)800\d{{7}}"
)
_SHORT_SERVICE = re.compile(
    r"11[0249]|12[02]|1[0-2]\d{3}|11[68]114|9[56]\d{3,4}|95\d{6}|16[08]\d{5}"
)
_LOCAL = re.compile(r"[2-8]\d{6,7}")
_NEAR_COUNTRIES = ("852", "853", "886")  # trunks leave the + away for Hong Kong, Macau, Taiwan


def _complete(digits: str) -> Number | None:
    """A number that says by itself where it is: mobile, area + landline, 400, or from abroad."""
    if _MOBILE.fullmatch(digits):
        return Number(number=f"+86{digits}", kind=NumberKind.MOBILE)
    if digits.startswith("00") and (found := _abroad_or_home(digits[2:], sure=False)):
        return found
    if digits.startswith("0") and (found := _behind_0(digits[1:])):
        return found
    if found := _significant(digits):
        return found
    if digits.startswith("86") and (found := _chinese_from_abroad(digits[2:])):
        return found
    if digits.startswith(_NEAR_COUNTRIES) and len(digits) >= 11:
        return _foreign(digits, sure=False)
    return None


def _significant(digits: str) -> Number | None:
    """A national number without its 0."""
    if _MOBILE.fullmatch(digits):
        return Number(number=f"+86{digits}", kind=NumberKind.MOBILE)
    if _NATIONWIDE.fullmatch(digits):
        return Number(number=f"+86{digits}", kind=NumberKind.SERVICE)
    if _LANDLINE.fullmatch(digits):
        return Number(number=f"+86{digits}", kind=NumberKind.LANDLINE)
    return None


def _behind_0(digits: str) -> Number | None:
    if found := _significant(digits):
        return found
    if _LANDLINE_BEHIND_0.fullmatch(digits):
        return Number(number=f"+86{digits}", kind=NumberKind.LANDLINE)
    if _AREA_SERVICE.fullmatch(digits):
        return Number(number=f"+86{digits}", kind=NumberKind.SERVICE)
    return None


def _chinese_from_abroad(digits: str) -> Number | None:
    """What stands behind 86, where people write the 0 or leave it out."""
    return _behind_0(digits.removeprefix("0"))


def _abroad_or_home(digits: str, *, sure: bool) -> Number | None:
    if digits.startswith("86"):
        return _chinese_from_abroad(digits[2:]) or _short_service(digits[2:])
    return _foreign(digits, sure=sure)


def _short_service(digits: str) -> Number | None:
    if _SHORT_SERVICE.fullmatch(digits):
        return Number(number=digits, kind=NumberKind.SERVICE)
    return None


def _local(digits: str, area_code: str | None, access_codes: tuple[str, ...]) -> Number | None:
    """A landline of the own town, maybe behind an access code."""
    for code in ("", *access_codes):
        rest = digits.removeprefix(code)
        if (not code or rest != digits) and _LOCAL.fullmatch(rest):
            area = (area_code or "").removeprefix("0")
            number = f"+86{area}{rest}" if area else rest
            return Number(number=number, kind=NumberKind.LANDLINE)
    return None


# --- abroad ---------------------------------------------------------------------------------------


def _foreign(digits: str, *, sure: bool) -> Number | None:
    """`sure`: there was a +, so a number of possible length is believed; else only a valid one."""
    import phonenumbers  # 60 ms: not before somebody calls from abroad

    try:
        parsed = phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        return None
    if parsed.country_code == 86:
        return None
    possible = sure and phonenumbers.is_possible_number(parsed)
    if not (possible or phonenumbers.is_valid_number(parsed)):
        return None
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return Number(number=number, kind=NumberKind.FOREIGN)


def _elsewhere(digits: str, plus: bool, region: str) -> Number | None:
    """A number as a site in another region reads it."""
    import phonenumbers
    from phonenumbers import PhoneNumberType as Type

    try:
        parsed = phonenumbers.parse(f"+{digits}" if plus else digits, region)
    except phonenumbers.NumberParseException:
        return None
    possible = plus and phonenumbers.is_possible_number(parsed)
    if not (possible or phonenumbers.is_valid_number(parsed)):
        return None
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if phonenumbers.region_code_for_number(parsed) != region:
        return Number(number=number, kind=NumberKind.FOREIGN)
    kinds = {
        Type.MOBILE: NumberKind.MOBILE,
        Type.FIXED_LINE: NumberKind.LANDLINE,
        Type.FIXED_LINE_OR_MOBILE: NumberKind.LANDLINE,
    }
    return Number(
        number=number,
        kind=kinds.get(phonenumbers.number_type(parsed), NumberKind.SERVICE),
    )
