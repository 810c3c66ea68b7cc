"""The members that are told are those that Asterisk has, whatever was repeated, missed or cut short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crm_core.events import DeviceSeen, Event, Member, QueueMemberGone, QueueMemberSeen
from telephony.ami import messages as ami
from telephony.members import MemberBook
from tests.telephony.calls.builders import PBX, a, began, ended

SEAT = "PJSIP/8001"


def item(
    queue: str = "support", interface: str = SEAT, paused: bool = False
) -> ami.QueueMemberItem:
    return a(
        ami.QueueMemberItem, 1, queue=queue, interface=interface, member_name="1001", paused=paused
    )


def added(queue: str = "support", interface: str = SEAT) -> ami.QueueMemberAdded:
    return a(ami.QueueMemberAdded, 1, queue=queue, interface=interface, member_name="1001")


def removed(queue: str = "support", interface: str = SEAT) -> ami.QueueMemberRemoved:
    return a(ami.QueueMemberRemoved, 1, queue=queue, interface=interface)


def pauses(paused: bool, reason: str | None = None) -> ami.QueueMemberPause:
    return a(
        ami.QueueMemberPause, 2, queue="support", interface=SEAT, member_name="1001",
        paused=paused, paused_reason=reason,
    )  # fmt: skip


def status(device: int | None = None, queue: str = "support") -> ami.QueueMemberStatus:
    return a(
        ami.QueueMemberStatus, 2, queue=queue, interface=SEAT, member_name="1001", status=device
    )


def told(book: MemberBook, *messages: ami.AmiMessage) -> list[Event]:
    return [event for message in messages for event in book.feed(message)]


def test_member_who_is_added_is_told_once() -> None:
    (seen,) = told(MemberBook(PBX), added(), status(), status())
    assert isinstance(seen, QueueMemberSeen)
    assert (seen.queue, seen.member) == ("support", Member(interface=SEAT, name="1001"))


def test_state_interface_is_told_where_it_is_another_device() -> None:
    local, hint = "Local/100@from-queue/n", "hint:100@ext-local"

    def named(interface: str, state_interface: str | None) -> str | None:
        message = a(
            ami.QueueMemberItem, 1, queue="售后", interface=interface, member_name="王芳",
            state_interface=state_interface,
        )  # fmt: skip
        (seen,) = told(MemberBook(PBX), message)
        assert isinstance(seen, QueueMemberSeen)
        return seen.state_interface

    assert [named(local, hint), named(SEAT, SEAT), named(SEAT, None)] == [hint, None, None]


def test_pause_is_told_with_its_reason_and_its_end_without() -> None:
    events = told(MemberBook(PBX), added(), pauses(True, "午休"), pauses(False, "午休"))
    assert [
        (event.paused, event.pause_reason) for event in events if isinstance(event, QueueMemberSeen)
    ] == [(False, None), (True, "午休"), (False, None)]


def test_another_reason_of_the_same_pause_is_told() -> None:
    events = told(MemberBook(PBX), added(), pauses(True, "午休"), pauses(True, "培训"))
    assert len(events) == 3


def test_snapshot_tells_everybody_again_and_who_is_missing_is_gone() -> None:
    book = MemberBook(PBX)
    told(book, added(), added("sales"))
    events = told(book, began(10), item(), ended(11))
    assert [type(event) for event in events] == [QueueMemberSeen, QueueMemberGone]
    assert isinstance(events[1], QueueMemberGone)
    assert events[1].queue == "sales"
    assert told(book, removed("sales")) == []


def test_member_who_is_added_while_the_snapshot_is_taken_is_not_missing() -> None:
    book = MemberBook(PBX)
    events = told(book, began(10), item(), added("sales"), ended(11))
    assert not [event for event in events if isinstance(event, QueueMemberGone)]


def test_snapshot_that_was_cut_short_makes_nobody_missing() -> None:
    book = MemberBook(PBX)
    told(book, added(), began(10))
    events = told(book, began(20), item(), ended(21))
    assert [type(event) for event in events] == [QueueMemberSeen]
    assert told(book, removed())


def test_removal_of_a_stranger_and_messages_without_a_name_tell_nothing() -> None:
    nameless = a(ami.QueueMemberAdded, 1, queue="support")
    assert told(MemberBook(PBX), removed(), nameless, a(ami.QueueMemberRemoved, 1)) == []


PLACES = st.tuples(st.sampled_from(["support", "sales"]), st.sampled_from([SEAT, "PJSIP/8002"]))
MOVES = st.lists(st.tuples(st.sampled_from(["add", "remove", "look"]), PLACES), max_size=30)


@given(moves=MOVES, missed=st.sets(st.integers(0, 29)))
def test_after_a_snapshot_what_was_told_is_what_there_is(
    moves: list[tuple[str, tuple[str, str]]], missed: set[int]
) -> None:
    """Some events were missed; a listener who adds and removes as told knows the members all the same."""
    book, members, known = MemberBook(PBX), set[tuple[str, str]](), set[tuple[str, str]]()

    def listen(messages: list[ami.AmiMessage]) -> None:
        for event in told(book, *messages):
            if isinstance(event, QueueMemberSeen):
                known.add((event.queue, event.member.interface or ""))
            elif isinstance(event, QueueMemberGone):
                known.remove((event.queue, event.member.interface or ""))  # never told twice

    def look() -> None:
        listen([began(10), *(item(*place) for place in sorted(members)), ended(11)])
        assert known == members

    for count, (move, place) in enumerate(moves):
        if move == "look":
            look()
            continue
        (members.add if move == "add" else members.discard)(place)
        if count not in missed:
            listen([added(*place) if move == "add" else removed(*place)])
    look()


def devices(*messages: ami.AmiMessage) -> list[tuple[str, bool]]:
    events = told(MemberBook(PBX), *messages)
    return [(e.interface, e.reachable) for e in events if isinstance(e, DeviceSeen)]


def test_phone_that_comes_and_goes_is_told_once_for_all_its_queues() -> None:
    not_in_use, ringing, unavailable, invalid = 1, 6, 5, 4
    assert devices(
        status(not_in_use), status(not_in_use, "vip"), status(ringing),
        status(unavailable), status(unavailable, "vip"), status(invalid), status(not_in_use),
    ) == [(SEAT, True), (SEAT, False), (SEAT, True)]  # fmt: skip


def test_device_that_asterisk_knows_nothing_of_is_no_news() -> None:
    assert devices(status(0), status(None), status(5), status(0)) == [(SEAT, False)]
