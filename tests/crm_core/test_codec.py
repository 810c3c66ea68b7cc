"""Events survive the way into JSON and back; what is not an event of ours is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_core import events
from crm_core.codec import from_json, to_json, to_text
from crm_core.errors import Invalid
from crm_core.events import Event

CLASSES = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
]
instants = st.integers(0, 4 * 10**15).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_kind_of_event_comes_back_as_it_went(kind: type[Event]) -> None:
    @given(st.builds(kind, at=instants))
    @settings(max_examples=20)
    def check(event: Event) -> None:
        assert from_json(json.loads(json.dumps(to_json(event)))) == event
        assert json.loads(to_text(event)) == json.loads(json.dumps(to_json(event)))

    st.register_type_strategy(datetime, instants)
    st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))  # a larger one fits no column
    check()


def a_tick_as_json() -> dict[str, Any]:
    return {"type": "Tick", "at": "2026-11-24T10:00:00Z", "pbx": "lab"}


def test_unknown_field_is_refused() -> None:
    with pytest.raises(Invalid, match="surprise"):
        from_json(a_tick_as_json() | {"surprise": 1})


@pytest.mark.parametrize("name", ["Nonsense", None, 3, "__class__", ["Tick"]])
def test_unknown_kind_is_refused(name: object) -> None:
    with pytest.raises(Invalid, match="unknown kind of event"):
        from_json(a_tick_as_json() | {"type": name})


def test_wrong_value_is_refused_with_the_name_of_its_field() -> None:
    with pytest.raises(Invalid, match=r"Tick\.at"):
        from_json(a_tick_as_json() | {"at": "yesterday"})
