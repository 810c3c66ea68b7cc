"""A seed's story played and judged; a bad one is made as small as it is cheap, and can be played again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from tests.simulation.invariants import complaints
from tests.simulation.plans import CallPlan, Fault, Plan, plan_of
from tests.simulation.play import Play

MOST_TRIES = 120


@dataclass(slots=True)
class Tally:
    """What a run of seeds has met."""

    calls: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    faults_each: list[int] = field(default_factory=list)
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)

    def add(self, play: Play) -> None:
        self.calls.append(len(play.truth.calls))
        self.faults.update(fault.kind for fault in play.plan.faults)
        self.faults_each.append(len(play.plan.faults))
        self.seconds += play.clock.now
        for call in play.truth.calls:
            self.outcomes.update(str(stay.outcome or "died") for stay in call.passes)

    def __str__(self) -> str:
        return (
            f"{len(self.calls)} seeds, {sum(self.calls)} calls (median {median(self.calls):g} a seed), "
            f"{self.faults.total()} faults (median {median(self.faults_each):g}), "
            f"{self.seconds / 3600:.0f} hours\n"
            f"faults: {_counts(self.faults)}\npasses: {_counts(self.outcomes)}"
        )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def judged(plan: Plan, folder: Path, tally: Tally | None = None) -> list[str]:
    """What is wrong with this story. A crash of the product's own code is wrong, too."""
    play = Play(plan, folder)
    try:
        play.run()
        found = complaints(play)
    except Exception as wrong:
        return [f"{type(wrong).__name__}: {wrong}"]
    finally:
        play.close()
    if tally is not None:
        tally.add(play)
    return found


def first_bad(seeds: Iterable[int], folder: Path, tally: Tally | None = None) -> str | None:
    """The sentence about the first seed that goes wrong; None: all is well."""
    for seed in seeds:
        plan = plan_of(seed)
        if found := judged(plan, folder, tally):
            return said(smaller(plan, folder), found)
    return None


def said(plan: Plan, found: Sequence[str]) -> str:
    calls = ",".join(str(call.number) for call in plan.calls)
    faults = ",".join(str(fault.number) for fault in plan.faults)
    return "\n".join(
        (
            f"seed {plan.seed}: {len(found)} things are wrong",
            *(f"  {each}" for each in found[:10]),
            f"again, with the {len(plan.calls)} calls and {len(plan.faults)} faults it takes:",
            f"  python -m tests.simulation {plan.seed} --calls {calls or '-'} --faults {faults or '-'}",
        )
    )


def smaller(plan: Plan, folder: Path) -> Plan:
    """Without the faults and calls that it does not take: first halves, then one by one."""
    tries = 0

    def is_bad(some: Plan) -> bool:
        nonlocal tries
        tries += 1
        return tries <= MOST_TRIES and bool(judged(some, folder))

    for fault in plan.faults:
        without = only(plan, plan.calls, [each for each in plan.faults if each is not fault])
        plan = without if is_bad(without) else plan
    size = len(plan.calls) // 2
    while size:
        for begin in range(0, len(plan.calls), size):
            kept = [*plan.calls[:begin], *plan.calls[begin + size :]]
            without = only(plan, kept, plan.faults)
            plan = without if is_bad(without) else plan
        size //= 2
    return plan


def only(plan: Plan, calls: Iterable[CallPlan], faults: Iterable[Fault]) -> Plan:
    return replace(plan, calls=tuple(calls), faults=tuple(faults))
