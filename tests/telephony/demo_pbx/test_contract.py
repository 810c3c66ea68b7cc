"""One contract, two PBXs: the demonstration answers and behaves as the real Asterisk does.

What is compared is everything on the wire, but for ids, times, names of channels, and counters that
the laboratory's other tests move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.telephony.demo_pbx.client import Message, Pbx, Session, value

VARIES = {
    *("ActionID", "Timestamp", "SystemName", "Uptime", "LastReload"),
    *("CoreStartupDate", "CoreStartupTime", "CoreReloadDate", "CoreReloadTime"),
    *("CoreCurrentCalls", "CoreProcessedCalls"),
    *("Holdtime", "TalkTime", "Completed", "Abandoned", "ServicelevelPerf", "ServicelevelPerf2"),
    *("LastCall", "LastPause", "LoginTime", "CallsTaken", "Wait", "Seconds", "Duration"),
    *("Channel", "DestChannel", "Uniqueid", "DestUniqueid", "Linkedid", "DestLinkedid"),
    *("BridgeUniqueid", "BridgeID", "BridgeId"),
    # Where in the dialplan.
    *("Priority", "DestPriority"),
    # Sound: the demonstration has none.
    *("Nativeformats", "Readformat", "Readtrans", "Writeformat", "Writetrans"),
}
SEAT = "PJSIP/8001"


def shown(message: Message) -> str:
    """One line a message; what varies from run to run is a star."""
    return ", ".join(f"{name}: {'*' if name in VARIES else text}" for name, text in message)


async def asked(session: Session, actions: Sequence[str]) -> list[str]:
    return [
        f"> {action!r}\n" + "\n".join(map(shown, await session.ask(action))) for action in actions
    ]


def answer(kind: str, message: str) -> str:
    return f"Response: {kind}, ActionID: *, Message: {message}"


ADD = f"Action: QueueAdd\nQueue: support\nInterface: {SEAT}\nMemberName: 1021"
PAUSE = f"Action: QueuePause\nInterface: {SEAT}\nPaused: true"

# What the control account asks, and the one message that answers it.
ONE_ANSWER = {
    "Action: Ping": "Response: Success, ActionID: *, Ping: Pong, Timestamp: *",
    "action: PING": "Response: Success, ActionID: *, Ping: Pong, Timestamp: *",
    "Action: Nothing": answer(
        "Error",
        "Invalid/unknown command: Nothing. Use Action: ListCommands to show available commands.",
    ),
    "garbage": answer("Error", "Missing action in request"),
    "Action: Login\nUsername: nobody\nSecret: x": answer("Success", "Already authenticated"),
    "Action: CoreStatus": "Response: Success, ActionID: *, CoreStartupDate: *, CoreStartupTime: *, "
    "CoreReloadDate: *, CoreReloadTime: *, CoreCurrentCalls: *, CoreProcessedCalls: *",
    "Action: Status\nChannel: PJSIP/x-1": answer("Error", "No such channel"),
    "Action: Hangup": answer("Error", "No channel specified"),
    "Action: Hangup\nChannel: PJSIP/x-1": answer("Error", "No such channel"),
    "Action: Hangup\nChannel: PJSIP/x-1\nCause: 999": answer("Error", "No such channel"),
    "Action: Events": answer("Error", "Invalid event mask"),
    "Action: Events\nEventMask: on": "Response: Success, ActionID: *, Events: On",
    "Action: Events\nEventMask: call,bogus": "Response: Success, ActionID: *, Events: On",
    "Action: Events\nEventMask: bogus": "Response: Success, ActionID: *, Events: Off",
    "Action: Events\nEventMask: 0": "Response: Success, ActionID: *, Events: Off",
    "Action: Events\nEventMask: off": "Response: Success, ActionID: *, Events: Off",
    "Action: Filter": answer("Error", "Unknown operation"),
    "Action: Filter\nOperation: Del\nFilter: x": answer("Error", "Unknown operation"),
    "Action: Filter\nOperation: Add\nMatchCriteria: bogus(1)\nFilter: x": answer(
        "Error", "Filter was formatted incorrectly.  Check the syntax of the filter given."
    ),
    "Action: Filter\nOperation: Add\nMatchCriteria: action(exclude),name(VarSet)": answer(
        "Success", "Success"
    ),
    "Action: Filter\nOperation: Add\nFilter: !Event: VarSet": answer("Success", "Success"),
    "Action: QueueAdd\nInterface: PJSIP/8001": answer("Error", "'Queue' not specified."),
    "Action: QueueAdd\nQueue: support": answer("Error", "'Interface' not specified."),
    "Action: QueueAdd\nQueue: none\nInterface: PJSIP/8001": answer(
        "Error", "Unable to add interface to queue: No such queue"
    ),
    "Action: QueueRemove\nQueue: support": answer(
        "Error", "Need 'Queue' and 'Interface' parameters."
    ),
    "Action: QueueRemove\nInterface: PJSIP/8001": answer(
        "Error", "Need 'Queue' and 'Interface' parameters."
    ),
    "Action: QueueRemove\nQueue: none\nInterface: PJSIP/8001": answer(
        "Error", "Unable to remove interface from queue: No such queue"
    ),
    "Action: QueueRemove\nQueue: support\nInterface: PJSIP/7": answer(
        "Error", "Unable to remove interface: Not there"
    ),
    "Action: QueuePause\nPaused: true": answer(
        "Error", "Need 'Interface' and 'Paused' parameters."
    ),
    "Action: QueuePause\nInterface: PJSIP/8001": answer(
        "Error", "Need 'Interface' and 'Paused' parameters."
    ),
    "Action: QueuePause\nInterface: PJSIP/7\nPaused: true": answer("Error", "Interface not found"),
    "Action: QueuePause\nQueue: none\nInterface: PJSIP/8001\nPaused: true": answer(
        "Error", "Interface not found"
    ),
    "Action: Logoff": "Response: Goodbye, ActionID: *, Message: Thanks for all the fish.",
}


async def test_every_action_is_answered_with_asterisks_own_words(pbx: Pbx) -> None:
    async with pbx.session("control") as control:
        await control.login()
        got = {action: list(map(shown, await control.ask(action))) for action in ONE_ANSWER}
        await control.until(lambda: control.ended)
    assert got == {action: [expected] for action, expected in ONE_ANSWER.items()}


async def test_empty_lists_are_framed_as_asterisk_frames_them(pbx: Pbx) -> None:
    start = "Response: Success, ActionID: *, EventList: start, Message: "
    end = "ActionID: *, EventList: Complete, ListItems: 0"
    expected = {
        "Action: Status": ("Channel status", f"StatusComplete, {end}, Items: 0"),
        "Action: Status\nVariables: ZX_A,B": ("Channel status", f"StatusComplete, {end}, Items: 0"),
        "Action: CoreShowChannels": ("Channels", f"CoreShowChannelsComplete, {end}"),
        "Action: BridgeList": ("Bridge listing", f"BridgeListComplete, {end}"),
        "Action: BridgeList\nBridgeType: zz": ("Bridge listing", f"BridgeListComplete, {end}"),
        "Action: QueueStatus\nQueue: none": ("Queue status", f"QueueStatusComplete, {end}"),
        "Action: Hangup\nChannel: /^NONE/": (
            "Channels hung up",
            f"ChannelsHungupListComplete, {end}",
        ),
    }
    async with pbx.session("events") as events:
        await events.login()
        got = {action: list(map(shown, await events.ask(action))) for action in expected}
    assert got == {
        action: [f"{start}{message} will follow", f"Event: {complete}"]
        for action, (message, complete) in expected.items()
    }


async def test_logins_are_taken_and_refused_alike(pbx: Pbx) -> None:
    refused = ["> 'Action: Login\\nUsername: zuoxi-events\\nSecret: wrong'\n"]
    refused = [refused[0] + answer("Error", "Authentication failed")]
    async with pbx.session("events") as events:
        assert events.greeting == "Asterisk Call Manager/11.0.0\r\n"
        assert await asked(events, ["Action: Ping", "Action: QueueStatus", "garbage"]) == [
            f"> 'Action: Ping'\n{answer('Error', 'Permission denied')}",
            f"> 'Action: QueueStatus'\n{answer('Error', 'Permission denied')}",
            f"> 'garbage'\n{answer('Error', 'Missing action in request')}",
        ]
        wrong = "Action: Login\nUsername: zuoxi-events\nSecret: wrong"
        assert await asked(events, [wrong]) == refused
        await events.until(lambda: events.ended)
    async with pbx.session("events") as events:
        accepted = answer("Success", "Authentication accepted")
        assert list(map(shown, await events.login())) == [accepted]
        booted = await events.event("FullyBooted")
    assert shown(booted) == (
        "Event: FullyBooted, Privilege: system,all, Uptime: *, LastReload: *, Status: Fully Booted"
    )


async def test_the_events_account_may_not_change_queues(pbx: Pbx) -> None:
    async with pbx.session("events") as events:
        await events.login()
        for action in (ADD, PAUSE, f"Action: QueueRemove\nQueue: support\nInterface: {SEAT}"):
            said = [shown(message) for message in await events.ask(action)]
            assert said == [answer("Error", "Permission denied")]


async def test_a_member_comes_pauses_and_goes_with_the_same_events_and_rows(pbx: Pbx) -> None:
    written = len(pbx.queue_log.read_text().splitlines())
    remove = f"Action: QueueRemove\nQueue: support\nInterface: {SEAT}"
    steps = [
        (f"{ADD}\nPenalty: 2\nPaused: true", "QueueMemberAdded", "Added interface to queue"),
        (
            f"Action: QueuePause\nInterface: {SEAT}\nPaused: no",
            "QueueMemberPause",
            "Interface unpaused successfully",
        ),
        (f"{PAUSE}\nReason: zx:wrap_up", "QueueMemberPause", "Interface paused successfully"),
        (
            f"Action: QueuePause\nQueue: support\nInterface: {SEAT}\nPaused: maybe",
            "QueueMemberPause",
            "Interface unpaused successfully",
        ),
        (remove, "QueueMemberRemoved", "Removed interface from queue"),
    ]
    told = []
    async with pbx.session("events") as events, pbx.session("control") as control:
        await events.login()
        await control.login()
        for action, event, message in steps:
            before = len(events.heard)
            assert [shown(m) for m in await control.ask(action)] == [answer("Success", message)]
            told.append(shown(await events.event(event, before)))
            if action.startswith(ADD):
                (again,) = await control.ask(ADD)
                assert shown(again) == answer("Error", "Unable to add interface: Already there")
    assert told == [
        "Event: QueueMemberAdded" + member(paused=1, reason=""),
        "Event: QueueMemberPause" + member(paused=0, reason=""),
        "Event: QueueMemberPause" + member(paused=1, reason="zx:wrap_up"),
        "Event: QueueMemberPause" + member(paused=0, reason=""),
        "Event: QueueMemberRemoved" + member(paused=0, reason=""),
    ]
    rows = [row.split("|", 1)[1] for row in pbx.queue_log.read_text().splitlines()[written:]]
    assert rows == [
        "MANAGER|support|1021|ADDMEMBER|PAUSED",
        "NONE|NONE|1021|UNPAUSEALL|",
        "NONE|support|1021|UNPAUSE|",
        "NONE|NONE|1021|PAUSEALL|zx:wrap_up",
        "NONE|support|1021|PAUSE|zx:wrap_up",
        "NONE|support|1021|UNPAUSE|",
        "MANAGER|support|1021|REMOVEMEMBER|",
    ]


def member(*, paused: int, reason: str) -> str:
    return (
        ", Privilege: agent,all, Timestamp: *, SystemName: *, Queue: support, MemberName: 1021, "
        f"Interface: {SEAT}, StateInterface: {SEAT}, Membership: dynamic, Penalty: 2, "
        "CallsTaken: *, LastCall: *, LastPause: *, LoginTime: *, InCall: 0, Status: 1, "
        f"Paused: {paused}, PausedReason: {reason}, Ringinuse: 0, Wrapuptime: 0"
    )


SNAPSHOTS = (
    "Action: Status",
    "Action: Status\nVariables: ZX_NONE",
    "Action: CoreShowChannels",
    "Action: BridgeList",
    "Action: QueueStatus\nQueue: support",
    "Action: QueueStatus\nQueue: support\nMember: 1021",
)


async def snapshot(session: Session) -> dict[str, list[str]]:
    # In which order Asterisk lists channels is its hash table's business.
    return {action: sorted(map(shown, await session.ask(action))) for action in SNAPSHOTS}


def channel(kind: str, *, state: str, who: str, bridge: str = "") -> str:
    """A snapshot line of the one call: 13800138000 rang, seat 8001 was or is rung."""
    seat = who == "seat"
    number, name = ("8001", "<unknown>") if seat else ("13800138000", "Wang")
    other, other_name = ("13800138000", "Wang") if seat else ("8001", "<unknown>")
    context = "zuoxi-seats" if seat else "zuoxi-queue"
    application, data = ("AppQueue", "(Outgoing Line)") if seat else ("Queue", "support,tc,,,300")
    place = (
        f"Channel: *, ChannelState: {state.split()[0]}, ChannelStateDesc: {state.split()[1]}, "
        f"CallerIDNum: {number}, CallerIDName: {name}, ConnectedLineNum: {other}, "
        f"ConnectedLineName: {other_name}, Language: en, AccountCode: , Context: {context}, "
        f"Exten: s, Priority: *, Uniqueid: *, Linkedid: *"
    )
    if kind == "CoreShowChannel":
        return (
            f"Event: CoreShowChannel, ActionID: *, {place}, Application: {application}, "
            f"ApplicationData: {data}, Duration: *, BridgeId: *"
        )
    variable = "Variable: ZX_NONE=(null), " if kind == "Status with a variable" else ""
    return (
        f"Event: Status, Privilege: Call, {place}, Type: PJSIP, DNID: {'' if seat else '4001'}, "
        f"EffectiveConnectedLineNum: {other}, EffectiveConnectedLineName: {other_name}, "
        f"TimeToHangup: 0, BridgeID: *, Application: {application}, Data: {data}, "
        "Nativeformats: *, Readformat: *, Readtrans: *, Writeformat: *, Writetrans: *, "
        f"Callgroup: 0, Pickupgroup: 0, Seconds: *, {variable}ActionID: *"
    )


async def test_a_live_call_is_shown_alike_in_every_snapshot(pbx: Pbx) -> None:
    async with pbx.session("events") as events, pbx.session("control") as control:
        await events.login()
        await control.login()
        await control.ask(ADD)
        try:
            await pbx.ring("4001")
            # a device's state comes from another thread than its channel's events
            await events.until(lambda: member_is(events, Status="6"))
            ringing = await snapshot(control)
            await pbx.lift(SEAT)
            await events.until(lambda: len(named(events, "BridgeEnter")) == 2)
            await events.until(lambda: member_is(events, Status="2"))
            talking = await snapshot(control)
        finally:
            await control.ask("Action: Hangup\nChannel: /^PJSIP/")
            await events.until(lambda: len(named(events, "Hangup")) == 2)
            await control.ask(f"Action: QueueRemove\nQueue: support\nInterface: {SEAT}")
    for seen, seat, caller in ((ringing, "5 Ringing", "4 Ring"), (talking, "6 Up", "6 Up")):
        for action, kind in (
            ("Action: Status", "Status"),
            ("Action: Status\nVariables: ZX_NONE", "Status with a variable"),
            ("Action: CoreShowChannels", "CoreShowChannel"),
        ):
            assert seen[action][:2] == sorted(
                [channel(kind, state=seat, who="seat"), channel(kind, state=caller, who="caller")]
            )
    assert [line for line in ringing["Action: BridgeList"] if "ListItem," in line] == []
    assert [line for line in talking["Action: BridgeList"] if "ListItem," in line] == [
        "Event: BridgeListItem, ActionID: *, BridgeUniqueid: *, BridgeType: basic, "
        "BridgeTechnology: simple_bridge, BridgeCreator: <unknown>, BridgeName: <unknown>, "
        "BridgeNumChannels: 2, BridgeVideoSourceMode: none"
    ]
    for action in SNAPSHOTS[-2:]:
        assert ringing[action] == queue_lines(calls=1, status=6, in_call=0)
        assert talking[action] == queue_lines(calls=0, status=2, in_call=1)


def queue_lines(*, calls: int, status: int, in_call: int) -> list[str]:
    entry = (
        "Event: QueueEntry, Queue: support, Position: 1, Channel: *, Uniqueid: *, "
        "CallerIDNum: 13800138000, CallerIDName: Wang, ConnectedLineNum: 8001, "
        "ConnectedLineName: unknown, Wait: *, Priority: *, ActionID: *"
    )
    return sorted(
        [
            "Response: Success, ActionID: *, EventList: start, Message: Queue status will follow",
            f"Event: QueueParams, Queue: support, Max: 0, Strategy: rrmemory, Calls: {calls}, "
            "Holdtime: *, TalkTime: *, Completed: *, Abandoned: *, ServiceLevel: 0, "
            "ServicelevelPerf: *, ServicelevelPerf2: *, Weight: 0, ActionID: *",
            f"Event: QueueMember, Queue: support, Name: 1021, Location: {SEAT}, "
            f"StateInterface: {SEAT}, Membership: dynamic, Penalty: 0, CallsTaken: *, LastCall: *, "
            f"LastPause: *, LoginTime: *, InCall: {in_call}, Status: {status}, Paused: 0, "
            "PausedReason: , Wrapuptime: 0, ActionID: *",
            *([entry] if calls else []),
            f"Event: QueueStatusComplete, ActionID: *, EventList: Complete, ListItems: {2 + calls}",
        ]
    )


def member_is(session: Session, **headers: str) -> bool:
    """Whether the latest QueueMemberStatus says so."""
    told = named(session, "QueueMemberStatus")
    return bool(told) and all(value(told[-1], name) == what for name, what in headers.items())


def named(session: Session, name: str) -> list[Message]:
    return [message for message in session.heard if value(message, "Event") == name]


# Where the channel was and how it ended; the order of events of different threads is chance.
KEPT = ("ChannelState", "DialStatus", "Cause", "Cause-txt", "Reason", "BridgeNumChannels")


def told(messages: Sequence[Message]) -> Counter[str]:
    return Counter(
        " ".join((value(m, "Event") or "", *(f"{k}={value(m, k)}" for k in KEPT if value(m, k))))
        for m in messages
        if not (value(m, "Event") or "").startswith("QueueMember")
    )


@pytest.mark.parametrize("cause", ["", "16"])
async def test_a_phone_that_ami_hangs_up_while_it_rings_has_not_answered(
    pbx: Pbx, cause: str
) -> None:
    written = len(pbx.queue_log.read_text().splitlines())
    async with pbx.session("events") as events, pbx.session("control") as control:
        await events.login()
        await control.login()
        await control.ask(ADD)
        await pbx.ring("4001")
        await events.event("QueueMemberStatus")
        seat = value(named(events, "AgentCalled")[0], "DestChannel")
        caller = value(named(events, "AgentCalled")[0], "Channel")
        await control.ask(f"Action: QueueRemove\nQueue: support\nInterface: {SEAT}")
        before = len(events.heard)
        why = f"\nCause: {cause}" if cause else ""
        (said,) = await control.ask(f"Action: Hangup\nChannel: {seat}{why}")
        await events.event("Hangup", before)
        await events.event("AgentRingNoAnswer", before)
        rung = told(events.heard[before:])
        before = len(events.heard)
        await control.ask(f"Action: Hangup\nChannel: {caller}{why}")
        await events.event("Hangup", before)
        gone = told(events.heard[before:])
    ended = "Cause=16 Cause-txt=Normal Clearing" if cause else "Cause=0 Cause-txt=Unknown"
    assert shown(said) == answer("Success", "Channel Hungup")
    assert rung == Counter(
        [
            "DialEnd ChannelState=4 DialStatus=NOANSWER",
            "AgentRingNoAnswer ChannelState=4",
            f"Hangup ChannelState=5 {ended}",
        ]
    )
    assert gone == Counter(
        [
            "QueueCallerAbandon ChannelState=4",
            "QueueCallerLeave ChannelState=4",
            f"Hangup ChannelState=4 {ended}",
        ]
    )
    rows = [row.split("|") for row in pbx.queue_log.read_text().splitlines()[written:]]
    assert [row[3:5] for row in rows] == [
        ["1021", "ADDMEMBER"],
        ["NONE", "ENTERQUEUE"],
        ["1021", "REMOVEMEMBER"],
        ["1021", "RINGNOANSWER"],
        ["NONE", "ABANDON"],
    ]


@pytest.mark.parametrize("leg", ["DestChannel", "Channel"])
async def test_whichever_leg_ami_hangs_up_asterisk_calls_it_the_callers_doing(
    pbx: Pbx, leg: str
) -> None:
    written = len(pbx.queue_log.read_text().splitlines())
    async with pbx.session("events") as events, pbx.session("control") as control:
        await events.login()
        await control.login()
        await control.ask(ADD)
        await pbx.ring("4001")
        await events.event("QueueMemberStatus")
        await pbx.lift(SEAT)
        await events.until(lambda: len(named(events, "BridgeEnter")) == 2)
        before = len(events.heard)
        channel = value(named(events, "AgentConnect")[0], leg)
        await control.ask(f"Action: Hangup\nChannel: {channel}\nCause: 16")
        await events.until(lambda: len(named(events, "Hangup")) == 2)
        await events.event("BridgeDestroy", before)
        await events.event("AgentComplete", before)
        ended = told(events.heard[before:])
        await control.ask(f"Action: QueueRemove\nQueue: support\nInterface: {SEAT}")
    # Where the caller's channel is gone already, Asterisk leaves its headers out of AgentComplete.
    without = "AgentComplete Reason=caller"
    ended["AgentComplete ChannelState=6 Reason=caller"] += ended.pop(without, 0)
    assert ended == Counter(
        [
            "AgentComplete ChannelState=6 Reason=caller",
            "BridgeLeave ChannelState=6 BridgeNumChannels=1",
            "BridgeLeave ChannelState=6 BridgeNumChannels=0",
            "BridgeDestroy BridgeNumChannels=0",
            *["Hangup ChannelState=6 Cause=16 Cause-txt=Normal Clearing"] * 2,
        ]
    )
    rows = [row.split("|") for row in pbx.queue_log.read_text().splitlines()[written:]]
    assert [row[4] for row in rows] == [
        "ADDMEMBER",
        "ENTERQUEUE",
        "CONNECT",
        "COMPLETECALLER",
        "REMOVEMEMBER",
    ]


@pytest.mark.parametrize(
    "quieter",
    [
        "Action: Filter\nOperation: Add\nMatchCriteria: action(exclude),name(QueueMemberAdded)",
        "Action: Filter\nOperation: Add\nFilter: !Event: QueueMemberAdded",
        "Action: Filter\nOperation: Add\nMatchCriteria: name(QueueMemberRemoved)",
    ],
)
async def test_a_session_hears_nothing_that_it_filters_out(pbx: Pbx, quieter: str) -> None:
    async with pbx.session("events") as events, pbx.session("control") as control:
        await events.login()
        await control.login()
        await events.ask(quieter)
        await control.ask(ADD)
        await control.ask(f"Action: QueueRemove\nQueue: support\nInterface: {SEAT}")
        await events.event("QueueMemberRemoved")
        assert named(events, "QueueMemberAdded") == []


async def test_a_session_with_its_events_off_hears_none_until_they_are_on(pbx: Pbx) -> None:
    async with (
        pbx.session("events") as events,
        pbx.session("events") as witness,
        pbx.session("control") as control,
    ):
        for session in (events, witness, control):
            await session.login()
        await events.event("FullyBooted")
        await events.ask("Action: Events\nEventMask: call")
        await control.ask(ADD)
        await witness.event("QueueMemberAdded")  # an event may be told after the answer
        await events.ask("Action: Events\nEventMask: agent")
        await control.ask(f"Action: QueueRemove\nQueue: support\nInterface: {SEAT}")
        await events.event("QueueMemberRemoved")
        assert named(events, "QueueMemberAdded") == []
