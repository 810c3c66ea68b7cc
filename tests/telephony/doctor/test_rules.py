"""Rules of the doctor for what no laboratory has: a clock that is off, a book in a database, odd filters."""

from __future__ import annotations

import pytest

from crm_core.findings import Finding, told
from telephony.doctor import findings
from telephony.doctor.accounts import NEEDED, filters
from telephony.doctor.looking import _sections
from telephony.doctor.sight import QueueLogSight, Section, SeenMember, Sight, Step


def a_sight(**changes: object) -> Sight:
    given: dict[str, object] = {
        "pbx": "main",
        "accounts": ("zuoxi",),
        "queue_log": QueueLogSight(path="/var/log/asterisk/queue_log"),
        **changes,
    }
    return Sight(**given)  # type: ignore[arg-type]


def said(sight: Sight) -> list[Finding]:
    return list(findings(sight))


@pytest.mark.parametrize(
    ("ahead", "word"), [(0.0, None), (2.0, None), (-1.9, None), (2.1, "ahead of"), (-30, "behind")]
)
def test_a_clock_that_is_off_by_more_than_two_feeds_are_paired_by(
    ahead: float, word: str | None
) -> None:
    found = said(a_sight(clock_ahead_seconds=ahead))
    if word is None:
        assert found == []
    else:
        assert f"s {word} ours" in found[0].says
        assert "chronyc makestep" in "\n".join(told(found[0]))


def section(name: str, *pairs: tuple[str, str]) -> tuple[Section, ...]:
    return (Section(name=name, pairs=pairs),)


def test_a_book_that_goes_into_a_database_has_to_be_a_file_as_well() -> None:
    realtime = section("settings", ("queue_log", "odbc,asterisk"))
    files = {"logger.conf": section("general"), "extconfig.conf": realtime}
    (found,) = said(a_sight(files=files))
    assert "into no file" in found.says
    files["logger.conf"] = section("general", ("queue_log_to_file", "yes"))
    assert said(a_sight(files=files)) == []


def test_our_own_site_has_a_name() -> None:
    steps = tuple(
        Step(context=context, exten="s", application="NoOp", data="")
        for context in (
            *("zuoxi-inbound", "zuoxi-queue", "zuoxi-dial", "zuoxi-ended", "zuoxi-hang-up"),
            *("zuoxi-door", "zuoxi-first"),
        )
    )
    (found,) = said(a_sight(steps=steps))
    assert "has no systemname" in found.says
    assert said(a_sight(steps=steps, system_name="lab")) == []


@pytest.mark.parametrize(
    ("key", "value", "lost"),
    [
        ("eventfilter(action(exclude),name(NewConnectedLine))", "", ()),
        ("eventfilter(action(exclude),name(BridgeEnter))", "", ("BridgeEnter",)),
        ("eventfilter(action(exclude),name(Hangup),header(Channel),method(regex))", "x", ("Hangup",)),
        ("eventfilter", "!Event: NewConnectedLine", ()),
        ("eventfilter", "!Event: Queue", tuple(n for n in NEEDED if n.startswith("Queue"))),
        ("eventfilter", "![", ()),
        ("eventfilter", "Event: .*", ()),
        ("eventfilter(action(include),name(Newchannel))", "", tuple(n for n in NEEDED if n != "Newchannel")),
    ],
)  # fmt: skip
def test_a_filter_loses_what_it_holds_back(key: str, value: str, lost: tuple[str, ...]) -> None:
    found = list(filters(a_sight(files={"manager.conf": section("zuoxi", (key, value))})))
    assert bool(found) is bool(lost)
    for finding in found:
        for name in lost:
            assert name in finding.says


def test_of_manager_conf_nobody_elses_account_and_no_secret_is_kept() -> None:
    text = (
        '{"general":{"enabled":"yes"},"admin":{"secret":"theirs"},'
        '"zuoxi":{"secret":"ours","read":"call","permit":"a","permit":"b"}}'
    )
    general, ours = _sections(text, ("zuoxi",), "manager.conf")
    assert general.name == "general"
    assert ours.pairs == (("read", "call"), ("permit", "a"), ("permit", "b"))
    for odd in ("not json", "[]", "[1]", '"x"', "1", '{"zuoxi":1}', '{"zuoxi":{"a":{"b":"c"}}}'):
        assert [each.name for each in _sections(odd, ("zuoxi",), "manager.conf")] in ([], ["zuoxi"])


def test_a_name_of_a_members_moves_no_cursor() -> None:
    members = tuple(
        SeenMember(queue="q", name="\x1b[2J王芳", interface=f"PJSIP/{n}", state_interface="")
        for n in (1, 2)
    )  # fmt: skip
    (found,) = said(a_sight(members=members))
    assert all(line.isprintable() for line in told(found))
    assert "王芳" in told(found)[0]
