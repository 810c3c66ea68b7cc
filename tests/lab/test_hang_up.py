"""Who is said to have hung up, when AMI ends the agent's leg: the reason why the desk sends it away."""

from __future__ import annotations

import re

import pytest

from telephony.ami.actions import Action, Hangup, Redirect
from telephony.dialplan import EVENTS_ACCOUNT, HANG_UP_CONTEXT
from tests.harness import wait_until
from tests.lab.ami import Session, add_member
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import callers, phones
from tests.lab.story import HOTLINES, WANG


def hung_up(lab: Laboratory, how: type[Action]) -> tuple[str, str]:
    """AMI's reason and queue_log's verb, after the agent's leg of a conversation was ended so."""
    before = len(lab.queue_log.read_text())
    with (
        phones(lab, PhoneBehaviour(answer_after_ms=0)),
        Session(lab) as control,
        Session(lab, EVENTS_ACCOUNT) as events,
    ):
        add_member(control, "support", "8001", "1001")
        with callers(lab, HOTLINES["support"], [WANG], CallerBehaviour(talk_ms=None)) as call:
            events.wait_for(b"Event: AgentConnect\r\n")
            channel = re.findall(r"^DestChannel: (PJSIP/8001-\w+)", _text(events), re.M)[-1]
            wait_until("they talk", lambda: _text(events).count("BridgeEnter\r\n") == 2, 5)
            control.act(how.__name__, **_headers(how, channel))
            call.wait(10)
            events.wait_for(b"Event: AgentComplete\r\n")
        reason = re.findall(r"^Reason: (\w+)", _text(events).partition("AgentComplete")[2], re.M)[0]
        control.act("QueueRemove", Queue="support", Interface="PJSIP/8001")
    wait_until("the row is written", lambda: "|COMPLETE" in lab.queue_log.read_text()[before:], 5)
    return reason, re.findall(r"\|(COMPLETE\w+)\|", lab.queue_log.read_text()[before:])[0]


def _text(session: Session) -> str:
    return session.received.decode(errors="replace")


def _headers(how: type[Action], channel: str) -> dict[str, str]:
    if how is Hangup:
        return {"Channel": channel, "Cause": "16"}
    return {"Channel": channel, "Context": HANG_UP_CONTEXT, "Exten": "s", "Priority": "1"}


@pytest.mark.parametrize(
    ("how", "told"),
    [(Hangup, ("caller", "COMPLETECALLER")), (Redirect, ("agent", "COMPLETEAGENT"))],
)
def test_only_a_leg_that_is_sent_away_is_told_as_the_agents_hang_up(
    laboratory: Laboratory, how: type[Action], told: tuple[str, str]
) -> None:
    assert hung_up(laboratory, how) == told
