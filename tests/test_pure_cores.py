"""Pure cores stay pure: what import contracts cannot see (clocks, ids, dice, files) is seen here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PURE = [
    "crm_core/ids.py",
    "crm_core/events.py",
    "crm_core/commands.py",
    "crm_core/agents/rules.py",
    "crm_core/agents/agent.py",
    "crm_core/agents/lines.py",
    "crm_core/agents/states.py",
    "crm_core/centre/plan.py",
    "crm_core/centre/holders.py",
    "crm_core/call_log/timeline.py",
    "crm_core/call_log/dials.py",
    "crm_core/call_log/reconcile.py",
    "crm_core/customers/phone_numbers.py",
    "crm_core/live_board/board.py",
    "routing/inbound",
    "routing/membership.py",
    "telephony/ami/messages.py",
    "telephony/ami/reading.py",
    "telephony/calls",
    "telephony/doctor/sight.py",
    "telephony/doctor/accounts.py",
    "telephony/doctor/book_rules.py",
    "telephony/doctor/queue_rules.py",
    "telephony/doctor/dialplan_rules.py",
    "telephony/queue_log/parser.py",
    "telephony/queue_log/merge.py",
    "telephony/queue_log/dials.py",
    "telephony/queue_log/member_rows.py",
    "agent_ui/live/regions.py",
    "agent_ui/desk/own_state.py",
    "agent_ui/desk/view.py",
    "agent_ui/desk/who.py",
    "agent_ui/calls/view.py",
]

IMPURE = {"now", "today", "utcnow", "uuid4", "random", "os", "threading", "open"}


def pure_files() -> list[Path]:
    found = [ROOT / name for name in PURE]
    return [file for path in found for file in (path.rglob("*.py") if path.is_dir() else [path])]


def impurities(source: str) -> list[str]:
    """Every name in `source` that reads a clock, draws a number, makes an id or opens a file."""
    seen = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name.split(".")[0] for alias in node.names]
            names.append((getattr(node, "module", None) or "").split(".")[0])
        elif isinstance(node, ast.Name):
            names = [node.id]
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        else:
            continue
        seen += [f"line {node.lineno}: {name}" for name in names if name in IMPURE]
    return seen


@pytest.mark.parametrize("file", pure_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_pure_core_reads_no_clock_and_draws_no_number(file: Path) -> None:
    assert impurities(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        "from datetime import datetime\ndatetime.now()",
        "import uuid\nuuid.uuid4()",
        "import random",
        "import os.path",
        "from os import environ",
        "open('x')",
        "from random import choice",
    ],
)
def test_a_planted_impurity_is_seen(planted: str) -> None:
    assert impurities(planted) != []


def test_every_pure_core_that_is_listed_exists() -> None:
    assert [name for name in PURE if not (ROOT / name).exists()] == []
