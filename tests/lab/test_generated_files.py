"""Asterisk's own parser reads from the generated files what was meant."""

from __future__ import annotations

import json
import string
from dataclasses import replace

import pytest

from crm_core.centre.plan import SeatPlan
from telephony import dialplan
from tests.lab.ami import Session
from tests.lab.asterisk import Laboratory

pytestmark = pytest.mark.asterisk

SECRETS = (
    string.punctuation + "aA1",
    ";" * 8,
    "\\;\\;\\;\\;",
    ";--x--;y",
    "#include x"[:8] + ";x",
    "=>=>=>=>",
    "${x}$(y)",
    "[general](+)",
    "'\"'\"'\"'\"",
)


def read_back(control: Session, file: str) -> dict[str, dict[str, str]]:
    answer = control.act("GetConfigJSON", Filename=file)
    (text,) = [line[6:] for line in answer.split("\r\n") if line.startswith("JSON: ")]
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def test_a_secret_of_any_characters_arrives_as_it_is(laboratory: Laboratory) -> None:
    seats = tuple(
        SeatPlan(extension=str(9001 + number), interface=f"PJSIP/{9001 + number}", secret=secret)
        for number, secret in enumerate(SECRETS)
    )
    plan = replace(laboratory.plan, seats=seats)
    with Session(laboratory) as control:
        try:
            dialplan.write(dialplan.render_plan(plan), laboratory.generated)
            answer = control.act("GetConfig", Filename="pjsip.conf")
        finally:
            dialplan.write(dialplan.render_plan(laboratory.plan), laboratory.generated)
    read = [
        line.partition(": password=")[2] for line in answer.split("\r\n") if ": password=" in line
    ]
    assert read == list(SECRETS)


def test_queues_are_what_was_planned(laboratory: Laboratory) -> None:
    with Session(laboratory) as control:
        read = read_back(control, "queues.conf")
    for queue in laboratory.plan.queues:
        assert read[queue.name]["strategy"] == queue.strategy.value
        assert read[queue.name]["timeout"] == str(queue.ring_seconds)
        assert read[queue.name]["ringinuse"] == "no"


def test_a_new_queue_and_hotline_are_there_after_the_named_reloads(laboratory: Laboratory) -> None:
    more = replace(
        laboratory.plan,
        queues=(
            *laboratory.plan.queues,
            replace(laboratory.plan.queues[0], name="later", title="后来"),
        ),
        hotlines=(
            *laboratory.plan.hotlines,
            replace(laboratory.plan.hotlines[0], number="4099", queue="later"),
        ),
    )
    with Session(laboratory) as control:
        try:
            changes = dialplan.write(dialplan.render_plan(more), laboratory.generated)
            assert changes.reload == ("app_queue", "pbx_config")
            assert not changes.restart
            for module in changes.reload:
                control.act("Reload", Module=module)
            assert "later has 0 calls" in laboratory.rx("queue show")
            assert "4099" in laboratory.rx("dialplan show zuoxi-hotlines")
        finally:
            back = dialplan.render_plan(laboratory.plan)
            for module in dialplan.write(back, laboratory.generated).reload:
                control.act("Reload", Module=module)


@pytest.mark.parametrize(
    "module", sorted({g.module for g in dialplan.GENERATED.values() if g.module})
)
def test_asterisk_knows_the_module_to_reload(laboratory: Laboratory, module: str) -> None:
    with Session(laboratory) as control:
        control.act("Reload", Module=module)
