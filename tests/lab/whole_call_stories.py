"""Stories of calls that do not stay where they began: held, transferred, picked up, sent on, placed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.lab.ami import Session
from tests.lab.asterisk import DIRECT, OUTSIDE_GROUP, OVERFLOW, Laboratory
from tests.lab.desk_phone import DeskPhone
from tests.lab.scenarios import CallerBehaviour, Hold, Keys, PhoneBehaviour, Refer
from tests.lab.sipp import Caller, callers, phones
from tests.lab.story import HOTLINES, WANG, Member, Story, ring

_ANSWERS = PhoneBehaviour(answer_after_ms=800)
_NEVER = PhoneBehaviour(answer_after_ms=None)
_BUSY = PhoneBehaviour(answer_after_ms=300, refuse_with=486)
_1001 = Member(agent="1001", seat="8001")
_SEAT = "127.0.0.1"
"""Where seats' phones dial from; callers come from the carrier's address."""


def _talking(lab: Laboratory, seat: str) -> str:
    """The name of that seat's channel once it is up."""
    return _channel(lab, seat, "Up")


def _channel(lab: Laboratory, seat: str, state: str) -> str:
    for _ in range(200):
        for line in lab.rx("core show channels concise").splitlines():
            parts = line.split("!")
            if parts[0].startswith(f"PJSIP/{seat}-") and parts[4] == state:
                return parts[0]
        time.sleep(0.05)
    raise RuntimeError(f"{seat} never was {state}")


def _gone(lab: Laboratory) -> None:
    for _ in range(400):
        if "0 active channels" in lab.rx("core show channels count"):
            return
        time.sleep(0.05)
    raise RuntimeError("calls never ended")


def _while_wang_talks(
    act: Callable[[Laboratory, Session], None], *, talk_ms: int = 4000, hotline: str = "4001"
) -> Callable[[Laboratory], None]:
    """Wang rings; whatever `act` does by AMI happens meanwhile."""

    def play(lab: Laboratory) -> None:
        with (
            Session(lab) as control,
            callers(lab, hotline, [WANG], CallerBehaviour(talk_ms=talk_ms)) as call,
        ):
            act(lab, control)
            call.wait(40)
            _gone(lab)

    return play


def _ring_whole(*args: object, **kwargs: object) -> Callable[[Laboratory], None]:
    def play(lab: Laboratory) -> None:
        ring(*args, **kwargs)(lab)  # type: ignore[arg-type]
        _gone(lab)

    return play


def _blind_by_ami(lab: Laboratory, control: Session) -> None:
    channel = _talking(lab, "8001")
    time.sleep(0.8)
    control.act("BlindTransfer", Channel=channel, Context="zuoxi-seats", Exten="8101")


def _attended_by_ami(lab: Laboratory, control: Session) -> None:
    channel = _talking(lab, "8001")
    time.sleep(0.6)
    control.act("Atxfer", Channel=channel, Context="zuoxi-seats", Exten="8101")
    _talking(lab, "8101")
    time.sleep(1)
    control.act("Hangup", Channel=channel)


def _redirect(lab: Laboratory, control: Session) -> None:
    _talking(lab, "8001")
    time.sleep(0.8)
    channel = _channel(lab, "zuoxi-trunk", "Up")
    control.act("Redirect", Channel=channel, Context="zuoxi-seats", Exten="8101", Priority="1")


def _with_desk(
    act: Callable[[Laboratory, DeskPhone], None], *, talk_ms: int = 5000
) -> Callable[[Laboratory], None]:
    """Wang rings; seat 8001's phone has two lines and does as told."""

    def play(lab: Laboratory) -> None:
        with (
            DeskPhone(lab, "8001", group=0) as desk,
            callers(lab, HOTLINES["support"], [WANG], CallerBehaviour(talk_ms=talk_ms)) as call,
        ):
            act(lab, desk)
            call.wait(40)
            _gone(lab)

    return play


def _attended_by_refer(lab: Laboratory, desk: DeskPhone) -> None:
    caller = desk.rings()
    time.sleep(0.5)
    caller.answer()
    time.sleep(0.8)
    caller.hold()
    expert = desk.dial("8101")
    expert.wait_answered()
    time.sleep(0.8)
    caller.refer("8101", replaces=expert)
    time.sleep(0.3)  # NOTIFY says that it is done: the phone lets both lines go
    caller.hang_up()
    expert.hang_up()


def _blonde_by_refer(lab: Laboratory, desk: DeskPhone) -> None:
    caller = desk.rings()
    time.sleep(0.5)
    caller.answer()
    time.sleep(0.8)
    caller.hold()
    expert = desk.dial("8101")
    _channel(lab, "8101", "Ringing")
    time.sleep(0.4)
    caller.refer("8101", replaces=expert)
    time.sleep(0.3)  # NOTIFY says that it is done: the phone lets both lines go
    caller.hang_up()
    expert.hang_up()


def _blonde_comes_back(lab: Laboratory, desk: DeskPhone) -> None:
    caller = desk.rings()
    time.sleep(0.5)
    caller.answer()
    time.sleep(0.7)
    caller.press("*2,8101")
    _channel(lab, "8101", "Ringing")
    time.sleep(0.6)
    caller.hang_up()
    again = desk.rings()
    time.sleep(0.5)
    again.answer()
    again.wait_over()


def _consult_and_back(lab: Laboratory, desk: DeskPhone) -> None:
    caller = desk.rings()
    time.sleep(0.5)
    caller.answer()
    time.sleep(0.6)
    caller.hold()
    expert = desk.dial("8101")
    expert.wait_answered()
    time.sleep(0.8)
    expert.hang_up()
    caller.resume()
    caller.wait_over()


def _pick_up(lab: Laboratory) -> None:
    with (
        DeskPhone(lab, "8101", group=1) as desk,
        callers(lab, HOTLINES["support"], [WANG], CallerBehaviour(talk_ms=1500)) as call,
    ):
        _channel(lab, "8001", "Ringing")
        time.sleep(0.5)
        line = desk.dial("*8")
        line.wait_answered()
        call.wait(40)
        _gone(lab)


def _pick_up_direct(lab: Laboratory) -> None:
    with (
        DeskPhone(lab, "8101", group=1) as desk,
        callers(lab, DIRECT, [WANG], CallerBehaviour(talk_ms=1500)) as call,
    ):
        _channel(lab, "8001", "Ringing")
        time.sleep(0.5)
        line = desk.dial("*8")
        line.wait_answered()
        call.wait(40)
        _gone(lab)


def _dials_out(behaviour: PhoneBehaviour, talk_ms: int = 1500) -> Callable[[Laboratory], None]:
    def play(lab: Laboratory) -> None:
        with ExitStack() as stack:
            stack.enter_context(phones(lab, behaviour, group=OUTSIDE_GROUP))
            caller = Caller(number="8001")
            patience = CallerBehaviour(patience_ms=2500, talk_ms=talk_ms)
            call = stack.enter_context(
                callers(lab, "013800138000", [caller], patience, source=_SEAT)
            )
            call.wait(40)
            _gone(lab)

    return play


def _click_to_dial(lab: Laboratory) -> None:
    outside = PhoneBehaviour(answer_after_ms=800, hang_up_after_ms=1500)
    with phones(lab, outside, group=OUTSIDE_GROUP), Session(lab) as control:
        control.act(
            "Originate",
            Channel="PJSIP/8001",
            Context="zuoxi-seats",
            Exten="013800138000",
            Priority="1",
            CallerID="013800138000",
            Timeout="20000",
            Async="true",
        )
        _channel(lab, "zuoxi-trunk", "Up")
        _gone(lab)


def _local_member(lab: Laboratory) -> None:
    with Session(lab) as control:
        control.act(
            "QueueAdd",
            Queue="support",
            Interface="Local/8001@zuoxi-seats/n",
            StateInterface="PJSIP/8001",
            MemberName="1001",
        )
    ring(HOTLINES["support"])(lab)
    _gone(lab)


def _keys_twice(
    keys: str, then: str, after_ms: int, hang_up_after_ms: int | None = None
) -> PhoneBehaviour:
    return PhoneBehaviour(
        answer_after_ms=500,
        acts=[Keys(700, keys), Keys(after_ms, then)],
        hang_up_after_ms=hang_up_after_ms,
    )


def _keys(keys: str, hang_up_after_ms: int | None = None) -> PhoneBehaviour:
    return PhoneBehaviour(
        answer_after_ms=500, acts=[Keys(700, keys)], hang_up_after_ms=hang_up_after_ms
    )


WHOLE_CALLS = (
    Story(
        name="hold",
        text="Wang (13800138000) rings 4001; agent 1001 (seat 8001) answers after 0.8 s.\n"
        "After 0.6 s the agent puts Wang on hold for 1.2 s by the phone (re-INVITE), then talks on.\n"
        "Wang hangs up after 3 s.",
        play=_ring_whole(HOTLINES["support"], talk_ms=3000),
        members=[_1001],
        phones=[PhoneBehaviour(answer_after_ms=800, acts=[Hold(600, 1200)])],
    ),
    Story(
        name="hang_up_on_hold",
        text="Wang (13800138000) rings 4001; agent 1001 (seat 8001) answers and puts Wang on hold.\n"
        "Wang hangs up while on hold.",
        play=_ring_whole(HOTLINES["support"], talk_ms=2000),
        members=[_1001],
        phones=[PhoneBehaviour(answer_after_ms=500, acts=[Hold(500, 60000)])],
    ),
    Story(
        name="blind_by_ami",
        text="Wang rings 4001; agent 1001 (8001) answers, and sends Wang to 8101 by AMI BlindTransfer.\n"
        "8101 answers after 0.8 s; Wang hangs up.",
        play=_while_wang_talks(_blind_by_ami),
        members=[_1001],
        phones=[_ANSWERS, _ANSWERS],
    ),
    Story(
        name="redirect_by_ami",
        text="Wang rings 4001; agent 1001 (8001) answers, and Wang's channel is sent to 8101 by AMI\n"
        "Redirect. 8101 answers after 0.8 s; Wang hangs up.",
        play=_while_wang_talks(_redirect),
        members=[_1001],
        phones=[_ANSWERS, _ANSWERS],
    ),
    Story(
        name="blind_by_refer",
        text="Wang rings 4001; agent 1001 (8001) answers, and sends Wang to 8101 on the phone (REFER).\n"
        "8101 answers after 0.8 s; Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=4000),
        members=[_1001],
        phones=[PhoneBehaviour(answer_after_ms=500, acts=[Refer(1000, "8101")]), _ANSWERS],
    ),
    Story(
        name="blind_by_keys",
        text="Wang rings 4001; agent 1001 (8001) answers and presses *1 8101.\n"
        "8101 answers after 0.8 s; Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=5000),
        members=[_1001],
        phones=[_keys("*1,8101"), _ANSWERS],
    ),
    Story(
        name="blind_to_a_queue",
        text="Wang rings 4001, queue support; agent 1001 (8001) answers, and sends Wang to 4002 (REFER):\n"
        "queue sales, where 1002 (8101) answers after 0.8 s. Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=4000),
        members=[_1001, Member(agent="1002", seat="8101", queue="sales")],
        phones=[PhoneBehaviour(answer_after_ms=500, acts=[Refer(1000, "4002")]), _ANSWERS],
    ),
    Story(
        name="blind_to_a_queue_abandoned",
        text="Wang rings 4001, queue support; agent 1001 (8001) answers, and sends Wang to 4002 (REFER):\n"
        "queue sales, where 1002 (8101) does not answer. Wang hangs up, waiting.",
        play=_ring_whole(HOTLINES["support"], talk_ms=3000),
        members=[_1001, Member(agent="1002", seat="8101", queue="sales")],
        phones=[PhoneBehaviour(answer_after_ms=500, acts=[Refer(1000, "4002")]), _NEVER],
    ),
    Story(
        name="blind_to_a_busy_seat",
        text="Wang rings 4001; agent 1001 (8001) answers, and sends Wang to 8101 (REFER).\n"
        "8101 is busy (486): the dialplan hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=None),
        members=[_1001],
        phones=[PhoneBehaviour(answer_after_ms=500, acts=[Refer(1000, "8101")]), _BUSY],
    ),
    Story(
        name="blind_to_nobody",
        text="Wang rings 4001; agent 1001 (8001) answers, and tries to send Wang to 9999, which is nobody\n"
        "(REFER, 404). They talk on; Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=3000),
        members=[_1001],
        phones=[PhoneBehaviour(answer_after_ms=500, acts=[Refer(1000, "9999")]), _ANSWERS],
    ),
    Story(
        name="blind_abandoned",
        text="Wang rings 4001; agent 1001 (8001) answers, and sends Wang to 8101 (REFER).\n"
        "8101 rings, nobody answers; Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=3000),
        members=[_1001],
        phones=[PhoneBehaviour(answer_after_ms=500, acts=[Refer(1000, "8101")]), _NEVER],
    ),
    Story(
        name="blind_twice",
        text="Wang rings 4001; agent 1001 (8001) sends Wang to 8101 (REFER), which answers and sends\n"
        "him on to 8201 (REFER), which answers. Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=6000),
        members=[_1001],
        phones=[
            PhoneBehaviour(answer_after_ms=500, acts=[Refer(1000, "8101")]),
            PhoneBehaviour(answer_after_ms=500, acts=[Refer(1000, "8201")]),
            _ANSWERS,
        ],
    ),
    Story(
        name="attended_by_ami",
        text="Wang rings 4001; agent 1001 (8001) answers and consults 8101 by AMI Atxfer.\n"
        "8101 answers after 0.8 s; after a second the agent leaves (AMI Hangup): Wang talks with 8101.",
        play=_while_wang_talks(_attended_by_ami, talk_ms=6000),
        members=[_1001],
        phones=[_ANSWERS, _ANSWERS],
    ),
    Story(
        name="attended_by_keys",
        text="Wang rings 4001; agent 1001 (8001) answers and presses *2 8101.\n"
        "8101 answers after 0.8 s; then the agent hangs up: Wang talks with 8101, and hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=6000),
        members=[_1001],
        phones=[_keys("*2,8101", hang_up_after_ms=2500), _ANSWERS],
    ),
    Story(
        name="attended_by_keys_alone",
        text="Wang rings 4001; agent 1001 (8001) answers and presses *2 8101; 8101 answers.\n"
        "After a second the agent presses *2 again: Wang talks with 8101.\n"
        "Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=7500),
        members=[_1001],
        phones=[_keys_twice("*2,8101", "*2", 2500), _ANSWERS],
    ),
    Story(
        name="attended_by_refer",
        text="Wang rings 4001; agent 1001 (8001) answers, puts Wang on hold and calls 8101 on a second\n"
        "line. 8101 answers; the phone joins both (REFER with Replaces). Wang hangs up.",
        play=_with_desk(_attended_by_refer),
        members=[_1001],
        phones=[None, _ANSWERS],
    ),
    Story(
        name="blonde_by_keys",
        text="Wang rings 4001; agent 1001 (8001) answers, presses *2 8101 and hangs up while it rings.\n"
        "8101 answers after 3 s; Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=6000),
        members=[_1001],
        phones=[_keys("*2,8101", hang_up_after_ms=1200), PhoneBehaviour(answer_after_ms=3000)],
    ),
    Story(
        name="blonde_by_refer",
        text="Wang rings 4001; agent 1001 (8001) answers, puts Wang on hold and calls 8101 on a second\n"
        "line; while it rings the phone joins both (REFER with Replaces). 8101 answers; Wang hangs up.",
        play=_with_desk(_blonde_by_refer),
        members=[_1001],
        phones=[None, PhoneBehaviour(answer_after_ms=2500)],
    ),
    Story(
        name="blonde_comes_back",
        text="Wang rings 4001; agent 1001 (8001) answers, presses *2 8101 and hangs up while it rings.\n"
        "Nobody answers there for 15 s: Asterisk rings 8001 again, who answers; Wang hangs up.",
        play=_with_desk(_blonde_comes_back, talk_ms=20500),
        members=[_1001],
        phones=[None, _NEVER],
    ),
    Story(
        name="attended_abandoned",
        text="Wang rings 4001; agent 1001 (8001) answers and presses *2 8101.\n"
        "While 8101 rings Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=3000),
        members=[_1001],
        phones=[_keys("*2,8101", hang_up_after_ms=4000), _NEVER],
    ),
    Story(
        name="attended_to_a_busy_seat",
        text="Wang rings 4001; agent 1001 (8001) answers and presses *2 8101, which is busy (486).\n"
        "The agent is back with Wang, who hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=5000),
        members=[_1001],
        phones=[_keys("*2,8101"), _BUSY],
    ),
    Story(
        name="consult_by_keys",
        text="Wang rings 4001; agent 1001 (8001) answers and presses *2 8101; 8101 answers.\n"
        "After a second the agent presses *1 and is back with Wang, who hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=7000),
        members=[_1001],
        phones=[_keys_twice("*2,8101", "*1", 2500), _ANSWERS],
    ),
    Story(
        name="consult_by_second_line",
        text="Wang rings 4001; agent 1001 (8001) answers, puts Wang on hold and calls 8101 on a second\n"
        "line, hangs up there and talks on with Wang, who hangs up.",
        play=_with_desk(_consult_and_back),
        members=[_1001],
        phones=[None, _ANSWERS],
    ),
    Story(
        name="three_way",
        text="Wang rings 4001; agent 1001 (8001) answers and presses *2 8101; 8101 answers.\n"
        "After a second the agent presses *3: all three talk. The agent leaves; then Wang hangs up.",
        play=_ring_whole(HOTLINES["support"], talk_ms=8500),
        members=[_1001],
        phones=[_keys_twice("*2,8101", "*3", 2500, hang_up_after_ms=1500), _ANSWERS],
    ),
    Story(
        name="pick_up",
        text="Wang rings 4001; agent 1001's phone (8001) rings. Agent 1002 at 8101 dials *8:\n"
        "1002 talks with Wang, who hangs up. queue_log names 1001.",
        play=_pick_up,
        members=[_1001, Member(agent="1002", seat="8101", queue="sales")],
        phones=[_NEVER, None],
    ),
    Story(
        name="pick_up_without_a_queue",
        text="Wang dials 8001's own number (4091); it rings there. 8101 dials *8 and talks with Wang,\n"
        "who hangs up.",
        play=_pick_up_direct,
        phones=[_NEVER, None],
    ),
    Story(
        name="overflow",
        text="Wang rings 4090: queue hurried for 2 s, where 1001 (8101) does not answer; then queue sales,\n"
        "where 1002 (8001) answers. Wang hangs up.",
        play=_ring_whole(OVERFLOW),
        members=[
            Member(agent="1001", seat="8101", queue="hurried"),
            Member(agent="1002", seat="8001", queue="sales"),
        ],
        phones=[_ANSWERS, _NEVER],
    ),
    Story(
        name="overflow_abandoned",
        text="Wang rings 4090: queue hurried for 2 s, where 1001 (8101) does not answer; then queue sales,\n"
        "where nobody answers either. Wang hangs up.",
        play=_ring_whole(OVERFLOW, patience_ms=4500),
        members=[
            Member(agent="1001", seat="8101", queue="hurried"),
            Member(agent="1002", seat="8102", queue="sales"),
        ],
        phones=[_ANSWERS, _NEVER],
    ),
    Story(
        name="direct_inbound_call",
        text="Wang dials 8001's own number (4091), without a queue. 8001 answers; Wang hangs up.",
        play=_ring_whole(DIRECT),
        phones=[_ANSWERS],
    ),
    Story(
        name="internal_call_not_answered",
        text="Seat 8002 dials 8101, which nobody answers; 8002 gives up after 2 s.",
        play=_ring_whole("8101", Caller(number="8002"), patience_ms=2000, source=_SEAT),
        phones=[_ANSWERS, _NEVER],
    ),
    Story(
        name="outbound_answered",
        text="Seat 8001 dials 013800138000, outside; it is answered after 0.8 s; 8001 hangs up.",
        play=_dials_out(_ANSWERS),
    ),
    Story(
        name="outbound_busy",
        text="Seat 8001 dials 013800138000, outside; it is busy (486).",
        play=_dials_out(_BUSY),
    ),
    Story(
        name="outbound_not_answered",
        text="Seat 8001 dials 013800138000, outside; nobody answers; 8001 gives up after 2.5 s.",
        play=_dials_out(_NEVER),
    ),
    Story(
        name="click_to_dial",
        text="AMI Originate rings seat 8001, which answers after 0.8 s; then 013800138000, outside,\n"
        "which answers after 0.8 s and hangs up after 1.5 s.",
        play=_click_to_dial,
        phones=[_ANSWERS],
    ),
    Story(
        name="local_member",
        text="Wang rings 4001; member 1001 is Local/8001@zuoxi-seats/n, as a foreign site has it.\n"
        "8001 answers after 0.8 s; they talk 1.2 s, then Wang hangs up.",
        play=_local_member,
        phones=[_ANSWERS],
    ),
)
