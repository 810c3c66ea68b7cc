"""`python -m tests.simulation SEED`: play one story again and say what is wrong with it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.simulation.plans import plan_of
from tests.simulation.stories import judged, only


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--calls", help="only these, by number; - is none")
    parser.add_argument("--faults", help="only these, by number; - is none")
    asked = parser.parse_args()
    plan = plan_of(asked.seed)
    calls, faults = _numbers(asked.calls), _numbers(asked.faults)
    plan = only(
        plan,
        [each for each in plan.calls if calls is None or each.number in calls],
        [each for each in plan.faults if faults is None or each.number in faults],
    )
    for fault in plan.faults:
        print(fault)  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        found = judged(plan, Path(folder))
    print(*(found or ["nothing is wrong"]), sep="\n")  # noqa: T201
    return 1 if found else 0


def _numbers(text: str | None) -> set[int] | None:
    if text is None:
        return None
    return {int(each) for each in text.split(",") if each != "-"}


if __name__ == "__main__":
    sys.exit(main())
