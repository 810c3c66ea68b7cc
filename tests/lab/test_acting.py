"""What the desk does to a call, on the real Asterisk: who hears music, who talks, and what the books say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from crm_core.commands import (
    CompleteTransfer,
    ConsultCall,
    EndConsultation,
    HoldCall,
    OfOwnLeg,
    PlaceCall,
    ResumeCall,
    Target,
    TargetKind,
    TransferCall,
)
from crm_core.ids import CallId, PbxId
from telephony.acting import placing, steps
from telephony.ami.actions import Action, CancelAtxfer, PlayDTMF, Redirect
from telephony.ami.encoder import headers_of
from telephony.dialplan import EVENTS_ACCOUNT, HANG_UP_CONTEXT
from tests.harness import wait_until
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Sipp, callers, customers, phones
from tests.lab.story import HOTLINES, WANG

PBX = PbxId("lab")
OWN: Any = {"pbx": PBX, "call": CallId("0" * 32), "leg": "x"}
EXPERT = Target(kind=TargetKind.SEAT, exten="8101")
"""Answers after a moment."""
NOBODY = Target(kind=TargetKind.SEAT, exten="8201")
"""Rings and is never answered."""


@dataclass
class Talk:
    """Wang and agent 1001 (seat 8001) talk; a queue brought them together."""

    lab: Laboratory
    control: Session
    events: Session
    channel: str
    phone: Sipp
    caller: Sipp
    begin: int
    """Where `queue_log` stood."""

    def ask(self, action: Action) -> None:
        headers = dict(headers_of(action, "lab")[2:])
        self.control.act(type(action).__name__, **headers)

    def does(self, command: OfOwnLeg) -> None:
        for step in steps(command, self.channel):
            if isinstance(step, Action):
                self.ask(step)
            else:
                # Not a guess of this test's: the product's own pause between two keys.
                self.events.quiet(step)

    def told(self, event: str, after: int = 0) -> list[str]:
        """The Uniqueids of the events of this kind."""
        text = self.events.received[after:].decode(errors="replace")
        return re.findall(rf"^Event: {event}\r$.*?^Uniqueid: (\S+)\r$", text, re.M | re.S)

    def sees(self, event: str, count: int = 1) -> None:
        wait_until(f"{event} is told", lambda: len(self.told(event)) >= count, 5)

    @property
    def rows(self) -> list[list[str]]:
        written = self.lab.queue_log.read_text()[self.begin :].splitlines()
        return [row.split("|") for row in written]

    def ends_as(self, verb: str) -> list[str]:
        """The one row that closes the pass, which has this verb."""
        closing = ("COMPLETECALLER", "COMPLETEAGENT", "BLINDTRANSFER", "ATTENDEDTRANSFER")
        wait_until("the pass is closed", lambda: any(r[4] in closing for r in self.rows), 5)
        found = [row for row in self.rows if row[4] in closing and row[2] == "support"]
        assert [row[4] for row in found] == [verb]
        return found[0]

    def lets_the_own_phone_go(self) -> None:
        # By SIP: while the target rings Asterisk keeps the channel, in case nobody answers there.
        wait_until("8001 is free", lambda: all(one.ended_at for one in self.phone.calls), 3)

    @property
    def channels(self) -> list[str]:
        return self.lab.rx("core show channels concise").splitlines()

    def is_in_a_bridge_with(self, *names: str) -> bool:
        """Each of these is in a bridge, and there is one bridge of people."""
        bridges = {
            line.split("!")[0].partition("-0")[0]: line.split("!")[-2] for line in self.channels
        }
        return all(bridges.get(name) for name in names)


@pytest.fixture
def colleagues(laboratory: Laboratory) -> Iterator[None]:
    """8101 answers after a moment, 8201 never."""
    with (
        phones(laboratory, PhoneBehaviour(answer_after_ms=200), group=1),
        phones(laboratory, PhoneBehaviour(answer_after_ms=None), group=2),
    ):
        yield


@contextmanager
def a_talk(lab: Laboratory, talk_ms: int | None = None) -> Iterator[Talk]:
    begin = len(lab.queue_log.read_text())
    with ExitStack() as stack:
        phone = stack.enter_context(phones(lab, PhoneBehaviour(answer_after_ms=0)))
        control = stack.enter_context(Session(lab))
        events = stack.enter_context(Session(lab, EVENTS_ACCOUNT))
        add_member(control, "support", "8001", "1001")
        behaviour = CallerBehaviour(talk_ms=talk_ms)
        caller = stack.enter_context(callers(lab, HOTLINES["support"], [WANG], behaviour))
        events.wait_for(b"Event: AgentConnect\r\n")
        text = events.received.decode(errors="replace")
        channel = re.findall(r"^DestChannel: (PJSIP/8001-\w+)", text, re.M)[-1]
        talk = Talk(lab, control, events, channel, phone, caller, begin)
        talk.sees("BridgeEnter", 2)
        try:
            yield talk
        finally:
            control.act("QueueRemove", Queue="support", Interface="PJSIP/8001")
            for line in talk.channels:
                control.send("Hangup", Channel=line.split("!")[0])
            wait_until("nobody is left", lambda: not talk.channels, 10)


def test_hold_and_resume_are_told_of_the_agents_leg_and_falsify_no_book(
    laboratory: Laboratory,
) -> None:
    with a_talk(laboratory) as talk:
        for time in (1, 2):  # and asked twice each time
            talk.does(HoldCall(**OWN))
            talk.does(HoldCall(**OWN))
            talk.sees("Hold", time)
            talk.does(ResumeCall(**OWN))
            talk.does(ResumeCall(**OWN))
            talk.sees("Unhold", time)
        agent, customer = talk.told("AgentConnect")[0], talk.told("QueueCallerJoin")[0]
        assert agent == customer  # AgentConnect's first channel is the caller's
        held = talk.told("Hold")
        assert len(held) == 2
        assert set(held) == set(talk.told("Unhold")) != {customer}
        talk.ask(Redirect(channel=talk.channel, context=HANG_UP_CONTEXT))
        talk.caller.wait(5)
        assert talk.ends_as("COMPLETEAGENT")[5] == "0"
        assert [one.end for one in talk.caller.calls] == ["other"]


def test_a_digit_at_the_phone_takes_the_caller_back(laboratory: Laboratory) -> None:
    with a_talk(laboratory) as talk:
        talk.does(HoldCall(**OWN))
        talk.sees("Hold")
        talk.ask(PlayDTMF(channel=talk.channel, digit="5"))
        talk.sees("Unhold")


def test_a_caller_who_gives_up_on_hold_frees_the_agent_at_once(laboratory: Laboratory) -> None:
    with a_talk(laboratory, talk_ms=1500) as talk:
        talk.does(HoldCall(**OWN))
        talk.sees("Hold")
        talk.caller.wait(5)
        wait_until("the agent's leg is over", lambda: not talk.channels, 3)
        talk.ends_as("COMPLETECALLER")


def test_an_agent_who_hangs_up_on_hold_leaves_no_caller_with_the_music(
    laboratory: Laboratory,
) -> None:
    with a_talk(laboratory) as talk:
        talk.does(HoldCall(**OWN))
        talk.sees("Hold")
        talk.ask(Redirect(channel=talk.channel, context=HANG_UP_CONTEXT))
        talk.caller.wait(5)
        talk.ends_as("COMPLETEAGENT")


@pytest.mark.usefixtures("colleagues")
@pytest.mark.parametrize("held", [False, True])
def test_a_blind_transfer_to_an_agent_lets_the_own_phone_go(
    laboratory: Laboratory, held: bool
) -> None:
    with a_talk(laboratory) as talk:
        if held:
            talk.does(HoldCall(**OWN))
            talk.sees("Hold")
        talk.does(TransferCall(**OWN, to=EXPERT))
        wait_until("8101 talks", lambda: talk.is_in_a_bridge_with("PJSIP/8101"), 5)
        talk.lets_the_own_phone_go()
        assert talk.ends_as("BLINDTRANSFER")[5:7] == ["8101", "zuoxi-seats"]


def test_a_blind_transfer_to_a_queue_is_a_second_pass_of_the_same_caller(
    laboratory: Laboratory,
) -> None:
    with a_talk(laboratory) as talk:
        talk.does(TransferCall(**OWN, to=Target(kind=TargetKind.QUEUE, exten="sales")))
        wait_until(
            "Wang waits again",
            lambda: sum(row[4] == "ENTERQUEUE" for row in talk.rows) == 2,
            5,
        )
        entered = [row for row in talk.rows if row[4] == "ENTERQUEUE"]
        assert [row[2] for row in entered] == ["support", "sales"]
        assert entered[0][1] == entered[1][1]


def test_a_transfer_to_nowhere_is_refused_and_the_talk_goes_on(laboratory: Laboratory) -> None:
    with a_talk(laboratory) as talk:
        for kind, exten in (
            (TargetKind.SEAT, "7777"),
            (TargetKind.QUEUE, "no-such"),
            (TargetKind.NUMBER, "0031612345678"),
            (TargetKind.NUMBER, "8101"),
        ):
            with pytest.raises(RuntimeError, match="AMI ShowDialPlan"):
                talk.does(TransferCall(**OWN, to=Target(kind=kind, exten=exten)))
        assert talk.is_in_a_bridge_with("PJSIP/8001", "PJSIP/zuoxi-trunk")


@pytest.mark.usefixtures("colleagues")
@pytest.mark.parametrize("to", [EXPERT, NOBODY], ids=["talking", "ringing"])
def test_who_is_consulted_gets_the_call_also_while_it_still_rings_there(
    laboratory: Laboratory, to: Target
) -> None:
    with a_talk(laboratory) as talk:
        talk.does(ConsultCall(**OWN, to=to))
        name = f"PJSIP/{to.exten}"
        wait_until("it rings there", lambda: name in str(talk.channels), 5)
        if to is EXPERT:
            wait_until("they talk", lambda: talk.is_in_a_bridge_with(name), 5)
        assert talk.told("Hold")
        talk.does(CompleteTransfer(**OWN))
        talk.lets_the_own_phone_go()
        talk.ends_as("ATTENDEDTRANSFER")
        # Nobody talks with 8201 yet; the caller is in a bridge with what rings there.
        assert talk.is_in_a_bridge_with("PJSIP/zuoxi-trunk", *([name] if to is EXPERT else []))


@pytest.mark.usefixtures("colleagues")
@pytest.mark.parametrize("to", [EXPERT, NOBODY], ids=["talking", "ringing"])
@pytest.mark.parametrize("held", [False, True])
def test_a_consultation_that_comes_back_is_no_transfer(
    laboratory: Laboratory, to: Target, held: bool
) -> None:
    with a_talk(laboratory) as talk:
        if held:
            talk.does(HoldCall(**OWN))
            talk.sees("Hold")
        talk.does(ConsultCall(**OWN, to=to, held=held))
        name = f"PJSIP/{to.exten}"
        wait_until("it rings there", lambda: name in str(talk.channels), 5)
        talk.does(EndConsultation(**OWN))
        wait_until("nobody rings", lambda: name not in str(talk.channels), 5)
        wait_until("Wang is back", lambda: len(talk.told("Unhold")) == 1 + held, 5)
        # Nobody consults now: the same key once more must do nothing, least of all transfer.
        talk.ask(CancelAtxfer(channel=talk.channel))
        talk.ask(Redirect(channel=talk.channel, context=HANG_UP_CONTEXT))
        talk.caller.wait(5)
        talk.ends_as("COMPLETEAGENT")


@pytest.mark.usefixtures("colleagues")
def test_nothing_is_left_of_a_consultation_that_the_phones_own_keys_could_use(
    laboratory: Laboratory,
) -> None:
    with a_talk(laboratory) as talk:
        talk.does(ConsultCall(**OWN, to=EXPERT))
        talk.does(EndConsultation(**OWN))
        talk.sees("Unhold")
        got = talk.control.act("Getvar", Channel=talk.channel, Variable="TRANSFER_EXTEN")
        assert re.search(r"^Value: \r?$", got, re.M)


def test_a_call_that_is_placed_rings_the_own_phone_first_and_once(laboratory: Laboratory) -> None:
    attempt = "zx0123456789ab-1764000000.1"
    command = PlaceCall(
        pbx=PBX,
        attempt=attempt,
        interface="PJSIP/8001",
        to=Target(kind=TargetKind.NUMBER, exten="13800138000"),
    )
    with (
        phones(laboratory, PhoneBehaviour(answer_after_ms=300)) as own,
        customers(laboratory, PhoneBehaviour(answer_after_ms=100)) as outside,
        Session(laboratory) as control,
    ):
        headers = dict(headers_of(placing(command), "lab")[2:])
        for _ in range(3):
            control.act("Originate", **headers)
        wait_until("the customer talks", lambda: any(c.answered_at for c in outside.calls), 5)
        control.act("Originate", **headers)
        lines = laboratory.rx("core show channels concise").splitlines()
        assert sum(line.endswith(f"!{attempt}") for line in lines) == 1
        for line in lines:
            control.send("Hangup", Channel=line.split("!")[0])
        wait_until("it is over", lambda: all(c.ended_at for c in own.calls + outside.calls), 5)
        assert [(c.seat, c.number) for c in own.calls] == [("8001", "8001")]
        assert [c.seat for c in outside.calls] == ["13800138000"]
        assert own.calls[0].answered_at is not None
        assert own.calls[0].answered_at <= outside.calls[0].began_at


@pytest.mark.parametrize(
    "exten", ["0031612345678", "110", "8101", "4001", "1380013800", "138001380001"]
)
def test_what_the_site_does_not_allow_rings_nobody(laboratory: Laboratory, exten: str) -> None:
    command = PlaceCall(
        pbx=PBX,
        attempt="zx0123456789ab-1764000000.2",
        interface="PJSIP/8001",
        to=Target(kind=TargetKind.NUMBER, exten=exten),
    )
    with phones(laboratory) as own, Session(laboratory) as control:
        with pytest.raises(RuntimeError, match="Extension does not exist"):
            control.act("Originate", **dict(headers_of(placing(command), "lab")[2:]))
        assert own.calls == []
