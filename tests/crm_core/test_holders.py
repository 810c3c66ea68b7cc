"""Who a member is: holder of the interface, agent number, usual extension, or just a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.centre.holders import AgentRef, HolderBook, Holding, Person, extension_of
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    Event,
    Member,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import PbxId, UserId
from tests.crm_core.call_log.builders import PBX, at

WANG = Person(user_id=UserId(1), name="王芳", agent_number="1001")
LI = Person(user_id=UserId(2), name="李雷", agent_number="1002", pbx=PBX, extension="8002")
NAMES = {1: "王芳", 2: "李雷"}


def signed_in(user: int, interface: str, when: float, pbx: PbxId = PBX) -> AgentSignedIn:
    return AgentSignedIn(
        at=at(when),
        pbx=pbx,
        user=UserId(user),
        agent_number=f"100{user}",
        name=NAMES[user],
        interface=interface,
        queues=(),
    )


def signed_out(user: int, interface: str, when: float) -> AgentSignedOut:
    return AgentSignedOut(
        at=at(when),
        pbx=PBX,
        user=UserId(user),
        agent_number=f"100{user}",
        interface=interface,
        queues=(),
    )


def a_book(*events: Event) -> HolderBook:
    book = HolderBook()
    book.know([WANG, LI])
    for event in events:
        book.feed(event)
    return book


def who(
    book: HolderBook, interface: str | None, when: float, name: str | None = None
) -> int | None:
    return book.holder(PBX, Member(interface=interface, name=name), at(when)).user_id


def test_a_call_belongs_to_who_held_the_phone_when_it_rang() -> None:
    book = a_book(
        signed_in(1, "PJSIP/8001", 0),
        signed_out(1, "PJSIP/8001", 100),
        signed_in(2, "PJSIP/8001", 200),
    )
    assert [who(book, "PJSIP/8001", when) for when in (-1, 0, 99, 100, 199, 200)] == [
        None,
        1,
        1,
        None,
        None,
        2,
    ]


def test_the_holder_comes_before_the_members_name_and_before_the_usual_extension() -> None:
    book = a_book(signed_in(1, "PJSIP/8002", 0))
    assert who(book, "PJSIP/8002", 1, name="1002") == 1
    assert who(book, "PJSIP/8002", -1, name="1001") == 1
    assert who(book, "PJSIP/8002", -1, name="somebody") == 2


def test_an_interface_taken_over_without_a_sign_out_has_one_holder() -> None:
    book = a_book(signed_in(1, "PJSIP/8001", 0), signed_in(2, "PJSIP/8001", 50))
    assert [who(book, "PJSIP/8001", when) for when in (49, 50)] == [1, 2]
    book.feed(signed_out(2, "PJSIP/8001", 60))
    assert who(book, "PJSIP/8001", 61) is None


def test_a_person_who_takes_another_phone_no_longer_holds_the_first() -> None:
    book = a_book(signed_in(1, "PJSIP/8001", 0), signed_in(1, "PJSIP/8005", 50))
    assert [who(book, "PJSIP/8001", when) for when in (49, 51)] == [1, None]
    assert who(book, "PJSIP/8005", 51) == 1


def test_what_queue_log_calls_by_number_gets_the_interface_held_then() -> None:
    book = a_book(signed_in(1, "PJSIP/8001", 0), signed_out(1, "PJSIP/8001", 100))
    found = book.holder(PBX, Member(name="1001"), at(50))
    assert found == AgentRef(
        user_id=UserId(1), agent_number="1001", name="王芳", interface="PJSIP/8001"
    )
    assert book.holder(PBX, Member(name="1001"), at(150)).interface is None


@pytest.mark.parametrize(
    ("interface", "extension"),
    [
        ("PJSIP/8002", "8002"),
        ("Local/8002@from-queue/n", "8002"),
        ("SIP/8002", "8002"),
        ("hint:8002@ext-local", "8002"),
        ("PJSIP/", None),
        ("8002", None),
        ("", None),
    ],
)
def test_the_usual_extension_is_read_from_the_interface(
    interface: str, extension: str | None
) -> None:
    assert extension_of(interface) == extension
    assert who(a_book(), interface, 0) == (2 if extension else None)


def test_a_number_that_queue_log_kept_after_a_take_over_is_the_new_holders_call() -> None:
    """The product crashed before Asterisk heard that 李雷 sits at the phone of 王芳."""
    book = a_book(signed_in(1, "PJSIP/8001", 0), signed_in(2, "PJSIP/8001", 100))
    assert [who(book, None, when, "1001") for when in (50, 100, 150)] == [1, 2, 2]
    assert book.holder(PBX, Member(name="1001"), at(150)).interface == "PJSIP/8001"
    # Once she sits somewhere again, her number is she; and on another PBX it always was.
    book.feed(signed_in(1, "PJSIP/8003", 200))
    assert [who(book, None, when, "1001") for when in (150, 250)] == [2, 1]
    other = Member(name="1001")
    assert book.holder(PbxId("other"), other, at(150)).user_id == 1


def test_a_number_whose_person_left_an_empty_phone_stays_that_persons() -> None:
    book = a_book(signed_in(1, "PJSIP/8001", 0), signed_out(1, "PJSIP/8001", 100))
    assert [who(book, None, when, "1001") for when in (50, 150)] == [1, 1]


def test_the_usual_extension_counts_on_the_persons_own_pbx_only() -> None:
    found = a_book().holder(PbxId("other"), Member(interface="PJSIP/8002"), at(0))
    assert found == AgentRef(interface="PJSIP/8002")


def test_an_extension_of_two_people_is_nobodys() -> None:
    book = a_book()
    book.know([Person(user_id=UserId(3), name="韩梅", extension="8002")])
    assert who(book, "PJSIP/8002", 0, name="desk") is None


def test_of_a_member_nobody_knows_the_name_stands() -> None:
    found = a_book().holder(PBX, Member(interface="PJSIP/9", name="Front desk"), at(0))
    assert found == AgentRef(name="Front desk", interface="PJSIP/9")


# --- a site whose agents never open Zuoxi ---------------------------------------------------------


def member_seen(
    name: str,
    interface: str,
    state_interface: str | None = None,
    pbx: PbxId = PBX,
    queue: str = "售后",
) -> QueueMemberSeen:
    return QueueMemberSeen(
        at=at(0),
        pbx=pbx,
        queue=queue,
        member=Member(interface=interface, name=name),
        paused=False,
        state_interface=state_interface,
    )


def member_gone(name: str, interface: str, when: float, queue: str = "售后") -> QueueMemberGone:
    return QueueMemberGone(
        at=at(when), pbx=PBX, queue=queue, member=Member(interface=interface, name=name)
    )


LOCAL = "Local/8002@from-queue/n"


def test_a_member_is_whose_usual_extension_his_state_interface_has() -> None:
    """The interface alone would name the follow-me number, and nobody."""
    book = a_book(member_seen("小李", "Local/FMPR-1@from-queue/n", "hint:8002@ext-local"))
    found = book.holder(PBX, Member(interface="Local/FMPR-1@from-queue/n", name="小李"), at(1))
    assert (found.user_id, found.agent_number, found.name) == (2, "1002", "李雷")


def test_the_state_interface_comes_before_the_number_in_the_interface() -> None:
    book = a_book(member_seen("小李", LOCAL, "PJSIP/8003"))
    book.know([Person(user_id=UserId(3), name="韩梅", extension="8003")])
    assert who(book, LOCAL, 1, "小李") == 3


def test_without_a_match_there_the_number_in_the_interface_counts() -> None:
    book = a_book(member_seen("小李", LOCAL, "hint:elsewhere@custom"))
    assert who(book, LOCAL, 1, "小李") == 2
    assert who(a_book(), LOCAL, 1, "小李") == 2


def test_a_state_interface_of_two_people_is_nobodys() -> None:
    book = a_book(member_seen("小李", LOCAL, "PJSIP/8003"))
    book.know([Person(user_id=UserId(n), name="韩梅", extension="8003") for n in (3, 4)])
    assert who(book, LOCAL, 1, "小李") is None


def test_what_queue_log_calls_by_a_members_name_is_that_members() -> None:
    book = a_book(member_seen("小李", LOCAL, "hint:8002@ext-local"))
    found = book.holder(PBX, Member(name="小李"), at(1))
    assert (found.user_id, found.interface) == (2, LOCAL)
    assert book.holder(PbxId("other"), Member(name="小李"), at(1)) == AgentRef(name="小李")


def test_of_two_members_of_one_name_ami_tells_which_and_queue_log_alone_nobody() -> None:
    other = "Local/8009@from-queue/n"
    book = a_book(member_seen("小李", LOCAL), member_seen("小李", other, queue="销售"))
    assert who(book, LOCAL, 1, "小李") == 2
    assert book.holder(PBX, Member(interface=other, name="小李"), at(1)).user_id is None
    assert book.holder(PBX, Member(name="小李"), at(1)) == AgentRef(name="小李")


def test_a_name_is_one_members_again_when_the_other_is_gone() -> None:
    other = "Local/8009@from-queue/n"
    book = a_book(
        member_seen("小李", LOCAL),
        member_seen("小李", LOCAL, queue="销售"),
        member_seen("小李", other),
        member_gone("小李", other, 100),
        member_gone("小李", LOCAL, 100, queue="销售"),
    )
    assert [who(book, None, when, "小李") for when in (100, 101)] == [None, 2]


def test_an_agent_number_is_never_taken_for_a_members_name() -> None:
    """On our own site the name is the number: its person may sit elsewhere by now."""
    book = a_book(member_seen("1001", "PJSIP/8002"))
    found = book.holder(PBX, Member(name="1001"), at(1))
    assert (found.user_id, found.interface) == (1, None)


def test_a_member_without_a_name_is_called_by_its_interface_in_queue_log() -> None:
    book = a_book(signed_in(1, "PJSIP/8001", 0))
    assert book.holder(PBX, Member(name="PJSIP/8001"), at(1)).user_id == 1


def test_a_new_agent_is_known_by_signing_in() -> None:
    book = HolderBook()
    book.feed(signed_in(1, "PJSIP/8001", 0))
    assert book.holder(PBX, Member(name="1001"), at(1)).name == "王芳"


def test_rows_of_the_table_and_events_of_the_bus_are_the_same_holding() -> None:
    book = a_book(signed_in(1, "PJSIP/8001", 0), signed_out(1, "PJSIP/8001", 10))
    book.hold(PBX, "PJSIP/8001", Holding(user_id=UserId(1), began_at=at(0)))
    assert [who(book, "PJSIP/8001", when) for when in (5, 15)] == [1, None]
    book.hold(PBX, "PJSIP/8001", Holding(user_id=UserId(2), began_at=at(20), ended_at=at(30)))
    assert [who(book, "PJSIP/8001", when) for when in (5, 25, 35)] == [1, 2, None]


SIGNS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([1, 2]), st.sampled_from(["PJSIP/1", "PJSIP/2"])),
    max_size=20,
)


@given(SIGNS)
def test_nobody_holds_two_phones_and_no_phone_has_two_holders(
    signs: list[tuple[bool, int, str]],
) -> None:
    book = HolderBook()
    for when, (comes, user, interface) in enumerate(signs):
        book.feed((signed_in if comes else signed_out)(user, interface, when))
        held = [
            user_id
            for each in ("PJSIP/1", "PJSIP/2")
            if (user_id := who(book, each, when + 0.5)) is not None
        ]
        assert len(held) == len(set(held))
        if comes:
            assert who(book, interface, when + 0.5) == user
        else:
            assert who(book, interface, when + 0.5) != user
