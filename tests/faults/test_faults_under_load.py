"""Hundreds of real calls while everything between and below fails: the two books are equal afterwards.

`make long` is the same with ten thousand calls and a hundred faults of every kind.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.bench import a_bench
from tests.faults.run import run, schedule

pytestmark = pytest.mark.asterisk

SEED = 3


def test_five_hundred_calls_and_six_kinds_of_fault(
    installed: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Red where the comparer reads only the present file after a rotation (440 differences), and where a
    dead link comes back before it is given up (facts lost that no gap books)."""
    with a_bench(tmp_path / "product", SEED) as bench:
        verdict = run(bench, schedule(SEED, 6), calls=480, per_second=12, pause=2.0)
    with capsys.disabled():
        print(f"\nseed {SEED}\n{verdict}")  # noqa: T201
    assert verdict.wrong == ()
    assert verdict.passes >= 400
    assert len({each.fault for each in verdict.happenings}) == 6
