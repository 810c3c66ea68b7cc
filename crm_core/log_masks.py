"""What a line of the log must not show, found in any text: phone numbers, secrets, refused rows. Pure.

Phone numbers are looked for as people, trunks, addresses and hostile callers write them. What may be
taken for one and is not (calls, moments, Uniqueids, IP addresses) is known by its shape and stays
readable; a count of seven digits does not, which harms nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_DIGIT = r"(?:%3[0-9]|\d)"  # `\d` knows the digits of all scripts; `%38` is an 8 in an address
_BETWEEN = (
    r"(?:[\s\u3000().\-_\u2010-\u2015\u2212\u00b7\uff08\uff09\uff0e\uff0d"
    r"\u200b-\u200f\u2060\ufeff]|%20|%2[DdEe]|\\{1,2}(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})){0,3}"
)
_NUMBER = rf"{_DIGIT}(?:{_BETWEEN}{_DIGIT}){{6,}}"

_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]\d|\d)"
_NO_NUMBER = "|".join(
    (
        r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])",  # a call
        r"(?<!\d)20\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,6})?)?(?!\d)",
        r"(?<![\d.])1[6-9]\d{8}\.\d{1,7}(?![\d.])",  # a Uniqueid
        r"(?<![0-9A-Za-z])b1[6-9]\d{8}(?![0-9A-Za-z])",  # a run of Asterisk
        rf"(?<![\d.])(?:{_BYTE}\.){{3}}{_BYTE}(?::\d{{1,5}})?(?![\d.])",
    )
)
_EITHER = re.compile(f"(?P<none>{_NO_NUMBER})|{_NUMBER}")
_ONE_DIGIT = re.compile(_DIGIT)


def masked(text: str) -> str:
    """`text` with everything that may be a phone number reduced to its ends: 138****8000."""
    return _EITHER.sub(_ends, text)


def _ends(found: re.Match[str]) -> str:
    if found["none"] is not None:
        return found[0]
    digits = "".join(each[-1] for each in _ONE_DIGIT.findall(found[0]))
    first, last = (3, 4) if len(digits) >= 11 else (2, 2)
    return f"{digits[:first]}****{digits[-last:]}"


HIDDEN: Final = "(hidden)"
SHORTEST_SECRET: Final = 6
"""A shorter one would be found in words that are none."""

_BY_SHAPE = re.compile(
    r"(?<![A-Za-z0-9])zx_[A-Za-z0-9_-]{8,}"  # a token of ours
    r"|(?<=/set-up/)[^/\s?\"']+"  # a link by which the first administrator is made
    r"|(?i:(?<=bearer ))[^\s\"',;]+"
    r"|(?i:(?<=secret[:=])|(?<=password[:=])|(?<=passwd[:=]))\s*[^\s\"',;&}]+"
    r"|(?<=://)[^\s/@]+(?=@)"  # user and password of an address
    r"|(?<=Failing row contains \()[^\n]*(?=\))"  # PostgreSQL repeats the whole row
)


def without_secrets(text: str, known: Iterable[str] = ()) -> str:
    """`text` without the `known` ones, and without what looks like one."""
    for secret in known:
        text = text.replace(secret, HIDDEN)
    return _BY_SHAPE.sub(HIDDEN, text)
