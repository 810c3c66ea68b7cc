"""Commands as they end: done, done already, refused; and what a process without the lease may do."""

from __future__ import annotations

from typing import Any

import pytest

from crm_core.bus import MemoryBus
from crm_core.commands import (
    AddMember,
    AttemptOf,
    ChooseState,
    Command,
    ConsultCall,
    Done,
    ExtendWrapUp,
    HangUp,
    HoldCall,
    HowLink,
    LinkStands,
    PauseMember,
    PlaceCall,
    Placed,
    RemoveMember,
    Target,
    TargetKind,
    TransferCall,
    UnpauseMember,
)
from crm_core.events import CommandRefused, Event
from crm_core.ids import CallId, PbxId
from telephony.ami.actions import Action, Hangup
from telephony.ami.encoder import headers_of
from telephony.ami.link import Answer, NoAnswer, NotConnected
from telephony.commands import (
    CALL_IS_OVER,
    NO_SUCH_TARGET,
    NOT_OURS,
    NOT_TO_BE_DIALLED,
    Commands,
)

LAB = PbxId("lab")
CALL = CallId("c" * 32)
ADD = AddMember(pbx=LAB, queue="support", interface="PJSIP/8001", agent_number="1001")
REMOVE = RemoveMember(pbx=LAB, queue="support", interface="PJSIP/8001")
PAUSE = PauseMember(pbx=LAB, interface="PJSIP/8001", reason="lunch")
UNPAUSE = UnpauseMember(pbx=LAB, interface="PJSIP/8001")
HANG_UP = HangUp(pbx=LAB, call=CALL)
ATTEMPT = "zx0123456789ab-1764000000.1"
OUTSIDE = Target(kind=TargetKind.NUMBER, exten="13800138000")
PLACE = PlaceCall(pbx=LAB, attempt=ATTEMPT, interface="PJSIP/8001", to=OUTSIDE)
OWN: Any = {"pbx": LAB, "call": CALL, "leg": "lab-1.1"}
SEAT = Target(kind=TargetKind.SEAT, exten="8002")


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
        if message in ("(away)", "(broke)"):
            broken = NotConnected("there is no link")
            broken.sent = message == "(broke)"
            raise broken
        kind = "Error" if message else "Success"
        return Answer(response={"Response": kind, "Message": message})

    def channels_of(self, call: CallId) -> tuple[str, ...]:
        return tuple(self.legs.values()) if call == CALL else ()

    def leg_channel(self, call: CallId, leg: str) -> str | None:
        return self.legs.get(leg) if call == CALL else None

    def attempt(self, unique_id: str) -> CallId | None:
        return CALL if unique_id == ATTEMPT else None

    def call_to_be(self, unique_id: str) -> CallId | None:
        return CALL

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


# --- what the desk does to a call -----------------------------------------------------------------


async def asked(
    command: Command, *answers: str, held: bool = True
) -> tuple[Any, FakePbx, list[Event]]:
    bus, pbx, told = MemoryBus(), FakePbx(*answers), list[Event]()
    bus.subscribe(lambda envelope: told.append(envelope.event))
    Commands(bus, lambda: held).serve(LAB, pbx)
    return await bus.ask(command, 5), pbx, told


@pytest.mark.parametrize(
    ("command", "answers", "refused"),
    [
        (HoldCall(**OWN), (), None),
        (HoldCall(**{**OWN, "leg": "lab-9.9"}), (), CALL_IS_OVER),
        (HoldCall(**OWN), ("No such channel",), CALL_IS_OVER),
        (HoldCall(**OWN), ("(nothing)",), "Asterisk did not answer"),
        (
            TransferCall(**OWN, to=SEAT),
            ("Did not find extension 8002@zuoxi-seats",),
            NO_SUCH_TARGET,
        ),
        (ConsultCall(**OWN, to=Target(kind=TargetKind.SEAT, exten="8002\r\nX: y")), (), "cannot"),
    ],
)
async def test_every_act_is_done_or_refused_with_a_sentence(
    command: Command, answers: tuple[str, ...], refused: str | None
) -> None:
    answer, _, told = await asked(command, *answers)
    assert isinstance(answer, Done)
    if refused is None:
        assert (answer.refused, told) == (None, [])
    else:
        assert refused in (answer.refused or "")
        (fact,) = told
        assert isinstance(fact, CommandRefused)
        assert (fact.command, fact.reason) == (type(command).__name__, answer.refused)


async def test_a_transfer_looks_before_it_leaps() -> None:
    _, pbx, _ = await asked(TransferCall(**OWN, to=SEAT), "Did not find extension")
    assert [type(action).__name__ for action in pbx.done] == ["ShowDialPlan"]
    _, pbx, _ = await asked(TransferCall(**OWN, to=SEAT))
    names = [type(action).__name__ for action in pbx.done]
    assert names == ["ShowDialPlan", "Setvar", "BlindTransfer"]


async def test_a_consultation_that_failed_leaves_no_number_for_the_phone_s_own_keys() -> None:
    said, pbx, _ = await asked(ConsultCall(**OWN, to=SEAT), "", "", "Atxfer failed")
    assert isinstance(said, Done)
    assert said.refused is not None
    *_, consulted, cleared = pbx.done
    assert type(consulted).__name__ == "Atxfer"
    assert (type(cleared).__name__, getattr(cleared, "value", None)) == ("Setvar", "")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((), Placed(call=CALL)),
        (("Extension does not exist.",), Placed(refused=NOT_TO_BE_DIALLED)),
        (("(away)",), Placed(refused="there is no link")),
        (("(broke)",), Placed()),
        (("(nothing)",), Placed()),
    ],
)
async def test_only_what_surely_did_not_ring_is_refused(
    answers: tuple[str, ...], expected: Placed
) -> None:
    answer, pbx, told = await asked(PLACE, *answers)
    assert answer == expected
    assert len(pbx.done) == 1
    assert len(told) == (expected.refused is not None)


async def test_an_attempt_is_looked_up_and_nothing_is_sent() -> None:
    answer, pbx, _ = await asked(AttemptOf(pbx=LAB, attempt=ATTEMPT))
    assert (answer, pbx.done) == (Placed(call=CALL), [])
    answer, _, _ = await asked(AttemptOf(pbx=LAB, attempt="zx0123456789ab-1764000000.2"))
    assert answer == Placed()


async def test_without_the_lease_nothing_is_dialled_or_transferred() -> None:
    placed, pbx, _ = await asked(PLACE, held=False)
    assert (placed, pbx.done) == (Placed(refused=NOT_OURS), [])
    sent, pbx, _ = await asked(TransferCall(**OWN, to=SEAT), held=False)
    assert (sent, pbx.done) == (Done(refused=NOT_OURS), [])
