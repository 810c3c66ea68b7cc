"""The generated files say what was planned, and no value can make them say more."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.centre.plan import (
    DirectionPlan,
    HotlinePlan,
    QueuePlan,
    RecordingRule,
    SeatPlan,
    Strategy,
    SwitchPlan,
)
from crm_core.errors import Invalid
from crm_core.events import Direction
from telephony import dialplan
from telephony.dialplan import Site, render_plan, render_site, write

SITE = Site(
    system_name="k7Qx2",
    events_secret="an-events-secret",
    control_secret="a-control-secret",
    trunk_addresses=("192.0.2.10", "198.51.100.0/24"),
)
PLAN = SwitchPlan(
    queues=(
        QueuePlan(name="support", title="售后", strategy=Strategy.RINGALL, ring_seconds=20),
        QueuePlan(name="sales", title="销售", max_wait_seconds=90, wrap_up_seconds=5),
    ),
    hotlines=(HotlinePlan(number="4001", queue="sales"),),
    seats=(
        SeatPlan(extension="8001", interface="PJSIP/8001", secret="first;secret"),
        SeatPlan(extension="8002", interface="PJSIP/desk-2", contact="sip:8002@127.0.0.1:5071"),
    ),
)


def render(plan: SwitchPlan, site: Site) -> dict[str, str]:
    """All files, of the plan and of the site."""
    return render_plan(plan) | render_site(site)


# What ends a name, an argument or a section; no value but a secret may hold it.
MEANINGFUL = frozenset("[](){},;=#$\"'|&<>\\ \t\r\n")

# Characters that mean something to Asterisk's parser, to the dialplan, to SIP or to AMI.
HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from("\r\n\0\x0b\x85\u2028;\\[](){}=>,|&#$\"' -/@:%"), st.characters()
    ),
    max_size=30,
)


def shape(files: dict[str, str]) -> dict[str, list[str]]:
    """What Asterisk's parser would make of them: sections, and the names of options; no values."""
    return {
        name: [
            line if line.startswith("[") else line.partition("=")[0].strip()
            for line in text.split("\n")
        ]
        for name, text in files.items()
    }


def test_a_hotline_leads_to_its_queue_with_the_queue_s_longest_wait() -> None:
    extensions = render(PLAN, SITE)["zuoxi-extensions.conf"]
    assert "exten => 4001,1,Gosub(zuoxi-queue,s,1(sales,90,4001))\n" in extensions
    assert "ZX_DOOR" not in extensions


def test_the_door_is_a_global_of_the_dialplan() -> None:
    extensions = render_plan(PLAN, "agi://127.0.0.1:4573/door?pbx=main")["zuoxi-extensions.conf"]
    assert extensions.startswith("[globals](+)\nZX_DOOR = agi://127.0.0.1:4573/door?pbx=main\n")
    for wrong in ("agi://h/door?pbx=a\nexten => x", "http://h/door?pbx=a", "agi://h/door?pbx=a;b"):
        with pytest.raises(Invalid, match="The door is"):
            render_plan(PLAN, wrong)


def test_a_queue_says_how_it_rings() -> None:
    queues = render(PLAN, SITE)["zuoxi-queues.conf"]
    assert (
        "[support](zuoxi-queue)\nstrategy = ringall\ntimeout = 20\nwrapuptime = 5\nautopause = all\n"
        in queues
    )


def test_a_queue_may_have_a_chinese_name() -> None:
    plan = replace(
        PLAN,
        queues=(QueuePlan(name="售后_1", title=""),),
        hotlines=(HotlinePlan(number="4001", queue="售后_1"),),
    )
    files = render(plan, SITE)
    assert "[售后_1](zuoxi-queue)\n" in files["zuoxi-queues.conf"]
    assert "Gosub(zuoxi-queue,s,1(售后_1,300,4001))" in files["zuoxi-extensions.conf"]


def test_rules_of_recording_are_global_variables_of_queue_and_direction() -> None:
    queue = replace(PLAN.queues[0], recording=RecordingRule.ANNOUNCED, announcement="zuoxi/told")
    inside = DirectionPlan(direction=Direction.INTERNAL, recording=RecordingRule.ALWAYS)
    plan = replace(PLAN, queues=(queue, PLAN.queues[1]), directions=(inside,))
    globals_ = render_plan(plan)["zuoxi-extensions.conf"].partition("[zuoxi-hotlines]")[0]
    assert globals_.split("\n")[:7] == [
        "[globals](+)",
        "ZX_QUEUE_RECORD_support = announced",
        "ZX_QUEUE_ANNOUNCE_support = zuoxi/told",
        "ZX_QUEUE_RECORD_sales = never",
        "ZX_QUEUE_ANNOUNCE_sales = ",
        "ZX_RECORD_INTERNAL = always",
        "ZX_ANNOUNCE_INTERNAL = ",
    ]


def test_queue_members_are_never_in_a_file() -> None:
    assert not any("member" in text for text in render(PLAN, SITE).values())


def test_a_seat_registers_with_its_secret_or_has_a_fixed_contact() -> None:
    pjsip = render(PLAN, SITE)["zuoxi-seats.conf"]
    assert "[8001](zuoxi-seat-auth)\nusername = 8001\npassword = first\\;secret\n" in pjsip
    assert "[desk-2](zuoxi-seat-aor)\ncontact = sip:8002@127.0.0.1:5071\n" in pjsip
    assert "[desk-2](zuoxi-seat-auth)" not in pjsip


def test_every_seat_and_the_carrier_name_their_transport() -> None:
    # Without it Asterisk binds the voice of the call to the wildcard address.
    files = render(PLAN, SITE)
    pjsip = files["zuoxi-pjsip.conf"] + files["zuoxi-seats.conf"]
    endpoints = pjsip.count("endpoint)\n")
    assert endpoints == 3
    assert pjsip.count("endpoint)\ntransport = zuoxi-udp\n") == endpoints


def test_without_a_carrier_nobody_is_taken_for_one() -> None:
    pjsip = render(PLAN, replace(SITE, trunk_addresses=()))["zuoxi-pjsip.conf"]
    assert "identify" not in pjsip


def test_secrets_are_not_shown_when_a_site_is_printed() -> None:
    assert "secret-" not in repr(SITE)
    assert "an-events-secret" not in repr(SITE)


WRONG: list[tuple[str, SwitchPlan, Site]] = [
    ("line break", PLAN, replace(SITE, system_name="lab\nsecret = x")),
    ("NUL", PLAN, replace(SITE, events_secret="12345678\0")),
    ("blank in a secret", PLAN, replace(SITE, control_secret="a secret of mine")),
    ("short secret", PLAN, replace(SITE, control_secret="short")),
    ("address", PLAN, replace(SITE, ami_address="localhost")),
    ("network", PLAN, replace(SITE, trunk_addresses=("192.0.2.1/24",))),
    ("port", PLAN, replace(SITE, sip_port=70000)),
    ("rtp", PLAN, replace(SITE, rtp_ports=(20000, 10000))),
    ("lost hotline", replace(PLAN, queues=()), SITE),
    ("same number", replace(PLAN, hotlines=(HotlinePlan(number="8001", queue="sales"),)), SITE),
    ("same queue", replace(PLAN, queues=(*PLAN.queues, PLAN.queues[0])), SITE),
    ("same interface", replace(PLAN, seats=(PLAN.seats[0], replace(PLAN.seats[0], extension="9001"))), SITE),
    ("no secret, no contact", replace(PLAN, seats=(SeatPlan(extension="8", interface="PJSIP/8"),)), SITE),
    ("foreign seat", replace(PLAN, seats=(replace(PLAN.seats[0], interface="Local/1@x/n"),)), SITE),
    ("our name", replace(PLAN, seats=(replace(PLAN.seats[0], interface="PJSIP/zuoxi-trunk"),)), SITE),
    ("long", replace(PLAN, queues=(*PLAN.queues, QueuePlan(name="售" * 27, title=""))), SITE),
    ("general", replace(PLAN, queues=(*PLAN.queues, QueuePlan(name="general", title=""))), SITE),
    ("untold", replace(PLAN, queues=(replace(PLAN.queues[1], recording=RecordingRule.ANNOUNCED),)), SITE),
    ("same direction", replace(PLAN, directions=(DirectionPlan(direction=Direction.INTERNAL),) * 2), SITE),
    ("ring time", replace(PLAN, queues=(replace(PLAN.queues[1], ring_seconds=0),)), SITE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "site"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_a_doubtful_value_is_refused_with_a_sentence(plan: SwitchPlan, site: Site) -> None:
    with pytest.raises(Invalid) as refused:
        render(plan, site)
    assert len(refused.value.detail.split()) >= 4
    assert not any(secret in refused.value.detail for secret in ("12345678", "a secret of mine"))


PLACES: dict[str, Callable[[str], tuple[SwitchPlan, Site]]] = {
    "queue": lambda text: (
        SwitchPlan(
            queues=(QueuePlan(name=text, title=text),),
            hotlines=(HotlinePlan(number="4001", queue=text),),
        ),
        SITE,
    ),
    "title": lambda text: (replace(PLAN, queues=(replace(PLAN.queues[0], title=text), PLAN.queues[1])), SITE),
    "hotline": lambda text: (replace(PLAN, hotlines=(HotlinePlan(number=text, queue="sales"),)), SITE),
    "extension": lambda text: (replace(PLAN, seats=(replace(PLAN.seats[0], extension=text),)), SITE),
    "interface": lambda text: (replace(PLAN, seats=(replace(PLAN.seats[0], interface="PJSIP/" + text),)), SITE),
    "seat secret": lambda text: (replace(PLAN, seats=(replace(PLAN.seats[0], secret=text),)), SITE),
    "contact": lambda text: (replace(PLAN, seats=(replace(PLAN.seats[1], contact="sip:" + text),)), SITE),
    "system name": lambda text: (PLAN, replace(SITE, system_name=text)),
    "events secret": lambda text: (PLAN, replace(SITE, events_secret=text)),
    "control secret": lambda text: (PLAN, replace(SITE, control_secret=text)),
    "ami address": lambda text: (PLAN, replace(SITE, ami_address=text)),
    "trunk": lambda text: (PLAN, replace(SITE, trunk_addresses=(text,))),
    "client": lambda text: (PLAN, replace(SITE, ami_clients=(text,))),
    "announcement": lambda text: (replace(PLAN, queues=(replace(PLAN.queues[0], announcement=text), PLAN.queues[1])), SITE),
}  # fmt: skip
BENIGN: dict[str, str] = {
    "queue": "q", "title": "t", "hotline": "4001", "extension": "8001", "interface": "8001",
    "seat secret": "12345678", "contact": "8@127.0.0.1", "system name": "s", "events secret": "12345678",
    "control secret": "12345678", "ami address": "127.0.0.1", "trunk": "192.0.2.1", "client": "192.0.2.1",
    "announcement": "beep",
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@given(text=HOSTILE, after_a_good_one=st.booleans())
def test_no_value_can_add_a_line_or_an_option(
    place: str, text: str, after_a_good_one: bool
) -> None:
    text = BENIGN[place] + text if after_a_good_one else text
    expected = shape(render(*PLACES[place](BENIGN[place])))
    try:
        files = render(*PLACES[place](text))
    except Invalid:
        return
    got = shape(files)
    if place in ("queue", "interface"):
        # These two name sections; there a benign name stands for the other.
        benign = f"[{BENIGN[place]}]("
        got = {
            name: [
                re.sub(
                    f"^(ZX_QUEUE_[A-Z]+_){re.escape(text)}$",
                    rf"\g<1>{BENIGN[place]}",
                    line.replace(f"[{text}](", benign),
                )
                for line in lines
            ]
            for name, lines in got.items()
        }
    assert got == expected
    if "secret" not in place and place != "title":
        assert not MEANINGFUL & set(text)


@given(
    text=st.text(
        alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60
    )
)
def test_a_secret_of_any_printable_characters_stays_one_value(text: str) -> None:
    line = next(
        line
        for line in render(PLAN, replace(SITE, events_secret=text))["zuoxi-manager.conf"].split(
            "\n"
        )
        if line.startswith("secret")
    )
    assert as_asterisk_reads(line) == ("secret", text)


def as_asterisk_reads(line: str) -> tuple[str, str]:
    """One line as main/config.c reads it: a comment ends it unless the `;` has a backslash before it."""
    kept = ""
    for character in line:
        if character == ";":
            if not kept.endswith("\\"):
                break
            kept = kept[:-1]
        kept += character
    name, _, value = kept.partition("=")
    return name.strip(), value.strip()


def test_files_are_written_once_and_only_the_changed_module_is_reloaded(tmp_path: Path) -> None:
    folder = tmp_path / "generated"
    first = write(render(PLAN, SITE), folder)
    assert set(first.files) == set(dialplan.GENERATED)
    assert first.restart

    assert write(render(PLAN, SITE), folder) == dialplan.Changes(files=(), reload=(), restart=False)

    busier = replace(PLAN, queues=(replace(PLAN.queues[0], weight=3), PLAN.queues[1]))
    again = write(render(busier, SITE), folder)
    assert again == dialplan.Changes(
        files=("zuoxi-queues.conf",), reload=("app_queue",), restart=False
    )
    assert "weight = 3" in (folder / "zuoxi-queues.conf").read_text()


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: Any) -> None:
    write(render(PLAN, SITE), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write(render(replace(PLAN, hotlines=()), SITE), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_with_secrets_are_not_for_everybody(tmp_path: Path) -> None:
    write(render(PLAN, SITE), tmp_path)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}
