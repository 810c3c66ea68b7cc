"""The quick `dataclass` beside the standard library's: what is told apart by a reader is a defect."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.quick_dataclass import dataclass

OPTIONS = {"frozen": True, "slots": True, "kw_only": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Of the module, as pickle wants it."""

    agent: str
    seconds: int = 0
    queues: list[str] = dataclasses.field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredRing(Ring):
    by: str


names = st.lists(
    st.sampled_from(["agent", "queue", "at", "self_", "_hidden", "seconds", "call"]), unique=True
)
values = st.one_of(st.integers(), st.text(), st.none(), st.booleans(), st.tuples(st.integers()))


@st.composite
def declared_twice(draw: st.DrawFn) -> tuple[type[Any], type[Any], list[str]]:
    """One class declared by both, some fields with a default, and its fields' names."""
    fields = draw(names)
    body: dict[str, Any] = {"__annotations__": dict.fromkeys(fields, "object")}
    for name in fields:
        if draw(st.booleans()):
            body[name] = draw(values)

    def declare(by: Callable[..., Any]) -> type[Any]:
        made: type[Any] = by(**OPTIONS)(
            type("Fact", (), {**body, "__module__": __name__, "__doc__": "A fact."})
        )
        return made

    return declare(dataclass), declare(dataclasses.dataclass), fields


@given(declared_twice(), st.data())
def test_same_values_look_and_compare_the_same(
    declared: tuple[type[Any], type[Any], list[str]], data: st.DataObject
) -> None:
    quick, standard, fields = declared
    first, second = (
        data.draw(st.fixed_dictionaries(dict.fromkeys(fields, values))) for _ in range(2)
    )
    assert repr(quick(**first)) == repr(standard(**first))
    assert (quick(**first) == quick(**second)) == (standard(**first) == standard(**second))
    assert quick(**first) == quick(**first)
    assert hash(quick(**first)) == hash(quick(**first))
    assert dataclasses.asdict(quick(**first)) == first
    assert quick(**first) != standard(**first)


@given(declared_twice())
def test_same_arguments_are_wanted(declared: tuple[type[Any], type[Any], list[str]]) -> None:
    quick, standard, _ = declared
    assert str(inspect.signature(quick)) == str(inspect.signature(standard))
    assert quick.__slots__ == standard.__slots__


def test_what_is_lacking_is_named() -> None:
    with pytest.raises(TypeError, match="'agent'"):
        Ring()  # type: ignore[call-arg]


def test_value_cannot_be_changed() -> None:
    ring = Ring(agent="1001")
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'agent'"):
        ring.agent = "1002"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'agent'"):
        del ring.agent
    with pytest.raises(dataclasses.FrozenInstanceError):
        ring.other = 1  # type: ignore[attr-defined]
    assert not hasattr(ring, "__dict__")


def test_made_default_is_each_value_s_own() -> None:
    first, second = Ring(agent="1001"), Ring(agent="1001")
    assert first.queues == second.queues == []
    assert first.queues is not second.queues
    assert Ring(agent="1001", queues=["support"]).queues == ["support"]


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it)), dataclasses.replace],
)
def test_copy_is_equal(again: Callable[[Any], Any]) -> None:
    ring = AnsweredRing(agent="1001", seconds=4, queues=["support"], by="1001")
    assert again(ring) == ring
    assert again(ring) is not ring


def test_replaced_value_keeps_the_rest() -> None:
    assert dataclasses.replace(Ring(agent="1", seconds=3), agent="2") == Ring(agent="2", seconds=3)


def test_derived_class_has_the_fields_of_both_and_is_not_its_base() -> None:
    ring = AnsweredRing(agent="1001", by="1002")
    assert repr(ring) == "AnsweredRing(agent='1001', seconds=0, queues=[], by='1002')"
    assert ring != Ring(agent="1001")


def test_annotations_are_found_where_the_class_stands() -> None:
    assert get_type_hints(AnsweredRing.__init__) == {
        "agent": str,
        "seconds": int,
        "queues": list[str],
        "by": str,
        "return": type(None),
    }


def test_check_of_its_own_runs() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Positive:
        number: int

        def __post_init__(self) -> None:
            if self.number <= 0:
                raise ValueError("not positive")

    with pytest.raises(ValueError, match="not positive"):
        Positive(number=0)


def test_what_is_special_is_the_standard_library_s() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Account:
        user: str
        secret: str = dataclasses.field(repr=False)
        uses: int = dataclasses.field(default=0, compare=False)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Folded:
        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Folded) and other.name.lower() == self.name.lower()

        def __hash__(self) -> int:
            return hash(self.name.lower())

    account = Account(user="u", secret="s")
    assert "secret" not in repr(account)
    assert account == Account(user="u", secret="s", uses=3)
    assert Folded(name="A") == Folded(name="a")


def test_other_options_are_the_standard_library_s() -> None:
    @dataclass(slots=True)
    class Counter:
        number: int

    counter = Counter(3)
    counter.number = 4
    assert counter == Counter(4)
