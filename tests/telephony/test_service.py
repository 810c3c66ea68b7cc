"""The service against a scripted Asterisk: how it begins, is cut off, comes back, and does as asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm_core.commands import (
    AddMember,
    Done,
    FeedPosition,
    FeedState,
    HangUp,
    KnownBoot,
    KnownBoots,
    OpenCall,
    OpenCalls,
    PauseMember,
    RemoveMember,
    ToldPass,
    UnpauseMember,
)
from crm_core.events import (
    BootFound,
    CallAnswered,
    CallEnded,
    CallEvent,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    Feed,
    FeedAdvanced,
    FeedHeard,
    GapRecorded,
    LinkChanged,
    LinkState,
    Member,
    PassConnected,
    PassEntered,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import BootId, PbxId, call_id
from crm_core.logs import Lines
from telephony.ami import messages as ami
from telephony.ami.link import Patience
from telephony.flight_recorder import read
from telephony.service import TelephonyService
from tests.telephony.a_pbx import (
    A_CALL_ENDS,
    A_CALL_IS_ANSWERED,
    A_CALL_RINGS,
    BOOTED,
    CALLER,
    LAB,
    MEMBER,
    NOW,
    PHONE,
    Site,
    a_site,
    of_channel,
)
from tests.telephony.ami.scripted import Sent, a_list, an_event, eventually, refused, success

BOOT = BootId(f"b{int(BOOTED.timestamp())}")
THE_CALL = call_id(LAB, BOOT, CALLER)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with a_site(tmp_path) as found:
        yield found


def an_open_call() -> OpenCall:
    return OpenCall(
        call=THE_CALL,
        boot=BOOT,
        direction=Direction.INBOUND,
        last_seen_at=NOW - timedelta(minutes=1),
        channels=((CALLER, CALLER),),
        passes=(),
        open_passes=(),
        attempts=0,
    )


# --- the beginning ---------------------------------------------------------------------------------


async def test_two_sessions_log_in_and_only_one_hears_events(site: Site) -> None:
    async with site.followed():
        await site.link(LinkState.UP)
        await site.server.until(lambda: len(site.server.of("Login")) == 2)
        logins = {sent["Username"]: sent["Events"] for sent in site.server.of("Login")}
        assert logins == {"zuoxi-events": "on", "zuoxi-control": "off"}


async def test_the_snapshot_is_asked_before_the_link_is_told_to_be_up(site: Site) -> None:
    async with site.followed():
        await site.link(LinkState.UP)
        asked = [s["Action"] for s in site.server.sent if s["Action"] not in ("Login", "Ping")]
        assert asked == ["CoreStatus", "Status", "QueueStatus", "CoreShowChannels", "BridgeList"]
        assert [type(fact) for fact in site.facts[:3]] == [BootFound, FeedHeard, LinkChanged]
        assert site.of(GapRecorded) == []


@pytest.mark.parametrize("hours", [-9.5, 0, 5.75, 8, 14])
async def test_the_start_of_asterisk_is_found_whatever_its_time_zone(
    site: Site, hours: float
) -> None:
    site.asterisk.zone = timedelta(hours=hours)
    async with site.followed():
        assert (await site.fact(BootFound)).started_at == BOOTED
        assert site.of(BootFound)[0].boot == BOOT


async def test_fully_booted_may_come_after_the_snapshot_was_begun(site: Site) -> None:
    def later(sent: Sent) -> bytes:
        if sent["Action"] == "Login":
            return success(sent)
        site.asterisk.says(site.asterisk.fully_booted())
        return core_status(sent)

    core_status = site.asterisk.core_status
    site.server.answers |= {"Login": later, "CoreStatus": later}
    async with site.followed():
        assert (await site.fact(BootFound)).started_at == BOOTED


async def test_a_boot_that_is_known_keeps_its_name(site: Site) -> None:
    known = KnownBoot(boot=BootId("b1"), started_at=BOOTED - timedelta(seconds=4))
    site.records.boots = (known,)
    async with site.followed():
        assert (await site.fact(BootFound)).boot == BootId("b1")


async def test_a_call_is_told_fact_by_fact_in_the_order_of_the_wire(site: Site) -> None:
    async with site.followed():
        await site.link(LinkState.UP)
        site.asterisk.says(*A_CALL_RINGS, *A_CALL_IS_ANSWERED, *A_CALL_ENDS)
        assert (await site.fact(CallEnded)).seen
        told = [type(fact).__name__ for fact in site.of(CallEvent)]
        assert told == [
            *("CallStarted", "LegStarted", "CallQueued", "LegStarted", "CallOffered"),
            *("CallAnswered", "ConversationEnded", "LegEnded", "LegEnded", "CallEnded"),
        ]
        assert {fact.call for fact in site.of(CallEvent)} == {THE_CALL}
        assert site.of(CallAnswered)[0].member == Member(interface="PJSIP/8001", name="1001")


async def test_a_call_that_lives_when_we_begin_is_opened_from_the_snapshot(site: Site) -> None:
    site.asterisk.channels = [(*of_channel(), "Seconds: 7", "Application: Queue")]
    async with site.followed():
        started = await site.fact(CallStarted)
        assert (started.call, started.caller_number) == (THE_CALL, "13800138000")


async def test_members_come_from_the_snapshot_change_live_and_are_missed_in_the_next(
    site: Site,
) -> None:
    here = ("Queue: support", "Name: 1001", "Location: PJSIP/8001", "Paused: 0", "Status: 1")
    site.asterisk.members = [here]
    async with site.followed():
        assert (await site.fact(QueueMemberSeen)).member == Member(
            interface="PJSIP/8001", name="1001"
        )
        await site.link(LinkState.UP)
        site.asterisk.says(
            an_event("QueueMemberStatus", *MEMBER, "Paused: 0", "Status: 6"),
            an_event("QueueMemberPause", *MEMBER, "Paused: 1", "PausedReason: lunch"),
        )
        paused = await site.fact(QueueMemberSeen, 2)
        assert (paused.paused, paused.pause_reason) == (True, "lunch")
        site.asterisk.members = []
        site.asterisk.cuts()
        assert (await site.fact(QueueMemberGone)).member.interface == "PJSIP/8001"


async def test_list_that_the_account_may_not_see_is_done_without(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.server.answers["CoreShowChannels"] = refused
    async with site.followed():
        await site.link(LinkState.UP)
    assert "Asterisk refuses CoreShowChannels (Permission denied)" in caplog.text


async def test_asterisk_that_does_not_say_when_it_started_is_asked_until_it_does(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.server.answers["CoreStatus"] = refused
    async with site.followed():
        await site.server.until(lambda: len(site.server.of("CoreStatus")) == 1)
        site.server.answers["CoreStatus"] = site.asterisk.core_status
        await site.link(LinkState.UP)
    assert "does not say when it started (Permission denied)" in caplog.text


# --- the records are away --------------------------------------------------------------------------


async def test_records_that_do_not_answer_are_asked_again_with_a_sentence(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    async def late(question: KnownBoots) -> tuple[KnownBoot, ...]:
        asked.append(question)
        if len(asked) == 1:
            await asyncio.sleep(3600)
        return ()

    site.bus.answer(KnownBoots, late)
    async with site.followed(ask_seconds=0.05):
        await site.link(LinkState.UP)
    assert len(asked) == 2
    assert "no answer to KnownBoots; asking again" in caplog.text


async def test_position_that_is_not_known_yet_is_not_one_that_never_was(site: Site) -> None:
    """Taken for "never followed", the time that nobody heard would not become a gap."""
    heard_until = NOW - timedelta(minutes=5)
    answers: list[FeedState] = []

    async def late(_: object) -> FeedState:
        answers.append(FeedState(position=None, heard_until=heard_until))
        if len(answers) == 1:
            await asyncio.sleep(3600)
        return answers[-1]

    site.bus.answer(FeedPosition, late)
    async with site.followed(ask_seconds=0.2):
        assert (await site.fact(GapRecorded)).began_at == heard_until


# --- the link breaks -------------------------------------------------------------------------------


async def test_cut_link_becomes_a_gap_from_the_last_byte_to_the_end_of_the_snapshot(
    site: Site,
) -> None:
    async with site.followed():
        await site.link(LinkState.UP)
        site.asterisk.says(*A_CALL_RINGS)
        await site.fact(CallOffered)
        site.asterisk.channels = [(*of_channel(), "Seconds: 7", "Application: Queue")]
        site.asterisk.cuts()
        down = await site.link(LinkState.DOWN)
        assert down.reason == "the connection was lost"
        await site.link(LinkState.UP, 2)
        (gap,) = site.of(GapRecorded)
        assert (gap.began_at, gap.boot_changed, gap.calls) == (NOW, False, (THE_CALL,))
        assert site.of(CallEnded) == []
        order = [type(fact) for fact in site.facts[site.facts.index(down) :]]
        assert order.index(GapRecorded) < order.index(LinkChanged, 1)


async def test_call_that_is_missing_afterwards_has_an_end_that_nobody_saw(site: Site) -> None:
    async with site.followed():
        await site.link(LinkState.UP)
        site.asterisk.says(*A_CALL_RINGS, *A_CALL_IS_ANSWERED)
        await site.fact(CallAnswered)
        site.asterisk.cuts()
        ended = await site.fact(CallEnded)
        assert (ended.call, ended.seen) == (THE_CALL, False)


async def test_link_that_is_dead_is_not_heard_and_the_gap_begins_with_its_last_byte(
    site: Site,
) -> None:
    patience = Patience(connect=2, answer=2, ping_every=0.05, pong_within=1.3, retry_first=0.01)
    async with site.followed(patience=patience):
        await site.link(LinkState.UP)
        site.server.answers["Ping"] = None
        pings = len(site.server.of("Ping"))
        await site.server.until(lambda: len(site.server.of("Ping")) > pings + 1)
        site.clock.at = NOW + timedelta(seconds=30)  # longer than HEARD_EVERY_SECONDS goes by here
        down = await site.link(LinkState.DOWN)
        assert down.reason == "Asterisk did not answer to Ping in 1.3 s"
        heard = [fact.at for fact in site.of(FeedHeard)]
        assert set(heard) == {NOW}
        site.server.answers["Ping"] = success
        gap = await site.fact(GapRecorded)
        assert (gap.began_at, gap.at) == (NOW, site.clock.at)


async def test_asterisk_that_starts_anew_is_another_boot_and_its_calls_are_new(site: Site) -> None:
    async with site.followed():
        await site.link(LinkState.UP)
        site.asterisk.says(*A_CALL_RINGS)
        await site.fact(CallOffered)
        site.clock.at = NOW + timedelta(minutes=2)
        site.asterisk.started_at = NOW + timedelta(minutes=1)
        site.asterisk.channels = [(*of_channel(), "Seconds: 1", "Application: Queue")]
        site.asterisk.cuts()
        await site.link(LinkState.UP, 2)
        (gap,) = site.of(GapRecorded)
        assert gap.boot_changed
        assert [fact.started_at for fact in site.of(BootFound)] == [
            BOOTED,
            site.asterisk.started_at,
        ]
        assert site.of(CallEnded)[0].call == THE_CALL
        later = site.of(CallStarted)[-1]
        assert later.call != THE_CALL
        assert later.call == call_id(LAB, site.of(BootFound)[-1].boot, CALLER)


async def test_the_new_run_is_not_dated_by_what_the_former_one_said(site: Site) -> None:
    """Where no FullyBooted comes, Asterisk's zone is this machine's, not one reckoned from before."""
    site.asterisk.zone = datetime.now(UTC).astimezone().utcoffset() or timedelta()
    async with site.followed():
        await site.link(LinkState.UP)
        site.server.answers["Login"] = success
        site.asterisk.started_at = NOW + timedelta(minutes=1)
        site.asterisk.cuts()
        assert (await site.fact(BootFound, 2)).started_at == site.asterisk.started_at


async def test_what_comes_before_the_snapshot_is_not_taken_for_news_of_the_former_run(
    site: Site,
) -> None:
    def restarted(sent: Sent) -> bytes:
        return site.asterisk.accepts(sent) + an_event("Hangup", *of_channel(), "Cause: 16")

    async with site.followed():
        await site.link(LinkState.UP)
        site.asterisk.says(*A_CALL_RINGS)
        await site.fact(CallOffered)
        site.asterisk.started_at = NOW + timedelta(minutes=1)
        site.server.answers["Login"] = restarted
        site.asterisk.cuts()
        ended = await site.fact(CallEnded)
        assert (ended.call, ended.seen) == (THE_CALL, False)


@pytest.mark.parametrize("restarted", [False, True])
async def test_after_a_kill_the_gap_begins_where_the_process_before_had_heard(
    site: Site, restarted: bool
) -> None:
    heard_until = NOW - timedelta(seconds=40)
    site.records.boots = (KnownBoot(boot=BOOT, started_at=BOOTED),)
    site.records.open_calls = (an_open_call(),)
    site.records.feeds[Feed.AMI] = FeedState(position=None, heard_until=heard_until)
    if restarted:
        site.asterisk.started_at = NOW - timedelta(seconds=20)
    else:
        site.asterisk.channels = [(*of_channel(), "Seconds: 70", "Application: Queue")]
    async with site.followed():
        gap = await site.fact(GapRecorded)
        await site.link(LinkState.UP)
        assert (gap.began_at, gap.at, gap.boot_changed) == (heard_until, NOW, restarted)
        assert [fact.call for fact in site.of(CallEnded)] == ([THE_CALL] if restarted else [])
        assert gap.calls == (() if restarted else (THE_CALL,))


async def test_refused_login_is_told_until_somebody_corrects_it(site: Site) -> None:
    site.server.answers["Login"] = lambda sent: refused(sent, "Authentication failed")
    async with site.followed():
        told = await site.link(LinkState.REFUSED)
        assert told.reason == "login refused: Authentication failed"
        said = await site.does(UnpauseMember(pbx=LAB, interface="PJSIP/8001"))
        assert said.refused == (
            "There is no link to Asterisk: login refused: Authentication failed."
        )
        site.server.answers["Login"] = site.asterisk.accepts
        await site.link(LinkState.UP)


async def test_link_that_breaks_during_the_snapshot_is_no_end_of_the_way(site: Site) -> None:
    site.server.answers["QueueStatus"] = None
    async with site.followed():
        await site.server.until(lambda: len(site.server.of("QueueStatus")) == 1)
        site.asterisk.cuts()
        await site.link(LinkState.DOWN)
        assert site.of(FeedHeard) == []
        del site.server.answers["QueueStatus"]
        await site.link(LinkState.UP)


async def test_link_that_breaks_while_the_records_are_asked_begins_one_new_way_back(
    site: Site,
) -> None:
    database_is_back = asyncio.Event()

    async def open_calls(_: OpenCalls) -> tuple[OpenCall, ...]:
        await database_is_back.wait()
        return ()

    site.bus.answer(OpenCalls, open_calls)
    async with site.followed():
        await site.server.until(lambda: len(site.server.of("CoreStatus")) == 1)
        site.asterisk.cuts()
        await site.server.until(lambda: len(site.server.of("CoreStatus")) == 2)
        await eventually(lambda: len(site.server.of("Ping")) > 3)
        database_is_back.set()
        await site.link(LinkState.UP)
        assert len(site.server.of("Status")) == 1


# --- what cannot be used ---------------------------------------------------------------------------


async def test_message_that_asterisk_never_writes_is_counted_and_a_snapshot_follows(
    site: Site,
) -> None:
    async with site.followed() as service:
        await site.link(LinkState.UP)
        site.asterisk.says(
            an_event("Hangup", *of_channel(), f"Uniqueid: {PHONE}"), *A_CALL_RINGS, *A_CALL_RINGS
        )
        await site.link(LinkState.UP, 2)
        assert service.quarantined == 1
        assert len(site.server.of("Status")) == 2
        assert site.of(GapRecorded) == []
        assert len(site.of(CallOffered)) == 1


async def test_item_of_a_snapshot_that_cannot_be_used_makes_another_snapshot(site: Site) -> None:
    def once(sent: Sent) -> bytes:
        site.server.answers["Status"] = site.asterisk.status
        return a_list(sent, ("Status", *of_channel(), "CallerIDName: again", "Seconds: 1"))

    site.server.answers["Status"] = once
    site.asterisk.channels = [(*of_channel(), "Seconds: 1", "Application: Queue")]
    async with site.followed() as service:
        assert (await site.fact(CallStarted)).call == THE_CALL
        await site.link(LinkState.UP, 2)
        assert service.quarantined == 1


async def test_item_that_never_can_be_used_is_said_once_and_the_snapshot_stands(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("telephony.service._LOOK_AGAIN_SECONDS", 0.01)
    site.asterisk.channels = [
        (*of_channel(Uniqueid="x\x07"), "Seconds: 1"),
        (*of_channel(), "Seconds: 1", "Application: Queue"),
    ]
    async with site.followed() as service:
        assert (await site.fact(CallStarted)).call == THE_CALL
        await site.link(LinkState.UP, 2)
        pings = len(site.server.of("Ping"))
        await eventually(lambda: len(site.server.of("Ping")) > pings + 5)
        assert len(site.server.of("Status")) == 2
        assert service.quarantined == 2
    said = [each.message for each in caplog.records if "left out" in each.message]
    assert said == [
        "lab: left out of the snapshot (Event: Status: a control character in Uniqueid)"
    ]


async def test_control_character_in_the_name_of_a_caller_costs_neither_call_nor_snapshot(
    site: Site,
) -> None:
    name = {"CallerIDName": "王\x07五"}
    site.asterisk.channels = [(*of_channel(**name), "Seconds: 1", "Application: Queue")]
    async with site.followed() as service:
        started = await site.fact(CallStarted)
        assert (started.call, started.caller_name) == (THE_CALL, "王\ufffd五")
        site.asterisk.says(
            an_event("QueueCallerJoin", *of_channel(**name), "Queue: support", "Position: 1")
        )
        assert (await site.fact(CallQueued)).caller_name == "王\ufffd五"
        assert (service.quarantined, service.mended) == (0, 2)
        assert len(site.server.of("Status")) == 1


class BreaksOnce(TelephonyService):
    """Our own mistake: a message that the fold cannot bear, once."""

    broken = 0

    def _feed(self, message: ami.AmiMessage) -> None:
        if isinstance(message, self.at) and not self.broken:
            self.broken += 1
            raise RuntimeError("planted")
        super()._feed(message)

    at: type[ami.AmiMessage] = ami.Newchannel


class BreaksAtTheEndOfASnapshot(BreaksOnce):
    at = ami.SnapshotEnded


async def test_mistake_of_our_own_costs_no_link_and_a_snapshot_follows(site: Site) -> None:
    async with site.followed(BreaksOnce) as service:
        await site.link(LinkState.UP)
        site.asterisk.channels = [(*of_channel(), "Seconds: 0", "Application: Queue")]
        site.asterisk.says(an_event("Newchannel", *of_channel()))
        await site.link(LinkState.UP, 2)
        assert (await site.fact(CallStarted)).call == THE_CALL
        assert service.failures == 1
        assert site.server.connections == 2
        assert site.of(GapRecorded) == []


async def test_mistake_at_the_end_of_a_snapshot_is_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telephony.service._LOOK_AGAIN_SECONDS", 0.01)
    async with site.followed(BreaksAtTheEndOfASnapshot) as service:
        await site.link(LinkState.UP)
        assert service.failures == 1


# --- queue_log -------------------------------------------------------------------------------------

ENTERED = f"1795515000|{CALLER}|support|NONE|ENTERQUEUE||13800138000|1\n"
CONNECTED = f"1795515003|{CALLER}|support|1001|CONNECT|3|{PHONE}|2\n"


def queue_log(site: Site, rows: str) -> Path:
    site.queue_log = site.folder / "queue_log"
    with site.queue_log.open("a", encoding="utf-8") as file:
        file.write(rows)
    return site.queue_log


async def test_rows_become_facts_and_then_the_position_behind_them(site: Site) -> None:
    path = queue_log(site, f"1795514400|NONE|NONE|NONE|QUEUESTART|\n{ENTERED}")
    async with site.followed():
        entered = await site.fact(PassEntered)
        first = await site.fact(FeedAdvanced)
        assert site.facts.index(entered) < site.facts.index(first)
        assert (entered.call, entered.boot) == (THE_CALL, BOOT)
        with path.open("a") as file:
            file.write(CONNECTED)
        assert (await site.fact(PassConnected)).wait_seconds == 3
        second = await site.fact(FeedAdvanced, 2)
        assert (first.feed, first.position != second.position) == (Feed.QUEUE_LOG, True)

    waiting = ToldPass(
        call=THE_CALL, boot=BOOT, queue_pass=entered.queue_pass, last_told_at=entered.at
    )
    site.records.feeds[Feed.QUEUE_LOG] = FeedState(
        position=first.position, heard_until=None, passes=(waiting,)
    )
    site.facts.clear()
    async with site.followed():
        assert (await site.fact(PassConnected)).call == THE_CALL
        assert site.of(PassEntered) == []
        assert (await site.fact(FeedAdvanced)).position == second.position


async def test_members_are_known_before_the_rows_that_name_them(site: Site) -> None:
    """On a foreign site a row has a person's name, and the members say whose phone that is."""
    site.asterisk.members = [("Queue: support", "Name: 王芳", "Location: Local/100@from-queue/n")]
    queue_log(site, ENTERED)
    async with site.followed():
        entered = await site.fact(PassEntered)
        seen = await site.fact(QueueMemberSeen)
        assert site.facts.index(seen) < site.facts.index(entered)


async def test_bytes_of_both_feeds_are_in_the_recording_where_they_stood(site: Site) -> None:
    path = queue_log(site, ENTERED)
    async with site.followed():
        await site.fact(FeedAdvanced)
        with path.open("a") as file:
            file.write(CONNECTED)
        await site.fact(FeedAdvanced, 2)
        site.asterisk.says(*A_CALL_RINGS)
        await site.fact(CallOffered)
    chunks = [
        chunk
        for file in sorted((site.folder / "var" / "flight").glob("*.recording"))
        for chunk in read(file)
    ]
    rows = [(chunk.offset, chunk.data) for chunk in chunks if chunk.feed == "queue_log"]
    assert rows == [(0, ENTERED.encode()), (len(ENTERED), CONNECTED.encode())]
    heard = b"".join(chunk.data for chunk in chunks if chunk.feed == "ami")
    assert heard.startswith(b"Asterisk Call Manager/")
    assert b"".join(A_CALL_RINGS) in heard
    assert b"the-events-secret" not in heard
    assert {chunk.session for chunk in chunks if chunk.feed == "ami"} == {"events"}


async def test_queue_log_that_is_not_there_yet_is_waited_for(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.queue_log = site.folder / "queue_log"
    async with site.followed():
        await eventually(lambda: "is not there; waiting for Asterisk to write it" in caplog.text)
        queue_log(site, ENTERED)
        await site.fact(PassEntered)


async def test_queue_log_that_is_cut_short_is_a_warning_and_a_gap(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    path = queue_log(site, ENTERED)
    async with site.followed():
        await site.fact(FeedAdvanced)
        path.write_text(CONNECTED)
        gap = await site.fact(GapRecorded)
        await site.fact(PassConnected)
        assert (gap.began_at, gap.boot_changed) == (site.of(PassEntered)[0].at, False)
        assert "what was read before is gone from it; rows may be missed" in gap.reason
    assert "rows may be missed" in caplog.text


async def test_piece_of_queue_log_that_is_no_row_is_counted_and_the_next_row_is_read(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    queue_log(site, f"1795515000|lab-1.1|support|1001|COMPL{ENTERED}")
    async with site.followed() as service:
        await site.fact(PassEntered)
        assert service.rows_set_aside == 1
    assert "a piece of queue_log is not a row (a torn row)" in caplog.text


# --- commands --------------------------------------------------------------------------------------

ADD = AddMember(pbx=LAB, queue="support", interface="PJSIP/8001", agent_number="1001", penalty=2)
REMOVE = RemoveMember(pbx=LAB, queue="support", interface="PJSIP/8001")
PAUSE = PauseMember(pbx=LAB, interface="PJSIP/8001", reason="zx:wrap_up")


def headers(sent: Sent) -> dict[str, str]:
    return {name: value for name, value in sent.items() if name != "ActionID"}


async def ready(site: Site) -> None:
    await site.link(LinkState.UP)
    await site.server.until(lambda: len(site.server.of("Login")) == 2)
    await eventually(lambda: len(site.server.of("Ping")) > 1)


async def test_commands_are_typed_actions_on_the_control_session(site: Site) -> None:
    async with site.followed():
        await ready(site)
        for command in (ADD, PAUSE, UnpauseMember(pbx=LAB, interface="PJSIP/8001"), REMOVE):
            assert await site.does(command) == Done()
        (added,) = site.server.of("QueueAdd")
        assert headers(added) == {
            "Action": "QueueAdd",
            "Queue": "support",
            "Interface": "PJSIP/8001",
            "MemberName": "1001",
            "Penalty": "2",
            "Paused": "false",
        }
        assert added["ActionID"].startswith("zuoxi-off-")
        assert [(sent["Paused"], sent.get("Reason")) for sent in site.server.of("QueuePause")] == [
            ("true", "zx:wrap_up"),
            ("false", None),
        ]
        assert len(site.server.of("QueueRemove")) == 1


async def test_doing_it_twice_is_doing_it_once(site: Site) -> None:
    site.server.answers |= {
        "QueueAdd": lambda sent: refused(sent, "Unable to add interface: Already there"),
        "QueueRemove": lambda sent: refused(sent, "Unable to remove interface: Not there"),
    }
    async with site.followed():
        await ready(site)
        assert await site.does(ADD) == Done()
        assert await site.does(REMOVE) == Done()


async def test_what_asterisk_refuses_is_told_in_its_words(site: Site) -> None:
    site.server.answers["QueueAdd"] = lambda sent: refused(
        sent, "Unable to add interface to queue: No such queue"
    )
    async with site.followed():
        await ready(site)
        said = await site.does(ADD)
        assert said.refused == "Unable to add interface to queue: No such queue"


async def test_value_that_would_change_the_frame_is_refused_and_nothing_is_sent(
    site: Site,
) -> None:
    async with site.followed():
        await ready(site)
        evil = PauseMember(pbx=LAB, interface="PJSIP/8001", reason="x\r\n\r\nAction: Command")
        said = await site.does(evil)
        assert said.refused == (
            "'x\\r\\n\\r\\nAction: Command' cannot be sent to Asterisk as reason"
        )
        assert site.server.of("QueuePause") == []


async def test_command_for_a_pbx_that_is_not_here_is_refused(site: Site) -> None:
    async with site.followed():
        await ready(site)
        said = await site.does(UnpauseMember(pbx=PbxId("other"), interface="PJSIP/8001"))
        assert said.refused == "there is no PBX other here"


async def test_command_that_is_not_answered_is_told_so(site: Site) -> None:
    site.server.answers["QueueRemove"] = None
    patience = Patience(connect=2, answer=0.1, ping_every=0.05, pong_within=2, retry_first=0.01)
    async with site.followed(patience=patience):
        await ready(site)
        said = await site.does(REMOVE)
        assert said.refused == "Asterisk did not answer to QueueRemove in 0.1 s"


async def test_hang_up_ends_every_leg_or_sends_the_one_that_is_meant_away(site: Site) -> None:
    async with site.followed():
        await ready(site)
        site.asterisk.says(*A_CALL_RINGS, *A_CALL_IS_ANSWERED)
        await site.fact(CallAnswered)
        assert await site.does(HangUp(pbx=LAB, call=THE_CALL, leg=PHONE)) == Done()
        (sent_away,) = site.server.of("Redirect")
        assert sent_away["Channel"] == "PJSIP/8001-00000002"
        assert site.server.of("Hangup") == []
        assert await site.does(HangUp(pbx=LAB, call=THE_CALL)) == Done()
        assert sorted(sent["Channel"] for sent in site.server.of("Hangup")) == [
            "PJSIP/8001-00000002",
            "PJSIP/trunk-00000001",
        ]


async def test_leg_that_cannot_be_sent_away_is_hung_up(site: Site) -> None:
    site.server.answers["Redirect"] = refused
    async with site.followed():
        await ready(site)
        site.asterisk.says(*A_CALL_RINGS, *A_CALL_IS_ANSWERED)
        await site.fact(CallAnswered)
        assert await site.does(HangUp(pbx=LAB, call=THE_CALL, leg=PHONE)) == Done()
        assert [sent["Channel"] for sent in site.server.of("Hangup")] == ["PJSIP/8001-00000002"]


async def test_hang_up_works_with_the_records_away(site: Site) -> None:
    async with site.followed():
        await ready(site)
        site.asterisk.says(*A_CALL_RINGS)
        await site.fact(CallOffered)

        async def never(_: object) -> None:
            await asyncio.sleep(3600)

        site.bus.answer(OpenCalls, never)
        site.bus.answer(KnownBoots, never)
        assert await site.does(HangUp(pbx=LAB, call=THE_CALL)) == Done()
        assert len(site.server.of("Hangup")) == 2


async def test_call_that_is_over_needs_no_hang_up(site: Site) -> None:
    async with site.followed():
        await ready(site)
        assert await site.does(HangUp(pbx=LAB, call=THE_CALL)) == Done()
        assert site.server.of("Hangup") == []


async def test_no_secret_of_asterisk_is_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    site.server.answers["Login"] = lambda sent: refused(
        sent, f"Authentication failed for {sent['Secret']}"
    )
    async with site.followed():
        await site.link(LinkState.REFUSED)
    said = [
        Lines("text", ("the-events-secret", "the-control-secret")).format(record)
        for record in caplog.records
    ]
    assert any("Authentication failed" in line for line in said)
    assert not [line for line in said if "-secret" in line]
