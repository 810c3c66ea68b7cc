"""Who belongs in which queue: signing in adds, signing out removes, and the PBX is made to agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crm_core.commands import AddMember, Command, RemoveMember
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    Event,
    Feed,
    FeedHeard,
    LinkChanged,
    LinkState,
    Member,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import PbxId, UserId
from routing.membership import Membership

PBX = PbxId("lab")
T0 = datetime(2026, 11, 24, 10, tzinfo=UTC)
SEATS = frozenset({(PBX, "PJSIP/8001"), (PBX, "PJSIP/8002")})


def signed_in(user: int, interface: str, *queues: str) -> AgentSignedIn:
    return AgentSignedIn(
        at=T0,
        pbx=PBX,
        user=UserId(user),
        agent_number=f"100{user}",
        name="",
        interface=interface,
        queues=queues,
    )


def signed_out(user: int, interface: str, *queues: str) -> AgentSignedOut:
    return AgentSignedOut(
        at=T0,
        pbx=PBX,
        user=UserId(user),
        agent_number=f"100{user}",
        interface=interface,
        queues=queues,
    )


def seen(queue: str, interface: str, name: str) -> QueueMemberSeen:
    member = Member(interface=interface, name=name)
    return QueueMemberSeen(at=T0, pbx=PBX, queue=queue, member=member, paused=False)


def gone(queue: str, interface: str) -> QueueMemberGone:
    return QueueMemberGone(at=T0, pbx=PBX, queue=queue, member=Member(interface=interface))


def add(queue: str, interface: str, number: str) -> AddMember:
    return AddMember(pbx=PBX, queue=queue, interface=interface, agent_number=number)


def remove(queue: str, interface: str) -> RemoveMember:
    return RemoveMember(pbx=PBX, queue=queue, interface=interface)


LINK_DOWN = LinkChanged(at=T0, pbx=PBX, state=LinkState.DOWN)
LINK_UP = LinkChanged(at=T0, pbx=PBX, state=LinkState.UP)


def a_membership() -> Membership:
    """With the link up."""
    membership = Membership(SEATS)
    assert membership.feed(LINK_UP) == []
    return membership


def heard(second: float) -> FeedHeard:
    return FeedHeard(at=T0 + timedelta(seconds=second), pbx=PBX, feed=Feed.AMI)


def test_what_asterisk_would_not_do_is_asked_again_ever_less_often() -> None:
    membership, asked = a_membership(), add("sales", "PJSIP/8001", "1001")
    assert membership.feed(signed_in(1, "PJSIP/8001", "sales")) == [asked]
    assert membership.not_done(asked, T0)
    assert membership.feed(heard(1)) == []
    assert membership.feed(heard(2)) == [asked]
    assert not membership.not_done(asked, T0 + timedelta(seconds=2))
    assert membership.feed(heard(5)) == []
    assert membership.feed(heard(6)) == [asked]
    membership.done(asked)
    assert membership.feed(heard(60)) == []


def test_what_nobody_wants_any_more_is_not_asked_again() -> None:
    membership, asked = a_membership(), add("sales", "PJSIP/8001", "1001")
    membership.feed(signed_in(1, "PJSIP/8001", "sales"))
    membership.not_done(asked, T0)
    (removed,) = membership.feed(signed_out(1, "PJSIP/8001", "sales"))
    membership.not_done(removed, T0)
    assert membership.feed(heard(9)) == [removed]
    membership.feed(gone("sales", "PJSIP/8001"))
    assert membership.feed(heard(99)) == []


def test_link_that_comes_up_begins_anew_with_what_was_not_done() -> None:
    membership, asked = a_membership(), add("sales", "PJSIP/8001", "1001")
    membership.feed(signed_in(1, "PJSIP/8001", "sales"))
    membership.not_done(asked, T0)
    membership.feed(LINK_DOWN)
    assert membership.feed(heard(9)) == []
    assert membership.feed(LINK_UP) == [asked]
    assert membership.feed(heard(20)) == []


def test_nothing_is_asked_while_the_link_is_away_and_all_once_it_is_there() -> None:
    membership = Membership(SEATS)
    assert membership.feed(signed_in(1, "PJSIP/8001", "sales")) == []
    assert membership.feed(LINK_UP) == [add("sales", "PJSIP/8001", "1001")]
    assert membership.feed(LINK_DOWN) == []
    assert membership.feed(signed_out(1, "PJSIP/8001", "sales")) == []
    assert membership.feed(LINK_UP) == [remove("sales", "PJSIP/8001")]


def test_a_sign_out_is_asked_again_until_asterisk_says_that_the_member_is_gone() -> None:
    membership = a_membership()
    membership.feed(signed_in(1, "PJSIP/8001", "sales"))
    assert membership.feed(signed_out(1, "PJSIP/8001", "sales")) == [remove("sales", "PJSIP/8001")]
    assert membership.feed(LINK_UP) == [remove("sales", "PJSIP/8001")]  # nobody did it
    membership.feed(gone("sales", "PJSIP/8001"))
    assert membership.feed(LINK_UP) == []


def test_who_signs_in_again_is_not_taken_out_by_the_former_sign_out() -> None:
    membership = a_membership()
    membership.feed(signed_in(1, "PJSIP/8001", "sales"))
    membership.feed(signed_out(1, "PJSIP/8001", "sales"))
    membership.feed(signed_in(2, "PJSIP/8001", "sales"))
    assert membership.feed(LINK_UP) == [add("sales", "PJSIP/8001", "1002")]


def test_a_seat_imported_while_we_run_is_ours_once_somebody_holds_it() -> None:
    membership = a_membership()
    membership.feed(signed_in(2, "PJSIP/8009", "sales"))
    asked = membership.feed(seen("sales", "PJSIP/8009", "1001"))
    assert asked == [remove("sales", "PJSIP/8009"), add("sales", "PJSIP/8009", "1002")]


def test_signing_in_adds_the_device_under_the_agent_number_to_each_queue() -> None:
    asked = a_membership().feed(signed_in(1, "PJSIP/8001", "sales", "service"))
    assert asked == [add("sales", "PJSIP/8001", "1001"), add("service", "PJSIP/8001", "1001")]


def test_signing_out_removes_it() -> None:
    membership = a_membership()
    membership.feed(signed_in(1, "PJSIP/8001", "sales"))
    asked = membership.feed(signed_out(1, "PJSIP/8001", "sales"))
    assert asked == [remove("sales", "PJSIP/8001")]
    membership.feed(gone("sales", "PJSIP/8001"))
    assert membership.feed(LINK_UP) == []


def test_taking_over_a_seat_keeps_its_new_holder_when_the_former_signs_out_late() -> None:
    membership = a_membership()
    membership.feed(signed_in(1, "PJSIP/8001", "sales", "service"))
    asked = membership.feed(signed_in(2, "PJSIP/8001", "sales"))
    assert asked == [remove("service", "PJSIP/8001"), add("sales", "PJSIP/8001", "1002")]
    assert membership.feed(signed_out(1, "PJSIP/8001", "sales")) == []


def test_when_the_link_comes_back_everybody_is_added_again() -> None:
    membership = a_membership()
    membership.feed(signed_in(1, "PJSIP/8001", "sales"))
    membership.feed(signed_in(2, "PJSIP/8002", "sales"))
    assert membership.feed(LINK_UP) == [
        add("sales", "PJSIP/8001", "1001"),
        add("sales", "PJSIP/8002", "1002"),
    ]


def test_member_of_ours_who_is_signed_in_no_more_is_taken_out() -> None:
    asked = a_membership().feed(seen("sales", "PJSIP/8001", "1001"))
    assert asked == [remove("sales", "PJSIP/8001")]


def test_member_under_the_former_holders_number_is_renamed() -> None:
    membership = a_membership()
    membership.feed(signed_in(2, "PJSIP/8001", "sales"))
    asked = membership.feed(seen("sales", "PJSIP/8001", "1001"))
    assert asked == [remove("sales", "PJSIP/8001"), add("sales", "PJSIP/8001", "1002")]


def test_members_that_are_not_our_seats_are_left_alone() -> None:
    membership = a_membership()
    assert membership.feed(seen("sales", "Local/100@from-queue/n", "Wang")) == []


def asterisk_after(commands: list[Command], members: dict[tuple[str, str], str]) -> None:
    for command in commands:
        if isinstance(command, AddMember):
            members.setdefault((command.queue, command.interface), command.agent_number)
        elif isinstance(command, RemoveMember):
            members.pop((command.queue, command.interface), None)


steps = st.lists(
    st.one_of(
        st.builds(
            signed_in,
            st.integers(1, 3),
            st.sampled_from(["PJSIP/8001", "PJSIP/8002"]),
            st.sampled_from(["a", "b"]),
        ),
        st.builds(
            signed_out,
            st.integers(1, 3),
            st.sampled_from(["PJSIP/8001", "PJSIP/8002"]),
            st.sampled_from(["a", "b"]),
        ),
        st.just("asterisk loses everything"),
    ),
    max_size=15,
)


@given(steps)
def test_after_a_snapshot_asterisk_has_exactly_those_who_are_signed_in(
    history: list[Event | str],
) -> None:
    membership, members, wanted = a_membership(), dict[tuple[str, str], str](), {}
    for step in history:
        if isinstance(step, str):
            members.clear()
            continue
        asterisk_after(membership.feed(step), members)
        if isinstance(step, AgentSignedIn):
            wanted[step.interface] = step
        elif isinstance(step, AgentSignedOut):
            held = wanted.get(step.interface)
            if held is not None and held.user == step.user:
                del wanted[step.interface]
    asterisk_after(membership.feed(LINK_UP), members)
    for (queue, interface), number in list(members.items()):
        asterisk_after(membership.feed(seen(queue, interface, number)), members)
    assert members == {
        (queue, interface): held.agent_number
        for interface, held in wanted.items()
        for queue in held.queues
    }
