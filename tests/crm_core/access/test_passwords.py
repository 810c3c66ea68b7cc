"""Passwords: which are taken, how they are checked, what is made for a first sign-in."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher

from crm_core.access.passwords import (
    hash_password,
    one_time_password,
    outdated,
    verify,
    weakness,
)
from crm_core.errors import Invalid


@pytest.mark.parametrize(
    "password", ["", "short", "1234567", "12345678", "Password1", "aaaaaaaaaa", "x" * 257, "limin"]
)
async def test_weak_password_is_refused_with_a_sentence(password: str) -> None:
    with pytest.raises(Invalid, match=r"The password .*\."):
        await hash_password(password, name="limin")


def test_sign_in_name_is_no_password() -> None:
    assert weakness("Wang.Fang", name="wang.fang") is not None
    assert weakness("坐席一号的密码真长", name="wang.fang") is None


async def test_only_the_right_password_is_right() -> None:
    stored = await hash_password("correct horse")
    assert stored.startswith("$argon2id$")
    assert await verify(stored, "correct horse")
    assert not await verify(stored, "correct horse ")
    assert not await verify(None, "correct horse")
    assert not await verify("not a hash", "correct horse")
    assert not await verify(stored, "x" * 100_000)


async def test_nobody_costs_as_much_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[str] = []
    real = PasswordHasher.verify

    def counted(*given: Any) -> Any:
        worked.append(str(given[1]))
        return real(*given)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    assert not await verify(None, "whatever it is")
    [checked] = worked
    assert not outdated(checked)  # a whole hash of today's parameters, not an empty one


async def test_hash_of_weaker_days_is_outdated() -> None:
    assert outdated(PasswordHasher(time_cost=1, memory_cost=8192).hash("x"))
    assert not outdated(await hash_password("correct horse"))


def test_one_time_passwords_differ_and_can_be_read_out() -> None:
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert weakness(password) is None
        assert not set(password) & set("01oliO I")
