"""Each fault, planted in a real configuration, is named with the line that cures it; applied it cures."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from crm_core.centre.plan import HotlinePlan, SwitchPlan
from crm_core.findings import told
from tests.lab.asterisk import CONTROL_SECRET, EVENTS_SECRET, Laboratory
from tests.lab.foreign import ForeignLaboratory, ForeignMember, ForeignQueue
from tests.telephony.doctor.operating import Patient

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def patient(installed: None) -> Iterator[Patient]:
    with Laboratory() as lab:
        yield Patient(lab, lab.plan)


MANAGER, QUEUES, RESTART = "manager reload", "queue reload all", ""


@dataclass(frozen=True)
class Fault:
    """`says` and `cure` are what has to stand in the finding."""

    name: str
    plant: Callable[[Patient], None]
    says: str
    cure: str
    reload: str = MANAGER


def line(file: str, section: str, *lines: str) -> Callable[[Patient], None]:
    return lambda patient: patient.set(file, section, *lines)


def without(file: str, section: str, gone: str) -> Callable[[Patient], None]:
    return lambda patient: patient.remove(file, section, gone)


def without_section(section: str) -> Callable[[Patient], None]:
    pattern = re.compile(rf"^\[{section}\]\n(?:[^\[#\n].*\n|\n)*", re.MULTILINE)
    return lambda patient: patient.edit("extensions.conf", lambda text: pattern.sub("", text))


def without_line(file: str, gone: str) -> Callable[[Patient], None]:
    return lambda patient: patient.edit(file, lambda text: text.replace(f"{gone}\n", ""))


EVENTS, CONTROL = "zuoxi-events", "zuoxi-control"
FILTER = "eventfilter(action(exclude),name(AgentConnect)) ="

FAULTS = (
    Fault("no stamps", line("manager.conf", "general", "timestampevents = no"),
          "events bear no moment", "timestampevents = yes"),
    Fault("one login", line("manager.conf", "general", "allowmultiplelogin = no"),
          "may log in once only", "allowmultiplelogin = yes"),
    Fault("disabled events", line("manager.conf", "general", "disabledevents = Hangup,Registry"),
          "tells nobody of Hangup", "disabledevents = Registry"),
    Fault("no agent events", line("manager.conf", EVENTS, "read = system,call,user"),
          "zuoxi-events lacks read = agent", "read = system,call,user,agent"),
    Fault("no system events", line("manager.conf", EVENTS, "read = call,agent"),
          "zuoxi-events lacks read = system", "read = call,agent,system"),
    Fault("no snapshots", line("manager.conf", EVENTS, "write = system"),
          "zuoxi-events lacks write = call,reporting", "write = system,call,reporting"),
    Fault("no pauses", line("manager.conf", CONTROL, "write = call,originate,system,reporting"),
          "zuoxi-control lacks write = agent", "write = call,originate,system,reporting,agent"),
    Fault("no questions", line("manager.conf", CONTROL, "write = call,agent"),
          "may not ask for GetConfigJSON", "write = system,call,agent,reporting"),
    Fault("a shell", line("manager.conf", CONTROL, "write = call,agent,system,reporting,command"),
          "may write command", "write = call,agent,system,reporting"),
    Fault("everything", line("manager.conf", EVENTS, "read = all"),
          "reads all: dozens", "read = system,call,agent"),
    Fault("impatient", without("manager.conf", EVENTS, "writetimeout = 10000"),
          "gives zuoxi-events up after 100 ms", "writetimeout = 10000"),
    Fault("more impatient", line("manager.conf", CONTROL, "writetimeout = 50"),
          "gives zuoxi-control up after 50 ms", "writetimeout = 10000"),
    Fault("a filter by name", line("manager.conf", EVENTS, FILTER),
          "holds back AgentConnect", f"remove {FILTER}"),
    Fault("a filter by pattern", line("manager.conf", EVENTS, "eventfilter = !Event: Hangup"),
          "holds back Hangup", "remove eventfilter = !Event: Hangup"),
    Fault("a filter that lets through", line("manager.conf", EVENTS, "eventfilter = Event: Queue"),
          "let through some events only, and not Newchannel", "remove eventfilter = Event: Queue"),
    Fault("no queue_log", line("logger.conf", "general", "queue_log = no"),
          "writes no queue_log", "queue_log = yes", "logger reload"),
    Fault("another name", line("logger.conf", "general", "queue_log_name = book"),
          "writes its book as 'book'", "queue_log_name = queue_log", "logger reload"),
    Fault("one at a time", line("queues.conf", "general", "autofill = no"),
          "autofill is not yes", "autofill = yes", QUEUES),
    Fault("one queue one at a time", line("queues.conf", "support", "autofill = no"),
          "queue support without autofill", "autofill = yes", QUEUES),
    Fault("names in the book", line("queues.conf", "general", "log_membername_as_agent = no"),
          "log_membername_as_agent is not yes", "log_membername_as_agent = yes", QUEUES),
    Fault("wrap-up in one queue", line("queues.conf", "general", "shared_lastcall = no"),
          "the wrap-up after a call holds in one queue only", "shared_lastcall = yes", QUEUES),
    Fault("members that stay", line("queues.conf", "general", "persistentmembers = yes"),
          "rings at who has signed out", "persistentmembers = no", QUEUES),
    Fault("silent queue", line("queues.conf", "sales", "setinterfacevar = no"),
          "queue sales does not tell the dialplan whose phone answered", "setinterfacevar = yes",
          QUEUES),
    Fault("autopause", line("queues.conf", "sales", "autopause = all"),
          "queue sales: autopause is not no", "autopause = no", QUEUES),
    Fault("a long wrap-up", line("queues.conf", "support", "wrapuptime = 60"),
          "queue support: wrapuptime is 60", "wrapuptime = 5", QUEUES),
    Fault("a second call", line("queues.conf", "narrow", "ringinuse = yes"),
          "queue narrow: ringinuse", "ringinuse = no", QUEUES),
    Fault("a seat in a file", line("queues.conf", "support", "member = PJSIP/8003,0,8003"),
          "queue support has seats as members", "remove member = PJSIP/8003,0,8003", QUEUES),
    Fault("no queues", without_line("queues.conf", "#include zuoxi/zuoxi-queues.conf"),
          "Asterisk has no queue support", "#include zuoxi/zuoxi-queues.conf", QUEUES),
    Fault("no hang-up", without_section("zuoxi-hang-up"),
          "what an agent hangs up", "exten => s,1,Hangup()", "dialplan reload"),
    Fault("no ends", without_section("zuoxi-ended"),
          "has no context zuoxi-ended", "copy the section [zuoxi-ended]", "dialplan reload"),
    Fault("no way in", without_section("zuoxi-inbound"),
          "has no context zuoxi-inbound", "copy the section [zuoxi-inbound]", "dialplan reload"),
    Fault("no door", without_section("zuoxi-door"),
          "has no context zuoxi-door", "copy the section [zuoxi-door]", "dialplan reload"),
    Fault("no hotlines", without_line("extensions.conf", "#include zuoxi/zuoxi-extensions.conf"),
          "does not know hotline 4001, hotline 4002", "#include zuoxi/zuoxi-extensions.conf",
          "dialplan reload"),
    Fault("a module", lambda patient: None,
          "app_exec is not loaded", "load = app_exec.so", "module unload app_exec.so"),
    Fault("toll fraud", line("pjsip.conf", "global", "endpoint_identifier_order = username,ip"),
          "taken for that phone (toll fraud)", "endpoint_identifier_order = ip,username",
          "module reload res_pjsip.so"),
    Fault("dangerous", line("asterisk.conf", "options", "live_dangerously = yes"),
          "live_dangerously", "live_dangerously = no", RESTART),
)  # fmt: skip


def test_nothing_is_said_of_the_good_configuration(patient: Patient) -> None:
    assert [told(finding) for finding in patient.say()] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_named_with_its_cure_and_the_cure_cures(
    patient: Patient, fault: Fault
) -> None:
    with patient.operated():
        fault.plant(patient)
        if fault.reload:
            patient.lab.rx(fault.reload)
        else:
            patient.lab.restart()
        found = patient.say()
        named = [each for each in found if fault.says in each.says]
        assert named, [told(each) for each in found]
        said = "\n".join(told(named[0]))
        assert fault.cure in said
        assert EVENTS_SECRET not in said
        assert CONTROL_SECRET not in said
        if isinstance(named[0].cure, str):
            return  # a sentence: done by hand
        patient.cure(named[0])
        assert [told(each) for each in patient.say()] == []
    if not fault.reload:
        patient.lab.restart()


# --- the link, the book, the set-up -----------------------------------------------------------------


def test_a_wrong_secret_is_told_with_the_account_that_a_site_needs(patient: Patient) -> None:
    said = patient.say(secret="not-the-secret")
    assert "there is no link to Asterisk" in said[0].says
    assert "login refused" in said[0].says
    lines = "\n".join(told(said[0]))
    assert "in manager.conf, section [zuoxi-events]: read = system,call,agent" in lines
    assert "not-the-secret" not in lines


def test_an_asterisk_that_is_away_and_a_book_that_is_not_there_are_both_told(
    patient: Patient, tmp_path: Path
) -> None:
    nobody, book = patient.lab.ports.callers[0], tmp_path / "queue_log"
    link, file = patient.say(port=nobody, queue_log=book)
    assert f"127.0.0.1:{nobody}: cannot connect" in link.says
    assert "queue_log cannot be read" in file.says
    assert f"chmod g+r {book}" in "\n".join(told(file))


def test_a_site_without_the_path_of_its_book_is_told_how_to_name_it(patient: Patient) -> None:
    (said,) = patient.say(queue_log=None)
    assert "rows say ami_only" in said.says
    assert "?queue_log=" in "\n".join(told(said))


def test_a_book_that_does_not_grow_is_another_asterisks(patient: Patient, tmp_path: Path) -> None:
    book = tmp_path / "queue_log"
    book.write_text("1700000000|NONE|NONE|NONE|QUEUESTART|\n")
    old = time.time() - 3600
    os.utime(book, (old, old))
    (said,) = patient.say(queue_log=book)
    assert "has not grown since Asterisk started" in said.says
    os.utime(book)
    assert patient.say(queue_log=book) == []


def test_a_hotline_that_asterisk_has_not_read_is_told(patient: Patient) -> None:
    more = HotlinePlan(number="4099", queue="support")
    plan = replace(patient.plan, hotlines=(*patient.plan.hotlines, more))
    (said,) = Patient(patient.lab, plan).say()
    assert "does not know hotline 4099" in said.says


# --- a site of somebody else's making -----------------------------------------------------------------

SERVICE = "售后服务"


@pytest.fixture(scope="module")
def stranger(installed: None) -> Iterator[Patient]:
    members = (
        ForeignMember(extension="100", name="王芳"),
        ForeignMember(extension="101", name="李雷"),
    )
    queues = (ForeignQueue(name=SERVICE, members=members),)
    with ForeignLaboratory(queues, {"100": 0, "101": 0}) as lab:
        yield Patient(lab, SwitchPlan())


def test_a_stranger_is_told_what_it_lacks_and_cured_by_the_lines_says_nothing(
    stranger: Patient,
) -> None:
    """Nothing of ours is asked of a site whose people never open Zuoxi."""
    with stranger.operated():
        first = stranger.say()
        assert [finding.says.partition(" ")[0] for finding in first] == [
            "events",  # bear no moment
            "Asterisk",  # gives up after 100 ms
            "log_membername_as_agent",
            "queue",  # does not tell the dialplan
        ]
        for finding in first:
            stranger.cure(finding)
        assert [told(finding) for finding in stranger.say()] == []


STRANGE = (
    Fault("no state", lambda p: p.edit("queues.conf", lambda text: text.replace(",hint:101@ext-local", "")),
          "Local/101@from-queue/n has no StateInterface", "hint:101@ext-local", QUEUES),
    Fault("turned away", line("queues.conf", SERVICE, "maxlen = 1"),
          f"whom queue {SERVICE} turns away", "QueueLog(售后服务,", QUEUES),
    Fault("one name", lambda p: p.edit("queues.conf", lambda text: text.replace("李雷", "王芳")),
          "2 members are called 王芳", "give each a name of its own", QUEUES),
)  # fmt: skip


@pytest.mark.parametrize("fault", STRANGE, ids=lambda fault: fault.name)
def test_what_a_strangers_queues_lack_is_told_with_the_lines(
    stranger: Patient, fault: Fault
) -> None:
    with stranger.operated():
        before = stranger.say()
        fault.plant(stranger)
        stranger.lab.rx(fault.reload)
        named = [each for each in stranger.say() if each not in before]
        assert len(named) == 1, [told(each) for each in named]
        assert fault.says in named[0].says
        assert fault.cure in "\n".join(told(named[0]))
        if not isinstance(named[0].cure, str):
            stranger.cure(named[0])
            assert stranger.say() == before
