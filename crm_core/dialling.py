"""What is dialled to reach a number, and the name of an attempt to dial it."""

from __future__ import annotations

import secrets
from datetime import datetime

from crm_core.customers.phone_numbers import national, normalise
from crm_core.errors import Invalid

NOT_A_NUMBER = "This is not a number that can be dialled."


def dialled_digits(typed: str, region: str) -> str:
    """The digits that the site's carrier is sent, from a number as it is kept or was typed.

    `+8613800138000` → `13800138000`, `+861062345678` → `01062345678`, foreign ones behind `00`. Which
    may be dialled at all is the list of the site (`telephony.dialplan.Site.numbers`). Raises `Invalid`.
    """
    number = normalise(typed, region).number if typed.isprintable() else None
    if number is None or "*" in typed:
        raise Invalid(NOT_A_NUMBER)
    digits = _at_home(number, region) if number.startswith("+") else number
    if not (digits.isascii() and digits.isdecimal() and 2 <= len(digits) <= 24):
        raise Invalid(NOT_A_NUMBER)
    return digits


def _at_home(number: str, region: str) -> str:
    if region == "CN":
        at_home = national(number)
        return at_home if not at_home.startswith("+") else f"00{number[1:]}"
    import phonenumbers  # slow to load, and no site in China needs it here

    read = phonenumbers.parse(number, None)
    if phonenumbers.region_code_for_number(read) != region:
        return f"00{number[1:]}"
    shape = phonenumbers.PhoneNumberFormat.NATIONAL
    return "".join(filter(str.isdigit, phonenumbers.format_number(read, shape)))


def new_attempt(at: datetime) -> str:
    """The Uniqueid of the channel that is to be made. Like Asterisk's own it ends in its second: where
    calls join, Asterisk finds the older one by that."""
    return f"zx{secrets.token_hex(6)}-{int(at.timestamp())}.{at.microsecond}"
