"""What is shipped is named, with its licence; lock files hold hashes and no address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ["requirements.lock", "requirements-dev.lock", "agent_ui/frontend/package-lock.json"]


def test_every_locked_package_stands_in_third_party() -> None:
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text("utf-8"), re.M)
    named = (ROOT / "THIRD_PARTY.md").read_text("utf-8")
    assert locked
    assert [name for name in locked if f"| {name} |" not in named] == []
    assert "| ? |" not in named


def test_what_the_browser_loads_stands_there_with_its_licence() -> None:
    """`make vendor` writes the fragment; here it is between its two marks, word for word."""
    vendor = ROOT / "agent_ui/static/vendor"
    whole = (ROOT / "THIRD_PARTY.md").read_text("utf-8")
    between = re.search(r"<!-- vendor:begin -->\n(.*)<!-- vendor:end -->", whole, re.S)
    assert between is not None
    assert between[1].strip() == (vendor / "THIRD_PARTY.fragment.md").read_text("utf-8").strip()
    shipped = {file.name for file in vendor.iterdir()} - {"vendor.json", "THIRD_PARTY.fragment.md"}
    assert shipped
    assert [name for name in shipped if f"`{name}`" not in between[1]] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_file_holds_an_address(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text("utf-8")


def test_every_locked_package_is_pinned_by_hash() -> None:
    for lock in LOCKS[:2]:
        text = (ROOT / lock).read_text("utf-8")
        entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
        assert entries
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
