"""The stories of the golden traces: who does what, as it is done on the real Asterisk."""

from __future__ import annotations

from contextlib import ExitStack

from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, Sipp, callers
from tests.lab.story import HOTLINES, WANG, Member, Story, ring
from tests.lab.whole_call_stories import WHOLE_CALLS


def _two_at_a_full_queue(lab: Laboratory) -> None:
    patient = CallerBehaviour(patience_ms=2500)
    second = Caller(number="13900139000", name="Li")
    with ExitStack() as stack:
        first: Sipp = stack.enter_context(callers(lab, HOTLINES["narrow"], [WANG], patient))
        _until(lab, "narrow has 1 calls")
        stack.enter_context(callers(lab, HOTLINES["narrow"], [second])).wait(30)
        first.wait(30)


def _until(lab: Laboratory, sight: str) -> None:
    for _ in range(100):
        if sight in lab.rx("queue show narrow"):
            return
    raise RuntimeError(f"{sight!r} never came true")


_ANSWERS = PhoneBehaviour(answer_after_ms=800)
_NEVER = PhoneBehaviour(answer_after_ms=None)

STORIES = (
    Story(
        name="answered_caller_hangs_up",
        text="Wang (13800138000) rings 4001, queue support.\n"
        "Agent 1001 at seat 8001 answers after 0.8 s.\n"
        "They talk 1.2 s, then Wang hangs up.",
        play=ring(HOTLINES["support"]),
        members=[Member(agent="1001", seat="8001")],
        phones=[_ANSWERS],
    ),
    Story(
        name="answered_agent_hangs_up",
        text="Wang (13800138000) rings 4001, queue support.\n"
        "Agent 1001 at seat 8001 answers after 0.8 s.\n"
        "They talk 1.2 s, then the agent hangs up.",
        play=ring(HOTLINES["support"], talk_ms=None),
        members=[Member(agent="1001", seat="8001")],
        phones=[PhoneBehaviour(answer_after_ms=800, hang_up_after_ms=1200)],
    ),
    Story(
        name="abandoned",
        text="Wang (13800138000) rings 4001, queue support.\n"
        "Agent 1001's phone (seat 8001) rings and nobody answers.\n"
        "After 2 s Wang hangs up, still waiting.",
        play=ring(HOTLINES["support"], patience_ms=2000),
        members=[Member(agent="1001", seat="8001")],
        phones=[_NEVER],
    ),
    Story(
        name="abandoned_after_answer",
        text="Wang (13800138000) rings 4001, queue support; Asterisk answers before the queue.\n"
        "Agent 1001's phone (seat 8001) rings and nobody answers.\n"
        "After 2 s Wang hangs up, still waiting.",
        play=ring(HOTLINES["support"], talk_ms=2000),
        members=[Member(agent="1001", seat="8001")],
        phones=[_NEVER],
        answer_first=True,
    ),
    Story(
        name="timeout",
        text="Wang (13800138000) rings 4003, queue hurried: rings 2 s an agent, 3 s at most.\n"
        "Agent 1001's phone (seat 8001) rings and nobody answers.\n"
        "The queue's time is over: Asterisk puts Wang out; AMI calls that Abandon.",
        play=ring(HOTLINES["hurried"]),
        members=[Member(agent="1001", seat="8001", queue="hurried")],
        phones=[_NEVER],
    ),
    Story(
        name="no_answer_then_another",
        text="Wang (13800138000) rings 4005, queue in_turn: rings 2 s an agent, in order.\n"
        "Agent 1001 (seat 8101) does not pick up; then agent 1002 (seat 8001) answers.\n"
        "They talk 1.2 s, then Wang hangs up.",
        play=ring(HOTLINES["in_turn"]),
        members=[
            Member(agent="1001", seat="8101", queue="in_turn"),
            Member(agent="1002", seat="8001", queue="in_turn"),
        ],
        phones=[_ANSWERS, _NEVER],
    ),
    Story(
        name="ringall_answered_elsewhere",
        text="Wang (13800138000) rings 4002, queue sales, which rings all at once.\n"
        "The phones of 1001 (8101), 1002 (8001) and 1003 (8102) ring; 1002 answers.\n"
        "They talk 1.2 s, then Wang hangs up.",
        play=ring(HOTLINES["sales"]),
        members=[
            Member(agent="1001", seat="8101", queue="sales"),
            Member(agent="1002", seat="8001", queue="sales"),
            Member(agent="1003", seat="8102", queue="sales"),
        ],
        phones=[_ANSWERS, _NEVER],
    ),
    Story(
        name="refused",
        text="Wang (13800138000) rings 4005, queue in_turn.\n"
        "Agent 1001 (seat 8101) refuses (603 Decline) after 0.5 s; 1002 (seat 8001) answers.\n"
        "They talk 1.2 s, then Wang hangs up.",
        play=ring(HOTLINES["in_turn"]),
        members=[
            Member(agent="1001", seat="8101", queue="in_turn"),
            Member(agent="1002", seat="8001", queue="in_turn"),
        ],
        phones=[_ANSWERS, PhoneBehaviour(answer_after_ms=500, refuse_with=603)],
    ),
    Story(
        name="hidden_caller",
        text="Somebody who hides the number rings 4001, queue support.\n"
        "Agent 1001 at seat 8001 answers after 0.8 s.\n"
        "They talk 1.2 s, then the caller hangs up.",
        play=ring(HOTLINES["support"], Caller(number=None)),
        members=[Member(agent="1001", seat="8001")],
        phones=[_ANSWERS],
    ),
    Story(
        name="chinese_name",
        text="王小明 (13800138000) rings 4001, queue support.\n"
        "Agent 1001 at seat 8001 answers after 0.8 s.\n"
        "They talk 1.2 s, then 王小明 hangs up.",
        play=ring(HOTLINES["support"], Caller(number="13800138000", name="王小明")),
        members=[Member(agent="1001", seat="8001")],
        phones=[_ANSWERS],
    ),
    Story(
        name="direct_internal_call",
        text="Seat 8002 dials seat 8001, without a queue.\n"
        "Seat 8001 answers after 0.8 s.\n"
        "They talk 1.2 s, then 8002 hangs up; the rows ZX_DIALLED and ZX_ENDED are our dialplan's.",
        play=ring("8001", Caller(number="8002"), source="127.0.0.1"),
        phones=[_ANSWERS],
    ),
    Story(
        name="queue_full",
        text="Wang (13800138000) rings 4004, queue narrow, which holds one caller; nobody answers there.\n"
        "Li (13900139000) rings 4004 and is refused: the row ZX_LEFT is our dialplan's.\n"
        "After 2.5 s Wang hangs up, still waiting.",
        play=_two_at_a_full_queue,
        members=[Member(agent="1001", seat="8001", queue="narrow")],
        phones=[_NEVER],
    ),
    *WHOLE_CALLS,
)
