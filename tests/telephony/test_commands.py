"""Commands as they end: done, done already, refused; and what a process without the lease may do."""

from __future__ import annotations

import pytest

from crm_core.bus import MemoryBus
from crm_core.commands import (
    AddMember,
    ChooseState,
    Command,
    Done,
    ExtendWrapUp,
    HangUp,
    HowLink,
    LinkStands,
    PauseMember,
    RemoveMember,
    UnpauseMember,
)
from crm_core.ids import CallId, PbxId
from telephony.ami.actions import Action, Hangup
from telephony.ami.encoder import headers_of
from telephony.ami.link import Answer, NoAnswer
from telephony.commands import NOT_OURS, Commands

LAB = PbxId("lab")
CALL = CallId("c" * 32)
ADD = AddMember(pbx=LAB, queue="support", interface="PJSIP/8001", agent_number="1001")
REMOVE = RemoveMember(pbx=LAB, queue="support", interface="PJSIP/8001")
PAUSE = PauseMember(pbx=LAB, interface="PJSIP/8001", reason="lunch")
UNPAUSE = UnpauseMember(pbx=LAB, interface="PJSIP/8001")
HANG_UP = HangUp(pbx=LAB, call=CALL)


class FakePbx:
    """Answers with what it was told to; a frame that could not be sent is refused as on the wire."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.done = list(answers), list[Action]()
        self.pauses: dict[str, str] = {}
        self.chosen: list[ChooseState | ExtendWrapUp] = []
        self.legs = {"lab-1.0": "PJSIP/trunk-00000001", "lab-1.1": "PJSIP/8001-00000002"}

    async def control(self, action: Action) -> Answer:
        headers_of(action, "id")
        self.done.append(action)
        message = self.answers.pop(0) if self.answers else ""
        if message == "(nothing)":
            raise NoAnswer("Asterisk did not answer")
        kind = "Error" if message else "Success"
        return Answer(response={"Response": kind, "Message": message})

    def channels_of(self, call: CallId) -> tuple[str, ...]:
        return tuple(self.legs.values()) if call == CALL else ()

    def leg_channel(self, call: CallId, leg: str) -> str | None:
        return self.legs.get(leg) if call == CALL else None

    def pause_of(self, interface: str) -> str | None:
        return self.pauses.get(interface)

    def stands(self) -> LinkStands:
        return LinkStands(read=5, ignored=4, quarantined=3, mended=2, failures=1)

    def choose(self, command: ChooseState | ExtendWrapUp) -> Done:
        self.chosen.append(command)
        return Done()


async def does(command: Command, *answers: str, held: bool = True) -> tuple[Done, FakePbx]:
    bus, pbx = MemoryBus(), FakePbx(*answers)
    Commands(bus, lambda: held).serve(LAB, pbx)
    answer = await bus.ask(command, 5)
    assert isinstance(answer, Done)
    return answer, pbx


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (ADD, "Unable to add interface: Already there"),
        (REMOVE, "Unable to remove interface: Not there"),
        (HANG_UP, "No such channel"),
    ],
)
async def test_what_is_done_already_is_done(command: Command, said: str) -> None:
    assert (await does(command, said))[0] == Done()


@pytest.mark.parametrize("command", [ADD, REMOVE, PAUSE, UNPAUSE, HANG_UP])
async def test_what_asterisk_refuses_is_refused_in_its_words(command: Command) -> None:
    assert (await does(command, "No such queue"))[0] == Done(refused="No such queue")
    assert (await does(command, "(nothing)"))[0] == Done(refused="Asterisk did not answer")


@pytest.mark.parametrize(
    "command",
    [
        AddMember(pbx=LAB, queue="a\r\nb", interface="PJSIP/8001", agent_number="1"),
        AddMember(pbx=LAB, queue="a", interface="PJSIP/8001\n", agent_number="1"),
        AddMember(pbx=LAB, queue="a", interface="PJSIP/8001", agent_number=""),
        AddMember(pbx=LAB, queue="a", interface="PJSIP/8001", agent_number="1", penalty=-1),
        RemoveMember(pbx=LAB, queue="", interface="PJSIP/8001"),
        PauseMember(pbx=LAB, interface="8001", reason=""),
    ],
)
async def test_wrong_value_is_refused_with_a_sentence_and_never_sent(command: Command) -> None:
    said, pbx = await does(command)
    assert said.refused is not None
    assert "cannot be sent to Asterisk as" in said.refused
    assert pbx.done == []


async def test_hang_up_is_one_action_for_each_leg_that_lives() -> None:
    _, pbx = await does(HANG_UP)
    assert pbx.done == [Hangup(channel=name) for name in pbx.legs.values()]
    _, pbx = await does(HangUp(pbx=LAB, call=CALL, leg="lab-1.1"))
    assert [getattr(action, "channel", None) for action in pbx.done] == ["PJSIP/8001-00000002"]
    for gone in (HangUp(pbx=LAB, call=CALL, leg="x"), HangUp(pbx=LAB, call=CallId("d" * 32))):
        said, pbx = await does(gone)
        assert (said, pbx.done) == (Done(), [])


@pytest.mark.parametrize("command", [ADD, REMOVE, HANG_UP])
async def test_without_the_lease_nothing_is_sent_and_a_sentence_says_why(command: Command) -> None:
    said, pbx = await does(command, held=False)
    assert (said.refused, pbx.done) == (NOT_OURS, [])


@pytest.mark.parametrize("command", [PAUSE, UNPAUSE])
async def test_without_the_lease_agents_can_still_pause(command: Command) -> None:
    said, pbx = await does(command, held=False)
    assert (said, len(pbx.done)) == (Done(), 1)


async def test_how_the_link_stands_is_answered_by_the_pbx_that_was_asked() -> None:
    bus, pbx = MemoryBus(), FakePbx()
    Commands(bus).serve(LAB, pbx)
    assert await bus.ask(HowLink(pbx=LAB), 5) == pbx.stands()
    assert await bus.ask(HowLink(pbx=PbxId("another")), 5) is None
