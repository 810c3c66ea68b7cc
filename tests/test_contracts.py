"""The import contracts bite: each is kept as the code stands, and broken by a planted import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("telephony", "routing", "crm_core", "agent_ui")

PLANTED = {
    "telephony, routing and agent_ui meet only": ("routing/membership.py", "import telephony.ami"),
    "crm_core knows none of the other three": ("crm_core/bus.py", "import routing.membership"),
    "nothing imports the composition root": ("agent_ui/app.py", "import zuoxi"),
    "only agent_ui serves the web": ("telephony/service.py", "import fastapi"),
    "pure cores do no I/O": ("telephony/calls/tracker.py", "import asyncio"),
    "panoramisk only behind telephony/ami": ("telephony/service.py", "import panoramisk"),
    "nobody uses pyst2 yet": ("telephony/service.py", "import asterisk.agi"),
    "only telephony/ami/link.py speaks": ("telephony/service.py", "import telephony.ami.encoder"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contracts")
    for package in PACKAGES:
        leave = shutil.ignore_patterns("node_modules", "static", "templates", "traces")
        shutil.copytree(ROOT / package, folder / package, ignore=leave)
    shutil.copy(ROOT / "zuoxi.py", folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> str:
    command = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{command}; lint_imports_command(['--no-cache'])"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_all_contracts_are_kept(copy: Path) -> None:
    said = lint(copy)
    assert "0 broken" in said
    assert all(f"{name}" in said for name in PLANTED), said


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_import_breaks_its_contract(copy: Path, contract: str) -> None:
    name, planted = PLANTED[contract]
    file = copy / name
    honest = file.read_text("utf-8")
    future = "from __future__ import annotations\n"
    try:
        file.write_text(honest.replace(future, f"{future}\n{planted}\n", 1), "utf-8")
        broken = [line for line in lint(copy).splitlines() if line.endswith("BROKEN")]
    finally:
        file.write_text(honest, "utf-8")
    assert any(line.startswith(contract) for line in broken), broken
