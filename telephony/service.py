"""Follows one PBX: bytes in, facts out, commands through. The shell around the pure cores.

Everything that Asterisk sends comes in one line: bytes → message → tracker → facts on the bus, in one
synchronous step without a queue. Beside it run `queue_log`'s tail, the flight recorder's flush, and
`heard`, which says each second how far we have heard. Whatever breaks, the way back is `_resync`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crm_core.bus import Bus, Envelope
from crm_core.centre.plan import SwitchPlan
from crm_core.commands import (
    AgentsOf,
    ChooseState,
    Done,
    ExtendWrapUp,
    FeedPosition,
    FeedState,
    KnownBoot,
    KnownBoots,
    LinkStands,
    OpenCalls,
    PlanOf,
)
from crm_core.errors import Unavailable
from crm_core.events import (
    BootFound,
    Event,
    FactsLost,
    Feed,
    FeedAdvanced,
    FeedHeard,
    GapRecorded,
    LinkChanged,
    LinkState,
)
from crm_core.ids import BootId, CallId, call_id
from crm_core.settings import PbxUrl
from telephony import dialplan
from telephony.agent_states import AgentStateKeeper
from telephony.ami import messages as ami
from telephony.ami.actions import Action
from telephony.ami.link import AmiSession, Answer, NotConnected, Patience
from telephony.ami.reading import Malformed, Reader
from telephony.calls.boots import boot_of
from telephony.calls.channels import SiteNames
from telephony.calls.lost import told_again
from telephony.calls.tracker import CallTracker
from telephony.commands import Commands
from telephony.flight_recorder import FlightRecorder
from telephony.members import MemberBook
from telephony.queue_log.merge import QueueLogFold
from telephony.queue_log.parser import QueueLogParser, Row, SetAside
from telephony.queue_log.tail import QueueLogTail
from telephony.recordings import RecordingWatch
from telephony.resync import ask_snapshot, ask_started_at
from telephony.standing_check import StandingCheck

log = logging.getLogger("zuoxi.telephony")

ROWS_EVERY_SECONDS = 0.1
HEARD_EVERY_SECONDS = 1.0
ASK_SECONDS = 30.0
MAY_BE_NONE = FeedPosition | AgentsOf | PlanOf
_TRY_AGAIN_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 10.0
"""A snapshot after a message that could not be used, at most this often."""

OUR_CONTEXTS = SiteNames(
    inbound=frozenset(
        {dialplan.INBOUND_CONTEXT, dialplan.HOTLINES_CONTEXT, dialplan.QUEUE_ROUTINE}
    ),
    seats=frozenset({dialplan.SEATS_CONTEXT, dialplan.DIAL_ROUTINE}),
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class TelephonyService:
    """`run` until cancelled. Facts go to the bus; commands for this PBX are served by `commands`."""

    def __init__(
        self,
        pbx: PbxUrl,
        bus: Bus,
        commands: Commands,
        var: Path,
        patience: Patience | None = None,
        now: Callable[[], datetime] = _utc_now,
        ask_seconds: float = ASK_SECONDS,
    ) -> None:
        self.pbx = pbx
        self.quarantined = 0
        """Messages that Asterisk did not write so."""
        self.rows_set_aside = 0
        """Pieces of queue_log that are no rows, or cannot be trusted."""
        self.failures = 0
        """Times that our own folding broke: each is in the log, and a snapshot puts it right."""
        self._bus, self._now, self._patience = bus, now, patience
        self._ask_seconds = ask_seconds
        self._recorder = FlightRecorder(var / "flight", pbx.pbx, now)
        self._connection = 0
        self._tracker: CallTracker | None = None
        self._reader = Reader({ami.FullyBooted, *MemberBook.HEARS, *RecordingWatch.HEARS})
        """Reads the events that can tell us something, and no other."""
        self.ignored = self._reader.ignored
        self._members = MemberBook(pbx.pbx)
        self._boots: list[KnownBoot] = []
        self._boot: KnownBoot | None = None
        self._booted_about: datetime | None = None
        self._fold: QueueLogFold | None = None
        self._rows_read = 0
        """Bytes, since this process began to read."""
        self._last_row_at: datetime | None = None
        self._caught_up_at: datetime | None = None
        """When queue_log was last read to its end."""
        self._followed: BootId | None = None
        """The run that was followed last, by this process or the one before it."""
        self._heard_until: datetime | None = None
        """All that Asterisk sent before this moment has been told."""
        self._received_at: datetime | None = None
        self._listening = False
        """A snapshot is complete and the link has not broken since."""
        self._resyncing: asyncio.Task[None] | None = None
        self._read = 0
        """Messages that somebody wants."""
        self._wanted_looks = 0
        """How often something could not be used, so that a snapshot has to put it right."""
        self._left_out: set[str] = set()
        """What this connection's snapshots could not use, and why: said once, looked at once more."""
        self._look_again_after = 0.0
        """By the loop's clock."""
        self._looked = asyncio.Event()
        """A snapshot has told which run this is, and who its members are."""
        self._calls_lost, self._rows_lost = asyncio.Event(), asyncio.Event()
        """The records have lost facts of that feed, and can be told again."""
        self._events: AmiSession | None = None
        self._control: AmiSession | None = None
        self._recordings = RecordingWatch(pbx.pbx, bus, self.control, self._call_of)
        self._agents = AgentStateKeeper(pbx.pbx, bus, self.control, now)
        commands.serve(pbx.pbx, self)

    @property
    def mended(self) -> int:
        """Names, numbers and the like that held a control character and were told without it."""
        return self._reader.mended

    async def run(self) -> None:
        """Follow this PBX until cancelled. Whatever is away is waited for, with a sentence."""
        self._boots = list(await self._ask(KnownBoots(pbx=self.pbx.pbx)))
        self._followed = self._boots[-1].boot if self._boots else None
        state: FeedState | None = await self._ask(FeedPosition(pbx=self.pbx.pbx, feed=Feed.AMI))
        self._heard_until = state.heard_until if state else None
        plan = await self._ask(PlanOf(pbx=self.pbx.pbx))
        self._agents.begin(plan or SwitchPlan(), await self._ask(AgentsOf(pbx=self.pbx.pbx)) or ())
        self._events = self._session("events", self.pbx.user, self.pbx.secret, "on")
        self._control = self._session(
            "control", self.pbx.control_user, self.pbx.control_secret, "off"
        )
        self._events.beside, self._control.beside = self._control, self._events
        unsubscribe = self._bus.subscribe(self._heard_of_loss)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_heard())
                tasks.create_task(self._agents.run())
                tasks.create_task(self._follow_queue_log())
                tasks.create_task(self._tell_lost_calls())
                self._events.connect()
                self._control.connect()
        finally:
            unsubscribe()
            if self._resyncing is not None:
                self._resyncing.cancel()
            self._recordings.stop()
            await self._events.close_and_wait()
            await self._control.close_and_wait()
            self._recorder.close()

    def _session(self, name: str, user: str, secret: str, events: str) -> AmiSession:
        reads = name == "events"
        return AmiSession(
            name=f"{self.pbx.pbx}/{name}",
            host=self.pbx.host,
            port=self.pbx.port,
            username=user,
            secret=secret,
            events=events,
            tls=self.pbx.tls,
            patience=self._patience,
            on_message=self._raw if reads else None,
            on_state=self._link_state if reads else self._control_state,
            on_bytes=self._bytes if reads else None,
            on_connection=self._connection_changed if reads else None,
            now=self._now,
        )

    async def _ask(self, question: Any) -> Any:
        """The answer of crm_core, however long it takes."""
        loop = asyncio.get_running_loop()
        while True:
            asked_at = loop.time()
            answer = await self._bus.ask(question, self._ask_seconds)
            # A feed that was never followed is answered by None too, but at once; and nobody may be
            # there who knows people (a recorder alone, a test).
            at_once = loop.time() - asked_at < self._ask_seconds / 2
            if answer is not None or (isinstance(question, MAY_BE_NONE) and at_once):
                return answer
            log.warning("no answer to %s; asking again", type(question).__name__)
            await asyncio.sleep(_TRY_AGAIN_SECONDS)

    # --- the line from bytes to facts -------------------------------------------------------------

    def _connection_changed(self, stands: bool) -> None:
        if stands:
            self._booted_about = None  # this may be another run of Asterisk
            self._left_out.clear()
            self._connection = self._recorder.opened("events")
        else:
            self._recorder.closed("events", self._connection)

    def _bytes(self, data: bytes) -> None:
        self._received_at = self._now()
        self._recorder.received("events", self._connection, data)

    def _raw(self, raw: bytes) -> None:
        try:
            message = self._reader.read(raw, self._received_at or self._now())
        except Malformed as wrong:
            self._quarantine(raw, str(wrong))
            return
        if message is None:
            return
        self._read += 1
        if isinstance(message, ami.FullyBooted):
            uptime = timedelta(seconds=message.uptime or 0)
            self._booted_about = self._now() - uptime if message.uptime is not None else None
        try:
            self._feed(message)
        except Exception:  # our mistake, not the line's: the facts it cost are in the next snapshot
            self.failures += 1
            log.exception("%s could not be folded; looking again", type(message).__name__)
            self._look_again()

    def _feed(self, message: ami.AmiMessage) -> None:
        if isinstance(message, ami.MixMonitorStart | ami.StatusItem):
            self._recordings.feed(message)
        if type(message) in MemberBook.HEARS:
            for event in self._members.feed(message):
                self._told(event)
        if self._tracker is not None:
            for event in self._tracker.feed(message):
                self._told(event)

    def _told(self, event: Event) -> None:
        """A fact goes to everybody, and in the same step to the agents' states."""
        self._bus.publish(event)
        self._agents.feed(event)

    def _quarantine(self, raw: bytes, why: str) -> None:
        """Not folded; what it would have told is looked up instead."""
        self.quarantined += 1
        if b"\r\nActionID: " in raw:  # of a list: asked for again, it comes again as it is
            told = f"{raw.decode('ascii', 'replace').splitlines()[0]}: {why}"
            if told in self._left_out:
                return
            self._left_out.add(told)
            log.warning("%s: left out of the snapshot (%s)", self.pbx.pbx, told)
        else:
            log.warning("a message was put into quarantine (%s); looking again", why)
        self._look_again()

    def _look_again(self) -> None:
        self._wanted_looks += 1
        if self._listening and self._resyncing is None:
            now = asyncio.get_running_loop().time()
            after = max(0.0, self._look_again_after - now)
            self._look_again_after = now + after + _LOOK_AGAIN_SECONDS
            self._resyncing = asyncio.create_task(self._resync(after))

    # --- the link ---------------------------------------------------------------------------------

    def _link_state(self, state: LinkState, reason: str | None) -> None:
        if self._resyncing is not None:
            self._resyncing.cancel()
            self._resyncing = None
        if state is LinkState.UP:
            self._resyncing = asyncio.create_task(self._resync())
            return
        if self._listening:
            self._listening = False
            self._agents.link_lost()
            # Not now: a link that was cut without a word is noticed seconds later.
            self._heard_until = self._proven()
            self._feed(ami.LinkLost(self._heard_until or self._now(), True))
        self._publish(LinkChanged, state=state, reason=reason)

    def _control_state(self, state: LinkState, reason: str | None) -> None:
        # Of the two sessions the events' may be back first. What was asked of Asterisk until now was
        # refused; told again that the link is up, who asked (membership) asks again.
        if state is LinkState.UP and self._listening:
            self._publish(LinkChanged, state=LinkState.UP)
            self._agents.ask_again()

    async def _resync(self, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        while True:
            wanted = self._wanted_looks
            try:
                await self._look()
            except NotConnected:
                return  # the link's own loss begins the next one
            except Unavailable as wrong:
                log.warning("%s: no snapshot: %s", self.pbx.pbx, wrong.detail)
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
            except Exception:
                self.failures += 1
                log.exception("%s: the snapshot could not be folded", self.pbx.pbx)
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            else:
                self._resyncing = None
                if self._wanted_looks != wanted:
                    self._look_again()
                return

    async def _look(self) -> None:
        """One snapshot, from `SnapshotBegan` to `SnapshotEnded`, and the gap it closes."""
        started = await ask_started_at(self._request, lambda: self._booted_about)
        boot, former = boot_of(started, self._boots), self._followed
        if boot != self._boot:
            self._boot = boot
            self._told_boot(boot)
        if self._tracker is None:
            open_calls = await self._ask(OpenCalls(pbx=self.pbx.pbx))
            for fact in [fact for call in open_calls for fact in call.facts]:
                self._told(fact)
            self._tracker = CallTracker(self.pbx.pbx, boot.boot, open_calls, OUR_CONTEXTS)
            self._reader.want(self._tracker.hears)
        self._agents.snapshot_began()
        self._feed(ami.SnapshotBegan(self._now(), True, boot.boot))
        await ask_snapshot(self._request)
        self._feed(ami.SnapshotEnded(self._now(), True, boot.boot))
        self._looked.set()
        self._agents.snapshot_ended(self._tracker.live_calls())
        self._recordings.snapshot_ended()
        blind_since = None if self._listening else self._heard_until
        if blind_since is not None:
            self._publish(
                GapRecorded,
                began_at=blind_since,
                boot_changed=former is not None and former != boot.boot,
                calls=self._tracker.live_calls(),
                reason="the link to Asterisk was away",
            )
        self._followed = boot.boot
        self._listening = True
        self._tell_heard()
        self._publish(LinkChanged, state=LinkState.UP)

    def _told_boot(self, boot: KnownBoot) -> None:
        if boot not in self._boots:
            self._boots.append(boot)
        self._publish(BootFound, at=boot.started_at, boot=boot.boot, started_at=boot.started_at)
        if self._fold is not None:
            self._fold.learn(boot)

    async def _request(self, action: Action) -> Answer:
        if self._events is None:
            raise NotConnected
        return await self._events.request(action)

    async def _keep_heard(self) -> None:
        while True:
            await asyncio.sleep(HEARD_EVERY_SECONDS)
            self._recorder.flush()
            if self._listening:
                self._tell_heard()

    def _tell_heard(self) -> None:
        """Heard is what an answer proves, a Pong's at least: on a dead link nothing is heard."""
        self._heard_until = self._proven() or self._now()
        self._publish(FeedHeard, at=self._heard_until, feed=Feed.AMI)

    def _proven(self) -> datetime | None:
        return self._events.heard_until if self._events is not None else None

    # --- the records were away too long -----------------------------------------------------------

    def _heard_of_loss(self, envelope: Envelope) -> None:
        if isinstance(envelope.event, FactsLost) and envelope.event.pbx == self.pbx.pbx:
            self._calls_lost.set()
            self._rows_lost.set()

    async def _tell_lost_calls(self) -> None:
        while True:
            await self._calls_lost.wait()
            self._calls_lost.clear()
            recorded = await self._ask(OpenCalls(pbx=self.pbx.pbx))
            if self._tracker is None or self._boot is None:
                continue  # the first snapshot is still to come, and asks for them itself
            for fact in told_again(
                self._tracker, self.pbx.pbx, self._boot.boot, recorded, self._now()
            ):
                # Not to the agents' states: they have heard all of it, only the records have not.
                self._bus.publish(fact)

    def _publish(self, kind: type[Event], **fields: Any) -> None:
        self._bus.publish(kind(**{"at": self._now(), "pbx": self.pbx.pbx, **fields}))

    # --- queue_log --------------------------------------------------------------------------------

    async def _follow_queue_log(self) -> None:
        if self.pbx.queue_log is None:
            log.warning("%s: no queue_log: outcomes are not known, rows say ami_only", self.pbx.pbx)
            return
        check = StandingCheck(
            self.pbx.pbx, self.pbx.queue_log, self._bus, lambda: self._caught_up_at, self._now
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(check.run())
            tasks.create_task(self._keep_reading(self.pbx.queue_log))

    async def _keep_reading(self, path: Path) -> None:
        while True:
            self._rows_lost.clear()
            await self._read_queue_log(path)

    async def _read_queue_log(self, path: Path) -> None:
        """From where the records stand on, until they have lost what was read."""
        state: FeedState | None = await self._ask(
            FeedPosition(pbx=self.pbx.pbx, feed=Feed.QUEUE_LOG)
        )
        # A row names no run of Asterisk (CoreStatus knows it best; without a link, QUEUESTART does) and
        # of a member the name alone: whose that is, the snapshot's members tell.
        try:
            async with asyncio.timeout(self._ask_seconds):
                await self._looked.wait()
        except TimeoutError:
            log.warning("%s: reading queue_log without a link to Asterisk", self.pbx.pbx)
        self._fold = QueueLogFold(
            self.pbx.pbx, self._boots, state.passes if state else (), self._call_of
        )
        tail = QueueLogTail(path, state.position if state else None)
        parser, told = QueueLogParser(self._set_aside), None
        try:
            while not self._rows_lost.is_set():
                more = self._read_rows(tail, parser, self._fold)
                self._caught_up_at = self._caught_up_at if more else self._now()
                if tail.trouble != told:
                    told = tail.trouble
                    log.warning("%s", told or f"{path} is read again")
                await asyncio.sleep(0 if more else ROWS_EVERY_SECONDS)
        finally:
            tail.close()

    def _read_rows(self, tail: QueueLogTail, parser: QueueLogParser, fold: QueueLogFold) -> bool:
        missed = tail.missed
        data, position = tail.read()
        if tail.missed != missed:
            since = self._last_row_at or self._heard_until or self._now()
            reason = (tail.trouble or "rows of queue_log may be missed")[:256]
            self._publish(
                GapRecorded, began_at=since, boot_changed=False, reason=reason, feed=Feed.QUEUE_LOG
            )
        if not data:
            return False
        self._recorder.rows(data, self._rows_read)
        self._rows_read += len(data)
        for row in parser.feed(data):
            self._last_row_at = row.at
            for event in self._folded(fold, row):
                self._bus.publish(event)
                if isinstance(event, BootFound):
                    self._learn(KnownBoot(boot=event.boot, started_at=event.started_at))
        if position is not None:
            self._publish(FeedAdvanced, feed=Feed.QUEUE_LOG, position=position)
        return True

    def _set_aside(self, piece: SetAside) -> None:
        """Not folded; its bytes stay in the flight recorder."""
        self.rows_set_aside += 1
        log.warning("%s: a piece of queue_log is not a row (%s)", self.pbx.pbx, piece.reason)

    def _folded(self, fold: QueueLogFold, row: Row) -> list[Event]:
        try:
            return fold.feed(row)
        except Exception:  # one row must not keep all that follow it from being read
            self.failures += 1
            log.exception("a row of queue_log could not be folded: %r", row)
            return []

    def _learn(self, boot: KnownBoot) -> None:
        if all(known.boot != boot.boot for known in self._boots):
            self._boots.append(boot)

    def _call_of(self, unique_id: str) -> CallId | None:
        return self._tracker.call_of(unique_id) if self._tracker is not None else None

    # --- for commands -----------------------------------------------------------------------------

    async def control(self, action: Action) -> Answer:
        if self._control is None:
            raise NotConnected
        return await self._control.request(action)

    def channels_of(self, call: CallId) -> tuple[str, ...]:
        return self._tracker.channels_of(call) if self._tracker is not None else ()

    def attempt(self, unique_id: str) -> CallId | None:
        """The call of a channel that we named; None: nobody has heard of it."""
        return self._call_of(unique_id)

    def call_to_be(self, unique_id: str) -> CallId | None:
        """What a call will be called whose first channel has this Uniqueid."""
        return call_id(self.pbx.pbx, self._boot.boot, unique_id) if self._boot else None

    def pause_of(self, interface: str) -> str | None:
        return self._agents.pause_of(interface)

    def choose(self, command: ChooseState | ExtendWrapUp) -> Done:
        return self._agents.choose(command)

    def stands(self) -> LinkStands:
        return LinkStands(
            read=self._read,
            ignored=self.ignored.total(),
            quarantined=self.quarantined,
            mended=self.mended,
            failures=self.failures,
        )

    def leg_channel(self, call: CallId, leg: str) -> str | None:
        return self._tracker.leg_channels(call).get(leg) if self._tracker is not None else None
