"""`python -m tests.faults`: the long run. Ten thousand real calls, a hundred faults, one seed."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.bench import a_bench
from tests.faults.run import run, schedule
from tests.lab import install


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--per-second", type=float, default=12)
    asked = parser.parse_args()
    if reason := install.why_not():
        parser.error(reason)
    install.install()
    print(f"seed {asked.seed}: {asked.calls} calls, {asked.faults} faults", flush=True)  # noqa: T201
    faults = schedule(asked.seed, asked.faults)
    # Faults take about seven seconds each; what is left of the time is calm between them.
    pause = max(1.0, asked.calls / asked.per_second / asked.faults - 7)
    with tempfile.TemporaryDirectory() as folder, a_bench(Path(folder), asked.seed) as bench:
        verdict = run(bench, faults, calls=asked.calls, per_second=asked.per_second, pause=pause)
    print(verdict)  # noqa: T201
    return 1 if verdict.wrong or len(verdict.happenings) < asked.faults else 0


if __name__ == "__main__":
    sys.exit(main())
