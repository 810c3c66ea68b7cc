"""What a start loads before its first answer: milliseconds of every start are libraries.

`make bench` measures the time; here stands what it must not be spent on.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.harness import ROOT

LATER = {
    "alembic": "only a database that is not at this version",
    "argon2": "the first password",
    "babel": "the first page",
    "jinja2": "the first page",
    "limits": "the first sign-in",
    "panoramisk": "the PBX is followed once pages answer",
    "phonenumbers": "the first number from abroad",
    "sqlalchemy.dialects.postgresql": "only a database on PostgreSQL",
    "structlog": "the first line of the log",
    "telephony.service": "the PBX is followed once pages answer",
    "yaml": "a set-up file",
}
"""Library → who needs it first."""

FIRST_ANSWER = """
import agent_ui.service, crm_core.migrations, crm_core.service, routing.service, zuoxi
from crm_core.db import engine_of
engine_of("sqlite:///:memory:")
"""
HELP = """
import contextlib, zuoxi
with contextlib.suppress(SystemExit):
    zuoxi.main(["--help"])
"""


def loaded_by(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint('LOADED', *sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.fixture(scope="module")
def first_answer() -> set[str]:
    return loaded_by(FIRST_ANSWER)


@pytest.mark.parametrize("library", LATER)
def test_first_answer_does_not_wait_for(library: str, first_answer: set[str]) -> None:
    assert library not in first_answer, f"is needed first by: {LATER[library]}"


def test_help_loads_nothing_that_works(first_answer: set[str]) -> None:
    heavy = {"asyncio", "sqlalchemy", "pydantic", "fastapi"}
    assert heavy <= first_answer
    assert heavy & loaded_by(HELP) == set()


SLOW = re.compile(r"^from dataclasses import .*\bdataclass\b(?! as)", re.MULTILINE)
QUICK = "@dataclass(frozen=True, slots=True, kw_only=True)"
HASHED_ALL_DAY = {"crm_core/ids.py"}
"""Keys of dictionaries: the standard library's `hash` takes 60 ns less."""


def test_values_that_every_start_declares_are_declared_quickly() -> None:
    files = [
        file for name in ("crm_core", "agent_ui", "routing") for file in (ROOT / name).rglob("*.py")
    ]
    texts = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}
    slow = {name for name, text in texts.items() if QUICK in text and SLOW.search(text)}
    assert slow - HASHED_ALL_DAY == set(), "import dataclass from crm_core.quick_dataclass"
