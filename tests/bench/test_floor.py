"""The age of the live queues is taken from what the page was sent; what it was never sent is told."""

from __future__ import annotations

from typing import Any, cast

import orjson

from tests.bench.clients import Client
from tests.bench.floor import ages, busy_since, judge
from tests.bench.traffic import Ring

NUMBERS = ["1000", "1001"]


def region(at: float, id_: str, *numbers: str) -> tuple[float, bytes]:
    state = id_.removeprefix("agents-")
    tiles = "".join(f'<li data-agent="{n}"\n    data-state="{state}">' for n in numbers)
    return at, orjson.dumps({"type": "region", "id": id_, "html": tiles})


def ring(agent: int, at: float) -> tuple[Ring, float]:
    return Ring(f"lab-1.{at}", agent, None), at


class Page:
    """A page that was sent these frames."""

    closed, farewell = False, ""

    def __init__(self, *frames: tuple[float, bytes]) -> None:
        changed = orjson.dumps({"type": "agent.changed"})
        self._frames = [*frames, *((9.0, changed) for _ in range(60))]

    def frames(self) -> list[tuple[float, bytes]]:
        return self._frames


def judged(rings: list[tuple[Ring, float]], *frames: tuple[float, bytes]) -> Any:
    return judge(rings, [cast(Client, Page(*frames))], NUMBERS, 1.0)


def test_an_age_runs_from_the_ring_to_the_first_sight_of_it() -> None:
    frames = (
        region(1.2, "agents-ringing", "1000"),
        region(1.4, "agents-ringing", "1000", "1001"),
        region(1.6, "agents-ready", "1000"),
    )
    busy = busy_since(frames)
    assert busy == {"1000": [1.2], "1001": [1.4]}
    found = list(ages([ring(0, 1.0), ring(1, 1.1)], busy, NUMBERS))
    assert [round(age, 3) for age in sorted(found)] == [0.2, 0.3]


def test_a_ring_that_was_never_shown_takes_no_age_from_the_next_one() -> None:
    busy = busy_since((region(5.2, "agents-talking", "1000"),))
    assert [round(age, 3) for age in ages([ring(0, 1.0), ring(0, 5.0)], busy, NUMBERS)] == [0.2]


def test_a_page_that_was_shown_too_little_has_no_figure() -> None:
    shown = region(1.2, "agents-ringing", "1000")
    assert judged([ring(0, 1.0)], shown).wrong == []
    assert judged([ring(0, 1.0), ring(1, 1.0)], shown).wrong == ["page 0: 1 of 2 rings were shown"]


def test_too_quiet_a_floor_proves_nothing() -> None:
    page = Page(region(1.2, "agents-ringing", "1000"))
    found = judge([ring(0, 1.0)], [cast(Client, page)], NUMBERS, 10.0)
    assert found.wrong == ["only 6 changes of state a second"]
