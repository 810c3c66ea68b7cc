"""What pages change becomes files, and Asterisk is told of them once, when it can be told."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from crm_core.bus import MemoryBus
from crm_core.centre.plan import HotlinePlan, QueuePlan, SeatPlan, SwitchPlan
from crm_core.commands import PlanOf
from crm_core.errors import Invalid, Unavailable
from crm_core.ids import PbxId
from telephony.ami.actions import Action, GetConfigJSON, Reload
from telephony.ami.link import Answer, NotConnected
from telephony.plan_writer import TOLD, PlanWriter, folder_of

LAB = PbxId("lab")
PLAN = SwitchPlan(
    queues=(QueuePlan(name="support", title="售后"), QueuePlan(name="sales", title="销售")),
    hotlines=(HotlinePlan(number="4001", queue="support"),),
    seats=(SeatPlan(extension="8001", interface="PJSIP/8001", secret="a-secret-of-8001"),),
)


class Centre:
    """The records and an Asterisk, as far as the writer meets them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.plan, self.asked = folder, PLAN, list[Action]()
        self.away = False
        self.refuses: tuple[type[Action], str] | None = None
        self.reads_something_else = False
        self.bus = MemoryBus()
        self.bus.answer(PlanOf, self._plan)

    async def _plan(self, _: PlanOf) -> SwitchPlan:
        return self.plan

    async def ask(self, action: Action) -> Answer:
        if self.away:
            raise NotConnected
        self.asked.append(action)
        if self.refuses is not None and isinstance(action, self.refuses[0]):
            return Answer(response={"Response": "Error", "Message": self.refuses[1]})
        if isinstance(action, GetConfigJSON):
            found: dict[str, object] = {} if self.reads_something_else else {action.category: {}}
            return Answer(response={"Response": "Success", "JSON": json.dumps(found)})
        return Answer(response={"Response": "Success"})

    def writer(self, **more: bool) -> PlanWriter:
        """As a process that starts anew."""
        allowed = more.get("allowed", True)
        return PlanWriter(LAB, self.folder, self.bus, self.ask, allowed=lambda: allowed)

    @property
    def reloads(self) -> list[str]:
        return [action.module for action in self.asked if isinstance(action, Reload)]


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return Centre(tmp_path / "zuoxi")


async def test_files_are_written_shown_by_asterisk_and_then_reloaded(centre: Centre) -> None:
    await centre.writer().look()
    names = {path.name for path in centre.folder.iterdir()}
    assert names == {"zuoxi-queues.conf", "zuoxi-extensions.conf", "zuoxi-seats.conf", TOLD}
    assert centre.asked == [
        GetConfigJSON(filename="pjsip.conf", category="8001"),
        GetConfigJSON(filename="queues.conf", category="sales"),
        GetConfigJSON(filename="extensions.conf", category="zuoxi-seats"),
        Reload(module="res_pjsip"),
        Reload(module="app_queue"),
        Reload(module="pbx_config"),
    ]


async def test_what_asterisk_knows_is_not_told_again_by_this_process_or_the_next(
    centre: Centre,
) -> None:
    writer = centre.writer()
    await writer.look()
    centre.asked.clear()
    await writer.look()
    await centre.writer().look()
    assert centre.asked == []


async def test_only_the_module_of_a_changed_file_is_reloaded(centre: Centre) -> None:
    writer = centre.writer()
    await writer.look()
    centre.asked.clear()
    centre.plan = replace(PLAN, queues=(replace(PLAN.queues[0], weight=3), PLAN.queues[1]))
    await writer.look()
    assert centre.reloads == ["app_queue"]
    assert "weight = 3" in (centre.folder / "zuoxi-queues.conf").read_text()


async def test_files_are_written_with_the_pbx_away_and_told_when_it_is_back(
    centre: Centre,
) -> None:
    centre.away = True
    writer = centre.writer()
    with pytest.raises(Unavailable):
        await writer.look()
    assert "[support](zuoxi-queue)" in (centre.folder / "zuoxi-queues.conf").read_text()
    centre.away = False
    await writer.look()
    assert centre.reloads == ["res_pjsip", "app_queue", "pbx_config"]


async def test_process_killed_before_the_reload_is_made_up_for_by_the_next(
    centre: Centre,
) -> None:
    centre.refuses = (Reload, "Module is busy")
    with pytest.raises(Invalid, match=r"does not reload res_pjsip \(Module is busy\)"):
        await centre.writer().look()
    centre.refuses = None
    centre.asked.clear()
    await centre.writer().look()
    assert centre.reloads == ["res_pjsip", "app_queue", "pbx_config"]


async def test_asterisk_that_reads_other_files_is_not_reloaded(centre: Centre) -> None:
    centre.reads_something_else = True
    with pytest.raises(Invalid, match=r"does not read zuoxi-seats.conf in .*ZUOXI_ASTERISK_CONF"):
        await centre.writer().look()
    assert centre.reloads == []


async def test_asterisk_that_may_not_be_asked_is_not_reloaded(centre: Centre) -> None:
    centre.refuses = (GetConfigJSON, "Permission denied")
    with pytest.raises(Invalid, match="Permission denied"):
        await centre.writer().look()
    assert centre.reloads == []


async def test_plan_that_asterisk_could_misread_leaves_the_files_as_they_were(
    centre: Centre,
) -> None:
    writer = centre.writer()
    await writer.look()
    before = (centre.folder / "zuoxi-seats.conf").read_bytes()
    centre.asked.clear()
    centre.plan = replace(PLAN, seats=(SeatPlan(extension="8001", interface="PJSIP/8001"),))
    with pytest.raises(Invalid, match="Seat 8001 needs a secret"):
        await writer.look()
    assert (centre.folder / "zuoxi-seats.conf").read_bytes() == before
    assert centre.asked == []


async def test_empty_plan_is_told_too(centre: Centre) -> None:
    writer = centre.writer()
    await writer.look()
    centre.plan = SwitchPlan()
    await writer.look()
    assert (centre.folder / "zuoxi-queues.conf").read_text() == ""
    assert centre.reloads[3:] == ["res_pjsip", "app_queue", "pbx_config"]


async def run_for_two_looks(writer: PlanWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` until it would wait for the third time."""
    waits = list[float]()

    class Enough(Exception):
        pass

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise Enough

    monkeypatch.setattr("telephony.plan_writer.asyncio.sleep", sleep)
    with pytest.raises(Enough):
        await writer.run()


async def test_folder_that_cannot_be_written_is_one_warning(
    centre: Centre, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    centre.folder.parent.mkdir(exist_ok=True)
    centre.folder.write_text("a file where the folder should be")
    await run_for_two_looks(centre.writer(), monkeypatch)
    (said,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert said.startswith(f"lab: queues, hotlines and seats: cannot write into {centre.folder}: ")


async def test_process_that_has_lost_the_lease_writes_and_tells_nothing(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_for_two_looks(centre.writer(allowed=False), monkeypatch)
    assert (centre.folder.exists(), centre.asked) == (False, [])


async def test_note_of_what_was_told_that_cannot_be_read_only_tells_again(centre: Centre) -> None:
    await centre.writer().look()
    (centre.folder / TOLD).write_text("[not a note")
    centre.asked.clear()
    await centre.writer().look()
    assert len(centre.reloads) == 3


def test_one_pbx_has_the_folder_and_several_have_one_each(tmp_path: Path) -> None:
    assert folder_of(LAB, 1, tmp_path) == tmp_path
    assert folder_of(LAB, 2, tmp_path) == tmp_path / "lab"
